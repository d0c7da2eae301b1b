/** Files that a run leaves: they stay in a folder of the run's own. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeepFile } from '../engine/tell.ts'

/** A run's name: when it began, to the millisecond, so that names are in the order of the runs. */
export function runName(now = new Date()): string {
  return now.toISOString().slice(0, 23).replaceAll(/[:.]/g, '-')
}

/** Keeps files below `.play/runs`; nothing is made where a run leaves none. */
export function keeper(run = runName(), runs = join('.play', 'runs')): KeepFile {
  const folder = join(runs, run)
  return (host, { name, content }) => {
    const path = join(folder, `${host}-${name.replaceAll(/[^\w.@-]+/g, '_')}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(path, content)
    return path
  }
}
