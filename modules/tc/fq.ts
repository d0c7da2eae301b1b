/** The parameters of fq, which paces each flow, in the kernel's units. */

import { isDeepStrictEqual } from 'node:util'
import { knownAfterApply } from '../../dsl/known-after.ts'
import { type Bytes, type Duration, micros, type Parsed } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { type Discipline, word, type Words } from './discipline.ts'
import {
  amount,
  flag,
  largestCount,
  oneOf,
  parseParameters,
  type Parsers,
  type Rate,
  rate,
  type Said,
  showMicros,
  showRate,
  span,
  whole,
} from './parameters.ts'

/** Parameters of fq; what is not said is the kernel's default. */
export interface FqOptions {
  /** Packets in all queues together. @default 10000 */
  readonly limit?: number
  /** Packets of one flow. @default 100 */
  readonly flowLimit?: number
  /** Buckets of the table of flows: a power of two, up to 262144. @default 1024 */
  readonly buckets?: number
  /** Bytes that a flow sends in its turn, 256 to 1 MiB. @default two full frames of the device when the qdisc is made */
  readonly quantum?: Bytes
  /** Bytes that a new flow sends at once, up to 256 KiB. @default ten full frames of the device when the qdisc is made */
  readonly initialQuantum?: Bytes
  /** Most that one flow sends; beyond what its socket asks for. @default no limit */
  readonly maxrate?: Rate
  /** Whether a flow is held to the rate that its socket asks for (`SO_MAX_PACING_RATE`, BBR). @default true */
  readonly pacing?: boolean
  /** Below this rate a packet goes by itself, and not in bursts. @default 550kbit */
  readonly lowRateThreshold?: Rate
  /** Rest after which a flow is a new one again: in steps of 20 ms, which kernels of every tick rate keep. @default 40ms */
  readonly refillDelay?: Duration
  /** Delay from which every packet that knows ECN is marked. @default none */
  readonly ceThreshold?: Duration
  /** By how much a timer may be late, to send several packets at once. @default 10us */
  readonly timerSlack?: Duration
  /** How far in the future a packet may be dated. @default 10s */
  readonly horizon?: Duration
  /** What becomes of a packet that is dated beyond it: it is dropped, or sent at the horizon. @default drop */
  readonly beyondHorizon?: 'drop' | 'cap'
}

/** All parameters as a host has them: times in microseconds but the slack, which is in nanoseconds, rates in bytes in a second. */
export type Fq = {
  readonly limit: number
  readonly flowLimit: number
  readonly buckets: number
  readonly quantum: number | typeof knownAfterApply
  readonly initialQuantum: number | typeof knownAfterApply
  /** Null for no limit. */
  readonly maxrate: number | null
  readonly pacing: boolean
  readonly lowRateThreshold: number
  readonly refillDelay: number
  /** Null for none. */
  readonly ceThreshold: number | null
  readonly timerSlack: number
  readonly horizon: number
  readonly beyondHorizon: 'drop' | 'cap'
  /** What a play cannot say, as words for `tc`: bands, their weights, the mask of packets without a socket. */
  readonly rest: string
}

/** The kernel's own. */
export const fqDefaults: Fq = {
  limit: 10_000,
  flowLimit: 100,
  buckets: 1024,
  quantum: knownAfterApply,
  initialQuantum: knownAfterApply,
  maxrate: null,
  pacing: true,
  lowRateThreshold: 68_750,
  refillDelay: 40_000,
  ceThreshold: null,
  timerSlack: 10_000,
  horizon: 10_000_000,
  beyondHorizon: 'drop',
  rest: '',
}

/** A power of two; `tc` makes one of what is none, without a word. */
const buckets = (value: number): Parsed<number> =>
  Number.isInteger(Math.log2(value)) && value >= 2 && value <= 2 ** 18
    ? value
    : { problem: `${JSON.stringify(value)} is not a power of two from 2 to 262144` }

/** The kernel keeps it in ticks of its timer, 100 to 1000 in a second. */
const tick = 20_000

function refillDelay(value: Duration): Parsed<number> {
  const us = span(tick)(value)
  if (isProblem(us) || us % tick === 0) return us
  return { problem: `${JSON.stringify(value)} is not a multiple of 20ms` }
}

function timerSlack(value: Duration): Parsed<number> {
  const us = micros(value)
  if (isProblem(us) || us * 1000 <= largestCount) return isProblem(us) ? us : us * 1000
  return { problem: `${JSON.stringify(value)} is more than 4s` }
}

const parsers: Parsers<FqOptions> = {
  limit: whole(1, largestCount),
  flowLimit: whole(1, largestCount),
  buckets,
  quantum: amount(256, 1024 ** 2),
  initialQuantum: amount(256, 256 * 1024),
  // The kernel takes its largest number for no limit.
  maxrate: rate(largestCount - 1),
  pacing: flag,
  lowRateThreshold: rate(largestCount - 1),
  refillDelay,
  ceThreshold: span(1, largestCount - 1),
  timerSlack,
  horizon: span(1),
  beyondHorizon: oneOf('drop', 'cap'),
}

