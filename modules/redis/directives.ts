/** The directives of Redis that can be declared: what each takes, and how the server tells it back. */

import { type Duration, micros, type Parsed } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'

/** An amount as Redis writes it: `kb`, `mb` and `gb` are of 1024, `k`, `m` and `g` of 1000; or a number of bytes. */
export type RedisMemory = number | `${number}${'b' | 'k' | 'kb' | 'm' | 'mb' | 'g' | 'gb'}`

/** The limits of one class of clients: closed at once above `hard`, or after so many seconds above `soft`. */
export interface OutputLimit {
  readonly hard: RedisMemory
  readonly soft: RedisMemory
  readonly seconds: number
}

/** Snapshots: after so many seconds with so many changes. */
export type Snapshots = readonly (readonly [seconds: number, changes: number])[]

interface Kinds {
  readonly switch: boolean
  readonly memory: RedisMemory
  /** A memory, or a part of maxmemory. */
  readonly share: RedisMemory | `${number}%`
  readonly number: number
  readonly seconds: number | Duration
  readonly milliseconds: number | Duration
  readonly microseconds: number | Duration
  readonly snapshots: Snapshots | ''
  readonly events: string
  readonly limits: { readonly [C in ClientClass]?: OutputLimit }
  readonly addresses: readonly string[]
  readonly numbers: readonly number[]
  readonly name: string
}

type ClientClass = 'normal' | 'replica' | 'pubsub'

interface Directive<K extends keyof Kinds | readonly string[]> {
  /** A kind, or the words that it takes. */
  readonly kind: K
  /** What a server without a configuration has. */
  readonly fresh: string
  readonly min?: number
  readonly max?: number
  /** Read when the server starts, and only then. */
  readonly atStart?: true
  /** Another name that it has in files. */
  readonly alias?: string
}

const of = <const K extends keyof Kinds | readonly string[]>(
  kind: K,
  fresh: string,
  more: Omit<Directive<K>, 'kind' | 'fresh'> = {},
): Directive<K> => ({ kind, fresh, ...more })

const positive = { min: 1 } as const
const atStart = { atStart: true } as const

export const directives = {
  activedefrag: of('switch', 'no'),
  'active-expire-effort': of('number', '1', { min: 1, max: 10 }),
  activerehashing: of('switch', 'yes'),
  'acllog-max-len': of('number', '128'),
  appenddirname: of('name', 'appendonlydir', atStart),
  appendfilename: of('name', 'appendonly.aof', atStart),
  appendfsync: of(['everysec', 'always', 'no'], 'everysec'),
  appendonly: of('switch', 'no'),
  'aof-use-rdb-preamble': of('switch', 'yes'),
  'auto-aof-rewrite-min-size': of('memory', '67108864'),
  'auto-aof-rewrite-percentage': of('number', '100'),
  bind: of('addresses', '127.0.0.1 -::1'),
  'busy-reply-threshold': of('milliseconds', '5000', { alias: 'lua-time-limit' }),
  'client-output-buffer-limit': of('limits', ''),
  'client-query-buffer-limit': of('memory', '1073741824', { min: 1_048_576 }),
  databases: of('number', '16', { ...positive, ...atStart }),
  'disable-thp': of('switch', 'yes', atStart),
  'dynamic-hz': of('switch', 'yes'),
  'hash-max-listpack-entries': of('number', '512', { alias: 'hash-max-ziplist-entries' }),
  'hash-max-listpack-value': of('number', '64', { alias: 'hash-max-ziplist-value' }),
  // The server takes any number, and makes 500 of what is more.
  hz: of('number', '10', { min: 1, max: 500 }),
  'io-threads': of('number', '1', { min: 1, max: 128, ...atStart }),
  'latency-monitor-threshold': of('milliseconds', '0'),
  'latency-tracking': of('switch', 'yes'),
  'lazyfree-lazy-eviction': of('switch', 'no'),
  'lazyfree-lazy-expire': of('switch', 'no'),
  'lazyfree-lazy-server-del': of('switch', 'no'),
  'lazyfree-lazy-user-del': of('switch', 'no'),
  'lazyfree-lazy-user-flush': of('switch', 'no'),
  'lfu-decay-time': of('number', '1'),
  'lfu-log-factor': of('number', '10'),
  loglevel: of(['debug', 'verbose', 'notice', 'warning'], 'notice'),
  // The server feels its way down from the number by 16, and answers nobody meanwhile: of 100 million for a minute.
  maxclients: of('number', '10000', { min: 1, max: 1_000_000 }),
  maxmemory: of('memory', '0'),
  'maxmemory-clients': of('share', '0'),
  'maxmemory-eviction-tenacity': of('number', '10', { max: 100 }),
  'maxmemory-policy': of(
    [
      'noeviction',
      'allkeys-lru',
      'allkeys-lfu',
      'allkeys-random',
      'volatile-lru',
      'volatile-lfu',
      'volatile-random',
      'volatile-ttl',
    ],
    'noeviction',
  ),
  'maxmemory-samples': of('number', '5', { min: 1, max: 64 }),
  'min-replicas-max-lag': of('seconds', '10', { alias: 'min-slaves-max-lag' }),
  'min-replicas-to-write': of('number', '0', { alias: 'min-slaves-to-write' }),
  'no-appendfsync-on-rewrite': of('switch', 'no'),
  'notify-keyspace-events': of('events', ''),
  'oom-score-adj': of(['no', 'yes', 'relative', 'absolute'], 'no'),
  'oom-score-adj-values': of('numbers', '0 200 800', { min: -2000, max: 2000 }),
  'proto-max-bulk-len': of('memory', '536870912', { min: 1_048_576 }),
  'protected-mode': of('switch', 'yes'),
  rdbcompression: of('switch', 'yes'),
  'repl-backlog-size': of('memory', '1048576', positive),
  'repl-backlog-ttl': of('seconds', '3600'),
  'repl-timeout': of('seconds', '60', positive),
  'replica-read-only': of('switch', 'yes', { alias: 'slave-read-only' }),
  'replica-serve-stale-data': of('switch', 'yes', { alias: 'slave-serve-stale-data' }),
  save: of('snapshots', '3600 1 300 100 60 10000'),
  'set-max-intset-entries': of('number', '512'),
  'slowlog-log-slower-than': of('microseconds', '10000', { min: -1 }),
  'slowlog-max-len': of('number', '128'),
  'stop-writes-on-bgsave-error': of('switch', 'yes'),
  'tcp-backlog': of('number', '511', atStart),
  'tcp-keepalive': of('seconds', '300'),
  timeout: of('seconds', '0'),
  'zset-max-listpack-entries': of('number', '128', { alias: 'zset-max-ziplist-entries' }),
  'zset-max-listpack-value': of('number', '64', { alias: 'zset-max-ziplist-value' }),
} as const

