import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { cron, user } from '../../index.ts'
import { schedule } from '../../modules/cron-schedule.ts'
import { crontab, type CrontabState } from '../../modules/crontab.ts'
import { directoryOf, fileAt } from '../../modules/file.ts'
import type { FileState } from '../../probe/file.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { Folder } from '../connection/shells.ts'
import { answers, inShell } from './answers.ts'
import { realShells } from './real.ts'

const problems = (task: Task) => task.problems.map(({ message }) => message)
const written = async (task: Task, name = 'job') => {
  const host = mockHost('web1')
  const { tasks } = await run(task, host)
  expect(tasks[0]?.failure).toBeUndefined()
  return host.holds(fileAt(`/etc/cron.d/${name}`)) as FileState & { type: 'file'; content: { text: string } }
}

describe('the times of a job', () => {
  it.each([
    '* * * * *',
    '*/5 * * * *',
    '0-59/5 0,12 1-15,20 1 0',
    '30 4 * * mon-fri',
    '0 0 * jan-mar,DEC sun,Sat',
    '0 0 29 2 *',
    '0 0 31 2 1',
    '59 23 31 12 7',
    '@daily',
    '@reboot',
  ])('are taken: %s', (text) => {
    expect(schedule(text)).toMatchObject({ text })
  })

  it('are one blank apart', () => {
    expect(schedule('  *\t*  * * * ')).toMatchObject({ text: '* * * * *' })
  })

  it.each([
    ['', 'not five fields'],
    ['* * * *', 'not five fields'],
    ['* * * * * root', 'not five fields'],
    ['* * *\n* *', 'not five fields'],
    ['@dayly', 'did you mean @daily?'],
    ['@every_minute', 'is none of'],
    ['60 * * * *', 'minute "60": takes numbers from 0 to 59'],
    ['* 24 * * *', 'hour "24"'],
    ['* * 0 * *', 'day of month "0"'],
    ['* * * 13 *', 'month "13"'],
    ['* * * * 8', 'day of week "8"'],
    ['* * * foo *', 'takes numbers from 1 to 12, jan to dec'],
    ['mon * * * *', 'minute "mon"'],
    ['* * * * tuesday', 'day of week "tuesday"'],
    // cron takes these for something else, or never runs them.
    ['5/10 * * * *', 'a step needs a range: 5-59/10'],
    ['50-10 * * * *', 'begins after its end'],
    ['* * * * mon-sun', 'the number of Sunday is 0 at the beginning and 7 at the end'],
    ['*/90 * * * *', 'a step of 90 is longer than the whole of 59'],
    ['*/0 * * * *', 'a step is a number from 1'],
    ['0 0 31 2 *', 'there is no such day in any of the months'],
    ['0 0 31 4,6 *', 'there is no such day'],
    ['0~30 * * * *', 'fields are made of'],
    ['*-5 * * * *', 'fields are made of'],
    ['1,,2 * * * *', 'fields are made of'],
    ['-1 * * * *', 'fields are made of'],
    ['1.5 * * * *', 'fields are made of'],
  ])('are refused: %s', (text, problem) => {
    expect(schedule(text)).toEqual({ problem: expect.stringContaining(problem) })
    expect(problems(cron('job').schedule(text).runs('true'))[0]).toContain('cron job: ')
  })
})

