/** Hosts in memory for tests of plays: values go in typed, outcomes come out. */

import { typicalFacts } from '../dsl/play.ts'
import type { View } from '../dsl/observation.ts'
import type { Resource } from '../dsl/resource.ts'
import { Task } from '../dsl/task.ts'
import { detailsOf, detailsPlace } from '../engine/lazy-facts.ts'
import { MemoryHost } from '../engine/memory-host.ts'
import { Failure } from '../errors/failure.ts'
import { type SomeFacts, withSome } from '../probe/facts.ts'

export interface MockOptions {
  /** What it runs. @default 'debian 12' */
  readonly os?: 'debian 12' | 'debian 13' | 'debian sid' | 'ubuntu 24.04'
  /** Groups of the inventory that it is in. @default the groups of the play */
  readonly groups?: readonly string[]
  readonly vars?: Readonly<Record<string, unknown>>
  /** What it is otherwise. Of software it has systemd and nothing else, where nothing is said. */
  readonly facts?: SomeFacts
}

/** What a command of the host says when it fails. */
export interface Refusal {
  readonly stderr: string
  /** @default 1 */
  readonly status?: number
}

/**
 * A host in memory. What the test does not say is as on a freshly installed Debian; it remembers what a run changes.
 *
 * @example
 * const web1 = mockHost('web1', { os: 'debian 12', vars: { php: '8.2' } }).has(kernelParameter('net.core.rmem_max'), '212992')
 */
export function mockHost(name: string, options: MockOptions = {}): MockHost {
  return new MockHost(name, options)
}

export class MockHost {
  readonly name: string
  readonly options: MockOptions
  readonly memory: MemoryHost

  /** @internal Made by `mockHost()`. */
  constructor(name: string, options: MockOptions) {
    this.name = name
    this.options = options
    const facts = withSome(
      { ...withSome(typicalFacts, systems[options.os ?? 'debian 12']), hostname: name },
      options.facts,
    )
    this.memory = new MemoryHost(name, facts, new Map([[detailsPlace.key, detailsOf(facts)]]))
  }

  /** Says what a place holds, or what a client that asks from outside gets. */
  has<T>(place: View<T>, value: T): this {
    this.memory.values.set(place.key, value)
    return this
  }

  /** Says what a place holds each time that it is read, for what is observed through a window; the last value stays. */
  shows<T>(place: Resource<T>, ...values: readonly T[]): this {
    this.memory.successions.set(place.key, [...values])
    return this
  }

  /** What a place holds now. */
  holds<T>(resource: Resource<T>): T {
    return (this.memory.values.has(resource.key) ? this.memory.values.get(resource.key) : resource.fresh) as T
  }

  /** Lets every write of a task, the write of a place, or a handler fail with these words. */
  fails(what: Task | Keyed, { stderr, status = 1 }: Refusal): this {
    const keys = what instanceof Task ? keysOf(what) : [what.key]
    const failure = new Failure('E_COMMAND', stderr.trimEnd().split('\n').at(-1) ?? '', {
      seen: { command: 'mocked', status, output: stderr },
    })
    for (const key of keys) this.memory.failing.set(key, failure)
    return this
  }

  /** Lets a place be unreadable, as when its daemon is down. */
  cannotRead(resource: Keyed, reason: string): this {
    this.memory.unreadable.set(resource.key, new Failure('E_UNREADABLE', reason))
    return this
  }

  /** Lets nobody log in any more when a task inside a dead man's switch has been done. */
  locksOut(task: Task): this {
    for (const key of keysOf(task)) this.memory.lockingOut.add(key)
    return this
  }

  /** Lets the host not answer; or be lost at the first write. */
  unreachable(when: 'connect' | 'apply' = 'connect'): this {
    this.memory.lost = when
    return this
  }
}

/** A place or a handler. */
interface Keyed {
  readonly key: string
}

function keysOf(task: Task): readonly string[] {
  const own = task.wishes.filter(({ unclaimed }) => !unclaimed)
  return [...task.parts.flatMap(keysOf), ...own.map(({ resource }) => resource.key)]
}

const debian = (version: string | undefined, codename: string, systemd: string): SomeFacts => ({
  os: { id: 'debian', version, codename, name: `Debian GNU/Linux ${version ? `${version} (${codename})` : codename}` },
  software: { systemd },
})

const systems: Readonly<Record<NonNullable<MockOptions['os']>, SomeFacts>> = {
  'debian 12': debian('12', 'bookworm', '252'),
  'debian 13': debian('13', 'trixie', '257'),
  'debian sid': debian(undefined, 'forky/sid', '262'),
  'ubuntu 24.04': {
    os: { id: 'ubuntu', version: '24.04', codename: 'noble', name: 'Ubuntu 24.04 LTS' },
    software: { systemd: '255' },
  },
}