export type DirectiveName = keyof typeof directives

type ValueOf<D> =
  D extends Directive<infer K> ? (K extends keyof Kinds ? Kinds[K] : K extends readonly (infer W)[] ? W : never) : never

/** Directives by their names in redis.conf. */
export type RedisSettings = { readonly [N in DirectiveName]?: ValueOf<(typeof directives)[N]> }

/** One directive that is owned; of `client-output-buffer-limit` one class. */
export interface Setting {
  /** `maxmemory`, `client-output-buffer-limit replica`. */
  readonly id: string
  readonly name: DirectiveName
  /** As the server tells it. */
  readonly value: string
  /** As it stands in the file. */
  readonly words: string
}

/** What the server is told, and never tells: none of it may stand in a play. */
const secret = new Set([
  'requirepass',
  'masterauth',
  'masteruser',
  'primaryauth',
  'user',
  'aclfile',
  'tls-key-file-pass',
  'tls-client-key-file-pass',
])

/** What is no directive for us, and what to do instead. */
export function nameProblem(name: string): { readonly problem: string; readonly hint: string | undefined } | undefined {
  if (Object.hasOwn(directives, name)) return undefined
  if (secret.has(name.toLowerCase()))
    return {
      problem: `${name} is or leads to a secret, which cannot stand in a play`,
      hint: `Put it into a file that redis.conf includes: file(path).content(secret.text\`${name} …\`); .passwordFile(path) names the one that holds the password to log in.`,
    }
  if (['port', 'unixsocket', 'tls-port'].includes(name))
    return { problem: `${name} is how the server is reached, and is not moved by a running one`, hint: undefined }
  return { problem: `${JSON.stringify(name)} is not a directive that is known here`, hint: undefined }
}

/** What a play gives as a value, as settings; or what is wrong with it. */
export function settingsOf(name: DirectiveName, value: unknown): Parsed<readonly Setting[]> {
  const directive: Directive<keyof Kinds | readonly string[]> = directives[name]
  if (directive.kind === 'limits') return limitsOf(name, value)
  const parsed = parse(directive, value)
  if (isProblem(parsed)) return { problem: `${name}: ${parsed.problem}` }
  return [{ id: name, name, ...parsed }]
}

