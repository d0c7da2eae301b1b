/** Accounts: there, with a shell, a home and groups, or not there. */

import { pathProblem } from '../dsl/host-path.ts'
import { type knownAfterApply as Known, knownAfterApply } from '../dsl/known-after.ts'
import { look, type Resource, want, type Wish } from '../dsl/resource.ts'
import { irreversible, note, type Reading, refuse, Task, type Verdict } from '../dsl/task.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import { accountName, accountNumber, accounts, type Accounts } from './accounts.ts'
import { baseUsers } from './base-accounts.ts'
import { groupDetails, localGroup } from './group.ts'
import { moveUser, type Making } from './user-write.ts'

/** An account of a host. */
export interface UserState {
  readonly uid: number | typeof Known
  /** Primary group: its name, or its number where it has none. */
  readonly group: string
  /** Supplementary groups, sorted. */
  readonly groups: readonly string[]
  readonly home: string
  readonly shell: string
  /** The name of the person, or what the account is for (the GECOS field). */
  readonly comment: string
}

/**
 * An account of the host itself, in /etc/passwd; accounts of LDAP and the like are not seen. What is not said of one that is
 * there stays as it is. A new one has a group of its own name, the home `/home/NAME` (made from /etc/skel) and the shell `/bin/sh`.
 * It has no password, so that nobody can log in until it has a key: `authorizedKey()`.
 *
 * Names that useradd would not take on every Debian, and a comment with a colon or a newline, are told before any connection.
 * A group that does not exist is refused in the plan. A uid or a home of somebody who is logged in cannot be changed, and an
 * account that runs something cannot be removed: that fails in the words of usermod and userdel.
 *
 * @example
 * user('deploy').groups('sudo').shell('/bin/bash').comment('Deployment')
 * user('exporter').system()
 * @see useradd(8), usermod(8), userdel(8)
 */
export function user(name: string): User {
  return new User(name)
}

export class User extends Task {
  readonly module = 'user'
  readonly id: string
  readonly fields: Partial<Pick<UserState, 'uid' | 'group' | 'home' | 'shell' | 'comment'>> = {}
  readonly among: readonly string[] | undefined
  readonly exactly: readonly string[] | undefined
  readonly isSystem: boolean = false
  readonly removal: 'none' | 'account' | 'account and home' = 'none'

  /** @internal Made by `user()`. */
  constructor(name: string) {
    super()
    this.id = name
    this.among = undefined
    this.exactly = undefined
    const parsed = accountName(name)
    if (isProblem(parsed)) return this.wrong(`user: ${parsed.problem}`)
  }

  /** Its number. Files in its home are given to the new number, others keep the old one. */
  uid(number: number): User {
    const parsed = accountNumber(number)
    return isProblem(parsed) ? this.wrong(`user ${this.id}: ${parsed.problem}`) : this.field({ uid: parsed })
  }

  /** Its primary group. @default a group of its own name */
  group(primary: string): User {
    return this.field({ group: primary }).naming([primary])
  }

  /** Supplementary groups that it is in. Others, that it is in now, stay. */
  groups(...names: readonly string[]): User {
    return this.says({ among: sorted([...(this.among ?? []), ...names]) }).naming(names)
  }

  /** The supplementary groups that it is in, and no others. None at all: `onlyGroups()`. */
  onlyGroups(...names: readonly string[]): User {
    return this.says({ exactly: sorted(names) }).naming(names)
  }

  /** Its home. Where the account has another, what is in that stays there. @default /home/NAME */
  home(path: string): User {
    const problem =
      pathProblem(path) ??
      (path.includes(':') || path.includes('\n') ? 'a home has no colon and no newline' : undefined)
    return problem ? this.wrong(`user ${this.id}: ${problem}`) : this.field({ home: path })
  }

  /** Its shell, an absolute path. @default /bin/sh, or /usr/sbin/nologin for a new account of the system */
  shell(path: string): User {
    const problem =
      pathProblem(path) ??
      (path.includes(':') || path.includes('\n') ? 'a shell has no colon and no newline' : undefined)
    return problem ? this.wrong(`user ${this.id}: ${problem}`) : this.field({ shell: path })
  }

  /** The name of the person, or what the account is for. */
  comment(text: string): User {
    // oxlint-disable-next-line no-control-regex -- they would end a field or a line of /etc/passwd
    const wrong = /[:\u0000-\u001f]/.test(text) ? `user ${this.id}: a comment has no colon and no newline` : undefined
    return wrong ? this.wrong(wrong) : this.field({ comment: text })
  }

  /** Where it is new: a number below 1000, the shell /usr/sbin/nologin, and no home is made (`/nonexistent`, if none is said). */
  system(): User {
    return this.says({ isSystem: true })
  }

  /**
   * No such account. Its home stays, with `{ home: true }` it goes too, and that cannot be turned round.
   *
   * @example
   * user('olduser').absent({ home: true })
   */
  absent({ home = false }: { readonly home?: boolean } = {}): User {
    return this.says({ removal: home ? 'account and home' : 'account' })
  }

