/** A plan that can be kept, approved and applied: what each task would move, and whether a host is still as it was when that was said. */

import type { AnyResource } from '../dsl/resource.ts'
import { labelOf, showValue } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import type { CompiledTask } from './compile.ts'
import type { Event, TaskInfo } from './events.ts'
import { isMove, type Step } from './host.ts'
import type { At, RunHeader } from './journal.ts'
import { otherThan, type Recorded, type Recorder } from './recorded.ts'
import type { TaskResult } from './task-result.ts'

/** Version of the form of a plan file. A reader refuses others. */
export const planVersion = 1

/** A place that a task would move. */
export interface PlannedMove {
  readonly key: string
  readonly label: string
  readonly from: Recorded
  readonly to: Recorded
  /** A digest of what would be run, and of what that reads. */
  readonly script: string
  /** Titles of the tasks on which it rests; empty where it is certain. */
  readonly dependsOn: readonly string[]
}

/** A task of a play on a host. */
export interface PlannedTask extends At {
  readonly task: TaskInfo
  readonly outcome: TaskResult['outcome']
  readonly moves: readonly PlannedMove[]
}

export interface PlanFile extends Pick<RunHeader, 'play' | 'inventory' | 'options'> {
  readonly type: 'fleetplay-plan'
  readonly version: number
  readonly id: string
  /** In ISO 8601. */
  readonly made: string
  /** Which key the digests of secret values are made by; undefined where there is none of these. */
  readonly key?: string | undefined
  readonly tasks: readonly PlannedTask[]
  /** What was told of it. */
  readonly events: readonly Event[]
}

/** A task as a plan file has it. */
export function plannedTask(
  at: At,
  { info }: CompiledTask,
  { outcome, changes }: TaskResult,
  steps: readonly Step[],
  recorder: Recorder,
): PlannedTask {
  const moves = steps.filter(isMove).map((step): PlannedMove => {
    const { resource, from, to } = step
    return {
      key: resource.key,
      label: labelOf(resource),
      from: recorder.record(resource, from),
      to: recorder.record(resource, to),
      script: recorder.script(step),
      dependsOn: changes.find(({ key }) => key === resource.key)?.dependsOn ?? [],
    }
  })
  return { ...at, task: info, outcome, moves }
}

/**
 * Why what would be done now is not what the plan says; undefined where it is, or where there is nothing left to do. What the
 * plan has only estimated is compared by what it comes to, since it could not know what it would start from.
 */
export function departure(
  planned: PlannedTask | undefined,
  steps: readonly Step[],
  recorder: Recorder,
): Failure | undefined {
  const moves = steps.filter(isMove)
  if (moves.length === 0) return undefined
  if (!planned || planned.moves.length === 0) {
    const [{ resource, from, to }] = moves as [Step]
    const what = `${labelOf(resource)} is ${shown(resource, from)}, and would become ${shown(resource, to)}`
    return departed(`The plan does not change anything here, and now ${what}.`)
  }
  // What is done already is not done again; what is left must be as it was planned.
  let left = planned.moves
  for (const move of moves) {
    const { resource, from, to } = move
    const at = left.findIndex(({ key }) => key === resource.key)
    const was = left[at]
    const label = labelOf(resource)
    if (!was) return departed(`The plan does not change ${label}, which is ${shown(resource, from)}.`)
    left = left.slice(at + 1)
    const isCertain = was.dependsOn.length === 0
    if (isCertain && !recorder.isAs(was.from, from))
      return departed(
        `${label} is ${shown(resource, from)} now${otherThan(resource, from, was.from, 'the plan found')}.`,
      )
    if (!recorder.isAs(was.to, to))
      return departed(
        `${label} would become ${shown(resource, to)} now${otherThan(resource, to, was.to, 'the plan says')}.`,
      )
    if (isCertain && was.script !== recorder.script(move))
      return departed(`${label} would be written by another script than when it was planned.`)
  }
  return undefined
}

function departed(message: string): Failure {
  return new Failure('E_MOVED', message, { hint: 'Make the plan anew, and have a look at it.' })
}

function shown(resource: AnyResource, value: unknown): string {
  return resource.sensitive ? 'another secret value' : showValue(resource, value)
}

/** Whether there is a secret value in it, which only the key tells from others. */
export function holdsDigests(tasks: readonly PlannedTask[]): boolean {
  return tasks.some(({ moves }) => moves.some(({ from, to }) => 'digest' in from || 'digest' in to))
}
