/** `play apply FILE`: does exactly what a plan says. The hosts are read again first: what has moved since is refused. */

import type { Event, TaskInfo } from '../engine/events.ts'
import type { At, RunHeader } from '../engine/journal.ts'
import type { Mandate } from '../engine/mandate.ts'
import { departure, type PlannedTask } from '../engine/plan-file.ts'
import { Recorder } from '../engine/recorded.ts'
import { failureData } from '../engine/tell.ts'
import { Failure } from '../errors/failure.ts'
import { agreed } from './consent.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import { type PerformOptions, perform } from './perform.ts'
import { readPlan, refuseSpent, spend } from './plan-files.ts'
import { prepare } from './prepare.ts'
import { performanceOf, type Resumed } from './run.ts'
import { runName } from './run-files.ts'
import { projectSeal } from './seal.ts'
import { tellEvents } from './told.ts'

export interface ApplyOptions extends PerformOptions {
  /** All but what is refused, without asking. */
  readonly rest?: boolean
}

/** Why a task of the plan is not done. */
interface Refused extends At {
  readonly task: TaskInfo
  readonly failure: Failure
}

/** @throws Failure E_PLAN_FILE; Mistakes before any connection */
export async function apply(path: string, options: ApplyOptions, resumed?: Resumed): Promise<ExitStatus> {
  const plan = readPlan(path)
  if (!resumed) refuseSpent(plan)
  const { play, inventory, options: choice } = plan
  const chosen = { ...options, ...choice, inventory }
  const prepared = await prepare(play, chosen)
  const recorder = new Recorder(projectSeal)
  const planned = new Map(plan.tasks.map((task) => [nameOf(task, task.task), task]))

  const refused: Refused[] = []
  const check = await perform(
    {
      ...performanceOf(play, prepared, chosen, undefined),
      quiet: true,
      planned: (at, { info }, { failure }, steps) => {
        const why = failure ?? departure(planned.get(nameOf(at, info)), steps, recorder)
        if (why) refused.push({ ...at, task: info, failure: why })
      },
    },
    options,
  )
  if (check.events.some(({ type }) => type === 'unreachable')) {
    await tellEvents(check.events, options)
    return check.status
  }
  const left = [...refused, ...dependents(refused, plan.tasks)]
  if (refused.length > 0) {
    const isAgreed = await rested(left, check.events, options)
    if (!isAgreed) return exitStatus.failed
  }
  const header: RunHeader = {
    id: runName(),
    kind: 'apply',
    of: path,
    resumes: resumed?.run,
    play,
    inventory,
    options: choice,
    started: new Date().toISOString(),
  }
  spend(plan, header.id)
  const reasons = new Map(left.map(({ failure, ...at }) => [nameOf(at, at.task), `refused: ${failure.message}`]))
  const mandate = (at: At): Mandate => {
    const before = resumed?.mandate(at) ?? {}
    return {
      ...before,
      leaves: (task) => reasons.get(nameOf(at, task)) ?? before.leaves?.(task),
      refuses: (task, steps) => departure(planned.get(nameOf(at, task)), steps, recorder),
    }
  }
  const { status } = await perform(
    { ...performanceOf(play, prepared, chosen, header), again: undefined, mandate },
    options,
  )
  return status === exitStatus.fine && refused.length > 0 ? exitStatus.failed : status
}

/** Tasks of the plan that rest on what is refused: they wait for its change, or move its places on. */
function dependents(refused: readonly Refused[], tasks: readonly PlannedTask[]): readonly Refused[] {
  const gone = new Set(refused.map((one) => nameOf(one, one.task)))
  const found: Refused[] = []
  for (const one of tasks) {
    if (gone.has(nameOf(one, one.task)) || one.moves.length === 0) continue
    const before = tasks.filter(
      (other) => isSameHost(one, other) && other.task.index < one.task.index && gone.has(nameOf(other, other.task)),
    )
    const titles = one.moves.flatMap(({ dependsOn }) => dependsOn)
    const on = before.find(
      ({ task, moves }) =>
        titles.includes(task.title) || moves.some(({ key }) => one.moves.some((move) => move.key === key)),
    )
    if (!on) continue
    gone.add(nameOf(one, one.task))
    found.push({ ...one, failure: new Failure('E_MOVED', `It rests on ${on.task.title}, which is refused.`) })
  }
  return found
}

function isSameHost(a: At, b: At): boolean {
  return a.play === b.play && a.host === b.host
}

/** Shows what is refused, and asks for the rest. */
async function rested(left: readonly Refused[], events: readonly Event[], options: ApplyOptions): Promise<boolean> {
  const [started] = events
  const told = left.map(({ failure, ...task }): Event => {
    const nothing = { reason: undefined, changes: [], notes: [], irreversible: [], ignored: false }
    return { type: 'task', ...task, outcome: 'failed', ...nothing, failure: failureData(failure.at(task.task.place)) }
  })
  await tellEvents([started!, ...told], options)
  return agreed({
    question: 'Do the rest of the plan?',
    yes: options.rest ?? false,
    hint: 'What is refused stays as it is; --rest does the rest. Or make the plan anew.',
  })
}

function nameOf({ play, host }: At, { index }: TaskInfo): string {
  return JSON.stringify([play, host, index])
}
