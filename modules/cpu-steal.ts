/** Processor time that the hypervisor gave to others while this host wanted it. */

import { type Finding, Observation, type Observed } from '../dsl/observation.ts'
import type { Resource } from '../dsl/resource.ts'
import { type Duration, seconds } from '../dsl/units.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import { Probe, unparsable } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'

/** In ticks of the kernel, of all processors together, since the host was started. */
export interface CpuTime {
  readonly total: number
  readonly steal: number
}

/**
 * The share of processor time that was stolen while a span passes, after the play has reacted: somebody else on the same
 * machine had it while this host wanted to run. It changes nothing. Not every hypervisor says what it steals. It reads
 * `/proc/stat` alone: `/proc/pressure` is not on every kernel, and vmstat not on every host.
 *
 * Without `.expect()` it only tells. A span that is none is told before any connection.
 *
 * @example
 * cpuSteal({ during: '30s' }).expect({ below: 5 }).warn()
 * @see proc_stat(5)
 */
export function cpuSteal(options: { readonly during: Duration }): CpuSteal {
  return new CpuSteal(options.during)
}

export class CpuSteal extends Observation<CpuTime> {
  readonly module = 'cpuSteal'
  readonly id: string
  readonly limit: number | undefined

  /** @internal Made by `cpuSteal()`. */
  constructor(during: Duration) {
    super()
    this.id = during
    const span = seconds(during)
    if (isProblem(span)) return this.wrong(`cpuSteal: ${span.problem}`)
    if (span <= 0) return this.wrong(`cpuSteal: ${during} is no span to wait`)
  }

  /** Below which share it must stay, in percent. */
  expect({ below }: { readonly below: number }): CpuSteal {
    const isShare = below > 0 && below <= 100
    return this.with<CpuSteal>({ limit: below }).wrong(
      isShare ? undefined : `cpuSteal: below takes percent, more than 0 and up to 100, not ${JSON.stringify(below)}`,
    )
  }

  get view(): Resource<CpuTime> {
    return cpuTime
  }

  override get window(): number {
    const span = seconds(this.id as Duration)
    return isProblem(span) ? 0 : span
  }

  find({ before, now }: Observed<CpuTime>): Finding {
    const total = now.total - before.total
    if (total <= 0) {
      throw new Failure('E_UNEXPECTED', `No processor time was counted in ${this.window} s.`, {
        hint: 'Watch for longer; or the host was started again in the meantime.',
      })
    }
    // Some hypervisors have counted backwards over a live migration.
    const share = (Math.max(0, now.steal - before.steal) / total) * 100
    const ever =
      now.steal === 0 ? 'none since it was started' : `${percent((now.steal / now.total) * 100)} since it was started`
    const says = `${percent(share)} of the processor time was stolen in ${this.window} s, ${ever}`
    if (this.limit === undefined || share < this.limit) return { says }
    const message = `${percent(share)} of the processor time was stolen in ${this.window} s; expected was less than ${percent(this.limit)}.`
    return { says, unexpected: { message, hint: 'Others on the same machine had it: move the host, or ask for more.' } }
  }
}

/** What the kernel counts of processor time. It can only be looked at. */
export const cpuTime: Resource<CpuTime> = {
  key: 'cpu:time',
  label: 'processor time',
  read: Probe.script(
    sh`while read -r name times; do
  case $name in cpu) echo "$times"; exit 0 ;; esac
done </proc/stat
exit 1`,
    (output) => {
      // user nice system idle iowait irq softirq steal; guest time, which follows, is a part of user time.
      const times = output.stdout.toString().trim().split(' ').slice(0, 8).map(Number)
      const [, , , , , , , steal] = times
      if (output.status !== 0 || steal === undefined || times.some(Number.isNaN)) throw unparsable('/proc/stat', output)
      return { total: times.reduce((sum, time) => sum + time, 0), steal }
    },
  ),
}

function percent(share: number): string {
  return `${share === 0 || share >= 10 ? share.toFixed(0) : share.toFixed(share < 0.1 ? 2 : 1)} %`
}