describe('a job in /etc/cron.d', () => {
  it('has what cron demands: a user, an end of line, mode 0644, root', async () => {
    const job = cron('job')
      .schedule('*/5 * * * *')
      .as('www-data')
      .env({ MAILTO: '', NOTE: 'it "is"' })
      .runs(' php /srv/wp-cron.php ')
    expect(await written(job)).toEqual({
      type: 'file',
      mode: '0644',
      owner: 'root',
      group: 'root',
      content: {
        text: [
          '# Managed by fleetplay: changes made here are overwritten.',
          'MAILTO=""',
          `NOTE='it "is"'`,
          '*/5 * * * * www-data php /srv/wp-cron.php',
          '',
        ].join('\n'),
      },
    })
  })

  it('hands percent signs and backslashes on as they are', async () => {
    const { content } = await written(cron('job').schedule('@daily').runs(String.raw`date '+%F \n' \\x`))
    expect(content.text).toContain(String.raw`@daily root date '+\%F \\n' \\\\x` + '\n')
  })

  it('that drifted in mode is set right', async () => {
    const host = mockHost('web1')
    const job = cron('job').schedule('@daily').runs('true')
    await run(job, host)
    const place = fileAt('/etc/cron.d/job')
    const right = host.holds(place)
    host.has(place, { ...(right as FileState & { type: 'file' }), mode: '0666' })
    expect((await run(job, host)).changes).toHaveLength(1)
    expect(host.holds(place)).toEqual(right)
    expect(await run(cron('job').absent(), host)).toMatchObject({ changes: [{ after: 'absent' }] })
    expect(await run(cron('job').absent(), host)).toMatchObject({ changes: [] })
  })

  it('of a user who does not exist is refused, unless an earlier task makes him', async () => {
    const job = cron('job').schedule('@daily').as('deploy').runs('true')
    const { tasks } = await run(job, mockHost('web1'))
    expect(tasks[0]?.failure).toMatchObject({ code: 'E_REFUSED', hint: "Make it in an earlier task: user('deploy')" })
    expect((await run([user('deploy'), job], mockHost('web1'))).hosts).toEqual({ web1: 'changed' })
  })

  it('is refused where there is no cron', async () => {
    const host = mockHost('web1').has(directoryOf('/etc/cron.d/job'), { type: 'absent' })
    const { tasks } = await run(cron('job').schedule('@daily').runs('true'), host)
    expect(tasks[0]?.failure?.message).toBe('There is no cron on this host: /etc/cron.d does not exist.')
  })

  it('says that two kinds of days are either', async () => {
    const { tasks } = await run(cron('job').schedule('0 0 13 * fri').runs('true'), mockHost('web1'))
    expect(tasks[0]?.notes).toEqual([
      'It runs on the days of the month and on the days of the week: cron takes either.',
    ])
  })

  it.each([
    ['a dot in the name', cron('wp.cron').schedule('@daily').runs('true')],
    ['an empty name', cron('').absent()],
    ['a path', cron('../x').absent()],
    ['several lines', cron('a').schedule('@daily').runs('a\nb')],
    ['no command', cron('a').schedule('@daily').runs(' ')],
    ['more than cron reads', cron('a').schedule('@daily').runs('x'.repeat(999))],
    ['percent signs that make it too long', cron('a').schedule('@daily').runs('%'.repeat(500))],
    ['a user with a blank', cron('a').schedule('@daily').as('a b').runs('true')],
    ['a wrong variable', cron('a').schedule('@daily').env({ 'A-B': '' }).runs('true')],
    ['a variable of several lines', cron('a').schedule('@daily').env({ A: 'x\ny' }).runs('true')],
    ['a variable that no quotes hold', cron('a').schedule('@daily').env({ A: `"'` }).runs('true')],
    ['a password among its words', cron('a').schedule('@daily').runs('mysqldump -uroot -phush wp >/srv/wp.sql')],
    ['a password in its environment', cron('a').schedule('@daily').env({ DB_PASSWORD: 'hush' }).runs('true')],
    ['a password in a URL', cron('a').schedule('@daily').env({ REDIS: 'redis://:hush@cache1' }).runs('true')],
    ['variables in a crontab', cron('a').schedule('@daily').env({ MAILTO: '' }).inCrontab().runs('true')],
    ['absent with a command', cron('a').schedule('@daily').runs('true').absent()],
  ])('is told before any connection: %s', (_, task) => {
    expect(problems(task)).toHaveLength(1)
    expect(problems(task).join()).not.toContain('hush')
  })

  it('unfinished is no task', () => {
    // @ts-expect-error -- it says no times
    const first: Task = cron('job')
    // @ts-expect-error -- it says no command
    const second: Task = cron('job').schedule('@daily').as('www-data')
    expect([first.unfinished, second.unfinished]).toEqual([
      'cron job lacks its times: schedule()',
      'cron job lacks what it runs: runs()',
    ])
  })
})

