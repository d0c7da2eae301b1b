/** What would become of each task of a play on one host, by what was read and is carried forward; pure. */

import type { Resource } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import type { Facts } from '../probe/facts.ts'
import type { CompiledTask } from './compile.ts'
import { type Conflict, ownersOf, unrest } from './conflicts.ts'
import { type Decision, decide, restsOn } from './decide.ts'
import { isMove, type Step } from './host.ts'
import type { Mandate } from './mandate.ts'
import { toldOfLater } from './made-below.ts'
import {
  type Due,
  dueHandlers,
  isNeedless,
  type RefusedReaction,
  refusedReactions,
  stillArmed,
  unabsorbed,
  wantedHandlers,
} from './react.ts'
import { decided, failed, type Results, skipped, skipReason, stops, type TaskResult } from './task-result.ts'
import { valueOf, type World } from './world.ts'

export interface Plan {
  readonly results: Results
  /** What would be sent for each task. */
  readonly steps: ReadonlyMap<CompiledTask, readonly Step[]>
  readonly due: readonly Due[]
  /** Handlers that would run and cannot. */
  readonly refused: readonly RefusedReaction[]
  /** Whether nothing may be touched, because something cannot be done. */
  readonly isRefused: boolean
}

/**
 * @param world is carried forward by what the tasks would change
 * @param left what earlier runs left to be done
 */
export function plan(
  tasks: readonly CompiledTask[],
  world: World,
  facts: Facts,
  { left, mandate }: { readonly left: readonly Due[]; readonly mandate: Mandate },
): Plan {
  const results = new Map<CompiledTask, TaskResult>()
  /** Those of which it is known that they would change something. */
  const certain: CompiledTask[] = []
  const steps: (readonly [CompiledTask, readonly Step[]])[] = []
  const before = world.copy()
  for (const compiled of tasks) {
    const reason = skipReason(compiled, results, mandate)
    if (reason) {
      results.set(compiled, skipped(reason))
      continue
    }
    const decision = decide(compiled, world, facts)
    const rests = restsOn(compiled, world)
    for (const step of decision.steps) if (!step.tests) world.predict(step, compiled.info.title)
    // What an earlier task may yet cure is not refused, but decided when it is reached.
    const result = decision.failure && decision.curable.length > 0 ? later(decision) : decided(decision)
    results.set(compiled, result.outcome === 'ok' && rests.length > 0 ? unsure(result, rests) : result)
    steps.push([compiled, decision.steps])
    if (decision.steps.length > 0) certain.push(compiled)
  }
  for (const [i, [compiled]] of steps.entries()) {
    const result = results.get(compiled)!
    if (result.failure) results.set(compiled, toldOfLater(compiled, result, steps.slice(i + 1)))
  }
  const conflicts = undone(steps, before, world, facts)
  for (const { second, failure } of conflicts) results.set(second, failed(failure))
  const changing = tasks.filter((compiled) => results.get(compiled)?.outcome === 'changed')
  const due = unabsorbed(wantedHandlers(changing, left).filter((one) => !isNeedless(one, world, facts)))
  const refused = [...stillArmed(left), ...refusedReactions(dueHandlers(certain), world)]
  const isRefused = refused.length + conflicts.length > 0 || [...results].some(stops)
  return { results, steps: new Map(steps), due, refused, isRefused }
}

/** Tasks that would undo what others do, at every run, by what the places are on this host; where that is sure. */
function undone(
  steps: readonly (readonly [CompiledTask, readonly Step[]])[],
  before: World,
  world: World,
  facts: Facts,
): readonly Conflict[] {
  const moves = new Map(steps)
  return [...ownersOf(steps.map(([compiled]) => compiled)).values()].flatMap((all) => {
    const owners = all.filter(({ handler }) => !handler)
    const [first] = owners
    if (!first || owners.every(({ by }) => by === first.by)) return []
    const { resource } = first.wish
    const start = valueOf(before.get(resource))
    if ('failure' in start || world.get(resource).moved.length > 0) return []
    let value = start.value
    const made = owners.map(({ by }) => {
      const last = moves.get(by)!.findLast((step) => isMove(step) && step.resource.key === resource.key)
      return (value = last ? last.to : value)
    })
    try {
      return unrest(owners, made, ({ desired }, now) => desired(now, facts, (other) => known(world, other)))
    } catch (error) {
      // What it makes of the place is refused, and is told when it comes to that.
      if (error instanceof Failure) return []
      throw error
    }
  })
}

function known<T>(world: World, resource: Resource<T>): T {
  const result = valueOf(world.get(resource))
  if ('failure' in result) throw result.failure
  return result.value as T
}

/** A plan with something that cannot be done is refused whole: nothing is touched. */
export function untouched({ results }: Plan): Results {
  const reason = 'nothing was touched, because the plan was refused'
  return new Map(
    [...results].map(([compiled, result]) => [compiled, result.outcome === 'changed' ? skipped(reason) : result]),
  )
}

/** What is as desired now, and is decided again when what it rests on was done. */
function unsure(result: TaskResult, rests: readonly string[]): TaskResult {
  return { ...result, notes: [...result.notes, `as far as is known before ${rests.join(', ')}, which may move it`] }
}

/** A task of which nothing can be said before the tasks that it depends on are done. */
function later({ failure, curable }: Decision): TaskResult {
  const note = `known after ${curable.join(', ')}; now: ${failure?.message}`
  return { outcome: 'changed', changes: [], notes: [note], irreversible: [], reason: undefined, failure: undefined }
}
