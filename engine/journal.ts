/** The journal of a run: what is about to be sent to a host, before it is sent, and how it ended; a line of JSON each. */

import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { InventoryHost } from '../dsl/inventory.ts'
import { labelOf } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import type { DetailedFacts } from '../probe/detailed-facts.ts'
import type { BaseFacts } from '../probe/facts.ts'
import type { CompiledTask } from './compile.ts'
import type { Event, TaskInfo } from './events.ts'
import type { Step } from './host.ts'
import { keeping } from './kept.ts'
import type { StepRecord } from './record.ts'
import type { Plan } from './plan.ts'
import { type PlannedTask, plannedTask } from './plan-file.ts'
import { isSecretIn, type Recorded, type Recorder } from './recorded.ts'

/** Version of the form of a journal. A reader refuses others. */
export const journalVersion = 1

/** What a run was told to do: enough to do it again, or to turn it round. */
export interface RunHeader {
  readonly id: string
  readonly kind: 'run' | 'apply' | 'undo'
  /** The run that it turns round; the path of the plan that it applies. */
  readonly of?: string | undefined
  /** The run that it goes on with. */
  readonly resumes?: string | undefined
  /** Path of the file of plays, from the folder that the run was started in. */
  readonly play: string
  /** What `-i` said; undefined for inventory/default.ts. */
  readonly inventory: string | undefined
  readonly options: {
    readonly limit: string | undefined
    readonly tags: readonly string[]
    readonly skipTags: readonly string[]
    readonly extraVars: Readonly<Record<string, string>>
    /** Of an undo: titles of the tasks that were chosen; none for all of them. */
    readonly task?: readonly string[]
  }
  /** In ISO 8601. */
  readonly started: string
}

/** A place that is moved by a task. */
export interface Move {
  /** Its number in the play on the host. */
  readonly id: number
  readonly task: TaskInfo
  readonly key: string
  readonly label: string
  readonly from: Recorded
  readonly to: Recorded
  /** Whether what it did can be seen afterwards. */
  readonly provable: boolean
  /** Why it cannot be turned round. */
  readonly irreversible: readonly string[]
  /** The reaction to the task by which it is moved; undefined where the task itself does. */
  readonly reaction?: string | undefined
}

/** What is known of how a move ended; `open` where nothing is. */
export type MoveEnd = StepRecord['end']

/** The play and the host that a line is of. */
export interface At {
  readonly play: string
  readonly host: string
}

export type JournalLine =
  | ({ readonly type: 'run'; readonly version: number } & RunHeader)
  /** The work of a play on a host begins: what its tasks are made from. */
  | (At & {
      readonly type: 'host'
      readonly groups: readonly string[]
      readonly vars: Readonly<Record<string, unknown>>
      readonly facts: BaseFacts & Partial<DetailedFacts>
    })
  /** What the tasks would move, as it was seen before anything was. */
  | (At & { readonly type: 'planned'; readonly tasks: readonly PlannedTask[] })
  | (At & { readonly type: 'moves'; readonly moves: readonly Move[] })
  /** By the numbers of moves: how they ended, and what was seen then, where that is not what was written. */
  | (At & {
      readonly type: 'ends'
      readonly ends: Readonly<Record<number, MoveEnd>>
      readonly seen: Readonly<Record<number, Recorded>>
    })
  | Event

/** Where the engine writes what it does. */
export interface Journal {
  /** The run's name. */
  readonly id: string
  /** What it writes stays, also when this process is killed at once afterwards. */
  write(line: JournalLine): void
  readonly recorder: Recorder
}

/** Where the runs of a project are. */
export const runsFolder = join('.play', 'runs')

export const journalFile = 'journal.jsonl'

/** A full disk, or a folder of another user. */
export function unrecorded(path: string, cause: unknown): Failure {
  return new Failure('E_RECORD', `${path} cannot be written: ${(cause as Error).message}`, {
    hint: 'Nothing is done that is not on record. Make room there, or see whose folder it is; `play history` tells of what was begun.',
    cause,
  })
}

/** Begins the journal of a run in its folder. Values of hosts are in it: nobody else may read them. */
export function openJournal(header: RunHeader, recorder: Recorder, runs = runsFolder): Journal {
  const folder = join(runs, header.id)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, journalFile)
  const append = (line: JournalLine, flag: 'a' | 'ax') => {
    try {
      appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600, flag })
    } catch (error) {
      throw unrecorded(file, error)
    }
  }
  // Two runs in one journal could be told apart by nobody.
  append({ type: 'run', version: journalVersion, ...header }, 'ax')
  const write = (line: JournalLine) => {
    // What is only for a live display is no news later.
    if (line.type !== 'progress') append(line, 'a')
  }
  return { id: header.id, write, recorder }
}

/** The journal as one play on one host writes it. */
export class HostJournal {
  readonly #journal: Journal
  readonly #at: At
  readonly #ids = new Map<StepRecord, number>()

  constructor(journal: Journal, at: At) {
    this.#journal = journal
    this.#at = at
  }

  /** Says what the tasks were made from. */
  host({ groups, vars }: InventoryHost, facts: BaseFacts & Partial<DetailedFacts>): void {
    this.#journal.write({ type: 'host', ...this.#at, groups, vars, facts })
  }

  /** What the tasks would move, before any of them is begun. */
  planned({ results, steps }: Plan): void {
    const tasks = [...steps].flatMap(([compiled, mine]) => {
      const result = results.get(compiled)!
      return mine.length > 0 ? [plannedTask(this.#at, compiled, result, mine, this.#journal.recorder)] : []
    })
    if (tasks.length > 0) this.#journal.write({ type: 'planned', ...this.#at, tasks })
  }

  /** Before they are sent. */
  begin(moves: readonly StepRecord[], irreversible: (by: CompiledTask) => readonly string[]): void {
    if (moves.length === 0) return
    const { recorder } = this.#journal
    this.#journal.write({
      type: 'moves',
      ...this.#at,
      moves: moves.map((record) => {
        const { by, step, reaction } = record
        const { resource, from, to } = step
        const { key } = resource
        return {
          id: this.idOf(record),
          task: by.info,
          key,
          label: labelOf(resource),
          from: recorder.record(resource, from),
          to: recorder.record(resource, to),
          provable: !resource.unprovable,
          irreversible: irreversible(by),
          reaction,
        }
      }),
    })
  }

  /** When it is known how they ended. */
  end(moves: readonly StepRecord[], seen: (record: StepRecord) => unknown = ({ step }) => step.to): void {
    if (moves.length === 0) return
    const other = moves.filter((record) => !isDeepStrictEqual(seen(record), record.step.to))
    this.#journal.write({
      type: 'ends',
      ...this.#at,
      ends: Object.fromEntries(moves.map((record) => [this.idOf(record), record.end])),
      seen: Object.fromEntries(
        other.map((record) => [this.idOf(record), this.#journal.recorder.record(record.step.resource, seen(record))]),
      ),
    })
  }

  /** The steps that keep on the host what the records must not hold. */
  keepings(moves: readonly StepRecord[]): readonly Step[] {
    const secret = moves.filter(({ step }) => isSecretIn(step.resource, step.from))
    return secret.map((record) =>
      keeping({ run: this.#journal.id, play: this.#at.play, move: this.idOf(record) }, record.step.from),
    )
  }

  /** The number of a move. */
  idOf(record: StepRecord): number {
    const id = this.#ids.get(record) ?? this.#ids.size
    this.#ids.set(record, id)
    return id
  }
}
