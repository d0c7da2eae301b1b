import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { command, file, sh } from '../../index.ts'
import { commandState } from '../../modules/command.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { Real, realShells } from './real.ts'

const problems = (task: Task) => task.problems.map(({ message }) => message)

describe('command()', () => {
  it('is no task without a guard', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = command('build', sh`make`).in('/srv').touching()
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(
      'command build does not say when it is due: end it with .creates(), .unless(), .onlyIf() or .always()',
    )
    const finished: Task = command('build', sh`make`).always()
    expect(problems(finished)).toEqual([])
  })

  it('refuses what has no meaning', () => {
    const build = command('build', sh`make`)
    expect(problems(build.creates('out'))).toEqual(['command build, creates: the path "out" must be absolute'])
    expect(problems(build.unless(sh`cat`.reading('x')))).toEqual([
      'command build, unless: a guard has no standard input',
    ])
    expect(problems(build.always().creates('/out'))).toEqual(['command build runs always, and has a guard'])
    expect(problems(build.creates('/out').always())).toEqual(['command build has a guard, and runs always'])
    expect(problems(build.touching('nginx').always())).toEqual([
      '"nginx" is no key such as unit:nginx.service or unit:*',
    ])
    expect(problems(build.in('srv').always() as Task)).toEqual(['command build: the path "srv" must be absolute'])
    expect(problems(command(' ', sh`make`).always())).toEqual(['command: the name is empty'])
    // As a play says it that was not compiled before.
    expect(problems(command('make', 'make all' as never).always())).toEqual([
      "command takes a name and a script: command('dhparam', sh`openssl dhparam …`)",
    ])
  })

  it('may change anything where it does not say, and what it says where it does', () => {
    const touched = (task: Task) => task.wishes[0]!.resource.write!('done', 'due').touched
    expect(touched(command('a', sh`make`).always())).toBeUndefined()
    expect(touched(command('a', sh`make`).touching().always())).toEqual([])
    expect(touched(command('a', sh`make`).touching('unit:*').in('/srv').touching('file:/a').creates('/b'))).toEqual([
      'unit:*',
      'file:/a',
    ])
    expect(touched(command('a', sh`make`.touches('unit:*')).in('/srv').creates('/b'))).toEqual(['unit:*'])
  })

  it('runs in its directory, with its standard input', () => {
    const task = command('a', sh`psql`.reading('select 1')).in('/srv/it s').always()
    const script = task.wishes[0]!.resource.write!('done', 'due')
    expect([script.text, script.input]).toEqual(["cd -- '/srv/it s' || exit 126\npsql", 'select 1'])
  })

  it('is due on a fresh host, and done where it is said to be done; it cannot be turned round', async () => {
    const host = mockHost('web1')
    const tasks = [command('build', sh`make`).creates('/out'), command('other', sh`make`).unless(sh`test -e /x`)]
    const first = await run(tasks, host.has(commandState('other'), 'done'))
    expect(first.tasks.map(({ outcome, irreversible }) => [outcome, irreversible])).toEqual([
      ['changed', ['What a command did cannot be turned round.']],
      ['ok', []],
    ])
    expect((await run(tasks, host)).hosts).toEqual({ web1: 'ok' })
    expect(() => tasks[0]!.wishes[0]!.resource.write!('due', 'done')).toThrow('cannot be turned round')
  })

  it('ran each time, and nothing of it can be seen, where it runs always', async () => {
    const host = mockHost('web1')
    for (const _ of [1, 2]) {
      const { changes } = await run([command('ping', sh`true`).always()], host)
      expect(changes).toMatchObject([{ before: 'due', after: 'done', unprovable: true }])
    }
  })

  it('is a conflict where two have one name', async () => {
    const both = run([command('a', sh`x`).creates('/a'), command('a', sh`y`).creates('/a')], mockHost('web1'))
    await expect(both).rejects.toThrow(/command a and command a .* disagree on a/)
  })
})

