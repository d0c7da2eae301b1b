/** Where a Redis server listens, and as whom it is asked. */

import { pathProblem } from '../../dsl/host-path.ts'

export interface Endpoint {
  /** A name or an address, as the host itself knows it; or the absolute path of a Unix socket. */
  readonly at: string
  readonly port: number
  readonly database: number
  readonly user: string | undefined
  /** A file on the host with the password, which nobody but the client on the host reads. */
  readonly passwordFile: string | undefined
}

export const localRedis: Endpoint = {
  at: '127.0.0.1',
  port: 6379,
  database: 0,
  user: undefined,
  passwordFile: undefined,
}

/** `127.0.0.1:6379`, `/run/redis/redis.sock`, `cache1:6379/2`; places are named by it. */
export function endpointName({ at, port, database }: Endpoint): string {
  const server = at.startsWith('/') ? at : `${at.includes(':') ? `[${at}]` : at}:${port}`
  return database === 0 ? server : `${server}${at.startsWith('/') ? ':' : '/'}${database}`
}

/** What cannot be an endpoint. */
export function endpointProblem({ at, port, database, user, passwordFile }: Endpoint): string | undefined {
  if (at.startsWith('/')) {
    const problem = pathProblem(at)
    if (problem) return problem
    // sun_path of unix(7) has 108 bytes, with a NUL at the end.
    if (Buffer.byteLength(at) > 107) return `the path of the socket is longer than 107 bytes`
  } else if (!/^[\w:.-]+$/.test(at) || at.startsWith('-') || at.length > 253) {
    return `${JSON.stringify(at)} is not a host name or an address`
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return `${port} is not a port`
  if (!Number.isInteger(database) || database < 0) return `${database} is not the number of a database`
  if (user !== undefined && (user === '' || /[\s\0]/.test(user))) return `${JSON.stringify(user)} is not a user`
  return passwordFile === undefined ? undefined : pathProblem(passwordFile)
}
