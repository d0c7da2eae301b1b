/** The parameters of fq_codel, in the kernel's units. */

import { knownAfterApply } from '../../dsl/known-after.ts'
import { type Bytes, type Duration, micros, type Parsed } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { type Discipline, word, type Words } from './discipline.ts'
import {
  amount,
  flag,
  largestCount,
  parseParameters,
  type Parsers,
  type Said,
  showMicros,
  whole,
} from './parameters.ts'

/** Parameters of fq_codel; what is not said is the kernel's default. */
export interface FqCodelOptions {
  /** Packets in all queues together. @default 10240 */
  readonly limit?: number
  /** Queues, up to 65536. A change replaces the qdisc by a new one, in one step. @default 1024 */
  readonly flows?: number
  /** Delay in the queue that is let be; below the interval. @default 5ms */
  readonly target?: Duration
  /** Time in which the delay must have been below the target once. @default 100ms */
  readonly interval?: Duration
  /** Bytes that a queue sends in its turn, 256 to 1 MiB. @default one full frame of the device when the qdisc is made */
  readonly quantum?: Bytes
  /** Bytes in all queues together. @default 32MiB */
  readonly memoryLimit?: Bytes
  /** Marks packets of flows that know ECN instead of dropping them. @default true */
  readonly ecn?: boolean
  /** Packets dropped at once where the limit is reached. @default 64 */
  readonly dropBatch?: number
  /** Delay from which every packet that knows ECN is marked. @default none */
  readonly ceThreshold?: Duration
}

/** All parameters as a host has them. Times are in microseconds: the least that the kernel keeps as it does. */
export type FqCodel = {
  readonly limit: number
  readonly flows: number
  readonly target: number
  readonly interval: number
  readonly quantum: number | typeof knownAfterApply
  readonly memoryLimit: number
  readonly ecn: boolean
  readonly dropBatch: number
  /** Null for none. */
  readonly ceThreshold: number | null
  /** `VALUE/MASK` of the DSCP and ECN field, which `tc` alone sets; null for all packets. */
  readonly ceSelector: string | null
}

/** The kernel's own; the quantum is a full frame of the device, which the kernel takes from its MTU. */
export const fqCodelDefaults: FqCodel = {
  limit: 10_240,
  flows: 1024,
  target: 5000,
  interval: 100_000,
  quantum: knownAfterApply,
  memoryLimit: 32 * 1024 ** 2,
  ecn: true,
  dropBatch: 64,
  ceThreshold: null,
  ceSelector: null,
}

/** Limits that the kernel keeps without a word, or that `tc` does not take. */
const largestQuantum = 1024 ** 2
const smallestQuantum = 256
const largestMemory = 2 ** 31

/** What a play says, in the kernel's units; or everything that is wrong with it. */
export function parseFqCodel(options: FqCodelOptions): Said<FqCodel> {
  const parsers: Parsers<FqCodelOptions> = {
    limit: whole(1, largestCount),
    flows: whole(1, 65_536),
    target: time,
    interval: time,
    quantum: amount(smallestQuantum, largestQuantum),
    memoryLimit: amount(1, largestMemory),
    ecn: flag,
    dropBatch: whole(1, largestCount),
    ceThreshold: time,
  }
  const said = parseParameters<FqCodel>('fq_codel', parsers, options)
  return said.problems.length > 0 ? said : { ...said, problems: timesProblems(said.wish) }
}

/** The delay must have been below the target once in every interval, which a target as long as that says nothing of. */
function timesProblems(wish: Partial<FqCodel>): readonly string[] {
  const { target, interval } = { ...fqCodelDefaults, ...wish }
  if (target < interval) return []
  const told = (name: 'target' | 'interval', us: number) =>
    `the ${name} ${wish[name] === undefined ? 'is by default' : 'is'} ${showMicros(us)}`
  return [
    `target: CoDel needs one below the interval, some 5 to 10 % of it: ${told('target', target)}, ${told('interval', interval)}`,
  ]
}

export const fqCodel: Discipline<FqCodel> = {
  kind: 'fq_codel',
  read: (options) => readFqCodel(options as unknown as FqCodelJson),
  complete: completeFqCodel,
  words: (values, { making }) => fqCodelWords(values, { flows: making }),
  isChangeable,
  show: showFqCodel,
  // The kernel does not change the number of flows of a qdisc that is there.
  again: ({ flows }) => (flows !== undefined && flows !== fqCodelDefaults.flows ? 'anew' : 'change'),
  isShaper: () => false,
}

