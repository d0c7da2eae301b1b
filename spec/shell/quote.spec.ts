import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quote } from '../../shell/quote.ts'

const shells = [['dash'], ['bash', '--norc'], ['busybox', 'sh']].map((argv) => {
  const there = spawnSync(argv[0]!, [...argv.slice(1), '-c', ':']).status === 0
  return { argv, there, title: there ? argv.join(' ') : `${argv.join(' ')} (skipped: it is not installed here)` }
})

const words = [
  '',
  ' ',
  '-n',
  "it's",
  '"',
  '\\',
  '$(id)',
  '`id`',
  '${x}',
  '*',
  '~',
  '!',
  'a\nb\n',
  'ü€😀',
  '#',
  "'''",
  '{a,b}',
  'a=b',
  '\t\r\u0001\u007f',
]

it.each([
  ['plain-word_1.2/3:4@5%6+7=8,9', 'plain-word_1.2/3:4@5%6+7=8,9'],
  ['', "''"],
  ["it's; rm -rf /", "'it'\\''s; rm -rf /'"],
])('quotes %j as %s', (word, quoted) => {
  expect(quote(word)).toBe(quoted)
})

it('refuses a NUL byte, which no shell can hold', () => {
  expect(() => quote('a\0b')).toThrow(RangeError)
})

describe.each(shells)('$title', ({ argv, there }) => {
  const read = (all: readonly string[]) => {
    const script = `printf '%s\\0' ${all.map(quote).join(' ')}`
    return spawnSync(argv[0]!, argv.slice(1), { input: script, env: { LC_ALL: 'C', PATH: process.env['PATH'] } })
      .stdout.toString()
      .split('\0')
      .slice(0, -1)
  }

  it.runIf(there)('reads every word as it was', () => {
    expect(read(words)).toEqual(words)
    const word = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', ''))
    const some = fc.sample(word, 500).map((text) => Buffer.from(text).toString())
    expect(read(some)).toEqual(some)
  })
})
