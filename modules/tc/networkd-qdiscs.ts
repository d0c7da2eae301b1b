/** Queueing disciplines that systemd-networkd puts on devices, where it runs. */

import type { Resource } from '../../dsl/resource.ts'
import { Probe, unparsable } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'

/** A file of networkd that sets qdiscs of the devices that it matches by name. */
export interface NetworkdQdisc {
  readonly file: string
  /** Patterns of names. */
  readonly devices: readonly string[]
  /** `FairQueueingControlledDelay`. */
  readonly sections: readonly string[]
}

/** None where networkd does not run. Files that match devices by something else than their names are not told. */
export const networkdQdiscs: Resource<readonly NetworkdQdisc[]> = {
  key: 'networkd:qdiscs',
  label: 'qdiscs of systemd-networkd',
  read: Probe.script(
    sh`[ -e /run/systemd/netif/state ] || exit 0
grep -HsE '^[[:space:]]*(\[|Name[[:space:]]*=)' /etc/systemd/network/*.network /run/systemd/network/*.network; :`,
    (output) => {
      if (output.status !== 0) throw unparsable('the files of systemd-networkd', output)
      return parse(output.stdout.toString())
    },
  ),
  fresh: [],
}

/** Whether it sets the qdisc of a device. Patterns are those of a shell; `!` before the first turns all round. */
export function setsQdiscOf(device: string, { devices }: NetworkdQdisc): boolean {
  const isInverted = devices[0]?.startsWith('!') ?? false
  const matches = devices.some((pattern) => glob(pattern.replace(/^!/, '')).test(device))
  return matches !== isInverted
}

/** All that sit at a root; `[QDisc]` itself is for clsact and ingress, which are beside it. */
const kinds = [
  'BFIFO',
  'CAKE',
  'ControlledDelay',
  'DeficitRoundRobinScheduler',
  'EnhancedTransmissionSelection',
  'FairQueueing',
  'FairQueueingControlledDelay',
  'FlowQueuePIE',
  'GenericRandomEarlyDetection',
  'HeavyHitterFilter',
  'HierarchyTokenBucket',
  'NetworkEmulator',
  'PFIFO',
  'PFIFOFast',
  'PFIFOHeadDrop',
  'PIE',
  'QuickFairQueueing',
  'StochasticFairBlue',
  'StochasticFairnessQueueing',
  'TokenBucketFilter',
  'TrivialLinkEqualizer',
]

/** Lines of `grep -H`: the heads of sections, and the names that they match. */
function parse(text: string): readonly NetworkdQdisc[] {
  const files = new Map<string, { section: string; devices: string[]; sections: string[] }>()
  for (const line of text.split('\n').filter(Boolean)) {
    const at = line.indexOf(':')
    const [name, value] = [line.slice(0, at), line.slice(at + 1).trim()]
    const file = files.get(name) ?? { section: '', devices: [], sections: [] }
    files.set(name, file)
    const [, section] = /^\[(.*)\]$/.exec(value) ?? []
    if (section !== undefined) {
      file.section = section
      if (kinds.includes(section)) file.sections.push(section)
    } else if (file.section === 'Match') {
      file.devices.push(
        ...value
          .replace(/^Name\s*=\s*/, '')
          .split(/\s+/)
          .filter(Boolean),
      )
    }
  }
  return [...files]
    .filter(([, { devices, sections }]) => devices.length > 0 && sections.length > 0)
    .map(([file, { devices, sections }]) => ({ file, devices, sections }))
}

function glob(pattern: string): RegExp {
  const text = pattern
    .replaceAll(/[.+^$()|{}\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replaceAll('[!', '[^')
  return new RegExp(`^${text}$`)
}
