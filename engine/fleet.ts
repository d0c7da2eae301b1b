/** Plays on many hosts: who is meant, how many at a time, who failed, who was not reached. */

import pLimit from 'p-limit'
import type { InventoryHost } from '../dsl/inventory.ts'
import type { Play, Serial } from '../dsl/play.ts'
import { Failure } from '../errors/failure.ts'
import { type Aimed, aim, type AimOptions, type Stages } from './aim.ts'
import { type CompiledTask, compile } from './compile.ts'
import { withSecretsCovered } from './covered.ts'
import type { Emit, Event, Outcome, Recap } from './events.ts'
import type { Host, Step } from './host.ts'
import { HostRun } from './host-run.ts'
import { type At, HostJournal, type Journal } from './journal.ts'
import { factsOf, knowing, knownFacts } from './lazy-facts.ts'
import type { Mandate } from './mandate.ts'
import type { TaskResult } from './task-result.ts'
import type { Seal } from './sealed.ts'
import { sensitiveKeys, withSensitive } from './sensitive.ts'
import { failureData, type KeepFile } from './tell.ts'

export interface FleetOptions extends AimOptions {
  /** What `aim` made of these, where it was asked before. */
  readonly stages?: Stages
  /** Hosts at once. */
  readonly forks: number
  readonly check: boolean
  readonly connect: (host: InventoryHost) => Host
  readonly emit: Emit
  readonly stopping: () => boolean
  /** Without it the files of observations are named, and not kept. */
  readonly keep?: KeepFile
  /** Where it is written what is done; a plan writes nothing. */
  readonly journal?: Journal
  /** What the run may do beside what its plays say; without it all of that. */
  readonly mandate?: (at: At) => Mandate
  /** Told, of a plan, what would be sent for each task. */
  readonly planned?: (at: At, compiled: CompiledTask, result: TaskResult, steps: readonly Step[]) => void
  /** Tells by digests what must not be seen; asked when something is. @default one of this process alone */
  readonly seal?: () => Seal
}

/**
 * Runs plays, or plans them. Throws Mistakes before any connection where a play, a pattern or an option is wrong;
 * what goes wrong on a host is told as events, without secrets.
 */
export async function fleet(given: FleetOptions): Promise<Recap> {
  const emit = (event: Event) => {
    const told = withSecretsCovered(event)
    given.journal?.write(told)
    given.emit(told)
  }
  const options: FleetOptions = { ...given, emit }
  const stages = options.stages ?? aim(options)
  const started = performance.now()
  const run = new FleetRun(options, new Set(stages.flat().flatMap(({ sensitive }) => [...sensitive])))
  try {
    for (const stage of stages) await Promise.all(stage.map((aimed) => run.play(aimed)))
  } finally {
    await run.close()
  }
  const recap = run.recap((performance.now() - started) / 1000)
  options.emit({ type: 'run-finished', recap, interrupted: options.stopping() })
  return recap
}

/** What is known of a host in the whole run. */
interface Known {
  readonly host: Host
  outcome: Outcome
}

/** A host that a play was begun on. */
interface Begun {
  readonly name: string
  readonly known: Known
  readonly run: HostRun | undefined
  readonly outcome: Outcome
  /** Trips before this play. */
  readonly before: number
}

class FleetRun {
  readonly #options: FleetOptions
  /** Keys of places that are so for every play of the run, whichever of them has a secret for it. */
  readonly #sensitive: ReadonlySet<string>
  readonly #limit: ReturnType<typeof pLimit>
  readonly #known = new Map<string, Known>()
  /** Hosts that no play has begun with. */
  readonly #untouched = new Set<string>()
  readonly #tasks = { ok: 0, changed: 0, skipped: 0, failed: 0 }

  constructor(options: FleetOptions, sensitive: ReadonlySet<string>) {
    this.#options = options
    this.#sensitive = sensitive
    this.#limit = pLimit(options.forks)
  }

