import { describe, expect, it } from 'vitest'
import { configTest } from '../../dsl/guard.ts'
import { handler, needs } from '../../dsl/handler.ts'
import { knownAfterApply } from '../../dsl/known-after.ts'
import { type Resource, want } from '../../dsl/resource.ts'
import { irreversible, refuse, Task } from '../../dsl/task.ts'
import type { RunRecord } from '../../engine/history.ts'
import { keptPlace } from '../../engine/kept.ts'
import { pendingReactions } from '../../engine/pending.ts'
import { Failure } from '../../errors/failure.ts'
import { command } from '../../modules/command.ts'
import { Probe } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'
import { type MockHost, mockHost } from '../../testing/mock-host.ts'
import { cell, type CellOptions, fill } from './cell.ts'
import { inventoryHost, playOf, Records } from './recorded-run.ts'

const holds = (host: MockHost, ...names: readonly string[]) => names.map((name) => host.holds(cell(name)))
const reload = handler('reload it', sh`true`)

/** Owns a part of a text, so that several may move one place. */
class Append extends Task {
  readonly module = 'append'
  readonly id: string
  readonly place: string
  readonly options: CellOptions
  constructor(place: string, text: string, options: CellOptions = {}) {
    super()
    this.place = place
    this.id = text
    this.options = options
  }
  get wishes() {
    const add = (now: string | null) => (now?.includes(this.id) ? now : (now ?? '') + this.id)
    return [want(cell(this.place, this.options.touches ?? []), add)]
  }
}

class Hold<T> extends Task {
  readonly module = 'hold'
  readonly id: string
  readonly place: Resource<T>
  readonly value: unknown
  constructor(place: Resource<T>, value: unknown) {
    super()
    this.id = place.key.split(':')[1]!
    this.place = place
    this.value = value
  }
  get wishes() {
    return [want(this.place as Resource<unknown>, this.value)]
  }
}

