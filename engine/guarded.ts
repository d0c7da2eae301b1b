/** Configuration tests as steps: after the writes of a task that are under one, with the scripts that put them back. */

import type { Guard } from '../dsl/guard.ts'
import { labelOf } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import { Probe } from '../probe/probe.ts'
import { testedOrUndone, testEnds } from '../shell/tested.ts'
import type { Step } from './host.ts'

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

function testStep(guard: Guard, guarded: readonly Step[]): Step {
  const back = guarded.toReversed().map(putBack)
  return {
    resource: { key: guard.key, label: guard.name, read: Probe.known(null), unprovable: true },
    from: null,
    to: null,
    script: testedOrUndone(guard.test, back).touches(...back.flatMap(({ touched }) => touched ?? [])),
    deadline: Math.max(...guarded.map(({ deadline }) => deadline)),
    tests: guarded,
  }
}

/** The step turned round. Throws where that cannot be done, before anything is touched. */
function putBack({ resource, from, to }: Step) {
  const script = resource.write?.(from, to)
  if (!script) throw new Failure('E_REFUSED', `${labelOf(resource)} could not be put back after a failed test.`)
  return script
}

/** What a reader is told of a test that failed. */
export function testFailure({ resource, tests = [] }: Step, failure: Failure): Failure {
  const { message, cause } = failure
  const isOlder = failure.seen?.status === testEnds.failsWithout
  // Our own status says nothing of the tool.
  const seen = failure.seen && (isOlder || isLeft(failure)) ? { ...failure.seen, status: undefined } : failure.seen
  const name = labelOf(resource)
  const what = tests.length === 1 ? labelOf(tests[0]!.resource) : `${tests.length} changes`
  if (isLeft(failure)) {
    return new Failure('E_GUARD', `${name} failed after ${what}, and putting it back failed too: ${message}`, {
      seen,
      cause,
      hint: 'See to it by hand before the daemon is restarted: what was written is still there.',
    })
  }
  if (isOlder) {
    return new Failure('E_GUARD', `${name} fails without ${what} too, which was put back: ${message}`, {
      seen,
      cause,
      hint: 'Mend what the test complains about first: it is not of this task.',
    })
  }
  return new Failure('E_GUARD', `${name} failed after ${what}, and it was put back: ${message}`, { seen, cause })
}

/** What a reader is told where a write under the test failed already, and what was written before it was tested then. */
export function withPutBack(first: Failure, test: Step, seen: Failure): Failure {
  const { message, hint } = testFailure(test, seen)
  const more = isLeft(seen) ? [message, hint] : ['What the task had written was put back.']
  return first.hinting([first.hint, ...more].filter(Boolean).join(' '))
}

/** Whether what was written is still there. */
export function isLeft({ seen }: Failure): boolean {
  return seen?.status === testEnds.notPutBack
}
