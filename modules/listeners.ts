/** Who listens on a port of a host. */

import type { Resource } from '../dsl/resource.ts'
import { type Collector, Probe, unparsable } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'
import { presence } from './presence.ts'

/**
 * The systemd units that listen on a TCP port, on any address: `['nginx.service']`. A program that somebody
 * started by hand or in a container is of a scope: `session-3.scope`.
 */
export function listeners(port: number): Resource<readonly string[]> {
  return {
    key: `listeners:${port}`,
    label: `listeners on port ${port}`,
    read: Probe.of(listening, port),
    show: (units) => units.join(' ') || 'none',
    fresh: [],
  }
}

/** Whether a host has IPv6; without it nothing can listen on `[::]`. */
export const ipv6 = presence('/proc/net/if_inet6', true)

const listening: Collector<number, readonly string[]> = {
  name: 'listening',
  ask: () => sh`PATH=$PATH:/usr/sbin:/sbin; ss -Hltn --cgroup`,
  answers: (output, ports) => {
    // A host without ss cannot tell; the daemon that finds its port taken will.
    if (output.status === 127) return ports.map(() => [])
    if (output.status !== 0) throw unparsable('ss -Hltn --cgroup', output)
    const sockets = output.stdout
      .toString()
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
    return ports.map((port) => {
      // LISTEN 0 511 [::]:443 [::]:* cgroup:/system.slice/nginx.service
      const units = sockets.flatMap(([, , , local, , ...rest]) =>
        local?.endsWith(`:${port}`)
          ? rest.flatMap((field) => /^cgroup:.*\/([^/]+\.(?:service|socket|scope))(?:\/|$)/.exec(field)?.[1] ?? [])
          : [],
      )
      return [...new Set(units)].sort()
    })
  },
}
