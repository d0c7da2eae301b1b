import { describe, expect, it } from 'vitest'
import type { AnyResource } from '../../dsl/resource.ts'
import type { Step } from '../../engine/host.ts'
import { departure, holdsDigests, type PlannedMove, type PlannedTask } from '../../engine/plan-file.ts'
import { Recorder } from '../../engine/recorded.ts'
import { sealWith } from '../../engine/sealed.ts'
import { Probe } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'

const recorder = new Recorder(() => sealWith(Buffer.alloc(32, 'k')))

function place(key: string, more: Partial<AnyResource> = {}): AnyResource {
  return { key: `cell:${key}`, read: Probe.known(null), ...more }
}

function step(resource: AnyResource, from: unknown, to: unknown, script = sh`fill`): Step {
  return { resource, from, to, script, deadline: 60 }
}

function planned(steps: readonly Step[], more: Partial<PlannedMove> = {}): PlannedTask {
  const moves = steps.map((each): PlannedMove => {
    const { resource, from, to } = each
    return {
      key: resource.key,
      label: resource.key,
      from: recorder.record(resource, from),
      to: recorder.record(resource, to),
      script: recorder.script(each),
      dependsOn: [],
      ...more,
    }
  })
  return {
    play: 'p',
    host: 'web1',
    task: { index: 0, module: 'fill', title: 'fill', place: undefined },
    outcome: 'changed',
    moves,
  }
}

const [a, b] = [place('a'), place('b')]
const departs = (plan: PlannedTask | undefined, steps: readonly Step[]) => departure(plan, steps, recorder)?.message

describe('what would be done now', () => {
  it('is as planned where places, values and scripts are', () => {
    expect(departs(planned([step(a, 'x', 'y'), step(b, 1, 2)]), [step(a, 'x', 'y'), step(b, 1, 2)])).toBeUndefined()
  })

  it('may be less, since what is done already is not done again', () => {
    expect(departs(planned([step(a, 'x', 'y'), step(b, 1, 2)]), [step(b, 1, 2)])).toBeUndefined()
    expect(departs(planned([step(a, 'x', 'y')]), [])).toBeUndefined()
    expect(departs(undefined, [])).toBeUndefined()
  })

  it.each([
    [
      'where nothing was planned',
      undefined,
      [step(a, 'x', 'y')],
      'The plan does not change anything here, and now a is x, and would become y.',
    ],
    ['in another place', planned([step(b, 1, 2)]), [step(a, 'x', 'y')], 'The plan does not change a, which is x.'],
    [
      'in another order',
      planned([step(a, 'x', 'y'), step(b, 1, 2)]),
      [step(b, 1, 2), step(a, 'x', 'y')],
      'The plan does not change a, which is x.',
    ],
    ['from another value', planned([step(a, 'x', 'y')]), [step(a, 'z', 'y')], 'a is z now; the plan found x.'],
    ['to another value', planned([step(a, 'x', 'y')]), [step(a, 'x', 'z')], 'a would become z now; the plan says y.'],
    [
      'by another script',
      planned([step(a, 'x', 'y')]),
      [step(a, 'x', 'y', sh`other`)],
      'a would be written by another script than when it was planned.',
    ],
    [
      'by other input',
      planned([step(a, 'x', 'y', sh`cat`.reading('1'))]),
      [step(a, 'x', 'y', sh`cat`.reading('2'))],
      'a would be written by another script than when it was planned.',
    ],
  ])('is not as planned %s', (_, plan, steps, message) => {
    expect(departs(plan, steps)).toBe(message)
  })

  it('is as estimated where it comes to the same, whatever it starts from', () => {
    const estimated = planned([step(a, 'x', 'y')], { dependsOn: ['another task'] })
    expect(departs(estimated, [step(a, 'z', 'y', sh`other`)])).toBeUndefined()
    expect(departs(estimated, [step(a, 'x', 'z')])).toBe('a would become z now; the plan says y.')
  })

  it('is compared by digests where it is secret, and tells no value', () => {
    const secret = place('s', { sensitive: true })
    const plan = planned([step(secret, 'horse battery', 'correct horse')])
    expect(JSON.stringify(plan)).not.toMatch(/horse/)
    expect(holdsDigests([plan])).toBe(true)
    expect(departs(plan, [step(secret, 'horse battery', 'correct horse')])).toBeUndefined()
    expect(departs(plan, [step(secret, 'staple staple', 'correct horse')])).toBe(
      's is another secret value now, which is not what the plan found.',
    )
  })

  it('may hold what only the host will choose', () => {
    const plan = planned([step(a, null, { uid: '(known after apply)' })])
    expect(departs(plan, [step(a, null, { uid: '(known after apply)' })])).toBeUndefined()
  })
})
