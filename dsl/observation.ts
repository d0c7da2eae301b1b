/** Tasks that look, and never change anything: what they see is told, and held against what was expected. */

import { Failure, type Seen } from '../errors/failure.ts'
import type { Facts } from '../probe/facts.ts'
import type { HttpAnswer, HttpRequest } from '../probe/http.ts'
import type { Resource } from './resource.ts'
import { Task } from './task.ts'

/** Something that is asked from where the play runs, not on the host: what a client would see. */
export interface FromOutside {
  /** `http:https://coaching.example/`. */
  readonly key: string
  readonly label?: string
  readonly request: HttpRequest
}

/** What an observation reads: a place on the host, or an answer that a client gets. */
export type View<T> = Resource<T> | (T extends HttpAnswer ? FromOutside : never)

export interface Observed<T> {
  /** What was read last. */
  readonly now: T
  /** What was read when the window began; the same where there is no window. */
  readonly before: T
  readonly facts: Facts
}

/** What an observation says of what it saw. */
export interface Finding {
  /** In one line: `0 of 12400 datagrams were dropped in 30 s`. */
  readonly says: string
  /** Lines of a table below it. */
  readonly table?: readonly string[]
  /** Files that are kept beside the run's report: a flame graph. */
  readonly files?: readonly FoundFile[]
  /** Why it is not as expected; undefined where it is, or nothing was expected. */
  readonly unexpected?: Unexpected | undefined
}

export interface FoundFile {
  /** `php8.4-fpm.svg`; the report puts the host's name before it. */
  readonly name: string
  readonly content: string
}

export interface Unexpected {
  readonly message: string
  readonly hint?: string | undefined
  readonly seen?: Seen | undefined
}

/**
 * A task that observes. It runs when the play has reacted, on all its hosts side by side. It has no wishes, so it changes
 * nothing, and a plan does not run it.
 */
export abstract class Observation<T = unknown> extends Task {
  /** Tells what is not as expected, and does not fail the host for it. */
  readonly onlyWarns: boolean = false

  /** What it reads. */
  abstract get view(): View<T>

  /** Seconds between its two readings; 0 where one reading says it all. */
  get window(): number {
    return 0
  }

  /** What the readings say; pure. A Failure that it throws is told as one. */
  abstract find(observed: Observed<T>): Finding

  override get wishes(): readonly [] {
    return []
  }

  /** Cannot be said: nothing that it does would ever set a handler off. */
  override notify(..._handlers: readonly never[]): this {
    return this.wrong(
      'notify: an observation changes nothing, so it notifies nobody',
      'Say notify() of the task that makes the change.',
    )
  }

  /** Cannot be said: there is no write to put back. */
  override guardedBy(_guard: never): this {
    return this.wrong(
      'guardedBy: an observation changes nothing, so there is nothing to put back',
      'Say guardedBy() of the task that makes the change.',
    )
  }

  /** Tells what is not as expected, and does not fail the host for it. */
  warn(): this {
    return this.with<Observation<T>>({ onlyWarns: true })
  }
}

/** A finding's failure, as the engine tells it. */
export function unexpectedFailure({ message, hint, seen }: Unexpected): Failure {
  return new Failure('E_UNEXPECTED', message, { hint, seen })
}
