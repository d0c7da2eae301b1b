/** What waited, was dropped or marked on a network device while somebody looked. */

import { type Finding, Observation, type Observed } from '../../dsl/observation.ts'
import { type Duration, seconds } from '../../dsl/units.ts'
import { Failure } from '../../errors/failure.ts'
import type { Resource } from '../../dsl/resource.ts'
import { showBytes } from './parameters.ts'
import { type DeviceCounters, type QdiscCounters, qdiscCounters } from './qdisc-counters.ts'

export interface QdiscStatsOptions {
  /** How long it looks. @default 10s */
  readonly during?: Duration
}

/** So many exactly, or within bounds. */
export type Bound = number | { readonly below?: number; readonly atLeast?: number }

/** What may happen within the window; what is not said may be anything. */
export interface QdiscExpectation {
  /** Packets that were dropped. */
  readonly drops?: Bound
  /** Packets of flows that know ECN, marked instead of dropped. */
  readonly ecnMarks?: Bound
  /** How often a packet had to wait for a rate. */
  readonly overlimits?: Bound
  /** How often a flow came into a queue where it had nothing. */
  readonly newFlows?: Bound
  /** Bytes that wait when the window ends. */
  readonly backlog?: Bound
}

/**
 * Watches the qdisc of a network device for a while, once the play has reacted: what was dropped, marked and made to wait. It
 * changes nothing. Where none of it happened it says that the device is not the bottleneck: no qdisc does anything there.
 *
 * Without `.expect()` it tells what it saw. A device that the host does not have is a failure, as is a qdisc that was replaced
 * meanwhile, whose counters began anew, and a counter that is expected of a kind that does not keep it.
 *
 * @example
 * qdiscStats('eth0', { during: '30s' }).expect({ drops: { below: 100 } })
 * @see tc(8)
 */
export function qdiscStats(device: string, options: QdiscStatsOptions = {}): QdiscStats {
  return new QdiscStats(device, options)
}

type Counter = keyof QdiscExpectation
type Totals = Readonly<Record<Counter | 'packets', number | null>>

const told: Readonly<Record<Counter, string>> = {
  drops: 'dropped',
  ecnMarks: 'marked by ECN',
  overlimits: 'held back for a rate',
  newFlows: 'new flows in a queue',
  backlog: 'bytes waiting',
}
const names = Object.keys(told) as readonly Counter[]

export class QdiscStats extends Observation<DeviceCounters> {
  readonly module = 'qdiscStats'
  readonly id: string
  readonly during: number
  readonly expected: QdiscExpectation = {}

  /** @internal Made by `qdiscStats()`. */
  constructor(device: string, { during = '10s' }: QdiscStatsOptions) {
    super()
    this.id = device
    const window = seconds(during)
    this.during = typeof window === 'number' ? window : 0
    if (typeof window !== 'number') return this.wrong(`qdiscStats ${device}: ${window.problem}`)
    if (window < 1) return this.wrong(`qdiscStats ${device}: during ${during}: it looks for 1s at least`)
  }

  /** What may happen within the window; several calls add up. */
  expect(expected: QdiscExpectation): QdiscStats {
    return this.with<QdiscStats>({ expected: { ...this.expected, ...expected } }).wrong(problemOf(this.id, expected))
  }

  get view(): Resource<DeviceCounters> {
    return qdiscCounters(this.id)
  }

  override get window(): number {
    return this.during
  }

  find({ before, now }: Observed<DeviceCounters>): Finding {
    const device = this.id
    const [first, last] = [before, now].map((counters) => qdiscsOf(device, counters))
    const root = rootOf(last!)
    if (isAnother(rootOf(first!), root)) {
      const message = `The qdisc of ${device} was replaced within the window, and counts anew.`
      return { says: `${root.kind}, replaced meanwhile`, unexpected: { message, hint: 'Look again when it stays.' } }
    }
    const totals = totalsOf(first!, last!)
    const says = `${root.kind}: ${sentence(root, totals, this.during)}`
    const wrong = names.flatMap((name) => unmet(name, this.expected[name], totals[name]) ?? [])
    if (wrong.length === 0) return { says, table: table(last!) }
    return { says, table: table(last!), unexpected: { message: `${device} (${root.kind}): ${wrong.join('; ')}.` } }
  }
}

function qdiscsOf(device: string, counters: DeviceCounters): readonly QdiscCounters[] {
  if (counters.type === 'absent') {
    const hint = `The host has ${counters.devices.join(', ')}.`
    throw new Failure('E_UNEXPECTED', `This host has no network device ${device}.`, { hint })
  }
  return counters.qdiscs
}

