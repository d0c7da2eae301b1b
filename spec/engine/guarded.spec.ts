import { mkdirSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { configTest } from '../../dsl/guard.ts'
import { handler } from '../../dsl/handler.ts'
import { want } from '../../dsl/resource.ts'
import { Task, type TaskList } from '../../dsl/task.ts'
import { sh } from '../../shell/script.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { file, fileAt } from '../../modules/file.ts'
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

const fine = configTest('daemon -t', sh`true`)
const reload = handler('reload daemon', sh`exit 1`)

describe.each(realShells)('a configuration test under $name', ({ name: shell }) => {
  let real: Real
  afterEach(() => real.remove())

  /** A daemon that refuses a configuration with the word `bad` in it. */
  const daemonIn = (root: string) => configTest('daemon -t', sh`! cat ${root}/*.conf | grep bad >&2 || exit 78`)
  const conf = (name: string, content: string) => file(real.path(name)).content(content)

  it('that is content leaves what was written', async () => {
    real = new Real(shell)
    const task = conf('a.conf', 'good\n').guardedBy(daemonIn(real.root))
    const first = await real.run([task])
    expect(first.outcomes).toEqual(['changed'])
    expect(first.changes).toEqual([expect.stringContaining('a.conf: absent → ')])
    expect(real.text('a.conf')).toBe('good\n')
    expect((await real.run([task])).outcomes).toEqual(['ok'])
  })

  it('that fails puts all that the task wrote back, in the daemon’s words, and nothing reacts', async () => {
    real = new Real(shell)
    writeFileSync(real.path('a.conf'), 'first\n', { mode: 0o640 })
    const was = real.text('a.conf')
    const task = new Both(conf('a.conf', 'second\n'), conf('b.conf', 'a bad word\n'))
      .guardedBy(daemonIn(real.root))
      .notify(reload)
    const after = conf('c.conf', 'later\n')
    const { outcomes, failures, changes, told } = await real.run([task, after])
    expect(outcomes).toEqual(['failed', 'skipped'])
    expect(failures).toEqual(['daemon -t failed after 2 changes, and it was put back: a bad word'])
    expect(told[0]?.failure?.seen).toMatchObject({ command: 'daemon -t', status: 78, output: 'a bad word' })
    expect(changes).toEqual([])
    expect(real.text('a.conf')).toBe(was)
    expect(real.mark('a.conf').endsWith('100640')).toBe(true)
    expect(real.entries()).toEqual(['a.conf'])
  })

  it('that fails without the change too says so', async () => {
    real = new Real(shell)
    writeFileSync(real.path('b.conf'), 'bad from before\n')
    const { failures, told } = await real.run([conf('a.conf', 'good\n').guardedBy(daemonIn(real.root))])
    expect(failures[0]).toContain('daemon -t fails without')
    expect(told[0]?.failure?.hint).toBe('Mend what the test complains about first: it is not of this task.')
    expect(real.entries()).toEqual(['b.conf'])
  })

  it('may be cured by the change', async () => {
    real = new Real(shell)
    writeFileSync(real.path('b.conf'), 'bad from before\n')
    expect((await real.run([conf('b.conf', 'good\n').guardedBy(daemonIn(real.root))])).outcomes).toEqual(['changed'])
  })

  it('is run where a write under it failed, for what was written before', async () => {
    real = new Real(shell)
    mkdirSync(real.path('b.conf'))
    writeFileSync(real.path('b.conf') + '/held', '')
    const broken = new Both(conf('a.conf', 'bad\n'), conf('nowhere/b.conf', 'good\n')).guardedBy(daemonIn(real.root))
    const { outcomes, failures } = await real.run([broken])
    expect(outcomes).toEqual(['failed'])
    expect(failures[0]).toContain('nowhere')
    expect(real.entries()).toEqual(['b.conf'])
  })

  it('says where something could not be put back', async () => {
    real = new Real(shell)
    mkdirSync(real.path('d'))
    writeFileSync(real.path('d/a.conf'), 'first\n')
    // What others do in the meantime.
    const test = configTest('daemon -t', sh`echo no >&2; rm -r ${real.path('d')}; false`.touches())
    const { failures, told } = await real.run([conf('d/a.conf', 'second\n').guardedBy(test)])
    expect(failures[0]).toContain('putting it back failed too')
    expect(told[0]?.failure?.hint).toContain('by hand')
  })

  it('costs no trip of its own', async () => {
    real = new Real(shell)
    const trips = async (tasks: TaskList) => (await real.run(tasks)).trips
    const plain = await trips([conf('a.conf', 'one\n')])
    expect(await trips([conf('a.conf', 'two\n').guardedBy(daemonIn(real.root))])).toBe(plain)
    expect(await trips([conf('a.conf', 'bad\n').guardedBy(daemonIn(real.root))])).toBeLessThanOrEqual(plain)
  })

  it('is not run where nothing is written', async () => {
    real = new Real(shell)
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
    expect(tasks[0]?.failure?.message).toBe('daemon -t failed after 2 changes, and it was put back: daemon: no')
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

  it('is refused before anything is touched, where a write could not be put back', async () => {
    const place = fileAt('/etc/huge')
    const owned = { type: 'file', mode: '0644', owner: 'root', group: 'root' } as const
    class Huge extends Task {
      readonly module = 'huge'
      readonly id = 'file'
      get wishes() {
        return [want(place, { ...owned, content: { text: 'small' } }, { guard: fine })]
      }
    }
    const host = mockHost('web1').has(place, { ...owned, content: { sha256: 'ab', size: 1_000_000 } })
    const { tasks } = await run(new Huge(), host)
    expect(tasks[0]?.failure?.message).toContain('digest')
  })
})
