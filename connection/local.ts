/** The carrier to the machine that we run on. */

import { userInfo } from 'node:os'
import { carrier, startProcess } from './carrier.ts'
import type { Connection } from './connection.ts'

/**
 * A connection to this machine, as the user that we run as.
 *
 * @example
 * const session = await localConnection().open({ become: { method: 'sudo', user: 'root' } })
 */
export function localConnection(): Connection {
  return carrier('local', userInfo().username, (command, traffic) => startProcess(['sh', '-c', command], traffic))
}
