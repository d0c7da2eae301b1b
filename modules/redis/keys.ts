/** Keys of Redis that are declared: texts, hashes and sorted sets, and how long they live. */

import { want, type Wish } from '../../dsl/resource.ts'
import { irreversible, type Reading, Task, type Verdict } from '../../dsl/task.ts'
import { type Duration, micros } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { claim } from './claim.ts'
import { type Endpoint, endpointName, endpointProblem, localRedis } from './endpoint.ts'
import {
  type Expiry,
  type KeyState,
  type Lifetime,
  type RedisBytes,
  redisKeySet,
  sortedByBytes,
  tellBytes,
  tellKey,
} from './key-set.ts'

/** A text, a number as Redis would have it as a text, or any bytes. */
export type RedisValue = string | number | Uint8Array

export interface KeyOptions {
  /** How long it lives after it was written; for ever without it. At least 10s, so that it is still there when it is read again. */
  readonly ttl?: Duration
  /** Less than this left, and it is written anew. @default never: it is, when it is gone */
  readonly renewBelow?: Duration
}

/** Keys of which none is declared yet. */
export interface RedisKeysStart {
  /** A key with a text. */
  string(key: string, value: RedisValue, options?: KeyOptions): RedisKeys
  /** A key with a hash of these fields and no others. */
  hash(key: string, fields: Readonly<Record<string, RedisValue>>, options?: KeyOptions): RedisKeys
  /** A key with a sorted set of these members and no others, each with its score. */
  sortedSet(key: string, members: Readonly<Record<string, number>>, options?: KeyOptions): RedisKeys
  /** No such key, whatever it holds. */
  absent(key: string): RedisKeys
  /** The server, by the name or address by which the host knows it. @default 127.0.0.1 */
  host(name: string): RedisKeysStart
  /** The port of the server. @default 6379 */
  port(port: number): RedisKeysStart
  /** The Unix socket of the server, instead of a host and a port. */
  socket(path: string): RedisKeysStart
  /** The number of the database. @default 0 */
  database(number: number): RedisKeysStart
  /** The user of the server's ACL who logs in. @default the default user */
  user(name: string): RedisKeysStart
  /**
   * A file on the host that holds the password, and nothing else. The client reads it there: the password is in no argument,
   * no environment and no output. A wrong one is an error, as is a file that everybody may read; nothing is asked or written
   * then.
   */
  passwordFile(path: string): RedisKeysStart
}

/**
 * Keys of a Redis server, declared under a name. All of them, and those of every other task on the same server, are read in one
 * pipeline, and what differs is written in one: fifteen keys cost two round trips, however far the server is. (A third one
 * reads again what was written.)
 *
 * A key is owned whole: fields and members that are not declared go, and so does the time of one that is declared without.
 * Values are bytes: `''`, `0` and a field that is not there are three things. A score is a double: `0.1` is what a server tells as
 * `0.10000000000000001`; `Infinity` is one. A time that runs down is as declared until it has run out; what is written has its
 * whole time before it again. Counters that an application moves are not to be declared. What a play declares is shown in plans and
 * diffs, but for keys and fields that are named like a secret: `smtp:password`, `api_key`.
 *
 * The differences are one transaction, so that no reader sees a half. Where a command of it fails all the same (a key has become
 * of another type since it was read), Redis has done the others: the task fails with the words of each that did not, and the next
 * run does the rest. A key that is now a list, a set or a stream is replaced, and the plan says that this cannot be turned round.
 *
 * @example
 * redisKeys('coaching')
 *   .string('site:timezone', 'Europe/Rome')
 *   .hash('rate:limits', { login: 5, checkout: 20 })
 *   .sortedSet('coaches', { anna: 1.5, bruno: 2 })
 *   .string('maintenance', 'until noon', { ttl: '4h' })
 *   .absent('legacy:sessions')
 * redisKeys('limits').host('cache1').passwordFile('/root/.redis-password').hash('rate:limits', { login: 5 })
 * @see https://redis.io/docs/latest/develop/use/pipelining/
 */
export function redisKeys(name: string): RedisKeysStart {
  return new RedisKeys(name)
}

interface Declared {
  readonly key: string
  readonly state: KeyState
  readonly lifetime: Lifetime | undefined
}

/** Milliseconds below which a key might be gone before it is read again. */
const shortest = 10_000

export class RedisKeys extends Task implements RedisKeysStart {
  readonly module = 'redisKeys'
  readonly id: string
  readonly declared: readonly Declared[] = []
  readonly endpoint: Endpoint = localRedis

  /** @internal Made by `redisKeys()`. */
  constructor(name: string) {
    super()
    this.id = name
    // oxlint-disable-next-line no-control-regex -- a name stands in reports
    if (name === '' || name.length > 100 || /[\u0000-\u001f\u007f]/.test(name))
      return this.wrong(`redisKeys(${JSON.stringify(name)}): not a name of a few words`)
  }

  string(key: string, value: RedisValue, options: KeyOptions = {}): RedisKeys {
    const bytes = bytesIn(value)
    if (bytes === undefined) return this.wrongly(key, `${String(value)} is not a value`)
    return this.declare(key, options, (expires) => ({ type: 'string', value: bytes, expires }))
  }

