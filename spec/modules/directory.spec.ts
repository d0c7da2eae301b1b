import { chmodSync, existsSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { directory, file } from '../../index.ts'
import { contentsOf } from '../../modules/directory.ts'
import { directoryAt, fileAt } from '../../modules/file.ts'
import type { FileState } from '../../probe/file.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { Real, realShells } from './real.ts'

const isRoot = process.getuid?.() === 0
const needsRoot = isRoot ? '' : ' (skipped: it needs root)'
const rootReads = isRoot ? ' (skipped: root may read everything)' : ''
const folder: FileState = { type: 'directory', mode: '0755', owner: 'root', group: 'root' }
const problems = (task: Task) => task.problems.map(({ message }) => message)

describe('directory()', () => {
  it('is a task at once', () => {
    const task: Task = directory('/srv/a')
    expect(problems(task)).toEqual([])
  })

  it('refuses what has no meaning, and what a system cannot be without', () => {
    expect(problems(directory('/srv/a/'))).toEqual(['directory: write the path "/srv/a/" as "/srv/a"'])
    expect(problems(directory('/').absent())).toEqual(['directory: the path is the root directory'])
    expect(problems(directory('/srv/a').mode('0755').absent())).toEqual([
      'directory /srv/a cannot be absent and have a mode or owner',
    ])
    for (const vital of ['/etc', '/usr', '/var', '/home', '/lib64', '/root']) {
      expect(problems(directory(vital).absent({ recursive: true }))).toEqual([
        `directory ${vital}: the system cannot be without it`,
      ])
      expect(problems(directory(vital).absent())).toEqual([])
    }
    expect(problems(directory('/etc/x').absent({ recursive: true }))).toEqual([])
  })

  it('keeps mode and owner of one that is there, and tells each missing one above as a change', async () => {
    const absent: FileState = { type: 'absent' }
    const host = mockHost('web1')
      .has(directoryAt('/srv/a'), { ...folder, mode: '0700' })
      .has(directoryAt('/srv/a/b'), absent)
      .has(directoryAt('/srv/a/b/c'), absent)
    const tasks = [directory('/srv/a'), directory('/srv/a/b/c/d').mode('02770').owner('deploy', 'www-data')]
    const { changes } = await run(tasks, host)
    expect(changes.map(({ label, before, after }) => `${label}: ${before} → ${after}`)).toEqual([
      '/srv/a/b: absent → directory 0755 root:root',
      '/srv/a/b/c: absent → directory 0755 root:root',
      '/srv/a/b/c/d: absent → directory 2770 deploy:www-data',
    ])
    expect((await run(tasks, host)).changes).toEqual([])
  })

  it('owns nothing of the directories above: another task may', async () => {
    const host = mockHost('web1').has(directoryAt('/srv/a'), { type: 'absent' })
    const tasks = [directory('/srv/a/b'), directory('/srv/a').mode('0700'), file('/srv/a/b/c').content('x')]
    expect((await run(tasks, host)).hosts).toEqual({ web1: 'changed' })
    expect(host.holds(fileAt('/srv/a'))).toMatchObject({ mode: '0700' })
  })

  const refused = async (task: Task, state: FileState, path = '/srv/a') =>
    (await run(task, mockHost('web1').has(fileAt(path), state))).tasks[0]!.failure?.message

  it('refuses in the plan what is in its place or above', async () => {
    const written: FileState = { ...folder, type: 'file', content: { text: '' } }
    expect(await refused(directory('/srv/a'), written)).toBe('/srv/a is a file.')
    expect(await refused(directory('/srv/a').absent(), written)).toBe('/srv/a is a file.')
    expect(await refused(directory('/srv/a'), { type: 'link', target: '/mnt' })).toBe('/srv/a is a link to /mnt.')
    expect(await refused(directory('/srv/a'), { ...folder, type: 'other' })).toBe(
      '/srv/a is a socket, a pipe or a device.',
    )
    expect(await refused(directory('/srv/a'), written, '/srv')).toBe('/srv is a file.')
    expect(await refused(directory('/srv/a'), { type: 'link', target: '/mnt' }, '/srv')).toBeUndefined()
  })

  it('removes what is empty, and a tree only where that is said', async () => {
    const host = (count: number, mounts: readonly string[] = []) =>
      mockHost('web1')
        .has(fileAt('/srv/a'), folder)
        .has(contentsOf('/srv/a'), { count, names: ['x', 'y'].slice(0, count), mounts })
    const removal = async (task: Task, on = host(2)) => (await run(task, on)).tasks[0]!
    expect(await removal(directory('/srv/a').absent(), host(0))).toMatchObject({ outcome: 'changed', irreversible: [] })
    expect((await removal(directory('/srv/a').absent())).failure).toMatchObject({
      message: '/srv/a is not empty: x y',
      hint: 'Remove all: .absent({ recursive: true })',
    })
    expect((await removal(directory('/srv/a').absent(), host(9))).failure?.message).toBe('/srv/a is not empty: x y …')
    expect(await removal(directory('/srv/a').absent({ recursive: true }))).toMatchObject({
      outcome: 'changed',
      irreversible: ['What is in /srv/a is not kept.'],
    })
    const mounted = await removal(directory('/srv/a').absent({ recursive: true }), host(2, ['/srv/a/data']))
    expect(mounted.failure?.message).toBe('A file system is mounted at /srv/a/data.')
  })
})

describe.each(realShells)('directories by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())
  const modeOf = (name: string) => (lstatSync(real.path(name)).mode & 0o7777).toString(8)

  it.runIf(there)('are made with those above, in one trip, and left alone the second time', async () => {
    const tasks = [
      directory(real.path("a/b's/$c")).mode('0700'),
      directory(real.path('sticky')).mode('01777'),
      directory(real.path('plain')),
    ]
    const first = await real.run(tasks)
    expect([first.failures, first.trips]).toEqual([[], 3])
    expect(['a', "a/b's", "a/b's/$c", 'sticky', 'plain'].map(modeOf)).toEqual(['755', '755', '700', '1777', '755'])
    const marks = real.entries().map((name) => real.mark(name))
    const second = await real.run(tasks)
    expect([second.outcomes, second.trips]).toEqual([['ok', 'ok', 'ok'], 1])
    expect(real.entries().map((name) => real.mark(name))).toEqual(marks)
  })

  it.runIf(there)('lose setuid, setgid and sticky where the mode has none', async () => {
    mkdirSync(real.path('bits'))
    chmodSync(real.path('bits'), 0o7755)
    expect((await real.run([directory(real.path('bits')).mode('0750')])).failures).toEqual([])
    expect(modeOf('bits')).toBe('750')
  })

  it.runIf(there && isRoot)(`get their owner and group${needsRoot}`, async () => {
    const task = directory(real.path('owned')).mode('02750').owner('nobody', 'nogroup')
    expect((await real.run([task])).failures).toEqual([])
    expect(lstatSync(real.path('owned'))).toMatchObject({ uid: 65534, gid: 65534, mode: 0o042750 })
    expect((await real.run([directory(real.path('owned')).owner('root')])).failures).toEqual([])
    expect(lstatSync(real.path('owned'))).toMatchObject({ uid: 0, gid: 0, mode: 0o042750 })
  })

  it.runIf(there)('go when they are empty, with what an earlier task takes out of them', async () => {
    mkdirSync(real.path('old'))
    writeFileSync(real.path('old/.hidden'), 'x')
    const refused = await real.run([directory(real.path('old')).absent()])
    expect(refused.failures).toEqual([`${real.path('old')} is not empty: .hidden`])
    const both = [file(real.path('old/.hidden')).absent(), directory(real.path('old')).absent()]
    const planned = await real.run(both, { check: true })
    expect([planned.failures, planned.outcomes]).toEqual([[], ['changed', 'changed']])
    const done = await real.run(both)
    expect([done.failures, existsSync(real.path('old'))]).toEqual([[], false])
    expect((await real.run(both)).outcomes).toEqual(['ok', 'ok'])
  })

  it.runIf(there)('go as a tree, and a link in it does not lead out', async () => {
    mkdirSync(real.path('tree/deep'), { recursive: true })
    writeFileSync(real.path('tree/deep/x'), 'x')
    mkdirSync(real.path('outside'))
    writeFileSync(real.path('outside/kept'), 'x')
    symlinkSync(real.path('outside'), real.path('tree/link'))
    expect((await real.run([directory(real.path('tree')).absent({ recursive: true })])).failures).toEqual([])
    expect([existsSync(real.path('tree')), existsSync(real.path('outside/kept'))]).toEqual([false, true])
  })

  const contents = async (path: string) => {
    const host = real.host()
    const [answer] = await host.read([contentsOf(path)], undefined)
    await host.close()
    return answer
  }

  it.runIf(there)('tell what is in them', async () => {
    mkdirSync(real.path('full'))
    for (const name of ['.a', '..b', '-n', 'two\nlines', "it's", 'z1', 'z2', '*'])
      writeFileSync(real.path(`full/${name}`), '')
    symlinkSync('/nowhere', real.path('full/dangling'))
    expect(await contents(real.path('full'))).toMatchObject({ value: { count: 9, mounts: [] } })
    mkdirSync(real.path('odd'))
    for (const name of ['two\nlines', '*']) writeFileSync(real.path(`odd/${name}`), '')
    expect(await contents(real.path('odd'))).toEqual({ value: { count: 2, names: ['*', 'two\nlines'], mounts: [] } })
    expect(await contents(real.path('none'))).toEqual({ value: { count: 0, names: [], mounts: [] } })
    expect(await contents('/proc')).toMatchObject({ value: { mounts: expect.arrayContaining(['/proc']) } })
  })

  it.runIf(there && !isRoot)(`say where they may not be looked into${rootReads}`, async () => {
    mkdirSync(real.path('closed'))
    chmodSync(real.path('closed'), 0o300)
    expect(await contents(real.path('closed'))).toMatchObject({
      failure: { message: `This user may not look into ${real.path('closed')}.` },
    })
  })
})
