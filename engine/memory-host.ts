/** A host in memory: values by key. Mock hosts and the sandbox are this; no shell is in sight. */

import type { Handler } from '../dsl/handler.ts'
import type { FromOutside } from '../dsl/observation.ts'
import { type AnyResource, labelOf, type Wish } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import type { Result } from '../probe/batch.ts'
import type { BaseFacts } from '../probe/facts.ts'
import type { HttpAnswer } from '../probe/http.ts'
import type { As, Host, Step, StepEnd } from './host.ts'
import { afterwards, type Pending, pendingReactions } from './pending.ts'

export class MemoryHost implements Host {
  readonly name: string
  readonly #facts: BaseFacts
  /** Values of places by key; a place that is not here has a fresh Debian's value. */
  readonly values: Map<string, unknown>
  /** Values that places take on one after another as they are read, by key. */
  readonly successions = new Map<string, unknown[]>()
  /** Failures of writes by key, in the host's words. */
  readonly failing = new Map<string, Failure>()
  /** Why places cannot be read, by key. */
  readonly unreadable = new Map<string, Failure>()
  /** Where it is lost, if it is. */
  lost: 'connect' | 'apply' | undefined
  /** Places after whose change it lets nobody in any more, by key. */
  readonly lockingOut = new Set<string>()
  /** What the last call moved, by key. */
  #moved: readonly string[] = []
  trips = 0

  constructor(name: string, facts: BaseFacts, values: ReadonlyMap<string, unknown> = new Map()) {
    this.name = name
    this.#facts = facts
    this.values = new Map(values)
  }

  async facts(as: As): Promise<BaseFacts> {
    if (this.lost === 'connect') throw new Failure('E_CONNECT', `${this.name} does not answer.`)
    this.trips++
    return as === undefined ? this.#facts : { ...this.#facts, user: as, group: as }
  }

  async read(resources: readonly AnyResource[]): Promise<readonly Result<unknown>[]> {
    this.trips++
    return resources.map((resource) => {
      const { key } = resource
      const failure = this.unreadable.get(key)
      if (failure) return { failure }
      const next = this.successions.get(key)?.splice(0, 1) ?? []
      if (next.length > 0) this.values.set(key, next[0])
      if (this.values.has(key)) return { value: this.values.get(key) }
      if ('fresh' in resource) return { value: resource.fresh }
      return { failure: unsaid(this.name, resource) }
    })
  }

  async apply(steps: readonly Step[], as?: As): Promise<readonly StepEnd[]> {
    if (this.lost === 'apply') throw new Failure('E_CONNECTION_LOST', `${this.name} was lost.`)
    this.trips++
    let failed = false
    this.#moved = steps.map(({ resource }) => resource.key)
    return steps.map(({ resource, to, tests, pending, undoes = tests }) => {
      if (failed) return 'not run'
      const failure = this.failing.get(resource.key)
      if (failure) {
        failed = true
        this.#undo(undoes)
        return failure
      }
      if (!tests) this.#undo(undoes)
      const records = pendingReactions(as).key
      if (pending) this.values.set(records, afterwards(this.#pending(records), pending))
      else if (!resource.unprovable) this.values.set(resource.key, to)
      return 'done'
    })
  }

  #undo(steps: readonly Step[] = []): void {
    for (const { resource, from } of steps.toReversed()) if (!resource.unprovable) this.values.set(resource.key, from)
  }

  async anew(steps: readonly Step[], as: As): Promise<readonly StepEnd[]> {
    if (this.#moved.some((key) => this.lockingOut.has(key)))
      throw new Failure('E_AUTH', `${this.name} lets nobody in any more.`)
    return this.apply(steps, as)
  }

  async react(handlers: readonly Handler[], as: As): Promise<readonly StepEnd[]> {
    this.trips++
    return handlers.map(({ key, absorbs, moves }) => {
      const failure = this.failing.get(key)
      if (failure) return failure
      if (moves) this.#move(moves)
      const record = pendingReactions(as).key
      this.values.set(record, afterwards(this.#pending(record), { cleared: [key, ...absorbs] }))
      return 'done'
    })
  }

  #move({ resource, desired }: Wish): void {
    const now = this.values.has(resource.key) ? this.values.get(resource.key) : resource.fresh
    this.values.set(resource.key, desired(now, this.#facts))
  }

  #pending(key: string): Pending {
    return (this.values.get(key) as Pending | undefined) ?? {}
  }

  async ask({ key }: FromOutside): Promise<Result<HttpAnswer> | undefined> {
    const failure = this.unreadable.get(key)
    if (failure) return { failure }
    return this.values.has(key) ? { value: this.values.get(key) as HttpAnswer } : undefined
  }

  async pause(_seconds: number): Promise<void> {}

  async close(): Promise<void> {}
}

function unsaid(host: string, resource: AnyResource): Failure {
  return new Failure('E_MOCK', `${host} says nothing of ${labelOf(resource)} (${resource.key}).`, {
    hint: `Say what it is: mockHost('${host}').has(…) with the resource, or its value by key in the inventory's simulation.`,
  })
}
