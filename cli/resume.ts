/** `play resume RUN`: goes on with a run that was interrupted, or whose controller died. */

import { readRun, type RunRecord } from '../engine/history.ts'
import { resuming } from '../engine/resumed.ts'
import { Failure } from '../errors/failure.ts'
import type { ExitStatus } from './exit.ts'
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
      hint: `For hosts that failed: play run ${header.play} --only failed,unreached`,
    })
  }
  // What is turned round already is found as it was.
  if (header.kind === 'undo')
    return undo(header.of!, { ...options, ...header.options, task: [], yes: true, rest: true })
  const resumed = { run: header.id, mandate: resuming(chain(record)) }
  if (header.kind === 'apply') return apply(header.of!, { ...options, rest: true }, resumed)
  const inventory = header.inventory === undefined ? {} : { inventory: header.inventory }
  const { limit, ...choice } = header.options
  const all = { ...options, ...inventory, ...choice, ...(limit !== undefined && { limit }) }
  return run(header.play, all, resumed)
}

/** The run, and those that it went on with itself. */
function chain(record: RunRecord): readonly RunRecord[] {
  const { resumes } = record.header
  return resumes === undefined ? [record] : [...chain(readRun(resumes)), record]
}
