/** What may be told of values: of a place that holds a secret, whether two are equal and nothing else of them. */

import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type AnyResource, showValue } from '../dsl/resource.ts'
import type { CompiledTask } from './compile.ts'
import { type Seal, sealWith } from './sealed.ts'

/** Keys of the places that tasks say to be sensitive. */
export function sensitiveKeys(tasks: readonly CompiledTask[]): readonly string[] {
  const resources = tasks.flatMap(({ wishes }) => wishes.map(({ resource }) => resource))
  return resources.filter(({ sensitive }) => sensitive).map(({ key }) => key)
}

/** The tasks with these places sensitive for all of them, whichever of them has a secret for it. */
export function withSensitive(tasks: readonly CompiledTask[], keys: ReadonlySet<string>): readonly CompiledTask[] {
  if (keys.size === 0) return tasks
  return tasks.map((compiled) => ({
    ...compiled,
    wishes: compiled.wishes.map((wish) =>
      keys.has(wish.resource.key) ? { ...wish, resource: { ...wish.resource, sensitive: true } } : wish,
    ),
  }))
}

/** Tells values of places. */
export class Telling {
  readonly #seal: () => Pick<Seal, 'digestOf'>

  /** @param seal asked when something sensitive is told */
  constructor(seal: () => Pick<Seal, 'digestOf'>) {
    this.#seal = seal
  }

  /** A value as one line. */
  show(resource: AnyResource, value: unknown): string {
    // What every fresh host has is no secret.
    if (!resource.sensitive || isFresh(resource, value)) return showValue(resource, value)
    return ['secret', this.#seal().digestOf(value), resource.showPlain?.(value)].filter(Boolean).join(' ')
  }

  /** A value as text, for a diff; undefined where it has none, or must not be seen. */
  text(resource: AnyResource, value: unknown): string | undefined {
    return resource.sensitive ? undefined : resource.text?.(value)
  }
}

let passing: Seal | undefined

/** A seal that nobody keeps: equal values are told equally in this process, and in no other. */
export function passingSeal(): Seal {
  return (passing ??= sealWith(randomBytes(32)))
}

function isFresh({ fresh }: AnyResource, value: unknown): boolean {
  return fresh !== undefined && isDeepStrictEqual(value, fresh)
}
