/** The exit statuses of `play`, for scripts and for people. */

import type { Recap } from '../engine/events.ts'

export const exitStatus = {
  fine: 0,
  internal: 1,
  failed: 2,
  unreachable: 3,
  wrong: 4,
  pending: 10,
  interrupted: 130,
} as const

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus]

/** For `--help`. */
export const exitTable = `Exit status:
    0  fine
    1  fleetplay itself is wrong; please report it
    2  a task failed
    3  a host was unreachable (2 wins over 3)
    4  a wrong play, inventory or option
   10  changes are pending: \`play plan --exit-code\`, or an undo that nobody agreed to
  130  interrupted`

/** What became of a run, as a status: interrupted, then failed, then unreachable. */
export function statusOf({ hosts }: Recap, interrupted: boolean): ExitStatus {
  if (interrupted) return exitStatus.interrupted
  if (hosts.failed > 0) return exitStatus.failed
  return hosts.unreachable > 0 ? exitStatus.unreachable : exitStatus.fine
}