describe('a run turned round', () => {
  it('leaves all as it was, the last done first, and can be turned round again', async () => {
    const records = new Records()
    const hosts = [mockHost('web1'), mockHost('web2').has(cell('a'), 'old')]
    const memories = hosts.map(({ memory }) => memory)
    const play = playOf('p', [fill('a', 'x'), fill('b', 'y')])
    const first = await records.run(play, memories)
    const back = await records.undo(first.record, play, memories)
    expect(back.tasks).toEqual([
      'fill b: changed, b y → null',
      'fill a: changed, a x → null',
      'fill b: changed, b y → null',
      'fill a: changed, a x → old',
      'fill b: ok',
      'fill a: ok',
      'fill b: ok',
      'fill a: ok',
    ])
    expect(hosts.map((host) => holds(host, 'a', 'b'))).toEqual([
      [null, null],
      ['old', null],
    ])
    const again = await records.undo(back.record, play, memories)
    expect(hosts.map((host) => holds(host, 'a', 'b'))).toEqual([
      ['x', 'y'],
      ['x', 'y'],
    ])
    expect(again.events.at(-1)).toMatchObject({ recap: { hosts: { changed: 2, failed: 0 } } })
    // And found so, there is nothing to turn round twice.
    expect((await records.undo(back.record, play, memories)).tasks.every((told) => told.endsWith(': ok'))).toBe(true)
  })

  it('has several tasks of one place undo it step by step', async () => {
    const records = new Records()
    const host = mockHost('web1').has(cell('f'), '0')
    const play = playOf('p', [new Append('f', 'A'), fill('g', 'x'), new Append('f', 'B'), new Append('f', 'C')])
    const { record } = await records.run(play, [host.memory])
    expect(holds(host, 'f')).toEqual(['0ABC'])
    const back = await records.undo(record, play, [host.memory])
    expect(back.tasks.slice(0, 4)).toEqual([
      'append C: changed, f 0ABC → 0AB',
      'append B: changed, f 0AB → 0A',
      'fill g: changed, g x → null',
      'append A: changed, f 0A → 0',
    ])
    expect(holds(host, 'f', 'g')).toEqual(['0', null])
  })

  it('refuses the earlier of two tasks of one place where only it is chosen, and says by which', async () => {
    const records = new Records()
    const host = mockHost('web1')
    const play = playOf('p', [new Append('f', 'A'), new Append('f', 'B')])
    const { record } = await records.run(play, [host.memory])
    const only = (id: string) => ({ chooses: ({ title }: { readonly title: string }) => title === `append ${id}` })
    const refused = await records.undo(record, play, [host.memory], { ...only('A'), check: true })
    expect(refused.tasks).toEqual(['append A: failed, f is AB now; the task left A.'])
    expect(refused.events.find(({ type }) => type === 'task')).toMatchObject({
      failure: { hint: 'append B of the same run has changed it after that: turn that round too.' },
    })
    await records.undo(record, play, [host.memory], only('B'))
    expect(holds(host, 'f')).toEqual(['A'])
  })

  it('refuses a place that somebody else has moved, and it alone', async () => {
    const records = new Records()
    const host = mockHost('web1')
    const play = playOf('p', [fill('a', 'x'), fill('b', 'y')])
    const { record } = await records.run(play, [host.memory])
    host.has(cell('a'), 'by hand')
    const plan = await records.undo(record, play, [host.memory], { check: true })
    expect(plan.tasks).toEqual(['fill b: changed, b y → null', 'fill a: failed, a is by hand now; the run left x.'])
    expect(holds(host, 'a', 'b')).toEqual(['by hand', 'y'])
  })

  it('finds a place as it was before, and leaves it', async () => {
    const records = new Records()
    const host = mockHost('web1').has(cell('a'), 'old')
    const play = playOf('p', [fill('a', 'x')])
    const { record } = await records.run(play, [host.memory])
    host.has(cell('a'), 'old')
    expect((await records.undo(record, play, [host.memory])).tasks).toEqual(['fill a: ok', 'fill a: ok'])
  })

  it('turns round what a task did in all its attempts', async () => {
    const records = new Records()
    const host = mockHost('web1').has(cell('a'), '0')
    const { memory } = host
    const [apply, failure] = [memory.apply.bind(memory), new Failure('E_COMMAND', 'busy')]
    let attempts = 0
    memory.apply = async (steps, ...as) => {
      if (++attempts > 1) return apply(steps, ...as)
      // The first attempt has done half of it.
      host.has(cell('a'), 'half')
      return steps.map(() => failure)
    }
    const play = playOf('p', [fill('a', 'x').retry(2, '1ms')])
    const { record } = await records.run(play, [memory])
    expect(record.moves.map(({ from, end }) => [from, end])).toEqual([
      [{ value: '0' }, 'failed'],
      [{ value: 'half' }, 'proved'],
    ])
    const back = await records.undo(record, play, [memory])
    expect(back.tasks[0]).toBe('fill a: changed, a x → 0')
    expect(holds(host, 'a')).toEqual(['0'])
  })

  it('undoes what may have been done when the host was lost', async () => {
    const records = new Records()
    const host = mockHost('web1').unreachable('apply')
    const play = playOf('p', [fill('a', 'x'), fill('b', 'y')])
    const { record } = await records.run(play, [host.memory])
    host.memory.lost = undefined
    host.has(cell('a'), 'x')
    expect((await records.undo(record, play, [host.memory])).tasks.slice(0, 2)).toEqual([
      'fill b: ok',
      'fill a: changed, a x → null',
    ])
  })

  it('knows what the host chose', async () => {
    const records = new Records()
    const user: Resource<unknown> = {
      key: 'user:deploy',
      read: Probe.known(null),
      write: () => sh`true`.touches(),
      fresh: null,
    }
    const host = mockHost('web1').shows(user, null, { uid: 1001 })
    const play = playOf('p', [new Hold(user, { uid: knownAfterApply })])
    const { record } = await records.run(play, [host.memory])
    const back = await records.undo(record, play, [host.memory])
    expect(back.tasks[0]).toBe('hold deploy: changed, deploy {"uid":1001} → null')
    // Another user of the name is not the one that the run made.
    await records.run(play, [host.shows(user, null, { uid: 1001 }).memory])
    host.has(user, { uid: 2000 })
    expect((await records.undo(record, play, [host.memory], { check: true })).tasks[0]).toContain('failed')
  })
})

