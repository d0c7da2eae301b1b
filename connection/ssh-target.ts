/** What must be known of a host to reach it over ssh. */

import type { HostName } from './known-hosts.ts'
import { hostPort } from './ssh-dial.ts'
import type { Login } from './ssh-login.ts'

/** Everything that must be known to reach a host; `ssh-config.ts` makes one from the user's configuration. */
export interface SshTarget extends Login {
  /** What a person calls the host; goes into hints such as `play trust NAME`. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** Hosts to go through, the nearest first. */
  readonly jumps: readonly SshTarget[]
  readonly knownHostsFiles: readonly string[]
  readonly hostKeyAlias?: string | undefined
  /** `StrictHostKeyChecking` of ssh_config where it asks for less than to verify, which is not followed. */
  readonly laxity?: string | undefined
  /** Addresses of one family only. */
  readonly family?: 4 | 6 | undefined
  /** Seconds for the TCP connection, and again for the handshake. */
  readonly connectTimeout: number
  /** What its configuration asks for and only the OpenSSH client can do, such as `ProxyCommand`. */
  readonly onlyOpenSsh: readonly string[]
}

/** Under which names known_hosts is asked for it. */
export function hostName({ name, host, port, hostKeyAlias, laxity }: SshTarget): HostName {
  return { name, host, port, alias: hostKeyAlias, laxity }
}

/** `deploy@10.0.3.11:22` */
export function labelOf({ user, host, port }: SshTarget): string {
  return `${user}@${hostPort(host, port)}`
}
