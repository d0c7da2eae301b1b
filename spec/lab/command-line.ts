/** The command line as a user runs it on the lab's hosts, and what came of it. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Event } from '../../engine/events.ts'

const bin = join(import.meta.dirname, '../../cli/play.js')

/** Runs `play`, with its events on standard output; of a command that plans before it acts, `events` are all of both. */
export async function play(folder: string, ...words: readonly string[]) {
  const child = spawn(process.execPath, [bin, ...words, '--output', 'json'], { cwd: folder })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const [status] = (await once(child, 'close')) as [number]
  const events = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event)
  const tasks = events.filter((event) => event.type === 'task')
  const failed = events.filter((event) => 'failure' in event && event.failure)
  const recaps = events.flatMap((event) => (event.type === 'run-finished' ? [event.recap] : []))
  return {
    status,
    events,
    tasks,
    changed: tasks.filter(({ outcome }) => outcome === 'changed'),
    failed,
    /** What to show where it did not end as it should. */
    told: JSON.stringify(failed, undefined, 1) + stderr,
    recap: recaps.at(-1)!,
    /** The name of the run that is on record; undefined of a plan. */
    run: events.flatMap((event) => (event.type === 'run-started' && event.run ? [event.run] : [])).at(-1),
  }
}
