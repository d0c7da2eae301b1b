/** `play show RUN`: what a run came to, told again from its record; `play show FILE`: what a plan says. */

import { existsSync, statSync } from 'node:fs'
import { readRun, resumedBy } from '../engine/history.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import type { OutputOptions } from './options.ts'
import { readPlan } from './plan-files.ts'
import { out } from './terminal.ts'
import { tellEvents } from './told.ts'

export interface ShowOptions extends OutputOptions {
  readonly diff?: boolean
}

/** @throws Failure E_RUN_NOT_FOUND */
export async function show(name: string, options: ShowOptions): Promise<ExitStatus> {
  if (existsSync(name) && statSync(name).isFile()) return showPlan(name, options)
  const { header, events, moves, finished } = readRun(name)
  const undo = finished ? `play undo ${header.id}` : undefined
  await tellEvents(events, { ...options, head: `${header.id}, begun ${header.started}`, undo })
  if (options.output === 'json') return exitStatus.fine
  if (finished && !finished.interrupted) return exitStatus.fine
  const open = moves.filter(({ end }) => end === 'open')
  out('\nThe run did not come to its end.\n')
  for (const { host, label, task } of open) out(`  not known how it ended: ${label} on ${host}, by ${task.title}\n`)
  const next = resumedBy(header.id)
  out(next ? `  gone on with by ${next.header.id}\n` : `  go on: play resume ${header.id}\n`)
  return exitStatus.fine
}

/** @throws Failure E_PLAN_FILE */
async function showPlan(path: string, options: ShowOptions): Promise<ExitStatus> {
  const { made, events } = readPlan(path)
  await tellEvents(events, { ...options, head: `${path}, made ${made}` })
  return exitStatus.fine
}
