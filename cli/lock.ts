/** Who a run tells other runs that it is, on the hosts that it locks. */

import { hostname, userInfo } from 'node:os'

/** `alice@laptop, process 4711, play coaching-fleet (run 2026-11-23T14-02-31-508)`: no other run is told alike. */
export function holderOf(play: string, run: string): string {
  return `${userName()}@${hostname()}, process ${process.pid}, play ${play} (run ${run})`
}

/** A container often runs as a number without a name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.()}`
  }
}
