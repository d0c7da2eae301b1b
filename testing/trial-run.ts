/** One task on one host through the whole engine, and the steps that it took. */

import type { InventoryHost } from '../dsl/inventory.ts'
import { shape } from '../dsl/shape.ts'
import type { Task } from '../dsl/task.ts'
import type { Change, Event, FailureData } from '../engine/events.ts'
import { fleet } from '../engine/fleet.ts'
import { type Host, isMove, type Step } from '../engine/host.ts'
import { keptOpen } from './kept-open.ts'
import { Mistakes } from '../errors/failure.ts'
import type { Result } from '../probe/batch.ts'

/** What became of a task. */
export interface Told {
  /** Why it could not be done, in its own words. */
  readonly failure: string | undefined
  /** What was wrong with it before any connection. */
  readonly mistakes: Mistakes | undefined
  readonly changes: readonly Change[]
  readonly irreversible: readonly string[]
  /** Steps that were done, in order. */
  readonly steps: readonly Step[]
  /** What was read last, by key. */
  readonly values: ReadonlyMap<string, Result<unknown>>
  readonly events: readonly Event[]
}

const only: InventoryHost = {
  name: 'example',
  address: 'example',
  groups: [],
  carrier: 'local',
  ssh: {},
  become: 'sudo',
  vars: {},
}

/** Runs a task as the user who logs in, or plans it. The host stays open. */
export async function play(task: Task, host: Host, { check = false } = {}): Promise<Told> {
  const events: Event[] = []
  const steps: Step[] = []
  const values = new Map<string, Result<unknown>>()
  try {
    await fleet({
      plays: shape({ groups: {} }).play('laws').hosts('all').tasks([task]),
      hosts: [only],
      limit: undefined,
      tags: [],
      skipTags: [],
      forks: 1,
      check,
      connect: () => watched(host, steps, values),
      emit: (event) => events.push(event),
      stopping: () => false,
    })
  } catch (error) {
    if (!(error instanceof Mistakes)) throw error
    const failure = error.failures.map(({ message }) => message).join(' ')
    return { failure, mistakes: error, changes: [], irreversible: [], steps, values, events }
  }
  const tasks = events.filter((event) => event.type === 'task')
  const failures = events.flatMap((event) => ('failure' in event && event.failure ? [told(event.failure)] : []))
  return {
    failure: failures[0],
    mistakes: undefined,
    changes: tasks.flatMap(({ changes }) => changes),
    irreversible: tasks.flatMap(({ irreversible }) => irreversible),
    steps,
    values,
    events,
  }
}

/** The host, which notes what is read and the steps that are done on it, and is not closed at the end of a run. */
function watched(host: Host, steps: Step[], values: Map<string, Result<unknown>>): Host {
  const noted: Pick<Host, 'name' | 'read' | 'apply'> = {
    name: only.name,
    read: async (resources, as) => {
      const results = await host.read(resources, as)
      resources.forEach(({ key }, i) => values.set(key, results[i]!))
      return results
    },
    apply: async (all, as) => {
      const ends = await host.apply(all, as)
      steps.push(...all.filter((step, i) => ends[i] === 'done' && isMove(step)))
      return ends
    },
  }
  return Object.assign(keptOpen(host), noted)
}

function told({ message, seen, hint }: FailureData): string {
  return [message, seen?.output !== message && seen?.output, hint].filter(Boolean).join(' ')
}
