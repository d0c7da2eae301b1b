/** Tasks as a play of their own on one host, with everything that the engine tells of it. */

import { shape } from '../dsl/shape.ts'
import type { TaskList } from '../dsl/task.ts'
import type { Event } from '../engine/events.ts'
import { fleet } from '../engine/fleet.ts'
import type { Host } from '../engine/host.ts'

const play = shape({ groups: {} }).play('tasks').hosts('all')

export interface RunTasksOptions {
  readonly check?: boolean
  /** Told each event as it comes. */
  readonly onEvent?: (event: Event) => void
}

/** As the user who logs in. The host is closed with the run. */
export async function runTasks(
  host: Host,
  tasks: TaskList,
  { check = false, onEvent }: RunTasksOptions = {},
): Promise<readonly Event[]> {
  const events: Event[] = []
  const { name } = host
  await fleet({
    plays: play.tasks(tasks),
    hosts: [{ name, address: name, groups: [], carrier: 'ssh', ssh: {}, become: 'sudo', vars: {} }],
    limit: undefined,
    tags: [],
    skipTags: [],
    forks: 1,
    check,
    connect: () => host,
    emit: (event) => {
      events.push(event)
      onEvent?.(event)
    },
    stopping: () => false,
  })
  return events
}
