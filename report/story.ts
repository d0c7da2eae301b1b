/** What a run came to, gathered from its events: what is the same on several hosts is one entry. */

import type { Place } from '../errors/failure.ts'
import type { Event, FailureData, Recap, TaskInfo } from '../engine/events.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

/** Something that is told once for all the hosts it is true of. */
export interface Entry {
  readonly title: string
  readonly place: Place | undefined
  /** In the inventory's order. */
  readonly hosts: readonly string[]
}

export type ChangeEntry = Entry & Pick<Of<'task'>, 'changes' | 'notes' | 'irreversible'>
export type NoteEntry = Entry & Pick<Of<'task'>, 'notes'>
export type FailureEntry = Entry &
  Pick<Of<'task'>, 'changes' | 'notes'> & {
    readonly failure: FailureData
    readonly ignored: boolean
    /** What a reaction that failed was due for. */
    readonly because: readonly string[]
  }
export type ReactionEntry = Entry & { readonly because: readonly string[] }
export type ObservationEntry = Entry & Pick<Of<'observation'>, 'says' | 'table' | 'files' | 'failure'>
export type UnreachableEntry = Entry & { readonly failure: FailureData; readonly task: TaskInfo | undefined }

/** All that was skipped for one reason. */
export interface SkipEntry {
  readonly titles: readonly string[]
  readonly hosts: readonly string[]
  readonly reason: string
}

export class Story {
  readonly #diffs: boolean
  started: Of<'run-started'> | undefined
  finished: { readonly recap: Recap; readonly interrupted: boolean } | undefined
  readonly #notBegun = new Map<string, string[]>()
  readonly #plays: string[] = []
  readonly #changed = new Groups<ChangeEntry>()
  readonly #noted = new Groups<NoteEntry>()
  readonly #failed = new Groups<FailureEntry>()
  readonly #reacted = new Groups<ReactionEntry>()
  readonly #observed = new Groups<ObservationEntry>()
  readonly #unreachable = new Groups<UnreachableEntry>()
  readonly #skipped = new Groups<Entry & { readonly reason: string }>()

  /** @param diffs whether texts are told by their lines; else hosts whose texts differ are told together */
  constructor(diffs: boolean) {
    this.#diffs = diffs
  }

  add(event: Event): void {
    switch (event.type) {
      case 'run-started':
        this.started = event
        return
      case 'play-started':
        this.#plays.push(event.play)
        return
      case 'task':
        this.#addTask(event)
        return
      case 'reaction':
        this.#addReaction(event)
        return
      case 'observation':
        this.#addObservation(event)
        return
      case 'unreachable': {
        const { task, failure, host, play } = event
        const entry = { title: task?.title ?? '', place: task?.place, task, failure }
        this.#unreachable.add(entry, host, [this.#plays.indexOf(play), -1])
        return
      }
      case 'not-begun':
        this.#notBegun.set(event.reason, [...(this.#notBegun.get(event.reason) ?? []), ...event.hosts])
        return
      case 'run-finished':
        this.finished = event
        return
      case 'batch-started':
      case 'host-started':
      case 'host-waiting':
      case 'connected':
      case 'progress':
      case 'host-finished':
        return
    }
  }

  get changed(): readonly ChangeEntry[] {
    return this.#changed.entries(this.#order)
  }

  /** What is said of tasks that changed nothing. */
  get noted(): readonly NoteEntry[] {
    return this.#noted.entries(this.#order)
  }

  get failed(): readonly FailureEntry[] {
    return this.#failed.entries(this.#order)
  }

  get reacted(): readonly ReactionEntry[] {
    return this.#reacted.entries(this.#order)
  }

  /** What was observed; with a failure where that is told, and does not count. */
  get observed(): readonly ObservationEntry[] {
    return this.#observed.entries(this.#order)
  }

  get unreachable(): readonly UnreachableEntry[] {
    return this.#unreachable.entries(this.#order)
  }

