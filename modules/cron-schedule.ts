/** When a job of cron runs: the grammar of Vixie's cron, as Debian has it. */

import type { Parsed } from '../dsl/units.ts'
import { nearest } from '../errors/suggest.ts'

interface Field {
  readonly name: string
  readonly low: number
  readonly high: number
  /** Names of the numbers from `low` on. */
  readonly names: readonly string[]
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

const fields: readonly Field[] = [
  { name: 'minute', low: 0, high: 59, names: [] },
  { name: 'hour', low: 0, high: 23, names: [] },
  { name: 'day of month', low: 1, high: 31, names: [] },
  { name: 'month', low: 1, high: 12, names: months },
  { name: 'day of week', low: 0, high: 7, names: days },
]

const nicknames = ['@reboot', '@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']
const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

export interface Schedule {
  /** With single blanks, for one line of a crontab. */
  readonly text: string
  /** Days of month and of week are both restricted: cron runs the job when *either* fits. */
  readonly eitherDay: boolean
}

/**
 * Five fields, or a word such as `@daily`. What cron would take and never run (`31` of February, `50-10`), take for something else
 * (`5/10`) or answer by ignoring the whole file is a problem here.
 *
 * @see crontab(5)
 */
export function schedule(text: string): Parsed<Schedule> {
  const words = text.trim().split(/[ \t]+/)
  if (text.trim().startsWith('@')) {
    if (nicknames.includes(text.trim())) return { text: text.trim(), eitherDay: false }
    const close = nearest(text.trim(), nicknames)
    return {
      problem: `${JSON.stringify(text)} is none of ${nicknames.join(' ')}${close ? `; did you mean ${close}?` : ''}`,
    }
  }
  if (words.length !== 5 || text.includes('\n')) {
    return { problem: `${JSON.stringify(text)} is not five fields: minute, hour, day of month, month, day of week` }
  }
  const sets: ReadonlySet<number>[] = []
  for (const [i, field] of fields.entries()) {
    const set = parseField(words[i]!, field)
    if ('problem' in set) return { problem: `${field.name} ${JSON.stringify(words[i])}: ${set.problem}` }
    sets.push(set)
  }
  const [, , daysOfMonth, inMonths] = sets as [unknown, unknown, ReadonlySet<number>, ReadonlySet<number>]
  const restricted = [words[2]!, words[4]!].map((word) => !word.startsWith('*'))
  const exists = [...inMonths].some((month) => Math.min(...daysOfMonth) <= longestMonths[month - 1]!)
  if (!exists && !restricted[1])
    return { problem: `${JSON.stringify(text)}: there is no such day in any of the months` }
  return { text: words.join(' '), eitherDay: restricted.every(Boolean) }
}

function parseField(text: string, field: Field): ReadonlySet<number> | { readonly problem: string } {
  const set = new Set<number>()
  for (const part of text.split(',')) {
    const range = parseRange(part, field)
    if ('problem' in range) return range
    for (let at = range.from; at <= range.to; at += range.step) set.add(at)
  }
  return set
}

function parseRange(
  text: string,
  { low, high, names }: Field,
): { from: number; to: number; step: number } | { problem: string } {
  const [, first = '', last, by] = /^(\*|\w+)(?:-(\w+))?(?:\/(\w+))?$/.exec(text) ?? []
  const allowed =
    names.length > 0
      ? `numbers from ${low} to ${high}, ${names[0]} to ${names.at(-1)}`
      : `numbers from ${low} to ${high}`
  if (first === '' || (first === '*' && last !== undefined))
    return { problem: `fields are made of * or ${allowed}, with , - and /` }
  const number = (word: string) => (/^\d{1,2}$/.test(word) ? Number(word) : low + position(word, names))
  const from = first === '*' ? low : number(first)
  const to = first === '*' ? high : last === undefined ? from : number(last)
  const step = by === undefined ? 1 : /^\d{1,2}$/.test(by) ? Number(by) : Number.NaN
  const outside = [from, to].some((at) => Number.isNaN(at) || at < low || at > high)
  if (outside) return { problem: `takes ${allowed}` }
  if (from > to) {
    const sunday = last === 'sun' ? '; the number of Sunday is 0 at the beginning and 7 at the end' : ''
    return { problem: `${text} begins after its end${sunday}: write it as two ranges` }
  }
  if (Number.isNaN(step) || step < 1) return { problem: 'a step is a number from 1' }
  if (by !== undefined && first !== '*' && last === undefined)
    return { problem: `a step needs a range: ${from}-${high}/${step}` }
  if (step > high) return { problem: `a step of ${step} is longer than the whole of ${high}` }
  return { from, to, step }
}

function position(word: string, names: readonly string[]): number {
  const at = names.indexOf(word.toLowerCase())
  return at < 0 ? Number.NaN : at
}
