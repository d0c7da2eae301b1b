/** The versions of the programs that serve pages. */

import type { Resource } from '../dsl/resource.ts'
import { type Collector, Probe, unparsable } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'

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
