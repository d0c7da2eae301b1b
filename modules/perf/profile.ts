/** Where processes spend their time on the processor: told, drawn, and never changed. */

import { type Finding, Observation, type Observed, type Unexpected } from '../../dsl/observation.ts'
import { type Duration, seconds } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { unitName } from '../unit.ts'
import { flameGraph, type Stack } from './flame-graph.ts'
import { frequency, type Lacking, type Samples, samplesOf, type Target } from './samples.ts'

/** What is profiled, and how long. */
export type PerfTarget = ({ readonly unit: string } | { readonly pid: number }) & {
  /** How long samples are taken, up to a minute. @default 10s */
  readonly during?: Duration
}

/**
 * Looks where the processes of a unit, or one process, spend their time: 99 samples a second with `perf record`, folded on the host, so
 * that little travels. It tells the functions that were most on the processor, and leaves a flame graph (SVG) beside the
 * run's report. Nothing is installed, and nothing stays on the host.
 *
 * Where there is no hardware counter, which is so in most virtual machines, perf counts by a clock of the kernel, and the finding
 * says so. Where there is no profile to be had (a kernel without perf events, no perf, no permission, a unit that does not
 * run), it says why; that is a failure only where something was expected. Programs without symbols are told by their file.
 * Whoever is not root needs `kernel.perf_event_paranoid` to allow it.
 *
 * @example
 * perfProfile({ unit: 'php8.4-fpm', during: '10s' })
 * perfProfile({ unit: 'crm-sync' }).expectBelow('zif_sleep', '20%')
 * @see perf-record(1), perf_event_open(2)
 */
export function perfProfile(target: PerfTarget): PerfProfile {
  return new PerfProfile(target)
}

export class PerfProfile extends Observation<Samples> {
  readonly module = 'perfProfile'
  readonly id: string
  readonly target: Target
  readonly during: number
  readonly limits: readonly Limit[] = []

  /** @internal Made by `perfProfile()`. */
  constructor({ during = '10s', ...target }: PerfTarget) {
    super()
    const name = 'unit' in target ? unitName(target.unit) : undefined
    this.target = 'pid' in target ? { pid: target.pid } : { unit: typeof name === 'string' ? name : target.unit }
    this.id = 'pid' in target ? `process ${target.pid}` : spoken(this.target)
    const span = seconds(during)
    this.during = typeof span === 'number' ? span : 0
    const problems = [
      ...(isProblem(name) ? [name.problem] : []),
      ...('pid' in target && !(Number.isInteger(target.pid) && target.pid > 0)
        ? [`${target.pid} is not the number of a process`]
        : []),
      ...(typeof span !== 'number'
        ? [`during: ${span.problem}`]
        : Number.isInteger(span) && span >= 1 && span <= 60
          ? []
          : [`during: whole seconds, from 1s to 60s, not ${JSON.stringify(during)}`]),
    ]
    if (problems.length > 0) return this.wrong(problems.join('; '))
  }

  /** Expects that a function, with all that it calls, is on no more than this share of the samples. */
  expectBelow(symbol: string, share: `${number}%`): PerfProfile {
    const most = /^\d+(\.\d+)?%$/.test(share) ? Number.parseFloat(share) : Number.NaN
    const problem =
      most >= 0 && most <= 100 ? undefined : `expectBelow takes a share such as 20%, not ${JSON.stringify(share)}`
    return this.with<PerfProfile>({ limits: [...this.limits, { symbol, most }] }).wrong(problem)
  }

  get view() {
    return samplesOf(this.target, this.during)
  }