describe('what cannot be turned round', () => {
  const why = async (play: ReturnType<typeof playOf>, host = mockHost('web1')) => {
    const records = new Records()
    const { record } = await records.run(play, [host.memory])
    const { plays, irreversible: left } = records.turned(record, play)
    return [plays.length, left.map(({ task, why: reasons }) => [task.title, ...reasons])]
  }

  it('is listed with the reasons', async () => {
    const forever = fill('a', 'x', { judge: () => [irreversible('The rows are gone.')] })
    expect(await why(playOf('p', [forever]))).toEqual([0, [['fill a', 'The rows are gone.']]])
    const ran = command('run it', sh`true`).always()
    expect(await why(playOf('p', [ran, fill('b', 'x')]))).toEqual([
      1,
      [['command run it', 'What a command did cannot be turned round.']],
    ])
  })

  it('is also what cannot be seen', async () => {
    const blind = fill('a', 'x', { unprovable: true })
    expect(await why(playOf('p', [blind]))).toEqual([0, [['fill a', 'what it did cannot be seen']]])
  })

  it('is nothing that was not run, or put back', async () => {
    const test = configTest('daemon -t', sh`true`)
    const host = mockHost('web1').fails(test, { stderr: 'no' })
    expect(await why(playOf('p', [fill('a', 'x').guardedBy(test), fill('b', 'x')]), host)).toEqual([0, []])
  })

  it('is what a host had done that the inventory no longer has', async () => {
    const records = new Records()
    const hosts = [mockHost('web1'), mockHost('web2')]
    const play = playOf('p', [fill('a', 'x')])
    const { record } = await records.run(
      play,
      hosts.map(({ memory }) => memory),
    )
    const fleet = [inventoryHost('web2')]
    const { irreversible: left } = records.turned(record, play, { fleet })
    expect(left.map(({ host, why: reasons }) => [host, ...reasons])).toEqual([
      ['web1', 'the inventory has no such host'],
    ])
    await records.undo(record, play, [hosts[1]!.memory], { fleet })
    expect(hosts.map((host) => holds(host, 'a'))).toEqual([['x'], [null]])
  })

  it('is refused where the play does not name the place any more, and that alone', async () => {
    const records = new Records()
    const host = mockHost('web1')
    const { record } = await records.run(playOf('p', [fill('a', 'x'), fill('b', 'y')]), [host.memory])
    const plan = await records.undo(record, playOf('p', [fill('b', 'y')]), [host.memory], { check: true })
    expect(plan.tasks).toEqual([
      'fill b: changed, b y → null',
      'fill a: failed, The play does not name a any more, so nobody knows how to write it.',
    ])
  })
})

describe('an undo is made from what the run was made from', () => {
  it('has the groups and variables of then', async () => {
    const records = new Records()
    const host = mockHost('web1')
    const play = { ...playOf('p', []), tasks: ({ vars }: { vars: unknown }) => [fill((vars as { f: string }).f, 'x')] }
    const { record } = await records.run(play, [host.memory], { fleet: [inventoryHost('web1', { f: 'then' })] })
    const fleet = [inventoryHost('web1', { f: 'now' })]
    const { tasks } = await records.undo(record, play, [host.memory], { fleet })
    expect(tasks[0]).toBe('fill then: changed, then x → null')
  })

  it('has a secret of now, for none is on record', async () => {
    const records = new Records()
    const host = mockHost('web1')
    const play = {
      ...playOf('p', []),
      tasks: ({ vars }: { vars: unknown }) => {
        const { key } = vars as { readonly key: symbol }
        return [fill(key.description!, 'x')]
      },
    }
    const fleet = [inventoryHost('web1', { key: Symbol('a') })]
    const { record } = await records.run(play, [host.memory], { fleet })
    expect((await records.undo(record, play, [host.memory], { fleet })).tasks[0]).toBe('fill a: changed, a x → null')
  })
})

describe('secret values', () => {
  const password: Resource<string> = {
    key: 'password:app',
    sensitive: true,
    read: Probe.known(''),
    write: () => sh`true`.touches(),
    fresh: '',
  }
  const play = playOf('p', [new Hold(password, 'new-password')])
  const ran = async (records: Records, host: MockHost): Promise<RunRecord> =>
    (await records.run(play, [host.memory])).record

  it('come back from what the host has kept', async () => {
    const [records, host] = [new Records(), mockHost('web1').has(password, 'old-password')]
    const record = await ran(records, host)
    await records.undo(record, play, [host.memory])
    expect(host.holds(password)).toBe('old-password')
  })

  it('are told by no undo, also where the task that is found for the place has no secret', async () => {
    const [records, host] = [new Records(), mockHost('web1').has(password, 'old-password')]
    const record = await ran(records, host)
    const plain = { ...password, sensitive: false }
    await records.undo(record, playOf('p', [new Hold(plain, 'new-password')]), [host.memory])
    expect(host.holds(password)).toBe('old-password')
    expect(records.text()).not.toMatch(/old-password|new-password/)
  })

  it('are refused where they are kept no longer, or have been changed since', async () => {
    const [records, host] = [new Records(), mockHost('web1').has(password, 'old-password')]
    const record = await ran(records, host)
    const kept = keptPlace({ run: record.header.id, play: 'p', move: 0 })
    host.has(password, 'a-third-password')
    const moved = await records.undo(record, play, [host.memory], { check: true })
    expect(moved.tasks).toEqual(['hold app: failed, app is a secret value now, which is not what the run left.'])
    host.has(password, 'new-password').has(kept, null)
    const gone = await records.undo(record, play, [host.memory], { check: true })
    expect(gone.tasks).toEqual(['hold app: failed, What app held before is not kept on the host any more.'])
  })
})