  async play({ play, hosts }: Aimed): Promise<void> {
    const { emit } = this.#options
    emit({ type: 'play-started', play: play.name, hosts: hosts.map(({ name }) => name), place: play.origin.place })
    const going = hosts.filter(({ name }) => !isLost(this.#known.get(name)?.outcome))
    const batches = split(going, play.serial)
    const allowed = count(play.maxFailures, hosts.length)
    let failures = hosts.length - going.length
    const observing: Begun[] = []
    for (const [i, batch] of batches.entries()) {
      if (i > 0 && failures > allowed) {
        const left = batches.slice(i).flat()
        const reason = `${failures} of ${hosts.length} hosts failed or were unreachable; the play allows ${allowed}`
        this.#leave(play, left, reason)
        break
      }
      if (batches.length > 1) {
        emit({
          type: 'batch-started',
          play: play.name,
          hosts: batch.map(({ name }) => name),
          number: i + 1,
          of: batches.length,
        })
      }
      const begun = await Promise.all(batch.map((host) => this.#limit(() => this.#host(play, host))))
      for (const one of begun) {
        if (one && isLost(one.outcome)) failures++
        if (one?.run?.observes && !isLost(one.outcome)) observing.push(one)
        else if (one) this.#finish(play, one)
      }
    }
    // All side by side: they mostly wait, and what they see is to be of the same time.
    await Promise.all(observing.map((one) => this.#observe(play, one)))
  }

  async #host(play: Play, host: InventoryHost): Promise<Begun | undefined> {
    const { connect, check, emit, stopping, keep = named, mandate, planned, seal } = this.#options
    if (stopping()) {
      this.#leave(play, [host], 'interrupted')
      return undefined
    }
    emit({ type: 'host-started', play: play.name, host: host.name })
    const known = this.#known.get(host.name) ?? { host: connect(host), outcome: 'ok' as const }
    this.#known.set(host.name, known)
    const before = known.host.trips
    const tell = (event: Event) => {
      if (event.type === 'task' || event.type === 'observation')
        this.#tasks[event.outcome === 'warned' ? 'ok' : event.outcome]++
      emit(event)
    }
    const at = { play: play.name, host: host.name }
    let run: HostRun | undefined
    let outcome: Outcome
    try {
      const facts = await factsOf(known.host, play.become)
      const { tasks, problems } = await knowing(() => compile(play, host, this.#options.hosts, facts, this.#options))
      if (problems.length > 0) outcome = this.#refused(play, host.name, problems)
      else {
        emit({ type: 'connected', play: play.name, host: host.name, tasks: tasks.length })
        const journal = this.#options.journal && new HostJournal(this.#options.journal, at)
        journal?.host(host, knownFacts(facts))
        const sensitive = new Set([...this.#sensitive, ...sensitiveKeys(tasks)])
        run = new HostRun(known.host, facts, withSensitive(tasks, sensitive), {
          play: play.name,
          check,
          emit: tell,
          stopping,
          keep,
          journal,
          mandate: mandate?.(at) ?? {},
          planned: planned && ((...what) => planned(at, ...what)),
          ...(seal && { seal }),
        })
        outcome = await run.run()
      }
    } catch (error) {
      outcome = this.#lost(play, host.name, run, error)
    }
    if (isLost(outcome)) run?.leave('the host failed before it')
    return { name: host.name, known, run, outcome, before }
  }

  async #observe(play: Play, begun: Begun): Promise<void> {
    const { name, run } = begun
    let outcome: Outcome
    try {
      outcome = await run!.observe()
    } catch (error) {
      outcome = this.#lost(play, name, run, error)
    }
    this.#finish(play, { ...begun, outcome: worse(begun.outcome, outcome) })
  }

  #finish(play: Play, { name, known, outcome, before }: Begun): void {
    this.#note(name, outcome)
    const trips = known.host.trips - before
    this.#options.emit({ type: 'host-finished', play: play.name, host: name, outcome, trips })
  }

  /** The work on a host broke off: it is unreachable, or another run works on it, or we are wrong. */
  #lost(play: Play, host: string, run: HostRun | undefined, error: unknown): Outcome {
    if (!(error instanceof Failure)) return this.#refused(play, host, [broken(error)])
    if (error.code === 'E_LOCKED') return this.#refused(play, host, [error])
    const failure = failureData(error)
    this.#options.emit({ type: 'unreachable', play: play.name, host, task: run?.current?.info, failure })
    return 'unreachable'
  }

  /** Does not begin with hosts. */
  #leave(play: Play, hosts: readonly InventoryHost[], reason: string): void {
    const names = hosts.map(({ name }) => name)
    this.#options.emit({ type: 'not-begun', play: play.name, hosts: names, reason })
    for (const name of names) {
      if (this.#known.has(name)) this.#note(name, 'skipped')
      else this.#untouched.add(name)
    }
  }

  /** The play cannot be made for this host, by what its facts are; or it broke off. */
  #refused(play: Play, host: string, problems: readonly Failure[]): 'failed' {
    for (const [index, problem] of problems.entries()) {
      this.#tasks.failed++
      this.#options.emit({
        type: 'task',
        play: play.name,
        host,
        task: { index, module: 'play', title: `play ${play.name}`, place: problem.place },
        outcome: 'failed',
        reason: undefined,
        changes: [],
        notes: [],
        irreversible: [],
        failure: failureData(problem),
        ignored: false,
      })
    }
    return 'failed'
  }

  /** The worst that happened to a host in the run is what it is. */
  #note(name: string, outcome: Outcome): void {
    const known = this.#known.get(name)
    if (known) known.outcome = worse(known.outcome, outcome)
  }

  recap(seconds: number): Recap {
    const hosts = { ok: 0, changed: 0, failed: 0, unreachable: 0, skipped: this.#untouched.size }
    for (const { outcome } of this.#known.values()) hosts[outcome]++
    const trips = Math.max(0, ...[...this.#known.values()].map(({ host }) => host.trips))
    return { hosts, tasks: this.#tasks, seconds, trips }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#known.values()].map(({ host }) => host.close()))
  }
}

const named: KeepFile = (_host, { name }) => name

/** The engine never throws for a host: the others go on. */
function broken(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  return new Failure('E_INTERNAL', `The work on this host broke off: ${message}`, { cause: error })
}

const severity: readonly Outcome[] = ['ok', 'skipped', 'changed', 'unreachable', 'failed']

function worse(a: Outcome, b: Outcome): Outcome {
  return severity.indexOf(b) > severity.indexOf(a) ? b : a
}

function isLost(outcome: Outcome | undefined): boolean {
  return outcome === 'failed' || outcome === 'unreachable'
}

function split<T>(hosts: readonly T[], serial: Serial | undefined): readonly (readonly T[])[] {
  if (serial === undefined || hosts.length === 0) return [hosts]
  const size = Math.max(1, count(serial, hosts.length))
  return Array.from({ length: Math.ceil(hosts.length / size) }, (_, i) => hosts.slice(i * size, (i + 1) * size))
}

/** A number, or a share of all. */
function count(size: Serial, all: number): number {
  return typeof size === 'number' ? size : Math.floor((all * Number.parseFloat(size)) / 100)
}
