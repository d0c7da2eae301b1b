/** The law *quoted*: whatever stands in an id, it is refused as wrong input, or a shell reads it as a part of one word. */

import { typicalFacts } from '../dsl/play.ts'
import type { AnyResource } from '../dsl/resource.ts'
import type { Task } from '../dsl/task.ts'
import { MemoryHost } from '../engine/memory-host.ts'
import { Failure, Mistakes } from '../errors/failure.ts'
import type { Script } from '../shell/script.ts'
import { play } from './trial-run.ts'
import { unquoted } from './unquoted.ts'

/** The name of a file that comes to be where a script takes a text for more than a word. */
export const canary = 'fleetplay-canary'

const touch = `touch ${canary}`

/**
 * What people, mistakes and strangers put into names. Run as shell, each would do no more than make a file; the canary
 * is in those that need quotes.
 */
export const hostileTexts: readonly string[] = [
  `it's; ${touch} #`,
  `$(${touch})`,
  `\`${touch}\``,
  `"; ${touch}; "`,
  `a\n${touch}\nb`,
  `a\r\n${touch}`,
  `&& ${touch} &`,
  `\\'; ${touch} #`,
  `-e ${touch}`,
  `%s ${canary} *`,
  '../law',
  '-rf',
  'x'.repeat(255),
  'x'.repeat(256),
  `${'x/'.repeat(2048)}x`,
  // Right to left, a mark that joins the letter before it, and what is not one unit of UTF-16.
  '\u202e\u05d0txt.exe',
  'e\u0301\u{1f600}',
  'half \ud83d',
  `ü${canary}`.padEnd(254, 'x'),
  'x\0',
]

/** How a task takes a hostile text. */
export interface Quoted {
  /** What it was told before any connection; undefined where it was taken. */
  readonly refused: string | undefined
  /** Its questions, and the scripts that move its places from what a fresh Debian has and back. */
  readonly scripts: readonly string[]
  /** What the shell reads around the text where it stands outside of quotes; or what was thrown that is no Failure. */
  readonly breaches: readonly string[]
}

/**
 * Looks at every script of a task that was made from a hostile text.
 *
 * @example
 * for (const text of hostileTexts) expect((await quoted(() => motd(text))).breaches).toEqual([])
 */
export async function quoted(make: () => Task): Promise<Quoted> {
  try {
    const task = make()
    // A plan, since the engine looks for mistakes before it asks a host.
    await planned(task)
    const scripts = [...new Set(wishesOf(task).flatMap(scriptsOf))]
    return { refused: undefined, scripts, breaches: scripts.flatMap(around) }
  } catch (error) {
    if (error instanceof Mistakes) return refused(error.failures[0]!.message)
    if (error instanceof Failure && error.code === 'E_PLAY_INVALID') return refused(error.message)
    return { refused: undefined, scripts: [], breaches: [`threw ${String(error)}`] }
  }
}

/** The lines of a script in which the shell reads the canary as a word of the script. */
function around(script: string): readonly string[] {
  return unquoted(script)
    .split('\n')
    .filter((line) => line.includes(canary))
}

function refused(why: string): Quoted {
  return { refused: why, scripts: [], breaches: [] }
}

async function planned(task: Task): Promise<void> {
  const { mistakes } = await play(task, new MemoryHost('mock', typicalFacts), { check: true })
  if (mistakes) throw mistakes
}

function wishesOf(task: Task): Task['wishes'] {
  return [...task.parts.flatMap(wishesOf), ...task.wishes]
}

function scriptsOf({ resource, desired }: Task['wishes'][number]): readonly string[] {
  const questions = resource.read.questions.map(({ collector, asked }) => collector.ask([asked]))
  if (!('fresh' in resource)) return questions.map(({ text }) => text)
  const values: unknown[] = [resource.fresh]
  try {
    values.push(desired(resource.fresh, typicalFacts, (other) => other.fresh as never))
  } catch (error) {
    if (!(error instanceof Failure)) throw error // a fresh host is refused: there are only questions
  }
  const [from, to = from] = values
  return [...questions, ...moves(resource, from, to), ...moves(resource, to, from)].map(({ text }) => text)
}

function moves(resource: AnyResource, from: unknown, to: unknown): readonly Script[] {
  try {
    return resource.write ? [resource.write(to, from)] : []
  } catch (error) {
    if (error instanceof Failure) return []
    throw error
  }
}
