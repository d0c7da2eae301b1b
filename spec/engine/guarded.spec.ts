import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { configTest } from '../../dsl/guard.ts'
import { handler } from '../../dsl/handler.ts'
import { want } from '../../dsl/resource.ts'
import { Task, type TaskList } from '../../dsl/task.ts'
import { Probe } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { directory } from '../../modules/directory.ts'
import { file, fileAt } from '../../modules/file.ts'
import { line } from '../../modules/line.ts'
import { Real, realShells } from '../modules/real.ts'
import { cell } from './cell.ts'

/** Tasks as one: what they write under one test is tested together. */
class Both extends Task {
  readonly module = 'both'
  readonly id = 'files'
  readonly tasks: readonly Task[]
  constructor(...tasks: readonly Task[]) {
    super()
    this.tasks = tasks
  }
  override get parts() {
    return this.tasks
  }
  get wishes() {
    return []
  }
}

class Cells extends Task {
  readonly module = 'cells'
  readonly id = 'a+b'
  get wishes() {
    return [want(cell('a', []), 'x', { guard: fine }), want(cell('b', []), 'x', { guard: fine })]
  }
}

/** Its write fails. */
class Breaks extends Task {
  readonly module = 'breaks'
  readonly id = 'here'
  get wishes() {
    const write = (to: string) => (to === 'on' ? sh`echo 'it is broken' >&2; exit 1` : sh`:`).touches()
    return [want({ key: 'broken', read: Probe.known('off'), write }, 'on')]
  }
}

const fine = configTest('daemon -t', sh`true`)
const reload = handler('reload daemon', sh`exit 1`)

