/** `play plan`: what a run would do; `--out` keeps it for `play apply`. */

import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { holdsDigests, type PlanFile, type PlannedTask, plannedTask, planVersion } from '../engine/plan-file.ts'
import { Recorder } from '../engine/recorded.ts'
import { Failure } from '../errors/failure.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import { perform } from './perform.ts'
import { prepare } from './prepare.ts'
import { performanceOf, type RunOptions, run } from './run.ts'
import { projectSeal } from './seal.ts'

export interface PlanOptions extends RunOptions {
  /** The file that the plan is written into. */
  readonly out?: string
  /** 10 where changes are pending. */
  readonly exitCode?: boolean
}

/** @throws Mistakes before any connection */
export async function plan(name: string, options: PlanOptions): Promise<ExitStatus> {
  const { out } = options
  if (out === undefined) return run(name, { ...options, check: true })
  const prepared = await prepare(name, options)
  const recorder = new Recorder(projectSeal)
  const tasks: PlannedTask[] = []
  const { status, pending, events } = await perform(
    {
      ...performanceOf(name, prepared, options, undefined),
      planned: (at, compiled, result, steps) => void tasks.push(plannedTask(at, compiled, result, steps, recorder)),
    },
    options,
  )
  if (status !== exitStatus.fine) {
    process.stderr.write(`\n${out} was not written: a plan that cannot be done as a whole cannot be applied.\n`)
    return status
  }
  const { inventory, limit, tags, skipTags, extraVars } = options
  const file: PlanFile = {
    type: 'fleetplay-plan',
    version: planVersion,
    id: randomUUID(),
    made: new Date().toISOString(),
    key: holdsDigests(tasks) ? projectSeal().digestOf('key') : undefined,
    play: relative(process.cwd(), prepared.play.file),
    inventory,
    options: { limit, tags, skipTags, extraVars },
    tasks,
    events: events.filter(({ type }) => type !== 'progress'),
  }
  try {
    // Values of hosts are in it: nobody else may read them.
    writeFileSync(out, `${JSON.stringify(file, undefined, 1)}\n`, { mode: 0o600 })
  } catch (cause) {
    throw new Failure('E_OPTION', `--out ${out} cannot be written.`, { cause })
  }
  process.stderr.write(`\nThe plan is in ${out}. Do it: play apply ${out}\n`)
  return options.exitCode && pending ? exitStatus.pending : status
}
