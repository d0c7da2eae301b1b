import { describe, expect, it } from 'vitest'
import { handler } from '../../dsl/handler.ts'
import { look, want } from '../../dsl/resource.ts'
import { changed, irreversible, note, refuse, Task } from '../../dsl/task.ts'
import { sh } from '../../shell/script.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import '../../testing/vitest.ts'
import { knownAfterApply } from '../../dsl/known-after.ts'
import { fulfils } from '../../engine/fulfils.ts'
import { cell, fill } from './cell.ts'

/** A task whose wish for one place is made from another. */
class Named extends Task {
  readonly module = 'named'
  readonly id: string
  readonly looked: readonly string[]
  constructor(id: string, ...looked: readonly string[]) {
    super()
    this.id = id
    this.looked = looked
  }
  get wishes() {
    return [
      ...this.looked.map((name) => look(cell(name, []))),
      want(cell(this.id, []), (_, __, beside) => `about ${beside(cell('title'))}`),
    ]
  }
}

const outcomes = (result: Awaited<ReturnType<typeof run>>) => result.tasks.map(({ outcome }) => outcome)

describe('a play on one host', () => {
  it('changes what is not as desired, and nothing else', async () => {
    const result = await run(
      [fill('a', 'new'), fill('b', 'same')],
      mockHost('web1').has(cell('a'), 'old').has(cell('b'), 'same'),
    )
    expect(outcomes(result)).toEqual(['changed', 'ok'])
    expect(result).toChange(cell('a'), { from: 'old', to: 'new' })
    expect(result).not.toChange(cell('b'))
  })

  it('changes nothing the second time, in a greeting and one batch', async () => {
    const host = mockHost('web1')
    await run([fill('a', 'x'), fill('b', 'y')], host)
    const before = host.memory.trips
    const second = await run([fill('a', 'x'), fill('b', 'y')], host)
    expect(second).toBeConverged()
    expect(host.memory.trips - before).toBe(2)
  })

  it('costs a changed host one apply and one proof more, however many tasks there are', async () => {
    const host = mockHost('web1')
    await run(
      Array.from({ length: 40 }, (_, i) => fill(`c${i}`, 'x')),
      host,
    )
    expect(host.memory.trips).toBe(4)
  })

  it('lets a wish depend on what an earlier one of the task has seen, as surely as that is known', async () => {
    const task = new Named('page', 'title')
    const result = await run([task], mockHost('web1').has(cell('title'), 'Hello'))
    expect(result).toChange(cell('page'), { from: null, to: 'about Hello' })
    // What may yet move the one makes the other uncertain.
    const plan = await run([fill('opaque', 'x', { touches: ['cell:title'] }), task], mockHost('web1'), { check: true })
    expect(plan.changes.find(({ key }) => key === 'cell:page')?.dependsOn).toEqual(['fill opaque'])
    const { tasks } = await run([new Named('page')], mockHost('web1'))
    expect(tasks[0]!.failure).toMatchObject({ code: 'E_INTERNAL' })
  })

  it('touches nothing in check mode, and predicts what the run then does', async () => {
    const host = mockHost('web1').has(cell('a'), 'old')
    const plan = await run([fill('a', 'new')], host, { check: true })
    expect(host.holds(cell('a'))).toBe('old')
    const real = await run([fill('a', 'new')], host)
    expect(plan.changes).toEqual(real.changes)
  })

  it('stops a host at the first failure, and does what was before it', async () => {
    const tasks = [fill('a', 'x'), fill('b', 'y'), fill('c', 'z')] as const
    const host = mockHost('web1').fails(tasks[1], { stderr: 'disk full', status: 28 })
    const result = await run(tasks, host)
    expect(outcomes(result)).toEqual(['changed', 'failed', 'skipped'])
    expect(result).toFailAt(tasks[1], 'disk full')
    expect(host.holds(cell('c'))).toBeNull()
    expect(result.hosts).toEqual({ web1: 'failed' })
  })

  it('fails a task whose change was made without an error but is not there afterwards', async () => {
    const host = mockHost('web1')
    // The host says that it did as told, and keeps what it had.
    host.memory.values.set = function (this: Map<string, unknown>) {
      return this
    }
    const result = await run([fill('a', 'x')], host)
    expect(result).toFailAt('fill a', /changed without an error, yet it is null and not x/)
    expect(result.tasks[0]?.failure?.code).toBe('E_NOT_CONVERGED')
  })

  it('goes on after a failure that is ignored, and tells it', async () => {
    const bad = fill('a', 'x').ignoreErrors()
    const result = await run([bad, fill('b', 'y')], mockHost('web1').fails(bad, { stderr: 'no' }))
    expect(outcomes(result)).toEqual(['failed', 'changed'])
    expect(result.hosts).toEqual({ web1: 'changed' })
  })

  it('tries again as often as the task says, and no more', async () => {
    const flaky = fill('a', 'x').retry(3, '1ms')
    const host = mockHost('web1').fails(flaky, { stderr: 'busy' })
    const failure = host.memory.failing.get('cell:a')!
    let asked = 0
    host.memory.failing.get = (key) => (key === 'cell:a' && ++asked < 3 ? failure : undefined)
    expect(await run([flaky], host)).toChange(cell('a'))
    expect(asked).toBe(3)
    asked = -10
    expect(outcomes(await run([fill('a', 'z').retry(2, '1ms')], host))).toEqual(['failed'])
    expect(asked).toBe(-8)
  })
})