/** What a play says, in the kernel's units; or everything that is wrong with it. */
export function parseFq(options: FqOptions): Said<Fq> {
  return parseParameters('fq', parsers, options)
}

export const fq: Discipline<Fq> = {
  kind: 'fq',
  read: (options) => readFq(options as unknown as FqJson),
  complete: (wish, now) => ({
    ...fqDefaults,
    ...(now && { quantum: now.quantum, initialQuantum: now.initialQuantum }),
    ...wish,
  }),
  words,
  isChangeable: (from, to) => from.rest === to.rest,
  show,
  again: () => 'change',
  isShaper: () => false,
}

/** What `tc -j` prints of it. Some keys end in a space. A kernel before 5.7 has no horizon. */
interface FqJson {
  readonly limit: number
  readonly flow_limit: number
  readonly buckets: number
  readonly orphan_mask?: number
  readonly pacing?: false
  readonly quantum: number
  readonly initial_quantum: number
  readonly maxrate?: number
  /** Missing for none. */
  readonly low_rate_threshold?: number
  readonly refill_delay: number
  readonly ce_threshold?: number
  readonly timer_slack?: number
  readonly horizon?: number
  readonly horizon_cap?: null
  readonly offload_horizon?: number
  readonly 'priomap '?: readonly number[]
  readonly 'weights '?: readonly number[]
}

const usualBands = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
const usualWeights = [589_824, 196_608, 65_536]

function readFq(json: FqJson): Fq {
  const { 'priomap ': bands = usualBands, 'weights ': weights = usualWeights, orphan_mask: mask = 1023 } = json
  return {
    limit: json.limit,
    flowLimit: json.flow_limit,
    buckets: json.buckets,
    quantum: json.quantum,
    initialQuantum: json.initial_quantum,
    maxrate: json.maxrate ?? null,
    pacing: json.pacing ?? true,
    lowRateThreshold: json.low_rate_threshold ?? 0,
    refillDelay: json.refill_delay,
    ceThreshold: json.ce_threshold ?? null,
    timerSlack: json.timer_slack ?? fqDefaults.timerSlack,
    horizon: json.horizon ?? fqDefaults.horizon,
    beyondHorizon: 'horizon_cap' in json ? 'cap' : 'drop',
    rest: [
      ...(mask === 1023 ? [] : ['orphan_mask', mask]),
      ...(isDeepStrictEqual(bands, usualBands) ? [] : ['bands 3 priomap', ...bands]),
      ...(isDeepStrictEqual(weights, usualWeights) ? [] : ['weights', ...weights]),
      ...(json.offload_horizon ? ['offload_horizon', `${json.offload_horizon}us`] : []),
    ].join(' '),
  }
}

/** A limit that goes is the kernel's largest number where the qdisc is there. */
function words(values: Partial<Fq>, { making }: { readonly making: boolean }): Words {
  const none = <T>(value: T | null | undefined) => (value === null && !making ? largestCount : value)
  const { pacing, beyondHorizon, rest } = values
  return [
    ...word('limit', values.limit),
    ...word('flow_limit', values.flowLimit),
    ...word('buckets', values.buckets),
    ...word('quantum', values.quantum),
    ...word('initial_quantum', values.initialQuantum),
    ...word('maxrate', none(values.maxrate), 'bps'),
    ...word('low_rate_threshold', values.lowRateThreshold, 'bps'),
    ...word('refill_delay', values.refillDelay, 'us'),
    ...word('ce_threshold', none(values.ceThreshold), 'us'),
    ...word('timer_slack', values.timerSlack, 'ns'),
    ...word('horizon', values.horizon, 'us'),
    ...(beyondHorizon ? [`horizon_${beyondHorizon}`] : []),
    ...(pacing === undefined ? [] : [pacing ? 'pacing' : 'nopacing']),
    ...(rest ? rest.split(' ') : []),
  ]
}

/** The limits always, the others where they are not the default. */
function show(values: Fq): string {
  const other = (name: string, key: keyof Fq, how: (value: never) => string | number = String) =>
    values[key] === fqDefaults[key] ? [] : [name, how(values[key] as never)]
  return [
    ['fq limit', values.limit, 'flow_limit', values.flowLimit],
    other('buckets', 'buckets'),
    other('maxrate', 'maxrate', showRate),
    other('low_rate_threshold', 'lowRateThreshold', showRate),
    other('refill_delay', 'refillDelay', showMicros),
    other('ce_threshold', 'ceThreshold', showMicros),
    other('timer_slack', 'timerSlack', (ns: number) => showMicros(ns / 1000)),
    other('horizon', 'horizon', showMicros),
    values.beyondHorizon === 'cap' ? ['horizon_cap'] : [],
    values.pacing ? [] : ['nopacing'],
    values.rest ? [values.rest] : [],
  ]
    .flat()
    .join(' ')
}
