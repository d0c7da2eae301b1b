import { describe, expect, it } from 'vitest'
import { fpmGuard, iniGuard } from '../../../modules/php/config-test.ts'
import { shells } from '../../connection/shells.ts'
import { inShell } from '../answers.ts'

/** A php-fpm that prints what the real one does. */
const says = (stderr: string, status: number) => ({ 'php-fpm8.4': `cat >&2 <<'END'\n${stderr}\nEND\nexit ${status}` })
const fine = '[23-Nov-2026 09:07:55] NOTICE: configuration file /etc/php/8.4/fpm/php-fpm.conf test is successful'

describe.each(shells)('the test of php-fpm under $name', ({ name: shell }) => {
  const test = (stderr: string, status: number) => inShell(shell, fpmGuard('8.4').test, says(stderr, status))

  it('holds where php-fpm is content', () => {
    expect(test(`\n${fine}`, 0)).toMatchObject({ status: 0, stderr: '' })
  })

  it('fails for a syntax error in an ini file, for which php-fpm -t ends with 0 and drops the whole file', () => {
    const error = 'PHP:  syntax error, unexpected END_OF_LINE in /etc/php/8.4/fpm/conf.d/99-t.ini on line 2'
    expect(test(`${error}\n${fine}`, 0)).toMatchObject({ status: 1, stderr: `${error}\n` })
  })

  it('tells the cause last of what php-fpm says of a pool that has an unknown entry', () => {
    const result = test(
      `[23-Nov-2026 09:07:48] ERROR: [/etc/php/8.4/fpm/pool.d/www.conf:491] unknown entry 'pm.max_childrn'
[23-Nov-2026 09:07:48] ERROR: Unable to include /etc/php/8.4/fpm/pool.d/www.conf from /etc/php/8.4/fpm/php-fpm.conf at line 491
[23-Nov-2026 09:07:48] ERROR: failed to load configuration file '/etc/php/8.4/fpm/php-fpm.conf'
[23-Nov-2026 09:07:48] ERROR: FPM initialization failed`,
      78,
    )
    expect(result.status).toBe(78)
    expect(result.stderr.trim().split('\n').at(-1)).toBe(
      "ERROR: [/etc/php/8.4/fpm/pool.d/www.conf:491] unknown entry 'pm.max_childrn'",
    )
  })

  it('fails where php-fpm cannot start for its memory', () => {
    const error = 'Mon Nov 23 09:01:16 2026 (2063): Fatal Error Insufficient shared memory for interned strings buffer!'
    const result = test(error, 254)
    expect(result).toMatchObject({ status: 254, stderr: `${error}\n` })
  })

  it.each([
    [
      'opcache.jit',
      'Invalid "opcache.jit" setting. Should be "disable", "on", "off", "tracing", "function" or 4-digit number',
    ],
    [
      'memory_limit',
      'Invalid "memory_limit" setting. Invalid quantity "256MB": unknown multiplier "B", interpreting as "256" for backwards compatibility',
    ],
    ['date.timezone', "PHP Startup: Invalid date.timezone value 'Mars/X', using 'UTC' instead"],
  ])('fails for a value of %s that PHP does not take, of which it only warns', (name, warning) => {
    const said = `[23-Nov-2026 12:55:23] NOTICE: PHP message: PHP Warning:  ${warning} in Unknown on line 0\n${fine}`
    const guard = (names: readonly string[]) => inShell(shell, iniGuard('8.4', 'fpm', names).test, says(said, 0))
    expect(guard(['post_max_size', name])).toMatchObject({ status: 1, stderr: `${warning}\n` })
    // A warning of another file is not of this task.
    expect(guard(['post_max_size'])).toMatchObject({ status: 0, stderr: '' })
  })

  it('fails where there is no php-fpm', () => {
    expect(inShell(shell, fpmGuard('7.9').test).status).toBe(127)
  })
})

it('is another one for the command line', () => {
  expect(iniGuard('8.4', 'cli', []).test.text).toContain("php8.4 -r ''")
  expect(iniGuard('8.4', 'fpm', []).name).toBe('php-fpm8.4 -t')
})
