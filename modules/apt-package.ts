/** Packages of Debian: installed, at a version or the latest, or not there. */

import { knownAfterApply } from '../dsl/known-after.ts'
import { look, want, type Wish } from '../dsl/resource.ts'
import { irreversible, note, type Reading, refuse, Task, type Verdict } from '../dsl/task.ts'
import { type Duration, seconds } from '../dsl/units.ts'
import { isProblem } from '../dsl/variable.ts'
import { nearest } from '../errors/suggest.ts'
import type { ListsAge } from './apt-answer.ts'
import type { AptRun } from './apt-run.ts'
import { type PackageDetails, packageName, type PackageQuestion } from './apt-state.ts'
import {
  debianPackage,
  isOlder,
  packageDetails,
  packageRemains,
  type PackageState,
  pendingUpgrade,
} from './package-places.ts'

/**
 * Packages of Debian, installed by apt-get: without more words, in whatever version. What is there in another version stays,
 * unless `.version()` or `.latest()` is said. All packages of a task are moved in one run of apt-get, which asks nothing, keeps
 * configuration files that were changed, and waits up to five minutes for another that holds the lock.
 * Turned round, an installation is a removal: what the package wrote beside its own files stays, as do its configuration files.
 *
 * Refused in the plan: a name that apt does not know (with the nearest that it knows), a virtual package (with those that provide
 * it), a version that it does not have, a package on hold, and what apt itself cannot do, in its words. What else it would remove
 * is told. A name that is no package's is told before any connection.
 *
 * @example
 * aptPackage('nginx', 'php8.4-fpm')
 * aptPackage('telnet').absent()
 * @see apt-get(8), dpkg-query(1)
 */
export function aptPackage(...names: readonly string[]): AptPackage {
  return new AptPackage(names)
}

export class AptPackage extends Task {
  readonly module = 'aptPackage'
  readonly id: string
  readonly names: readonly string[]
  readonly mode: 'installed' | 'latest' | 'absent' | 'purged' = 'installed'
  readonly exactly: string | undefined
  readonly maximum: number | undefined
  readonly recommends: boolean = true

  /** @internal Made by `aptPackage()`. */
  constructor(names: readonly string[]) {
    super()
    this.names = [...new Set(names)]
    this.id = this.names.join(' ')
    this.exactly = undefined
    this.maximum = undefined
    const problem = names.map(packageName).find(isProblem)
    if (problem || names.length === 0)
      return this.wrong(`aptPackage: ${problem?.problem ?? 'say at least one package'}`)
  }

  /** Exactly this version, as `apt-cache policy` prints it; a newer one is brought back to it. For one package only. */
  version(version: string): AptPackage {
    const wrong =
      this.names.length > 1
        ? 'version() is for one package; give each a task of its own'
        : /^[A-Za-z0-9.+~:-]+$/.test(version) && /\d/.test(version)
          ? undefined
          : `${JSON.stringify(version)} is not a version such as 1.22.1-9; patterns are not taken`
    return this.says({ exactly: version }).wrong(wrong && `aptPackage ${this.id}: ${wrong}`)
  }

  /**
   * The version that apt would install by its lists of now; with `.refresh()`, by lists that are no older than said.
   *
   * @example
   * aptPackage('ca-certificates').latest().refresh('1d')
   */
  latest(): AptPackage {
    return this.says({ mode: 'latest' })
  }

  /** Not installed. Configuration files stay. */
  absent(): AptPackage {
    return this.says({ mode: 'absent' })
  }

  /** Not installed, and its configuration files gone. That cannot be turned round. */
  purged(): AptPackage {
    return this.says({ mode: 'purged' })
  }

  /**
   * Runs `apt-get update` before something is installed, where the lists of packages are older than this, or older than a file of
   * sources. Without it the lists are taken as they are. With `.latest()`, older lists count as an upgrade that may be pending.
   */
  refresh(age: Duration): AptPackage {
    const limit = seconds(age)
    return isProblem(limit) ? this.wrong(`aptPackage ${this.id}: ${limit.problem}`) : this.says({ maximum: limit })
  }

  /** Installs nothing that is only recommended. */
  withoutRecommends(): AptPackage {
    return this.says({ recommends: false })
  }

  get wishes(): readonly Wish[] {
    const { how } = this
    return this.names.flatMap((name) => {
      const question = this.question(name)
      const place = debianPackage(name, question, how, this.mode === 'purged')
      const details = look(packageDetails(question))
      switch (this.mode) {
        case 'absent':
          return [details, want(place, null, { whole: 'absent' })]
        case 'purged':
          return [details, want(place, null, { whole: 'absent' }), want(packageRemains(name, question, how), null)]
        case 'latest':
          return [
            details,
            want(place, present, { whole: 'installed' }),
            want(pendingUpgrade(name, question, how), null),
          ]
        case 'installed': {
          const version = this.exactly
          if (version === undefined) return [details, want(place, present, { whole: 'installed' })]
          return [details, want(place, { version })]
        }
      }
    })
  }

