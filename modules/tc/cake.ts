/** The parameters of cake, a shaper and fair queue in one, in the kernel's units. */

import type { Bytes, Duration } from '../../dsl/units.ts'
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
  showBytes,
  showMicros,
  showRate,
  span,
  whole,
} from './parameters.ts'

const classes = ['besteffort', 'precedence', 'diffserv3', 'diffserv4', 'diffserv8'] as const
const isolations = [
  'flowblind',
  'srchost',
  'dsthost',
  'hosts',
  'flows',
  'dual-srchost',
  'dual-dsthost',
  'triple-isolate',
] as const

/** Parameters of cake; what is not said is the kernel's default. */
export interface CakeOptions {
  /** What it holds the traffic to. Without, it queues only where the device itself is the bottleneck. @default unlimited */
  readonly bandwidth?: Rate
  /** Classes by DSCP, and what each may take. @default diffserv3 */
  readonly diffserv?: (typeof classes)[number]
  /** Between whom the bandwidth is shared. @default triple-isolate */
  readonly isolation?: (typeof isolations)[number]
  /** Looks behind the address translation of this host for the addresses inside. @default false */
  readonly nat?: boolean
  /** Clears the DSCP of what leaves. @default false */
  readonly wash?: boolean
  /** Drops TCP acknowledgements that a later one covers. @default false */
  readonly ackFilter?: boolean | 'aggressive'
  /** Sends the segments of a large packet one by one. @default true */
  readonly splitGso?: boolean
  /** Shapes what comes in: counts what it drops as sent. @default false */
  readonly ingress?: boolean
  /** The round trip of the usual connection. @default 100ms */
  readonly rtt?: Duration
  /** Bytes that the line adds to each packet, from -64 to 256. @default none: packets as the kernel counts them */
  readonly overhead?: number
  /** Least bytes that a packet takes on the line, to 256. @default none */
  readonly mpu?: number
  /** Cells of the line, which a packet fills. @default noatm */
  readonly cells?: 'noatm' | 'atm' | 'ptm'
  /** Bytes in all queues together. @default as much as the bandwidth and the round trip need */
  readonly memoryLimit?: Bytes
}

/** All parameters as a host has them: bandwidth in bytes in a second, the round trip in microseconds. */
export type Cake = {
  /** Null for no limit. */
  readonly bandwidth: number | null
  readonly diffserv: string
  readonly isolation: string
  readonly nat: boolean
  readonly wash: boolean
  readonly ackFilter: boolean | 'aggressive'
  readonly splitGso: boolean
  readonly ingress: boolean
  readonly rtt: number
  /** Null for packets as the kernel counts them (`raw`). */
  readonly overhead: number | null
  readonly mpu: number
  readonly cells: string
  /** Null where the kernel chooses. */
  readonly memoryLimit: number | null
  /** What a play cannot say, as words for `tc`: `autorate-ingress`, `fwmark 0xff`. */
  readonly rest: string
}

/** The kernel's own. */
export const cakeDefaults: Cake = {
  bandwidth: null,
  diffserv: 'diffserv3',
  isolation: 'triple-isolate',
  nat: false,
  wash: false,
  ackFilter: false,
  splitGso: true,
  ingress: false,
  rtt: 100_000,
  overhead: null,
  mpu: 0,
  cells: 'noatm',
  memoryLimit: null,
  rest: '',
}

const parsers: Parsers<CakeOptions> = {
  bandwidth: rate(Number.MAX_SAFE_INTEGER),
  diffserv: oneOf(...classes),
  isolation: oneOf(...isolations),
  nat: flag,
  wash: flag,
  ackFilter: (value: unknown) => (value === 'aggressive' ? value : flag(value)),
  splitGso: flag,
  ingress: flag,
  rtt: span(1),
  overhead: whole(-64, 256),
  mpu: whole(0, 256),
  cells: oneOf('noatm', 'atm', 'ptm'),
  memoryLimit: amount(1, largestCount),
}

/** What a play says, in the kernel's units; or everything that is wrong with it. */
export function parseCake(options: CakeOptions): Said<Cake> {
  return parseParameters('cake', parsers, options)
}

