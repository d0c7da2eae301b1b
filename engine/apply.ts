/** The tasks of a play done on one host: decided in order, their scripts sent together, and what they changed read again. */

import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { DeadMansSwitch } from '../dsl/dead-mans-switch.ts'
import type { Handler } from '../dsl/handler.ts'
import { labelOf } from '../dsl/resource.ts'
import { seconds } from '../dsl/units.ts'
import { Failure } from '../errors/failure.ts'
import type { Facts } from '../probe/facts.ts'
import { Armed } from './armed.ts'
import { showMade } from './claims.ts'
import type { CompiledTask } from './compile.ts'
import { decide, isUncertain } from './decide.ts'
import { onDisk } from './durable.ts'
import { fulfils } from './fulfils.ts'
import { isLeft, testFailure, testStep, transactions, withPutBack } from './guarded.ts'
import { type As, type Host, isMove, type Step } from './host.ts'
import { knowing } from './lazy-facts.ts'
import type { Mandate } from './mandate.ts'
import { afterwards, isPending, type Pending, pendingReactions, recording } from './pending.ts'
import { read } from './places.ts'
import { changesOf, doneOf, type StepRecord, unknownOf } from './record.ts'
import type { Telling } from './sensitive.ts'
import { decided, failed, skipped, skipReason, stops, type TaskResult } from './task-result.ts'
import type { HostJournal } from './journal.ts'
import type { Teller } from './tell.ts'
import { disturbs } from './touch.ts'
import type { World } from './world.ts'

export class Apply {
  readonly #host: Host
  readonly #facts: Facts
  readonly #tasks: readonly CompiledTask[]
  readonly #world: World
  readonly #teller: Teller
  readonly #stopping: () => boolean
  readonly #journal: HostJournal | undefined
  readonly #mandate: Mandate
  readonly results = new Map<CompiledTask, TaskResult>()
  readonly #records = new Map<CompiledTask, readonly StepRecord[]>()
  /** The last change of each place, which is proved by reading it again. */
  readonly #expected = new Map<string, StepRecord>()
  #pending: StepRecord[] = []
  /** Handlers that this run has recorded on the host as due, by key. */
  readonly recorded = new Map<string, { readonly handler: Handler; readonly as: As }>()
  /** Keys of handlers that have run already, inside a dead man's switch. */
  readonly reacted = new Set<string>()
  /** The task in hand, for whoever must say where a host was lost. */
  current: CompiledTask | undefined

  constructor(
    host: Host,
    facts: Facts,
    tasks: readonly CompiledTask[],
    world: World,
    how: {
      readonly teller: Teller
      readonly stopping: () => boolean
      readonly journal: HostJournal | undefined
      readonly mandate: Mandate
    },
  ) {
    this.#host = host
    this.#facts = facts
    this.#tasks = tasks
    this.#world = world
    this.#teller = how.teller
    this.#stopping = how.stopping
    this.#journal = how.journal
    this.#mandate = how.mandate
  }

