/** Files that a run leaves: they stay in a folder of the run's own. */

import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeepFile } from '../engine/tell.ts'

/** A run's name: when it began, and four characters that tell it from others of that minute. */
export function runName(now = new Date()): string {
  const minute = now.toISOString().slice(0, 16).replace(':', '-')
  return `${minute}-${randomBytes(2).toString('hex')}`
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