describe('a value that is known after apply', () => {
  it('is whatever the host chose, and nothing the second time', () => {
    expect(fulfils({ uid: 1001, shell: '/bin/sh' }, { uid: knownAfterApply, shell: '/bin/sh' })).toBe(true)
    expect(fulfils({ uid: 1001, shell: '/bin/sh' }, { uid: knownAfterApply, shell: '/bin/bash' })).toBe(false)
    expect(fulfils({ shell: '/bin/sh' }, { uid: knownAfterApply, shell: '/bin/sh' })).toBe(false)
    expect(fulfils(null, { uid: knownAfterApply })).toBe(false)
    expect(fulfils([1], [1])).toBe(true)
    expect(fulfils(0, null)).toBe(false)
  })
})

describe('a refusal', () => {
  const refused = fill('b', 'y', { judge: () => [refuse('nginx 1.22 cannot send 103', 'edge would')] })

  it('is told before anything is touched', async () => {
    const host = mockHost('web1')
    const result = await run([fill('a', 'x'), refused], host)
    expect(outcomes(result)).toEqual(['skipped', 'failed'])
    expect(result.tasks[0]?.reason).toMatch(/nothing was touched/)
    expect(result.tasks[1]?.failure).toMatchObject({ code: 'E_REFUSED', hint: 'edge would' })
    expect(host.holds(cell('a'))).toBeNull()
  })

  it('names the line of the play', async () => {
    const result = await run([refused], mockHost('web1'))
    expect(result.tasks[0]?.failure?.place).toMatchObject({
      file: import.meta.filename,
      line: expect.any(Number) as number,
    })
  })

  it('waits where an earlier task may yet cure it', async () => {
    const cured = fill('b', 'y', { judge: ({ now }) => (now(cell('b')) === 'v2' ? [] : [refuse('too old')]) })
    const upgrade = fill('a', 'x', { touches: ['cell:b'] })
    const host = mockHost('web1').has(cell('b'), 'v1')
    const plan = await run([upgrade, cured], host, { check: true })
    expect(plan.tasks[1]).toMatchObject({ outcome: 'changed', notes: ['known after fill a; now: too old'] })
    const real = await run([upgrade, cured], host)
    expect(outcomes(real)).toEqual(['changed', 'failed'])
  })
})

it('is not put off by a change of places that the refusal does not rest on', async () => {
  const looks = fill('b', 'y', { judge: ({ now }) => (now(cell('b')) === null ? [refuse('no b')] : []) })
  const host = mockHost('web1')
  const result = await run([fill('a', 'x', { touches: ['cell:c'] }), looks], host)
  expect(outcomes(result)).toEqual(['skipped', 'failed'])
  expect(host.holds(cell('a'))).toBeNull()
})

describe('notes', () => {
  it('stand beside a change, and nowhere else', async () => {
    const noted = fill('a', 'x', {
      judge: () => [note('five seconds of 502 once'), irreversible('the old one is gone')],
    })
    const host = mockHost('web1')
    expect((await run([noted], host)).tasks[0]).toMatchObject({
      notes: ['five seconds of 502 once'],
      irreversible: ['the old one is gone'],
    })
    expect((await run([noted], host)).tasks[0]).toMatchObject({ notes: [], irreversible: [] })
  })
})

