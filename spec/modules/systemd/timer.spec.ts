import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { systemdService, systemdTimer } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { calendarTimes } from '../../../modules/systemd/calendar.ts'
import { unit, unitDetails, unitFrom } from '../../../modules/unit.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const path = '/etc/systemd/system/crm-sync.timer'
const problems = (task: Task) => task.problems.map(({ message }) => message)
const timer = systemdTimer('crm-sync').onCalendar('*:0/5')
const job = systemdService('crm-sync').runs('/usr/local/bin/crm-sync').oneshot()
const text = (host: ReturnType<typeof mockHost>) =>
  (host.holds(fileAt(path)) as { content: { text: string } }).content.text

describe('systemdTimer()', () => {
  it('is no task before it says when', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = systemdTimer('crm-sync')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(
      /does not say when: onCalendar\(\) or onBootSec\(\)/,
    )
  })

  it('is enabled and waits, with the oneshot that it starts, and changes nothing the second time', async () => {
    const host = mockHost('web1').has(calendarTimes('*:0/5'), { normal: '*-*-* *:00/5:00', comes: true })
    const task = timer.randomizedDelay('30s').accuracy('1s').persistent().starts(job)
    const result = await run(task, host)
    expect(result.changes.map(({ label, after }) => [label, after])).toEqual([
      ['/etc/systemd/system/crm-sync.service', '7 lines 0644 root:root'],
      [path, '12 lines 0644 root:root'],
      ['crm-sync.timer', 'enabled, active'],
    ])
    expect(result.tasks[0]!.notes).toEqual(['*:0/5 is *-*-* *:00/5:00.'])
    expect(text(host)).toBe(`# Managed by fleetplay: changes made here are overwritten.
[Unit]
Description=Starts crm-sync.service

[Timer]
OnCalendar=*:0/5
RandomizedDelaySec=30s
AccuracySec=1s
Persistent=yes

[Install]
WantedBy=timers.target
`)
    const again = await run(task, host)
    expect(again.recap.tasks).toMatchObject({ ok: 1, changed: 0 })
    expect(again.tasks[0]!.notes).toEqual([])
  })

  it('names the unit that it starts where its name is another', async () => {
    const host = mockHost('web1')
    await run(timer.onCalendar('daily').onBootSec('2min').onUnitActiveSec('1h').starts('report'), host)
    expect(text(host)).toContain(
      '[Timer]\nOnCalendar=*:0/5\nOnCalendar=daily\nOnBootSec=2min\nOnUnitActiveSec=1h\nUnit=report.service\n',
    )
  })

  it('is stopped and disabled, and goes', async () => {
    const host = mockHost('web1')
    await run(timer, host)
    const stopped = await run(timer.stopped(), host)
    expect(stopped.changes.map(({ label, after }) => [label, after])).toEqual([
      ['crm-sync.timer', 'disabled, inactive'],
    ])
    host.has(unitFrom('crm-sync.timer', path), { enabled: 'enabled', active: true })
    const gone = await run(systemdTimer('crm-sync').absent(), host)
    expect(gone.changes.map(({ after }) => after)).toEqual(['stopped and disabled', 'absent'])
  })

  it('refuses in the plan what the systemd of the host does not take: it would only log it, and go on with the old times', async () => {
    const problem = "Failed to parse calendar specification '*:0/5': Invalid argument"
    const refused = async (host: ReturnType<typeof mockHost>) =>
      (await run(timer, host, { check: true })).tasks[0]!.failure
    expect(await refused(mockHost('web1').has(calendarTimes('*:0/5'), { problem }))).toMatchObject({ message: problem })
    const never = { normal: '2020-01-01 00:00:00', comes: false }
    expect(await refused(mockHost('web1').has(calendarTimes('*:0/5'), never))).toMatchObject({
      message: 'The time *:0/5 (2020-01-01 00:00:00) never comes.',
    })
    const unknown = mockHost('web1')
      .has(unit('crm-sync.service'), null)
      .has(unitDetails('crm-sync.service'), { ...unitDetails('crm-sync.service').fresh!, nearest: 'crm-sink.service' })
    expect(await refused(unknown)).toMatchObject({
      message: 'crm-sync.timer would start crm-sync.service, which systemd does not know on this host.',
      hint: 'Did you mean crm-sink.service?',
    })
    const masked = mockHost('web1').has(unit('crm-sync.timer'), { enabled: 'masked', active: false })
    expect(await refused(masked)).toMatchObject({ message: /crm-sync.timer is masked/ })
  })

  it.each<[Task, RegExp]>([
    [systemdTimer('a b').absent(), /not the name of a unit/],
    [systemdTimer('a.service').absent(), /a\.service is not the name of a timer/],
    [systemdTimer('a@').absent(), /template, which cannot wait/],
    [systemdTimer('a').onCalendar('*/5 * * * *'), /onCalendar: "\*\/5 \* \* \* \*" looks like a schedule of cron/],
    [systemdTimer('a').onBootSec('0s'), /onBootSec: "0s" is no time at all/],
    [timer.starts('crm-sync.timer'), /crm-sync.timer cannot start itself/],
    [timer.starts('a b'), /starts: "a b" is not the name of a unit/],
    [timer.starts(systemdService('x').runs('/bin/true')), /starts: x.service is not a oneshot, so it runs already/],
    [timer.absent(), /cannot be absent and have times/],
  ])('tells wrong input before any connection: %#', (task, message) => {
    expect(problems(task)).toEqual([expect.stringMatching(message)])
  })

  it.each([
    [systemdTimer('a').onUnitActiveSec('1h'), /never begins/],
    [systemdTimer('a').onBootSec('1h').persistent(), /persistent\(\) makes up for times of the calendar/],
  ])('tells what cannot come: %#', async (task, message) => {
    await expect(run(task, mockHost('web1'))).rejects.toThrow(message)
  })
})
