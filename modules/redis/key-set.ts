/** Keys of a Redis server, and what they hold: read in one pipeline, and written in one pipeline of differences. */

import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { covered, namesSecret } from '../../shell/secret-text.ts'
import { redisCommands, redisReplies, refusedBy } from './client.ts'
import { type Endpoint, endpointName } from './endpoint.ts'
import { type Command, isError, type Reply, textOf } from './resp.ts'

/** Any bytes: a text where they are UTF-8, else in base64. */
export type RedisBytes = string | { readonly base64: string }

/** JSON has no infinity. */
export type Score = number | 'inf' | '-inf'

export type Expiry =
  /** Never. */
  | null
  /** As declared: so many milliseconds after it was written, of which some are left. */
  | { readonly within: number }
  /** In milliseconds since 1970, where that is not as declared. */
  | { readonly at: number }

/** What a key holds; `null` where there is no such key. */
export type KeyState =
  | null
  | { readonly type: 'string'; readonly value: RedisBytes; readonly expires: Expiry }
  /** Sorted by the bytes of the fields. */
  | { readonly type: 'hash'; readonly fields: readonly (readonly [RedisBytes, RedisBytes])[]; readonly expires: Expiry }
  /** Sorted by the bytes of the members. */
  | {
      readonly type: 'sortedSet'
      readonly members: readonly (readonly [RedisBytes, Score])[]
      readonly expires: Expiry
    }
  /** A list, a set, a stream: what is in it is not read. */
  | { readonly type: 'other'; readonly kind: string; readonly expires: Expiry }

export type KeySet = { readonly [key: string]: KeyState }

/** How long a key was declared to live, in milliseconds; what runs down between the two is as declared. */
export interface Lifetime {
  readonly ttl: number
  /** It is written anew where less is left. */
  readonly renewBelow: number
}

/** The clocks of a server may be set back a little. */
const slack = 1000

/**
 * Declared keys of a server, by the name that they are declared under.
 *
 * @example
 * mockHost('web1').has(redisKeySet('coaching', new Map([['tz', undefined]])), { tz: { type: 'string', value: 'UTC', expires: null } })
 */
export function redisKeySet(
  name: string,
  keys: ReadonlyMap<string, Lifetime | undefined>,
  endpoint: Endpoint,
): Resource<KeySet> {
  const asked = [...keys.keys()]
  return {
    key: `redis:keys/${endpointName(endpoint)}/${name}`,
    label: `redis ${endpointName(endpoint)}`,
    read: redisReplies(endpoint, [['TIME'], ...asked.flatMap(questionsOf)]).map(([time, ...replies]) => {
      const clock = clockOf(time)
      const each = replies.length / Math.max(asked.length, 1)
      return Object.fromEntries(
        asked.map((key, i) => [
          key,
          stateOf(endpoint, key, replies.slice(i * each, (i + 1) * each), keys.get(key), clock),
        ]),
      )
    }),
    write(to, from) {
      const commands = Object.keys(to).flatMap((key) => changesOf(key, to[key] ?? null, from[key] ?? null))
      // A reader sees all of them or none; what fails when it is done leaves the others done.
      return redisCommands(endpoint, [['MULTI'], ...commands, ['EXEC']])
        .called(`${commands.length} commands to redis at ${endpointName(endpoint)}`)
        .touches()
    },
    show: showSet,
    text: (value) => {
      const lines = Object.entries(value).flatMap(([key, state]) =>
        state === null ? [] : [`${told(key)} ${tellKey(key, state)}\n`],
      )
      return lines.join('')
    },
    fresh: Object.fromEntries(asked.map((key) => [key, null])),
  }
}

/** Bytes as they are told. */
export function tellBytes(bytes: Uint8Array): RedisBytes {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = buffer.toString()
  return Buffer.from(text).equals(buffer) ? text : { base64: buffer.toString('base64') }
}

/** In the order of their bytes, which is one order for all. */
export function sortedByBytes<T>(
  entries: readonly (readonly [RedisBytes, T])[],
): readonly (readonly [RedisBytes, T])[] {
  return entries.toSorted(([a], [b]) => Buffer.compare(bytesOf(a), bytesOf(b)))
}

