/** systemd-resolved: settings in a drop-in of its own. */

import { look, type Resource, type Wish, want } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { isProblem } from '../../dsl/variable.ts'
import type { FileState } from '../../probe/file.ts'
import { fileAt } from '../file.ts'
import { baseName, layeredLines } from '../layered-files.ts'
import { addressTest } from '../socket-test.ts'
import { foundUnit } from '../unit.ts'
import {
  interfacesIn,
  listenerAddress,
  type ResolvedSettings,
  settingLines,
  type SettingName,
  since,
  stubAddress,
} from './resolved-settings.ts'
import { ownedByRoot } from './unit.ts'

/** A drop-in of systemd-resolved that says nothing yet. */
export interface ResolvedStart {
  /**
   * Settings, by the names of resolved.conf(5); each is said once. A value that the daemon would only log and leave out is told
   * before any connection.
   */
  set(settings: ResolvedSettings): Resolved
  /** No such file. */
  absent(): Resolved
}

/**
 * Settings of systemd-resolved in `/etc/systemd/resolved.conf.d/NAME.conf`. The daemon reads them when it is restarted.
 *
 * The daemon starts with whatever it is given: a value that it does not understand, a server that is no address and an address
 * that is taken are a line in its log, and `systemctl restart` ends well. So all of it is looked at before.
 *
 * What it has is read from its files, and not asked of `resolvectl`, which answers in JSON on newer versions only.
 * An address to listen on that another process holds is found before the restart, and the file put back.
 *
 * Refused in the plan: a host without systemd-resolved, a setting that its systemd does not have yet, a server on an interface
 * that it does not have, a file that is read later and says otherwise, and a stub that listens no more while
 * `/etc/resolv.conf` sends every program to it.
 *
 * @example
 * resolved('fleet')
 *   .set({ Cache: 'yes', DNS: ['10.0.0.2', '10.0.0.3'], Domains: ['~.'], DNSStubListenerExtra: ['172.17.0.1'] })
 *   .notify(restart('systemd-resolved'))
 * @see resolved.conf(5), systemd-resolved.service(8)
 */
export function resolved(name: string): ResolvedStart {
  return new Resolved(name)
}

const folder = '/etc/systemd/resolved.conf.d'
const daemon = 'systemd-resolved.service'

export class Resolved extends Task implements ResolvedStart {
  readonly module = 'resolved'
  readonly id: string
  readonly settings: ResolvedSettings = {}
  readonly isAbsent: boolean = false

  /** @internal Made by `resolved()`. */
  constructor(name: string) {
    super()
    this.id = name
    if (/^[A-Za-z0-9_][\w.@:-]*$/.test(name) && !name.endsWith('.conf')) return
    const hint = `It is the name of a file in ${folder} without its \`.conf\`: fleet.`
    return this.wrong(`resolved(${JSON.stringify(name)}): not a name for a drop-in`, hint)
  }

  set(settings: ResolvedSettings): Resolved {
    const said = Object.entries(settings).filter(([, value]) => value !== undefined)
    const next = this.with<Resolved>({ settings: { ...this.settings, ...Object.fromEntries(said) } })
    const problems = said.flatMap(([name, value]) => {
      const parsed = settingLines(name, value)
      if (isProblem(parsed)) return [parsed.problem]
      return Object.hasOwn(this.settings, name) ? [`${name} is set twice`] : []
    })
    return [...problems, ...next.clashes].reduce((task, problem) => task.wrong(`resolved ${this.id}: ${problem}`), next)
  }

  absent(): Resolved {
    return this.with<Resolved>({ isAbsent: true })
  }

  override get unfinished() {
    const says = this.isAbsent || Object.keys(this.settings).length > 0
    return says ? undefined : `resolved(${JSON.stringify(this.id)}) says nothing: set() a setting, or say .absent()`
  }

