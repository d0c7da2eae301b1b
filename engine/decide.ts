/** Desired × now → changes, for one task; pure. */

import { isDeepStrictEqual } from 'node:util'
import { DeadMansSwitch } from '../dsl/dead-mans-switch.ts'
import { type AnyResource, type Identity, labelOf, type Resource } from '../dsl/resource.ts'
import type { Reading, Task, Verdict } from '../dsl/task.ts'
import { Failure } from '../errors/failure.ts'
import type { Facts } from '../probe/facts.ts'
import type { CompiledTask } from './compile.ts'
import type { Change } from './events.ts'
import { type GuardedStep, putBack, withTests } from './guarded.ts'
import type { Step } from './host.ts'
import { FactWanted } from './lazy-facts.ts'
import type { Telling } from './sensitive.ts'
import { valueOf, type World } from './world.ts'

export interface Decision {
  /** Moves, one for each change, and the tests that they are under. */
  readonly steps: readonly Step[]
  readonly changes: readonly Change[]
  readonly notes: readonly string[]
  /** Those that are told also where nothing changes. */
  readonly standing: readonly string[]
  readonly irreversible: readonly string[]
  /** Why the task cannot be done. */
  readonly failure: Failure | undefined
  /** Titles of earlier tasks that may yet cure the failure, since they may move what it rests on. */
  readonly curable: readonly string[]
}

/** A place as one task sees it. */
interface SeenPlace {
  readonly now: unknown
  readonly desired: unknown
  /** Titles of the tasks that may have moved it since it was read. */
  readonly moved: readonly string[]
}

/** Seconds that a task's scripts may take where it does not say. */
export const taskDeadline = 600

export function decide(compiled: CompiledTask, world: World, facts: Facts): Decision {
  const values = new Map<string, SeenPlace>()
  const moves: GuardedStep[] = []
  const changes: Change[] = []
  const nothing = { steps: [], changes: [], notes: [], standing: [], irreversible: [] }
  /** What the decision rests on just now. */
  let moved: readonly string[] = []
  try {
    for (const { resource, desired, guard } of compiled.wishes) {
      const entry = world.get(resource)
      moved = entry.moved
      const known = values.get(resource.key)
      const now = known ? known.desired : given(valueOf(entry))
      const to = desired(now, facts satisfies Identity, (other) => {
        const seen = values.get(other.key)
        if (!seen) throw new Error(`a wish for ${resource.key} asks for ${other.key}, of which there is none before it`)
        moved = [...new Set([...moved, ...seen.moved])]
        return seen.desired as never
      })
      values.set(resource.key, { now: known ? known.now : now, desired: to, moved })
      if (isDeepStrictEqual(now, to)) continue
      moves.push({ step: step(resource, now, to, compiled.task), guard })
      changes.push(changeOf(resource, now, to, moved, world.telling))
    }
    const judged = new Set<SeenPlace>()
    const verdicts = judge(compiled.task, reading(values, facts, judged))
    moved = [...new Set([...judged].flatMap((place) => place.moved))]
    const refusal = verdicts.find((verdict) => verdict.kind === 'refuse')
    if (refusal) throw new Failure('E_REFUSED', refusal.reason, { hint: refusal.hint })
    if (compiled.task instanceof DeadMansSwitch) refuseLasting(moves, verdicts)
    return {
      steps: withTests(moves),
      changes,
      notes: verdicts.flatMap((verdict) => (verdict.kind === 'note' ? [verdict.text] : [])),
      standing: verdicts.flatMap((verdict) => (verdict.kind === 'note' && verdict.always ? [verdict.text] : [])),
      irreversible: verdicts.flatMap((verdict) => (verdict.kind === 'irreversible' ? [verdict.why] : [])),
      failure: undefined,
      curable: [],
    }
  } catch (error) {
    if (error instanceof FactWanted) throw error
    return { ...nothing, failure: asFailure(error), curable: moved }
  }
}

/** Titles of the earlier tasks that may yet move what a decision rests on. */
export function restsOn({ wishes }: CompiledTask, world: World): readonly string[] {
  return [...new Set(wishes.flatMap(({ resource }) => world.get(resource).moved))]
}

export function isUncertain(compiled: CompiledTask, world: World): boolean {
  return restsOn(compiled, world).length > 0
}

function given(result: ReturnType<typeof valueOf>): unknown {
  if ('failure' in result) throw result.failure
  return result.value
}

function step(resource: AnyResource, from: unknown, to: unknown, task: Task): Step {
  const script = resource.write?.(to, from)
  if (!script) throw new Failure('E_REFUSED', `${labelOf(resource)} can only be looked at, not changed.`)
  return { resource, from, to, script, deadline: deadlineOf(task) }
}

/** What is inside a dead man's switch must have ended when the host begins to put it back. */
function deadlineOf(task: Task): number {
  const { timeout = taskDeadline } = task.keywords
  return task instanceof DeadMansSwitch ? Math.max(1, Math.min(timeout, task.seconds - 3)) : timeout
}

function changeOf(
  resource: AnyResource,
  from: unknown,
  to: unknown,
  dependsOn: readonly string[],
  telling: Telling,
): Change {
  const [before, after] = [telling.text(resource, from), telling.text(resource, to)]
  return {
    key: resource.key,
    label: labelOf(resource),
    before: telling.show(resource, from),
    after: telling.show(resource, to),
    diff: before === undefined && after === undefined ? undefined : { before: before ?? '', after: after ?? '' },
    dependsOn,
    unprovable: resource.unprovable ?? false,
  }
}

function judge(task: Task, seen: Reading): readonly Verdict[] {
  return [...task.parts.flatMap((part) => judge(part, seen)), ...task.judge(seen)]
}

/** What `judge` looks at; `judged` collects the places that it did look at, which its verdict rests on. */
function reading(values: ReadonlyMap<string, SeenPlace>, facts: Facts, judged: Set<SeenPlace>): Reading {
  const get = ({ key }: { readonly key: string }) => {
    const value = values.get(key)
    if (!value) throw new Error(`judge asks for ${key}, of which the task has no wish; look() at it`)
    judged.add(value)
    return value
  }
  return {
    facts,
    now: <T>(resource: Resource<T>) => get(resource).now as T,
    desired: <T>(resource: Resource<T>) => get(resource).desired as T,
    changes: (resource) => !isDeepStrictEqual(get(resource).now, get(resource).desired),
    certain: (resource) => get(resource).moved.length === 0,
  }
}

/** What a dead man's switch could not put back must not be inside. */
function refuseLasting(moves: readonly GuardedStep[], verdicts: readonly Verdict[]): void {
  const hint = 'Take the task out of the switch, where it is not what could lock you out.'
  const lasting = verdicts.find((verdict) => verdict.kind === 'irreversible')
  if (lasting && moves.length > 0)
    throw new Failure('E_REFUSED', `The dead man's switch could not put it back: ${lasting.why}`, { hint })
  for (const { step } of moves) {
    if (step.resource.unprovable)
      throw new Failure('E_REFUSED', `The dead man's switch could not put ${labelOf(step.resource)} back.`, { hint })
    putBack(step)
  }
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  const message = error instanceof Error ? error.message : String(error)
  return new Failure('E_INTERNAL', `A module failed: ${message}`, { cause: error })
}