/**
 * What a key is decides which of the answers counts; the others are WRONGTYPE, which costs nothing. So one pipeline does, where
 * asking for the type first would be two. PEXPIRETIME is of Redis 7.0; an older server calls it unknown.
 */
function questionsOf(key: string): readonly Command[] {
  return [
    ['TYPE', key],
    ['PTTL', key],
    ['PEXPIRETIME', key],
    ['GET', key],
    ['HGETALL', key],
    ['ZRANGE', key, 0, -1, 'WITHSCORES'],
  ]
}

function stateOf(
  endpoint: Endpoint,
  key: string,
  [type, left, at, value, fields, members]: readonly Reply[],
  lifetime: Lifetime | undefined,
  clock: number | undefined,
): KeyState {
  const good = (reply: Reply | undefined, command: string): Reply => {
    if (reply !== undefined && isError(reply)) throw refusedBy(endpoint, `${command} ${key}`, reply.error)
    return reply ?? null
  }
  const kind = textOf(good(type, 'TYPE'))!
  if (kind === 'none') return null
  const expires = expiryOf(Number(good(left, 'PTTL')), at, lifetime, clock)
  switch (kind) {
    case 'string': {
      const bytes = good(value, 'GET')
      // It went between two questions.
      return Buffer.isBuffer(bytes) ? { type: 'string', value: tellBytes(bytes), expires } : null
    }
    case 'hash': {
      const pairs = pairsOf(good(fields, 'HGETALL'))
      return { type: 'hash', fields: sortedByBytes(pairs.map(([a, b]) => [tellBytes(a), tellBytes(b)])), expires }
    }
    case 'zset': {
      const pairs = pairsOf(good(members, 'ZRANGE'))
      return { type: 'sortedSet', members: sortedByBytes(pairs.map(([a, b]) => [tellBytes(a), scoreIn(b)])), expires }
    }
    default:
      return { type: 'other', kind, expires }
  }
}

function expiryOf(
  left: number,
  at: Reply | undefined,
  lifetime: Lifetime | undefined,
  clock: number | undefined,
): Expiry {
  if (left < 0) return null
  if (lifetime && left <= lifetime.ttl + slack && left >= lifetime.renewBelow) return { within: lifetime.ttl }
  return { at: typeof at === 'number' && at > 0 ? at : (clock ?? 0) + left }
}

/** Milliseconds, of a list of seconds and microseconds. */
function clockOf(reply: Reply | undefined): number | undefined {
  if (!Array.isArray(reply)) return undefined
  const [seconds, micros] = reply.map((each: Reply) => Number(textOf(each)))
  return seconds! * 1000 + Math.floor(micros! / 1000)
}

function pairsOf(reply: Reply): readonly (readonly [Buffer, Buffer])[] {
  const all = Array.isArray(reply) ? (reply as readonly Buffer[]) : []
  return all.flatMap((bytes, i) => (i % 2 === 0 ? [[bytes, all[i + 1]!] as const] : []))
}

/** The nearest double: 0.1 is what Redis 7.0 tells as 0.10000000000000001. */
function scoreIn(bytes: Buffer): Score {
  const text = bytes.toString()
  if (text === 'inf' || text === '-inf') return text
  return Number(text) + 0
}

