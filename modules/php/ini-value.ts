/** Values as PHP's ini files have them. */

import type { Parsed } from '../../dsl/units.ts'

/** A value of a setting. Texts are written so that PHP reads them as they are; amounts are PHP's own: `256M`. */
export type IniValue = string | number | boolean

/**
 * A value as it stands in a file. A text that PHP would read otherwise (`;` begins a comment, `no` is nothing, `(` is a
 * syntax error) is quoted; sums of constants (`E_ALL & ~E_DEPRECATED`) are not, since PHP would not count them then.
 *
 * @see https://www.php.net/manual/en/function.parse-ini-file.php
 */
export function iniText(value: IniValue): Parsed<string> {
  if (typeof value === 'boolean') return value ? 'On' : 'Off'
  if (typeof value === 'number') {
    return Number.isFinite(value) ? String(value) : { problem: `${value} is not a number that PHP takes` }
  }
  // oxlint-disable-next-line no-control-regex -- they would end the line, or the text
  if (/[\n\r\u0000]/.test(value)) return { problem: `${JSON.stringify(value)} is more than one line` }
  if (value.includes('${')) return { problem: `${JSON.stringify(value)} holds \${, which PHP takes for a variable` }
  if (isConstants(value) || (/^[\w./:,@+$-]+$/.test(value) && !words.has(value.toLowerCase()))) return value
  return `"${value.replace(/["\\]/g, '\\$&')}"`
}

/** What is wrong with an amount of memory, of which PHP would take the number, and leave off the unit that it does not know. */
export function amountProblem(key: string, value: IniValue): string | undefined {
  if (!amounts.has(key) || /^-?\d+[KMG]?$/i.test(String(value))) return undefined
  return `${key}: PHP takes an amount such as 256M or 1G, and would read ${JSON.stringify(value)} otherwise`
}

/** Settings that are an amount of memory. */
const amounts = new Set([
  'memory_limit',
  'post_max_size',
  'upload_max_filesize',
  'realpath_cache_size',
  'opcache.jit_buffer_size',
])

/** A setting as a line of a file. */
export function iniLine(key: string, value: IniValue): string {
  const text = iniText(value)
  if (typeof text !== 'string') throw new RangeError(`${key}: ${text.problem}`)
  return `${key} = ${text}`
}

/** What PHP reads from a value as it stands in a file. */
export function readIniText(raw: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(raw.trim())
  if (quoted) return quoted[1]!.replace(/\\(["\\])/g, '$1')
  const bare = raw.replace(/;.*$/, '').trim()
  return ['off', 'no', 'false', 'none', 'null'].includes(bare.toLowerCase()) ? '' : truth(bare)
}

/** Whether PHP would read both as the same. */
export function isSame(raw: string, wished: IniValue): boolean {
  const text = iniText(wished)
  return typeof text === 'string' && readIniText(raw) === readIniText(text)
}

/** What PHP gives a meaning of its own. */
const words = new Set(['on', 'off', 'yes', 'no', 'true', 'false', 'none', 'null'])

function truth(bare: string): string {
  return ['on', 'yes', 'true'].includes(bare.toLowerCase()) ? '1' : bare
}

function isConstants(value: string): boolean {
  return /^[~!( ]*E_[A-Z_]+(?:[ &|^~!()]+E_[A-Z_]+)*[) ]*$/.test(value)
}
