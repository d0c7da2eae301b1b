/** What the qdiscs of a network device have counted. */

import type { Resource } from '../../dsl/resource.ts'
import { type Collector, Probe, unparsable } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'
import type { Row } from './discipline.ts'
import { deviceNames, listDevices, parseRows, split, unreadable } from './qdisc-listing.ts'

/** Those of one device, or the devices that the host has where it has no such one. */
export type DeviceCounters =
  | { readonly type: 'absent'; readonly devices: readonly string[] }
  | { readonly type: 'present'; readonly qdiscs: readonly QdiscCounters[] }

/** Since it was made, but for what waits, which is of the moment. */
export interface QdiscCounters {
  readonly kind: string
  readonly handle: string
  /** Null for the root, which counts what those below it drop as well. */
  readonly parent: string | null
  readonly bytes: number
  readonly packets: number
  readonly drops: number
  /** How often a packet had to wait for a rate. */
  readonly overlimits: number
  /** Bytes that wait. */
  readonly backlog: number
  /** Packets marked instead of dropped; null where the kind does not count them. */
  readonly ecnMarks: number | null
  /** How often a flow came into a queue where it had nothing; null where the kind does not count them. */
  readonly newFlows: number | null
}

/**
 * The counters of a device's qdiscs.
 *
 * @example
 * mockHost('web1').has(qdiscCounters('eth0'), { type: 'absent', devices: ['lo'] })
 */
export function qdiscCounters(device: string): Resource<DeviceCounters> {
  return { key: `qdisc-stats:${device}`, read: Probe.of(counters, device) }
}

const counters: Collector<string, DeviceCounters> = {
  name: 'tc qdisc counters',
  ask: () => sh`${listDevices}
tc -j -s qdisc show`,
  answers(output, devices) {
    if (output.status !== 0) throw unreadable(output)
    const [head, json] = split(output.stdout.toString())
    const rows = parseRows<CountedRow>(json)
    if (!rows) throw unparsable('tc -j -s qdisc show', output)
    const names = deviceNames(head, rows)
    return devices.map((device) =>
      names.includes(device)
        ? { type: 'present', qdiscs: rows.filter(({ dev }) => dev === device).map(countersOf) }
        : { type: 'absent', devices: names },
    )
  },
}

/** What `tc -j -s` prints; the marks of cake are in its tins, those of fq are called by what it marks with. */
interface CountedRow extends Row {
  readonly bytes?: number
  readonly packets?: number
  readonly drops?: number
  readonly overlimits?: number
  readonly backlog?: number
  readonly ecn_mark?: number
  readonly ce_mark?: number
  readonly new_flow_count?: number
  readonly tins?: readonly { readonly ecn_mark?: number }[]
}

function countersOf(row: CountedRow): QdiscCounters {
  const marks = row.ecn_mark ?? row.ce_mark ?? row.tins?.reduce((sum, { ecn_mark: count = 0 }) => sum + count, 0)
  return {
    kind: row.kind,
    handle: row.handle,
    parent: row.root ? null : (row.parent ?? null),
    bytes: row.bytes ?? 0,
    packets: row.packets ?? 0,
    drops: row.drops ?? 0,
    overlimits: row.overlimits ?? 0,
    backlog: row.backlog ?? 0,
    ecnMarks: marks ?? (row.kind === 'fq' ? 0 : null),
    newFlows: row.new_flow_count ?? null,
  }
}