/** The commands that move a key; each has a reply of one line. */
function changesOf(key: string, to: KeyState, from: KeyState): readonly Command[] {
  if (isDeepStrictEqual(to, from)) return []
  if (to === null) return [['DEL', key]]
  if (to.type === 'other') throw new Failure('E_REFUSED', `${key} was a ${to.kind}, of which there is no copy.`)
  const kept = from?.type === to.type ? from : undefined
  const cleared: readonly Command[] = from !== null && !kept ? [['DEL', key]] : []
  const written = contents()
  return [...cleared, ...written, ...expiry(written)]

  function contents(): readonly Command[] {
    if (to?.type === 'string') {
      const same = kept?.type === 'string' && isDeepStrictEqual(kept.value, to.value)
      return same ? [] : [['SET', key, bytesOf(to.value)]]
    }
    if (to?.type === 'hash') {
      return entries(kept?.type === 'hash' ? kept.fields : [], to.fields, 'HDEL', (changed) => [
        'HSET',
        key,
        ...changed.flatMap(([field, value]) => [bytesOf(field), bytesOf(value)]),
      ])
    }
    return entries(
      kept?.type === 'sortedSet' ? kept.members : [],
      to?.type === 'sortedSet' ? to.members : [],
      'ZREM',
      (changed) => ['ZADD', key, ...changed.flatMap(([member, score]) => [String(score), bytesOf(member)])],
    )
  }

  function entries<T>(
    was: readonly (readonly [RedisBytes, T])[],
    will: readonly (readonly [RedisBytes, T])[],
    remove: string,
    add: (changed: readonly (readonly [RedisBytes, T])[]) => Command,
  ): readonly Command[] {
    const names = new Set(will.map(([name]) => JSON.stringify(name)))
    const old = new Set(was.map((entry) => JSON.stringify(entry)))
    const gone = was.filter(([name]) => !names.has(JSON.stringify(name)))
    const changed = will.filter((entry) => !old.has(JSON.stringify(entry)))
    // First what comes: a hash without fields goes, and its time with it.
    return [
      ...(changed.length > 0 ? [add(changed)] : []),
      ...(gone.length > 0 ? [[remove, key, ...gone.map(([name]) => bytesOf(name))]] : []),
    ]
  }

  /** SET takes the time away. What is written has its whole time before it. */
  function expiry(written: readonly Command[]): readonly Command[] {
    const expires = to?.expires ?? null
    if (expires !== null) return ['at' in expires ? ['PEXPIREAT', key, expires.at] : ['PEXPIRE', key, expires.within]]
    const isGone = !kept || kept.expires === null || (to?.type === 'string' && written.length > 0)
    return isGone ? [] : [['PERSIST', key]]
  }
}

function bytesOf(bytes: RedisBytes): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes.base64, 'base64')
}

/** Few keys are told one by one. */
function showSet(value: KeySet): string {
  const keys = Object.entries(value)
  if (keys.length <= 3)
    return keys.map(([key, state]) => `${told(key)} ${state === null ? 'absent' : tellKey(key, state)}`).join(', ')
  const there = keys.filter(([, state]) => state !== null).length
  return there === keys.length ? `${there} keys` : `${there} of ${keys.length} keys`
}

/** What a key holds, on a line; not of a key or a field whose name is that of a secret. */
export function tellKey(key: string, state: Exclude<KeyState, null>): string {
  return `${content()}${expiry()}`

  function content(): string {
    switch (state.type) {
      case 'string':
        return toldOf(key, state.value)
      case 'hash':
        return `{ ${state.fields.map(([field, value]) => `${told(field)}: ${toldOf(field, value)}`).join(', ')} }`
      case 'sortedSet':
        return `sorted set { ${state.members.map(([member, score]) => `${told(member)}: ${score}`).join(', ')} }`
      case 'other':
        return `a ${state.kind}`
    }
  }

  function expiry(): string {
    if (state.expires === null) return ''
    return 'within' in state.expires ? ` for ${state.expires.within / 1000} s` : ` until ${state.expires.at / 1000}`
  }
}

function toldOf(name: RedisBytes, value: RedisBytes): string {
  return typeof name === 'string' && namesSecret(name) ? covered : told(value)
}

const longest = 120

/** Plain words as they are, all else in quotes; what is long by its beginning and its digest. */
function told(bytes: RedisBytes): string {
  if (typeof bytes !== 'string') return `base64 ${clipped(bytes.base64)}`
  if (/^[\w:./@-]+$/.test(bytes) && bytes.length <= longest) return bytes
  const quoted = JSON.stringify(bytes).replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return clipped(quoted)
}

function clipped(text: string): string {
  if (text.length <= longest) return text
  return `${text.slice(0, longest)}… (${text.length} characters, ${createHash('sha256').update(text).digest('hex').slice(0, 8)})`
}