/** A device that was never up has a qdisc that tc does not show. */
function rootOf(qdiscs: readonly QdiscCounters[]): Pick<QdiscCounters, 'kind' | 'handle' | 'packets'> {
  return qdiscs.find(({ parent }) => parent === null) ?? { kind: 'noop', handle: '0:', packets: 0 }
}

function isAnother(before: ReturnType<typeof rootOf>, now: ReturnType<typeof rootOf>): boolean {
  return before.kind !== now.kind || before.handle !== now.handle || now.packets < before.packets
}

/** The root counts what is dropped and held back below it as well; marks and flows only the qdisc that knows them. */
function totalsOf(before: readonly QdiscCounters[], now: readonly QdiscCounters[]): Totals {
  const own = (all: readonly QdiscCounters[], name: 'drops' | 'overlimits' | 'backlog' | 'packets') =>
    all.find(({ parent }) => parent === null)?.[name] ?? 0
  const since = (name: 'drops' | 'overlimits' | 'packets') => own(now, name) - own(before, name)
  const sum = (name: 'ecnMarks' | 'newFlows') => {
    const counted = now.filter((qdisc) => qdisc[name] !== null)
    if (counted.length === 0) return null
    // Those that the kernel put there have all the same handle.
    const earlier = ({ handle, parent }: QdiscCounters) =>
      before.find((qdisc) => qdisc.handle === handle && qdisc.parent === parent)?.[name] ?? 0
    return counted.reduce((all, qdisc) => all + qdisc[name]! - earlier(qdisc), 0)
  }
  return {
    packets: since('packets'),
    drops: since('drops'),
    overlimits: since('overlimits'),
    backlog: own(now, 'backlog'),
    ecnMarks: sum('ecnMarks'),
    newFlows: sum('newFlows'),
  }
}

function sentence({ kind }: { readonly kind: string }, totals: Totals, during: number): string {
  if (kind === 'noqueue') return 'the device has no queue, and counts nothing'
  const { packets } = totals
  if (packets === 0) return `nothing was sent in ${during} s`
  const happened = names.filter((name) => (totals[name] ?? 0) > 0)
  const sent = `${packets} ${packets === 1 ? 'packet' : 'packets'} in ${during} s`
  if (happened.length > 0) return [sent, ...happened.map((name) => `${totals[name]} ${told[name]}`)].join(', ')
  const idle = totals.newFlows === null ? 'nothing was dropped, and nothing waited at the end' : 'nothing was queued'
  return `${sent}, not the bottleneck: ${idle}`
}

function table(qdiscs: readonly QdiscCounters[]): readonly string[] {
  return qdiscs.map(({ kind, handle, parent, packets, drops, overlimits, backlog, ecnMarks, newFlows }) =>
    [
      `${kind} ${handle} ${parent === null ? 'root' : `parent ${parent}`}`,
      `packets ${packets}`,
      `dropped ${drops}`,
      `overlimits ${overlimits}`,
      `backlog ${showBytes(backlog)}`,
      ...(ecnMarks === null ? [] : [`ECN marks ${ecnMarks}`]),
      ...(newFlows === null ? [] : [`new flows ${newFlows}`]),
    ].join('  '),
  )
}

function unmet(name: Counter, bound: Bound | undefined, count: number | null): string | undefined {
  if (bound === undefined) return undefined
  if (count === null) return `${name} are expected, which this kind does not count`
  const { below = Infinity, atLeast = -Infinity } =
    typeof bound === 'number' ? { below: bound + 1, atLeast: bound } : bound
  if (count < below && count >= atLeast) return undefined
  return `${count} ${told[name]}, not ${showBound(bound)}`
}

function showBound(bound: Bound): string {
  if (typeof bound === 'number') return String(bound)
  const { below, atLeast } = bound
  return [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
  ].join(' and ')
}

function problemOf(device: string, expected: QdiscExpectation): string | undefined {
  const bad = Object.entries(expected).find(([name, bound]: [string, Bound | undefined]) => {
    if (!names.includes(name as Counter)) return true
    const numbers = typeof bound === 'object' ? Object.values(bound) : [bound ?? 0]
    return numbers.length === 0 || numbers.some((number) => !Number.isInteger(number) || number < 0)
  })
  if (!bad) return undefined
  const [name, bound] = bad
  return `qdiscStats ${device}: expect: ${name}: ${JSON.stringify(bound)} is not a count, { below: 10 } or { atLeast: 1 } of ${names.join(', ')}`
}
