/** Places of a package: itself, its configuration files, the upgrade that is pending, and what apt knows of it. */

import { knownAfterApply } from '../dsl/known-after.ts'
import type { Resource } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import type { ListsAge } from './apt-answer.ts'
import { type AptRun, installMissing, installVersion, remove, upgrade } from './apt-run.ts'
import { type InstalledPackage, type PackageDetails, type PackageQuestion, packageRecord } from './apt-state.ts'

/** What dpkg has of a package; null where it is not installed. The version of a new one is known after apply. */
export type PackageState = InstalledPackage | null

/** What dpkg has of a package; null where it is not installed. */
export function debianPackage(
  name: string,
  question: PackageQuestion = { name, wish: 'nothing' },
  how: AptRun = { names: [name], recommends: true, refresh: undefined },
  purge = false,
): Resource<PackageState> {
  return {
    key: `package:${name}`,
    read: packageRecord(question).map(({ state }) => state),
    write: (to) => {
      if (to === null) return remove(name, question.wish === 'absent' ? how.names : [name], purge)
      return to.version === knownAfterApply ? installMissing(name, how) : installVersion(name, to.version, how)
    },
    show: (value) => (value ? [value.version, ...(value.state ? [`(${value.state})`] : [])].join(' ') : 'absent'),
    fresh: null,
  }
}

/** The version of a removed package whose configuration files are still there; null where there are none. */
export function packageRemains(
  name: string,
  question: PackageQuestion = { name, wish: 'nothing' },
  how?: AptRun,
): Resource<string | null> {
  return {
    key: `package:${name}/remains`,
    label: `configuration files of ${name}`,
    read: packageRecord(question).map(({ remains }) => remains),
    write: (to) => {
      if (to !== null)
        throw new Failure('E_REFUSED', `Configuration files of ${name} were purged, and cannot be brought back.`)
      return remove(name, how?.names ?? [name], true)
    },
    show: (value) => (value ? `of ${value}` : 'none'),
    fresh: null,
  }
}

/** An upgrade that apt has ready. */
export interface PendingUpgrade {
  readonly installed: string
  /** The newer version; null where the lists are too old to tell. */
  readonly candidate: string | null
}

/** The upgrade that apt has ready for an installed package; null where there is none. */
export function pendingUpgrade(
  name: string,
  question: PackageQuestion = { name, wish: 'latest' },
  how: AptRun = { names: [name], recommends: true, refresh: undefined },
): Resource<PendingUpgrade | null> {
  return {
    key: `package:${name}/upgrade`,
    label: `upgrade of ${name}`,
    read: packageRecord(question).map(({ state, details: { candidate, lists } }) => {
      if (state === null || state.state !== undefined) return null
      if (how.refresh !== undefined && lists !== null && isOlder(lists, how.refresh))
        return { installed: state.version, candidate: null }
      return candidate === null || candidate === state.version ? null : { installed: state.version, candidate }
    }),
    write: (to) =>
      to === null ? upgrade(name, how) : installVersion(name, to.installed, { ...how, refresh: undefined }),
    show: (value) =>
      value ? `${value.installed} → ${value.candidate ?? 'perhaps a newer one'} pending` : 'none pending',
    fresh: null,
  }
}

/** What apt would do and knows of a package. It can only be looked at. */
export function packageDetails(question: PackageQuestion): Resource<PackageDetails> {
  return {
    key: `package:${question.name}/${question.version ?? question.wish}`,
    read: packageRecord(question).map(({ details }) => details),
    fresh: {
      isHeld: false,
      known: 'unasked',
      candidate: null,
      versions: [],
      providers: [],
      alike: [],
      lists: null,
      removes: [],
      problem: null,
    },
  }
}

/** Whether lists are older than so many seconds. Those that are not there, or do not fit the sources, are. */
export function isOlder(lists: ListsAge, limit: number): boolean {
  return typeof lists !== 'number' || lists > limit
}
