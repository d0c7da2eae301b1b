/** One play on one host: read, plan, apply, prove, react. */

import { setTimeout as sleep } from 'node:timers/promises'
import { type AnyResource, labelOf, showValue } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import { seconds } from '../dsl/units.ts'
import type { Facts } from '../probe/facts.ts'
import type { CompiledTask } from './compile.ts'
import { type Decision, decide, isUncertain } from './decide.ts'
import type { Emit, FailureData, Outcome } from './events.ts'
import type { As, Host, Step } from './host.ts'
import { type Due, dueHandlers } from './react.ts'
import { disturbs } from './touch.ts'
import { fulfils } from './fulfils.ts'
import { World } from './world.ts'

export interface HostRunOptions {
  readonly play: string
  readonly check: boolean
  readonly emit: Emit
  /** Asked between tasks: whether to finish what is begun and go no further. */
  readonly stopping: () => boolean
}

/** What became of a task. */
interface TaskResult {
  readonly outcome: Exclude<Outcome, 'unreachable'>
  readonly decision?: Decision | undefined
  readonly reason?: string | undefined
  readonly failure?: Failure | undefined
}

interface Pending {
  readonly compiled: CompiledTask
  readonly step: Step
}

export type HostOutcome = 'ok' | 'changed' | 'failed'

export class HostRun {
  readonly #host: Host
  readonly #facts: Facts
  readonly #tasks: readonly CompiledTask[]
  readonly #options: HostRunOptions
  readonly #results = new Map<CompiledTask, TaskResult>()
  /** What the changes of this run should have left, and the task that wished it last. */
  readonly #expected = new Map<string, { readonly step: Step; readonly by: CompiledTask }>()
  #world = new World()
  #pending: Pending[] = []
  #told = 0
  /** The task in hand, for whoever must say where a host was lost. */
  current: CompiledTask | undefined

  constructor(host: Host, facts: Facts, tasks: readonly CompiledTask[], options: HostRunOptions) {
    this.#host = host
    this.#facts = facts
    this.#tasks = tasks
    this.#options = options
  }

  /** Rejects with a Failure where the host is lost. */
  async run(): Promise<HostOutcome> {
    try {
      await this.#read(this.#places())
      const plan = this.#plan()
      if (this.#options.check) for (const [task, result] of plan) this.#results.set(task, result)
      else if ([...plan].some(([{ task }, { outcome }]) => outcome === 'failed' && !task.keywords.ignoreErrors))
        this.#refuse(plan)
      else await this.#apply()
    } finally {
      this.#tell()
    }
    const outcomes = [...this.#results].map(([{ task }, { outcome }]) =>
      outcome === 'failed' && task.keywords.ignoreErrors ? 'ok' : outcome,
    )
    const reacted = await this.#react()
    if (outcomes.includes('failed') || !reacted) return 'failed'
    return outcomes.includes('changed') ? 'changed' : 'ok'
  }

  /** Every place of every task, each once, with the user who reads it. */
  #places(): Map<AnyResource, As> {
    const places = new Map<string, readonly [AnyResource, As]>()
    for (const { wishes, as } of this.#tasks) {
      for (const { resource } of wishes) if (!places.has(resource.key)) places.set(resource.key, [resource, as])
    }
    return new Map(places.values())
  }

  async #read(places: ReadonlyMap<AnyResource, As>): Promise<void> {
    const users = new Set(places.values())
    await Promise.all(
      [...users].map(async (as) => {
        const resources = [...places.keys()].filter((resource) => places.get(resource) === as)
        const results = await this.#host.read(resources, as)
        resources.forEach((resource, i) => this.#world.learn(resource, as, results[i]!))
      }),
    )
  }

  /** What would become of each task, by what is known now and carried forward. */
  #plan(): Map<CompiledTask, TaskResult> {
    const world = this.#world.copy()
    const results = new Map<CompiledTask, TaskResult>()
    for (const compiled of this.#tasks) {
      const reason = this.#skipReason(compiled, results)
      if (reason) {
        results.set(compiled, { outcome: 'skipped', reason })
        continue
      }
      const decision = decide(compiled, world, this.#facts)
      for (const step of decision.steps) world.predict(step, compiled.info.title)
      // What an earlier task may yet cure is not refused, but decided when it is reached.
      if (decision.failure && decision.curable.length > 0)
        results.set(compiled, { outcome: 'changed', decision: later(decision) })
      else results.set(compiled, { outcome: outcomeOf(decision), decision, failure: decision.failure })
    }
    return results
  }

