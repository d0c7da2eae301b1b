/** Calls and downloads side by side on the way out: thin flows do not wait behind thick ones. */

import { qdiscStats, type TaskList, tcQdisc } from 'fleetplay'

/** It helps where packets queue, which is where the rate is limited; the counters say whether that is here. */
export const fairQueue = (device: string): TaskList => [
  tcQdisc(device).fqCodel({ limit: 10_240, target: '5ms', interval: '100ms', ecn: true }),
  qdiscStats(device, { during: '2s' }).tags('watch'),
]
