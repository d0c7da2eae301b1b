/** Facts of a host of which the detailed ones are read when somebody looks at them: whatever looks is pure, and is done again. */

import { typicalFacts } from '../dsl/play.ts'
import type { Resource } from '../dsl/resource.ts'
import type { Result } from '../probe/batch.ts'
import { type DetailedFacts, detailedFacts } from '../probe/detailed-facts.ts'
import { Failure } from '../errors/failure.ts'
import type { BaseFacts, Facts } from '../probe/facts.ts'
import type { As, Host } from './host.ts'

/** What is not in the greeting, as a place: so it is read like one, and a host in memory can have it. */
export const detailsPlace: Resource<DetailedFacts> = {
  key: 'facts:detailed',
  label: 'facts',
  read: detailedFacts,
  fresh: detailsOf(typicalFacts),
}

/** The value of that place for a host of which all facts are known. */
export function detailsOf({ virtualization, interfaces, software }: Facts): DetailedFacts {
  return { virtualization, interfaces, software }
}

/** Thrown where a detailed fact is looked at that was not read yet. It is no mistake of anybody. */
export class FactWanted extends Error {
  readonly read: () => Promise<void>

  constructor(read: () => Promise<void>) {
    super('a fact is wanted that was not read yet')
    this.read = read
  }
}

/** Connects, where that is not done. Whoever looks at these facts must be called by `knowing`. */
export async function factsOf(host: Host, as: As): Promise<Facts> {
  let details: Result<unknown> | undefined
  const read = async () => void ([details] = await host.read([detailsPlace], as))
  const get = (name: keyof DetailedFacts) => {
    if (!details) throw new FactWanted(read)
    if ('failure' in details) throw details.failure
    return (details.value as DetailedFacts)[name]
  }
  const names = ['virtualization', 'interfaces', 'software'] as const
  return Object.defineProperties(
    { ...(await host.facts(as)) },
    Object.fromEntries(names.map((name) => [name, { get: () => get(name), enumerable: true, configurable: true }])),
  ) as Facts
}

/** The facts that are known so far: of the detailed ones those that somebody looked at. */
export function knownFacts(facts: Facts): BaseFacts & Partial<DetailedFacts> {
  const known = Object.keys(facts).flatMap((name) => {
    try {
      return [[name, facts[name as keyof Facts]] as const]
    } catch (error) {
      if (error instanceof FactWanted || error instanceof Failure) return []
      throw error
    }
  })
  return Object.fromEntries(known) as unknown as BaseFacts & Partial<DetailedFacts>
}

/** What a pure function makes, which may look at facts: where one was not read, it is read, and the function called again. */
export async function knowing<T>(make: () => T): Promise<T> {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof FactWanted)) throw error
    await error.read()
    return make()
  }
}
