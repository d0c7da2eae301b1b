/** PHP's own tests of its configuration, made to fail where PHP only mutters. */

import { configTest, type Guard } from '../../dsl/guard.ts'
import { type Script, sh } from '../../shell/script.ts'
import type { PhpSapi } from './layout.ts'

/**
 * `php-fpm -t` with an eye on what it says: a syntax error in an ini file makes PHP drop that whole file, while the test
 * is «successful» and ends with 0. Of what it says when it fails, the cause comes last.
 *
 * @see php-fpm8.4(8)
 */
export function testFpm(version: string): Script {
  return spoken(sh`php-fpm${version} -t`).called(`php-fpm${version} -t`)
}

/** The test of a configuration of php-fpm as a guard. */
export function fpmGuard(version: string): Guard {
  return configTest(`php-fpm${version} -t`, testFpm(version))
}

/** The test of what a PHP reads when it starts, and of the values that it takes for these settings. */
export function iniGuard(version: string, sapi: PhpSapi, settings: readonly string[]): Guard {
  if (sapi === 'fpm') return configTest(`php-fpm${version} -t`, spoken(sh`php-fpm${version} -t`, settings))
  return configTest(`php${version}`, spoken(sh`php${version} -r '' </dev/null`, settings).called(`php${version}`))
}

function spoken(test: Script, settings: readonly string[] = []): Script {
  return sh`PATH=$PATH:/usr/sbin
said=$(${test} 2>&1)
status=$?
${settings.length > 0 ? untaken(settings) : sh`:`}
case $said in
  *'PHP:  syntax error'*)
    printf '%s\n' "$said" | grep 'PHP:  syntax error' >&2
    exit 1 ;;
esac
[ $status -ne 0 ] || exit 0
said=$(printf '%s\n' "$said" | sed 's/^\[[^]]*\] //')
printf '%s\n' "$said" | grep -e 'FPM initialization failed' -e 'failed to load' -e 'failed to post' -e 'Unable to include' >&2
printf '%s\n' "$said" | grep -v -e 'FPM initialization failed' -e 'failed to load' -e 'failed to post' -e 'Unable to include' -e 'NOTICE: ' >&2
exit $status`
}

/**
 * A value that PHP does not take costs it a warning: it has another one then (`256MB` is 256 bytes, a mode of the JIT that is none
 * is another mode, a time zone that is none is UTC), and the test ends with 0. Those of other files are not of this task.
 */
function untaken(settings: readonly string[]): Script {
  const words = settings.flatMap((name) => ['-e', `Invalid "${name}" setting`, '-e', `Invalid ${name} value`])
  return sh`if warned=$(printf '%s\n' "$said" | grep -F ${words}); then
  printf '%s\n' "$warned" | sed 's/^.*PHP Warning: *//; s/ in Unknown on line 0$//' >&2
  exit 1
fi`
}
