/** The queueing discipline at the root of a network device. */

import { knownAfterApply } from '../../dsl/known-after.ts'
import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { type Collector, type Output, Probe, tail, unparsable } from '../../probe/probe.ts'
import { type Script, sh } from '../../shell/script.ts'
import { type FqCodel, type FqCodelJson, fqCodelWords, isChangeable, readFqCodel, showFqCodel } from './fq-codel.ts'

/** What is at the root of a device. */
export type RootQdisc =
  /** The host has no such device; those that it has. */
  { readonly type: 'absent'; readonly devices: readonly string[] } | PresentQdisc

export interface PresentQdisc {
  /** `default` where nobody put it there: its handle is `0:`. */
  readonly type: 'default' | 'added'
  readonly kind: string
  /** Those of fq_codel in its own terms, those of other kinds as `tc -j` prints them. */
  readonly options: Readonly<Record<string, unknown>> | typeof knownAfterApply
  /** Qdiscs that hang below this one. */
  readonly children: number | typeof knownAfterApply
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

/** The parameters where it is fq_codel. */
export function asFqCodel(qdisc: RootQdisc): FqCodel | undefined {
  return qdisc.type !== 'absent' && qdisc.kind === 'fq_codel' ? (qdisc.options as FqCodel) : undefined
}

/** Whether what is there could be put back. */
export function isRestorable({ type, kind }: PresentQdisc): boolean {
  return type === 'default' || kind === 'fq_codel' || simple.includes(kind)
}

/** Kinds whose only option is `limit`. */
const simple = ['pfifo', 'bfifo']

/** The names of all devices, a question mark, and the qdiscs of all devices as JSON. A device that was never up has none there. */
const qdiscs: Collector<string, RootQdisc> = {
  name: 'tc qdisc',
  ask: () => sh`command -v tc >/dev/null || { echo 'tc: not found' >&2; exit 127; }
while read -r d _; do
  case $d in *:) printf '%s\n' "$d" ;; esac
done </proc/net/dev
echo '?'
tc -j qdisc show`,
  answers(output, devices) {
    if (output.status !== 0) throw unreadable(output)
    const [head, json] = split(output.stdout.toString())
    const rows = parseRows(json)
    if (!rows) throw unparsable('tc -j qdisc show', output)
    const names = [
      ...new Set([
        ...head
          .split('\n')
          .filter(Boolean)
          .map((name) => name.slice(0, -1)),
        ...rows.map(({ dev }) => dev),
      ]),
    ]
    return devices.map((device) => {
      if (!names.includes(device)) return { type: 'absent', devices: names }
      return present(rows.filter(({ dev }) => dev === device))
    })
  },
}

interface Row {
  readonly kind: string
  readonly handle: string
  readonly dev: string
  readonly root?: boolean
  readonly parent?: string
  readonly options?: Readonly<Record<string, unknown>>
}

function split(text: string): [head: string, json: string] {
  const at = text.startsWith('?\n') ? -1 : text.indexOf('\n?\n')
  return [text.slice(0, Math.max(at, 0)), text.slice(at + 3)]
}

function parseRows(json: string): readonly Row[] | undefined {
  try {
    return JSON.parse(json) as Row[]
  } catch {
    return undefined
  }
}

function present(rows: readonly Row[]): PresentQdisc {
  const root = rows.find((row) => row.root)
  // A device that was never up has a qdisc that tc does not show.
  if (!root) return { type: 'default', kind: 'noop', options: {}, children: 0 }
  const isDefault = root.handle === '0:'
  const below = rows.filter(({ parent }) => parent?.startsWith(isDefault ? ':' : root.handle))
  const options = root.options ?? {}
  return {
    type: isDefault ? 'default' : 'added',
    kind: root.kind,
    options: root.kind === 'fq_codel' ? readFqCodel(options as unknown as FqCodelJson) : options,
    children: below.length,
  }
}

function unreadable(output: Output): Failure {
  const seen = { command: 'tc -j qdisc show', status: output.status, output: tail(output.stderr) }
  if (output.status !== 127) return new Failure('E_UNREADABLE', 'The qdiscs of the host could not be read.', { seen })
  const hint = "Install it before: aptPackage('iproute2')."
  return new Failure('E_UNREADABLE', 'tc is not installed on this host.', { seen, hint })
}

function write(device: string, to: RootQdisc, from: RootQdisc): Script {
  if (to.type === 'absent') throw new Failure('E_REFUSED', `The device ${device} cannot be taken away.`)
  if (to.type === 'default') return sh`tc qdisc del dev ${device} root`.touches()
  const values = asFqCodel(to)
  if (values) return writeFqCodel(device, values, from).touches()
  if (!simple.includes(to.kind))
    throw new Failure('E_REFUSED', `A ${to.kind} qdisc cannot be put back from what tc shows of it.`)
  return sh`tc qdisc replace dev ${device} root ${to.kind} limit ${String((to.options as { limit?: number }).limit)}`.touches()
}

function writeFqCodel(device: string, to: FqCodel, from: RootQdisc): Script {
  const now = from.type === 'added' ? asFqCodel(from) : undefined
  if (!now) return sh`tc qdisc replace dev ${device} root fq_codel ${fqCodelWords(to, { flows: true })}`
  if (isChangeable(now, to))
    return sh`tc qdisc replace dev ${device} root fq_codel ${fqCodelWords(to, { flows: false })}`
  // What can be said only when it is made needs a new one: another handle makes one, in one step.
  return sh`set -- $(tc qdisc show dev ${device} root)
if [ "$3" = 1: ]; then h=2:; else h=1:; fi
tc qdisc replace dev ${device} root handle "$h" fq_codel ${fqCodelWords(to, { flows: true })}`.called(
    `tc qdisc replace dev ${device} root fq_codel`,
  )
}

function show(qdisc: RootQdisc): string {
  if (qdisc.type === 'absent') return 'no such device'
  const fqCodel = asFqCodel(qdisc)
  if (fqCodel) return showFqCodel(fqCodel)
  if (qdisc.kind === knownAfterApply) return "the kernel's default"
  if (qdisc.type === 'default') return qdisc.kind
  const options = Object.entries(qdisc.options).filter(
    ([, value]) => typeof value === 'number' || typeof value === 'string',
  )
  return [qdisc.kind, ...options.flat()].join(' ')
}
