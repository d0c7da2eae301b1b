/** What a host has of the programs that serve pages: versions, who listens where, whether paths are there. */

import type { Resource } from '../../dsl/resource.ts'
import { type Collector, Probe, unparsable } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'

/** Whether a version is at least another: 1.30.6 is, 1.22.1 is not at least 1.29. */
export function atLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split('.').map(Number)) as [number[], number[]]
  const at = b.findIndex((part, i) => (a[i] ?? 0) !== part)
  return at === -1 || (a[at] ?? 0) > b[at]!
}

function version(program: 'nginx' | 'haproxy', fresh: string): Resource<string | null> {
  return { key: `version:${program}`, label: `version of ${program}`, read: Probe.of(versions, program), fresh }
}

const versions: Collector<string, string | null> = {
  name: 'version',
  // nginx tells its version on standard error.
  ask: (programs) => sh`PATH=$PATH:/usr/sbin
for p in ${programs}; do
  echo "# $p"
  if command -v "$p" >/dev/null; then "$p" -v 2>&1; fi
done`,
  aside: true,
  answers: (output, programs) => {
    const parts = output.stdout.toString().split(/^# /m).slice(1)
    return programs.map((program, i) => {
      const said = parts[i]?.slice(program.length).trim()
      if (said === '') return null
      // `nginx version: nginx/1.22.1`, `HAProxy version 3.2.26-1 2026/10/14 - https://haproxy.org/`.
      return (
        /^(?:nginx version: [^/]+\/|HA-?Proxy version )(\d+(?:\.\d+)+)/m.exec(said ?? '')?.[1] ??
        unparsable(`${program} -v`, output)
      )
    })
  },
}

/** `1.30.6`; null where nginx is not installed. A mock host has Debian 12's. */
export const nginxVersion: Resource<string | null> = version('nginx', '1.22.1')

/** `3.2.26`; null where HAProxy is not installed. A mock host has Debian 12's. */
export const haproxyVersion: Resource<string | null> = version('haproxy', '2.6.12')

/** The user that nginx's workers run as. */
export const nginxUser: Resource<string> = {
  key: 'nginx-user:',
  label: "user of nginx's workers",
  read: Probe.script(
    sh`u=
if [ -r /etc/nginx/nginx.conf ]; then
  while read -r word name rest; do [ "$word" != user ] || u=$name; done </etc/nginx/nginx.conf
fi
echo "$u"`,
    // Debian's nginx is built for www-data.
    ({ stdout }) => stdout.toString().trim().replace(/;.*/, '') || 'www-data',
  ),
  fresh: 'www-data',
}

/** The systemd units that listen on a TCP port, on any address: `['nginx.service']`. */
export function listeners(port: number): Resource<readonly string[]> {
  return {
    key: `listeners:${port}`,
    label: `listeners on port ${port}`,
    read: Probe.of(listening, port),
    show: (units) => units.join(' ') || 'none',
    fresh: [],
  }
}

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
          ? rest.flatMap((field) => /^cgroup:.*\/([^/]+\.(?:service|socket))(?:\/|$)/.exec(field)?.[1] ?? [])
          : [],
      )
      return [...new Set(units)].sort()
    })
  },
}

/** Whether something is at a path; links are followed. Contents stay unread. */
export function presence(path: string, fresh = false): Resource<boolean> {
  return { key: `presence:${path}`, label: path, read: Probe.of(present, path), fresh }
}

const present: Collector<string, boolean> = {
  name: 'presence',
  ask: (paths) => sh`for p in ${paths}; do if [ -e "$p" ]; then printf y; else printf n; fi; done`,
  answers: (output, paths) => {
    const said = output.stdout.toString()
    if (said.length !== paths.length) throw unparsable('paths', output)
    return Array.from(said, (letter) => letter === 'y')
  },
}