  /** Hosts that were not begun, by reason. */
  get notBegun(): readonly { readonly hosts: readonly string[]; readonly reason: string }[] {
    return [...this.#notBegun].map(([reason, hosts]) => ({ reason, hosts: [...new Set(hosts)] }))
  }

  get skipped(): readonly SkipEntry[] {
    const entries = new Map<string, { readonly titles: Set<string>; readonly hosts: Set<string> }>()
    for (const { title, hosts, reason } of this.#skipped.entries(this.#order)) {
      const entry = entries.get(reason) ?? { titles: new Set(), hosts: new Set() }
      entry.titles.add(title)
      for (const host of hosts) entry.hosts.add(host)
      entries.set(reason, entry)
    }
    return [...entries].map(([reason, { titles, hosts }]) => {
      const order = this.#order.filter((host) => hosts.has(host))
      return { reason, titles: [...titles], hosts: order }
    })
  }

  get #order(): readonly string[] {
    return this.started?.hosts ?? []
  }

  #addTask({ play, host, task, outcome, reason, notes, irreversible, failure, ignored, ...event }: Of<'task'>): void {
    const order = [this.#plays.indexOf(play), task.index]
    const { title } = task
    const changes = this.#diffs ? event.changes : event.changes.map((change) => ({ ...change, diff: undefined }))
    if (outcome === 'changed')
      this.#changed.add({ title, place: task.place, changes, notes, irreversible }, host, order)
    if (outcome === 'ok' && notes.length > 0) this.#noted.add({ title, place: task.place, notes }, host, order)
    if (outcome === 'skipped') this.#skipped.add({ title, place: task.place, reason: reason ?? '' }, host, order)
    if (failure)
      this.#failed.add({ title, place: task.place, failure, ignored, changes, notes, because: [] }, host, order)
  }

  #addObservation({
    play,
    host,
    task,
    outcome,
    reason,
    says,
    table,
    files,
    failure,
    ignored,
  }: Of<'observation'>): void {
    const order = [this.#plays.indexOf(play), task.index]
    const { title, place } = task
    if (outcome === 'skipped') this.#skipped.add({ title, place, reason: reason ?? '' }, host, order)
    else if (says !== '' || outcome === 'warned')
      this.#observed.add(
        { title, place, says, table, files, failure: outcome === 'warned' ? failure : undefined },
        host,
        order,
      )
    if (outcome === 'failed' && failure)
      this.#failed.add({ title, place, failure, ignored, changes: [], notes: [], because: [] }, host, order)
  }

  #addReaction({ play, host, handler, because, failure }: Of<'reaction'>): void {
    // After the tasks of its play.
    const order = [this.#plays.indexOf(play), Number.MAX_SAFE_INTEGER]
    const nothing = { ignored: false, changes: [], notes: [], because }
    if (failure) this.#failed.add({ title: handler, place: failure.place, failure, ...nothing }, host, order)
    else this.#reacted.add({ title: handler, place: undefined, because }, host, order)
  }
}

/** Entries by all that they say, each with its hosts. */
class Groups<E extends Entry> {
  readonly #groups = new Map<
    string,
    { readonly entry: Omit<E, 'hosts'>; readonly hosts: Set<string>; readonly order: readonly number[] }
  >()

  add(entry: Omit<E, 'hosts'>, host: string, order: readonly number[]): void {
    const key = JSON.stringify(entry)
    const group = this.#groups.get(key) ?? { entry, hosts: new Set(), order }
    group.hosts.add(host)
    this.#groups.set(key, group)
  }

  entries(hosts: readonly string[]): readonly E[] {
    const rank = new Map(hosts.map((host, i) => [host, i]))
    const rankOf = (host: string) => rank.get(host) ?? hosts.length
    return [...this.#groups.values()]
      .map(({ entry, hosts: mine, order }) => ({
        entry: { ...entry, hosts: [...mine].toSorted((a, b) => rankOf(a) - rankOf(b)) } as unknown as E,
        order,
      }))
      .toSorted(
        (a, b) =>
          a.order[0]! - b.order[0]! ||
          a.order[1]! - b.order[1]! ||
          rankOf(a.entry.hosts[0]!) - rankOf(b.entry.hosts[0]!),
      )
      .map(({ entry }) => entry)
  }
}