export function completeFqCodel(wish: Partial<FqCodel>, now: FqCodel | undefined): FqCodel {
  return { ...fqCodelDefaults, ...(now && { quantum: now.quantum }), ...wish }
}

/** What `tc -j` prints of it. */
export interface FqCodelJson {
  readonly limit: number
  readonly flows: number
  readonly quantum: number
  readonly target: number
  readonly interval: number
  readonly memory_limit: number
  readonly ecn?: boolean
  readonly drop_batch: number
  readonly ce_threshold?: number
  readonly ce_threshold_selector?: number
  readonly ce_threshold_mask?: number
}

export function readFqCodel(json: FqCodelJson): FqCodel {
  return {
    limit: json.limit,
    flows: json.flows,
    target: asDeclared(json.target),
    interval: asDeclared(json.interval),
    quantum: json.quantum,
    memoryLimit: json.memory_limit,
    ecn: json.ecn ?? false,
    dropBatch: json.drop_batch,
    ceThreshold: json.ce_threshold === undefined ? null : asDeclared(json.ce_threshold),
    ceSelector:
      json.ce_threshold_mask === undefined ? null : `${json.ce_threshold_selector ?? 0}/${json.ce_threshold_mask}`,
  }
}

/**
 * The words for `tc`: all of them, since `replace` keeps what is not named. Without `flows` for a qdisc that is there:
 * the kernel refuses the word then, even with the number that it has.
 */
export function fqCodelWords(values: Partial<FqCodel>, { flows }: { readonly flows: boolean }): Words {
  const { limit, target, interval, quantum, memoryLimit, ecn, dropBatch, ceThreshold, ceSelector } = values
  return [
    ...word('limit', limit),
    ...(flows ? word('flows', values.flows) : []),
    ...word('target', target, 'us'),
    ...word('interval', interval, 'us'),
    ...word('quantum', quantum),
    ...word('memory_limit', memoryLimit),
    ...word('drop_batch', dropBatch),
    ...word('ce_threshold', ceThreshold, 'us'),
    ...word('ce_threshold_selector', ceSelector),
    ...(ecn === undefined ? [] : [ecn ? 'ecn' : 'noecn']),
  ]
}

/** Whether a qdisc can become another by a change of its parameters, without being made anew. */
function isChangeable(from: FqCodel, to: FqCodel): boolean {
  const keeps = (key: 'ceThreshold' | 'ceSelector') => from[key] === null || to[key] !== null
  return from.flows === to.flows && keeps('ceThreshold') && keeps('ceSelector')
}

/** A quantum that is not worth telling. */
const ethernetFrame = 1514

/** As `tc` would write it: always limit, target, interval and ECN, the others where they are not the default. */
export function showFqCodel(values: FqCodel): string {
  const { limit, flows, target, interval, quantum, memoryLimit, ecn, dropBatch, ceThreshold, ceSelector } = values
  const other = (name: string, value: number, usual: number) => (value === usual ? [] : [name, value])
  return [
    'fq_codel',
    'limit',
    limit,
    ...other('flows', flows, fqCodelDefaults.flows),
    'target',
    showMicros(target),
    'interval',
    showMicros(interval),
    ...(quantum === knownAfterApply ? [] : other('quantum', quantum, ethernetFrame)),
    ...other('memory_limit', memoryLimit, fqCodelDefaults.memoryLimit),
    ...other('drop_batch', dropBatch, fqCodelDefaults.dropBatch),
    ...(ceThreshold === null ? [] : ['ce_threshold', showMicros(ceThreshold)]),
    ...(ceSelector === null ? [] : ['ce_threshold_selector', ceSelector]),
    ecn ? 'ecn' : 'noecn',
  ].join(' ')
}

/** What the kernel prints for a time that it was given: it counts in steps of 1024 ns. */
function asPrinted(us: number): number {
  return Math.floor((Math.floor((us * 1000) / 1024) * 1024) / 1000)
}

/** The least time of which the kernel prints this. Its own print given back would lose a step each time: 5000, 4999, 4998. */
function asDeclared(printed: number): number {
  let us = Math.max(1, printed)
  while (asPrinted(us) < printed) us++
  return us
}

function time(value: Duration): Parsed<number> {
  const us = micros(value)
  if (isProblem(us)) return us
  // Below a step there is none, and tc takes 0 for "not said".
  if (us < 2 || us > largestCount)
    return { problem: `${JSON.stringify(value)} is not a time from 2us to ${Math.floor(largestCount / 1e6)}s` }
  return asDeclared(asPrinted(us))
}
