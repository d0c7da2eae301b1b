/** The carrier over any command that hands on standard input and output: docker, podman, kubectl, nspawn, the OpenSSH client. */

import { carrier, startProcess } from './carrier.ts'
import type { Connection } from './connection.ts'

/**
 * A connection over a command to which `sh` is added as the last word.
 *
 * Some commands take words (docker), others join them with spaces for a shell to read again (ssh). One bare word means
 * the same to both, so that is all they get: the command line itself is the first line that this `sh` reads.
 *
 * @example
 * execConnection(['docker', 'exec', '-i', 'web1'])
 * execConnection(['kubectl', 'exec', '-i', 'web-0', '--'])
 * execConnection(['ssh', 'deploy@web1'])
 */
export function execConnection(argv: readonly string[]): Connection {
  return carrier(argv.join(' '), undefined, async (command, traffic) => {
    const channel = await startProcess([...argv, 'sh'], traffic)
    channel.write(`${command}\n`)
    return channel
  })
}
