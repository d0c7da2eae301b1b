/** What became of a task on one host. */

import type { Failure } from '../errors/failure.ts'
import type { CompiledTask } from './compile.ts'
import type { Decision } from './decide.ts'
import type { Change, Outcome } from './events.ts'
import type { Mandate } from './mandate.ts'

export interface TaskResult {
  readonly outcome: Exclude<Outcome, 'unreachable'>
  readonly changes: readonly Change[]
  readonly notes: readonly string[]
  readonly irreversible: readonly string[]
  /** Why it was skipped. */
  readonly reason: string | undefined
  readonly failure: Failure | undefined
}

export type Results = ReadonlyMap<CompiledTask, TaskResult>

const bare = { changes: [], notes: [], irreversible: [], reason: undefined, failure: undefined }

export function skipped(reason: string): TaskResult {
  return { ...bare, outcome: 'skipped', reason }
}

/**
 * @param changes what was changed before it failed
 * @param notes what its decision has noted, which may tell why
 */
export function failed(failure: Failure, changes: readonly Change[] = [], notes: readonly string[] = []): TaskResult {
  return { ...bare, outcome: 'failed', failure, changes, notes }
}

/** @param changes what attempts before this one have changed, and this one does */
export function decided(decision: Decision, changes: readonly Change[] = decision.changes): TaskResult {
  const { failure, notes, standing, irreversible } = decision
  if (failure) return failed(failure)
  return changes.length > 0
    ? { ...bare, outcome: 'changed', changes, notes, irreversible }
    : { ...bare, outcome: 'ok', notes: standing }
}

/** Whether a task failed in a way that stops its host. */
export function stops([{ task }, { outcome }]: readonly [CompiledTask, TaskResult]): boolean {
  return outcome === 'failed' && !task.keywords.ignoreErrors
}

/** Why a task is not done: its conditions do not hold, or the run's mandate leaves it out. */
export function skipReason(
  { info, task, applies }: CompiledTask,
  results: Results,
  mandate: Mandate,
): string | undefined {
  const left = mandate.leaves?.(info)
  if (left !== undefined) return left
  if (!applies) return 'its condition does not hold on this host'
  for (const condition of task.keywords.when) {
    if (typeof condition === 'function') continue
    if (!hasChanged(condition.changed, results, mandate)) return 'the task that it depends on changed nothing'
  }
  return undefined
}

/** A keyword or a local file makes another task of it, of the same origin. */
function hasChanged(wanted: CompiledTask['task'], results: Results, mandate: Mandate): boolean {
  const all = [...results]
  const same = all.filter(([{ task }]) => task === wanted)
  const meant = same.length > 0 ? same : all.filter(([{ task }]) => task.origin === wanted.origin)
  return meant.some(([{ info }, { outcome }]) => outcome === 'changed' || mandate.hasChanged?.(info))
}
