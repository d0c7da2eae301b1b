/** One play on one host: read, plan, apply, prove, react. */

import { DeadMansSwitch } from '../dsl/dead-mans-switch.ts'
import type { Facts } from '../probe/facts.ts'
import { Apply } from './apply.ts'
import type { CompiledTask } from './compile.ts'
import type { Emit } from './events.ts'
import type { Host } from './host.ts'
import type { HostJournal } from './journal.ts'
import { knowing } from './lazy-facts.ts'
import { type CompiledObservation, isObservation, observe, type Sight, unseen } from './observe.ts'
import { placesOf, read } from './places.ts'
import { type Plan, plan, untouched } from './plan.ts'
import type { As, Step } from './host.ts'
import type { Mandate } from './mandate.ts'
import { pendingReactions, withdrawing } from './pending.ts'
import { type Due, leftPending, notReacted, react, unabsorbed, wantedHandlers, withNeeds } from './react.ts'
import type { Seal } from './sealed.ts'
import { passingSeal, Telling } from './sensitive.ts'
import { ReactionMoves } from './reaction-moves.ts'
import { type Results, skipReason, type TaskResult } from './task-result.ts'
import { type KeepFile, Teller } from './tell.ts'
import { World } from './world.ts'

export interface HostRunOptions {
  readonly play: string
  readonly check: boolean
  readonly emit: Emit
  /** Asked between tasks: whether to finish what is begun and go no further. */
  readonly stopping: () => boolean
  readonly keep: KeepFile
  readonly journal: HostJournal | undefined
  readonly mandate: Mandate
  /** Told, of a plan, what would be sent for each task. */
  readonly planned: ((compiled: CompiledTask, result: TaskResult, steps: readonly Step[]) => void) | undefined
  /** Tells by digests what must not be seen. */
  readonly seal?: () => Pick<Seal, 'digestOf'>
}

export type HostOutcome = 'ok' | 'changed' | 'failed'

export class HostRun {
  readonly #host: Host
  readonly #facts: Facts
  readonly #tasks: readonly CompiledTask[]
  readonly #observations: readonly CompiledObservation[]
  readonly #options: HostRunOptions
  readonly #teller: Teller
  readonly #world: World
  #apply: Apply | undefined
  /** What earlier runs left to be done. */
  #left: readonly Due[] = []

  constructor(host: Host, facts: Facts, tasks: readonly CompiledTask[], options: HostRunOptions) {
    this.#host = host
    this.#facts = facts
    this.#tasks = tasks.filter((compiled) => !isObservation(compiled))
    this.#observations = tasks.filter(isObservation)
    this.#options = options
    this.#world = new World(new Telling(options.seal ?? passingSeal))
    this.#teller = new Teller(options.play, host.name, tasks.length, options.emit)
  }

  /** The task in hand, for whoever must say where a host was lost. */
  get current(): CompiledTask | undefined {
    return this.#apply?.current
  }

