/** Groups: there, with a number, or not there. */

import { type knownAfterApply as Known, knownAfterApply } from '../dsl/known-after.ts'
import { look, type Resource, want, type Wish } from '../dsl/resource.ts'
import { irreversible, note, type Reading, refuse, Task, type Verdict } from '../dsl/task.ts'
import { isProblem } from '../dsl/variable.ts'
import { nearest } from '../errors/suggest.ts'
import { type Script, sh } from '../shell/script.ts'
import { accountName, accountNumber, accounts } from './accounts.ts'
import { baseGroups } from './base-accounts.ts'
import { knownNameKey } from './owners.ts'

/** A group. Its members belong to the users: `user('deploy').groups('docker')`. */
export interface GroupState {
  readonly gid: number | typeof Known
}

/**
 * A group of the host itself, in /etc/group; groups of LDAP and the like are not seen. One that is there keeps its number, unless
 * one is said. Who is in it is said of the users: `user('deploy').groups('deployers')`.
 *
 * A name that groupadd would not take on every Debian is told before any connection. A number that another group has is
 * refused in groupadd's own words.
 *
 * @example
 * group('deployers')
 * group('deployers').gid(2000)
 * @see groupadd(8)
 */
export function group(name: string): Group {
  return new Group(name)
}

export class Group extends Task {
  readonly module = 'group'
  readonly id: string
  readonly number: number | undefined
  readonly isSystem: boolean = false
  readonly isAbsent: boolean = false

  /** @internal Made by `group()`. */
  constructor(name: string) {
    super()
    this.id = name
    this.number = undefined
    const parsed = accountName(name)
    if (isProblem(parsed)) return this.wrong(`group: ${parsed.problem}`)
  }

  /** Its number. Files of the group before keep the old one. */
  gid(number: number): Group {
    const parsed = accountNumber(number)
    return isProblem(parsed) ? this.wrong(`group ${this.id}: ${parsed.problem}`) : this.says({ number: parsed })
  }

  /** Where it is new, its number is one of those for the system's own groups (below 1000). */
  system(): Group {
    return this.says({ isSystem: true })
  }

  /** No such group. The primary group of an account is refused in the plan. */
  absent(): Group {
    return this.says({ isAbsent: true })
  }

  get wishes(): readonly Wish[] {
    const place = localGroup(this.id, { system: this.isSystem })
    if (this.isAbsent) return [look(groupDetails(this.id)), want(place, null)]
    const desired = (now: GroupState | null) => ({ gid: this.number ?? now?.gid ?? knownAfterApply })
    return [look(groupDetails(this.id)), want(place, desired, { whole: { gid: this.number ?? 'any' } })]
  }

  override judge({ now, desired, changes, certain }: Reading): readonly Verdict[] {
    const [place, details] = [localGroup(this.id), groupDetails(this.id)]
    const was = now(place)
    if (was === null || !changes(place)) return []
    if (!this.isAbsent) {
      return [
        note(
          `Files of the group ${this.id} keep the number ${was.gid}, which will be nobody's, and not ${desired(place)!.gid}.`,
        ),
      ]
    }
    const { members, primaryOf } = now(details)
    if (primaryOf.length > 0 && certain(details)) {
      return [
        refuse(
          `${this.id} is the primary group of ${primaryOf.join(', ')}.`,
          'Give them another, or remove them first.',
        ),
      ]
    }
    return members.length > 0 ? [irreversible(`Who was in ${this.id} is not kept: ${members.join(', ')}.`)] : []
  }

  private says(fields: Partial<Group>): Group {
    const next = this.with<Group>(fields)
    const both = next.isAbsent && (next.number !== undefined || next.isSystem)
    return next.wrong(both ? `group ${this.id} cannot be absent and have a number` : undefined)
  }
}

/** A group in /etc/group; null where there is none of the name. */
export function localGroup(name: string, { system = false } = {}): Resource<GroupState | null> {
  const gid = baseGroups.get(name)
  return {
    key: `group:${name}`,
    label: `group ${name}`,
    read: accounts.map(({ groups }) => {
      const entry = groups.get(name)
      return entry ? { gid: entry.gid } : null
    }),
    write: (to, from) => moveGroup(name, to, from, system),
    show: (value) => (value ? `gid ${value.gid}` : 'absent'),
    fresh: gid === undefined ? null : { gid },
  }
}

/** What is true of a group beside its state, for judging. */
export interface GroupDetails {
  readonly members: readonly string[]
  /** Accounts that have it as their primary group. */
  readonly primaryOf: readonly string[]
  /** Where there is no such group, the one of this host that was probably meant. */
  readonly nearest: string | null
}

/** What is true of a group beside its state. It can only be looked at. */
export function groupDetails(name: string): Resource<GroupDetails> {
  return {
    key: `group:${name}/details`,
    read: accounts.map(({ users, groups }) => {
      const entry = groups.get(name)
      return {
        members: entry?.members ?? [],
        primaryOf: entry ? [...users].flatMap(([user, { gid }]) => (gid === entry.gid ? [user] : [])).sort() : [],
        nearest: entry ? null : (nearest(name, groups.keys()) ?? null),
      }
    }),
    fresh: { members: [], primaryOf: [], nearest: null },
  }
}

function moveGroup(name: string, to: GroupState | null, from: GroupState | null, system: boolean): Script {
  // Who is in a group that goes is in it no more.
  if (to === null) return sh`groupdel -- ${name}`.touches(`group:${name}/*`, knownNameKey('group', name), 'user:*')
  const number = to.gid === knownAfterApply ? [] : ['-g', String(to.gid)]
  const script = from
    ? sh`groupmod ${number} -- ${name}`
    : sh`groupadd ${[...(system ? ['-r'] : []), ...number]} -- ${name}`
  return script.touches(`group:${name}/*`, knownNameKey('group', name))
}