  get wishes(): readonly Wish[] {
    const place = account(this.id, { system: this.isSystem, home: this.removal === 'account and home' })
    if (this.removal !== 'none') return [want(place, (now) => this.toBeGone(now), { whole: 'absent' })]
    const groups = this.groupsToBe.flatMap((name) => [look(localGroup(name)), look(groupDetails(name))])
    return [...groups, want(place, (now) => this.toBe(now))]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const place = account(this.id)
    const was = reading.now(place)
    if (!reading.changes(place)) return []
    if (this.removal === 'account')
      return [note(`A password of ${this.id} is not kept; files of it in ${was?.home} stay.`)]
    if (this.removal !== 'none') return [irreversible(`The home of ${this.id} is removed: ${was?.home}.`)]
    const missing = this.groupsToBe.flatMap((name) => missingGroup(name, reading))
    const moved = was && this.fields.home !== undefined && was.home !== this.fields.home
    return [...missing, ...(moved ? [note(`What is in ${was.home} stays there.`)] : [])]
  }

  /** Groups that must exist before. */
  private get groupsToBe(): readonly string[] {
    const { group } = this.fields
    return sorted([...(group === undefined || group === this.id ? [] : [group]), ...(this.exactly ?? this.among ?? [])])
  }

  private toBe(now: UserState | null): UserState {
    const base = now ?? this.whereNew
    const next = { ...base, ...this.fields }
    const groups = this.exactly ?? sorted([...next.groups, ...(this.among ?? [])])
    return { ...next, groups: groups.filter((name) => name !== next.group) }
  }

  private get whereNew(): UserState {
    const [home, shell] = this.isSystem ? ['/nonexistent', '/usr/sbin/nologin'] : [`/home/${this.id}`, '/bin/sh']
    return { uid: knownAfterApply, group: this.id, groups: [], home, shell, comment: '' }
  }

  private toBeGone(now: UserState | null): null {
    const vital =
      /^\/(?:bin|boot|dev|etc|home|lib\w*|proc|root|run|sbin|srv|sys|tmp|usr|var|usr\/.*|var\/(?:www|lib|log|mail|cache|spool|backups))?$/
    if (now && this.removal === 'account and home' && vital.test(now.home)) {
      throw new Failure('E_REFUSED', `The home of ${this.id} is ${now.home}, which is not its alone.`, {
        hint: 'Leave the home: .absent()',
      })
    }
    return null
  }

  private field(fields: User['fields']): User {
    return this.says({ fields: { ...this.fields, ...fields } })
  }

  private naming(names: readonly string[]): User {
    const problem = names.map(accountName).find(isProblem)
    return this.wrong(problem && `user ${this.id}: group ${problem.problem}`)
  }

  private says(fields: Partial<User>): User {
    const next = this.with<User>(fields)
    return contradiction(this) ? next : next.wrong(contradiction(next))
  }
}

function contradiction({ id, removal, isSystem, among, exactly, fields }: User): string | undefined {
  if (among && exactly) return `user ${id}: groups() adds to what there is, onlyGroups() says all; take one`
  const says = isSystem || among || exactly || Object.keys(fields).length > 0
  return removal !== 'none' && says ? `user ${id} cannot be absent and have a shell, home, number or groups` : undefined
}

/** An account in /etc/passwd; null where there is none of the name. */
export function account(name: string, making: Making = {}): Resource<UserState | null> {
  return {
    key: `user:${name}`,
    label: `user ${name}`,
    read: accounts.map((all) => userState(name, all)),
    write: (to, from) => moveUser(name, to, from, making),
    show: (value) => (value ? showUser(value) : 'absent'),
    fresh: baseUsers.get(name) ?? null,
  }
}

function userState(name: string, { users, groups }: Accounts): UserState | null {
  const entry = users.get(name)
  if (!entry) return null
  const { uid, gid, home, shell, comment } = entry
  const primary = [...groups].find(([, group]) => group.gid === gid)?.[0] ?? String(gid)
  const member = [...groups].flatMap(([group, { members }]) =>
    group !== primary && members.includes(name) ? [group] : [],
  )
  return { uid, group: primary, groups: sorted(member), home, shell, comment }
}

function showUser({ uid, group, groups, home, shell, comment }: UserState): string {
  const rest = [...(groups.length > 0 ? [`in ${groups.join(' ')}`] : []), `home ${home}`, `shell ${shell || '(none)'}`]
  return [`uid ${uid}`, `group ${group}`, ...rest, ...(comment ? [JSON.stringify(comment)] : [])].join(', ')
}

function missingGroup(name: string, { now, certain }: Reading): readonly Verdict[] {
  const place = localGroup(name)
  if (now(place) !== null || !certain(place)) return []
  const close = now(groupDetails(name)).nearest
  return [
    refuse(
      `There is no group ${name} on this host.`,
      close ? `Did you mean ${close}?` : `Make it before: group('${name}')`,
    ),
  ]
}

/** Each name once, in the order in which they are compared. */
function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort()
}