  /** A plan with a task that cannot be done is refused whole: nothing is touched. */
  #refuse(plan: ReadonlyMap<CompiledTask, TaskResult>): void {
    for (const [compiled, result] of plan) {
      const { outcome } = result
      const reason = 'nothing was touched, because the plan was refused'
      this.#results.set(compiled, outcome === 'changed' ? { outcome: 'skipped', reason } : result)
    }
  }

  async #apply(): Promise<void> {
    for (const compiled of this.#tasks) {
      if (this.#failed()) break
      if (this.#options.stopping()) {
        this.#results.set(compiled, { outcome: 'skipped', reason: 'interrupted' })
        continue
      }
      this.current = compiled
      const { retry } = compiled.task.keywords
      await this.#attempt(compiled)
      for (
        let attempt = 1;
        retry && attempt < retry.times && this.#results.get(compiled)?.outcome === 'failed';
        attempt++
      ) {
        const delay = seconds(retry.delay)
        await sleep((typeof delay === 'number' ? delay : 0) * 1000)
        await this.#read(new Map(compiled.wishes.map(({ resource }) => [resource, compiled.as])))
        await this.#attempt(compiled)
      }
    }
    await this.#flush()
    await this.#prove([...this.#expected.keys()])
    for (const compiled of this.#tasks) {
      if (!this.#results.has(compiled))
        this.#results.set(compiled, { outcome: 'skipped', reason: 'a task before it failed' })
    }
  }

  async #attempt(compiled: CompiledTask): Promise<void> {
    const alone = standsAlone(compiled)
    const [last] = this.#pending.slice(-1)
    if (last && (alone || last.compiled.as !== compiled.as || isUncertain(compiled, this.#world))) {
      await this.#flush()
      if (this.#failed()) return
    }
    const reason = this.#skipReason(compiled, this.#results)
    if (reason) {
      this.#results.set(compiled, { outcome: 'skipped', reason })
      return
    }
    if (isUncertain(compiled, this.#world)) await this.#readAgain(compiled)
    const decision = decide(compiled, this.#world, this.#facts)
    if (decision.failure) {
      await this.#flush()
      if (!this.#failed()) this.#results.set(compiled, { outcome: 'failed', decision, failure: decision.failure })
      return
    }
    this.#results.set(compiled, { outcome: outcomeOf(decision), decision })
    this.#progress(compiled, 'plan')
    for (const step of decision.steps) {
      this.#world.predict(step, compiled.info.title)
      this.#pending.push({ compiled, step })
      // What was expected of a place that this step moves once more is expected no longer.
      for (const [key] of this.#expected) if (step.script.touched && disturbs(step, key)) this.#expected.delete(key)
      this.#expected.set(step.resource.key, { step, by: compiled })
    }
    if (alone) {
      await this.#flush()
      if (compiled.task.keywords.retry) await this.#prove(decision.steps.map(({ resource }) => resource.key))
    }
  }

  /** Places that may have moved, of this task and all later ones, in one trip. */
  async #readAgain(from: CompiledTask): Promise<void> {
    const later = new Set(
      this.#tasks.slice(this.#tasks.indexOf(from)).flatMap(({ wishes }) => wishes.map((w) => w.resource.key)),
    )
    const moved = this.#world.moved().filter(({ resource }) => later.has(resource.key))
    await this.#read(new Map(moved.map(({ resource, as }) => [resource, as])))
  }

  /** Sends what waits to be done, in one trip. */
  async #flush(): Promise<void> {
    const pending = this.#pending
    if (pending.length === 0) return
    this.#pending = []
    this.#progress(pending[0]!.compiled, 'apply')
    const ends = await this.#host.apply(
      pending.map(({ step }) => step),
      pending[0]!.compiled.as,
    )
    pending.forEach(({ compiled, step }, i) => {
      const end = ends[i]!
      if (end === 'done') return
      this.#expected.delete(step.resource.key)
      if (end instanceof Failure) this.#fail(compiled, end)
      // A task of which nothing was run was not reached; one that was begun has failed already.
      else if (this.#results.get(compiled)?.outcome === 'changed') this.#results.delete(compiled)
    })
  }

  /** Reads again what was changed, in one trip. */
  async #prove(keys: readonly string[]): Promise<void> {
    const provable = keys
      .flatMap((key) => this.#expected.get(key) ?? [])
      .filter(({ step }) => !step.resource.unprovable)
    if (provable.length === 0) return
    this.#progress(provable[0]!.by, 'prove')
    await this.#read(new Map(provable.map(({ step, by }) => [step.resource, by.as])))
    for (const { step, by } of provable) {
      const { result } = this.#world.get(step.resource)
      if ('failure' in result) this.#fail(by, result.failure)
      else if (!fulfils(result.value, step.to)) this.#fail(by, notConverged(step, result.value))
    }
  }

  /**
   * Runs the handlers of what was changed and proved, once each; false where one failed. A task that failed later does not
   * keep them back: the next run would find nothing changed, and the reaction would be lost.
   */
  async #react(): Promise<boolean> {
    const due = dueHandlers(this.#tasks.filter((compiled) => this.#results.get(compiled)?.outcome === 'changed'))
    if (this.#options.check) {
      for (const one of due) this.#tellReaction(one, 'planned')
      return true
    }
    let fine = true
    for (const as of new Set(due.map((one) => one.as))) {
      const mine = due.filter((one) => one.as === as)
      const ends = await this.#host.react(
        mine.map(({ handler }) => handler),
        as,
      )
      mine.forEach((one, i) => {
        const end = ends[i]!
        fine &&= end === 'done'
        this.#tellReaction(one, end === 'done' ? 'done' : 'failed', end instanceof Failure ? end : undefined)
      })
    }
    return fine
  }

  #skipReason({ task }: CompiledTask, results: ReadonlyMap<CompiledTask, TaskResult>): string | undefined {
    for (const condition of task.keywords.when) {
      if (typeof condition === 'function') {
        if (!condition(this.#facts)) return 'its condition does not hold on this host'
        continue
      }
      const named = [...results].find(([compiled]) => compiled.task === condition.changed)
      if (named?.[1].outcome !== 'changed') return 'the task that it depends on changed nothing'
    }
    return undefined
  }

  #failed(): boolean {
    return [...this.#results].some(([{ task }, { outcome }]) => outcome === 'failed' && !task.keywords.ignoreErrors)
  }

  #fail(compiled: CompiledTask, failure: Failure): void {
    const known = this.#results.get(compiled)
    if (known?.outcome === 'failed') return
    this.#results.set(compiled, { outcome: 'failed', decision: known?.decision, failure })
  }

  #progress({ info }: CompiledTask, phase: 'plan' | 'apply' | 'prove'): void {
    const { emit, play } = this.#options
    emit({
      type: 'progress',
      play,
      host: this.#host.name,
      done: info.index,
      of: this.#tasks.length,
      title: info.title,
      phase,
    })
  }

  /** Tells what became of the tasks, in the play's order. */
  #tell(): void {
    for (const compiled of this.#tasks.slice(this.#told)) {
      const result = this.#results.get(compiled)
      if (!result) continue
      this.#told++
      const { outcome, decision, reason, failure } = result
      this.#options.emit({
        type: 'task',
        play: this.#options.play,
        host: this.#host.name,
        task: compiled.info,
        outcome,
        reason,
        changes: outcome === 'ok' || outcome === 'skipped' ? [] : (decision?.changes ?? []),
        notes: outcome === 'changed' ? (decision?.notes ?? []) : [],
        irreversible: outcome === 'changed' ? (decision?.irreversible ?? []) : [],
        failure: failure && failureData(failure.at(compiled.info.place)),
        ignored: compiled.task.keywords.ignoreErrors,
      })
    }
  }

  #tellReaction({ handler, because }: Due, outcome: 'planned' | 'done' | 'failed', failure?: Failure): void {
    this.#options.emit({
      type: 'reaction',
      play: this.#options.play,
      host: this.#host.name,
      handler: handler.name,
      because,
      outcome,
      failure: failure && failureData(failure.at(handler.origin.place)),
    })
  }
}

export function failureData({ code, message, place, seen, hint }: Failure): FailureData {
  return { code, message, place, seen, hint }
}

function outcomeOf({ failure, steps }: Decision): TaskResult['outcome'] {
  if (failure) return 'failed'
  return steps.length > 0 ? 'changed' : 'ok'
}

/** A task of which nothing can be said before the tasks that it depends on are done. */
function later(decision: Decision): Decision {
  return { ...decision, notes: [`known after ${decision.curable.join(', ')}; now: ${decision.failure?.message}`] }
}

/** A task whose scripts travel alone, so that its end is known before the next one's begin. */
function standsAlone({ task: { keywords } }: CompiledTask): boolean {
  return keywords.retry !== undefined || keywords.ignoreErrors || keywords.timeout !== undefined
}

function notConverged({ resource, to }: Step, now: unknown): Failure {
  return new Failure(
    'E_NOT_CONVERGED',
    `${labelOf(resource)} was changed without an error, yet it is ${showValue(resource, now)} and not ${showValue(resource, to)}.`,
  )
}