type Written = Pick<Setting, 'value' | 'words'>

function parse(directive: Directive<keyof Kinds | readonly string[]>, value: unknown): Parsed<Written> {
  const { kind, min = 0, max = Number.MAX_SAFE_INTEGER } = directive
  const shown = JSON.stringify(value) ?? String(value)
  const bounded = (parsed: Parsed<number>, words?: string): Parsed<Written> => {
    if (isProblem(parsed)) return parsed
    if (Number.isSafeInteger(parsed) && parsed >= min && parsed <= max)
      return { value: String(parsed), words: words ?? String(parsed) }
    const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`
    return { problem: `${shown} is not ${words === undefined ? 'a whole number' : 'an amount'} ${range}` }
  }
  switch (kind) {
    case 'switch':
      return typeof value === 'boolean' ? same(value ? 'yes' : 'no') : { problem: `${shown} is not true or false` }
    case 'memory':
      return bounded(bytesOf(value), String(value).toLowerCase())
    case 'share': {
      const [, percent] = /^(\d+)%$/.exec(String(value)) ?? []
      if (percent === undefined) return bounded(bytesOf(value), String(value).toLowerCase())
      return Number(percent) <= 100 ? same(`${Number(percent)}%`) : { problem: `${shown} is more than all` }
    }
    case 'number':
      return bounded(typeof value === 'number' ? value : { problem: `${shown} is not a number` })
    case 'seconds':
      return bounded(spanOf(value, 1e6))
    case 'milliseconds':
      return bounded(spanOf(value, 1e3))
    case 'microseconds':
      return bounded(spanOf(value, 1))
    case 'snapshots':
      return snapshotsOf(value)
    case 'events':
      return eventsOf(value)
    case 'addresses':
      return addressesOf(value)
    case 'numbers':
      return Array.isArray(value) &&
        value.length === 3 &&
        value.every((n) => Number.isInteger(n) && n >= min && n <= max)
        ? same(value.join(' '))
        : { problem: `${shown} is not three whole numbers from ${min} to ${max}` }
    case 'name':
      return typeof value === 'string' && /^[\w.-]+$/.test(value) && !/^\.+$/.test(value)
        ? same(value)
        : { problem: `${shown} is not the name of a file without its folder` }
    case 'limits':
      return { problem: `${shown} is not an object of classes` }
    default:
      return typeof value === 'string' && kind.includes(value)
        ? same(value)
        : { problem: `${shown} is none of ${kind.join(', ')}` }
  }
}

/** How a value that stands in a file, or that a server tells, is told here; undefined where it is none. */
export function canonical(name: DirectiveName, words: readonly string[]): string | undefined {
  const directive: Directive<keyof Kinds | readonly string[]> = directives[name]
  const [first = ''] = words
  switch (directive.kind) {
    case 'limits':
    case 'microseconds':
    case 'milliseconds':
    case 'number':
    case 'seconds':
    case 'switch':
      return first.toLowerCase()
    case 'memory':
    case 'share': {
      const parsed = /^\d+%$/.test(first) ? first : bytesOf(first)
      return isProblem(parsed) ? undefined : String(parsed)
    }
    case 'snapshots':
      return words.join(' ')
    case 'events':
      return flagsOf(first)
    case 'addresses':
    case 'numbers':
      return words.join(' ')
    case 'name':
      return first
    default:
      return first.toLowerCase()
  }
}

function same(value: string): Written {
  return { value, words: value }
}

const units = { '': 1, b: 1, k: 1e3, kb: 1024, m: 1e6, mb: 1024 ** 2, g: 1e9, gb: 1024 ** 3 } as const

/** Whole numbers only: Redis takes `256.5mb` for no amount. */
function bytesOf(value: unknown): Parsed<number> {
  const [, count, unit = ''] = /^(\d+)([a-z]*)$/.exec(String(value).toLowerCase()) ?? []
  const bytes = Number(count) * (units[unit as keyof typeof units] ?? Number.NaN)
  if (count !== undefined && Number.isSafeInteger(bytes)) return bytes
  return { problem: `${JSON.stringify(value)} is not an amount such as 256mb, 1gb or a number of bytes` }
}

function spanOf(value: unknown, unit: number): Parsed<number> {
  if (typeof value === 'number') return value
  const span = micros(value as Duration)
  if (isProblem(span) || Number.isInteger(span / unit)) return isProblem(span) ? span : span / unit
  return { problem: `${JSON.stringify(value)} is finer than the directive` }
}

/** `900 1 300 10`; none at all is an empty text. */
function snapshotsOf(value: unknown): Parsed<Written> {
  if (value === '' || (Array.isArray(value) && value.length === 0)) return { value: '', words: '""' }
  const fits = (pair: unknown) =>
    Array.isArray(pair) && pair.length === 2 && pair.every(Number.isSafeInteger) && pair[0] >= 1 && pair[1] >= 0
  if (Array.isArray(value) && value.every(fits)) return same(value.flat().join(' '))
  return { problem: `${JSON.stringify(value)} is not a list of [seconds, changes], such as [[900, 1], [300, 10]]` }
}

const everyEvent = 'g$lshzxetd'

function eventsOf(value: unknown): Parsed<Written> {
  if (typeof value !== 'string' || !/^[Ag$lshzxeKEtmdn]*$/.test(value))
    return { problem: `${JSON.stringify(value)} is not made of the letters AKEg$lshzxetdmn` }
  const flags = flagsOf(value)
  return { value: flags, words: flags === '' ? '""' : flags }
}

/** Letters in one order, and all kinds of events as `A`: servers differ in how they sort them. */
function flagsOf(text: string): string {
  const letters = new Set(text.replace('A', everyEvent))
  const all = Array.from(everyEvent).every((letter) => letters.has(letter))
  const kinds = all
    ? 'A'
    : Array.from(everyEvent)
        .filter((letter) => letters.has(letter))
        .join('')
  return (
    kinds +
    Array.from('nKEm')
      .filter((letter) => letters.has(letter))
      .join('')
  )
}

function addressesOf(value: unknown): Parsed<Written> {
  const fits = (address: unknown) => typeof address === 'string' && /^-?[\w.:*%-]+$/.test(address)
  if (Array.isArray(value) && value.length > 0 && value.length <= 16 && value.every(fits)) return same(value.join(' '))
  return { problem: `${JSON.stringify(value)} is not a list of addresses` }
}

const classes: readonly string[] = ['normal', 'replica', 'pubsub']
const freshLimits: Readonly<Record<string, string>> = {
  normal: '0 0 0',
  replica: '268435456 67108864 60',
  pubsub: '33554432 8388608 60',
}

function limitsOf(name: DirectiveName, value: unknown): Parsed<readonly Setting[]> {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0)
    return { problem: `${name}: ${JSON.stringify(value)} is not an object of classes: ${classes.join(', ')}` }
  const settings: Setting[] = []
  for (const [which, limit] of Object.entries(value as Record<string, OutputLimit>)) {
    if (!classes.includes(which))
      return { problem: `${name}: ${JSON.stringify(which)} is none of ${classes.join(', ')}` }
    const [hard, soft] = [bytesOf(limit.hard), bytesOf(limit.soft)]
    if (isProblem(hard)) return { problem: `${name} ${which}: ${hard.problem}` }
    if (isProblem(soft)) return { problem: `${name} ${which}: ${soft.problem}` }
    if (!Number.isSafeInteger(limit.seconds) || limit.seconds < 0)
      return { problem: `${name} ${which}: ${limit.seconds} is not a number of seconds` }
    settings.push({
      id: `${name} ${which}`,
      name,
      value: `${hard} ${soft} ${limit.seconds}`,
      words: `${which} ${limit.hard} ${limit.soft} ${limit.seconds}`.toLowerCase(),
    })
  }
  return settings
}

/** Classes and their limits, out of all of them in a row; `slave` is what servers call a replica. */
export function limitsIn(words: readonly string[]): ReadonlyMap<string, string> {
  const limits = new Map<string, string>()
  for (let i = 0; i + 3 < words.length; i += 4) {
    const [which = '', hard = '', soft = '', seconds = ''] = words.slice(i, i + 4)
    const amounts = [hard, soft].map((amount) => bytesOf(amount))
    limits.set(which.toLowerCase().replace('slave', 'replica'), [...amounts.map(String), seconds].join(' '))
  }
  return limits
}

/** What a server without a configuration tells of a setting. */
export function freshValue(id: string): string {
  const [name = '', which] = id.split(' ')
  return which === undefined ? directives[name as DirectiveName].fresh : freshLimits[which]!
}

/** Whether a running server reads it no more. */
export function isAtStart(name: DirectiveName): boolean {
  return (directives[name] as Directive<keyof Kinds>).atStart ?? false
}

/** The names that a directive has in files. */
export function namesOf(name: DirectiveName): readonly string[] {
  const { alias } = directives[name] as Directive<keyof Kinds>
  return alias === undefined ? [name] : [name, alias]
}
