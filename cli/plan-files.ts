/** Plan files: read, and done once. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { holdsDigests, type PlanFile, planVersion } from '../engine/plan-file.ts'
import { Failure } from '../errors/failure.ts'
import { projectSeal } from './seal.ts'

/** @throws Failure E_PLAN_FILE */
export function readPlan(path: string): PlanFile {
  const wrong = (message: string, hint = 'Make one: play plan NAME --out FILE') =>
    new Failure('E_PLAN_FILE', `${path} ${message}`, { hint })
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    throw wrong('cannot be read.')
  }
  let plan: PlanFile
  try {
    plan = JSON.parse(text) as PlanFile
  } catch {
    throw wrong('is no plan: it is not JSON.')
  }
  if (plan?.type !== 'fleetplay-plan') throw wrong('is no plan.')
  if (plan.version !== planVersion) {
    throw wrong(`has the form ${plan.version}, and this fleetplay takes ${planVersion}.`, 'Make the plan anew.')
  }
  return plan
}

const spentFolder = join('.play', 'plans')

/** @throws Failure E_PLAN_FILE where it was applied already, or was made by another key */
export function refuseSpent({ id, key, tasks }: PlanFile): void {
  if (holdsDigests(tasks) && key !== projectSeal().digestOf('key')) {
    throw new Failure('E_PLAN_FILE', 'The plan holds digests of secrets by the key of another project folder.', {
      hint: 'Apply it where it was made, or make it anew here.',
    })
  }
  let run: string
  try {
    run = readFileSync(join(spentFolder, id), 'utf8').trim()
  } catch {
    return
  }
  throw new Failure('E_PLAN_FILE', `The plan was applied already, by the run ${run}.`, {
    hint: `A plan is done once: make it anew. What became of it: play show ${run}`,
  })
}

/** A plan that is begun is spent, whatever becomes of it; `play resume` goes on with it. */
export function spend({ id }: PlanFile, run: string): void {
  mkdirSync(spentFolder, { recursive: true })
  writeFileSync(join(spentFolder, id), `${run}\n`)
}
