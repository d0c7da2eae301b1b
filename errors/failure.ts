/** The one error class: what happened, where, what was seen, and the remedy. */

import type { Code } from './codes.ts'

/** A position in a play, inventory or option file. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** What a command said, as far as a reader needs it. */
export interface Seen {
  readonly command: string
  /** Exit status; undefined where the command was ended by a signal or never ended. */
  readonly status: number | undefined
  /** The last lines of what it wrote, standard error first where there is any. */
  readonly output: string
}

export interface FailureOptions {
  readonly place?: Place | undefined
  readonly hint?: string | undefined
  readonly seen?: Seen | undefined
  readonly cause?: unknown
}

export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: Code
  readonly place: Place | undefined
  readonly hint: string | undefined
  readonly seen: Seen | undefined

  constructor(code: Code, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.place = options.place
    this.hint = options.hint
    this.seen = options.seen
  }

  /** The same failure, told to have happened at a place, where it does not know one yet. */
  at(place: Place | undefined): Failure {
    if (this.place || !place) return this
    return new Failure(this.code, this.message, { ...this.#options, place })
  }

  /** The same failure, with another remedy. */
  hinting(hint: string | undefined): Failure {
    return new Failure(this.code, this.message, { ...this.#options, hint })
  }

  get #options(): FailureOptions {
    return { place: this.place, hint: this.hint, seen: this.seen, cause: this.cause }
  }
}

/** Several mistakes of one kind of input, told together. */
export class Mistakes extends Error {
  override readonly name = 'Mistakes'
  readonly failures: readonly Failure[]

  constructor(failures: readonly Failure[]) {
    super(failures.map((failure) => failure.message).join('\n'))
    this.failures = failures
  }
}
