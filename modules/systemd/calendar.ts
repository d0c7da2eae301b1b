/** Calendar expressions of systemd: what is one by its form, and what a host's systemd makes of it. */

import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { type Collector, type Output, Probe, tail } from '../../probe/probe.ts'
import { type Script, sh } from '../../shell/script.ts'

/** What systemd makes of an expression, or why it takes none. */
export type CalendarTimes =
  | {
      /** As systemd writes it: `*-*-* *:00/5:00` for `*:0/5`. */
      readonly normal: string
      /** Whether there is a next time at all. */
      readonly comes: boolean
    }
  | { readonly problem: string }

/** What the systemd of a host makes of a calendar expression. It can only be looked at. */
export function calendarTimes(expression: string): Resource<CalendarTimes> {
  return {
    key: `calendar:${expression}`,
    read: Probe.of(calendar, expression),
    show: (value) => ('normal' in value ? value.normal : value.problem),
    fresh: { normal: expression, comes: true },
  }
}

/**
 * What is wrong with the form of a calendar expression; undefined where a systemd may take it. systemd itself only logs a wrong one,
 * and a timer that was well before goes on with its old times.
 *
 * @see systemd.time(7), CALENDAR EVENTS
 */
export function calendarProblem(expression: string): string | undefined {
  const shown = JSON.stringify(expression)
  const words = expression.split(' ')
  if (expression === '' || words.includes(''))
    return `${shown} is not a calendar expression such as *:0/5 or Mon..Fri 08:00`
  if (words.length >= 5 || expression.startsWith('@'))
    return `${shown} looks like a schedule of cron; systemd's are such as *:0/5, Mon..Fri 08:00 or daily`
  const zone = words.length > 1 && /^(UTC|[A-Z][A-Za-z_]+(\/[A-Za-z0-9_+-]+)+)$/.test(words.at(-1)!)
  const parts = zone ? words.slice(0, -1) : words
  if (parts.length === 1 && shorthands.includes(parts[0]!.toLowerCase())) return undefined
  const kinds = parts.map(kindOf)
  const wrong = parts.find((_, i) => kinds[i] === undefined)
  if (wrong !== undefined)
    return `${JSON.stringify(wrong)} is no day, date or time of a calendar expression (in ${shown})`
  const order = kinds.map((kind) => ['day', 'date', 'time'].indexOf(kind!))
  const isInOrder = order.every((at, i) => i === 0 || at > order[i - 1]!)
  return isInOrder ? undefined : `${shown} is not in the order: days of the week, date, time, time zone`
}

const shorthands = [
  'minutely',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'quarterly',
  'semiannually',
  'yearly',
  'annually',
]

const weekdays = /^(mon|tue|wed|thu|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday)$/i

function kindOf(part: string): 'day' | 'date' | 'time' | undefined {
  const days = part.replace(/,$/, '').split(/,|\.\.|-/)
  if (days.every((day) => weekdays.test(day))) return 'day'
  if (part.includes(':')) return isTime(part.split(':')) ? 'time' : undefined
  return isDate(part.split(/[-~]/)) ? 'date' : undefined
}

function isTime(fields: readonly string[]): boolean {
  const [hour, minute, second = '0'] = fields
  return fields.length <= 3 && within(hour!, 0, 23) && within(minute!, 0, 59) && within(second, 0, 60)
}

function isDate(fields: readonly string[]): boolean {
  const [day, month, year = '*'] = fields.toReversed()
  if (fields.length < 2 || fields.length > 3) return false
  return within(year, 0, 9999) && within(month!, 1, 12) && within(day!, 1, 31)
}

/** A field is a star or a list of values and ranges, each perhaps with a step: `0/5`, `8..18`, `0,30`. */
function within(field: string, least: number, most: number): boolean {
  const fits = (text: string) => /^\d+(\.\d+)?$/.test(text) && Number(text) >= least && Number(text) <= most
  return field.split(',').every((item) => {
    const [range = '', step, more] = item.split('/')
    if (more !== undefined || (step !== undefined && !(/^\d+(\.\d+)?$/.test(step) && Number(step) > 0))) return false
    const [first = '', last, rest] = range.split('..')
    if (first === '*') return last === undefined
    return rest === undefined && fits(first) && (last === undefined || fits(last))
  })
}

/** One systemd-analyze each: of several in one, it does not say which of them it refused. */
const calendar: Collector<string, CalendarTimes> = {
  name: 'calendar',
  ask: (expressions): Script => sh`for e in ${expressions}; do
  systemd-analyze calendar -- "$e" 2>&1
  echo "# $?"
done`,
  answers: (output, expressions) => {
    const parts = output.stdout.toString().split(/^# (\d+)\n/m)
    return expressions.map((expression, i) => answer(expression, parts[2 * i] ?? '', Number(parts[2 * i + 1]), output))
  },
}

/** systemd says of an expression that is normal already only this. */
function answer(expression: string, text: string, status: number, output: Output): CalendarTimes | Failure {
  const normal = /^ *Normalized form: (.*)$/m.exec(text)?.[1]
  if (status === 0 && normal !== undefined) return { normal, comes: !/^ *Next elapse: never$/m.test(text) }
  if (/^Failed to parse calendar/m.test(text)) return { problem: text.trim().split('\n')[0]! }
  return new Failure(
    'E_UNREADABLE',
    `The systemd of this host does not say what ${JSON.stringify(expression)} means.`,
    {
      seen: { command: 'systemd-analyze calendar', status, output: tail(text || output.stderr) },
    },
  )
}
