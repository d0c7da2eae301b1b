/** The parameters of tbf, a token bucket that holds all traffic to a rate, in the kernel's units. */

import type { Bytes, Duration } from '../../dsl/units.ts'
import type { Discipline, Row, Values } from './discipline.ts'
import {
  completeFqCodel,
  type FqCodel,
  fqCodel,
  type FqCodelJson,
  type FqCodelOptions,
  parseFqCodel,
  readFqCodel,
  showFqCodel,
} from './fq-codel.ts'
import {
  amount,
  largestCount,
  parseParameters,
  type Rate,
  rate,
  type Said,
  showBytes,
  showRate,
  span,
} from './parameters.ts'
import { burstOf, ticksOf } from './tbf-ticks.ts'

/** The rate and the bucket of tbf. */
export interface TbfBucket {
  /** What it holds the traffic to. */
  readonly rate: Rate
  /** Bytes that may go at once after a rest: a full frame at least, and what the rate sends in a timer tick of the kernel. */
  readonly burst: Bytes
}

/** Parameters of tbf: how long its queue may become, in time or in bytes, or the qdisc that queues in its place. */
export type TbfOptions = TbfBucket &
  (
    | { readonly latency: Duration; readonly limit?: never; readonly fqCodel?: never }
    | { readonly limit: Bytes; readonly latency?: never; readonly fqCodel?: never }
    | { readonly fqCodel: FqCodelOptions; readonly latency?: never; readonly limit?: never }
  )

/** All parameters as a host has them: the rate in bytes in a second. */
export type Tbf = {
  readonly rate: number
  /** The least bytes of which the kernel makes the time that it keeps. */
  readonly burst: number
  /** Bytes in the queue; null where a qdisc below does the queueing. */
  readonly limit: number | null
  /** The fq_codel below; null for a plain queue. */
  readonly child: FqCodel | null
}

interface Numbers {
  readonly rate: number
  readonly burst: number
  readonly latency: number
  readonly limit: number
}

/** A full Ethernet frame. One that is longer than the bucket is dropped, always. */
const frame = 1514

const parsers = {
  rate: rate(Number.MAX_SAFE_INTEGER),
  burst: amount(frame, largestCount),
  latency: span(1),
  limit: amount(frame, largestCount),
}

/** What a play says, in the kernel's units; or everything that is wrong with it. */
export function parseTbf(options: TbfOptions): Said<TbfWish> {
  const { fqCodel: below, ...own } = options
  const queues = ['latency', 'limit', 'fqCodel'].filter((name) => options[name as keyof TbfOptions] !== undefined)
  const said = parseParameters<Numbers>('tbf', parsers, own)
  const child = below && parseFqCodel(below)
  const problems = [
    ...(['rate', 'burst'] as const)
      .filter((name) => options[name] === undefined)
      .map((name) => `${name}: tbf needs it`),
    ...(queues.length === 1
      ? []
      : [`tbf takes one of latency, limit and fqCodel, not ${queues.join(' and ') || 'none'}`]),
    ...said.problems,
    ...(child?.problems ?? []).map((problem) => `fqCodel: ${problem}`),
  ]
  if (problems.length > 0) return { wish: {}, problems }
  return bucket(said.wish as Numbers, child?.wish)
}

/** What a play says of tbf; of the fq_codel below, only what it says. */
export type TbfWish = {
  readonly rate: number
  readonly burst: number
  readonly limit: number | null
  readonly child: Partial<FqCodel> | null
}

/** The kernel keeps a bucket as a time, and both in 32 bits; `tc` cuts what is more without a word. */
function bucket({ rate: perSecond, burst, latency, limit }: Numbers, child?: Partial<FqCodel>): Said<TbfWish> {
  if (ticksOf(burst, perSecond) > largestCount) {
    const problem = `burst: ${showBytes(burst)} at ${showRate(perSecond)} last longer than the 274s that the kernel keeps`
    return { wish: {}, problems: [problem] }
  }
  // As tc does: the bucket, and what the rate sends in that time.
  const queue = limit ?? Math.floor((perSecond * latency) / 1e6) + burst
  if (!child && queue > largestCount) {
    const problem = `latency: ${showBytes(queue)} at ${showRate(perSecond)} is more than the 4GiB that the kernel keeps`
    return { wish: {}, problems: [problem] }
  }
  const canonical = burstOf(ticksOf(burst, perSecond), perSecond)
  return {
    wish: { rate: perSecond, burst: canonical, limit: child ? null : queue, child: child ?? null },
    problems: [],
  }
}

export const tbf: Discipline<Tbf> = {
  kind: 'tbf',
  read: (options, below) => readTbf(options as unknown as TbfJson, below),
  complete(wish, now) {
    const { rate: perSecond, burst, limit, child } = wish as TbfWish
    return { rate: perSecond, burst, limit, child: child && completeFqCodel(child, now?.child ?? undefined) }
  },
  // Every one must be said, always; the limit is of no effect where another qdisc does the queueing.
  words: ({ rate: perSecond, burst, limit }) => ['rate', `${perSecond}bps`, 'burst', burst!, 'limit', limit ?? burst!],
  // A child that is taken away leaves no queue behind: everything is dropped then.
  isChangeable(from, to) {
    if (!from.child || !to.child) return from.child === to.child
    return fqCodel.isChangeable(from.child, to.child)
  },
  show({ rate: perSecond, burst, limit, child }) {
    const queue = child ? showFqCodel(child) : `limit ${showBytes(limit ?? 0)}`
    return `tbf rate ${showRate(perSecond)} burst ${showBytes(burst)} ${child ? 'with ' : ''}${queue}`
  },
  child: ({ child }) => child ?? null,
  again: ({ child }) => (child ? fqCodel.again(child) : 'change'),
  isShaper: () => true,
}

/** What `tc -j -d -r` prints of it; of a peak rate only its bucket. */
interface TbfJson {
  readonly rate: number
  /** Ticks of 64 ns, in hexadecimal: `burst` itself is rounded, to another number by each version. */
  readonly burst_raw?: string
  readonly limit?: number
  readonly mtu_raw?: string
  readonly mpu?: number
  readonly overhead?: number
  readonly linklayer?: string
}

function readTbf(json: TbfJson, below: readonly Row[]): Tbf | undefined {
  const { mpu = 0, overhead = 0, linklayer = 'ethernet', burst_raw: raw, limit } = json
  const isPlain = json.mtu_raw === undefined && mpu === 0 && overhead === 0 && linklayer === 'ethernet'
  const child = childOf(below)
  if (!isPlain || child === undefined || raw === undefined || limit === undefined) return undefined
  return {
    rate: json.rate,
    burst: burstOf(Number.parseInt(raw, 16), json.rate),
    limit: child ? null : limit,
    child,
  }
}

/** Undefined where something else than one fq_codel hangs below. */
function childOf(below: readonly Row[]): FqCodel | null | undefined {
  const [first, ...others] = below
  if (!first) return null
  if (others.length > 0 || first.kind !== 'fq_codel') return undefined
  return readFqCodel(first.options as unknown as FqCodelJson & Values)
}
