import { mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { directory, link } from '../../index.ts'
import { directoryAt, fileAt } from '../../modules/file.ts'
import type { FileState } from '../../probe/file.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { Real, realShells, seenMeanwhile } from './real.ts'

const owned = { mode: '0644', owner: 'root', group: 'root' }
const problems = (task: Task) => task.problems.map(({ message }) => message)

describe('link()', () => {
  it('is no task before it leads somewhere', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = link('/srv/a')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(
      'link /srv/a leads nowhere: end it with .to(target) or .absent()',
    )
  })

  it('refuses what is no target', () => {
    expect(problems(link('/a').to(''))).toEqual(['link /a: "" is no target'])
    expect(problems(link('/a').to('x\0'))).toEqual(['link /a: "x\\u0000" is no target'])
    expect(problems(link('/a').to('x'.repeat(4096)))).toEqual(['link /a: the target is longer than 4095 bytes'])
    expect(problems(link('a').to('x'))).toEqual(['link: the path "a" must be absolute'])
    expect(problems(link('/a').to('x').absent() as Task)).toEqual(['link /a is said twice'])
  })

  it('refuses in the plan what is in its place, and a directory above that is not there', async () => {
    const refused = async (task: Task, state: FileState, path = '/srv/a') =>
      (await run(task, mockHost('web1').has(fileAt(path), state))).tasks[0]!.failure?.message
    const written: FileState = { type: 'file', content: { text: '' }, ...owned }
    expect(await refused(link('/srv/a').to('b'), written)).toBe('/srv/a is a file, and no link.')
    expect(await refused(link('/srv/a').absent(), written)).toBe('/srv/a is a file, and no link.')
    expect(await refused(link('/srv/a').to('b'), { type: 'directory', ...owned })).toBe(
      '/srv/a is a directory, and no link.',
    )
    expect(await refused(link('/srv/a').to('b'), { type: 'absent' }, '/srv')).toBe('/srv does not exist.')
    const host = mockHost('web1').has(directoryAt('/srv'), { type: 'absent' })
    expect((await run([directory('/srv'), link('/srv/a').to('b')], host)).hosts).toEqual({ web1: 'changed' })
  })
})

describe.each(realShells)('links by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())

  it.runIf(there)('are made, moved and removed, and left alone the second time', async () => {
    mkdirSync(real.path('folder'))
    symlinkSync('folder', real.path('moved'))
    symlinkSync('/elsewhere', real.path('gone'))
    const tasks = [
      link(real.path('new')).to('/nowhere'),
      link(real.path('moved')).to("-it's $(odd)\n"),
      link(real.path('gone')).absent(),
      link(real.path('x'.repeat(255))).to('folder'),
    ]
    const first = await real.run(tasks)
    expect([first.failures, first.trips]).toEqual([[], 3])
    expect(['new', 'moved', 'x'.repeat(255)].map((name) => readlinkSync(real.path(name)))).toEqual([
      '/nowhere',
      "-it's $(odd)\n",
      'folder',
    ])
    expect(real.entries()).toEqual(['folder', 'moved', 'new', 'x'.repeat(255)])
    const marks = real.entries().map((name) => real.mark(name))
    const second = await real.run(tasks)
    expect([second.outcomes, second.trips]).toEqual([tasks.map(() => 'ok'), 1])
    expect(real.entries().map((name) => real.mark(name))).toEqual(marks)
  })

  it.runIf(there)('are never missing while they are moved', async () => {
    for (const name of ['one', 'two']) writeFileSync(real.path(name), name)
    symlinkSync('one', real.path('current'))
    const seen = await seenMeanwhile(
      () => real.text('current'),
      () => real.run([link(real.path('current')).to('two')]),
    )
    expect(seen).toEqual(['one', 'two'])
  })
})