export const cake: Discipline<Cake> = {
  kind: 'cake',
  read: (options) => readCake(options as unknown as CakeJson),
  complete: (wish) => ({ ...cakeDefaults, ...wish }),
  words,
  // It takes no word that would put these back: `mpu 0`, `memlimit 0` and `fwmark 0` change nothing.
  isChangeable: (from, to) =>
    from.rest === to.rest && (to.mpu !== 0 || from.mpu === 0) && (to.memoryLimit !== null || from.memoryLimit === null),
  show,
  again: () => 'change',
  isShaper: ({ bandwidth }) => typeof bandwidth === 'number',
}

/** What `tc -j` prints of it. */
interface CakeJson {
  readonly bandwidth: number | 'unlimited'
  readonly autorate?: string
  readonly diffserv: string
  readonly flowmode: string
  readonly nat?: boolean
  readonly wash?: boolean
  readonly ingress?: boolean
  readonly 'ack-filter'?: 'disabled' | 'enabled' | 'aggressive'
  readonly split_gso?: boolean
  readonly rtt: number
  readonly raw?: boolean
  readonly atm?: string
  readonly overhead?: number
  readonly mpu?: number
  readonly memlimit?: number
  readonly fwmark?: string
}

function readCake(json: CakeJson): Cake {
  const { 'ack-filter': acks } = json
  return {
    bandwidth: json.bandwidth === 'unlimited' ? null : json.bandwidth,
    diffserv: json.diffserv,
    isolation: json.flowmode,
    nat: json.nat ?? false,
    wash: json.wash ?? false,
    ackFilter: acks === 'aggressive' ? acks : acks === 'enabled',
    splitGso: json.split_gso ?? false,
    ingress: json.ingress ?? false,
    rtt: json.rtt,
    overhead: json.raw ? null : (json.overhead ?? 0),
    mpu: json.mpu ?? 0,
    cells: json.atm ?? 'noatm',
    memoryLimit: json.memlimit ?? null,
    rest: [
      ...(json.autorate ? [json.autorate] : []),
      ...((json.fwmark ?? '0') === '0' ? [] : ['fwmark', json.fwmark]),
    ].join(' '),
  }
}

function words(values: Partial<Cake>): Words {
  const { bandwidth, ackFilter, overhead, rest } = values
  const either = (value: boolean | undefined, yes: string, no: string) =>
    value === undefined ? [] : [value ? yes : no]
  const said = (value: string | undefined) => (value === undefined ? [] : [value])
  return [
    ...(bandwidth === null ? ['unlimited'] : word('bandwidth', bandwidth, 'bps')),
    ...said(values.diffserv),
    ...said(values.isolation),
    ...either(values.nat, 'nat', 'nonat'),
    ...either(values.wash, 'wash', 'nowash'),
    ...(ackFilter === 'aggressive' ? ['ack-filter-aggressive'] : either(ackFilter, 'ack-filter', 'no-ack-filter')),
    ...either(values.splitGso, 'split-gso', 'no-split-gso'),
    ...either(values.ingress, 'ingress', 'egress'),
    ...word('rtt', values.rtt, 'us'),
    // `raw` takes the cells away as well, so they come after it.
    ...(overhead === null ? ['raw'] : word('overhead', overhead)),
    ...said(values.cells),
    ...(values.mpu ? word('mpu', values.mpu) : []),
    ...word('memlimit', values.memoryLimit),
    ...(rest ? rest.split(' ') : []),
  ]
}

/** The bandwidth always, the others where they are not the default. */
function show(values: Cake): string {
  const { bandwidth, overhead, mpu, memoryLimit } = values
  const usual = words(cakeDefaults)
  const flags = words({ ...values, bandwidth: null, rtt: 0, overhead: null, mpu: 0, memoryLimit: null, rest: '' })
  return [
    ['cake', bandwidth === null ? 'unlimited' : `bandwidth ${showRate(bandwidth)}`],
    flags.filter((flagWord) => typeof flagWord === 'string' && !usual.includes(flagWord) && flagWord !== '0us'),
    values.rtt === cakeDefaults.rtt ? [] : ['rtt', showMicros(values.rtt)],
    overhead === null ? [] : ['overhead', overhead],
    mpu === 0 ? [] : ['mpu', mpu],
    memoryLimit === null ? [] : ['memlimit', showBytes(memoryLimit)],
    values.rest ? [values.rest] : [],
  ]
    .flat()
    .join(' ')
}
