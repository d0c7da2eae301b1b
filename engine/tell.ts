/** What became of tasks and handlers on one host, as events. */

import type { Failure } from '../errors/failure.ts'
import type { FoundFile } from '../dsl/observation.ts'
import type { CompiledTask } from './compile.ts'
import type { Emit, Event, FailureData } from './events.ts'
import type { CompiledObservation, Sight } from './observe.ts'
import type { Due } from './react.ts'
import type { Results } from './task-result.ts'

/** Keeps a file that an observation left, and says where. */
export type KeepFile = (host: string, file: FoundFile) => string

export class Teller {
  readonly #play: string
  readonly #host: string
  readonly #of: number
  readonly #emit: Emit

  constructor(play: string, host: string, of: number, emit: Emit) {
    this.#play = play
    this.#host = host
    this.#of = of
    this.#emit = emit
  }

  progress(done: number, title: string, phase: Extract<Event, { type: 'progress' }>['phase']): void {
    this.#emit({ type: 'progress', play: this.#play, host: this.#host, done, of: this.#of, title, phase })
  }

  /** Tasks in the play's order; those that have no result are left out. */
  tasks(tasks: readonly CompiledTask[], results: Results): void {
    for (const compiled of tasks) {
      const result = results.get(compiled)
      if (!result) continue
      const { info, task } = compiled
      const { outcome, reason, changes, notes, irreversible, failure } = result
      this.#emit({
        type: 'task',
        play: this.#play,
        host: this.#host,
        task: info,
        outcome,
        reason,
        changes,
        notes,
        irreversible,
        failure: failure && failureData(failure.at(info.place)),
        ignored: task.keywords.ignoreErrors,
      })
    }
  }

  /** @param keep puts a file where it stays, and says where that is */
  observation({ info, task }: CompiledObservation, sight: Sight, keep: KeepFile): void {
    const { outcome, reason, says, table, files, failure } = sight
    this.#emit({
      type: 'observation',
      play: this.#play,
      host: this.#host,
      task: info,
      outcome,
      reason,
      says,
      table,
      files: files.map((file) => keep(this.#host, file)),
      failure: failure && failureData(failure.at(info.place)),
      ignored: task.keywords.ignoreErrors,
    })
  }

  reaction({ handler, because }: Due, outcome: 'planned' | 'done' | 'failed', failure?: Failure): void {
    this.#emit({
      type: 'reaction',
      play: this.#play,
      host: this.#host,
      handler: handler.name,
      because,
      outcome,
      failure: failure && failureData(failure.at(handler.origin.place)),
    })
  }
}

/** A failure as data. One of our own carries its stack, since nothing else tells where it was. */
export function failureData(failure: Failure): FailureData {
  const { code, message, place, seen, hint, cause } = failure
  const data = { code, message, place, seen, hint }
  if (code !== 'E_INTERNAL') return data
  const stack = cause instanceof Error ? cause.stack : failure.stack
  return stack === undefined ? data : { ...data, stack }
}
