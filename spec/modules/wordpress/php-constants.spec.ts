import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  constantIn,
  phpLiteral,
  type PhpValue,
  withConstant,
  withoutConstant,
} from '../../../modules/wordpress/php-constants.ts'
import { phpTokens } from '../../../modules/wordpress/php-tokens.ts'
import { edited, refused } from './config-files.ts'

const path = '/srv/www/wp-config.php'
const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../../fixtures/php', name), 'utf8')
const disabled = (text: string) => withConstant(path, text, 'DISABLE_WP_CRON', true)
const words = (text: string) => phpTokens(text).flatMap(({ kind, text: word }) => (kind === 'space' ? [] : [word]))

describe('a constant that should be true', () => {
  it.each(edited)('$name', ({ before, after }) => {
    expect(disabled(before)).toBe(after)
    expect(disabled(after)).toBe(after)
    expect(constantIn(path, after, 'DISABLE_WP_CRON')).toBe(true)
  })

  it.each(refused)('is refused, not guessed: $name', ({ text, reason, hint }) => {
    const sign = reason.startsWith('line') ? ', ' : ': '
    expect(() => disabled(text)).toThrow(
      expect.objectContaining({ code: 'E_REFUSED', message: `${path}${sign}${reason}`, hint }),
    )
  })

  it('is put into the sample of WordPress, whose lines end with \\r\\n, and into nothing else of it', () => {
    const before = fixture('wp-config-sample.php')
    const after = disabled(before)
    expect(after).toContain(
      "\r\ndefine( 'DISABLE_WP_CRON', true );\r\n/* That's all, stop editing! Happy publishing. */\r\n",
    )
    expect(after.replace("define( 'DISABLE_WP_CRON', true );\r\n", '')).toBe(before)
  })

  it('stands in Debian’s own wp-config.php in front of the files that it includes', () => {
    const before = fixture('debian-wp-config.php')
    const after = disabled(before)
    expect(after).toContain("\ndefine( 'DISABLE_WP_CRON', true );\nif (file_exists($debian_file)) {\n")
    expect(after.replace("define( 'DISABLE_WP_CRON', true );\n", '')).toBe(before)
  })

  it('stands at the end of Debian’s /etc/wordpress/config-*.php, in front of its close tag', () => {
    const config = "<?php\ndefine('DB_NAME', 'wordpress');\n?>\n"
    expect(disabled(config)).toBe("<?php\ndefine('DB_NAME', 'wordpress');\ndefine( 'DISABLE_WP_CRON', true );\n?>\n")
    expect(disabled("<?php define('A', 1) ?>")).toBe("<?php define( 'DISABLE_WP_CRON', true ); define('A', 1) ?>")
    expect(disabled("<?php\ndefine('A', 1);")).toBe("<?php\ndefine('A', 1);\ndefine( 'DISABLE_WP_CRON', true );\n")
  })

  it('has no place in a file that does not end with code', () => {
    for (const text of ['no code', '<?php $a = 1; ?>text', '<?= $a ?>']) {
      expect(() => disabled(text), text).toThrow('does not end with PHP code')
    }
  })
})

describe('a constant that should not be defined', () => {
  it.each([
    ['its line goes', "<?php\n$a = 1;\n  define('X', 1);\n$b = 2;\n", '<?php\n$a = 1;\n$b = 2;\n'],
    [
      'with the guard that has nothing else',
      "<?php\nif (!defined('X')) {\n  define('X', 1);\n}\n$b = 2;\n",
      '<?php\n$b = 2;\n',
    ],
    ['and what shares its line stays', "<?php $a = 1; define('X', 1); // why\n", '<?php $a = 1;  // why\n'],
    ['both of two', "<?php\r\nconst X = 1;\r\n@define('X', 2);\r\n", '<?php\r\n'],
    ['and the close tag stays', "<?php define('X', 1) ?>\n", '<?php ?>\n'],
    ['what is not defined stays', "<?php\n// define('X', 1);\n", "<?php\n// define('X', 1);\n"],
  ])('%s', (_, before, after) => {
    expect(withoutConstant(path, before, 'X')).toBe(after)
    expect(constantIn(path, after, 'X')).toBeUndefined()
  })

  it.each([
    ['<?php\nconst A = 1, X = 2;\n', 'line 2: the statement that defines X does something else too.'],
    [
      "<?php\nif (!defined('X')) { define('X', 1); $a = 1; }\n",
      'line 2: the statement that defines X does something else too.',
    ],
  ])('is refused where the rest would go with it: %j', (text, reason) => {
    expect(() => withoutConstant(path, text, 'X')).toThrow(reason)
  })
})

describe('whatever the file', () => {
  const statement = fc.constantFrom(
    '$a = 1;',
    "define('A', 'x');",
    "define('X', false);",
    'define( "X" , 5 ) ;',
    'const X = null;',
    "const B = [1, 'X'], C = 2;",
    "if (!defined('X')) define('X', 1);",
    "if (!defined('X')):\ndefine('X', 1);\nendif;",
    "defined('X') or define('X', 1);",
    "if (false) { define('X', 1); } else { $b = 2; }",
    "function f() { return <<<E\ndefine('X', 1);\nE;\n}",
    "// define('X', 1);\n",
    "/* That's all, stop editing! */",
    '?> text <?php',
    "require 'other.php';",
    'foreach ($a as $b): $c = 1; endforeach;',
    'switch ($a) { case 1: break; default: }',
    'class D { const X = 1; }',
    "require_once ABSPATH . 'wp-settings.php';",
    '{ $d = 1; }',
  )
  const files = fc
    .array(fc.tuple(statement, fc.constantFrom('\n', '\r\n', ' ', '\n\n')), { maxLength: 8 })
    .map((parts) => `<?php\n${parts.flat().join('')}`)
  const values = fc.constantFrom<PhpValue>(
    true,
    false,
    null,
    0,
    -3,
    1.5,
    '',
    "it's \\ 'quoted'",
    '?> <?php // /*',
    "define('X', 1);",
  )

  it('an edited file has the same words but for the define, and PHP would find the value', () => {
    fc.assert(
      fc.property(files, values, (before, value) => {
        const after = withConstant(path, before, 'X', value)
        expect(constantIn(path, after, 'X')).toBe(value)
        expect(withConstant(path, after, 'X', value)).toBe(after)
        const without = withoutConstant(path, before, 'X')
        expect(words(withoutConstant(path, after, 'X'))).toEqual(words(without))
      }),
      { numRuns: 1000 },
    )
  })

  it('a value is written so that it reads the same', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.double({ noNaN: true, noDefaultInfinity: true })),
        (value) => {
          expect(constantIn(path, `<?php define('X', ${phpLiteral(value)});`, 'X')).toBe(value)
        },
      ),
    )
  })
})

it.each([
  [String.raw`"\x41\X42\103\u{1F600}\$\n"`, 'ABC😀$\n'],
  [String.raw`"\U{41}\q"`, String.raw`\U{41}\q`],
  [String.raw`'it\'s \n \\'`, String.raw`it's \n ` + '\\'],
  ['0x1F', 31],
  ['0b101', 5],
  ['017', 15],
  ['0o17', 15],
  ['1_000.5e1', 10_005],
  ['-3', -3],
  ['\\NULL', null],
])('%s is read as PHP reads it', (text, value) => {
  expect(constantIn(path, `<?php define('X', ${text});`, 'X')).toBe(value)
})
