/** Services of your own: a program that systemd runs, under its own user and within limits, apart from everything else. */

import type { FileState } from '../../probe/file.ts'
import { type Resource, look, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import type { Duration } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { accountName } from '../accounts.ts'
import { directoryAt, fileAt } from '../file.ts'
import { localGroup } from '../group.ts'
import { upTest } from '../unit-control.ts'
import { claimsOf, unit, unitDetails, unitFrom, unitName, type UnitState } from '../unit.ts'
import { account } from '../user.ts'
import { commandLine, programPath } from './command-line.ts'
import { declaredUnit, unitPath } from './declared-unit.ts'
import {
  environmentSettings,
  limitSettings,
  pathValue,
  type RestartPolicy,
  restartSettings,
  type Said,
  sandboxSettings,
  secretName,
  type ServiceLimits,
} from './service-settings.ts'
import { ownedByRoot } from './unit.ts'
import { sectionProblem, type Section, type SettingValue, type Settings, unitFileText } from './unit-file.ts'

/** A service that does not say yet what it runs. */
export interface SystemdServiceStart {
  /**
   * What it runs, in the foreground. A list is a program and its words, each handed on as it is; a text is systemd's own command
   * line, in which `%` and `$` mean something. There is no shell: pipes and `&&` belong into a script.
   */
  runs(command: string | readonly [string, ...string[]]): SystemdService
  /** No such service: it is stopped and disabled, and its file removed. */
  absent(): SystemdService
}

/**
 * A service of your own, `/etc/systemd/system/NAME.service`: enabled, and running as it is declared. Where its unit changes, systemd
 * reads it and what runs is restarted at once, of which the plan tells. What changes beside the unit (the program's own files) needs
 * `.notify(restart('NAME'))` on the task that writes it.
 *
 * Before systemd reads the unit, `systemd-analyze verify` does: a program that is not there and a value that systemd would ignore
 * fail the task. A unit that does not come up is put back: the one before runs on, and where there was none, there is none, nor is
 * it enabled. A service counts as up when its
 * program could be started, and half a second later it is still there; else the task fails with its last lines in the journal.
 *
 * Told before any connection: a name, path, limit or variable that systemd would not take, and a pipe or `&&` in a command. Refused
 * in the plan: a program, a user, a group or a working directory that the host does not have, and a unit that is masked.
 * Everybody on the host can read a unit: passwords belong into a file of `environmentFile()`.
 *
 * @example
 * systemdService('crm-sync')
 *   .runs(['/usr/bin/php', '/srv/crm/worker.php'])
 *   .as('crm')
 *   .restarts('on-failure', { after: '5s' })
 *   .limits({ memoryMax: '256MiB', tasksMax: 64, cpuQuota: '50%', timeoutStart: '30s' })
 *   .hardened()
 * @see systemd.service(5), systemd.exec(5), systemd.resource-control(5)
 */
export function systemdService(name: string): SystemdServiceStart {
  return new SystemdService(name)
}

export class SystemdService extends Task implements SystemdServiceStart {
  readonly module = 'systemdService'
  readonly id: string
  readonly settings: Settings = {}
  readonly variables: Readonly<Record<string, string>> = {}
  /** What `section()` says beside. */
  readonly sections: readonly Section[] = []
  readonly account: { readonly user: string; readonly group: string | undefined } | undefined
  readonly directory: string | undefined
  /** The path of what it runs, where that is certain. */
  readonly program: string | undefined
  readonly isOneshot: boolean = false
  readonly isStopped: boolean = false
  readonly isAbsent: boolean = false

  /** @internal Made by `systemdService()`. */
  constructor(name: string) {
    super()
    const whole = unitName(name)
    this.id = isProblem(whole) ? name : whole
    this.account = undefined
    this.directory = undefined
    this.program = undefined
    if (isProblem(whole)) return this.wrong(whole.problem)
    if (!whole.endsWith('.service')) return this.wrong(`${whole} is not the name of a service`)
    if (whole.endsWith('@.service'))
      return this.wrong(`${whole} is a template, which nothing can run`, 'systemdUnit() writes templates.')
  }

  runs(command: string | readonly [string, ...string[]]): SystemdService {
    const line = commandLine(command)
    const next = this.sets('runs', { ExecStart: line })
    return isProblem(line) ? next : next.says({ program: programPath(command) })
  }

  absent(): SystemdService {
    return this.says({ isAbsent: true })
  }

  /** The user who runs it. @default root */
  as(user: string, group?: string): SystemdService {
    const wrong = [user, ...(group === undefined ? [] : [group])].map(accountName).find(isProblem)
    return this.sets('as', { User: user, ...(group === undefined ? {} : { Group: group }) })
      .says({ account: { user, group } })
      .wrong(wrong && `as: ${wrong.problem}`)
  }

  /**
   * Whether it is started again when it has ended. systemd gives up after five starts within ten seconds, which a pause of `2s` and
   * more never reaches.
   */
  restarts(policy: RestartPolicy, { after }: { readonly after?: Duration } = {}): SystemdService {
    return this.sets('restarts', restartSettings(policy, after))
  }

  /** What it may take of the host. */
  limits(limits: ServiceLimits): SystemdService {
    return this.sets('limits', limitSettings(limits))
  }

  /** Variables of its environment. Everybody on the host can read them, so a name of a password, token or key is refused. */
  environment(variables: Readonly<Record<string, string>>): SystemdService {
    const secret = secretName(variables)
    if (secret !== undefined) {
      const hint = 'Put it into a file of mode 0600 on the host, and name that: environmentFile().'
      return this.wrong(`environment: ${secret} would be readable by everybody on the host`, hint)
    }
    return this.sets('environment', environmentSettings({ ...this.variables, ...variables })).says({
      variables: { ...this.variables, ...variables },
    })
  }

  /** A file on the host with more variables, one `NAME=value` a line. systemd reads it as root, so it may be of mode 0600. */
  environmentFile(path: string): SystemdService {
    return this.sets('environmentFile', { EnvironmentFile: pathValue(path) })
  }

  /** The directory that it runs in. @default / */
  workingDirectory(path: string): SystemdService {
    const value = pathValue(path)
    const next = this.sets('workingDirectory', { WorkingDirectory: value })
    return isProblem(value) ? next : next.says({ directory: path })
  }

  /**
   * What nothing that only computes and talks to others needs is taken away: new privileges, capabilities, devices, namespaces,
   * the home directories and the host's /tmp; the file system can only be read, except what `writes` names.
   *
   * @see systemd.exec(5), SANDBOXING
   */
  hardened({ writes = [] }: { readonly writes?: readonly string[] } = {}): SystemdService {
    return this.sets('hardened', sandboxSettings(writes))
  }

  /**
   * It runs once whenever something starts it, a timer for one, and ends. So it is neither enabled nor started here, and a run
   * that is under way ends as it began.
   */
  oneshot(): SystemdService {
    return this.sets('oneshot', { Type: 'oneshot' }).says({ isOneshot: true })
  }

  /** It is there, but it does not run, and is not started at boot. */
  stopped(): SystemdService {
    return this.says({ isStopped: true })
  }

  /** Settings that have no word here, as they stand in a unit: `section('Unit', { After: 'network-online.target' })`. */
  section(name: string, settings: Settings): SystemdService {
    const before = this.sections.find((section) => section.name === name)
    const section = { name, settings: { ...before?.settings, ...settings } }
    const sections = before ? this.sections.map((s) => (s === before ? section : s)) : [...this.sections, section]
    return this.says({ sections }).wrong(sectionProblem({ name, settings }))
  }

  override get unfinished() {
    const isSaid = this.isAbsent || 'ExecStart' in this.settings || this.problems.length > 0
    return isSaid ? undefined : `systemdService(${JSON.stringify(this.id)}) does not say what it runs: runs()`
  }

  get wishes(): readonly Wish[] {
    if (this.isAbsent)
      return [want(unitFrom(this.id, unitPath(this.id)), null), want<FileState>(this.file, { type: 'absent' })]
    const looks = [look(unitDetails(this.id)), ...this.needed.map(({ place }) => look(place))]
    // It is stopped as the service that it was, and started again as that where this is turned round.
    if (this.rests) {
      const stays = this.isStopped ? [claimsOf(this.id, 'stopped')] : []
      return [...looks, ...stays, want(unit(this.id), resting), want(this.file, ownedByRoot(this.text))]
    }
    const guard = upTest(this.id)
    const up: UnitState = { enabled: 'enabled', active: true }
    return [
      ...looks,
      want(this.file, ownedByRoot(this.text), { guard }),
      want<UnitState | null>(unit(this.id), up, { guard }),
    ]
  }

  override judge({ now, changes, certain }: Reading): readonly Verdict[] {
    if (this.isAbsent) return []
    const place = unit(this.id)
    const missing = this.needed.find(({ place, isThere }) => certain(place) && !isThere(now(place)))
    if (missing) return [refuse(`${missing.name} does not exist on this host.`, missing.hint)]
    const is = now(place)
    if (is?.enabled === 'masked' && certain(place)) {
      return [refuse(`${this.id} is masked: somebody wants that nothing starts it.`, `systemctl unmask ${this.id}`)]
    }
    if (!changes(fileAt(unitPath(this.id)))) return []
    const { fragment } = now(unitDetails(this.id))
    const hides = fragment !== null && fragment !== unitPath(this.id)
    return [
      ...(hides ? [note(`It hides all of ${fragment}; systemdDropIn() changes single settings of it.`)] : []),
      ...(is?.active && !this.rests ? [note(`${this.id} is restarted, since its unit changes.`)] : []),
    ]
  }

  /** It does not run by itself. */
  private get rests(): boolean {
    return this.isOneshot || this.isStopped
  }

  private get file(): Resource<FileState> {
    return declaredUnit(this.id, this.text, { restarts: !this.rests })
  }

  private get text(): string {
    const own: readonly Section[] = [
      { name: 'Unit', settings: { Description: description(this.id) } },
      { name: 'Service', settings: { Type: 'exec', ...this.settings } },
      // Nothing but what starts a oneshot should: without the section, nobody enables it by mistake.
      { name: 'Install', settings: this.isOneshot ? {} : { WantedBy: 'multi-user.target' } },
    ]
    const others = this.sections.filter(({ name }) => !own.some((section) => section.name === name))
    const all = [...own, ...others].map(({ name, settings }) => ({
      name,
      settings: { ...settings, ...this.sections.find((section) => section.name === name)?.settings },
    }))
    return `${header}${unitFileText(all.filter(({ settings }) => Object.keys(settings).length > 0))}`
  }

  /** What the host must have. */
  private get needed(): readonly Needed[] {
    const { user, group } = this.account ?? {}
    return [
      ...(user === undefined
        ? []
        : [needed(`The user ${user}`, account(user), isSome, `Make it in an earlier task: user('${user}')`)]),
      ...(group === undefined
        ? []
        : [needed(`The group ${group}`, localGroup(group), isSome, `Make it in an earlier task: group('${group}')`)]),
      ...(this.directory === undefined
        ? []
        : [
            needed(
              `The working directory ${this.directory}`,
              directoryAt(this.directory),
              ({ type }) => type === 'directory' || type === 'link',
              `Make it in an earlier task: directory('${this.directory}')`,
            ),
          ]),
      ...(this.program === undefined
        ? []
        : [
            needed(
              `The program ${this.program}`,
              programAt(this.program),
              ({ type }) => type !== 'absent',
              'Bring it in an earlier task: aptPackage(…), or file(…) with the mode 0755.',
            ),
          ]),
    ]
  }

  /** Settings of the service; what is wrong with one of them is told of the word that says it. */
  private sets(word: string, said: Said): SystemdService {
    const wrong = Object.values(said).find(isProblem)
    const good = Object.entries(said).filter((entry): entry is [string, SettingValue] => !isProblem(entry[1]))
    const more = Object.fromEntries(good)
    const problem = wrong?.problem ?? sectionProblem({ name: 'Service', settings: more })
    if (problem) return this.wrong(`${word}: ${problem}`)
    return this.says({ settings: { ...this.settings, ...more } })
  }

  private says(fields: Partial<SystemdService>): SystemdService {
    const next = this.with<SystemdService>(fields)
    return contradiction(this) ? next : next.wrong(contradiction(next))
  }
}

const header = '# Managed by fleetplay: changes made here are overwritten.\n'

/** The name, without its suffix where a backslash would be the end of the line. */
function description(id: string): string {
  return id.replace(/(?<!\\)\.service$/, '')
}

/** Neither enabled nor active; a unit that systemd does not know yet is at rest as it is. */
function resting(now: UnitState | null): UnitState | null {
  if (!now) return null
  const isEnabled = ['enabled', 'enabled-runtime', 'linked', 'linked-runtime'].includes(now.enabled)
  return { enabled: isEnabled ? 'disabled' : now.enabled, active: false }
}

function contradiction({ id, settings, sections, isAbsent, isOneshot, isStopped }: SystemdService): string | undefined {
  if (isAbsent && (Object.keys(settings).length > 0 || sections.length > 0 || isStopped))
    return `${id} cannot be absent and be something`
  if (isOneshot && isStopped) return `${id} is a oneshot, which is never running where nothing starts it`
  if (isOneshot && (settings['Restart'] === 'always' || settings['Restart'] === 'on-success'))
    return `${id} is a oneshot, which systemd does not restart when it has ended well`
  if (isOneshot && 'RuntimeMaxSec' in settings)
    return `${id} is a oneshot, for which runtimeMax has no effect: timeoutStart limits it`
  const twice = Object.keys(sections.find(({ name }) => name === 'Service')?.settings ?? {}).find(
    (key) => key in settings,
  )
  return twice === undefined ? undefined : `${id} says ${twice} twice: by section() and by its own word`
}

interface Needed {
  readonly name: string
  readonly place: Resource<unknown>
  readonly isThere: (now: unknown) => boolean
  readonly hint: string
}

function needed<T>(name: string, place: Resource<T>, isThere: (now: T) => boolean, hint: string): Needed {
  return { name, place, isThere, hint } as unknown as Needed
}

function isSome(now: unknown): boolean {
  return now !== null
}

/** A program; on a mock host of which nothing is said it is there. */
function programAt(path: string): Resource<FileState> {
  const content = { text: '' }
  return { ...fileAt(path), fresh: { type: 'file', content, mode: '0755', owner: 'root', group: 'root' } }
}
