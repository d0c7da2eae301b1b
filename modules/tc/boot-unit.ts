/** A unit that puts the qdisc on its device whenever udev announces the device: at boot, and when it is plugged again. */

import type { Resource } from '../../dsl/resource.ts'
import { Probe } from '../../probe/probe.ts'
import type { FileState } from '../../probe/file.ts'
import { lines, sh } from '../../shell/script.ts'
import { fileAt } from '../file.ts'
import { type FqCodel, fqCodelDefaults, fqCodelWords } from './fq-codel.ts'

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
export function unitText(device: string, wish: Partial<FqCodel>): string {
  const unit = deviceUnit(device)
  const isMadeAnew = wish.flows !== undefined && wish.flows !== fqCodelDefaults.flows
  const name = escapeArgument(device)
  const words = fqCodelWords(wish, { flows: isMadeAnew }).map((word) => escapeArgument(String(word)))
  return [
    '# Managed by fleetplay: changes made here are overwritten.',
    '[Unit]',
    `Description=fq_codel on ${device.replaceAll('%', '%%')}`,
    `BindsTo=${unit}`,
    `After=${unit}`,
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    // The kernel does not change the number of flows of a qdisc that is there.
    ...(isMadeAnew ? [`ExecStartPre=-tc qdisc del dev ${name} root`] : []),
    `ExecStart=${['tc qdisc replace dev', name, 'root fq_codel', ...words].join(' ')}`,
    '',
    '[Install]',
    `WantedBy=${unit}`,
    '',
  ].join('\n')
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