  /** Rejects with a Failure where the host is lost. */
  async run(): Promise<HostOutcome> {
    const users = [...new Set(this.#tasks.map(({ as }) => as))]
    await read(this.#host, this.#world, new Map([...placesOf(this.#tasks), ...users.map(recordsOf)]))
    this.#left = leftPending(users, this.#world)
    const how = { left: this.#left, mandate: this.#options.mandate }
    const planned = await knowing(() => plan(this.#tasks, this.#world.copy(), this.#facts, how))
    if (this.#options.check) return this.#tellPlan(planned)
    if (planned.isRefused) return this.#refuse(planned)
    this.#options.journal?.planned(planned)
    return this.#do()
  }

  /** Whether there is something to observe when all hosts have reacted. */
  get observes(): boolean {
    return this.#observations.length > 0
  }

  /** Rejects with a Failure where the host is lost. */
  async observe(): Promise<HostOutcome> {
    const { check, keep, stopping } = this.#options
    const outcomes: HostOutcome[] = []
    const waiting = new Set(this.#observations)
    const tell = (compiled: CompiledObservation, sight: Sight) => {
      waiting.delete(compiled)
      this.#teller.observation(compiled, sight, keep)
      if (sight.outcome === 'failed' && !compiled.task.keywords.ignoreErrors) outcomes.push('failed')
    }
    for (const compiled of this.#observations) {
      const reason = skipReason(compiled, this.#apply?.results ?? new Map(), this.#options.mandate)
      if (reason) tell(compiled, unseen(reason))
      else if (check) tell(compiled, unseen('a plan does not observe'))
      else if (stopping()) tell(compiled, unseen('interrupted'))
    }
    if (waiting.size > 0)
      this.#teller.progress(this.#tasks.length, [...waiting].map(({ info }) => info.title).join(', '), 'observe')
    try {
      await observe(this.#host, this.#facts, [...waiting], tell)
    } catch (error) {
      for (const compiled of waiting) tell(compiled, unseen('the host was lost before it'))
      throw error
    }
    return outcomes[0] ?? 'ok'
  }

  /** Says of the observations that they were not made. */
  leave(reason: string): void {
    for (const compiled of this.#observations) this.#teller.observation(compiled, unseen(reason), this.#options.keep)
  }

  #tellPlan({ results, steps, due, refused }: Plan): HostOutcome {
    for (const [compiled, result] of results) this.#options.planned?.(compiled, result, steps.get(compiled) ?? [])
    this.#teller.tasks(this.#tasks, results)
    const failures = new Map(refused.map(({ due, failure }) => [due.handler.key, failure]))
    for (const one of due) {
      const failure = failures.get(one.handler.key)
      this.#teller.reaction(one, failure ? 'failed' : 'planned', failure)
    }
    return refused.length > 0 ? 'failed' : outcomeOf(results)
  }

  #refuse(planned: Plan): HostOutcome {
    this.#teller.tasks(this.#tasks, untouched(planned))
    for (const { due, failure } of planned.refused) this.#teller.reaction(due, 'failed', failure)
    return 'failed'
  }

  async #do(): Promise<HostOutcome> {
    const { stopping, journal, mandate } = this.#options
    const how = { teller: this.#teller, stopping, journal, mandate }
    const apply = new Apply(this.#host, this.#facts, this.#tasks, this.#world, how)
    this.#apply = apply
    let isLost = true
    try {
      await apply.run()
      isLost = false
    } finally {
      this.#teller.tasks(this.#tasks, apply.results)
      if (isLost) notReacted(unabsorbed(this.#wanted(apply)), this.#tellReaction)
    }
    const outcome = outcomeOf(apply.results)
    const wanted = this.#wanted(apply)
    const due = await withNeeds(this.#host, wanted, this.#world, this.#facts)
    if (due.length > 0)
      this.#teller.progress(this.#tasks.length, due.map(({ handler }) => handler.name).join(', '), 'react')
    await this.#withdraw(apply, wanted, due)
    const moves = journal && new ReactionMoves(this.#host, this.#world, this.#facts, journal)
    await moves?.begin(due, this.#changed(apply))
    const isFine = await react(this.#host, due, this.#tellReaction)
    moves?.end()
    if (!isFine) return 'failed'
    return outcome === 'ok' && due.length > 0 ? 'changed' : outcome
  }

  /**
   * The handlers of what was changed and proved. A task that failed later does not keep them back: the next run would find
   * nothing changed, and the reaction would be lost.
   */
  #wanted(apply: Apply) {
    const left = this.#left.filter(({ handler }) => !apply.reacted.has(handler.key))
    return wantedHandlers(this.#changed(apply), left)
  }

  /** What is inside a dead man's switch has reacted there. */
  #changed({ results }: Apply): readonly CompiledTask[] {
    const changed = this.#tasks.filter((compiled) => results.get(compiled)?.outcome === 'changed')
    return changed.filter(({ task }) => !(task instanceof DeadMansSwitch))
  }

  /** Takes records back that this run made, and nothing calls for: what was written was put back, or was not written. */
  async #withdraw(apply: Apply, wanted: readonly Due[], due: readonly Due[]): Promise<void> {
    const kept = new Set(due.flatMap(({ handler }) => [handler.key, ...handler.absorbs]))
    const dropped = new Set(wanted.filter((one) => !due.includes(one)).map(({ handler }) => handler.key))
    const needless = [...apply.recorded.values()].filter(
      ({ handler: { key }, handler }) => !kept.has(key) && (dropped.has(key) || !apply.callsFor(handler)),
    )
    for (const as of new Set(needless.map((one) => one.as))) {
      const mine = needless.filter((one) => one.as === as).map(({ handler }) => handler)
      await this.#host.apply([withdrawing(mine, as)], as)
    }
  }

  readonly #tellReaction = (...told: Parameters<Teller['reaction']>) => this.#teller.reaction(...told)
}

function recordsOf(as: As) {
  return [pendingReactions(as), as] as const
}

function outcomeOf(results: Results): HostOutcome {
  const outcomes = [...results].map(([{ task }, { outcome }]) =>
    outcome === 'failed' && task.keywords.ignoreErrors ? 'ok' : outcome,
  )
  if (outcomes.includes('failed')) return 'failed'
  return outcomes.includes('changed') ? 'changed' : 'ok'
}
