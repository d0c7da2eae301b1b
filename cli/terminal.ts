/** What we write to and ask: colours, width, whether somebody watches, questions. */

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import type { Place } from '../errors/failure.ts'
import type { PageOptions } from '../report/page.ts'

/** Columns where the output goes to a file or a pipe. */
const pipeWidth = 120

/** Whether colours are wanted: NO_COLOR, then FORCE_COLOR, then a terminal that has them. See no-color.org, force-color.org. */
export function wantsColor(env: NodeJS.ProcessEnv, isTTY: boolean): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return isTTY && env.TERM !== 'dumb'
}

/** How a page on standard output looks. */
export function pageOptions(stream: NodeJS.WriteStream = process.stdout): PageOptions {
  const columns = stream.isTTY ? stream.columns : Number(process.env.COLUMNS)
  return {
    color: wantsColor(process.env, stream.isTTY),
    width: Math.max(40, columns || pipeWidth),
    folder: process.cwd(),
  }
}

export function out(text: string): void {
  process.stdout.write(text)
}

/** The line of a file that a place names. */
export function sourceLine({ file, line }: Place): string | undefined {
  try {
    return readFileSync(file, 'utf8').split('\n')[line - 1]
  } catch {
    return undefined
  }
}

/** Ctrl-C or Ctrl-D at a question. */
export class Unanswered extends Error {}

/**
 * Asks on the terminal. What is typed is not shown where it is hidden.
 *
 * @throws Unanswered
 */
export async function ask(question: string, { hidden = false } = {}): Promise<string> {
  process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({
    input: process.stdin,
    output: hidden ? silent : process.stderr,
    terminal: process.stdin.isTTY,
  })
  try {
    return await new Promise((resolve, reject) => {
      reader.once('close', () => reject(new Unanswered()))
      reader.question('').then(resolve, () => reject(new Unanswered()))
    })
  } finally {
    reader.close()
    if (hidden) process.stderr.write('\n')
  }
}
