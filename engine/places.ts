/** Reading places of a host into what is known of it. */

import type { AnyResource } from '../dsl/resource.ts'
import type { CompiledTask } from './compile.ts'
import type { As, Host } from './host.ts'
import type { World } from './world.ts'

/** Places, each with the user who reads it. */
export type Places = ReadonlyMap<AnyResource, As>

/** Every place of every task and of what their handlers need and move, each once. */
export function placesOf(tasks: readonly CompiledTask[]): Places {
  const places = new Map<string, readonly [AnyResource, As]>()
  const add = (resource: AnyResource, as: As) => {
    if (!places.has(resource.key)) places.set(resource.key, [resource, as])
  }
  for (const { wishes, as } of tasks) for (const { resource } of wishes) add(resource, as)
  for (const { handlers, as } of tasks) {
    for (const { needs, moves } of handlers) {
      if (needs) add(needs.resource, as)
      if (moves) add(moves.resource, as)
    }
  }
  return new Map(places.values())
}

/** One trip for each user. */
export async function read(host: Host, world: World, places: Places): Promise<void> {
  const users = new Set(places.values())
  await Promise.all(
    [...users].map(async (as) => {
      const resources = [...places.keys()].filter((resource) => places.get(resource) === as)
      const results = await host.read(resources, as)
      resources.forEach((resource, i) => world.learn(resource, as, results[i]!))
    }),
  )
}
