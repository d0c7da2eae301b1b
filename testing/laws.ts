/** The laws that every module obeys, tried on the examples that it ships: on a host in memory, or on a real one. */

import { isDeepStrictEqual } from 'node:util'
import { typicalFacts } from '../dsl/play.ts'
import { type AnyResource, labelOf, showValue } from '../dsl/resource.ts'
import type { Task } from '../dsl/task.ts'
import type { Change, Event } from '../engine/events.ts'
import { taskDeadline } from '../engine/decide.ts'
import type { Host, Step } from '../engine/host.ts'
import { MemoryHost } from '../engine/memory-host.ts'
import { Failure } from '../errors/failure.ts'
import type { Result } from '../probe/batch.ts'
import type { Example } from './example.ts'
import { play, type Told } from './trial-run.ts'

export type Law =
  /** What is as desired is not changed, and nothing is written. */
  | 'rest'
  /** Applied once, nothing is left to change. */
  | 'one step'
  /** A value that was read and is written back reads the same. */
  | 'inverse'
  /** Turned round, everything is as it was. */
  | 'return'
  /** A change has two values, and a reader sees that they differ. */
  | 'honest'
  /** Questions change nothing. */
  | 'quiet'
  /** A change is told in words, on one line each. */
  | 'told'
  /** What the plan says is what the run does. */
  | 'plan'

/** A law that was broken; `example` where the example itself is none. */
export interface Breach {
  readonly law: Law | 'example'
  readonly seen: string
}

export interface Findings {
  readonly breaches: readonly Breach[]
  /** Laws that were not asked of the example, and why: a change that the module declares irreversible has no return. */
  readonly excused: readonly { readonly law: Law; readonly why: string }[]
  /** Changes that the plan marked as conditional: what it says of them may differ from what the run does. */
  readonly conditional: number
  /** Keys of places that had to be moved a second time to be as they were. */
  readonly twice: readonly string[]
  /** What the plan told, for whoever prints it. */
  readonly events: readonly Event[]
}

/**
 * What can be seen of a ground, by name: how a thing is, and traces such as times that even a write of the same leaves.
 * A thing without a state may be otherwise after the way back.
 */
export type Snapshot = ReadonlyMap<string, { readonly state?: string; readonly trace: string }>

/** Where an example is tried. */
export interface Ground {
  readonly host: Host
  /** The folder below which examples write that are `proved: 'folder'`. */
  readonly root: string
  /** Brings it into the state that the example's task has to change. */
  readonly before: (example: Example) => Promise<void>
  /** Asked for states alone, it may leave out what has none. */
  readonly snapshot: (of: 'state' | 'trace') => Promise<Snapshot>
}

/**
 * Tries the laws on one example of a module. It never throws for a module: what is wrong is in `breaches`.
 *
 * @example
 * it.each(motdExamples)('$name', async (example) => {
 *   expect((await tryLaws(example)).breaches).toEqual([])
 * })
 */
export async function tryLaws(example: Example, ground: Ground = mockGround()): Promise<Findings> {
  const trial = new Trial(example, ground)
  await trial.run()
  return trial.findings
}

/** A host in memory, which holds what the example says, and else what a fresh Debian has. */
export function mockGround(root = '/srv/example'): Ground {
  const host = new MemoryHost('mock', typicalFacts)
  return {
    host,
    root,
    before: async ({ values }) => {
      host.values.clear()
      for (const [resource, value] of values?.(root) ?? []) host.values.set(resource.key, value)
    },
    // Its places are read again for the laws that ask for their values; here it shows whether it was written at all.
    snapshot: async () => new Map([['memory', { trace: JSON.stringify([...host.values]) }]]),
  }
}

type Values = ReadonlyMap<string, Result<unknown>>

type Move = Omit<Step, 'script'>

class Trial {
  readonly #example: Example
  readonly #ground: Ground
  readonly #breaches: Breach[] = []
  readonly #excused: { readonly law: Law; readonly why: string }[] = []
  readonly #twice: string[] = []
  #conditional = 0
  #events: readonly Event[] = []

  constructor(example: Example, ground: Ground) {
    this.#example = example
    this.#ground = ground
  }

  get findings(): Findings {
    return {
      breaches: this.#breaches,
      excused: this.#excused,
      conditional: this.#conditional,
      twice: this.#twice,
      events: this.#events,
    }
  }

