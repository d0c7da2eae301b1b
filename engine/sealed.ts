/** Keyed digests of values: they tell which are equal, and nothing else of them, so that others may read them. */

import { createHmac, hkdfSync } from 'node:crypto'

/** Tells values apart by a key, for records and for people. */
export interface Seal {
  /** 64 hexadecimal digits: equal where the values are, however their fields are ordered. */
  fingerprint(value: unknown): string
  /** The first eight of them, for a reader. */
  digestOf(value: unknown): string
}

/**
 * A seal by a key of 32 bytes or more.
 *
 * @example
 * const seal = sealWith(key)
 * seal.fingerprint({ type: 'absent' }) === seal.fingerprint({ type: 'absent' })
 */
export function sealWith(key: Uint8Array): Seal {
  if (key.length < 32) throw new RangeError(`a key has 32 bytes or more, not ${key.length}`)
  // Another use of the same key never meets this one.
  const own = Buffer.from(hkdfSync('sha256', key, '', 'play digest', 32))
  const fingerprint = (value: unknown) => createHmac('sha256', own).update(canonical(value)).digest('hex')
  return { fingerprint, digestOf: (value) => fingerprint(value).slice(0, 8) }
}

/** Values are compared by deep equality, where the order of fields means nothing. */
function canonical(value: unknown): string {
  const text = JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  ) as string | undefined
  if (text === undefined) throw new TypeError('a value with a digest is one that JSON can tell')
  return text
}
