/** What a run may do beside what its play says: a plan that was approved, the rest of an undo, what an earlier run has done. */

import type { Failure } from '../errors/failure.ts'
import type { TaskInfo } from './events.ts'
import type { Step } from './host.ts'

/** The mandate for one play on one host. */
export interface Mandate {
  /** Why a task is left as it is; undefined where it may be done. */
  readonly leaves?: (task: TaskInfo) => string | undefined
  /** Why what would be done now must not be. */
  readonly refuses?: (task: TaskInfo, steps: readonly Step[]) => Failure | undefined
  /** Whether the run that this one goes on with has changed something by the task. */
  readonly hasChanged?: (task: TaskInfo) => boolean
}