  hash(key: string, fields: Readonly<Record<string, RedisValue>>, options: KeyOptions = {}): RedisKeys {
    const pairs = Object.entries(fields).map(([field, value]) => [bytesIn(field)!, bytesIn(value)] as const)
    if (pairs.length === 0) return this.wrongly(key, 'a hash without a field is no key', `.absent('${key}') says that`)
    const wrong = pairs.find(([, value]) => value === undefined)
    if (wrong) return this.wrongly(key, `the field ${JSON.stringify(wrong[0])} has no value`)
    const sorted = sortedByBytes(pairs as readonly (readonly [RedisBytes, RedisBytes])[])
    return this.declare(key, options, (expires) => ({ type: 'hash', fields: sorted, expires }))
  }

  sortedSet(key: string, members: Readonly<Record<string, number>>, options: KeyOptions = {}): RedisKeys {
    const scores = Object.entries(members)
    if (scores.length === 0) return this.wrongly(key, 'a set without a member is no key', `.absent('${key}') says that`)
    const wrong = scores.find(([, score]) => typeof score !== 'number' || Number.isNaN(score))
    if (wrong) return this.wrongly(key, `${String(wrong[1])} is not a score of ${JSON.stringify(wrong[0])}`)
    const sorted = sortedByBytes(
      scores.map(([member, score]) => {
        // A score of -0 is told as one of 0 by some servers; JSON has no infinity.
        const told = Number.isFinite(score) ? score + 0 : score > 0 ? ('inf' as const) : ('-inf' as const)
        return [bytesIn(member)!, told]
      }),
    )
    return this.declare(key, options, (expires) => ({ type: 'sortedSet', members: sorted, expires }))
  }

  absent(key: string): RedisKeys {
    return this.declare(key, {}, () => null)
  }

  host(name: string): RedisKeys {
    return this.reached({ at: name })
  }

  port(port: number): RedisKeys {
    return this.reached({ port })
  }

  socket(path: string): RedisKeys {
    return this.reached({ at: path }).wrong(
      path.startsWith('/') ? undefined : `redisKeys ${this.id}: the path ${JSON.stringify(path)} must be absolute`,
    )
  }

  database(number: number): RedisKeys {
    return this.reached({ database: number })
  }

  user(name: string): RedisKeys {
    return this.reached({ user: name })
  }

  passwordFile(path: string): RedisKeys {
    return this.reached({ passwordFile: path })
  }

  override get unfinished() {
    const says = this.declared.length > 0 || this.problems.length > 0
    return says ? undefined : `redisKeys ${this.id} declares nothing: .string(), .hash(), .sortedSet() or .absent()`
  }

  get wishes(): readonly Wish[] {
    const server = endpointName(this.endpoint)
    const claims = this.declared.map(({ key, state }) => {
      // The name too: a key that two tasks declare is written by both, be it with one value.
      return claim(
        `redis-key:${server}/${key}`,
        key,
        `${state === null ? 'absent' : tellKey(key, state)} in ${this.id}`,
      )
    })
    const desired = Object.fromEntries(this.declared.map(({ key, state }) => [key, state]))
    return [...claims, want(this.place, desired)]
  }

  override judge({ now }: Reading): readonly Verdict[] {
    const is = now(this.place)
    return this.declared.flatMap(({ key }) => {
      const state = is[key]
      return state?.type === 'other' ? [irreversible(`${key} is a ${state.kind}, of which no copy is kept.`)] : []
    })
  }

  private get place() {
    const lifetimes = new Map(this.declared.map(({ key, lifetime }) => [key, lifetime]))
    return redisKeySet(this.id, lifetimes, this.endpoint)
  }

  private declare(key: string, { ttl, renewBelow }: KeyOptions, state: (expires: Expiry) => KeyState): RedisKeys {
    if (key === '') return this.wrongly(key, 'a key has a name')
    if (this.declared.some((each) => each.key === key)) return this.wrongly(key, 'it is declared twice')
    const [whole, below] = [ttl, renewBelow].map((span) => (span === undefined ? undefined : millis(span)))
    for (const span of [whole, below]) if (isProblem(span)) return this.wrongly(key, span.problem)
    const [life, least = 0] = [whole, below] as readonly (number | undefined)[]
    if (life !== undefined && life < shortest) return this.wrongly(key, `${ttl} is less than ${shortest / 1000} s`)
    if (life === undefined ? below !== undefined : least >= life)
      return this.wrongly(key, `renewBelow ${renewBelow} must be less than its ttl`)
    const lifetime = life === undefined ? undefined : { ttl: life, renewBelow: least }
    const declared = { key, state: state(life === undefined ? null : { within: life }), lifetime }
    return this.with<RedisKeys>({ declared: [...this.declared, declared] })
  }

  private wrongly(key: string, problem: string, hint?: string): RedisKeys {
    return this.wrong(`redisKeys ${this.id}: ${JSON.stringify(key)}: ${problem}`, hint)
  }

  private reached(part: Partial<Endpoint>): RedisKeys {
    const endpoint = { ...this.endpoint, ...part }
    const problem = endpointProblem(endpoint)
    return this.with<RedisKeys>({ endpoint }).wrong(problem && `redisKeys ${this.id}: ${problem}`)
  }
}

/** Undefined for what is none. */
function bytesIn(value: RedisValue): RedisBytes | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined
  if (typeof value === 'string') return tellBytes(Buffer.from(value))
  return value instanceof Uint8Array ? tellBytes(value) : undefined
}

function millis(span: Duration) {
  const result = micros(span)
  if (isProblem(result) || Number.isInteger(result / 1000)) return isProblem(result) ? result : result / 1000
  return { problem: `${span} is finer than a millisecond` }
}
