import { describe, expect, it } from 'vitest'
import { calendarProblem, calendarTimes } from '../../../modules/systemd/calendar.ts'
import { answers, inShell, readScript } from '../answers.ts'
import { realShells } from '../real.ts'

describe('the form of a calendar expression', () => {
  it.each([
    '*:0/5',
    '*:*:0/2',
    '*-*-* *:00/5:00',
    'daily',
    'weekly UTC',
    'Mon..Fri 08:00',
    'mon,thu..sat *-*-1..7 18:30:00 Europe/Rome',
    'Sat *-*-1..7 18:00',
    '2026-11-23 10:00',
    '*-02~01',
    '*:20/15',
    '05:40:23.4200004/3.1700005',
    'Mon',
  ])('is %j', (expression) => expect(calendarProblem(expression)).toBeUndefined())

  it.each([
    ['', /not a calendar expression/],
    ['*/5 * * * *', /looks like a schedule of cron/],
    ['@daily', /looks like a schedule of cron/],
    ['every 5 minutes', /"every" is no day, date or time/],
    ['*:0/99x', /"\*:0\/99x" is no day/],
    ['25:00', /"25:00" is no/],
    ['*:61', /no day, date or time/],
    ['*:0/0', /no day, date or time/],
    ['*-13-01', /no day, date or time/],
    ['08:00 Mon', /not in the order: days of the week, date, time, time zone/],
    ['8:00 9:00', /not in the order/],
    ['*:0/5\nUnit=x', /no day, date or time/],
    ['daily  UTC', /not a calendar expression/],
  ])('is not %j', (expression, problem) => expect(calendarProblem(expression)).toMatch(problem))
})

const expressions = ['*:0/5', 'Mon..Fri *-*-* 08:00:00', 'bogus', '2020-01-01', 'weekly UTC']

/** What systemd 252 and 262 print, but for the times that are next. */
const printed = `  Original form: *:0/5
Normalized form: *-*-* *:00/5:00
    Next elapse: Mon 2026-11-23 09:05:00 UTC
       From now: 1min 38s left
# 0
Normalized form: Mon..Fri *-*-* 08:00:00
    Next elapse: Tue 2026-11-24 08:00:00 UTC
       From now: 22h left
# 0
Failed to parse calendar specification 'bogus': Invalid argument
# 1
  Original form: 2020-01-01
Normalized form: 2020-01-01 00:00:00
    Next elapse: never
# 0
  Original form: weekly UTC
Normalized form: Mon *-*-* 00:00:00 UTC
    Next elapse: Mon 2026-11-30 00:00:00 UTC
       From now: 6 days left
# 0
`

describe('what the systemd of a host makes of it', () => {
  const places = expressions.map(calendarTimes)

  it('is its normal form, whether it ever comes, or why it is none', () => {
    expect(answers(places, { stdout: Buffer.from(printed) })).toEqual([
      { normal: '*-*-* *:00/5:00', comes: true },
      { normal: 'Mon..Fri *-*-* 08:00:00', comes: true },
      { problem: "Failed to parse calendar specification 'bogus': Invalid argument" },
      { normal: '2020-01-01 00:00:00', comes: false },
      { normal: 'Mon *-*-* 00:00:00 UTC', comes: true },
    ])
  })

  it('is not known without systemd', () => {
    const output = { stdout: Buffer.from('sh: 2: systemd-analyze: not found\n# 127\n') }
    expect(answers([calendarTimes('daily')], output)).toMatchObject([
      { code: 'E_UNREADABLE', seen: { status: 127, output: 'sh: 2: systemd-analyze: not found' } },
    ])
  })

  it.for(realShells)('is asked with one script by $title', ({ name, there }, { skip }) => {
    skip(!there)
    const fake = `case $3 in bogus) echo "Failed to parse calendar specification '$3': Invalid argument" >&2; exit 1 ;; esac
echo "Normalized form: <$3>"`
    const { stdout, status } = inShell(name, readScript(places.slice(0, 3)), {
      'systemd-analyze': `#!/bin/sh\n${fake}`,
    })
    expect(status).toBe(0)
    expect(answers(places.slice(0, 3), { stdout })).toMatchObject([
      { normal: '<*:0/5>' },
      { comes: true },
      { problem: expect.stringContaining('bogus') as string },
    ])
  })
})
