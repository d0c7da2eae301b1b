/** What parameters of qdiscs take, and how they are told. */

import { type Bytes, bytes, type Duration, micros, type Parsed } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'

/** Bits in a second, by the units of `tc`, which are of 1000: `8mbit`, `1.5gbit`. */
export type Rate = `${number}${'bit' | 'kbit' | 'mbit' | 'gbit'}`

/** What the kernel counts in: the most that it keeps. */
export const largestCount = 2 ** 32 - 1

export type Parameter = number | boolean | string

/** How each parameter that a play may say becomes what the kernel keeps. */
export type Parsers<O> = { readonly [K in keyof Required<O>]: (value: never) => Parsed<Parameter> }

/** What a play says of a qdisc, in the kernel's units; and everything that is wrong with it. */
export interface Said<V> {
  readonly wish: Partial<V>
  readonly problems: readonly string[]
}

/** Parameters by name; one that the qdisc does not have is a mistake. */
export function parseParameters<V>(kind: string, parsers: Parsers<object>, options: object): Said<V> {
  const known = parsers as Readonly<Record<string, (value: unknown) => Parsed<Parameter>>>
  const wish: Record<string, Parameter> = {}
  const problems: string[] = []
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    const parsed = Object.hasOwn(known, name)
      ? known[name]!(value)
      : { problem: `${kind} has no such parameter (it has ${Object.keys(known).join(', ')})` }
    if (isProblem(parsed)) problems.push(`${name}: ${parsed.problem}`)
    else wish[name] = parsed
  }
  return { wish: wish as Partial<V>, problems }
}

export function whole(min: number, max: number): (value: number) => Parsed<number> {
  return (value) =>
    Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : { problem: `${JSON.stringify(value)} is not a whole number from ${min} to ${max}` }
}

/** Bytes. */
export function amount(min: number, max: number): (value: Bytes) => Parsed<number> {
  return (value) => {
    const count = bytes(value)
    return isProblem(count) ? count : whole(min, max)(count)
  }
}

/** Microseconds, as many as the kernel keeps. */
export function span(min: number, max = largestCount): (value: Duration) => Parsed<number> {
  return (value) => {
    const us = micros(value)
    if (isProblem(us) || (us >= min && us <= max)) return us
    return { problem: `${JSON.stringify(value)} is not a time from ${showMicros(min)} to ${Math.floor(max / 1e6)}s` }
  }
}

const bits = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 } as const

/** Bytes in a second, in which the kernel counts: it cuts `1001bit` to 125, and `7bit` to none, without a word. */
export function rate(max: number): (value: Rate) => Parsed<number> {
  return (value) => {
    const [, number, unit] = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(value) ?? []
    const count = (Number(number) * (bits[unit as keyof typeof bits] ?? Number.NaN)) / 8
    if (Number.isNaN(count)) return { problem: `${JSON.stringify(value)} is not a rate such as 8mbit or 2.5gbit` }
    if (Number.isSafeInteger(count) && count > 0 && count <= max) return count
    return { problem: `${JSON.stringify(value)} is not a whole number of bytes in a second, up to ${showRate(max)}` }
  }
}

export function flag(value: unknown): Parsed<boolean> {
  return typeof value === 'boolean' ? value : { problem: `${JSON.stringify(value)} is neither true nor false` }
}

export function oneOf<const T extends string>(...words: readonly T[]): (value: T) => Parsed<T> {
  return (value) =>
    words.includes(value) ? value : { problem: `${JSON.stringify(value)} is not one of ${words.join(', ')}` }
}

export function showMicros(us: number): string {
  if (us >= 1e6 && us % 1e6 === 0) return `${us / 1e6}s`
  return us >= 1000 && us % 1000 === 0 ? `${us / 1000}ms` : `${us}us`
}

/** A rate of so many bytes in a second. */
export function showRate(count: number): string {
  const all = count * 8
  const [unit, size] = all >= 1e9 ? ['gbit', 1e9] : all >= 1e6 ? ['mbit', 1e6] : all >= 1e3 ? ['kbit', 1e3] : ['bit', 1]
  return Number.isInteger((all / size) * 100) ? `${all / size}${unit}` : `${all}bit`
}

export function showBytes(count: number): string {
  if (count >= 1024 ** 2 && count % 1024 ** 2 === 0) return `${count / 1024 ** 2}MiB`
  return count >= 1024 && count % 1024 === 0 ? `${count / 1024}KiB` : String(count)
}
