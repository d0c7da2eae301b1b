/** The folder of a run, and the files that it leaves there. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runsFolder, unrecorded } from '../engine/journal.ts'
import type { KeepFile } from '../engine/tell.ts'

/**
 * A name for a run that begins: when that is, to the millisecond, so that names are in the order of the runs. Its folder is
 * made, so that no other run gets the name.
 */
export function runName(now = Date.now(), runs = runsFolder): string {
  try {
    mkdirSync(runs, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw unrecorded(runs, error)
  }
  for (let at = now; ; at++) {
    const name = new Date(at).toISOString().slice(0, 23).replaceAll(/[:.]/g, '-')
    try {
      mkdirSync(join(runs, name), { mode: 0o700 })
      return name
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unrecorded(runs, error)
    }
  }
}

/** Keeps files in the folder of a run. */
export function keeper(run: string, runs = runsFolder): KeepFile {
  const folder = join(runs, run)
  return (host, { name, content }) => {
    const path = join(folder, `${host}-${name.replaceAll(/[^\w.@-]+/g, '_')}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(path, content)
    return path
  }
}
