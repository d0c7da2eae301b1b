/** What speaks against another qdisc at the root of a device. */

import { irreversible, note, refuse, type Verdict } from '../../dsl/task.ts'
import type { Wished } from './discipline.ts'
import type { KernelQdiscs } from './kernel-qdiscs.ts'
import { type NetworkdQdisc, setsQdiscOf } from './networkd-qdiscs.ts'
import { isRestorable, type PresentQdisc } from './root-qdisc.ts'

/** Kinds that have classes or inner qdiscs, whether any is to be seen or not. */
const classful = [
  'cbq',
  'drr',
  'ets',
  'hfsc',
  'htb',
  'mqprio',
  'mq',
  'multiq',
  'netem',
  'prio',
  'qfq',
  'red',
  'sfb',
  'taprio',
  'tbf',
]

/** What would be lost with the qdisc that is there. */
export function judgeRoot(device: string, root: PresentQdisc, wished: Wished | undefined): readonly Verdict[] {
  if (root.kind === 'mq' && wished && !wished.discipline.isShaper(wished.wish)) {
    const hint =
      "sysctl(…).set('net.core.default_qdisc', 'fq_codel') gives each queue its own, for devices that appear from then on."
    return [
      refuse(
        `${device} has a queue for each processor (mq); one ${wished.discipline.kind} at the root would put them all behind one lock.`,
        hint,
      ),
    ]
  }
  if (root.type === 'default') return wished ? notesOn(device, root.kind, wished) : []
  if (isRestorable(root)) return []
  if (classful.includes(root.kind) || root.children !== 0) {
    return [
      refuse(
        `${device} has ${root.kind} at its root, whose classes and limits would be lost.`,
        `It has ${whatHangs(root)}. Take it away first where nobody needs it: tc qdisc del dev ${device} root`,
      ),
    ]
  }
  return [irreversible(`${device} has ${root.kind}, of which tc does not show all that is needed to put it back`)]
}

function notesOn(device: string, kind: string, { discipline, wish }: Wished): readonly Verdict[] {
  if (kind === 'mq') return [note(`all queues of ${device} (mq) come behind one lock`)]
  // A bridge, a VLAN, a tunnel: what it sends waits in the device below, or nowhere.
  return kind === 'noqueue' && !discipline.isShaper(wish)
    ? [
        note(
          `${device} is virtual and has no queue of its own: ${discipline.kind} does nothing there until a shaper holds it back`,
        ),
      ]
    : []
}

function whatHangs({ kind, children, foreign }: PresentQdisc): string {
  if (children === 0) return foreign ? 'parameters that a play cannot say' : 'classes'
  const one = kind === 'htb' ? 'a class' : 'a qdisc'
  const many = kind === 'htb' ? 'classes' : 'qdiscs'
  return `${children === 1 ? one : `${children} ${many}`} below it`
}

export function unkept(device: string, systemd: boolean): Verdict {
  const lacks = systemd ? 'udev, which announces devices to systemd, does not run' : 'systemd does not run'
  return refuse(
    `On this host ${lacks}, so nothing would put the qdisc back on ${device} at boot.`,
    'Say `.atBoot(false)` to set it now only.',
  )
}

/** Two that set one qdisc: networkd does whenever it configures the link, at boot above all. */
export function judgeNetworkd(device: string, all: readonly NetworkdQdisc[]): readonly Verdict[] {
  return all
    .filter((one) => setsQdiscOf(device, one))
    .map(({ file, sections }) =>
      refuse(
        `systemd-networkd sets the qdisc of ${device} too, at boot and whenever it configures the link: [${sections.join('] [')}] in ${file}.`,
        'Take that section out, which leaves the qdisc as it is until then; or say `.atBoot(false)`.',
      ),
    )
}

/** Kinds that the kernel does not have, which `tc` tells only when it is told to put them. */
export function judgeKernel(has: KernelQdiscs, { discipline, wish }: Wished): readonly Verdict[] {
  if (has === 'unknown') return []
  const kinds = [discipline.kind, ...(discipline.child?.(wish) ? ['fq_codel'] : [])]
  return kinds
    .filter((kind) => !has.includes(kind))
    .map((kind) =>
      refuse(
        `The kernel of this host has no ${kind}.`,
        `It has ${has.join(', ') || 'no other either'}. The module is sch_${kind}; cloud kernels may bring it in a package of their own.`,
      ),
    )
}
