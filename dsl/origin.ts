/** Where a task was written: the lines of the user's own files that led to it. */

import type { Place } from '../errors/failure.ts'

/** Lines of the user's files, innermost first: the helper function that made the task, then the play that called it. */
export class Origin {
  readonly #error: Error

  private constructor(error: Error) {
    this.#error = error
  }

  /** Notes the current line. The text of the stack is made only when somebody reads it. */
  static here(): Origin {
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 40
    const error = new Error('origin')
    Error.stackTraceLimit = limit
    return new Origin(error)
  }

  /** Where an error was thrown. */
  static of(error: Error): Origin {
    return new Origin(error)
  }

  /** Every line of the user's files on the way, innermost first. */
  get places(): readonly Place[] {
    return (this.#error.stack ?? '').split('\n').slice(1).flatMap(placeOf)
  }

  /** The line that made it. */
  get place(): Place | undefined {
    return this.places[0]
  }
}

const house = new URL('..', import.meta.url)
const floors = ['shell', 'errors', 'probe', 'connection', 'dsl', 'modules', 'engine', 'report', 'testing', 'cli']
const ours = [...floors.map((floor) => new URL(`${floor}/`, house).pathname), new URL('node_modules/', house).pathname]

/** Places by the frames of stacks: hundreds of hosts come by the same lines. */
const places = new Map<string, readonly Place[]>()

function placeOf(frame: string): readonly Place[] {
  const known = places.get(frame)
  if (known) return known
  const place = userPlace(frame)
  places.set(frame, place)
  return place
}

function userPlace(frame: string): readonly Place[] {
  const [, location, line, column] = /(?:\(|at (?:[a-z]+ )?)((?:file:\/\/)?\/[^()]*?):(\d+):(\d+)\)?$/.exec(frame) ?? []
  if (!location) return []
  // Loaders add a query to tell versions of a file apart.
  const file = decodeURI(location.replace(/^file:\/\//, '').replace(/\?.*$/, ''))
  if (ours.some((folder) => file.startsWith(folder)) || file.includes('/node_modules/')) return []
  return [{ file, line: Number(line), column: Number(column) }]
}
