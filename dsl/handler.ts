/** What runs once, at the end of a play, where a task that notifies it has changed something. */

import type { Script } from '../shell/script.ts'
import { Origin } from './origin.ts'
import type { AnyResource, Resource, Wish } from './resource.ts'
import type { Refusal } from './task.ts'

export interface Handler {
  /** Handlers with the same key are one. */
  readonly key: string
  /** `restart nginx.service`. */
  readonly name: string
  readonly script: Script
  /** Keys of handlers that need not run where this one does: a restart absorbs a reload. */
  readonly absorbs: readonly string[]
  /** What it cannot do without; a plan that would run it is refused where that is not there. */
  readonly needs?: Need | undefined
  /** What it claims: a task that claims otherwise disagrees with the one that notifies it. */
  readonly claims?: Wish | undefined
  /** How it leaves a place that it moves beside: a unit that is restarted is active, also where it was not. */
  readonly moves?: Wish | undefined
  /** Where what it needs is not there, or is not yet as it would leave it, there is nothing to do. */
  readonly optional?: boolean
  readonly origin: Origin
}

/** A place that is read with the questions of the play, and why the handler cannot run by what it holds. */
export interface Need {
  readonly resource: AnyResource
  readonly refuses: (now: unknown) => Refusal | undefined
}

/**
 * For modules: a place that a handler needs. It is not asked about what a task of the play may yet move.
 *
 * @example
 * needs(unitState('nginx.service'), (now) => (now ? undefined : refuse('systemd knows no unit nginx.service on this host.')))
 */
export function needs<T>(resource: Resource<T>, refuses: (now: T) => Refusal | undefined): Need {
  return { resource, refuses } as unknown as Need
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
