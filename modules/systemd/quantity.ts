/** Spans of time and amounts of memory, in the words of unit files. */

import { type Bytes, bytes, type Duration, micros, type Parsed } from '../../dsl/units.ts'

/** A span of time that is not zero, which systemd would take for «for ever» in most places: `90s`, `5min`. */
export function timeSpan(duration: Duration): Parsed<string> {
  const span = micros(duration)
  if (typeof span !== 'number') return span
  if (span === 0) return { problem: `${JSON.stringify(duration)} is no time at all` }
  return inUnits(span, spans)
}

/** An amount of memory, in systemd's units of 1024: `256M`. */
export function memory(amount: Bytes): Parsed<string> {
  const size = bytes(amount)
  if (typeof size !== 'number') return size
  return size > 0 ? inUnits(size, sizes) : { problem: 'nothing runs in 0 bytes' }
}

const spans = [
  ['d', 86_400e6],
  ['h', 3600e6],
  ['min', 60e6],
  ['s', 1e6],
  ['ms', 1e3],
  ['us', 1],
] as const

const sizes = [
  ['G', 1024 ** 3],
  ['M', 1024 ** 2],
  ['K', 1024],
  ['', 1],
] as const

/** In the largest unit that it is a whole number of. */
function inUnits(amount: number, units: readonly (readonly [string, number])[]): string {
  const [unit, size] = units.find(([, size]) => amount % size === 0)!
  return `${amount / size}${unit}`
}