describe.each(realShells)('commands by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())
  const path = (name: string) => real.path(name)

  it.runIf(there)('run where their guard says so, and not the second time', async () => {
    writeFileSync(path('stale'), '')
    const tasks = [
      command('creates', sh`echo x >>${path('made')}`)
        .touching()
        .creates(path('made')),
      command('unless', sh`echo x >>${path('log')}`)
        .touching()
        .unless(sh`[ -s ${path('log')} ]`),
      command('onlyIf', sh`rm ${path('stale')}`)
        .touching()
        .onlyIf(sh`[ -e ${path('stale')} ]`),
      command('both', sh`exit 9`).touching().creates('/nowhere').unless(sh`true`),
    ]
    const planned = await real.run(tasks, { check: true })
    expect(planned.outcomes).toEqual(['changed', 'changed', 'changed', 'ok'])
    expect(real.entries()).toEqual(['stale'])
    const first = await real.run(tasks)
    expect([first.failures, first.outcomes]).toEqual([[], ['changed', 'changed', 'changed', 'ok']])
    const second = await real.run(tasks)
    expect([second.outcomes, second.trips]).toEqual([['ok', 'ok', 'ok', 'ok'], 1])
    expect([real.text('made'), real.text('log'), real.entries()]).toEqual(['x\n', 'x\n', ['log', 'made']])
  })

  it.runIf(there)(
    'have failed where their guard still says that they are due, whatever their exit status',
    async () => {
      const { told } = await real.run([command('lies', sh`true`).creates(path('never'))])
      expect(told[0]!.failure).toMatchObject({
        code: 'E_NOT_CONVERGED',
        message: 'lies was changed without an error, yet it is due and not done.',
      })
    },
  )

  it.runIf(there)('have failed in their own words', async () => {
    const { told } = await real.run([command('fails', sh`echo first >&2; echo 'no such luck' >&2; exit 3`).always()])
    expect(told[0]!.failure).toMatchObject({
      code: 'E_COMMAND',
      message: 'no such luck',
      seen: { status: 3, output: 'first\nno such luck' },
    })
  })

  it.runIf(there)('are asked again after an earlier task has changed what their guard looks at', async () => {
    const build = command('build', sh`cp ${path('source')} ${path('copy')}`).unless(
      sh`[ ${path('copy')} -nt ${path('source')} ] || [ "$(cat ${path('copy')} 2>/dev/null)" = "$(cat ${path('source')})" ]`,
    )
    const tasks = (text: string) => [file(path('source')).content(text), build]
    expect((await real.run(tasks('1'))).outcomes).toEqual(['changed', 'changed'])
    rmSync(path('copy'))
    writeFileSync(path('copy'), '1')
    const second = await real.run(tasks('2'))
    expect([second.failures, second.outcomes]).toEqual([[], ['changed', 'changed']])
    expect(real.text('copy')).toBe('2')
    expect((await real.run(tasks('2'))).outcomes).toEqual(['ok', 'ok'])
  })

  it.runIf(there)('refuse in the plan a guard that could not be asked', async () => {
    const { told } = await real.run([command('typo', sh`exit 9`).unless(sh`no-such-command-here --version`)])
    expect(told[0]!.failure).toMatchObject({
      code: 'E_UNREADABLE',
      message: 'The guard of the command typo could not be asked.',
      seen: { output: expect.stringContaining('no-such-command-here') },
    })
    const { failures } = await real.run([command('where', sh`exit 9`).in(path('nowhere')).onlyIf(sh`true`)])
    expect(failures).toEqual(['The guard of the command where could not be asked.'])
  })

  it.runIf(there)('and their guards run in their directory', async () => {
    mkdirSync(path("work's here"))
    const task = command('in', sh`cat >out`.reading('by input\n')).in(path("work's here")).unless(sh`[ -e out ]`)
    expect((await real.run([task])).failures).toEqual([])
    expect(real.text("work's here/out")).toBe('by input\n')
    expect((await real.run([task])).outcomes).toEqual(['ok'])
  })
})
