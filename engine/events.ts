/** What happened, as a union: the engine's only output. Version 1 of the form that `--output json` prints. */

import type { Place, Seen } from '../errors/failure.ts'
import type { Code } from '../errors/codes.ts'

export const eventVersion = 1

/** A failure as data. */
export interface FailureData {
  readonly code: Code
  readonly message: string
  readonly place: Place | undefined
  readonly seen: Seen | undefined
  readonly hint: string | undefined
  /** Of a fault of fleetplay or of a module: where in its code. */
  readonly stack?: string
}

/** One place that is, or would be, changed. */
export interface Change {
  readonly key: string
  readonly label: string
  /** The values as one line each. */
  readonly before: string
  readonly after: string
  /** The values as text, where they have one, for a diff. */
  readonly diff: { readonly before: string; readonly after: string } | undefined
  /** Titles of the tasks that a predicted change depends on; empty where it is certain. */
  readonly dependsOn: readonly string[]
  /** It was run, and nothing can be read of it afterwards. */
  readonly unprovable: boolean
}

export type Outcome = 'ok' | 'changed' | 'skipped' | 'failed' | 'unreachable'

export interface TaskInfo {
  /** Its number in the play on this host, from 0. */
  readonly index: number
  readonly module: string
  readonly title: string
  readonly place: Place | undefined
}

export interface Recap {
  readonly hosts: Readonly<Record<'ok' | 'changed' | 'failed' | 'unreachable' | 'skipped', number>>
  readonly tasks: Readonly<Record<Exclude<Outcome, 'unreachable'>, number>>
  readonly seconds: number
  /** The most that one host needed. */
  readonly trips: number
}

export type Event =
  | {
      readonly type: 'run-started'
      /** The run's name on record; undefined of a plan. */
      readonly run?: string | undefined
      readonly play: string
      readonly inventory: string
      /** The pattern that narrows the run. */
      readonly limit: string | undefined
      readonly hosts: readonly string[]
      /** Those of the hosts that are only simulated. */
      readonly simulated: readonly string[]
      /** Tasks of a host, as far as that is known before its facts are. */
      readonly tasks: number
      /** Whether it only plans. */
      readonly check: boolean
    }
  | {
      readonly type: 'play-started'
      readonly play: string
      readonly hosts: readonly string[]
      readonly place: Place | undefined
    }
  | {
      readonly type: 'batch-started'
      readonly play: string
      readonly hosts: readonly string[]
      readonly of: number
      readonly number: number
    }
  /** A host's turn has come: it is connected to now. */
  | { readonly type: 'host-started'; readonly play: string; readonly host: string }
  /** Another run has the host's lock, and this one waits for its end. */
  | {
      readonly type: 'host-waiting'
      readonly host: string
      /** Who has it, and for what; undefined where the host does not know. */
      readonly holder: string | undefined
      /** When it was taken, by the host's clock, in ISO 8601. */
      readonly since: string | undefined
    }
  | { readonly type: 'connected'; readonly play: string; readonly host: string; readonly tasks: number }
  /** A host reached a task, or a handler: for a live display only. */
  | {
      readonly type: 'progress'
      readonly play: string
      readonly host: string
      readonly done: number
      readonly of: number
      readonly title: string
      readonly phase: 'read' | 'plan' | 'apply' | 'prove' | 'react' | 'observe'
    }
  | {
      readonly type: 'task'
      readonly play: string
      readonly host: string
      readonly task: TaskInfo
      readonly outcome: Exclude<Outcome, 'unreachable'>
      /** Why it was skipped. */
      readonly reason: string | undefined
      /** What was changed, or would be; of a task that failed, what was changed before. */
      readonly changes: readonly Change[]
      readonly notes: readonly string[]
      /** Why the change cannot be turned round. */
      readonly irreversible: readonly string[]
      readonly failure: FailureData | undefined
      /** The failure does not stop the host. */
      readonly ignored: boolean
    }
  | {
      readonly type: 'reaction'
      readonly play: string
      readonly host: string
      readonly handler: string
      /** Titles of the tasks that notified it. */
      readonly because: readonly string[]
      readonly outcome: 'planned' | 'done' | 'failed'
      readonly failure: FailureData | undefined
    }
  /** What an observation saw, when the play had reacted. */
  | {
      readonly type: 'observation'
      readonly play: string
      readonly host: string
      readonly task: TaskInfo
      readonly outcome: 'ok' | 'warned' | 'failed' | 'skipped'
      /** Why it was skipped. */
      readonly reason: string | undefined
      /** What was seen, in one line, and the lines of a table below it. */
      readonly says: string
      readonly table: readonly string[]
      /** Paths of the files that it left. */
      readonly files: readonly string[]
      /** Why it is not as expected. */
      readonly failure: FailureData | undefined
      /** The failure does not count. */
      readonly ignored: boolean
    }
  | {
      readonly type: 'unreachable'
      readonly play: string
      readonly host: string
      /** The task that it was at. */
      readonly task: TaskInfo | undefined
      readonly failure: FailureData
    }
  /** Hosts that were not begun, because too many before them failed. */
  | { readonly type: 'not-begun'; readonly play: string; readonly hosts: readonly string[]; readonly reason: string }
  | {
      readonly type: 'host-finished'
      readonly play: string
      readonly host: string
      readonly outcome: Outcome
      readonly trips: number
    }
  | { readonly type: 'run-finished'; readonly recap: Recap; readonly interrupted: boolean }

export type Emit = (event: Event) => void