describe('what a change disturbs', () => {
  it('is read again in one trip before it is decided', async () => {
    const host = mockHost('web1').has(cell('b'), 'y')
    await run([fill('a', 'x', { touches: ['cell:*'] }), fill('b', 'y'), fill('c', 'z')], host)
    // greeting, batch, apply a, read b and c again, apply c, prove
    expect(host.memory.trips).toBe(6)
  })

  it('is everything, for a script that does not say', async () => {
    const host = mockHost('web1')
    await run([fill('a', 'x', { touches: undefined }), fill('b', 'y')], host)
    expect(host.memory.trips).toBe(6)
  })

  it('makes later entries of a plan conditional, naming what they depend on', async () => {
    const plan = await run([fill('a', 'x', { touches: undefined }), fill('b', 'y')], mockHost('web1'), { check: true })
    expect(plan.changes.map(({ label, dependsOn }) => [label, dependsOn])).toEqual([
      ['a', []],
      ['b', ['fill a']],
    ])
  })

  it('makes nothing conditional on a host that is converged', async () => {
    const host = mockHost('web1').has(cell('a'), 'x')
    const plan = await run([fill('a', 'x', { touches: undefined }), fill('b', 'y')], host, { check: true })
    expect(plan.changes.map(({ dependsOn }) => dependsOn)).toEqual([[]])
  })
})

describe('conditions', () => {
  it('by facts skip a task with the reason', async () => {
    const result = await run([fill('a', 'x').when(({ os }) => os.id === 'alpine')], mockHost('web1'))
    expect(result.tasks[0]).toMatchObject({ outcome: 'skipped', reason: 'its condition does not hold on this host' })
  })

  it('by another task hold only where that task changed something', async () => {
    const first = fill('a', 'x')
    const second = fill('b', 'y').when(changed(first))
    const host = mockHost('web1')
    expect(outcomes(await run([first, second], host))).toEqual(['changed', 'changed'])
    expect(outcomes(await run([first, fill('c', 'z').when(changed(first))], host))).toEqual(['ok', 'skipped'])
  })
})

describe('handlers', () => {
  const reload = handler('reload nginx', sh`nginx -s reload`)
  const restart = handler('restart nginx', sh`systemctl restart nginx`, { absorbs: [reload.key] })

  it('run once, at the end, because of every task that changed', async () => {
    const result = await run([fill('a', 'x').notify(reload), fill('b', 'y').notify(reload)], mockHost('web1'))
    expect(result.reactions.map(({ handler, because, outcome }) => [handler, because, outcome])).toEqual([
      ['reload nginx', ['fill a', 'fill b'], 'done'],
    ])
  })

  it('do not run where nothing changed', async () => {
    const result = await run([fill('a', 'x').notify(reload)], mockHost('web1').has(cell('a'), 'x'))
    expect(result.reactions).toEqual([])
  })

  it('absorb one another', async () => {
    const result = await run([fill('a', 'x').notify(reload), fill('b', 'y').notify(restart)], mockHost('web1'))
    expect(result.reactions.map(({ handler }) => handler)).toEqual(['restart nginx'])
  })

  it('are planned in check mode', async () => {
    const result = await run([fill('a', 'x').notify(reload)], mockHost('web1'), { check: true })
    expect(result.reactions.map(({ outcome }) => outcome)).toEqual(['planned'])
  })

  it('fail the host where they fail', async () => {
    const result = await run(
      [fill('a', 'x').notify(reload)],
      mockHost('web1').fails(reload, { stderr: 'unit is masked' }),
    )
    expect(result.reactions[0]).toMatchObject({ outcome: 'failed', failure: { message: 'unit is masked' } })
    expect(result.hosts).toEqual({ web1: 'failed' })
  })

  it('are not lost where a later task fails', async () => {
    const bad = fill('b', 'y')
    const host = mockHost('web1').fails(bad, { stderr: 'no' })
    const result = await run([fill('a', 'x').notify(reload), bad], host)
    expect(result.reactions.map(({ outcome }) => outcome)).toEqual(['done'])
  })
})

describe('a host that is lost', () => {
  it('is unreachable with the reason', async () => {
    const result = await run([fill('a', 'x')], mockHost('web1').unreachable())
    expect(result.hosts).toEqual({ web1: 'unreachable' })
    expect(result.tasks).toEqual([])
  })

  it('is unreachable with the task it was at', async () => {
    const result = await run([fill('a', 'x')], mockHost('web1').unreachable('apply'))
    expect(result.events.find(({ type }) => type === 'unreachable')).toMatchObject({ task: { title: 'fill a' } })
  })
})

describe('what cannot be read', () => {
  it('refuses the plan in its own words', async () => {
    const result = await run([fill('a', 'x')], mockHost('web1').cannotRead(cell('a'), 'mysql is not running'))
    expect(result).toFailAt('fill a', 'mysql is not running')
  })

  it('is estimated by a fresh host where an earlier task makes it readable', async () => {
    const host = mockHost('web1').cannotRead(cell('b'), 'mysql is not running')
    const plan = await run([fill('a', 'x', { touches: ['cell:b'] }), fill('b', 'y')], host, { check: true })
    expect(plan.changes[1]).toMatchObject({ label: 'b', before: 'null', after: 'y', dependsOn: ['fill a'] })
  })
})