describe.each(realShells)('a configuration test under $name', ({ name: shell }) => {
  const real = new Real(shell)
  afterEach(() => real.clear())
  afterAll(() => real.remove())

  /** A daemon that refuses a configuration with the word `bad` in it. */
  const daemonIn = (root: string) => configTest('daemon -t', sh`! cat ${root}/*.conf | grep bad >&2 || exit 78`)
  const conf = (name: string, content: string) => file(real.path(name)).content(content)

  it('that is content leaves what was written', async () => {
    const task = conf('a.conf', 'good\n').guardedBy(daemonIn(real.root))
    const first = await real.run([task])
    expect(first.outcomes).toEqual(['changed'])
    expect(first.changes).toEqual([expect.stringContaining('a.conf: absent → ')])
    expect(real.text('a.conf')).toBe('good\n')
    expect((await real.run([task])).outcomes).toEqual(['ok'])
  })

  it('that fails puts all that the task wrote back, in the daemon’s words, and nothing reacts', async () => {
    writeFileSync(real.path('a.conf'), 'first\n', { mode: 0o640 })
    const was = real.text('a.conf')
    const task = new Both(conf('a.conf', 'second\n'), conf('b.conf', 'a bad word\n'))
      .guardedBy(daemonIn(real.root))
      .notify(reload)
    const after = conf('c.conf', 'later\n')
    const { outcomes, failures, changes, told } = await real.run([task, after])
    expect(outcomes).toEqual(['failed', 'skipped'])
    expect(failures).toEqual(['daemon -t failed after 2 changes, and they were put back: a bad word'])
    expect(told[0]?.failure?.seen).toMatchObject({ command: 'daemon -t', status: 78, output: 'a bad word' })
    expect(changes).toEqual([])
    expect(real.text('a.conf')).toBe(was)
    expect(real.mark('a.conf').endsWith('100640')).toBe(true)
    expect(real.entries()).toEqual(['a.conf'])
  })

  it('that fails without the change too says so', async () => {
    writeFileSync(real.path('b.conf'), 'bad from before\n')
    const { failures, told } = await real.run([conf('a.conf', 'good\n').guardedBy(daemonIn(real.root))])
    expect(failures[0]).toContain('daemon -t fails without')
    expect(told[0]?.failure?.hint).toBe('Mend what the test complains about first: it is not of this task.')
    expect(real.entries()).toEqual(['b.conf'])
  })

  it('may be cured by the change', async () => {
    writeFileSync(real.path('b.conf'), 'bad from before\n')
    expect((await real.run([conf('b.conf', 'good\n').guardedBy(daemonIn(real.root))])).outcomes).toEqual(['changed'])
  })

  it('is run where a write under it failed, for what was written before', async () => {
    const broken = new Both(conf('a.conf', 'bad\n'), new Breaks()).guardedBy(daemonIn(real.root))
    const { outcomes, failures } = await real.run([broken])
    expect(outcomes).toEqual(['failed'])
    expect(failures).toEqual(['it is broken'])
    expect(real.entries()).toEqual([])
  })

  it('says where something could not be put back', async () => {
    mkdirSync(real.path('d'))
    writeFileSync(real.path('d/a.conf'), 'first\n')
    // What others do in the meantime.
    const test = configTest('daemon -t', sh`echo no >&2; rm -r ${real.path('d')}; false`.touches())
    const { failures, told } = await real.run([conf('d/a.conf', 'second\n').guardedBy(test)])
    expect(failures[0]).toContain('putting it back failed too')
    expect(told[0]?.failure?.hint).toContain('by hand')
  })

  it('is run once for neighbouring tasks under it, which are only good together', async () => {
    // Each file names another that must be there.
    const test = configTest(
      'daemon -t',
      sh`echo x >>${real.path('runs')}; [ -e ${real.path('a.conf')} ] && [ -e ${real.path('b.conf')} ] || { echo half >&2; exit 1; }`.touches(),
    )
    const tasks = ['a.conf', 'b.conf'].map((name) => conf(name, 'good\n').guardedBy(test))
    const { outcomes, trips } = await real.run([...tasks, conf('other', 'x')])
    expect(outcomes).toEqual(['changed', 'changed', 'changed'])
    expect(real.text('runs')).toBe('x\n')
    expect(trips).toBe(3)
  })

  it('that fails after the last of several tasks puts back all of them, and none is told as changed', async () => {
    mkdirSync(real.path('a'))
    writeFileSync(real.path('a.conf'), 'first\n')
    const was = real.text('a.conf')
    const test = daemonIn(real.root)
    const tasks = [
      line(real.path('a.conf')).present('second').guardedBy(test).notify(reload),
      line(real.path('a.conf')).present('third').guardedBy(test),
      directory(real.path('made')).guardedBy(test),
      conf('made/in.conf', 'x').guardedBy(test),
      conf('b.conf', 'a bad word\n').guardedBy(test),
      conf('c.conf', 'later\n'),
    ]
    const { told, failures, changes, events } = await real.run(tasks)
    const put = `put back with file ${real.path('b.conf')}, because daemon -t failed`
    expect(told.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ...Array.from({ length: 4 }, () => ['skipped', put]),
      ['failed', undefined],
      ['skipped', 'a task before it failed'],
    ])
    expect(failures).toEqual(['daemon -t failed after 5 changes of 5 tasks, and they were put back: a bad word'])
    expect(changes).toEqual([])
    expect(real.text('a.conf')).toBe(was)
    expect(real.entries()).toEqual(['a', 'a.conf'])
    expect(events.filter(({ type }) => type === 'reaction')).toEqual([])
    expect(existsSync(join(real.tools.state, 'fleetplay/pending'))).toBe(true)
    expect(readdirSync(join(real.tools.state, 'fleetplay/pending'))).toEqual([])
  })

  it('runs before a task that is under another one or none, or that stands alone', async () => {
    const noting = (name: string) =>
      configTest(name, sh`echo ${name} $(ls ${real.root}) >>${real.path('runs')}`.touches())
    const [a, b] = [noting('a'), noting('b')]
    const named = (name: string) => conf(name, 'x')
    await real.run([
      named('1').guardedBy(a),
      named('2').guardedBy(a),
      named('3').guardedBy(b),
      named('4').guardedBy(a),
      named('5'),
      named('6').guardedBy(a),
      named('7').guardedBy(a).timeout('1m'),
      named('8').guardedBy(a),
      new Both(named('9').guardedBy(a), named('99')),
    ])
    expect(real.text('runs')).toBe(
      [
        'a 1 2\n',
        'b 1 2 3 runs\n',
        'a 1 2 3 4 runs\n',
        'a 1 2 3 4 5 6 runs\n',
        'a 1 2 3 4 5 6 7 runs\n',
        'a 1 2 3 4 5 6 7 8 runs\n',
        'a 1 2 3 4 5 6 7 8 9 runs\n',
      ].join(''),
    )
  })

  it('is run for the tasks that were done, where the write of a later one under it fails', async () => {
    const test = daemonIn(real.root)
    const [good, bad, breaks, after] = [
      conf('0.conf', 'good\n').guardedBy(test),
      conf('a.conf', 'bad\n').guardedBy(test),
      new Breaks().guardedBy(test),
      conf('c.conf', 'good\n').guardedBy(test),
    ]
    const spoilt = await real.run([good, bad, breaks, after])
    expect(spoilt.outcomes).toEqual(['skipped', 'skipped', 'failed', 'skipped'])
    expect(spoilt.told[2]?.failure).toMatchObject({
      message: 'it is broken',
      hint: 'What the 3 tasks under daemon -t had written was put back.',
    })
    expect(spoilt.told[1]?.reason).toBe('put back with breaks here, because daemon -t failed')
    expect(spoilt.told[3]?.reason).toBe('a task before it failed')
    expect(real.entries()).toEqual([])
    const fine = await real.run([good, breaks, after])
    expect(fine.outcomes).toEqual(['changed', 'failed', 'skipped'])
    expect(real.entries()).toEqual(['0.conf'])
  })

  it('fails all of its tasks, where something could not be put back', async () => {
    mkdirSync(real.path('d'))
    writeFileSync(real.path('d/a.conf'), 'first\n')
    const test = configTest('daemon -t', sh`echo no >&2; rm -r ${real.path('d')}; false`.touches())
    const tasks = ['d/a.conf', 'b.conf'].map((name) => conf(name, 'second\n').guardedBy(test))
    const { outcomes, failures } = await real.run(tasks)
    expect(outcomes).toEqual(['failed', 'failed'])
    for (const failure of failures) expect(failure).toContain('2 changes of 2 tasks, and putting them back failed too')
  })

  it('costs no trip of its own', async () => {
    const trips = async (tasks: TaskList) => (await real.run(tasks)).trips
    const plain = await trips([conf('a.conf', 'one\n')])
    expect(await trips([conf('a.conf', 'two\n').guardedBy(daemonIn(real.root))])).toBe(plain)
    expect(await trips([conf('a.conf', 'bad\n').guardedBy(daemonIn(real.root))])).toBeLessThanOrEqual(plain)
  })

  it('is not run where nothing is written', async () => {
    const never = configTest('daemon -t', sh`touch ${real.path('ran')}; exit 1`)
    writeFileSync(real.path('a.conf'), 'same\n', { mode: 0o644 })
    expect((await real.run([conf('a.conf', 'same\n').mode('0644').guardedBy(never)])).outcomes).toEqual(['ok'])
    expect(real.entries()).toEqual(['a.conf'])
  })
})

