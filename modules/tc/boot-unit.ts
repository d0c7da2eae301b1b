/** A unit that puts the qdisc on its device whenever udev announces the device: at boot, and when it is plugged again. */

import type { Resource } from '../../dsl/resource.ts'
import { Probe } from '../../probe/probe.ts'
import type { FileState } from '../../probe/file.ts'
import { lines, sh } from '../../shell/script.ts'
import { fileAt } from '../file.ts'
import type { Wished } from './discipline.ts'
import { fqCodelWords } from './fq-codel.ts'

const units = '/etc/systemd/system'

/** Without udev there are no device units, and a unit that is bound to one never starts. */
export const udev: Resource<boolean> = {
  key: 'udev:running',
  label: 'udev',
  read: Probe.script(sh`[ ! -e /run/udev/control ] || echo yes`, ({ stdout }) => stdout.length > 0),
  fresh: true,
}

/** The unit's file. systemd is told of it. */
export function unitFile(device: string): Resource<FileState> {
  const place = fileAt(`${units}/${unitName(device)}`)
  return {
    ...place,
    write: (to, from) => lines(place.write!(to, from), sh`[ $? -eq 0 ] && systemctl daemon-reload`.touches()),
  }
}

/** The link by which the device wants the unit; what `systemctl enable` makes. It is made before the unit, which is then read with it. */
export function wantedLink(device: string): Resource<FileState> {
  const folder = `${units}/${deviceUnit(device)}.wants`
  const unit = unitName(device)
  const place = fileAt(`${folder}/${unit}`)
  return {
    ...place,
    write: (to, from) =>
      lines(
        sh`mkdir -p -- ${folder} || exit`.touches(),
        place.write!(to, from),
        sh`[ $? -eq 0 ] || exit
rmdir -- ${folder} 2>/dev/null
[ ! -e ${`${units}/${unit}`} ] || systemctl daemon-reload`.touches(),
      ),
  }
}

export function wantedTarget(device: string): string {
  return `${units}/${unitName(device)}`
}

/** The unit's text. What the play does not say is left to the kernel, which makes the qdisc anew for each device. */
export function unitText(device: string, wished: Wished): string {
  const unit = deviceUnit(device)
  return [
    '# Managed by fleetplay: changes made here are overwritten.',
    '[Unit]',
    `Description=${wished.discipline.kind} on ${device.replaceAll('%', '%%')}`,
    `BindsTo=${unit}`,
    `After=${unit}`,
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    ...commands(device, wished),
    '',
    '[Install]',
    `WantedBy=${unit}`,
    '',
  ].join('\n')
}

function commands(device: string, { discipline, wish }: Wished): readonly string[] {
  const { kind } = discipline
  const again = discipline.again(wish)
  const child = discipline.child?.(wish)
  const name = escapeArgument(device)
  const tc = (...words: readonly (string | number)[]) =>
    ['tc qdisc', ...words.map((word) => escapeArgument(String(word)))].join(' ')
  const own = discipline.words(wish, { making: again !== 'change' })
  return [
    ...(again === 'leave' ? [`ExecCondition=${unless(kind, name)}`] : []),
    ...(again === 'anew' ? [`ExecStartPre=-${tc('del', 'dev', device, 'root')}`] : []),
    `ExecStart=${tc('replace', 'dev', device, 'root', ...(child ? ['handle', '1:'] : []), kind, ...own)}`,
    ...(child
      ? [
          `ExecStart=${tc('replace', 'dev', device, 'parent', '1:', 'fq_codel', ...fqCodelWords(child, { flows: again === 'anew' }))}`,
        ]
      : []),
  ]
}

/** Fails where the device has the kind already, whereupon systemd leaves the unit alone. */
function unless(kind: string, name: string): string {
  return `sh -c "! tc qdisc show dev $$1 root | grep -q '^qdisc ${kind} '" sh ${name}`
}

function unitName(device: string): string {
  return `tc-qdisc-${escapeName(device)}.service`
}

function deviceUnit(device: string): string {
  return `sys-subsystem-net-devices-${escapeName(device)}.device`
}

/** As `systemd-escape --path` does for a part of a path. */
function escapeName(device: string): string {
  return [...Buffer.from(device)]
    .map((byte, i) => {
      const char = String.fromCharCode(byte)
      return /[A-Za-z0-9:_.]/.test(char) && !(i === 0 && char === '.')
        ? char
        : `\\x${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
}

/** One word of a command line in a unit, where `%`, `$` and quotes have a meaning. */
function escapeArgument(word: string): string {
  const text = word.replaceAll('%', '%%').replaceAll('$', '$$$$').replaceAll('\\', '\\\\')
  return /^[\w.:%$/@+-]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`
}
