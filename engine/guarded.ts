/** Configuration tests as steps: after the writes that are under one, with the scripts that put them back. */

import type { Guard } from '../dsl/guard.ts'
import { labelOf } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import { Probe } from '../probe/probe.ts'
import type { Script } from '../shell/script.ts'
import { testedOrUndone, testEnds } from '../shell/tested.ts'
import { isMove, type Step } from './host.ts'
import type { StepRecord } from './record.ts'

/** A move, and the test that it is under. */
export interface GuardedStep {
  readonly step: Step
  readonly guard: Guard | undefined
}

/** The steps, each test in its place: after the last write that is under it. */
export function withTests(steps: readonly GuardedStep[]): readonly Step[] {
  return steps.flatMap(({ step, guard }, i) => {
    if (!guard || steps.slice(i + 1).some((later) => later.guard?.key === guard.key)) return [step]
    const mine = steps.filter((other) => other.guard?.key === guard.key).map((other) => other.step)
    return [step, testStep(guard, mine)]
  })
}

/**
 * Neighbouring tasks that are wholly under the same test are one transaction: the test runs once, after the last of them,
 * and puts back what they all wrote.
 *
 * @param records of one user, in the order in which they are done
 */
export function transactions(records: readonly StepRecord[]): readonly StepRecord[] {
  const tasks = [...new Set(records.map(({ by }) => by))].map((by) => records.filter((record) => record.by === by))
  let open: readonly Step[] = []
  return tasks.flatMap((mine, i) => {
    const test = onlyTest(mine)
    if (!test) return mine
    const { guard, tests } = test.step
    const moves = [...open, ...tests!]
    const goesOn = onlyTest(tasks[i + 1] ?? [])?.step.guard?.key === guard!.key
    open = goesOn ? moves : []
    return mine.flatMap((record) => {
      if (record !== test) return [record]
      return goesOn ? [] : [{ ...test, step: testStep(guard!, moves) }]
    })
  })
}

/** The test that all moves of a task are under; undefined where some are under another, or none. */
function onlyTest(mine: readonly StepRecord[]): StepRecord | undefined {
  const moves = mine.filter(({ step }) => isMove(step)).length
  return mine.find(({ step }) => step.tests?.length === moves)
}

/** A test, and how to put back the steps before it. */
export function testStep(guard: Guard, guarded: readonly Step[]): Step {
  const back = guarded.toReversed().map(putBack)
  return {
    resource: { key: guard.key, label: guard.name, read: Probe.known(null), unprovable: true },
    from: null,
    to: null,
    script: testedOrUndone(guard.test, back).touches(...back.flatMap(({ touched }) => touched ?? [])),
    deadline: Math.max(...guarded.map(({ deadline }) => deadline)),
    tests: guarded,
    guard,
  }
}

/** The step turned round. Throws where that cannot be done, before anything is touched. */
export function putBack({ resource, from, to }: Pick<Step, 'resource' | 'from' | 'to'>): Script {
  const script = resource.write?.(from, to)
  if (!script) throw new Failure('E_REFUSED', `${labelOf(resource)} could not be put back.`)
  return script
}

/** What a reader is told of a test that failed after the changes of so many tasks. */
export function testFailure({ resource, tests = [] }: Step, failure: Failure, tasks = 1): Failure {
  const { message, cause } = failure
  const isOlder = failure.seen?.status === testEnds.failsWithout
  // Our own status says nothing of the tool.
  const seen = failure.seen && (isOlder || isLeft(failure)) ? { ...failure.seen, status: undefined } : failure.seen
  const name = labelOf(resource)
  const isOne = tests.length === 1
  const changes = isOne ? labelOf(tests[0]!.resource) : `${tests.length} changes`
  const what = tasks === 1 ? changes : `${changes} of ${tasks} tasks`
  if (isLeft(failure)) {
    return new Failure(
      'E_GUARD',
      `${name} failed after ${what}, and putting ${isOne ? 'it' : 'them'} back failed too: ${message}`,
      {
        seen,
        cause,
        hint: 'See to it by hand before the daemon is restarted: what was written is still there.',
      },
    )
  }
  if (isOlder) {
    return new Failure(
      'E_GUARD',
      `${name} fails without ${what} too, which ${isOne ? 'was' : 'were'} put back: ${message}`,
      {
        seen,
        cause,
        hint: `Mend what the test complains about first: it is not of ${tasks === 1 ? 'this task' : 'these tasks'}.`,
      },
    )
  }
  return new Failure(
    'E_GUARD',
    `${name} failed after ${what}, and ${isOne ? 'it was' : 'they were'} put back: ${message}`,
    {
      seen,
      cause,
    },
  )
}

/** What a reader is told where a write under the test failed already, and what was written before it was tested then. */
export function withPutBack(first: Failure, test: Step, seen: Failure, tasks = 1): Failure {
  const { message, hint } = testFailure(test, seen, tasks)
  const whose = tasks === 1 ? 'the task' : `the ${tasks} tasks under ${labelOf(test.resource)}`
  const more = isLeft(seen) ? [message, hint] : [`What ${whose} had written was put back.`]
  return first.hinting([first.hint, ...more].filter(Boolean).join(' '))
}

/** Whether what was written is still there. */
export function isLeft({ seen }: Failure): boolean {
  return seen?.status === testEnds.notPutBack
}
