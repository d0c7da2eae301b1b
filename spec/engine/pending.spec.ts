import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { configTest } from '../../dsl/guard.ts'
import { handler } from '../../dsl/handler.ts'
import { Failure } from '../../errors/failure.ts'
import { pendingReactions } from '../../engine/pending.ts'
import { file } from '../../modules/file.ts'
import { sh } from '../../shell/script.ts'
import { type MockHost, mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import '../../testing/vitest.ts'
import { Real, realShells } from '../modules/real.ts'
import { cell, fill } from './cell.ts'

const restart = handler('restart it', sh`true`)
const broken = { stderr: 'it does not start' }

const pending = (host: MockHost) =>
  Object.values(host.holds(pendingReactions('root'))).map(({ name, because }) => [name, because])
const reacted = ({ reactions }: Awaited<ReturnType<typeof run>>) =>
  reactions.map((event) => `${event.handler} ${event.outcome}: ${event.because.join(', ')}`)

/** The host does what it is told, and is lost at the call. */
function losing(host: MockHost, method: 'react' | 'read', call: number): MockHost {
  const real = host.memory[method].bind(host.memory) as (...args: readonly unknown[]) => Promise<unknown>
  let calls = 0
  Object.assign(host.memory, {
    [method]: async (...args: readonly unknown[]) => {
      if (++calls === call) throw new Failure('E_CONNECTION_LOST', 'web1 was lost.')
      return real(...args)
    },
  })
  return host
}

describe('a reaction that a host owes', () => {
  const task = fill('a', 'x', { touches: [] }).notify(restart)

  it('is on record until it has succeeded', async () => {
    const host = mockHost('web1').fails(restart, broken)
    expect((await run(task, host)).hosts).toEqual({ web1: 'failed' })
    expect(pending(host)).toEqual([['restart it', ['fill a']]])
    host.memory.failing.clear()
    const again = await run(task, host)
    expect(reacted(again)).toEqual([
      expect.stringMatching(/^restart it done: fill a \(pending since \d{4}-\d\d-\d\d \d\d:\d\d UTC\)$/),
    ])
    expect(again.hosts).toEqual({ web1: 'changed' })
    expect(pending(host)).toEqual([])
    expect(await run(task, host)).toBeConverged()
  })

  it('says where it comes from and how to be rid of it, where it fails in a play that has nothing to do with it', async () => {
    const host = mockHost('web1').fails(restart, broken)
    await run(task, host)
    const other = await run(fill('other', 'y'), host)
    const [{ because, failure }] = other.reactions as [(typeof other.reactions)[0]]
    expect(because).toEqual([expect.stringMatching(/^fill a \(pending since /)])
    expect(failure?.hint).toMatch(
      /To give it up, remove pending\/[0-9a-f]{24}\.json of \/var\/lib\/fleetplay on the host\.$/,
    )
  })

  it('is not lost with the host, and any play does it', async () => {
    const host = losing(mockHost('web1'), 'react', 1)
    const lost = await run(task, host)
    expect(lost.hosts).toEqual({ web1: 'unreachable' })
    expect(lost.reactions[0]?.failure?.message).toContain('on record: the next run does it')
    expect(reacted(await run(fill('other', 'y'), host))).toEqual([expect.stringContaining('restart it done')])
    expect(pending(host)).toEqual([])
  })

  it('is recorded before the change that calls for it', async () => {
    const host = losing(mockHost('web1'), 'read', 2)
    expect((await run(task, host)).hosts).toEqual({ web1: 'unreachable' })
    expect(host.holds(cell('a'))).toBe('x')
    expect(pending(host)).toEqual([['restart it', ['fill a']]])
    const full = mockHost('web1').fails(pendingReactions('root'), { stderr: 'No space left on device' })
    const { tasks } = await run(task, full)
    expect(tasks[0]?.failure?.message).toBe('No space left on device')
    expect(full.holds(cell('a'))).toBeNull()
  })

  it('is planned, and told so', async () => {
    const host = mockHost('web1').fails(restart, broken)
    await run(task, host)
    const plan = await run(task, host, { check: true })
    expect(reacted(plan)).toEqual([expect.stringContaining('restart it planned: fill a (pending since')])
    expect(pending(host)).toHaveLength(1)
  })

  it('is done once, though the run calls for it too, or for what absorbs it', async () => {
    const host = mockHost('web1').fails(restart, broken)
    await run(task, host)
    host.memory.failing.clear()
    expect(reacted(await run(fill('b', 'x').notify(restart), host))).toEqual([expect.stringContaining('fill b')])
    await run(fill('c', 'x').notify(restart), host.fails(restart, broken))
    host.memory.failing.clear()
    const stronger = handler('reboot it', sh`true`, { absorbs: [restart.key] })
    expect(reacted(await run(fill('d', 'x').notify(stronger), host))).toEqual(['reboot it done: fill d'])
    expect(pending(host)).toEqual([])
  })

  it('is withdrawn where the write failed and did nothing', async () => {
    const host = mockHost('web1').fails(cell('a'), { stderr: 'no' })
    const result = await run([fill('c', 'x').notify(handler('other', sh`true`)), task], host)
    expect(reacted(result)).toEqual(['other done: fill c'])
    expect(pending(host)).toEqual([])
  })

  it('stays where a write failed when it had done something, and is done by the next run', async () => {
    const host = mockHost('web1').fails(cell('a'), { stderr: 'no' })
    const apply = host.memory.apply.bind(host.memory)
    host.memory.apply = async (steps, as) => {
      const ends = await apply(steps, as)
      host.has(cell('a'), 'half')
      return ends
    }
    await run(task, host)
    expect(pending(host)).toEqual([['restart it', ['fill a']]])
    host.memory.apply = apply
    host.memory.failing.clear()
    expect(reacted(await run(task, host))).toHaveLength(1)
    expect(pending(host)).toEqual([])
  })

  it('is withdrawn where the write was put back', async () => {
    const test = configTest('daemon -t', sh`true`)
    const host = mockHost('web1').fails(test, { stderr: 'no' })
    await run(task.guardedBy(test), host)
    expect(pending(host)).toEqual([])
  })
})

describe.each(realShells)('the records of a host under $name', ({ name: shell }) => {
  let real: Real
  afterEach(() => real.remove())
  const folder = () => join(real.tools.state, 'fleetplay/pending')

  it('are there while the change is made, private, and cleared by the reaction', async () => {
    real = new Real(shell)
    const seen = handler(
      "it's restarted",
      sh`ls ${folder()} >${real.path('seen')}; cat >${real.path('read')}`.reading('input'),
    )
    const { outcomes, trips } = await real.run([file(real.path('a')).content('x').notify(seen)])
    expect(outcomes).toEqual(['changed'])
    expect(trips).toBe(4)
    expect(real.text('seen')).toMatch(/^[0-9a-f]{24}\.json\n$/)
    expect(real.text('read')).toBe('input')
    expect(readdirSync(folder())).toEqual([])
    expect(statSync(folder()).mode & 0o777).toBe(0o700)
    expect((await real.run([file(real.path('a')).content('x').notify(seen)])).trips).toBe(1)
  })

  it('keep what failed, byte for byte, until a later run of another play has done it', async () => {
    real = new Real(shell)
    const text = 'it\'s \\ $(touch nothing) "é"\n'
    const script = sh`[ -e ${real.path('ready')} ] || { echo 'not yet' >&2; exit 1; }; cat >${real.path('read')}`
    const task = file(real.path('a'))
      .content('x')
      .notify(handler('do it', script.reading(text)))
    await real.run([task])
    const [name = ''] = readdirSync(folder())
    expect(JSON.parse(readFileSync(join(folder(), name), 'utf8'))).toMatchObject({ name: 'do it' })
    expect(statSync(join(folder(), name)).mode & 0o777).toBe(0o600)
    writeFileSync(real.path('ready'), '')
    await real.run([file(real.path('b')).content('y')])
    expect(real.text('read')).toBe(text)
    expect(readdirSync(folder())).toEqual([])
  })

  it('are not made on a host that has nothing to do', async () => {
    real = new Real(shell)
    writeFileSync(real.path('a'), 'x', { mode: 0o644 })
    await real.run([file(real.path('a')).content('x').mode('0644').notify(restart)])
    expect(existsSync(real.tools.state)).toBe(false)
  })

  it('that are no records fail a reaction, with what to do about them', async () => {
    real = new Real(shell)
    mkdirSync(folder(), { recursive: true })
    writeFileSync(join(folder(), 'odd.json'), 'no json\n')
    const { events } = await real.run([file(real.path('a')).content('x')])
    expect(events.find((event) => event.type === 'reaction')).toMatchObject({
      handler: 'a reaction that cannot be read',
      outcome: 'failed',
      failure: { message: expect.stringContaining('remove it there') as string },
    })
  })
})