  async run(): Promise<void> {
    const { host, root, before, snapshot } = this.#ground
    const task = this.#example.task(root)
    try {
      await before(this.#example)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return this.#breach('example', `before: ${told(error)}`)
    }
    const found = await snapshot('trace')

    const plan = await play(task, host, { check: true })
    this.#events = plan.events
    if (plan.failure) return this.#breach('example', `the plan says: ${plan.failure}`)
    if (plan.changes.length === 0) return this.#breach('example', 'the task has nothing to change')
    for (const change of plan.changes) this.#tellable(change)
    this.#compare('quiet', 'trace', found, await snapshot('trace'))

    const run = await play(task, host)
    if (run.failure) return this.#breach('one step', run.failure)
    for (const step of run.steps) this.#honest(step, run.changes)
    this.#asPlanned(plan.changes, run.changes)
    const left = await snapshot('trace')
    const provable = run.steps.every(({ resource }) => !resource.unprovable)
    if (!provable) {
      for (const law of ['one step', 'rest', 'return', 'inverse'] as const) this.#excuse(law, 'it runs every time')
      return
    }
    const again = await this.#rest(task, left)
    await this.#turn(task, run, { from: plan.values, to: again.values }, { found, left })
  }

  /** Done once more, nothing is left to change and nothing is written. */
  async #rest(task: Task, left: Snapshot): Promise<Told> {
    const { host, snapshot } = this.#ground
    const again = await play(task, host)
    if (again.failure) this.#breach('one step', `applied, the next run says: ${again.failure}`)
    for (const { label, before, after } of again.changes)
      this.#breach('one step', `left: ${label} ${before} → ${after}`)
    for (const { resource } of again.steps) this.#breach('rest', `${labelOf(resource)} was written again`)
    this.#compare('rest', 'trace', left, await snapshot('trace'))
    return again
  }

