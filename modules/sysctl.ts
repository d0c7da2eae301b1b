/** Kernel parameters: set now, and by a file in /etc/sysctl.d at every boot. */

import { type AnyResource, look, type Resource, type Wish, want } from '../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../dsl/task.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import { contentOf, type FileState } from '../probe/file.ts'
import { fileAt } from './file.ts'
import { type KernelValue, kernelParameter, keyName } from './kernel-parameter.ts'
import { baseName } from './layered-files.ts'
import { type BootLine, bootLines } from './sysctl-boot.ts'
import { type Assigned, lookedAt, shortfalls } from './sysctl-shortfalls.ts'
import { kindOf, parseValue, type SysctlKey, type SysctlValue } from './sysctl-keys.ts'

/** A file of kernel parameters that says none yet. */
export interface SysctlStart {
  /**
   * Sets a parameter; the third argument stands above it in the file.
   *
   * A well-known key takes its own kind: `net.core.rmem_max` an amount such as `'16MiB'`, `net.ipv4.udp_mem` three numbers (of
   * pages). Every other key takes a number, a text or a list, in the unit of the kernel's documentation.
   * A wrong unit, count or range, a pattern and a comment in the value are told before any connection.
   */
  set<K extends SysctlKey>(key: K, value: SysctlValue<K>, why?: string): Sysctl
  /** No such file. What it set stays in the running kernel until the next boot. */
  absent(): Sysctl
}

/**
 * Kernel parameters, in the running kernel and in `/etc/sysctl.d/NAME.conf` for every boot.
 *
 * Only the keys that it names are written, and each is read again. The running kernel comes first, so that a value that the
 * kernel refuses never gets into a file that the next boot would stumble over.
 *
 * Refused in the plan: a key that the host's kernel does not have (with the nearest that it has), one that may not be written
 * or cannot be read back, a wrong number of values, and a file that would set another value later at boot.
 *
 * @example
 * sysctl('99-udp-dns-tuning')
 *   .set('net.core.rmem_default', '16MiB', 'Room for a burst of answers.')
 *   .set('net.ipv4.udp_mem', [262144, 524288, 1048576])
 *   .notify(restart('systemd-resolved'))
 * @see sysctl.d(5), systemd-sysctl.service(8)
 */
export function sysctl(name: string): SysctlStart {
  return new Sysctl(name)
}

interface Entry extends Assigned {
  readonly why: string | undefined
}

/** Keys of which the kernel sets one to zero when the other is set. */
const exclusive: readonly (readonly [string, string])[] = [
  ['vm.dirty_bytes', 'vm.dirty_ratio'],
  ['vm.dirty_background_bytes', 'vm.dirty_background_ratio'],
]

export class Sysctl extends Task implements SysctlStart {
  readonly module = 'sysctl'
  readonly id: string
  readonly entries: readonly Entry[] = []
  readonly isAbsent: boolean = false

  /** @internal Made by `sysctl()`. */
  constructor(name: string) {
    super()
    this.id = name
    if (/^[A-Za-z0-9_][\w.@+-]*$/.test(name) && !name.endsWith('.conf')) return
    const hint = 'It is the name of a file in /etc/sysctl.d without its `.conf`: 99-udp-dns-tuning.'
    return this.wrong(`sysctl(${JSON.stringify(name)}): not a name for a file`, hint)
  }

  set<K extends SysctlKey>(key: K, value: SysctlValue<K>, why?: string): Sysctl {
    const name = keyName(key)
    if (isProblem(name)) return this.wrong(`sysctl ${this.id}: ${name.problem}`)
    const parsed = parseValue(name, value)
    if (isProblem(parsed)) return this.wrong(`sysctl ${this.id}: ${name}: ${parsed.problem}`)
    const [pair] = exclusive.filter(
      (keys) => keys.includes(name) && this.entries.some((e) => e.key !== name && keys.includes(e.key)),
    )
    if (pair) return this.wrong(`sysctl ${this.id}: of ${pair.join(' and ')} the kernel keeps one only`)
    if (this.entries.some((e) => e.key === name)) return this.wrong(`sysctl ${this.id}: ${name} is set twice`)
    return this.with<Sysctl>({ entries: [...this.entries, { key: name, value: parsed, why }] })
  }

  absent(): Sysctl {
    return this.with<Sysctl>({ isAbsent: true })
  }

  override get unfinished() {
    const says = this.isAbsent || this.entries.length > 0 || this.problems.length > 0
    return says ? undefined : `sysctl ${this.id} says nothing: set() a parameter, or say .absent()`
  }

