import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../connection/connection.ts'
import { configTest } from '../../dsl/guard.ts'
import { handler } from '../../dsl/handler.ts'
import { want } from '../../dsl/resource.ts'
import { shape } from '../../dsl/shape.ts'
import { irreversible, Task, type TaskList } from '../../dsl/task.ts'
import { Armed } from '../../engine/armed.ts'
import type { CompiledTask } from '../../engine/compile.ts'
import type { Event } from '../../engine/events.ts'
import { fleet } from '../../engine/fleet.ts'
import type { Step } from '../../engine/host.ts'
import { pendingReactions } from '../../engine/pending.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { Failure } from '../../errors/failure.ts'
import { command, deadMansSwitch, directory, file, http, sh } from '../../index.ts'
import { Probe } from '../../probe/probe.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import '../../testing/vitest.ts'
import { Real, realShells } from '../modules/real.ts'
import { cell, fill } from './cell.ts'

const options = { become: 'sudo', becomePassword: undefined } as const
const here = { name: 'here', address: 'here', groups: [], carrier: 'local', ssh: {}, become: 'sudo', vars: {} } as const

/** A host that can be logged in to so often; `onRefused` is what happens with the first connection then. */
async function runOn(
  real: Real,
  tasks: TaskList,
  { logins = 99, onRefused }: { logins?: number; onRefused?: (first: Connection) => Promise<void> } = {},
) {
  const events: Event[] = []
  let first: Connection | undefined
  let made = 0
  const connect = async () => {
    if (++made > logins) {
      await onRefused?.(first!)
      throw new Failure('E_AUTH', 'The host refused every key.')
    }
    const connection = real.tools.connection()
    first ??= connection
    return connection
  }
  const host = new RemoteHost('here', connect, options)
  await fleet({
    plays: shape({ groups: {} }).play('real').hosts('all').tasks(tasks),
    hosts: [here],
    limit: undefined,
    tags: [],
    skipTags: [],
    forks: 1,
    check: false,
    connect: () => host,
    emit: (event) => events.push(event),
    stopping: () => false,
  })
  const told = events.filter((event) => event.type === 'task')
  return {
    told,
    events,
    outcomes: told.map(({ outcome }) => outcome),
    failures: told.flatMap(({ failure }) => (failure ? [failure] : [])),
    reactions: events.flatMap((event) => (event.type === 'reaction' ? [`${event.handler} ${event.outcome}`] : [])),
  }
}

