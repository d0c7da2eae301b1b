import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { fileAt } from '../../../modules/file.ts'
import { unit } from '../../../modules/unit.ts'
import { account } from '../../../modules/user.ts'
import { wpCron } from '../../../modules/wordpress/cron.ts'
import { calendar, unitFile } from '../../../modules/wordpress/timer-files.ts'
import { contentOf, type FileState } from '../../../probe/file.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { answers } from '../answers.ts'

const file = (text: string, mode = '0644'): FileState => ({
  type: 'file',
  content: contentOf(Buffer.from(text)),
  mode,
  owner: 'root',
  group: 'root',
})
const config = "<?php\nrequire_once ABSPATH . 'wp-settings.php';\n"
const site = () => mockHost('web1').has(fileAt('/srv/www/wp-config.php'), file(config))
const text = (host: ReturnType<typeof site>, path: string) =>
  (host.memory.values.get(`file:${path}`) as FileState & { content: { text: string } })?.content?.text
const problems = (task: Task) => task.problems.map(({ message }) => message)

describe('wpCron by cron', () => {
  it('writes a file that cron takes: a name without a dot, a user, an end of the line, mode 0644', async () => {
    const host = site()
    const result = await run(wpCron('/srv/www').everyMinutes(5), host)
    expect(result.changes.map(({ label, after }) => `${label}: ${after}`)).toEqual([
      '/etc/cron.d/wp-cron-srv-www: 2 lines 0644 root:root',
      '/srv/www/wp-config.php: 3 lines 0644 root:root',
    ])
    expect(text(host, '/etc/cron.d/wp-cron-srv-www')).toMatch(
      /\n\*\/5 \* \* \* \* www-data cd \/srv\/www && php wp-cron\.php\n$/,
    )
    expect(text(host, '/srv/www/wp-config.php')).toContain("define( 'DISABLE_WP_CRON', true );\nrequire_once")
    expect((await run(wpCron('/srv/www').everyMinutes(5), host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it('keeps a folder one word, and names the host where it is said', async () => {
    const host = mockHost('web1').has(fileAt("/srv/it's 50%/wp-config.php"), file(config))
    await run(wpCron("/srv/it's 50%", { host: 'a.example', user: 'daemon' }).everyMinutes(60), host)
    expect(text(host, '/etc/cron.d/wp-cron-aae4ee1ae1fd')).toContain(
      "0 * * * * daemon cd '/srv/it'\\\\''s 50\\%' && HTTP_HOST=a.example php wp-cron.php\n",
    )
  })

  it('is refused beside a timer of an earlier run', async () => {
    const timer = fileAt('/etc/systemd/system/wp-cron-srv-www.timer')
    const { tasks } = await run(wpCron('/srv/www').everyMinutes(5), site().has(timer, file('[Timer]\n')))
    expect(tasks[0]!.failure).toMatchObject({ message: 'wp-cron-srv-www.timer runs the same events already.' })
  })

  it.each([7, 0, 2.5, 90, Number.NaN])('takes minutes that come evenly in an hour, not %d', (minutes) => {
    expect(problems(wpCron('/srv/www').everyMinutes(minutes))).toEqual([
      `wpCron /srv/www: every ${minutes} minutes does not come evenly in an hour`,
    ])
  })
})

describe('wpCron by a timer', () => {
  it('writes both units, starts the timer, and takes the job of cron away', async () => {
    const job = fileAt('/etc/cron.d/wp-cron-srv-www')
    const host = site().has(job, file('*/5 * * * * www-data true\n'))
    const result = await run(wpCron('/srv/www').byTimer('*:0/5'), host)
    expect(result.recap.tasks).toMatchObject({ changed: 1, failed: 0 })
    expect(text(host, '/etc/systemd/system/wp-cron-srv-www.service')).toMatch(
      /\[Service\]\nType=oneshot\nUser=www-data\nWorkingDirectory=\/srv\/www\nExecStart=php wp-cron\.php\n$/,
    )
    expect(text(host, '/etc/systemd/system/wp-cron-srv-www.timer')).toContain('[Timer]\nOnCalendar=*:0/5\n')
    expect(host.memory.values.get('unit:wp-cron-srv-www.timer')).toEqual({ enabled: 'enabled', active: true })
    expect(host.memory.values.get(job.key)).toEqual({ type: 'absent' })
  })

  it('has systemd read a changed timer and start it anew, or it would keep its old times', () => {
    const place = unitFile('/etc/systemd/system/wp.timer')
    const script = place.write!(file('a'), file('b'))
    expect(script.text).toMatch(/\) \|\| exit\nsystemctl daemon-reload \|\| exit\nsystemctl try-restart -- wp\.timer$/)
    expect(script.touched).toContain('unit:*')
    expect(place.write!(file('a'), { type: 'absent' }).text).not.toContain('try-restart')
  })

  it('is refused in the plan where systemd does not understand the times: the unit would be bad, and the old timer go on', async () => {
    // As systemd 252 and 262 say it.
    const said = "Failed to parse calendar specification 'every five': Invalid argument"
    const { tasks } = await run(wpCron('/srv/www').byTimer('every five'), site().has(calendar('every five'), { said }))
    expect(tasks[0]!.failure).toMatchObject({
      message: `systemd has no times for wp-cron-srv-www.timer: ${said}`,
    })
  })

  it('is refused for times that never come, which systemd takes', () => {
    // As systemd 252 and 262 print it; the status is 0.
    const never = '  Original form: *-02-30\nNormalized form: *-02-30 00:00:00\n    Next elapse: never\n'
    const read = (stdout: string, status = 0) => answers([calendar('x')], { stdout: Buffer.from(stdout), status })[0]
    expect(read(never)).toEqual({ said: 'Next elapse: never' })
    expect(read(never.replace('never', 'Mon 2026-11-23 14:00:00 UTC'))).toEqual({ said: null })
    expect(read("Failed to parse calendar specification 'x': Invalid argument\n", 1)).toEqual({
      said: "Failed to parse calendar specification 'x': Invalid argument",
    })
  })

  it('is refused where the user does not exist', async () => {
    const { tasks } = await run(
      wpCron('/srv/www', { user: 'site' }).byTimer('hourly'),
      site().has(account('site'), null),
    )
    expect(tasks[0]!.failure).toMatchObject({ message: 'There is no account site on this host, to run the events.' })
  })

  it('is enabled and started again where it was stopped', async () => {
    const host = site()
    await run(wpCron('/srv/www').byTimer('*:0/5'), host)
    host.has(unit('wp-cron-srv-www.timer'), { enabled: 'disabled', active: false })
    const { changes } = await run(wpCron('/srv/www').byTimer('*:0/5'), host)
    expect(changes.map(({ label }) => label)).toEqual(['wp-cron-srv-www.timer'])
  })
})

it.each([
  [wpCron('srv').everyMinutes(5), 'wpCron: the path "srv" must be absolute'],
  [wpCron('/srv/a\nb').everyMinutes(5), 'wpCron: the folder "/srv/a\\nb" has control characters'],
  [wpCron('/srv', { host: 'a b' }).everyMinutes(5), 'wpCron: "a b" is not the name of a host'],
  [wpCron('/srv').byTimer('a\nb'), 'wpCron /srv: "a\\nb" is not a calendar expression'],
])('wpCron is wrong before any connection: %#', (task, problem) => {
  expect(problems(task)[0]).toBe(problem)
})

it('is no task until it says when', () => {
  // @ts-expect-error a start is no task
  const task: Task = wpCron('/srv/www')
  expect(task.unfinished).toContain('does not say when')
})
