/** Reactions that a host still owes: recorded on it before the write that causes them, and cleared when they have succeeded. */

import { createHash } from 'node:crypto'
import type { Handler } from '../dsl/handler.ts'
import { Origin } from '../dsl/origin.ts'
import type { Resource } from '../dsl/resource.ts'
import { Probe } from '../probe/probe.ts'
import { stateFolder } from '../probe/state-folder.ts'
import { Script, sh } from '../shell/script.ts'
import { taskDeadline } from './decide.ts'
import type { As, Step } from './host.ts'

/** A handler as a host keeps it, so that any later run can do it. */
export interface PendingReaction {
  readonly key: string
  readonly name: string
  readonly script: string
  /** What the script reads, in base64. */
  readonly input: string | undefined
  readonly absorbs: readonly string[]
  /** Titles of the tasks that changed what it reacts to. */
  readonly because: readonly string[]
  /** When it was recorded, in ISO 8601. */
  readonly since: string
  /** Of a dead man's switch that has put nothing back yet: when it will have, in ISO 8601. */
  readonly until?: string
}

/** By the name of the record. */
export type Pending = Readonly<Record<string, PendingReaction>>

/** All that a host owes to the user who did the work. */
export function pendingReactions(as: As): Resource<Pending> {
  return { key: `pending:${as ?? ''}`, label: 'pending reactions', read: records, fresh: {} }
}

const records: Probe<Pending> = Probe.script(
  sh`${stateFolder}
for f in "$state"/pending/*.json; do [ ! -e "$f" ] || cat -- "$f" || exit; done`,
  ({ stdout }) => {
    const lines = stdout.toString().split('\n').filter(Boolean)
    return Object.fromEntries(lines.map(record).map((one) => [nameOf(one), one]))
  },
)

/** One that cannot be understood is a reaction that fails, so that it is told until somebody sees to it. */
function record(line: string): PendingReaction {
  try {
    return JSON.parse(line) as PendingReaction
  } catch {
    const script = sh`echo 'a record in the folder pending of /var/lib/fleetplay is not JSON: remove it there' >&2; exit 1`
    const unknown = { input: undefined, absorbs: [], because: ['an earlier run'], since: 'an unknown time' }
    return { key: line, name: 'a reaction that cannot be read', script: script.text, ...unknown }
  }
}

/** A record's file is called by a digest of the handler: one that is noted twice is one. */
export function nameOf({ key }: { readonly key: string }): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 24)
}

/** Whether the host has the handler on record. */
export function isPending(handler: Handler, pending: Pending): boolean {
  return nameOf(handler) in pending
}

/** The step that records a handler, before the first write of the task that notifies it. */
export function recording(handler: Handler, as: As, because: string, now: Date): Step {
  const { key, name, script, absorbs } = handler
  const input = script.input === undefined ? undefined : Buffer.from(script.input).toString('base64')
  const entry = { key, name, script: script.text, input, absorbs, because: [because], since: now.toISOString() }
  const file = nameOf(handler)
  const write = sh`umask 077
${stateFolder}
[ -d "$state/pending" ] || mkdir -p -- "$state/pending" || exit
cd -- "$state/pending" && dd bs=65536 conv=fsync status=none of=${`.${file}`} && mv -f -- ${`.${file}`} ${`${file}.json`}`
    .reading(`${JSON.stringify(entry)}\n`)
    .touches()
    .called(`record that ${name} is due`)
  // It travels with the writes that it is for, and has their time.
  return { ...pendingStep(as, write, { noted: entry }), deadline: 0 }
}

/** The step that withdraws records of handlers that nothing calls for any more. */
export function withdrawing(handlers: readonly Handler[], as: As): Step {
  return pendingStep(as, clear(handlers), { cleared: handlers.map(({ key }) => key) })
}

function pendingStep(as: As, script: Script, change: PendingChange): Step {
  return { resource: pendingReactions(as), from: null, to: null, script, deadline: taskDeadline, pending: change }
}

/** What a step does to the records. */
export interface PendingChange {
  readonly noted?: PendingReaction
  /** Keys of handlers. */
  readonly cleared?: readonly string[]
}

/** The records after a change; for hosts in memory. */
export function afterwards(pending: Pending, { noted, cleared = [] }: PendingChange): Pending {
  const gone = new Set(cleared.map((key) => nameOf({ key })))
  const left = Object.entries(pending).filter(([name]) => !gone.has(name))
  return { ...Object.fromEntries(left), ...(noted && { [nameOf(noted)]: noted }) }
}

/** The handler, which clears its record and those of what it absorbs when it has succeeded. */
export function clearing(handler: Handler): Handler {
  const { script } = handler
  const both = sh`(
${script}
) || exit
${clear([handler, ...handler.absorbs.map((key) => ({ key }))])}`.called(script.brief)
  return { ...handler, script: both }
}

function clear(handlers: readonly { readonly key: string }[]): Script {
  const files = handlers.map((handler) => `pending/${nameOf(handler)}.json`)
  return sh`${stateFolder}
[ ! -d "$state" ] || { cd -- "$state" && rm -f -- ${files}; }`.touches()
}

/** A record as a handler again. */
export function handlerOf({ key, name, script, input, absorbs }: PendingReaction): Handler {
  const text = Script.of(script).called(name)
  return {
    key,
    name,
    script: input === undefined ? text : text.reading(Buffer.from(input, 'base64')),
    absorbs,
    origin: Origin.here(),
  }
}
