/** A test that a daemon has for its configuration: it runs after the writes that it guards, and puts them back where it fails. */

import type { Script } from '../shell/script.ts'
import { Origin } from './origin.ts'

export interface Guard {
  /** Guards with the same key are one. */
  readonly key: string
  /** What a reader knows the test by: `nginx -t`. */
  readonly name: string
  /** Ends with 0 where the configuration is fine, and says on standard error what is wrong with it. */
  readonly test: Script
  readonly origin: Origin
}

/**
 * A configuration test. All that is written under it is put back where the test fails, so that the daemon's next start finds
 * what it had; the daemon was not touched.
 *
 * Neighbouring tasks that are wholly under the same test are one transaction: it runs once, after the last of them, and all of
 * them stay or none. A task between them that is under another test or none, that is done as another user, or that has
 * `retry`, `timeout` or `ignoreErrors`, ends the transaction.
 *
 * @example
 * file('/etc/ssh/sshd_config.d/10-fleet.conf').content('PermitRootLogin no\n').guardedBy(configTest('sshd -t', sh`sshd -t`))
 */
export function configTest(name: string, test: Script): Guard {
  return { key: `guard:${name}\n${test.text}`, name, test: test.called(name), origin: Origin.here() }
}
