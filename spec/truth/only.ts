/** A run of tasks on the one host of an inventory, and what it told. */

import type { InventoryHost } from '../../dsl/inventory.ts'
import type { Plays } from '../../dsl/play.ts'
import { shape } from '../../dsl/shape.ts'
import type { Task } from '../../dsl/task.ts'
import type { Event, Recap } from '../../engine/events.ts'
import { fleet } from '../../engine/fleet.ts'
import type { Host } from '../../engine/host.ts'
import type { Journal } from '../../engine/journal.ts'
import { keptOpen } from '../../testing/kept-open.ts'

export const only: InventoryHost = {
  name: 'here',
  address: 'here',
  groups: [],
  carrier: 'local',
  ssh: {},
  become: 'sudo',
  vars: {},
}

export interface Told {
  readonly tasks: readonly Extract<Event, { type: 'task' }>[]
  readonly reactions: readonly Extract<Event, { type: 'reaction' }>[]
  readonly recap: Recap
}

export const play = shape({ groups: {} }).play('truth').hosts('all')

interface How {
  readonly check?: boolean
  readonly journal?: Journal
}

/** As the user who logs in. The host stays open. */
export async function runOn(host: Host, tasks: readonly Task[], how: How = {}): Promise<Told> {
  return runPlays(host, play.tasks(tasks), how)
}

export async function runPlays(host: Host, plays: Plays, { check = false, journal }: How = {}): Promise<Told> {
  const events: Event[] = []
  const recap = await fleet({
    plays,
    hosts: [only],
    limit: undefined,
    tags: [],
    skipTags: [],
    forks: 1,
    check,
    connect: () => keptOpen(host),
    emit: (event) => events.push(event),
    stopping: () => false,
    ...(journal && { journal }),
  })
  return {
    tasks: events.filter((event) => event.type === 'task'),
    reactions: events.filter((event) => event.type === 'reaction'),
    recap,
  }
}
