/** What runs once, at the end of a play, where a task that notifies it has changed something. */

import type { Script } from '../shell/script.ts'
import { Origin } from './origin.ts'

export interface Handler {
  /** Handlers with the same key are one. */
  readonly key: string
  /** `restart nginx.service`. */
  readonly name: string
  readonly script: Script
  /** Keys of handlers that need not run where this one does: a restart absorbs a reload. */
  readonly absorbs: readonly string[]
  readonly origin: Origin
}

/**
 * A handler of your own: it runs once where a task that notifies it has changed something, and fails the host where the script fails.
 *
 * @example
 * handler('flush the page cache', sh`rm -rf -- /var/cache/nginx/pages`)
 */
export function handler(name: string, script: Script, options: { readonly absorbs?: readonly string[] } = {}): Handler {
  return { key: `${name}\n${script.text}`, name, script, absorbs: options.absorbs ?? [], origin: Origin.here() }
}
