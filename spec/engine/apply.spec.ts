import { describe, expect, it } from 'vitest'
import { handler } from '../../dsl/handler.ts'
import { typicalFacts } from '../../dsl/play.ts'
import { want } from '../../dsl/resource.ts'
import { shape } from '../../dsl/shape.ts'
import { changed, Task } from '../../dsl/task.ts'
import { compile } from '../../engine/compile.ts'
import { HostRun } from '../../engine/host-run.ts'
import { Failure } from '../../errors/failure.ts'
import { command } from '../../modules/command.ts'
import { sh } from '../../shell/script.ts'
import { type MockHost, mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import '../../testing/vitest.ts'
import { cell, fill } from './cell.ts'

/** A task of several cells, filled in order. */
class FillAll extends Task {
  readonly module = 'fillAll'
  readonly id: string
  readonly names: readonly string[]
  constructor(...names: readonly string[]) {
    super()
    this.id = names.join('+')
    this.names = names
  }
  get wishes() {
    return this.names.map((name) => want(cell(name, []), 'x'))
  }
}

const lost = () => new Failure('E_CONNECTION_LOST', 'web1 was lost.')
const reload = handler('reload nginx', sh`nginx -s reload`)

/** The host does it, and then loses us so many calls later. */
function losing(host: MockHost, method: 'read' | 'apply' | 'react', call: number): MockHost {
  const { memory } = host
  const real = memory[method].bind(memory) as (...args: readonly unknown[]) => Promise<unknown>
  let calls = 0
  Object.assign(memory, {
    [method]: async (...args: readonly unknown[]) => {
      const answer = await real(...args)
      if (++calls === call) throw lost()
      return answer
    },
  })
  return host
}

/** A write fails so many times, then succeeds. */
function busy(host: MockHost, key: string, times: number): MockHost {
  const failure = new Failure('E_COMMAND', 'busy')
  let left = times
  host.memory.failing.get = (asked) => (asked === key && left-- > 0 ? failure : undefined)
  return host
}

const told = ({ tasks }: Awaited<ReturnType<typeof run>>) =>
  tasks.map(({ outcome, changes, notes, reason }) => [outcome, changes.map(({ label }) => label), reason ?? notes])

describe('a task that is tried again', () => {
  it('has changed what all its attempts have changed', async () => {
    const task = new FillAll('a', 'b').retry(2, '1ms').notify(reload)
    const result = await run([task, fill('c', 'z').when(changed(task))], busy(mockHost('web1'), 'cell:b', 1))
    expect(told(result)).toEqual([
      ['changed', ['a', 'b'], []],
      ['changed', ['c'], []],
    ])
    expect(result.reactions.map(({ because }) => because)).toEqual([['fillAll a+b']])
  })

  it('has changed what only its second attempt saw to be changed', async () => {
    const host = mockHost('web1')
    const { memory } = host
    let reads = 0
    const real = memory.read.bind(memory)
    // What was written is there only a moment later: the first proof comes too early.
    memory.read = async (resources) => (++reads === 2 ? resources.map(() => ({ value: null })) : real(resources))
    const result = await run([fill('a', 'x').retry(2, '1ms').notify(reload)], host)
    expect(told(result)).toEqual([['changed', ['a'], []]])
    expect(result.changes[0]).toMatchObject({ before: 'null', after: 'x' })
    expect(result.reactions).toHaveLength(1)
  })

  it('is tried no more when the run is to stop', async () => {
    const host = mockHost('web1')
    const play = shape({ groups: {} })
      .play('p')
      .hosts('all')
      .tasks([fill('a', 'x').retry(100, '1ms')])
    const web1 = {
      name: 'web1',
      address: 'web1',
      groups: [],
      carrier: 'local',
      ssh: {},
      become: 'sudo',
      vars: {},
    } as const
    const { tasks } = compile(play, web1, [web1], typicalFacts, { tags: [], skipTags: [] })
    let attempts = 0
    host.memory.apply = async (steps) => steps.map(() => (attempts++, new Failure('E_COMMAND', 'busy')))
    const told = { emit: () => {}, keep: () => '', journal: undefined, planned: undefined }
    const options = { play: 'p', check: false, ...told, stopping: () => attempts >= 3, mandate: {} }
    expect(await new HostRun(host.memory, typicalFacts, tasks, options).run()).toBe('failed')
    expect(attempts).toBe(3)
  })
})

describe('a task that failed', () => {
  it('tells what it had changed before, and nothing else', async () => {
    const result = await run(new FillAll('a', 'b', 'c'), busy(mockHost('web1'), 'cell:b', 1))
    expect(told(result)).toEqual([['failed', ['a'], []]])
  })

  it('leaves later tasks of its places to what is read, where it is ignored', async () => {
    const host = busy(mockHost('web1'), 'cell:a', 1)
    const result = await run([fill('a', 'x').ignoreErrors(), fill('a', 'x').named('again')], host)
    expect(told(result).map(([outcome]) => outcome)).toEqual(['failed', 'changed'])
    expect(host.holds(cell('a'))).toBe('x')
  })
})

describe('a task that waits for a change of another', () => {
  it('knows it by its origin, whatever keywords it was given', async () => {
    const first = fill('a', 'x')
    const result = await run([first.notify(reload).tags('t'), fill('b', 'y').when(changed(first))], mockHost('web1'))
    expect(told(result).map(([outcome]) => outcome)).toEqual(['changed', 'changed'])
  })

  it('must come after it', async () => {
    const first = fill('a', 'x')
    await expect(run([fill('b', 'y').when(changed(first)), first], mockHost('web1'))).rejects.toThrow(
      'fill b waits for a change of fill a, which is not before it.',
    )
  })
})

describe('a condition that throws', () => {
  it('is told before any connection, with the task', async () => {
    const bad = fill('a', 'x').when(() => {
      throw new TypeError('no such fact')
    })
    await expect(run([bad], mockHost('web1'))).rejects.toThrow('A condition of fill a threw: no such fact')
  })
})

describe('a host that is lost', () => {
  const tasks = () => [
    fill('ok', 'x'),
    fill('a', 'x').notify(reload),
    fill('b', 'y', { touches: undefined }),
    fill('c', 'z'),
  ]
  const fine = () => mockHost('web1').has(cell('ok'), 'x')

  it('while scripts ran: it is not known whether they were done, and what was not reached is skipped', async () => {
    const result = await run(tasks(), losing(fine(), 'apply', 1))
    const unknown = 'the host was lost in the middle: it is not known whether this was done'
    expect(told(result)).toEqual([
      ['ok', [], []],
      ['skipped', [], unknown],
      ['skipped', [], unknown],
      ['skipped', [], 'the host was lost before it'],
    ])
    expect(result.hosts).toEqual({ web1: 'unreachable' })
  })

  it('before the proof: what was done was not read again', async () => {
    const result = await run([fill('a', 'x').notify(reload)], losing(fine(), 'read', 2))
    expect(told(result)).toEqual([['changed', ['a'], ['done, but not read again: the host was lost before']]])
    expect(result.reactions).toMatchObject([
      { handler: 'reload nginx', outcome: 'failed', failure: { code: 'E_CONNECTION_LOST' } },
    ])
  })

  it('while handlers ran: they are told, and the next run does them', async () => {
    const result = await run([fill('a', 'x').notify(reload)], losing(fine(), 'react', 1))
    expect(told(result)).toEqual([['changed', ['a'], []]])
    expect(result.reactions.map(({ outcome, failure }) => [outcome, failure?.message])).toEqual([
      ['failed', expect.stringContaining('the next run does it')],
    ])
    expect(result.hosts).toEqual({ web1: 'unreachable' })
  })
})

describe('a fault of our own', () => {
  it('of a module fails the task, with its stack', async () => {
    const broken = fill('a', 'x', {
      judge: () => {
        throw new TypeError('undefined is not a function')
      },
    })
    const { tasks } = await run([broken], mockHost('web1'))
    expect(tasks[0]?.failure).toMatchObject({
      code: 'E_INTERNAL',
      message: 'A module failed: undefined is not a function',
    })
    expect(tasks[0]?.failure?.stack).toContain('apply.spec.ts')
  })

  it('of the engine fails its host, and the others go on', async () => {
    const broken = mockHost('web1')
    broken.memory.apply = () => Promise.reject(new TypeError('no steps'))
    const result = await run([fill('a', 'x')], [broken, mockHost('web2')])
    expect(result.hosts).toEqual({ web1: 'failed', web2: 'changed' })
    const failures = result.tasks.flatMap(({ host, failure }) =>
      failure ? [[host, failure.code, failure.message]] : [],
    )
    expect(failures).toEqual([['web1', 'E_INTERNAL', 'The work on this host broke off: no steps']])
  })

  it('is told in no other failure', async () => {
    const result = await run([fill('a', 'x')], mockHost('web1').fails(fill('a', 'x'), { stderr: 'no' }))
    expect(result.tasks[0]?.failure).not.toHaveProperty('stack')
  })
})

describe('what cannot be seen afterwards', () => {
  it('is done wherever a task says it, as it was planned', async () => {
    const refresh = () => command('refresh', sh`true`).always()
    const tasks = [refresh(), fill('a', 'x', { touches: undefined }), refresh()]
    for (const check of [true, false]) {
      const { tasks: told } = await run(tasks, mockHost('web1'), { check })
      expect(told.map(({ outcome }) => outcome)).toEqual(['changed', 'changed', 'changed'])
    }
  })
})
