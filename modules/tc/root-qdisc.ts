/** The queueing discipline at the root of a network device. */

import { knownAfterApply } from '../../dsl/known-after.ts'
import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { type Collector, Probe, unparsable } from '../../probe/probe.ts'
import { lines, type Script, sh } from '../../shell/script.ts'
import type { Discipline, Row, Values } from './discipline.ts'
import { disciplineOf } from './disciplines.ts'
import { type FqCodel, fqCodelWords } from './fq-codel.ts'
import { deviceNames, listDevices, parseRows, split, unreadable } from './qdisc-listing.ts'

/** What is at the root of a device. */
export type RootQdisc =
  /** The host has no such device; those that it has. */
  { readonly type: 'absent'; readonly devices: readonly string[] } | PresentQdisc

export interface PresentQdisc {
  /** `default` where nobody put it there: its handle is `0:`. */
  readonly type: 'default' | 'added'
  readonly kind: string
  /** Those of a kind that a play can say in its own terms, those of others as `tc -j` prints them. */
  readonly options: Values | typeof knownAfterApply
  /** What hangs below this one and is not a part of its options: qdiscs, and classes of htb. */
  readonly children: number | typeof knownAfterApply
  /** Of a kind that a play can say, with something that it cannot say and that would be lost. */
  readonly foreign?: true
}

/** The kernel's default on an Ethernet device of a host that nobody tuned. */
const pfifoFast: PresentQdisc = {
  type: 'default',
  kind: 'pfifo_fast',
  options: { bands: 3, priomap: [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], multiqueue: false },
  children: 0,
}

/** What is there when nobody has put a qdisc: the kernel chooses it by `net.core.default_qdisc` and the device. */
export const kernelDefault: PresentQdisc = {
  type: 'default',
  kind: knownAfterApply,
  options: knownAfterApply,
  children: knownAfterApply,
}

/**
 * The root qdisc of a device.
 *
 * @example
 * mockHost('web1').has(rootQdisc('eth0'), { type: 'absent', devices: ['lo', 'ens5'] })
 */
export function rootQdisc(device: string): Resource<RootQdisc> {
  return {
    key: `qdisc:${device}`,
    read: Probe.of(qdiscs, device),
    write: (to, from) => write(device, to, from),
    show,
    fresh: pfifoFast,
  }
}

/** The parameters where it is of the kind, and wholly known. */
export function valuesOf(qdisc: RootQdisc, { kind }: Discipline): Values | undefined {
  const isKnown = qdisc.type !== 'absent' && qdisc.kind === kind && !qdisc.foreign
  return isKnown ? (qdisc.options as Values) : undefined
}

/** What it is, where it is of a kind that a play can say, and wholly known. */
function known(qdisc: PresentQdisc): Discipline | undefined {
  return qdisc.foreign || qdisc.options === knownAfterApply ? undefined : disciplineOf(qdisc.kind)
}

/** Whether what is there could be put back. */
export function isRestorable(qdisc: PresentQdisc): boolean {
  if (qdisc.type === 'default' || simple.includes(qdisc.kind)) return true
  return known(qdisc) !== undefined && qdisc.children === 0
}

/** Kinds whose only option is `limit`. */
const simple = ['pfifo', 'bfifo']

/**
 * The qdiscs of all devices as JSON; where one is htb, the classes of the devices that are asked for. `-r` gives the bucket of
 * tbf as the kernel keeps it, and `-d` all that would be lost with it.
 */
const qdiscs: Collector<string, RootQdisc> = {
  name: 'tc qdisc',
  ask: (devices) => sh`${listDevices}
q=$(tc -j -d -r qdisc show) || exit
printf '%s\n' "$q"
case $q in *'"htb"'*) for d in ${devices}; do printf '?%s\n' "$d"; tc class show dev "$d" 2>/dev/null; done ;; esac; :`,
  answers(output, devices) {
    if (output.status !== 0) throw unreadable(output)
    const [head, tail] = split(output.stdout.toString())
    const [json = '', ...classes] = tail.split('\n?')
    const rows = parseRows(json)
    if (!rows) throw unparsable('tc -j qdisc show', output)
    const names = deviceNames(head, rows)
    const counts = new Map(classes.map(countClasses))
    return devices.map((device) => {
      if (!names.includes(device)) return { type: 'absent', devices: names }
      return present(
        rows.filter(({ dev }) => dev === device),
        counts.get(device) ?? 0,
      )
    })
  },
}

