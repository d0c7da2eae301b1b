/** HAProxy's own test of its configuration, for those who write the file by other tasks. */

import { configTest, type Guard } from '../../dsl/guard.ts'
import { sh } from '../../shell/script.ts'
import { haproxyConfigPath } from './config.ts'

/**
 * HAProxy's test of a configuration (`haproxy -c`), for `.guardedBy()`: what the task wrote is put back where HAProxy refuses
 * it, in its own words. `haproxyConfig()` and `haproxyEarlyHints()` need it not: they are tested before they are in place.
 *
 * @example
 * file('/etc/haproxy/haproxy.cfg').source('./files/haproxy.cfg').guardedBy(haproxyTest()).notify(reload('haproxy'))
 * @see haproxy(1)
 */
export function haproxyTest(path: string = haproxyConfigPath): Guard {
  return configTest(
    'haproxy -c',
    // What was wrong first stands last: `parsing [/etc/haproxy/haproxy.cfg:18] : unknown keyword 'bogus' in 'backend' section`.
    sh`PATH=$PATH:/usr/sbin
said=$(haproxy -c -f ${path} 2>&1) && exit
printf '%s\n' "$said" | grep -v '^\[NOTICE\]' >&2
printf '%s\n' "$said" | sed -n 's/^\[ALERT\] *([0-9]*) : config : //p' | head -n 1 >&2
exit 1`,
  )
}
