/** nginx's own test of its configuration, which it can only make as a whole and in its place. */

import { configTest, type Guard } from '../../dsl/guard.ts'
import { type Script, sh } from '../../shell/script.ts'

/**
 * nginx's test of its configuration (`nginx -t`), for `.guardedBy()`: what the task wrote is put back where nginx refuses it,
 * in its own words.
 *
 * @example
 * file('/etc/nginx/conf.d/gzip.conf').content('gzip_types text/css;\n').guardedBy(nginxTest()).notify(reload('nginx'))
 * @see https://nginx.org/en/docs/switches.html
 */
export function nginxTest(): Guard {
  return configTest('nginx -t', tested)
}

/**
 * The same for a site with certain names. It fails too where nginx would only warn that one of them is taken («conflicting
 * server name, ignored»): the site would never be served.
 */
export function siteTest(names: readonly string[]): Guard {
  const taken = names.flatMap((name) => ['-e', `conflicting server name "${name}"`])
  return configTest(
    'nginx -t',
    sh`${tested}
if ignored=$(printf '%s\n' "$said" | grep -F ${taken}); then plainly "$ignored" >&2; exit 1; fi`,
  )
}

/** What was wrong stands last: `unknown directive "bogus" in /etc/nginx/conf.d/a.conf:1`. */
const tested: Script = sh`PATH=$PATH:/usr/sbin
plainly() {
  printf '%s\n' "$1" | sed -e '/^nginx: configuration file .* test failed$/d' -e 's/^.*\[[a-z]*\] \([0-9]*#[0-9]*: \)\{0,1\}//'
}
said=$(nginx -t 2>&1) || { plainly "$said" >&2; exit 1; }`
