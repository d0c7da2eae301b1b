/** What is known of a host's places: as read, or as a plan predicts them. */

import type { AnyResource } from '../dsl/resource.ts'
import type { Result } from '../probe/batch.ts'
import type { As, Step } from './host.ts'
import type { Telling } from './sensitive.ts'
import { disturbs } from './touch.ts'

export interface Entry {
  readonly resource: AnyResource
  readonly as: As
  result: Result<unknown>
  /** Titles of the tasks whose changes may have moved it since it was read. */
  moved: readonly string[]
}

export class World {
  readonly #entries = new Map<string, Entry>()
  /** What may be told of its values. */
  readonly telling: Telling

  constructor(telling: Telling) {
    this.telling = telling
  }

  /** Takes what was read. */
  learn(resource: AnyResource, as: As, result: Result<unknown>): void {
    this.#entries.set(resource.key, { resource, as, result, moved: [] })
  }

  get(resource: AnyResource): Entry {
    const entry = this.#entries.get(resource.key)
    if (!entry) throw new Error(`${resource.key} was never read`)
    return entry
  }

  has(resource: AnyResource): boolean {
    return this.#entries.has(resource.key)
  }

  /** Takes a change for done: its place has the new value, and what it disturbs is known no more. */
  predict(step: Step, title: string): void {
    const own = this.get(step.resource)
    // What cannot be seen afterwards is due again wherever a task says it.
    if (!step.resource.unprovable) own.result = { value: step.to }
    this.shake(step, title)
  }

  /** What a script disturbs is known no more. */
  shake(step: Step, title: string): void {
    for (const entry of this.#entries.values()) {
      const opaque = entry.resource.opaque && entry.resource.key !== step.resource.key
      if (opaque || disturbs(step, entry.resource.key)) entry.moved = [...new Set([...entry.moved, title])]
    }
  }

  /** A change of the place was not made, or not wholly. */
  doubt({ resource }: Step, title: string): void {
    const entry = this.get(resource)
    entry.moved = [...new Set([...entry.moved, title])]
  }

  /** Entries that must be read again before they can be relied on. */
  moved(): readonly Entry[] {
    return [...this.#entries.values()].filter((entry) => entry.moved.length > 0)
  }

  copy(): World {
    const copy = new World(this.telling)
    for (const [key, entry] of this.#entries) copy.#entries.set(key, { ...entry })
    return copy
  }
}

/** The value to decide by: as read or predicted; a fresh Debian's where it cannot be read yet, because an earlier task makes it. */
export function valueOf(entry: Entry): Result<unknown> {
  if ('value' in entry.result) return entry.result
  if (entry.moved.length > 0 && 'fresh' in entry.resource) return { value: entry.resource.fresh }
  return entry.result
}
