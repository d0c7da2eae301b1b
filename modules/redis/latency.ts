/** How long a Redis server takes to answer, as a client on the host sees it. */

import { type Finding, Observation, type Observed } from '../../dsl/observation.ts'
import type { Resource } from '../../dsl/resource.ts'
import { type Duration, micros, seconds } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { Failure } from '../../errors/failure.ts'
import { Probe, unparsable } from '../../probe/probe.ts'
import { redisPings, unanswered } from './client.ts'
import { type Endpoint, endpointName, endpointProblem, localRedis } from './endpoint.ts'

export interface RedisLatencyOptions {
  /** How long it is asked, up to a minute: `'5s'`. */
  readonly during: Duration
  /** The server, by the name or address by which the host knows it. @default '127.0.0.1' */
  readonly host?: string
  /** @default 6379 */
  readonly port?: number
  /** The Unix socket of the server, instead of a host and a port. */
  readonly socket?: string
  /** The user of the server's ACL who logs in. @default the default user */
  readonly user?: string
  /** A file on the host that holds the password, which the client reads there. */
  readonly passwordFile?: string
}

/** Half of the round trips are not slower than `p50`, 95 of 100 not than `p95`, none than `max`. */
export type LatencyMeasure = 'p50' | 'p95' | 'max'

/**
 * Round trips of PING to a Redis server, one after another with 10 ms between, over one connection and for a span, after the play
 * has reacted. They are what a client on this host waits for: the network, the server's queue, and the scheduling of both, on a
 * busy host that of the client too. The server's own measure (`LATENCY`) knows nothing of the way. It changes nothing.
 *
 * Without `.expect()` it only tells. A span that is none or longer than a minute is told before any connection; a server that does not
 * answer, or refuses, is told as why nothing was seen.
 *
 * @example
 * redisLatency({ during: '5s' }).expect({ below: '2ms' })
 * redisLatency({ host: 'cache1', during: '5s' }).expect({ below: '10ms', of: 'max' }).warn()
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency/
 */
export function redisLatency(options: RedisLatencyOptions): RedisLatency {
  return new RedisLatency(options)
}

export class RedisLatency extends Observation<readonly number[]> {
  readonly module = 'redisLatency'
  readonly endpoint: Endpoint
  readonly span: number
  readonly limit: { readonly below: number; readonly of: LatencyMeasure } | undefined

  /** @internal Made by `redisLatency()`. */
  constructor({
    during,
    host = localRedis.at,
    port = localRedis.port,
    socket,
    user,
    passwordFile,
  }: RedisLatencyOptions) {
    super()
    this.endpoint = { at: socket ?? host, port, database: 0, user, passwordFile }
    const span = seconds(during)
    this.span = isProblem(span) ? 0 : span
    this.limit = undefined
    const fits = this.span > 0 && this.span <= 60
    return this.wrong(isProblem(span) ? `redisLatency: ${span.problem}` : undefined)
      .wrong(isProblem(span) || fits ? undefined : `redisLatency: ${during} is no span of up to a minute`)
      .wrong(prefixed(socket?.startsWith('/') === false ? `the path "${socket}" must be absolute` : undefined))
      .wrong(prefixed(endpointProblem(this.endpoint)))
  }

  get id(): string {
    return endpointName(this.endpoint)
  }

  /** What the round trips must stay below: 95 of 100 of them, or what `of` says. */
  expect({ below, of = 'p95' }: { readonly below: Duration; readonly of?: LatencyMeasure }): RedisLatency {
    const limit = micros(below)
    if (isProblem(limit)) return this.wrong(`redisLatency: below: ${limit.problem}`)
    if (limit <= 0) return this.wrong(`redisLatency: nothing is below ${below}`)
    return this.with<RedisLatency>({ limit: { below: limit, of } })
  }

  get view(): Resource<readonly number[]> {
    return redisRoundTrips(this.endpoint, this.span)
  }

  find({ now }: Observed<readonly number[]>): Finding {
    if (now.length === 0) throw new Failure('E_UNEXPECTED', `Redis at ${this.id} answered no PING in ${this.span} s.`)
    const sorted = now.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1]!
    const measures = { p50: at(0.5), p95: at(0.95), max: at(1) }
    const tell = (['p50', 'p95', 'max'] as const).map((name) => `${name} ${told(measures[name])}`).join(', ')
    const says = `${tell} of ${now.length} round trips to redis at ${this.id} in ${this.span} s`
    if (!this.limit || measures[this.limit.of] < this.limit.below) return { says }
    const { of, below } = this.limit
    const message = `A round trip to redis at ${this.id} takes ${told(measures[of])} (${of}); expected was less than ${told(below)}.`
    const hint =
      'SLOWLOG GET and LATENCY LATEST say what held the server up; what they do not know is the network or a busy host.'
    return { says, unexpected: { message, hint } }
  }
}

/**
 * Microseconds of round trips, one after another for so many seconds. It can only be looked at.
 *
 * @example
 * mockHost('web1').has(redisRoundTrips(localRedis, 5), [120, 130, 900])
 */
export function redisRoundTrips(endpoint: Endpoint, span: number): Resource<readonly number[]> {
  return {
    key: `redis:latency/${endpointName(endpoint)}/${span}`,
    label: `round trips to redis at ${endpointName(endpoint)}`,
    read: Probe.script(
      redisPings(endpoint, span),
      (output) => {
        if (output.status !== 0) throw unanswered(endpoint, output)
        const lines = output.stdout.toString().split('\n').filter(Boolean)
        if (!lines.every((line) => /^\d+$/.test(line))) throw unparsable(`PING at ${endpointName(endpoint)}`, output)
        return lines.map(Number)
      },
      { aside: true },
    ),
    show: (trips) => `${trips.length} round trips`,
  }
}

function prefixed(problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `redisLatency: ${problem}`
}

/** `0.12 ms`, `12.3 ms`. */
function told(time: number): string {
  const ms = time / 1000
  return `${ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`
}
