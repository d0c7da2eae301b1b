/** `play plan`: what a run would do. */

import type { ExitStatus } from './exit.ts'
import { type RunOptions, run } from './run.ts'

/** @throws Mistakes before any connection */
export function plan(name: string, options: RunOptions): Promise<ExitStatus> {
  return run(name, { ...options, check: true })
}