/** Numbers of the processes that would put something back below a state folder. */
function waiting(state: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${state}/fleetplay/switches/`)
    } catch {
      return false
    }
  })
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return path
  }
}

async function eventually(holds: () => boolean, seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 20 && !holds(); i++) await sleep(50)
  expect(holds()).toBe(true)
}

describe.each(realShells)("a dead man's switch under $name", ({ name: shell }) => {
  let real: Real
  afterEach(() => real.remove())
  const conf = (content: string) => file(real.path('a.conf')).content(content)
  /** A daemon that reads its configuration when it is restarted. */
  const restart = () => handler('restart daemon', sh`cat ${real.path('a.conf')} >>${real.path('ran')}`)
  const stateFiles = (name = '') => {
    const folder = join(real.tools.state, 'fleetplay', name)
    return existsSync(folder) ? readdirSync(folder) : []
  }

  it('keeps what a new login has confirmed, and leaves nothing behind', async () => {
    real = new Real(shell)
    writeFileSync(real.path('a.conf'), 'old\n')
    const task = deadMansSwitch('2s', conf('new\n').notify(restart()), file(real.path('b.conf')).content('b'))
    const { outcomes, reactions, told } = await runOn(real, [task])
    expect(outcomes).toEqual(['changed'])
    expect(told[0]?.changes).toHaveLength(2)
    expect(reactions).toEqual(['restart daemon done'])
    expect(real.text('ran')).toBe('new\n')
    expect(stateFiles('pending')).toEqual([])
    expect(stateFiles()).toEqual(['pending'])
    await eventually(() => waiting(real.tools.state).length === 0, 2)
    await sleep(1500)
    expect(real.text('a.conf')).toBe('new\n')
    expect((await runOn(real, [task])).outcomes).toEqual(['ok'])
  })

  it('puts all back at once where nobody can log in any more and the session is still there', async () => {
    real = new Real(shell)
    writeFileSync(real.path('a.conf'), 'old\n', { mode: 0o640 })
    const inside = [conf('new\n').notify(restart()), directory(real.path('d')), file(real.path('b.conf')).content('b')]
    const { outcomes, failures, reactions } = await runOn(
      real,
      [deadMansSwitch('1min', inside), file(real.path('later')).content('x')],
      {
        logins: 1,
      },
    )
    expect(outcomes).toEqual(['failed', 'skipped'])
    expect(failures[0]).toMatchObject({
      code: 'E_LOCKED_OUT',
      message: 'Nobody could log in after the change: The host refused every key.',
      hint: 'What it had changed was put back.',
    })
    expect(reactions).toEqual([])
    expect(real.text('ran')).toBe('new\nold\n')
    expect(real.entries()).toEqual(['a.conf', 'ran'])
    expect(real.mark('a.conf').endsWith('100640')).toBe(true)
    expect(stateFiles('pending')).toEqual([])
    expect(stateFiles()).toEqual(['pending'])
    await eventually(() => waiting(real.tools.state).length === 0, 2)
  })

  it('is fired by the host where we are cut off, and the next run says so', async () => {
    real = new Real(shell)
    writeFileSync(real.path('a.conf'), 'old\n')
    const task = deadMansSwitch('2s', conf('new\n').notify(restart()))
    const cut = await runOn(real, [task], { logins: 1, onRefused: async (first) => first.close() })
    expect(cut.outcomes).toEqual(['failed'])
    expect(cut.failures[0]?.message).toMatch(
      /^Nobody could log in after the change: .* What was changed, the host puts back by itself; it will have done so by \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.$/,
    )
    expect(cut.events.some(({ type }) => type === 'unreachable')).toBe(true)
    expect(real.text('a.conf')).toBe('new\n')
    // Its own session, nothing of ours open, and a folder that only its owner reads.
    const [process = ''] = waiting(real.tools.state)
    expect(readFileSync(`/proc/${process}/stat`, 'utf8').split(' ')[5]).toBe(process)
    const openIn = (pid: string) => readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
    // What this process was started with, its children have too.
    const own = openIn('self')
    expect(openIn(process).filter((name) => !own.includes(name) && !name.endsWith('/run'))).toEqual([])
    const soon = await runOn(real, [conf('other\n')])
    expect(soon.outcomes).toEqual(['skipped'])
    expect(soon.reactions).toEqual(["dead man's switch failed"])
    await eventually(() => waiting(real.tools.state).length === 0, 4)
    expect(real.text('a.conf')).toBe('old\n')
    expect(real.text('ran')).toBe('new\nold\n')
    expect(stateFiles()).toEqual(['pending'])
    const next = await runOn(real, [file(real.path('c')).content('c')])
    expect(next.reactions).toEqual(["dead man's switch: nobody had confirmed the change, so the host put it back done"])
    expect(stateFiles('pending')).toEqual([])
    expect((await runOn(real, [file(real.path('c')).content('c')])).reactions).toEqual([])
  })

  it('puts back what was done where something inside fails', async () => {
    real = new Real(shell)
    const broken = handler(
      'restart daemon',
      sh`grep -q old ${real.path('a.conf')} || { echo 'no such word' >&2; exit 3; }`,
    )
    writeFileSync(real.path('a.conf'), 'old\n')
    const { failures, outcomes } = await runOn(real, [deadMansSwitch('1min', conf('new\n').notify(broken))])
    expect(outcomes).toEqual(['failed'])
    expect(failures[0]).toMatchObject({ message: 'no such word', hint: 'What it had changed was put back.' })
    expect(real.text('a.conf')).toBe('old\n')
    expect(stateFiles()).toEqual(['pending'])
    expect(stateFiles('pending')).toEqual([])
  })

  it('is disarmed where a configuration test inside put all back', async () => {
    real = new Real(shell)
    writeFileSync(real.path('a.conf'), 'old\n')
    const test = configTest('daemon -t', sh`! grep new ${real.path('a.conf')} >&2 || exit 78`)
    const { failures } = await runOn(real, [deadMansSwitch('1min', conf('new\n').guardedBy(test).notify(restart()))])
    expect(failures[0]?.message).toMatch(/^daemon -t failed after .*, and it was put back: new$/)
    expect(real.entries()).toEqual(['a.conf'])
    expect(stateFiles()).toEqual(['pending'])
  })

  it('says where something could not be put back, in this run and in later ones', async () => {
    real = new Real(shell)
    mkdirSync(real.path('d'))
    const spoil = handler('spoil', sh`rm -rf ${real.path('d')}`)
    const task = deadMansSwitch('1min', file(real.path('d/a.conf')).content('new\n').notify(spoil), new Stuck())
    const { failures } = await runOn(real, [task], { logins: 1 })
    expect(failures[0]?.hint).toContain('Not all of it could be put back: it is stuck')
    const next = await runOn(real, [])
    expect(next.reactions).toEqual([])
    const later = await runOn(real, [file(real.path('c')).content('c')])
    expect(later.reactions).toEqual([expect.stringMatching(/^dead man's switch: .* failed$/)])
    expect(later.events.find((event) => event.type === 'reaction')).toMatchObject({
      failure: { message: 'it is stuck' },
    })
  })

  it('is either confirmed or fired, however near to each other both are tried', async () => {
    real = new Real(shell)
    const tries = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const path = real.path(`f${i}`)
        const armed = new Armed(compiled(`t${i}`), { seconds: 1 }, [change(path)], new Date())
        const own = await real.tools.connection().open()
        const answers = async (steps: readonly Step[]) => {
          const all = await own.run(
            steps.map(({ script }) => ({ script: script.text, input: script.input, deadline: 20 })),
          )
          return all.map(({ status }) => status)
        }
        expect(await answers([armed.arm, change(path)])).toEqual([0, 0])
        await sleep(900 + i * 30)
        const [status] = await answers([armed.confirm])
        await sleep(1500)
        await own.close()
        return [status, readFileSync(path, 'utf8')]
      }),
    )
    for (const [status, text] of tries)
      expect([
        [0, 'new'],
        [103, 'old'],
      ]).toContainEqual([status, text])
    expect(waiting(real.tools.state)).toEqual([])
  }, 30_000)

  it('that was left armed by a host that was restarted keeps the next plan from being done', async () => {
    real = new Real(shell)
    writeFileSync(real.path('a.conf'), 'old\n')
    await runOn(real, [deadMansSwitch('30s', conf('new\n'))], { logins: 1, onRefused: async (first) => first.close() })
    for (const pid of waiting(real.tools.state)) process.kill(Number(pid), 'SIGKILL')
    const { outcomes, events } = await runOn(real, [conf('other\n')])
    expect(outcomes).toEqual(['skipped'])
    expect(real.text('a.conf')).toBe('new\n')
    const [told] = events.filter((event) => event.type === 'reaction')
    expect(told?.failure?.hint).toMatch(/^Wait until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, .* restarted meanwhile/)
  })
})

/** Cannot be put back. */
class Stuck extends Task {
  readonly module = 'stuck'
  readonly id = 'here'
  get wishes() {
    const write = (to: string) => (to === 'on' ? sh`:` : sh`echo 'it is stuck' >&2; exit 1`).touches()
    return [want({ key: 'stuck', read: Probe.known('off'), write }, 'on')]
  }
}

function compiled(title: string): CompiledTask {
  return {
    info: { index: 0, module: 'm', title, place: undefined },
    handlers: [],
    as: undefined,
  } as unknown as CompiledTask
}

function change(path: string): Step {
  const write = (to: unknown) => sh`printf %s ${String(to)} >${path}`.touches()
  const resource = { key: `text:${path}`, read: Probe.known('old' as unknown), write }
  return { resource, from: 'old', to: 'new', script: write('new'), deadline: 10 }
}

describe("a dead man's switch on a mock host", () => {
  const restart = handler('restart sshd', sh`true`)
  const held = fill('a', 'new')
  const task = deadMansSwitch('2min', held.notify(restart), fill('b', 'new'))

  it('is confirmed, and its handlers run inside, once', async () => {
    const host = mockHost('web1')
    const result = await run([task, fill('c', 'x')], host)
    expect(result).toChange(cell('a'), { to: 'new' })
    expect(result.reactions).toMatchObject([
      { handler: 'restart sshd', outcome: 'done', because: ['deadMansSwitch fill a and 1 more'] },
    ])
    expect(host.holds(pendingReactions('root'))).toEqual({})
    expect(await run([task], host)).toBeConverged()
  })

  it('that locks us out is put back', async () => {
    const host = mockHost('web1').has(cell('a'), 'old').locksOut(held)
    const result = await run([fill('0', 'x').notify(handler('other', sh`true`)), task, fill('c', 'x')], host)
    expect(result).toFailAt(task, 'Nobody could log in after the change: web1 lets nobody in any more.')
    expect(result.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'failed', 'skipped'])
    expect(result.reactions.map((event) => event.handler)).toEqual(['other'])
    expect([host.holds(cell('a')), host.holds(cell('b'))]).toEqual(['old', null])
    expect(host.holds(pendingReactions('root'))).toEqual({})
  })

  it('whose handler fails is put back, in the words of the handler', async () => {
    const host = mockHost('web1').has(cell('a'), 'old').fails(restart, { stderr: 'Job for ssh.service failed.' })
    const result = await run(task, host)
    expect(result).toFailAt(task, 'Job for ssh.service failed.')
    expect(host.holds(cell('a'))).toBe('old')
  })

  it('lets a later task that notifies the same handler run it again', async () => {
    const result = await run([task, fill('c', 'x').notify(restart)], mockHost('web1'))
    expect(result.reactions.map(({ because }) => because)).toEqual([['deadMansSwitch fill a and 1 more'], ['fill c']])
  })

  it('does once what an earlier run left to be done', async () => {
    const host = mockHost('web1').fails(restart, { stderr: 'no' })
    await run(fill('z', 'x').notify(restart), host)
    host.memory.failing.clear()
    const result = await run(task, host)
    expect(result.reactions.map(({ outcome }) => outcome)).toEqual(['done'])
    expect(host.holds(pendingReactions('root'))).toEqual({})
  })

  it('is planned with its handlers, and arms nothing', async () => {
    const host = mockHost('web1')
    const plan = await run(task, host, { check: true })
    expect(plan.reactions).toMatchObject([{ handler: 'restart sshd', outcome: 'planned' }])
    expect(host.holds(pendingReactions('root'))).toEqual({})
  })

  it('does not arm where nothing changes', async () => {
    const host = mockHost('web1').has(cell('a'), 'new').has(cell('b'), 'new').locksOut(held)
    expect(await run(task, host)).toBeConverged()
  })

  it.each([
    ['an unguarded command', command('reboot', sh`reboot`).always(), 'cannot be turned round'],
    ['what cannot be seen afterwards', fill('a', 'x', { unprovable: true }), 'could not put a back'],
    [
      'an irreversible change',
      fill('a', 'x', { judge: () => [irreversible('it is deleted')] }),
      'could not put it back: it is deleted',
    ],
  ])('is refused in the plan with %s', async (_, inside, words) => {
    const result = await run([fill('0', 'x'), deadMansSwitch('2min', inside)], mockHost('web1'))
    expect(result).toFailAt(result.tasks[1]!.task.title, words)
    expect(result.tasks[0]?.outcome).toBe('skipped')
  })

  it.each<[string, () => Task, string]>([
    ['a time that is none', () => deadMansSwitch('2 minutes' as '2min', held), 'is not a duration'],
    ['no time', () => deadMansSwitch('10ms', held), 'at least 1s, not 10ms'],
    ['retry', () => deadMansSwitch('2min', held).retry(), 'tried once'],
    ['a switch inside', () => deadMansSwitch('2min', deadMansSwitch('1min', held)), 'of no use'],
    ['an observation', () => deadMansSwitch('2min', http('https://a.example/')), 'put it after the switch'],
    [
      'when() inside',
      () =>
        deadMansSwitch(
          '2min',
          held.when(() => true),
        ),
      'when is said of fill a inside',
    ],
    ['become() inside', () => deadMansSwitch('2min', held.become('deploy')), 'become is said of fill a inside'],
    ['ignoreErrors() inside', () => deadMansSwitch('2min', held.ignoreErrors()), 'ignoreErrors is said of'],
  ])('is told before any connection of %s', async (_, wrong, words) => {
    await expect(run(wrong(), mockHost('web1'))).rejects.toThrow(words)
  })

  it('hands its local files on', async () => {
    const path = join(import.meta.dirname, 'cell.ts')
    const host = mockHost('web1')
    const result = await run(deadMansSwitch('2min', file('/etc/a').source(path)), host)
    expect(result.hosts).toEqual({ web1: 'changed' })
  })
})
