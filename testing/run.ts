/** Runs plays or tasks on mock hosts, and tells what became of them. */

import type { Play, Plays } from '../dsl/play.ts'
import { shape } from '../dsl/shape.ts'
import { flattenTasks, type Task, type TaskList } from '../dsl/task.ts'
import { Inventory } from '../dsl/inventory.ts'
import { Origin } from '../dsl/origin.ts'
import type { Change, Event, Outcome, Recap } from '../engine/events.ts'
import { fleet } from '../engine/fleet.ts'
import { Mistakes } from '../errors/failure.ts'
import type { MockHost } from './mock-host.ts'

export interface RunOptions {
  /** Only plans. */
  readonly check?: boolean
  readonly tags?: readonly string[]
  readonly skipTags?: readonly string[]
}

export type TaskEvent = Extract<Event, { type: 'task' }>
export type ObservationEvent = Extract<Event, { type: 'observation' }>
export type ReactionEvent = Extract<Event, { type: 'reaction' }>

/** What became of a run on mock hosts. */
export interface RunResult {
  /** What became of each task, on each host, in order. */
  readonly tasks: readonly TaskEvent[]
  /** Every change of every task. */
  readonly changes: readonly (Change & { readonly host: string; readonly task: string })[]
  readonly reactions: readonly ReactionEvent[]
  /** What the observations saw. */
  readonly observations: readonly ObservationEvent[]
  /** What became of each host. */
  readonly hosts: Readonly<Record<string, Outcome>>
  readonly recap: Recap
  readonly events: readonly Event[]
}

/**
 * Runs plays or tasks on mock hosts. Wrong plays throw, as they do before any connection.
 *
 * @example
 * const result = await run(web, mockHost('web1', { vars: { php: '8.2' } }))
 * expect(result).toChange(kernelParameter('net.core.rmem_max'))
 */
export async function run(
  what: Plays | TaskList | Task,
  hosts: MockHost | readonly MockHost[],
  options: RunOptions = {},
): Promise<RunResult> {
  const mocks = Array.isArray(hosts) ? (hosts as readonly MockHost[]) : [hosts as MockHost]
  const plays = asPlays(what)
  const groups = Object.keys(allPlays(plays)[0]?.shape.groups ?? {})
  const byName = new Map(mocks.map((mock) => [mock.name, mock]))
  const events: Event[] = []
  const recap = await fleet({
    plays,
    hosts: inventoryOf(plays, mocks, groups),
    limit: undefined,
    tags: options.tags ?? [],
    skipTags: options.skipTags ?? [],
    forks: 10,
    check: options.check ?? false,
    connect: ({ name }) => byName.get(name)!.memory,
    emit: (event) => events.push(event),
    stopping: () => false,
  })
  const tasks = events.filter((event) => event.type === 'task')
  return {
    tasks,
    changes: tasks.flatMap(({ host, task, changes, outcome }) =>
      outcome === 'changed' ? changes.map((change) => ({ ...change, host, task: task.title })) : [],
    ),
    reactions: events.filter((event) => event.type === 'reaction'),
    observations: events.filter((event) => event.type === 'observation'),
    hosts: Object.fromEntries(
      events.flatMap((event) => (event.type === 'host-finished' ? [[event.host, event.outcome]] : [])),
    ),
    recap,
    events,
  }
}

/** Tasks without a play are done on every host, as root. */
function asPlays(what: Plays | TaskList | Task): Plays {
  const list = (Array.isArray(what) ? what : [what]) as readonly unknown[]
  const isPlays = list.every((entry) => typeof entry === 'object' && entry !== null && 'kind' in entry)
  if (isPlays && list.length > 0) return what as Plays
  const tasks = flattenTasks(list as TaskList)
  return shape({ groups: {} }).play('tasks').hosts('all').become().tasks(tasks)
}

function allPlays(plays: Plays): readonly Play[] {
  const list = (Array.isArray(plays) ? plays : [plays]) as readonly (
    | Play
    | { readonly kind: 'together'; readonly plays: readonly Play[] }
  )[]
  return list.flatMap((entry) => (entry.kind === 'together' ? entry.plays : [entry]))
}

/** A mock host that does not say its groups is in those that the plays are for. */
function inventoryOf(plays: Plays, mocks: readonly MockHost[], groups: readonly string[]) {
  const named = groups.filter((group) => allPlays(plays).some(({ pattern }) => pattern.split(/[:,]/).includes(group)))
  const [first] = allPlays(plays)
  const hosts = Object.fromEntries(
    mocks.map(({ name, options }) => [name, { groups: options.groups ?? named, vars: options.vars ?? {} }]),
  )
  const resolved = new Inventory(first!.shape, { hosts }, Origin.here()).resolve()
  if (resolved.problems.length > 0) throw new Mistakes(resolved.problems)
  return resolved.hosts
}
