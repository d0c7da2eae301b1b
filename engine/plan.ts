/** What would become of each task of a play on one host, by what was read and is carried forward; pure. */

import type { Facts } from '../probe/facts.ts'
import type { CompiledTask } from './compile.ts'
import { type Decision, decide } from './decide.ts'
import type { Step } from './host.ts'
import { toldOfLater } from './made-below.ts'
import { type Due, dueHandlers, type RefusedReaction, refusedReactions } from './react.ts'
import { decided, type Results, skipped, skipReason, stops, type TaskResult } from './task-result.ts'
import type { World } from './world.ts'

export interface Plan {
  readonly results: Results
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
export function plan(tasks: readonly CompiledTask[], world: World, facts: Facts, left: readonly Due[]): Plan {
  const results = new Map<CompiledTask, TaskResult>()
  /** Those of which it is known that they would change something. */
  const certain: CompiledTask[] = []
  const steps: (readonly [CompiledTask, readonly Step[]])[] = []
  for (const compiled of tasks) {
    const reason = skipReason(compiled, results)
    if (reason) {
      results.set(compiled, skipped(reason))
      continue
    }
    const decision = decide(compiled, world, facts)
    for (const step of decision.steps) if (!step.tests) world.predict(step, compiled.info.title)
    // What an earlier task may yet cure is not refused, but decided when it is reached.
    const result = decision.failure && decision.curable.length > 0 ? later(decision) : decided(decision)
    results.set(compiled, result)
    steps.push([compiled, decision.steps])
    if (decision.steps.length > 0) certain.push(compiled)
  }
  for (const [i, [compiled]] of steps.entries()) {
    const result = results.get(compiled)!
    if (result.failure) results.set(compiled, toldOfLater(compiled, result, steps.slice(i + 1)))
  }
  const changing = tasks.filter((compiled) => results.get(compiled)?.outcome === 'changed')
  const due = dueHandlers(changing, left)
  const refused = refusedReactions(dueHandlers(certain), world)
  return { results, due, refused, isRefused: refused.length > 0 || [...results].some(stops) }
}

/** A plan with something that cannot be done is refused whole: nothing is touched. */
export function untouched({ results }: Plan): Results {
  const reason = 'nothing was touched, because the plan was refused'
  return new Map(
    [...results].map(([compiled, result]) => [compiled, result.outcome === 'changed' ? skipped(reason) : result]),
  )
}

/** A task of which nothing can be said before the tasks that it depends on are done. */
function later({ failure, curable }: Decision): TaskResult {
  const note = `known after ${curable.join(', ')}; now: ${failure?.message}`
  return { outcome: 'changed', changes: [], notes: [note], irreversible: [], reason: undefined, failure: undefined }
}
