import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../errors/failure.ts'
import { lineAt, phpTokens } from '../../../modules/wordpress/php-tokens.ts'

const folder = join(import.meta.dirname, '../../fixtures/php')
const read = (name: string) => readFileSync(join(folder, name), 'utf8')
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.tokens'))
  .map((name) => name.slice(0, -'.tokens'.length))

/** Undefined where the text is refused; what is thrown beside a refusal is a mistake. */
function tokensOf(source: string) {
  try {
    return phpTokens(source)
  } catch (error) {
    if (error instanceof Failure && error.code === 'E_REFUSED') return undefined
    throw error
  }
}

const tokens = (source: string) => phpTokens(source).map(({ kind, text }) => [kind, text])

describe('the tokens of PHP', () => {
  it('sees the files', () => expect(names.length).toBeGreaterThan(6))

  it.each(names)('are those that PHP itself finds in %s.php', (name) => {
    expect(tokens(read(`${name}.php`))).toEqual(JSON.parse(read(`${name}.tokens`)))
  })

  it('are together the text, whatever it is; or it is refused', () => {
    const pieces = [
      '<?php ',
      '<?= ',
      '?>',
      "'",
      '"',
      '`',
      '\\',
      '<<<A\n',
      'A',
      '\n',
      '\r\n',
      '/*',
      '*/',
      '//',
      '#',
      '{$',
      '}',
      '$a',
    ]
    const piece = fc.oneof(
      fc.constantFrom(...pieces, 'define(', '__halt_compiler', ';', '(int)', '1.5'),
      fc.string({ maxLength: 3 }),
    )
    let taken = 0
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (parts) => {
        const source = `<?php ${parts.join('')}`
        const found = tokensOf(source)
        fc.pre(found !== undefined)
        taken++
        expect(found.map(({ text }) => text).join('')).toBe(source)
        for (const { text, at } of found) expect(source.startsWith(text, at)).toBe(true)
      }),
      { numRuns: 2000 },
    )
    expect(taken).toBeGreaterThan(200)
  })

  it.each([
    ['<?php\n/* open', 'line 2, a comment has no end'],
    ["<?php $a = 'x", 'line 1, a string has no end'],
    ['<?php\n\n$a = "x', 'line 3, a string has no end'],
    ['<?php $a = "{$b', 'line 1, a brace in a string has no end'],
    ['<?php $a = <<<X\n', 'line 1, the heredoc X has no end'],
    ['<? define("A", 1);', 'line 1, `<?` is code or text, depending on a setting of PHP'],
    ['<?xml version="1.0"?>', 'line 1, `<?` is code or text, depending on a setting of PHP'],
  ])('are not guessed: %j', (source, said) => {
    expect(() => phpTokens(source)).toThrow(`This is not PHP that is understood: ${said}.`)
  })

  it('stand on lines that end with \\n, \\r\\n or \\r', () => {
    expect(lineAt('a\nb\r\nc\rd', 7)).toBe(4)
  })
})