  /** Back to how it was, forth again to what was read, and back, so that the next example finds the ground clean. */
  async #turn(
    task: Task,
    run: Told,
    values: { readonly from: Values; readonly to: Values },
    seen: { readonly found: Snapshot; readonly left: Snapshot },
  ): Promise<void> {
    const [why] = run.irreversible
    if (why !== undefined) {
      for (const law of ['return', 'inverse'] as const) this.#excuse(law, why)
      return
    }
    const forth = withRead(run.steps, values)
    const back = forth.map((step) => ({ ...step, from: step.to, to: step.from })).toReversed()
    const { snapshot } = this.#ground
    if (!(await this.#move('return', task, back))) return
    const returned = await this.#onceMore(task, forth, values.from)
    this.#equal('return', values.from, returned)
    this.#compare('return', 'state', seen.found, await snapshot('state'))
    if (!(await this.#move('inverse', task, forth))) return
    this.#equal('inverse', values.to, await this.#read(run.steps, task))
    this.#compare('inverse', 'state', seen.left, await snapshot('state'))
    await this.#move('return', task, back)
  }

  /**
   * What a place holds may be made from another one: a socket listens as its unit's file says. On the way back the file
   * comes last, so that the socket is not as it was, and is moved once more, now that the file is there.
   */
  async #onceMore(task: Task, steps: readonly Move[], wished: Values): Promise<Values> {
    const read = await this.#read(steps, task)
    const off = places(steps).flatMap((resource) => {
      const [to, now] = [wished.get(resource.key)!, read.get(resource.key)!]
      if ('failure' in to || 'failure' in now || isDeepStrictEqual(to.value, now.value)) return []
      return [{ resource, from: now.value, to: to.value, deadline: taskDeadline }]
    })
    if (off.length === 0) return read
    this.#twice.push(...off.map(({ resource }) => resource.key))
    return (await this.#move('return', task, off)) ? this.#read(steps, task) : read
  }

  /** Writes values; false where it did not succeed. */
  async #move(law: Law, task: Task, moves: readonly Move[]): Promise<boolean> {
    try {
      const steps = moves.map((move): Step => ({ ...move, script: move.resource.write!(move.to, move.from) }))
      const ends = await this.#ground.host.apply(steps, task.keywords.become)
      const failed = ends.findIndex((end) => end instanceof Failure)
      if (failed < 0) return true
      const { resource, from, to } = moves[failed]!
      const move = `${labelOf(resource)} ${showValue(resource, from)} → ${showValue(resource, to)}`
      this.#breach(law, `${move}: ${told(ends[failed] as Failure)}`)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      this.#breach(law, `there is no script, and the plan does not say that it is irreversible: ${error.message}`)
    }
    return false
  }

  async #read(steps: readonly Move[], task: Task): Promise<Values> {
    const resources = places(steps)
    const results = await this.#ground.host.read(resources, task.keywords.become)
    return new Map(resources.map(({ key }, i) => [key, results[i]!]))
  }

  #tellable({ label, before, after, dependsOn }: Change): void {
    if (dependsOn.length > 0) this.#conditional++
    // The name of a place may hold anything, and is escaped where it is printed; a value is what a module shows of it.
    for (const text of [before, after]) {
      const own = text.replaceAll(this.#ground.root, '')
      if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(own)) this.#breach('told', `${label} is told as ${JSON.stringify(text)}`)
      if (text === '' || /\[object |\bundefined\b|\bNaN\b/.test(own))
        this.#breach('told', `${label} is told as ${JSON.stringify(text)}, which says nothing`)
    }
  }

  #honest({ resource, from, to }: Step, changes: readonly Change[]): void {
    const label = labelOf(resource)
    if (isDeepStrictEqual(from, to)) this.#breach('honest', `${label} is changed to what it is`)
    const shown = changes.filter(({ key }) => key === resource.key)
    const same = shown.find(({ before, after, diff }) => before === after && diff?.before === diff?.after)
    if (same) this.#breach('honest', `${label} is shown as ${same.before} before and after`)
    for (const value of [from, to]) {
      if (!isDeepStrictEqual(JSON.parse(JSON.stringify(value) ?? 'null'), value))
        this.#breach('inverse', `${label}: JSON does not keep ${JSON.stringify(value)}`)
    }
  }

  #asPlanned(planned: readonly Change[], done: readonly Change[]): void {
    const sure = new Set(planned.flatMap(({ key, dependsOn }) => (dependsOn.length > 0 ? [] : [key])))
    const lines = (changes: readonly Change[]) => {
      return changes
        .filter(({ key }) => sure.has(key) || !planned.some((p) => p.key === key))
        .map(({ label, before, after, diff }) => JSON.stringify([label, before, after, diff]))
    }
    const [foretold, came] = [lines(planned), lines(done)]
    if (!isDeepStrictEqual(foretold, came))
      this.#breach('plan', `planned ${foretold.join(', ')}; done ${came.join(', ')}`)
  }

  #equal(law: Law, wished: Values, read: Values): void {
    for (const [key, result] of read) {
      const was = wished.get(key)!
      if (!isDeepStrictEqual(plain(was), plain(result)))
        this.#breach(law, `${key} was ${JSON.stringify(plain(was))} and is ${JSON.stringify(plain(result))}`)
    }
  }

  #compare(law: Law, what: 'state' | 'trace', was: Snapshot, is: Snapshot): void {
    for (const name of new Set([...was.keys(), ...is.keys()])) {
      const [a, b] = [was.get(name), is.get(name)].map((each) => each?.[what])
      if (a !== b) this.#breach(law, `${name} was ${a ?? 'not there'} and is ${b ?? 'not there'}`)
    }
  }

  #breach(law: Breach['law'], seen: string): void {
    this.#breaches.push({ law, seen })
  }

  #excuse(law: Law, why: string): void {
    this.#excused.push({ law, why })
  }
}

/** The places of steps, each once. */
function places(steps: readonly Move[]): readonly AnyResource[] {
  return [...new Map(steps.map(({ resource }) => [resource.key, resource])).values()]
}

/** The steps from what was read before to what was read afterwards: the host may have chosen a part of it. */
function withRead(
  steps: readonly Step[],
  { from, to }: { readonly from: Values; readonly to: Values },
): readonly Move[] {
  const value = (result: Result<unknown> | undefined, wished: unknown) =>
    result && 'value' in result ? result.value : wished
  return steps.map((step, i) => {
    const same = (other: Step) => other.resource.key === step.resource.key
    const isFirst = steps.findIndex(same) === i
    const isLast = steps.findLastIndex(same) === i
    return {
      resource: step.resource,
      deadline: step.deadline,
      from: isFirst ? value(from.get(step.resource.key), step.from) : step.from,
      to: isLast ? value(to.get(step.resource.key), step.to) : step.to,
    }
  })
}

function plain(result: Result<unknown>): unknown {
  return 'value' in result ? result.value : { unreadable: result.failure.message }
}

function told({ message, seen }: Failure): string {
  return seen?.output && seen.output !== message ? `${message} (${seen.output})` : message
}