  get wishes(): readonly Wish[] {
    const file = this.file
    if (this.isAbsent) return [want(file, noFile, { whole: 'absent' })]
    const text = this.text
    return [
      ...this.entries.map(({ key, value }) =>
        want(kernelParameter(key), (now) => settled(now, value), { whole: value }),
      ),
      look(bootLines),
      ...this.needed.map(look),
      want(file, (now, as) => fileWith(now, text, as.user, as.group), { whole: text }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const file = reading.now(this.file)
    if (this.isAbsent) return this.leaving(file, [])
    const verdicts = this.entries.flatMap((entry) => judgeEntry(entry, reading))
    if (file.type === 'link') verdicts.unshift(masked(this.path, file.target))
    if (reading.facts.systemd) verdicts.push(...this.judgeBoot(reading.now(bootLines)))
    verdicts.push(...shortfalls(this.entries, reading, this.keywords.notify.length > 0))
    return [
      ...verdicts,
      ...this.leaving(
        file,
        this.entries.map(({ key }) => key),
      ),
    ]
  }

  /** Files that are read after ours. */
  private judgeBoot(lines: readonly BootLine[]): readonly Verdict[] {
    const own = baseName(this.path)
    const hidden = lines.find(({ file }) => baseName(file) === own && file !== this.path)
    const verdicts = this.entries.flatMap(({ key, value }) => {
      const last = lines.filter((line) => line.key === key && baseName(line.file) > own).at(-1)
      if (!last || last.value === value) return []
      const does = last.value === null ? `excludes ${key}` : `sets ${key} to ${last.value}`
      const reason = `At boot ${last.file} ${does}, after ${this.path} has set it to ${value}.`
      return [
        refuse(
          reason,
          `Take the line out of ${last.file}, or choose a name that is sorted after ${baseName(last.file)}.`,
        ),
      ]
    })
    return hidden ? [...verdicts, note(`${this.path} hides ${hidden.file}`)] : verdicts
  }

  /** Keys that the file sets now and will set no more: nobody knows what they were before. */
  private leaving(file: FileState, kept: readonly string[]): readonly Verdict[] {
    const text = file.type === 'file' && 'text' in file.content ? file.content.text : ''
    const keys = text.split('\n').flatMap((line) => /^\s*([^#;\s=][^=\s]*)\s*=/.exec(line)?.[1] ?? [])
    const left = keys.filter((key) => !kept.includes(key))
    return left.length > 0 ? [note(`${left.join(', ')}: the running kernel keeps the value until the next boot`)] : []
  }

  private get needed(): readonly AnyResource[] {
    return lookedAt(this.entries.map(({ key }) => key))
  }

  private get path(): string {
    return `/etc/sysctl.d/${this.id}.conf`
  }

  private get file(): Resource<FileState> {
    return fileAt(this.path)
  }

  /** Lines of assignment and of `#` alone: systemd 262 fails its unit at any other, a `;` comment too. */
  private get text(): string {
    const entries = this.entries.flatMap(({ key, value, why }) => [
      ...(why
        ? why
            .trim()
            .split('\n')
            .map((line) => `# ${line.trim()}`)
        : []),
      `${key} = ${value}`.trimEnd(),
    ])
    return ['# Managed by fleetplay: changes made here are overwritten.', ...entries, ''].join('\n')
  }
}

function settled(now: KernelValue, value: string): KernelValue {
  return typeof now === 'object' && now.type === 'read-only' && now.value === value ? now : value
}

function fileWith(now: FileState, text: string, owner: string, group: string): FileState {
  if (now.type === 'directory') throw new Failure('E_REFUSED', 'A directory is in the place of the file.')
  const content = contentOf(Buffer.from(text))
  return now.type === 'file' ? { ...now, content } : { type: 'file', content, mode: '0644', owner, group }
}

function noFile(now: FileState): FileState {
  if (now.type === 'directory') throw new Failure('E_REFUSED', 'A directory is in the place of the file.')
  return { type: 'absent' }
}

function masked(path: string, target: string): Verdict {
  return refuse(
    `${path} is a link to ${target}, which would be read at boot no more.`,
    'Choose another name, or remove the link first.',
  )
}

function judgeEntry({ key, value }: Entry, reading: Reading): Verdict[] {
  const place = kernelParameter(key)
  const now = reading.now(place)
  if (now === reading.desired(place)) return []
  if (typeof now === 'object') return [refuse(...whyNot(key, now, reading.facts.user))]
  const counts = [now, value].map(countNumbers)
  if (counts[0] && counts[1] && counts[0] !== counts[1]) {
    return [
      refuse(
        `${key} has ${counts[0]} ${counts[0] === 1 ? 'value' : 'values'} (${now}), and the play gives ${counts[1]}.`,
      ),
    ]
  }
  const lower = kindOf(key)?.isRoom && Number(value) < Number(now)
  return lower ? [note(`${key} is lowered from ${now} to ${value}`)] : []
}

function whyNot(key: string, now: Exclude<KernelValue, string>, user: string): [reason: string, hint: string] {
  switch (now.type) {
    case 'absent':
      return [
        `The kernel of this host has no ${key}.`,
        now.nearest && !kindOf(key)
          ? `Did you mean ${now.nearest}?`
          : 'A module that is not loaded may bring it; in a container, keys of the whole machine are set on the machine itself.',
      ]
    case 'write-only':
      return [
        `${key} can be written but not read, so nothing can be kept there.`,
        'Use command() with a guard for what is done once.',
      ]
    case 'read-only':
      return user === 'root'
        ? [
            `${key} is ${now.value} and read-only.`,
            'In a container, keys of the whole machine are set on the machine itself.',
          ]
        : [
            `${key} is ${now.value}, and ${user} may not write it.`,
            'Let the play or the task become root: `.become()`.',
          ]
  }
}

/** How many numbers a value is; undefined where it is no list of numbers. */
function countNumbers(value: string): number | undefined {
  return /^-?\d+( -?\d+)*$/.test(value) ? value.split(' ').length : undefined
}