describe('reactions of an undo', () => {
  it('are those of the tasks', async () => {
    const records = new Records()
    const host = mockHost('web1')
    const play = playOf('p', [fill('a', 'x').notify(reload), fill('b', 'x')])
    const { record } = await records.run(play, [host.memory])
    const back = await records.undo(record, play, [host.memory])
    expect(back.reactions).toEqual(['reload it done'])
  })

  it('are dropped where what they are for is gone, and their records are withdrawn', async () => {
    const records = new Records()
    const host = mockHost('web1')
    const unit = cell('unit')
    const restart = {
      ...handler('restart it', sh`true`),
      needs: needs(unit, (now) => (now === null ? refuse('There is no unit.') : undefined)),
    }
    const play = playOf('p', [fill('unit', 'there'), fill('conf', 'x').notify(restart)])
    const first = await records.run(play, [host.memory])
    expect(first.reactions).toEqual(['restart it done'])
    const plan = await records.undo(first.record, play, [host.memory], { check: true })
    expect(plan.reactions).toEqual([])
    const back = await records.undo(first.record, play, [host.memory])
    expect([back.reactions, back.tasks.filter((told) => told.includes('failed'))]).toEqual([[], []])
    expect(host.holds(pendingReactions(undefined))).toEqual({})
    expect(holds(host, 'unit', 'conf')).toEqual([null, null])
  })

  it('that disturb a place that was moved are repaired once more', async () => {
    const records = new Records()
    const host = mockHost('web1').has(cell('state'), 'stopped')
    const play = playOf('p', [fill('state', 'running'), fill('conf', 'x').notify(reload)])
    const first = await records.run(play, [host.memory])
    const { memory } = host
    const react = memory.react.bind(memory)
    // Restarting starts what was not running before the run.
    memory.react = async (handlers, as) => {
      host.has(cell('state'), 'running again')
      return react(handlers, as)
    }
    const back = await records.undo(first.record, play, [memory])
    expect(back.tasks).toEqual([
      'fill conf: changed, conf x → null',
      'fill state: changed, state running → stopped',
      'fill conf: ok',
      'fill state: changed, state running again → stopped',
    ])
    expect(holds(host, 'state', 'conf')).toEqual(['stopped', null])
    // That undo has moved one place twice, from different values. It is turned round all the same.
    memory.react = react
    const again = await records.undo(back.record, play, [memory])
    expect(again.tasks.filter((told) => told.includes('failed'))).toEqual([])
    expect(holds(host, 'state', 'conf')).toEqual(['running', 'x'])
  })
})

describe('several plays', () => {
  it('are turned round from the last to the first, also where they share a place', async () => {
    const records = new Records()
    const host = mockHost('web1').has(cell('f'), '0')
    const plays = [playOf('one', [new Append('f', 'A')]), playOf('two', [new Append('f', 'B'), fill('g', 'x')])]
    const { record } = await records.run(plays, [host.memory])
    const back = await records.undo(record, plays, [host.memory])
    expect(back.tasks).toEqual([
      'fill g: changed, g x → null',
      'append B: changed, f 0AB → 0A',
      'append A: changed, f 0A → 0',
      'fill g: ok',
      'append A: ok',
    ])
    expect(holds(host, 'f', 'g')).toEqual(['0', null])
  })

  it('have names of their own', async () => {
    const run = new Records().run([playOf('p', []), playOf('p', [])], [mockHost('web1').memory])
    await expect(run).rejects.toThrow('Two plays of a run are called p.')
  })
})

describe('guards', () => {
  it('put back what was turned round where the test fails then, and the rest stays', async () => {
    const records = new Records()
    const test = configTest('daemon -t', sh`true`)
    const host = mockHost('web1').has(cell('a'), 'old')
    const play = playOf('p', [fill('other', 'x'), fill('a', 'x').guardedBy(test)])
    const { record } = await records.run(play, [host.memory])
    host.fails(test, { stderr: 'no upstream' })
    const back = await records.undo(record, play, [host.memory])
    expect(back.tasks[0]).toBe('fill a: failed, daemon -t failed after a, and it was put back: no upstream')
    expect(holds(host, 'a')).toEqual(['x'])
    expect(back.record.moves.map(({ label, end }) => `${label} ${end}`)).toContain('a put back')
  })
})
