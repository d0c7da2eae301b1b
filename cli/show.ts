/** `play show RUN`: what a run came to, told again from its record. */

import { eventVersion } from '../engine/events.ts'
import { readRun } from '../engine/history.ts'
import { jsonLine } from '../report/json.ts'
import { textReport } from '../report/text.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import type { OutputOptions } from './options.ts'
import { out, pageOptions } from './terminal.ts'

export interface ShowOptions extends OutputOptions {
  readonly diff?: boolean
}

/** @throws Failure E_RUN_NOT_FOUND */
export async function show(name: string, options: ShowOptions): Promise<ExitStatus> {
  const { header, events, moves, finished } = readRun(name)
  if (options.output === 'json') {
    for (const event of events) out(jsonLine(event, eventVersion))
    return exitStatus.fine
  }
  const diff = options.diff ? (await import('../report/diff.ts')).unifiedDiff : undefined
  out(`${header.id}, begun ${header.started}\n`)
  out(textReport(events, { ...pageOptions(), diff, again: undefined, undo: `play undo ${header.id}` }))
  if (finished && !finished.interrupted) return exitStatus.fine
  const open = moves.filter(({ end }) => end === 'open')
  out('\nThe run did not come to its end.\n')
  for (const { host, label, task } of open) out(`  not known how it ended: ${label} on ${host}, by ${task.title}\n`)
  out(`  go on: play resume ${header.id}\n`)
  return exitStatus.fine
}
