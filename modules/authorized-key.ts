/** Public keys with which somebody may log in as a user: lines of ~/.ssh/authorized_keys. */

import { type Resource, want, type Wish } from '../dsl/resource.ts'
import { note, type Reading, Task, type Verdict } from '../dsl/task.ts'
import { isProblem } from '../dsl/variable.ts'
import { accountName } from './accounts.ts'
import { type KeysState, keysOf, writeKeys } from './authorized-keys-file.ts'
import { keyLine, readKey, sameKey } from './public-key.ts'

/** Keys of a user of which nothing is said yet. */
export interface AuthorizedKeyStart {
  /** This key may log in. A line of the same key with other options is replaced; one with another comment only stays as it is. */
  add(key: string): AuthorizedKey
  /** This key may not log in. Options and comment of the line do not count. */
  remove(key: string): AuthorizedKey
  /** These keys may log in and no others: the whole file is these lines. None at all: `only()`. */
  only(...keys: readonly string[]): AuthorizedKey
}

/**
 * Public keys with which somebody may log in as a user of the host, in `~/.ssh/authorized_keys`. A key is a line as it stands in
 * a `.pub` file; options may stand before it. Lines of others, and comments, stay as they are.
 *
 * The file is made `0600` and its directory `0700`; a file or directory that is there keeps its mode, unless others could write it
 * (sshd would ignore such a file). Both are written with the rights of the user, so that no link in a home leads the superuser
 * elsewhere.
 *
 * A key that is not whole, of another type than it says, and a private key are told before any connection; the text itself
 * is never printed. An account that does not exist is refused in the plan, unless an earlier `user()` makes it.
 *
 * @example
 * authorizedKey('deploy').add('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO5FvbS8JmoKjqsUg2jdqb0tjJiCTJOFNHZ2hRkd0Xzm ci')
 * authorizedKey('backup').only('from="10.0.3.7",command="/usr/local/bin/dump" ssh-ed25519 AAAA… backup')
 * @see sshd(8), AUTHORIZED_KEYS FILE FORMAT
 */
export function authorizedKey(user: string): AuthorizedKeyStart {
  return new AuthorizedKey(user)
}

export class AuthorizedKey extends Task implements AuthorizedKeyStart {
  readonly module = 'authorizedKey'
  readonly id: string
  readonly added: readonly string[] = []
  readonly removed: readonly string[] = []
  readonly all: readonly string[] | undefined

  /** @internal Made by `authorizedKey()`. */
  constructor(user: string) {
    super()
    this.id = user
    this.all = undefined
    const parsed = accountName(user)
    if (isProblem(parsed)) return this.wrong(`authorizedKey: ${parsed.problem}`)
  }

  add(key: string): AuthorizedKey {
    return this.says([key], (added) => ({ added: [...this.added, ...added] }))
  }

  remove(key: string): AuthorizedKey {
    return this.says([key], (removed) => ({ removed: [...this.removed, ...removed] }))
  }

  only(...keys: readonly string[]): AuthorizedKey {
    return this.says(keys, (all) => ({ all: [...(this.all ?? []), ...all] }))
  }

  override get unfinished() {
    const says = this.all || this.added.length > 0 || this.removed.length > 0 || this.problems.length > 0
    return says ? undefined : `authorizedKey ${this.id} says no key: add(), remove() or only()`
  }

  get wishes(): readonly Wish[] {
    return [want(authorizedKeys(this.id), (now) => this.toBe(now), { whole: this.all })]
  }

  override judge({ now, desired, changes }: Reading): readonly Verdict[] {
    const place = authorizedKeys(this.id)
    const wasKeys = now(place)?.lines.filter(readKey).length ?? 0
    const none = changes(place) && wasKeys > 0 && !desired(place)?.lines.some(readKey)
    return none ? [note(`Nobody can log in as ${this.id} by a key any more.`)] : []
  }

  private toBe(now: KeysState | null): KeysState | null {
    const had = now?.lines ?? []
    const lines =
      this.all ??
      this.added.reduce(
        withKey,
        had.filter((line) => !this.removed.some((key) => isSame(line, key))),
      )
    if (now === null) return lines.length > 0 ? { lines, mode: '0600', directory: '0700' } : null
    return { lines, mode: closed(now.mode, '0600'), directory: closed(now.directory, '0700') }
  }

  private says(keys: readonly string[], fields: (lines: readonly string[]) => Partial<AuthorizedKey>): AuthorizedKey {
    const parsed = keys.map(keyLine)
    const problem = parsed.find(isProblem)
    if (problem) return this.wrong(`authorizedKey ${this.id}: ${problem.problem}`)
    const next = this.with<AuthorizedKey>(fields(parsed as readonly string[]))
    return contradiction(this) ? next : next.wrong(contradiction(next))
  }
}

function contradiction({ id, added, removed, all }: AuthorizedKey): string | undefined {
  if (all && (added.length > 0 || removed.length > 0)) {
    return `authorizedKey ${id}: only() says all keys, so nothing is added or removed beside it`
  }
  const both = added.some((a) => removed.some((b) => isSame(a, b)))
  return both ? `authorizedKey ${id}: one key is added and removed` : undefined
}

/** The lines of a user's ~/.ssh/authorized_keys; null where there is no such file. */
export function authorizedKeys(user: string): Resource<KeysState | null> {
  return {
    key: `authorized-keys:${user}`,
    label: `authorized_keys of ${user}`,
    read: keysOf(user),
    write: (to, from) => writeKeys(user, to, from),
    show: (value) => (value ? `${count(value.lines)} ${value.mode}` : 'absent'),
    text: (value) => value?.lines.map((line) => `${line}\n`).join(''),
    fresh: null,
  }
}

/** The lines with a key in them: in the place of the first line of that key, or at the end. sshd takes the first line that fits. */
function withKey(lines: readonly string[], ours: string): readonly string[] {
  const first = lines.findIndex((line) => isSame(line, ours))
  if (first < 0) return [...lines, ours]
  const kept = readKey(lines[first]!)!.options === readKey(ours)!.options ? lines[first]! : ours
  return lines.flatMap((line, i) => (i === first ? [kept] : isSame(line, ours) ? [] : [line]))
}

function isSame(a: string, b: string): boolean {
  const [first, second] = [readKey(a), readKey(b)]
  return first !== undefined && second !== undefined && sameKey(first, second)
}

/** A mode that nobody else can write by, or the usual one. */
function closed(mode: string, usual: string): string {
  return (Number.parseInt(mode, 8) & 0o022) === 0 ? mode : usual
}

function count(lines: readonly string[]): string {
  const keys = lines.filter(readKey).length
  return `${keys} ${keys === 1 ? 'key' : 'keys'}`
}