  /** Rejects with a Failure where the host is lost; the results say then how far it came. */
  async run(): Promise<void> {
    try {
      for (const compiled of this.#tasks) {
        if (this.#failed()) break
        if (this.#stopping()) this.results.set(compiled, skipped('interrupted'))
        else await this.#task(compiled)
      }
      await this.#flush()
      await this.#prove([...this.#expected.keys()])
      await this.#lookAfterFailures()
      this.#rest('a task before it failed')
    } catch (error) {
      this.#lost()
      throw error
    }
  }

  async #task(compiled: CompiledTask): Promise<void> {
    this.current = compiled
    await this.#attempt(compiled)
    const { retry } = compiled.task.keywords
    const delay = retry && seconds(retry.delay)
    for (let attempt = 1; retry && attempt < retry.times; attempt++) {
      if (this.results.get(compiled)?.outcome !== 'failed' || this.#stopping()) return
      await sleep((typeof delay === 'number' ? delay : 0) * 1000)
      await read(this.#host, this.#world, new Map(compiled.wishes.map(({ resource }) => [resource, compiled.as])))
      await this.#attempt(compiled)
    }
  }

  async #attempt(compiled: CompiledTask): Promise<void> {
    const alone = standsAlone(compiled)
    const [last] = this.#pending.slice(-1)
    if (last && (alone || last.by.as !== compiled.as || isUncertain(compiled, this.#world))) {
      await this.#flush()
      if (this.#failed()) return
    }
    const reason = skipReason(compiled, this.results, this.#mandate)
    if (reason) {
      this.results.set(compiled, skipped(reason))
      return
    }
    if (isUncertain(compiled, this.#world)) await this.#readAgain(compiled)
    const decision = await knowing(() => decide(compiled, this.#world, this.#facts))
    const failure = decision.failure ?? this.#mandate.refuses?.(compiled.info, decision.steps)
    if (failure) {
      await this.#flush()
      if (!this.#failed()) this.results.set(compiled, failed(failure, doneOf(this.#recordsOf(compiled))))
      return
    }
    const changes = decision.changes.values()
    const records = decision.steps.map((step): StepRecord => {
      const change = isMove(step) ? changes.next().value : undefined
      return { by: compiled, step, change, end: 'open' }
    })
    const armed = armedFor(compiled, decision.steps)
    this.#records.set(compiled, [...this.#recordsOf(compiled), ...records.filter(({ step }) => isMove(step))])
    if (records.length > 0) this.#pending.push(...this.#recordings(compiled), ...this.#keepings(compiled, records))
    if (armed) this.#pending.push(besides(compiled, armed.arm))
    // A task that a second attempt finds as desired was changed by the first.
    this.results.set(compiled, decided(decision, changesOf(this.#recordsOf(compiled))))
    this.#progress(compiled, 'plan')
    for (const record of records) this.#expect(record)
    if (!alone) return
    if (armed) return this.#settle(compiled, armed)
    await this.#flush()
    if (compiled.task.keywords.retry) await this.#prove(decision.steps.map(({ resource }) => resource.key))
  }

  /** Inside a dead man's switch: what is done stays only where a new login confirms it. */
  async #settle(compiled: CompiledTask, armed: Armed): Promise<void> {
    const { as, info } = compiled
    this.#pending.push(...armed.reactions.map((step) => besides(compiled, step)))
    const lost = await this.#flush().then(() => undefined, lostBy)
    const records = this.#recordsOf(compiled)
    const isUndone = records.every(({ end }) => end === 'not run' || end === 'put back')
    const settled = await armed.settle(this.#host, as, { failure: this.results.get(compiled)?.failure, isUndone, lost })
    if (settled.kept) {
      for (const due of armed.due) {
        this.#teller.reaction(due, 'done')
        this.recorded.delete(due.handler.key)
        this.reacted.add(due.handler.key)
      }
      for (const step of armed.reactions) this.#world.shake(step, info.title)
      const cleared = armed.reactions.flatMap(({ pending }) => pending?.cleared ?? [])
      this.#world.learn(pendingReactions(as), as, { value: afterwards(this.#pendingOn(as), { cleared }) })
      return
    }
    for (const record of settled.isPutBack ? records : []) this.#takeBack(record)
    this.results.set(compiled, failed(settled.failure, doneOf(records)))
    this.#journal?.end(records)
    if (settled.lost) throw settled.lost
  }

  /** What was written is no more, or will not be. */
  #takeBack(record: StepRecord): void {
    if (record.end !== 'not run') record.end = 'put back'
    this.#expected.delete(record.step.resource.key)
    this.#world.doubt(record.step, record.by.info.title)
  }

  #expect(record: StepRecord): void {
    const { step, by } = record
    this.#pending.push(record)
    if (!isMove(step)) return
    this.#world.predict(step, by.info.title)
    // What was expected of a place that this step moves once more is expected no longer.
    for (const [key] of this.#expected) if (step.script.touched && disturbs(step, key)) this.#expected.delete(key)
    this.#expected.set(step.resource.key, record)
  }

  /** Steps that record on the host what the task will call for, where no run has done so. */
  #recordings(compiled: CompiledTask): readonly StepRecord[] {
    const { handlers, as, info } = compiled
    const due = handlers.filter(
      (handler) => !isPending(handler, this.#pendingOn(as)) && !this.recorded.has(handler.key),
    )
    return due.map((handler) => {
      this.recorded.set(handler.key, { handler, as })
      return besides(compiled, recording(handler, as, info.title, new Date()))
    })
  }

  /** Steps that keep on the host what the task replaces and only the host may have. */
  #keepings(by: CompiledTask, records: readonly StepRecord[]): readonly StepRecord[] {
    const moves = records.filter(({ step }) => isMove(step))
    return (this.#journal?.keepings(moves) ?? []).map((step) => besides(by, step))
  }

  #pendingOn(as: As): Pending {
    const { result } = this.#world.get(pendingReactions(as))
    return 'value' in result ? (result.value as Pending) : {}
  }

  /** Whether something was changed, or may have been, that calls for a handler. */
  callsFor({ key }: Handler): boolean {
    return this.#tasks
      .filter(({ handlers }) => handlers.some((handler) => handler.key === key))
      .some((compiled) => this.#recordsOf(compiled).some(({ end }) => end !== 'not run' && end !== 'put back'))
  }

  /** Places that may have moved, of this task and all later ones, in one trip. */
  async #readAgain(from: CompiledTask): Promise<void> {
    const later = new Set(
      this.#tasks.slice(this.#tasks.indexOf(from)).flatMap(({ wishes }) => wishes.map((w) => w.resource.key)),
    )
    const moved = this.#world.moved().filter(({ resource }) => later.has(resource.key))
    await read(this.#host, this.#world, new Map(moved.map(({ resource, as }) => [resource, as])))
  }

  /** Sends what waits to be done, in one trip. */
  async #flush(): Promise<void> {
    const pending = transactions(this.#pending)
    if (pending.length === 0) return
    this.#pending = []
    this.#progress(pending[0]!.by, 'apply')
    // Where the host is lost now, the first of them is the one that it may have been at.
    this.current = pending[0]!.by
    const moves = pending.filter(({ step }) => isMove(step))
    this.#journal?.begin(moves, (by) => this.results.get(by)?.irreversible ?? [])
    const ends = await this.#host.apply(
      pending.map(({ step }) => step),
      pending[0]!.by.as,
    )
    for (const [i, record] of pending.entries()) {
      const { by, step } = record
      const end = ends[i]!
      record.end = end instanceof Failure ? 'failed' : end
      if (end === 'done') continue
      if (step.tests) {
        await this.#untested(record, end, pending)
        continue
      }
      if (step.pending || step.keeps) {
        if (end instanceof Failure) this.#fail(by, end)
        continue
      }
      this.#expected.delete(step.resource.key)
      this.#world.doubt(step, by.info.title)
      if (end instanceof Failure) this.#fail(by, end)
      // A task of which nothing was run was not reached; one that was begun has failed already.
      else if (this.results.get(by)?.outcome === 'changed') this.results.delete(by)
    }
    this.#journal?.end(moves)
  }

  /**
   * A configuration test failed; or it was not run, because something before it failed, and what it tests may be half written.
   * All tasks whose writes are under it are put back together; the failure is told of the last that was begun.
   */
  async #untested({ by, step }: StepRecord, end: 'not run' | Failure, sent: readonly StepRecord[]): Promise<void> {
    const begun = sent.filter((record) => step.tests!.includes(record.step) && record.end !== 'not run')
    if (end === 'not run' && !begun.some((record) => record.end === 'done')) return
    const last = end === 'not run' ? sent.find((record) => record.end === 'failed')!.by : by
    const test =
      end === 'not run'
        ? testStep(
            step.guard!,
            begun.map((record) => record.step),
          )
        : step
    const seen = end === 'not run' ? (await this.#host.apply([test], by.as))[0]! : end
    if (!(seen instanceof Failure)) return
    if (!isLeft(seen)) {
      for (const record of begun) this.#takeBack(record)
    }
    const tasks = new Set([...begun.map((record) => record.by), last])
    const failure = testFailure(test, seen, tasks.size)
    const first = this.results.get(last)
    if (!first?.failure) this.#fail(last, failure)
    else {
      const told = withPutBack(first.failure, test, seen, tasks.size)
      this.results.set(last, failed(told, doneOf(this.#recordsOf(last)), first.notes))
    }
    tasks.delete(last)
    for (const other of tasks) {
      if (isLeft(seen)) this.#fail(other, failure)
      else
        this.results.set(other, skipped(`put back with ${last.info.title}, because ${labelOf(test.resource)} failed`))
    }
  }

  /** Reads again what was changed, in one trip. */
  async #prove(keys: readonly string[]): Promise<void> {
    const provable = keys
      .flatMap((key) => this.#expected.get(key) ?? [])
      .filter(({ step }) => !step.resource.unprovable)
    if (provable.length === 0) return
    this.#progress(provable[0]!.by, 'prove')
    const places = new Map(provable.map(({ step, by }) => [step.resource, by.as]))
    for (const as of new Set(places.values())) {
      const mine = [...places.keys()].filter((resource) => places.get(resource) === as)
      for (const disk of onDisk(mine)) places.set(disk, as)
    }
    await read(this.#host, this.#world, places)
    for (const record of provable) {
      const { step, by } = record
      const { result } = this.#world.get(step.resource)
      const isSeen = 'value' in result && fulfils(result.value, step.to)
      record.end = isSeen ? 'proved' : 'disproved'
      if (!isSeen)
        this.#fail(by, 'failure' in result ? result.failure : notConverged(step, result.value, this.#world.telling))
    }
    this.#journal?.end(provable, ({ step }) => {
      const { result } = this.#world.get(step.resource)
      return 'value' in result ? result.value : step.to
    })
  }

  /** A write that failed may have done its work, or a part of it: whether a handler is due rests on that. */
  async #lookAfterFailures(): Promise<void> {
    const records = [...this.#records.values()].flat()
    const doubtful = records.filter(
      ({ end, by, step }) => end === 'failed' && by.handlers.length > 0 && !step.resource.unprovable,
    )
    if (doubtful.length === 0) return
    await read(this.#host, this.#world, new Map(doubtful.map(({ step, by }) => [step.resource, by.as])))
    for (const record of doubtful) {
      const { result } = this.#world.get(record.step.resource)
      if ('value' in result && isDeepStrictEqual(result.value, record.step.from)) record.end = 'not run'
    }
    this.#journal?.end(doubtful)
  }

  #failed(): boolean {
    return [...this.results].some(stops)
  }

  #fail(compiled: CompiledTask, failure: Failure): void {
    const known = this.results.get(compiled)
    const told = known?.outcome === 'failed' ? known.failure! : failure
    this.results.set(compiled, failed(told, doneOf(this.#recordsOf(compiled)), known?.notes))
  }

  /** Says of every change how far it is known, when the host was lost. */
  #lost(): void {
    for (const [compiled, result] of this.results) {
      if (result.outcome !== 'changed') continue
      const records = this.#recordsOf(compiled)
      const note = unknownOf(records)
      if (note && doneOf(records).length === 0) this.results.set(compiled, skipped(note))
      else if (note) this.results.set(compiled, { ...result, notes: [...result.notes, note] })
    }
    this.#rest('the host was lost before it')
  }

  #rest(reason: string): void {
    for (const compiled of this.#tasks) if (!this.results.has(compiled)) this.results.set(compiled, skipped(reason))
  }

  #recordsOf(compiled: CompiledTask): readonly StepRecord[] {
    return this.#records.get(compiled) ?? []
  }

  #progress({ info }: CompiledTask, phase: 'plan' | 'apply' | 'prove'): void {
    this.#teller.progress(info.index, info.title, phase)
  }
}

/** A task whose scripts travel alone, so that its end is known before the next one's begin. */
function standsAlone({ task }: CompiledTask): boolean {
  const { retry, ignoreErrors, timeout } = task.keywords
  return task instanceof DeadMansSwitch || retry !== undefined || ignoreErrors || timeout !== undefined
}

function armedFor(compiled: CompiledTask, steps: readonly Step[]): Armed | undefined {
  const { task } = compiled
  return task instanceof DeadMansSwitch && steps.length > 0 ? new Armed(compiled, task, steps, new Date()) : undefined
}

/** A step that is no change of the task's own. */
function besides(by: CompiledTask, step: Step): StepRecord {
  return { by, step, change: undefined, end: 'open' }
}

/** Why the host is lost. */
function lostBy(error: unknown): Failure {
  if (error instanceof Failure) return error
  throw error
}

function notConverged({ resource, to }: Step, now: unknown, telling: Telling): Failure {
  const told = [telling.show(resource, now), telling.show(resource, to)] as const
  const [is, not] = resource.sensitive ? told : showMade(resource, now, to)
  return new Failure(
    'E_NOT_CONVERGED',
    `${labelOf(resource)} was changed without an error, yet it is ${is} and not ${not}.`,
  )
}
