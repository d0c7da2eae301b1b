/** Quantities as people write them, parsed once into the smallest unit. */

/** A span of time with its unit: `90s`, `5ms`, `1h`. */
export type Duration = `${number}${'us' | 'ms' | 's' | 'm' | 'min' | 'h' | 'd'}`

/** An amount of memory: a number of bytes, or with a unit of 1024: `16MiB`, `64KiB`. */
export type Bytes = number | `${number}${'B' | 'KiB' | 'MiB' | 'GiB'}`

/** Permission bits in octal: `0644`. */
export type Mode = `0${number}`

/** A value, or what is wrong with the text it was to be made of. */
export type Parsed<T> = T | { readonly problem: string }

const microseconds = { us: 1, ms: 1e3, s: 1e6, m: 60e6, min: 60e6, h: 3600e6, d: 86_400e6 } as const
const byteUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

/** Microseconds of a duration. */
export function micros(text: Duration): Parsed<number> {
  return quantity(text, microseconds, 'a duration such as 5ms, 90s or 1h')
}

/** Seconds of a duration. */
export function seconds(text: Duration): Parsed<number> {
  const result = micros(text)
  return typeof result === 'number' ? result / 1e6 : result
}

/** Bytes of an amount of memory. */
export function bytes(amount: Bytes): Parsed<number> {
  if (typeof amount === 'number') {
    return Number.isSafeInteger(amount) && amount >= 0 ? amount : { problem: `${amount} is not a number of bytes` }
  }
  return quantity(amount, byteUnits, 'an amount such as 16MiB or 64KiB')
}

/** Four octal digits. */
export function mode(text: Mode): Parsed<string> {
  if (/^0[0-7]{3}$/.test(text)) return text
  if (/^0[0-7]{4}$/.test(text)) return text.slice(1)
  return { problem: `${JSON.stringify(text)} is not a mode such as 0644 (an octal text, in quotes)` }
}

function quantity(text: string, units: Readonly<Record<string, number>>, what: string): Parsed<number> {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text) ?? []
  const value = Number(number) * (units[unit ?? ''] ?? Number.NaN)
  return Number.isSafeInteger(value) ? value : { problem: `${JSON.stringify(text)} is not ${what}` }
}