describe('a configuration test on a mock host', () => {
  it('holds, where the test says nothing else', async () => {
    const host = mockHost('web1')
    expect(await run(new Cells(), host)).toMatchObject({ hosts: { web1: 'changed' } })
    expect(host.holds(cell('a', []))).toBe('x')
  })

  it('that fails leaves the host as it was', async () => {
    const host = mockHost('web1').fails(fine, { stderr: 'daemon: no' })
    const { tasks, reactions } = await run(new Cells().notify(reload), host)
    expect(tasks[0]?.failure?.message).toBe('daemon -t failed after 2 changes, and they were put back: daemon: no')
    expect(tasks[0]?.changes).toEqual([])
    expect(reactions).toEqual([])
    expect(host.holds(cell('a', []))).toBe(null)
  })

  it('that fails after a write that failed is told beside it', async () => {
    const host = mockHost('web1').fails(cell('b', []), { stderr: 'disk full' }).fails(fine, { stderr: 'daemon: no' })
    const { tasks } = await run(new Cells(), host)
    expect(tasks[0]?.failure).toMatchObject({ message: 'disk full', hint: 'What the task had written was put back.' })
    expect(tasks[0]?.changes).toEqual([])
    expect(host.holds(cell('a', []))).toBe(null)
  })

  it('leaves a place as it was that several tasks moved one after the other', async () => {
    const owned = { type: 'file', mode: '0644', owner: 'root', group: 'root' } as const
    const was = { ...owned, content: { text: 'first\n' } }
    const host = mockHost('web1').has(fileAt('/etc/d.conf'), was).fails(fine, { stderr: 'daemon: no' })
    const tasks = ['second', 'third'].map((text) => line('/etc/d.conf').present(text).guardedBy(fine))
    const { tasks: told } = await run(tasks, host)
    expect(told.map(({ outcome }) => outcome)).toEqual(['skipped', 'failed'])
    expect(host.holds(fileAt('/etc/d.conf'))).toEqual(was)
  })

  it('is refused before anything is touched, where a write could not be put back', async () => {
    const place = fileAt('/run/a.sock')
    const owned = { mode: '0644', owner: 'root', group: 'root' } as const
    class Replace extends Task {
      readonly module = 'replace'
      readonly id = 'socket'
      get wishes() {
        return [want(place, { type: 'file', ...owned, content: { text: 'small' } }, { guard: fine })]
      }
    }
    const host = mockHost('web1').has(place, { type: 'other', ...owned })
    const { tasks } = await run(new Replace(), host)
    expect(tasks[0]?.failure?.message).toContain('cannot be made again')
  })
})
