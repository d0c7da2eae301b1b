import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { quote } from '../../shell/quote.ts'
import { SecretFinder } from '../../shell/secret-forms.ts'

const canary = `it's "cörrect" \\horse/$HOME&+<b>`
const cover = (text: string, ...values: readonly string[]) =>
  new SecretFinder(values.length > 0 ? values : [canary]).covering(text, '(secret)')

describe('the value of a secret', () => {
  it.each<[string, string]>([
    ['as it is', canary],
    ['quoted for a shell', quote(canary)],
    ['quoted within a longer word', quote(`--user=wp:${canary}@db`)],
    [
      'as dash and bash trace it',
      execFileSync('sh', ['-xc', 'printf %s "$1"', 'sh', canary], { stdio: 'pipe' }).toString(),
    ],
    [
      'as printf %q of bash quotes it',
      execFileSync('bash', ['-c', 'printf %q "$1"', 'bash', canary.replace('ö', 'o')]).toString(),
    ],
    ['in JSON', JSON.stringify({ canary })],
    ['in JSON of ASCII', JSON.stringify(canary).replace('ö', '\\u00f6')],
    ['in a URL', `https://h/?p=${encodeURIComponent(canary)}`],
    ['in a URL, all of it', new URLSearchParams({ p: canary }).toString()],
    ['in a string of PHP', `'${canary.replace(/[\\']/g, '\\$&')}'`],
    ['in a string of SQL', `'${canary.replaceAll("'", "''")}'`],
    [
      'in HTML',
      canary
        .replaceAll('&', '&amp;')
        .replaceAll('<', '&lt;')
        .replaceAll('>', '&gt;')
        .replaceAll('"', '&quot;')
        .replaceAll("'", '&#039;'),
    ],
    ['in hexadecimal', Buffer.from(canary).toString('hex')],
  ])('is covered %s', (_, text) => {
    const told = cover(`before ${text} after`, canary, canary.replace('ö', 'o'))
    expect(told).toContain('(secret)')
    expect(told).not.toMatch(/orrect|rrect|horse|HOME|686f727365/)
    expect(told).toMatch(/^before .*after$/s)
  })

  it('is covered in base64 and base64url, wherever it stands in what was encoded', () => {
    for (const before of ['', 'a', 'ab', 'abc', 'user:']) {
      for (const encoding of ['base64', 'base64url'] as const) {
        const told = cover(Buffer.from(`${before}${canary}!`).toString(encoding))
        expect(told, `${before} ${encoding}`).toContain('(secret)')
        expect(Buffer.from(told.replace('(secret)', ' ').split(' ')[0]!, encoding).toString('latin1')).not.toContain(
          "it's",
        )
        expect(told.length).toBeLessThan(24)
      }
    }
  })

  it('is covered in base64 that is broken into lines', () => {
    const long = 'correct horse battery staple '.repeat(12)
    for (const before of ['', 'x', 'xy', 'x'.repeat(50)]) {
      const broken = execFileSync('base64', { input: before + long }).toString()
      const told = cover(broken, long)
      expect(told.replaceAll(/\s|\(secret\)/g, '').length).toBeLessThan(before.length * 1.4 + 8)
    }
  })

  it('is covered line by line where it has several, and short lines only with the others', () => {
    const key = '-----BEGIN KEY-----\nc3VwZXJzZWNyZXQ\nxyz\n-----END KEY-----\n'
    expect(cover('c3VwZXJzZWNyZXQ', key)).toBe('(secret)')
    expect(cover(`a ${key}b`, key)).toBe('a (secret)b')
    expect(cover('xyz', key)).toBe('xyz')
  })

  it('is covered in pieces where it is long', () => {
    const long = Array.from({ length: 60_000 }, (_, i) => String.fromCharCode(33 + ((i * 7 + (i >> 5)) % 90))).join('')
    const finder = new SecretFinder([long])
    expect(finder.covering(`a ${long} b`, '#')).toMatch(/^a #+ b$/)
    expect(finder.covering(JSON.stringify(long).slice(1, -1), '#')).toMatch(/^#+$/)
  })

  it('leaves everything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.includes('horse'))
        expect(cover(text)).toBe(text)
      }),
    )
    expect(cover('correct is what a horse is')).toBe('correct is what a horse is')
  })

  it('is covered whatever it is and whatever stands around it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 8 }), fc.string(), fc.string(), (value, before, after) => {
        fc.pre(!before.includes(value.slice(0, 4)) && !after.includes(value.slice(-4)))
        const told = new SecretFinder([value]).covering(before + value + after, '\u0001')
        expect(told).toContain('\u0001')
        expect(told).not.toContain(value)
      }),
    )
  })

  it('that holds another is covered whole', () => {
    expect(cover('<battery-staple-horse> battery-staple', 'battery-staple', 'battery-staple-horse')).toBe(
      '<(secret)> (secret)',
    )
  })

  it('costs little in a large text', () => {
    const keys = Array.from({ length: 20 }, (_, i) => `secret-number-${i}-${'x'.repeat(i)}'"`)
    const finder = new SecretFinder(keys)
    const text = 'listen 80 default_server; # nothing secret here\n'.repeat(5500)
    const started = performance.now()
    expect(finder.covering(text, '')).toBe(text)
    expect(performance.now() - started).toBeLessThan(1000)
  })
})