  find({ now }: Observed<Samples>): Finding {
    if ('lacks' in now) return this.without(now)
    const { event, samples, stacks } = now
    const span = `${this.during} s`
    if (samples === 0) return { says: `${this.id} was not on the processor in ${span}: no samples.` }
    const by = isClock(event) ? `${event}, since there are no hardware counters` : event
    const shares = sharesOf(stacks)
    const [top] = shares
    const title = `${this.id}, ${samples} samples in ${span}`
    const drawn = stacks.reduce((sum, stack) => sum + stack.samples, 0)
    const rare = drawn === samples ? '' : `, of which the ${drawn} most alike are drawn`
    return {
      says: `${samples} samples in ${span} (${by}); most in ${top!.name}: ${percent(top!.self, samples)}`,
      table: ['   self    total  function', ...shares.slice(0, 15).map((share) => line(share, samples))],
      files: [
        {
          name: `${this.id.replace(/[^\w.@-]/g, '-')}.svg`,
          content: flameGraph(stacks, { title, subtitle: `${event}, ${frequency} times a second${rare}` }),
        },
      ],
      unexpected: this.tooHot(shares, samples),
    }
  }

  private without({ lacks, said }: Lacking): Finding {
    const [why, hint] = reasons[lacks]
    const says = `not available here, because ${why(this.id)}`
    const table = said === '' ? [] : said.split('\n')
    if (this.limits.length === 0) return { says, table }
    return {
      says,
      table,
      unexpected: { message: `${this.id}: whether it is as expected is not known, because ${why(this.id)}.`, hint },
    }
  }

  private tooHot(shares: readonly Share[], samples: number): Unexpected | undefined {
    const hot = this.limits.flatMap(({ symbol, most }) => {
      const total = shares.find(({ name }) => name === symbol)?.total ?? 0
      return (100 * total) / samples > most
        ? [`${symbol} is on ${percent(total, samples)} of the samples, not below ${most} %`]
        : []
    })
    return hot.length > 0 ? { message: `${this.id}: ${hot.join('; ')}.` } : undefined
  }
}

interface Limit {
  readonly symbol: string
  /** Percent. */
  readonly most: number
}

/** Samples in which a function was the innermost, and in which it was at all. */
interface Share {
  readonly name: string
  readonly self: number
  readonly total: number
}

/** Functions by how many samples were in themselves. The first frame of a stack is the program's name. */
function sharesOf(stacks: readonly Stack[]): readonly Share[] {
  const [self, total] = [new Map<string, number>(), new Map<string, number>()]
  for (const { frames, samples } of stacks) {
    const functions = frames.length > 1 ? frames.slice(1) : frames
    const innermost = functions.at(-1)!
    self.set(innermost, (self.get(innermost) ?? 0) + samples)
    for (const name of new Set(functions)) total.set(name, (total.get(name) ?? 0) + samples)
  }
  return [...total]
    .map(([name, all]) => ({ name, self: self.get(name) ?? 0, total: all }))
    .toSorted((a, b) => b.self - a.self || b.total - a.total || (a.name < b.name ? -1 : 1))
}

function line({ name, self, total }: Share, samples: number): string {
  return `${percent(self, samples).padStart(8)} ${percent(total, samples).padStart(8)}  ${name}`
}

function percent(part: number, all: number): string {
  return `${((100 * part) / all).toFixed(1)} %`
}

function isClock(event: string): boolean {
  return /^(cpu|task)-clock/.test(event)
}

function spoken(target: Target): string {
  return 'unit' in target ? target.unit.replace(/\.service$/, '') : String(target.pid)
}

const reasons: Readonly<Record<Lacking['lacks'], readonly [(id: string) => string, string]>> = {
  kernel: [
    () => 'this kernel has no perf events (perf_event_open)',
    'Profile a host whose kernel is built with CONFIG_PERF_EVENTS.',
  ],
  perf: [() => 'perf is not installed', "Install it in an earlier task: aptPackage('linux-perf')"],
  unit: [(id) => `${id} is not running`, 'Start it in an earlier task.'],
  process: [(id) => `there is no ${id}`, 'A unit keeps its name when its processes come and go.'],
  permission: [
    () => 'perf could not record',
    'perf_event_paranoid, a container or a sandbox may forbid it: become root, or look at what perf says.',
  ],
}
