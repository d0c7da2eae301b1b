import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { restart, service, systemdDropIn, systemdUnit } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { unit, unitDetails, unitFrom } from '../../../modules/unit.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const path = '/etc/systemd/system/worker.service'
const problems = (task: Task) => task.problems.map(({ message }) => message)
const worker = systemdUnit('worker.service').section('Service', { ExecStart: '/usr/local/bin/worker' })

describe('systemdUnit()', () => {
  it('is no task before it says something', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = systemdUnit('worker.service')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(/says no section\(\), content\(\) or absent\(\)/)
  })

  it('tells wrong input before any connection', () => {
    const [wrong] = systemdUnit('worker').absent().problems
    expect(wrong).toMatchObject({ message: '"worker" says no kind of unit', hint: 'Did you mean worker.service?' })
    expect(problems(systemdUnit('../x.service').absent())).toHaveLength(1)
    expect(problems(systemdUnit('a.service').section('Service', { A: 'x\ny' }))).toHaveLength(1)
    expect(problems(systemdUnit('a.service').content('[Unit]\n').section('Service', {}))).toEqual([
      'a.service has its whole content, and takes no section',
    ])
  })

  it('writes a file of root, neither enables nor starts, and has systemd read it again once', async () => {
    const host = mockHost('web1')
    const result = await run(worker.section('Service', { Restart: 'always' }), host)
    expect(result.changes.map(({ key }) => key)).toEqual([`file:${path}`])
    expect(result.reactions.map(({ handler }) => handler)).toEqual(['daemon-reload for worker'])
    expect(host.holds(fileAt(path))).toMatchObject({
      content: { text: '[Service]\nExecStart=/usr/local/bin/worker\nRestart=always\n' },
      mode: '0644',
      owner: 'root',
      group: 'root',
    })
  })

  it('leaves that to a restart of the unit, where there is one', async () => {
    const result = await run(worker.notify(restart('worker')), mockHost('web1'))
    expect(result.reactions.map(({ handler }) => handler)).toEqual(['restart worker'])
  })

  it('notes that it hides the unit of a package', async () => {
    const fragment = '/usr/lib/systemd/system/worker.service'
    const host = mockHost('web1').has(unitDetails('worker.service'), {
      ...unitDetails('worker.service').fresh!,
      fragment,
    })
    const [told] = (await run(worker, host, { check: true })).tasks
    expect(told!.notes).toEqual([`It hides all of ${fragment}; systemdDropIn() changes single settings of it.`])
  })

  it('stops and disables what runs from the file before it takes the file away', async () => {
    const own = unitFrom('worker.service', path)
    const host = mockHost('web1').has(own, { enabled: 'enabled', active: true })
    await run(worker, host)
    const result = await run(systemdUnit('worker.service').absent(), host)
    expect(result.changes.map(({ before, after }) => [before, after])).toEqual([
      ['enabled, active', 'stopped and disabled'],
      ['2 lines 0644 root:root', 'absent'],
    ])
    expect((await run(systemdUnit('worker.service').absent(), host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it('leaves no value in a file that systemd would refuse, and tells its words', async () => {
    const task = worker.section('Service', { LimitNOFILE: 'many' })
    const guard = task.wishes.find((wish) => wish.guard)!.guard!
    expect(guard.name).toBe('systemd-analyze verify worker.service')
    const said = `${path}:3: Failed to parse resource value, ignoring: many`
    const host = mockHost('web1').fails(guard, { stderr: `${said}\n` })
    const result = await run(task, host)
    expect(result.tasks[0]!.failure).toMatchObject({
      code: 'E_GUARD',
      message: `systemd-analyze verify worker.service failed after ${path}, and it was put back: ${said}`,
    })
    expect(host.holds(fileAt(path))).toEqual({ type: 'absent' })
    expect(
      systemdUnit('worker.service')
        .absent()
        .wishes.map((wish) => wish.guard),
    ).toEqual([undefined, undefined])
  })

  it('makes what is said of the unit later conditional, and nothing of other units', async () => {
    const tasks = [worker, service('worker').started(), service('cron').started()]
    const host = mockHost('web1')
      .has(unit('worker.service'), null)
      .has(unit('cron.service'), { enabled: 'enabled', active: false })
    const { changes } = await run(tasks, host, { check: true })
    expect(changes.map(({ label, dependsOn }) => [label, dependsOn.length])).toEqual([
      [path, 0],
      ['worker.service', 1],
      ['cron.service', 0],
    ])
  })
})

describe('systemdDropIn()', () => {
  const limits = systemdDropIn('php8.2-fpm', 'limits').section('Service', { LimitNOFILE: 65_536 })
  const folder = '/etc/systemd/system/php8.2-fpm.service.d'

  it('writes the folder and the file', async () => {
    const host = mockHost('web1')
    const { changes } = await run(limits, host)
    expect(changes.map(({ key, after }) => [key, after])).toEqual([
      [`file:${folder}`, 'directory 0755 root:root'],
      [`file:${folder}/limits.conf`, '2 lines 0644 root:root'],
    ])
    expect((await run(limits, host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it('leaves the folder where its file goes', async () => {
    const host = mockHost('web1')
    await run(limits, host)
    await run(systemdDropIn('php8.2-fpm', 'limits').absent(), host)
    expect(host.holds(fileAt(folder)).type).toBe('directory')
    expect(host.holds(fileAt(`${folder}/limits.conf`)).type).toBe('absent')
  })

  it.each(['limits.conf', 'a/b', '', '.x'])('refuses the name %j', (name) => {
    expect(problems(systemdDropIn('nginx', name).absent())).toHaveLength(1)
  })
})
