import { expect, expectTypeOf, it } from 'vitest'
import { type Bytes, bytes, type Duration, micros, mode, type Mode, seconds } from '../../dsl/units.ts'

it.each<[Duration, number]>([
  ['5ms', 5000],
  ['100us', 100],
  ['1.5s', 1_500_000],
  ['2m', 120_000_000],
  ['2min', 120_000_000],
  ['1h', 3_600_000_000],
  ['0s', 0],
])('%s is %d µs', (text, expected) => expect(micros(text)).toBe(expected))

it('gives seconds', () => expect(seconds('90s')).toBe(90))

it.each(['', '5', 'ms', '-1s', '1e3s', 'NaNs', '0.1us', '5 ms'])('%j is no duration', (text) =>
  expect(micros(text as Duration)).toHaveProperty('problem'),
)

it.each<[Bytes, number]>([
  ['16MiB', 16_777_216],
  ['64KiB', 65_536],
  ['1GiB', 1_073_741_824],
  ['7B', 7],
  [212_992, 212_992],
])('%s are %d bytes', (amount, expected) => expect(bytes(amount)).toBe(expected))

it.each(['16MB', '1.0001KiB', -1, 0.5])('%j are no bytes', (amount) =>
  expect(bytes(amount as Bytes)).toHaveProperty('problem'),
)

it('takes modes in octal', () => {
  expect(mode('0644')).toBe('0644')
  expect(mode('02755')).toBe('2755')
  expect(mode('0888')).toHaveProperty('problem')
  expect(mode('644' as Mode)).toHaveProperty('problem')
})

it('has the compiler refuse a unit that is missing or unknown', () => {
  expectTypeOf<'5ms'>().toExtend<Duration>()
  expectTypeOf<'5'>().not.toExtend<Duration>()
  expectTypeOf<'16MB'>().not.toExtend<Bytes>()
  expectTypeOf<'644'>().not.toExtend<Mode>()
})
