import { describe, expect, it } from 'vitest'
import { iniLine, iniText, isSame, readIniText } from '../../../modules/php/ini-value.ts'

describe('a value in an ini file', () => {
  it.each([
    [true, 'On'],
    [false, 'Off'],
    [-1, '-1'],
    ['256M', '256M'],
    ['Europe/Rome', 'Europe/Rome'],
    ['/run/php/$pool.sock', '/run/php/$pool.sock'],
    ['exec,passthru', 'exec,passthru'],
    // What PHP would read otherwise: `;` begins a comment, `no` is nothing, `=` and `(` are syntax errors.
    ['a;b', '"a;b"'],
    ['no', '"no"'],
    ['tcp://127.0.0.1:6379?x=1', '"tcp://127.0.0.1:6379?x=1"'],
    ['(((', '"((("'],
    ['', '""'],
    [`it's a "b\\c"`, `"it's a \\"b\\\\c\\""`],
    // In quotes, PHP would not count them.
    ['E_ALL & ~E_DEPRECATED', 'E_ALL & ~E_DEPRECATED'],
    ['E_ALL', 'E_ALL'],
  ])('%j is written %s', (value, text) => {
    expect(iniText(value)).toBe(text)
  })

  it.each(['a\nb', 'a\rb', 'a\0b', 'a${HOME}b', Number.NaN])('%j cannot be written', (value) => {
    expect(iniText(value)).toHaveProperty('problem')
    expect(() => iniLine('a', value)).toThrow(RangeError)
  })

  // What php-fpm 8.4 -i prints for the text.
  it.each([
    [' a;b', 'a'],
    [' "a;b" ; why', 'a;b'],
    [' "a\\"b"', 'a"b'],
    [' "a\\\\b"', 'a\\b'],
    [' "a\\b"', 'a\\b'],
    [' no', ''],
    [' null', ''],
    ['', ''],
    [' "no"', 'no'],
    [' On', '1'],
    [' 10s;', '10s'],
  ])('%j is read as %j', (raw, value) => {
    expect(readIniText(raw)).toBe(value)
  })

  it('is the same where PHP reads the same', () => {
    expect(isSame(' yes ; as ever', true)).toBe(true)
    expect(isSame('"256M"', '256M')).toBe(true)
    expect(isSame('5', 5)).toBe(true)
    expect(isSame('Off', true)).toBe(false)
  })
})