  get wishes(): readonly Wish[] {
    if (this.isAbsent) return [want<FileState>(this.file, { type: 'absent' })]
    return [
      look(foundUnit(daemon)),
      look(resolvConf),
      look(resolvedLines),
      want(fileAt(folder), (now) => (now.type === 'directory' ? now : directory)),
      want(this.file, ownedByRoot(this.text), { guard: this.extraTest }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const quiet =
      reading.changes(this.file) && this.keywords.notify.length === 0
        ? [note('systemd-resolved reads it when it is restarted, and no handler is notified.')]
        : []
    if (this.isAbsent) return quiet
    return [...this.judgeDaemon(reading), ...this.judgeLater(reading), ...this.judgeStub(reading), ...quiet]
  }

  /** Facts are looked at only where a setting rests on them: they cost a trip. */
  private judgeDaemon({ now, certain, facts }: Reading): readonly Verdict[] {
    const place = foundUnit(daemon)
    if (now(place).enabled === null) {
      // An earlier task may yet bring it.
      if (!certain(place)) return []
      return [refuse('systemd-resolved is not on this host.', "Install it before: aptPackage('systemd-resolved')")]
    }
    const young = this.names.flatMap((name) => {
      const version = since(name)
      if (version === 0 || Number(facts.software.systemd) >= version) return []
      return [refuse(`${name} is for systemd ${version} and later, and this host has ${facts.software.systemd}.`)]
    })
    const astray = this.names.flatMap((name) => {
      const device = this.valuesOf(name).flatMap(interfacesIn)
      const missing = device.find((one) => !facts.interfaces.some((known) => known.name === one))
      return missing === undefined ? [] : [refuse(`${name}: this host has no interface ${missing}.`)]
    })
    return [...young, ...astray]
  }

  /** Files that are read after ours: the last one counts, and adds to a list. */
  private judgeLater({ now }: Reading): readonly Verdict[] {
    const lines = now(resolvedLines)
    const own = baseName(this.path)
    return this.names.flatMap((name) => {
      const values = this.valuesOf(name)
      const later = lines.findLast((line) => line.name === name && baseName(line.file) > own)
      if (!later || (values.length === 1 && later.value === values[0])) return []
      const reason = `${later.file} says ${name}=${later.value}, and is read after ${this.path}.`
      const hint = `Take the line out of ${later.file}, or choose a name that is sorted after ${baseName(later.file)}.`
      return [refuse(reason, hint)]
    })
  }

  /** Programs are sent to the stub by /etc/resolv.conf; where that is systemd's own link, `no` moves it to the servers. */
  private judgeStub({ now, changes }: Reading): readonly Verdict[] {
    const { DNSStubListener: stub } = this.settings
    const conf = now(resolvConf)
    if (stub === undefined || stub === 'yes' || !leadsToStub(conf)) return []
    const hint = "Send them elsewhere before: link('/etc/resolv.conf').to('../run/systemd/resolve/resolv.conf')"
    if (stub === 'tcp')
      return [
        refuse('/etc/resolv.conf sends programs to 127.0.0.53, and they ask by UDP, which tcp leaves closed.', hint),
      ]
    if (stub === 'no' && conf.type !== 'link')
      return [refuse('/etc/resolv.conf sends programs to 127.0.0.53, where nothing would listen.', hint)]
    if (!changes(this.file)) return []
    return [
      stub === 'no'
        ? note('Programs that read /etc/resolv.conf will ask the servers themselves, without the cache.')
        : note('Answers that are too long for UDP cannot be had from 127.0.0.53.'),
    ]
  }

  private get clashes(): readonly string[] {
    if (this.settings.DNSStubListener === 'no') return []
    const extra = Array.isArray(this.settings.DNSStubListenerExtra) ? this.settings.DNSStubListenerExtra : []
    return extra.flatMap((one) => {
      const address = stubAddress(one)
      return address ? [`DNSStubListenerExtra: systemd-resolved listens on ${address} anyhow, and finds it taken`] : []
    })
  }

  private get extraTest() {
    const extra = this.valuesOf('DNSStubListenerExtra').filter((line) => line !== '')
    return extra.length > 0 ? addressTest(daemon, extra.map(listenerAddress)) : undefined
  }

  private get names(): readonly SettingName[] {
    return Object.keys(this.settings) as SettingName[]
  }

  private valuesOf(name: SettingName): readonly string[] {
    const parsed = settingLines(name, this.settings[name])
    return isProblem(parsed) ? [] : parsed
  }

  private get path(): string {
    return `${folder}/${this.id}.conf`
  }

  private get file(): Resource<FileState> {
    return fileAt(this.path)
  }

  private get text(): string {
    const settings = this.names.flatMap((name) => this.valuesOf(name).map((value) => `${name}=${value}`))
    return ['# Managed by fleetplay: changes made here are overwritten.', '[Resolve]', ...settings, ''].join('\n')
  }
}

const directory: FileState = { type: 'directory', mode: '0755', owner: 'root', group: 'root' }

/** A line that says a setting. */
export interface ResolvedLine {
  readonly file: string
  readonly name: string
  readonly value: string
}

/** What the drop-ins of systemd-resolved say, in the order in which they are read. */
export const resolvedLines: Resource<readonly ResolvedLine[]> = {
  key: 'resolved.conf.d:all',
  label: 'resolved.conf.d',
  read: layeredLines('systemd/resolved.conf.d').map((lines) =>
    lines.flatMap(({ file, line }) => {
      const [, name, value] = /^\s*([A-Za-z]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
      return name === undefined ? [] : [{ file, name, value: value! }]
    }),
  ),
  show: (lines) => `${lines.length} settings`,
  fresh: [],
}

/** Where programs are sent for names. On a mock host it is the link that Debian's package makes. */
export const resolvConf: Resource<FileState> = {
  ...fileAt('/etc/resolv.conf'),
  fresh: { type: 'link', target: '../run/systemd/resolve/stub-resolv.conf' },
}

function leadsToStub(conf: FileState): boolean {
  if (conf.type === 'link') return conf.target.endsWith('/run/systemd/resolve/stub-resolv.conf')
  const text = conf.type === 'file' && 'text' in conf.content ? conf.content.text : ''
  return /^\s*nameserver\s+127\.0\.0\.5[34]\s*$/m.test(text)
}
