/** Where a run is disturbed: half of the points spread evenly over its bytes, half over its time; chance moves each a little. */

import type { Mark } from './relay.ts'

/** After so many bytes of the connection, and then so many milliseconds. */
export interface Point {
  readonly bytes: number
  readonly delay: number
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What lies first in a run is not always disturbed first: kinds of disturbance take their points in turn. */
export function points(marks: readonly Mark[], count: number, random: () => number): readonly Point[] {
  const last = marks.at(-1)!
  // The end of a connection says nothing any more, and another run is a little shorter or longer.
  const share = (i: number, of: number) => ((i + random()) / of) * 0.95
  const half = Math.ceil(count / 2)
  const byBytes = Array.from({ length: half }, (_, i) => ({ bytes: Math.round(share(i, half) * last.bytes), delay: 0 }))
  const byTime = Array.from({ length: count - half }, (_, i) => {
    const at = share(i, count - half) * last.at
    const before = marks.findLast((mark) => mark.at <= at) ?? marks[0]!
    return { bytes: before.bytes, delay: Math.round(at - before.at) }
  })
  return byBytes.flatMap((point, i) => [point, ...byTime.slice(i, i + 1)])
}