describe('a job in a crontab', () => {
  const job = cron('job').schedule('@daily').as('www-data').inCrontab().runs('date +%F')
  const ours = ['# fleetplay: job', '@daily date +\\%F']

  it.each([
    ['the first', job, null, ours],
    ['after the lines of others', job, ['MAILTO=x', '0 1 * * * a'], ['MAILTO=x', '0 1 * * * a', ...ours]],
    ['in its place', job, ['# a', '# fleetplay: job', '@hourly b', '# c'], ['# a', ...ours, '# c']],
    ['cut off', job, ['# a', '# fleetplay: job'], ['# a', ...ours]],
    ['absent between others', cron('job').as('www-data').inCrontab().absent(), ['# a', ...ours, '# c'], ['# a', '# c']],
    ['absent, the last', cron('job').as('www-data').inCrontab().absent(), ours, null],
    ['absent where there is none', cron('job').as('www-data').inCrontab().absent(), null, null],
  ])('%s', async (_, task, now, then) => {
    const place = crontab('www-data')
    const host = mockHost('web1').has(place, now && { lines: now })
    await run(task, host)
    expect(host.holds(place)).toEqual(then && { lines: then })
    expect(await run(task, host)).toMatchObject({ changes: [] })
  })

  it('stands beside another job of the same user', async () => {
    const host = mockHost('web1')
    const { changes } = await run([job, cron('two').schedule('@hourly').as('www-data').inCrontab().runs('b')], host)
    expect(changes.map(({ after }) => after)).toEqual(['2 lines', '4 lines'])
  })
})

describe('a crontab', () => {
  const read = (output: Parameters<typeof answers>[1]) => answers([crontab('deploy')], output)[0]

  // Seen with cron 3.0pl1-162 and 3.0pl1-212.
  it.each([
    ['lines', { stdout: Buffer.from('# a\n\n@daily b\n') }, { lines: ['# a', '', '@daily b'] }],
    ['nothing in it', { stdout: Buffer.alloc(0) }, null],
    ['none', { status: 1, stderr: 'no crontab for deploy\n' }, null],
    [
      'nobody',
      { status: 1, stderr: "crontab:  user `deploy' unknown\n" },
      { code: 'E_UNREADABLE', message: 'The crontab of deploy could not be read.' },
    ],
    [
      'no cron',
      { status: 127, stderr: 'sh: 9: crontab: not found\n' },
      { code: 'E_UNREADABLE', message: 'There is no cron on this host.' },
    ],
  ])('is read: %s', (_, output, value) => {
    expect({ seen: read(output) }).toMatchObject({ seen: value })
  })

  for (const { name, there, title } of realShells) {
    it.runIf(there)(`goes to crontab byte for byte, by ${title}`, () => {
      const to: CrontabState = { lines: ["# it's", '', '@daily a \\% "b" $x'] }
      // The user of this process names himself to cron, and root names whom it means.
      const me = process.getuid!() === 0 ? 'root' : (process.env['USER'] ?? 'nobody')
      const script = crontab(me).write!(to, null)
      const { status, stdout } = inShell(name, script, { crontab: 'echo "$@"; cat' })
      const named = process.getuid!() === 0 ? '-u root -' : '-'
      expect({ status, said: stdout.toString() }).toEqual({ status: 0, said: `${named}\n${to.lines.join('\n')}\n` })
      expect(inShell(name, crontab(me).write!(null, to), { crontab: 'echo "$@"' }).stdout.toString()).toContain('-r')
    })

    it.runIf(there)(`of somebody else is for root only, by ${title}`, () => {
      const folder = new Folder(name)
      try {
        writeFileSync(join(folder.path, 'status'), 'Name:\tsh\nUid:\t4711\t4711\t4711\t4711\n')
        const text = crontab('root').write!(null, { lines: [] }).text.replace(
          '/proc/self/status',
          join(folder.path, 'status'),
        )
        const env = { ...process.env, PATH: `${folder.path}:${process.env['PATH']}` }
        const { status, stdout, stderr } = spawnSync('sh', ['-c', text], { env, encoding: 'utf8' })
        const said = 'the crontab of root is for root and root only\n'
        expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: '', stderr: said })
      } finally {
        folder.remove()
      }
    })
  }
})
