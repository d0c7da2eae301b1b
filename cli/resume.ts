/** `play resume RUN`: goes on with a run that was interrupted, or whose controller died. */

import { readRun, resumedBy, type RunRecord } from '../engine/history.ts'
import type { RunHeader } from '../engine/journal.ts'
import { resuming } from '../engine/resumed.ts'
import { Failure } from '../errors/failure.ts'
import { quote } from '../shell/quote.ts'
import type { ExitStatus } from './exit.ts'
import { nameOf } from './load.ts'
import type { PerformOptions } from './perform.ts'
import { apply } from './apply.ts'
import { run } from './run.ts'
import { undo } from './undo.ts'

/** @throws Failure E_RUN_NOT_FOUND, E_OPTION where there is nothing to go on with; Mistakes before any connection */
export async function resume(name: string, options: PerformOptions): Promise<ExitStatus> {
  const record = readRun(name)
  const { header, finished } = record
  if (finished && !finished.interrupted) {
    throw new Failure('E_OPTION', `${header.id} came to its end: there is nothing to go on with.`, {
      hint: again(header),
    })
  }
  const next = resumedBy(header.id)
  if (next) {
    const { id } = next.header
    const isDone = next.finished && !next.finished.interrupted
    throw new Failure('E_OPTION', `${header.id} was gone on with already, by ${id}.`, {
      hint: isDone ? `That came to its end: play show ${id}` : `Go on with that: play resume ${id}`,
    })
  }
  // What is turned round already is found as it was.
  if (header.kind === 'undo')
    return undo(header.of!, { ...options, task: [], ...header.options, yes: true, rest: true }, header.id)
  const resumed = { run: header.id, mandate: resuming(chain(record)) }
  if (header.kind === 'apply') return apply(header.of!, { ...options, rest: true }, resumed)
  return run(header.play, { ...options, ...header.options, inventory: header.inventory }, resumed)
}

/** How to do hosts that failed again. */
function again({ kind, of, play, inventory }: RunHeader): string {
  if (kind === 'undo') return `What is not turned round yet: play undo ${of}`
  const chosen = inventory === undefined ? [] : ['-i', inventory]
  const words = ['play', 'run', nameOf(play), ...chosen, '--only', 'failed,unreached']
  return `For hosts that failed: ${words.map(quote).join(' ')}`
}

/** The run, and those that it went on with itself. */
function chain(record: RunRecord): readonly RunRecord[] {
  const { resumes } = record.header
  return resumes === undefined ? [record] : [...chain(readRun(resumes)), record]
}
