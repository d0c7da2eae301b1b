/** Events of a run, with what a spec does not say filled in. */

import type { Change, Event, FailureData, Recap } from '../../engine/events.ts'

export function started(fields: Partial<Extract<Event, { type: 'run-started' }>> = {}): Event {
  return {
    type: 'run-started',
    play: 'coaching-fleet',
    inventory: 'inventory/production.ts',
    limit: undefined,
    hosts: ['web1', 'web2', 'web3'],
    simulated: [],
    tasks: 18,
    check: false,
    ...fields,
  }
}

export function playStarted(play = 'web', hosts: readonly string[] = ['web1', 'web2', 'web3']): Event {
  return { type: 'play-started', play, hosts, place: undefined }
}

export function task(
  host: string,
  index: number,
  title: string,
  fields: Partial<Extract<Event, { type: 'task' }>> = {},
): Event {
  return {
    type: 'task',
    play: 'web',
    host,
    task: {
      index,
      module: title.split(' ')[0]!,
      title,
      place: { file: '/project/plays/web.ts', line: 10 + index, column: 3 },
    },
    outcome: 'changed',
    reason: undefined,
    changes: [],
    notes: [],
    irreversible: [],
    failure: undefined,
    ignored: false,
    ...fields,
  }
}

export function change(label: string, before: string, after: string, fields: Partial<Change> = {}): Change {
  return { key: `x:${label}`, label, before, after, diff: undefined, dependsOn: [], unprovable: false, ...fields }
}

export function reaction(
  host: string,
  handler: string,
  because: readonly string[],
  fields: Partial<Extract<Event, { type: 'reaction' }>> = {},
): Event {
  return { type: 'reaction', play: 'web', host, handler, because, outcome: 'done', failure: undefined, ...fields }
}

export function failure(message: string, fields: Partial<FailureData> = {}): FailureData {
  return { code: 'E_COMMAND', message, place: undefined, seen: undefined, hint: undefined, ...fields }
}

export function finished(
  hosts: Partial<Recap['hosts']> = {},
  tasks: Partial<Recap['tasks']> = {},
  interrupted = false,
): Event {
  const recap: Recap = {
    hosts: { ok: 0, changed: 0, failed: 0, unreachable: 0, skipped: 0, ...hosts },
    tasks: { ok: 0, changed: 0, failed: 0, skipped: 0, ...tasks },
    seconds: 2.14,
    trips: 4,
  }
  return { type: 'run-finished', recap, interrupted }
}
