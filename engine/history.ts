/** The runs of a project, as their journals tell them. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import type { DetailedFacts } from '../probe/detailed-facts.ts'
import type { BaseFacts } from '../probe/facts.ts'
import type { Event, Outcome, Recap } from './events.ts'
import {
  type At,
  type JournalLine,
  journalFile,
  journalVersion,
  type Move,
  type MoveEnd,
  type RunHeader,
  runsFolder,
} from './journal.ts'
import type { Recorded } from './recorded.ts'

/** A move, and what is known of how it ended. */
export interface RecordedMove extends Move, At {
  readonly end: MoveEnd
}

/** What the tasks of a play on a host were made from. */
export interface RecordedHost extends At {
  readonly groups: readonly string[]
  readonly vars: Readonly<Record<string, unknown>>
  readonly facts: BaseFacts & Partial<DetailedFacts>
}

export interface RunRecord {
  readonly header: RunHeader
  readonly events: readonly Event[]
  readonly hosts: readonly RecordedHost[]
  /** In the order in which they were begun. */
  readonly moves: readonly RecordedMove[]
  /** Undefined where the run did not come to its end. */
  readonly finished: { readonly recap: Recap; readonly interrupted: boolean } | undefined
}

/** What became of a host in a run; `unfinished` where the run ended before it. */
export type HostEnd = Outcome | 'unfinished'

/** What became of the hosts of a run, the worst of all its plays. */
export function hostEnds({ events, finished }: RunRecord): ReadonlyMap<string, HostEnd> {
  const cut = finished === undefined || finished.interrupted
  const started = events.find((event) => event.type === 'run-started')
  const ends = new Map<string, HostEnd>((started?.hosts ?? []).map((host) => [host, cut ? 'unfinished' : 'ok']))
  for (const event of events) {
    if (event.type === 'not-begun') for (const host of event.hosts) ends.set(host, 'unfinished')
    if (event.type !== 'host-finished') continue
    const { host, outcome } = event
    const known = ends.get(host)
    if (known !== 'failed' && known !== 'unreachable' && (known !== 'unfinished' || isLost(outcome)))
      ends.set(host, outcome === 'ok' && known === 'changed' ? 'changed' : outcome)
  }
  return ends
}

function isLost(outcome: Outcome): boolean {
  return outcome === 'failed' || outcome === 'unreachable'
}

/** Names of all runs on record, the oldest first. */
export function runIds(runs = runsFolder): readonly string[] {
  // A run's name begins with its time, and a folder without a journal is none.
  return listed(runs)
    .filter((id) => listed(join(runs, id)).includes(journalFile))
    .toSorted()
}

function listed(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw unreadable(folder, error)
  }
}

/** Most often another user has run there. */
function unreadable(path: string, cause: unknown): Failure {
  return new Failure('E_RUN_NOT_FOUND', `${path} cannot be read: ${(cause as Error).message}`, {
    hint: 'Records of runs are for the user alone who has run: be that user.',
    cause,
  })
}

/**
 * The run of a name, of the beginning of one, or the `last` one.
 *
 * @throws Failure E_RUN_NOT_FOUND
 */
export function readRun(name: string, runs = runsFolder): RunRecord {
  const id = idOf(name, runIds(runs))
  const file = join(runs, id, journalFile)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable(file, error)
  }
  return recordOf(id, linesOf(id, text))
}

/** The run that went on with another; undefined where none did. */
export function resumedBy(id: string, runs = runsFolder): RunRecord | undefined {
  for (const later of runIds(runs).filter((other) => other > id)) {
    const record = attempt(() => readRun(later, runs))
    if (record?.header.resumes === id) return record
  }
  return undefined
}

/** Undefined where a record cannot be read. */
function attempt(read: () => RunRecord): RunRecord | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

function idOf(name: string, all: readonly string[]): string {
  if (all.length === 0) throw new Failure('E_RUN_NOT_FOUND', 'No run of this project is on record.')
  if (name === 'last') return all.at(-1)!
  const found = all.filter((id) => id.startsWith(name))
  if (found.length === 1) return found[0]!
  if (found.includes(name)) return name
  if (found.length > 1) {
    throw new Failure('E_RUN_NOT_FOUND', `${name} is the beginning of several runs.`, {
      hint: `The last of them: ${found.slice(-5).join(', ')}. \`play history\` tells them all.`,
    })
  }
  const close = nearest(name, all)
  throw new Failure('E_RUN_NOT_FOUND', `There is no run ${name} on record.`, {
    hint: close ? `Did you mean ${close}? \`play history\` tells them all.` : '`play history` tells them all.',
  })
}

/** A last line that was cut when the controller was killed tells nothing: what it announces was not begun. */
function linesOf(id: string, text: string): readonly JournalLine[] {
  const whole = text.split('\n').slice(0, -1)
  return whole.map((line, i) => {
    try {
      return JSON.parse(line) as JournalLine
    } catch (cause) {
      throw new Failure('E_RUN_NOT_FOUND', `Line ${i + 1} of the journal of ${id} is not JSON.`, { cause })
    }
  })
}

function recordOf(id: string, lines: readonly JournalLine[]): RunRecord {
  const [first] = lines
  if (first?.type !== 'run') throw new Failure('E_RUN_NOT_FOUND', `The journal of ${id} has no beginning.`)
  if (first.version !== journalVersion) {
    throw new Failure('E_RUN_NOT_FOUND', `The journal of ${id} has the form ${first.version}.`, {
      hint: `This fleetplay reads the form ${journalVersion}: take the fleetplay that wrote it.`,
    })
  }
  const moves = new Map<string, RecordedMove>()
  const name = ({ play, host }: At, move: number | string) => JSON.stringify([play, host, Number(move)])
  for (const line of lines) {
    if (line.type === 'moves') {
      const { play, host } = line
      for (const move of line.moves) moves.set(name(line, move.id), { ...move, play, host, end: 'open' })
    }
    if (line.type === 'ends') {
      const seen = line.seen as Readonly<Record<string, Recorded>>
      for (const [move, end] of Object.entries(line.ends)) {
        const known = moves.get(name(line, move))!
        moves.set(name(line, move), { ...known, end, to: seen[move] ?? known.to })
      }
    }
  }
  const events = lines.filter(isEvent)
  return {
    header: first,
    events,
    hosts: lines.filter((line) => line.type === 'host'),
    moves: [...moves.values()],
    finished: events.find((event) => event.type === 'run-finished'),
  }
}

function isEvent(line: JournalLine): line is Event {
  return !['run', 'host', 'planned', 'moves', 'ends'].includes(line.type)
}
