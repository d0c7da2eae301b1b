/** A place on a host that can be read and, mostly, written; and what a task wishes of it. */

import type { Probe } from '../probe/probe.ts'
import type { Script } from '../shell/script.ts'
import type { Guard } from './guard.ts'

/**
 * A place on a host. `T` is its whole value: canonical, JSON-encodable, in its own unit; absent is a value.
 * Values are compared by deep equality, so the parser must tell what the host prints as a wish would tell it.
 */
export interface Resource<T> {
  /** `file:/etc/hosts`, `sysctl:net.core.rmem_max`, `unit:nginx.service`, `qdisc:eth0`. */
  readonly key: string
  /** What a reader knows it by, where that is not what follows the colon of the key. */
  readonly label?: string
  readonly read: Probe<T>
  /** How to move it from one value to another. A place without it can only be looked at. */
  write?(to: T, from: T): Script
  /** A value as one line for a reader. @default JSON without quotes */
  show?(value: T): string
  /** A value as text of several lines, for a diff; undefined where it has none. */
  text?(value: T): string | undefined
  /** What a freshly installed Debian has here: mock hosts begin with it, and a plan estimates by it what cannot be read yet. */
  readonly fresh?: T
  /** A write cannot be seen afterwards: an unguarded command. It is told as «ran, not provable». */
  readonly unprovable?: boolean
  /** Its value holds a secret: it is told and recorded by keyed digests only. */
  readonly sensitive?: boolean
  /** What of a sensitive value may be told beside its digest: mode and owner. */
  showPlain?(value: T): string | undefined
  /** What it is read from cannot be told (a guard is any script), so that any change before it may move it. */
  readonly opaque?: boolean
}

/** As who the session runs, for what a file that does not say gets as its owner. */
export interface Identity {
  readonly user: string
  readonly group: string
}

/** What an earlier wish of the same task has seen, or wishes, of its place. */
export type Beside = <U>(resource: Resource<U>) => U

/** What a task wishes of one place. */
export interface Wish<T = unknown> {
  readonly resource: Resource<T>
  /** The value that should be there, made from the value that is there. */
  readonly desired: (now: T, as: Identity, beside?: Beside) => T
  /** What the wish claims for itself alone, to find two tasks that disagree; undefined where it owns only a part. */
  readonly whole: unknown
  /** The wish needs the place, and owns nothing of it: it disagrees with no other. */
  readonly unclaimed: boolean
  /** The test that must hold after it is fulfilled; else it is put back, with all else that the task writes under that test. */
  readonly guard: Guard | undefined
}

/**
 * Wishes that a place has a value; or, by a function, that it has what the function makes of the value now,
 * for places that are owned in part. The function must be pure, and at rest: applied to its own result it changes nothing.
 * What it needs to know of other places it asks of `beside`, after a wish or a `look` at them: the version of a daemon.
 */
export function want<T>(
  resource: Resource<T>,
  desired: T | ((now: T, as: Identity, beside: Beside) => T),
  options: {
    /** What of the value the wish owns, where a function makes it. */
    readonly whole?: unknown
    /** It owns nothing of the value. */
    readonly unclaimed?: boolean
    /** The configuration test that it is written under. */
    readonly guard?: Guard | undefined
  } = {},
): Wish {
  const byFunction = typeof desired === 'function'
  const wished = desired as (now: T, as: Identity, beside: Beside) => T
  const wish: Wish<T> = {
    resource,
    desired: byFunction ? (now, as, beside = alone) => wished(now, as, beside) : () => desired,
    whole: options.whole ?? (byFunction ? undefined : desired),
    unclaimed: options.unclaimed ?? false,
    guard: options.guard,
  }
  return wish as unknown as Wish
}

const alone: Beside = ({ key }) => {
  throw new Error(`a wish asks for ${key}, and nothing is known beside it`)
}

/** Reads a place for `judge`, and wishes nothing of it. */
export function look<T>(resource: Resource<T>): Wish {
  return want(resource, (now: T) => now, { unclaimed: true })
}

/** A resource with its value's type forgotten, for lists. */
export type AnyResource = Resource<unknown>

/** A value as one line for a reader. */
export function showValue<T>(resource: Resource<T>, value: T): string {
  if (resource.show) return resource.show(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function labelOf(resource: Pick<AnyResource, 'key' | 'label'>): string {
  return resource.label ?? resource.key.slice(resource.key.indexOf(':') + 1)
}