/** A device, and how many classes htb has there. */
function countClasses(part: string): [device: string, count: number] {
  const [device = '', ...all] = part.split('\n')
  return [device, all.filter((line) => line.startsWith('class htb ')).length]
}

function present(rows: readonly Row[], classes: number): PresentQdisc {
  const root = rows.find((row) => row.root)
  // A device that was never up has a qdisc that tc does not show.
  if (!root) return { type: 'default', kind: 'noop', options: {}, children: 0 }
  const isDefault = root.handle === '0:'
  const below = rows.filter(({ parent }) => parent?.startsWith(isDefault ? ':' : root.handle))
  const type = isDefault ? 'default' : 'added'
  const { kind, options = {} } = root
  const discipline = disciplineOf(kind)
  const values = discipline?.read(options, below)
  if (!values) {
    return { type, kind, options, children: below.length, ...(discipline && { foreign: true }) }
  }
  if (discipline?.hasClasses) return { type, kind, options: values, children: Math.max(classes, below.length) }
  return { type, kind, options: values, children: discipline?.child?.(values) ? 0 : below.length }
}

function write(device: string, to: RootQdisc, from: RootQdisc): Script {
  if (to.type === 'absent') throw new Failure('E_REFUSED', `The device ${device} cannot be taken away.`)
  if (to.type === 'default') return sh`tc qdisc del dev ${device} root`.touches()
  const discipline = known(to)
  if (discipline) {
    const now = from.type === 'added' ? valuesOf(from, discipline) : undefined
    return move(device, discipline, to.options as Values, now).touches()
  }
  if (!simple.includes(to.kind))
    throw new Failure('E_REFUSED', `A ${to.kind} qdisc cannot be put back from what tc shows of it.`)
  return sh`tc qdisc replace dev ${device} root ${to.kind} limit ${String((to.options as { limit?: number }).limit)}`.touches()
}

/** From one of the same kind, or from whatever else is there. */
function move(device: string, discipline: Discipline, to: Values, now: Values | undefined): Script {
  const { kind } = discipline
  const child = discipline.child?.(to)
  if (now && discipline.isChangeable(now, to)) {
    const root = sh`tc qdisc replace dev ${device} root ${kind} ${discipline.words(to, { making: false })}`
    if (!child) return root
    return lines(sh`set -- $(tc qdisc show dev ${device} root)`, root, below(device, sh`"$3"`, child, { flows: false }))
  }
  const making = discipline.words(to, { making: true })
  if (!now && !child) return sh`tc qdisc replace dev ${device} root ${kind} ${making}`
  // What can be said only when it is made needs a new one: another handle makes one, in one step.
  return lines(
    sh`set -- $(tc qdisc show dev ${device} root)
if [ "$3" = 1: ]; then h=2:; else h=1:; fi
tc qdisc replace dev ${device} root handle "$h" ${kind} ${making}`,
    ...(child ? [below(device, sh`"$h"`, child, { flows: true })] : []),
  ).called(`tc qdisc replace dev ${device} root ${kind}`)
}

function below(device: string, handle: Script, child: Partial<FqCodel>, how: { readonly flows: boolean }): Script {
  return sh`[ $? -eq 0 ] && tc qdisc replace dev ${device} parent ${handle} fq_codel ${fqCodelWords(child, how)}`
}

function show(qdisc: RootQdisc): string {
  if (qdisc.type === 'absent') return 'no such device'
  if (qdisc.kind === knownAfterApply) return "the kernel's default"
  const discipline = known(qdisc)
  if (discipline) return discipline.show(qdisc.options as Values)
  if (qdisc.type === 'default') return qdisc.kind
  const options = Object.entries(qdisc.options).filter(
    ([, value]) => typeof value === 'number' || typeof value === 'string',
  )
  return [qdisc.kind, ...options.flat()].join(' ')
}