  override judge(reading: Reading): readonly Verdict[] {
    const places = this.names.map((name) => [name, this.isChanging(name, reading)] as const)
    const changing = places.flatMap(([name, changes]) => (changes ? [name] : []))
    const refusals = changing.flatMap((name) => this.refusals(name, reading))
    const all = changing.map((name) => reading.now(packageDetails(this.question(name))))
    const others = [...new Set(all.flatMap(({ removes }) => removes))]
    const isRemoval = this.mode === 'absent' || this.mode === 'purged'
    const versions = changing.flatMap((name) => {
      const { candidate } = reading.now(packageDetails(this.question(name)))
      return candidate && !isRemoval && this.exactly === undefined ? [`${name} ${candidate}`] : []
    })
    return [
      ...refusals,
      ...(versions.length > 0 && !this.isRefreshed(all[0]!) ? [note(`apt would install ${versions.join(', ')}.`)] : []),
      ...(all[0] && this.isRefreshed(all[0])
        ? [note(`The lists of packages are ${tellAge(all[0].lists!)}, and are refreshed first.`)]
        : []),
      ...(others.length > 0 ? [note(`apt also removes ${others.join(', ')}.`)] : []),
      ...(this.mode === 'purged' && changing.length > 0
        ? [irreversible('Configuration files that are purged are not kept.')]
        : []),
    ]
  }

  private isChanging(name: string, { changes }: Reading): boolean {
    if (changes(debianPackage(name))) return true
    return (
      (this.mode === 'latest' && changes(pendingUpgrade(name))) ||
      (this.mode === 'purged' && changes(packageRemains(name)))
    )
  }

  /** Nothing is refused that an earlier task may yet bring. */
  private refusals(name: string, { now, certain }: Reading): readonly Verdict[] {
    const place = packageDetails(this.question(name))
    const details = now(place)
    if (!certain(place)) return []
    if (details.isHeld) return [refuse(`${name} is on hold.`, `Let it go on the host: apt-mark unhold ${name}`)]
    if (details.known === 'virtual') {
      const hint =
        details.providers.length > 0 ? `Name one that provides it: ${details.providers.join(', ')}` : undefined
      return [
        refuse(
          details.providers.length > 0 ? `${name} is a virtual package.` : `apt has no version of ${name} to install.`,
          hint,
        ),
      ]
    }
    if (this.isRefreshed(details)) return []
    if (details.known === 'no') return [this.unknown(name, details)]
    if (this.exactly !== undefined && details.known === 'yes' && !details.versions.includes(this.exactly)) {
      return [refuse(`apt has no version ${this.exactly} of ${name}.`, `It has ${details.versions.join(', ')}.`)]
    }
    if (details.problem === null) return []
    const said = details.problem.split('\n')
    return [
      refuse(`apt cannot do it: ${said.at(-1)!.replace(/^E: /, '')}`, said.length > 1 ? details.problem : undefined),
    ]
  }

  private unknown(name: string, { alike, lists }: PackageDetails): Verdict {
    const close = nearest(name, alike)
    const reason =
      lists === 'none' ? 'This host has no lists of packages.' : `apt knows no package ${name} on this host.`
    if (close) return refuse(reason, `Did you mean ${close}?`)
    if (this.maximum !== undefined)
      return refuse(reason, `Its lists of packages are ${tellAge(lists!)}, and so they are not refreshed.`)
    return refuse(
      reason,
      lists === 'none'
        ? "Let apt fetch them: .refresh('1d')"
        : `Its lists are ${tellAge(lists!)}; .refresh('1d') fetches new ones.`,
    )
  }

  /** Whether the lists of now are not those by which it will be installed. */
  private isRefreshed({ lists }: PackageDetails): boolean {
    return this.maximum !== undefined && lists !== null && isOlder(lists, this.maximum)
  }

  private question(name: string): PackageQuestion {
    const wish = this.mode === 'purged' ? 'absent' : this.mode
    return this.exactly === undefined ? { name, wish } : { name, wish, version: this.exactly }
  }

  private get how(): AptRun {
    return { names: this.names, recommends: this.recommends, refresh: this.maximum }
  }

  private says(fields: Partial<AptPackage>): AptPackage {
    const before = [this.exactly, ...(this.mode === 'installed' ? [] : [this.mode])].filter(
      (said) => said !== undefined,
    )
    const said = [fields.exactly, fields.mode].filter((one) => one !== undefined)
    const twice = said.some((one) => before.length > 0 && !before.includes(one))
    return this.with<AptPackage>(fields).wrong(
      twice ? `aptPackage ${this.id}: of version(), latest(), absent() and purged() one can be said` : undefined,
    )
  }
}

function present(now: PackageState): PackageState {
  return now && now.state === undefined ? now : { version: knownAfterApply }
}

function tellAge(lists: ListsAge): string {
  if (lists === 'none') return 'missing'
  if (typeof lists === 'string') return lists
  if (lists < 60) return 'less than a minute old'
  const [amount, unit] =
    lists < 5400 ? [lists / 60, 'minutes'] : lists < 129_600 ? [lists / 3600, 'hours'] : [lists / 86_400, 'days']
  return `${Math.round(amount)} ${unit} old`
}
