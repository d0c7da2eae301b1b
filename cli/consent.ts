/** Whether what was shown is to be done. */

import { ask } from './terminal.ts'

export interface Consent {
  readonly question: string
  /** It was said already. */
  readonly yes: boolean
  /** How to say it where there is no terminal to ask on. */
  readonly hint: string
}

/** Asks on a terminal; elsewhere it is said how to agree, and nothing is done. */
export async function agreed({ question, yes, hint }: Consent): Promise<boolean> {
  if (yes) return true
  if (!process.stdin.isTTY) {
    process.stderr.write(`\nNothing was done yet. ${hint}\n`)
    return false
  }
  return /^y(es)?$/i.test((await ask(`\n${question} [y/N] `)).trim())
}
