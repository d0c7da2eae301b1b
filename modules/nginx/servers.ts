/** The servers that a host's nginx configuration declares, as far as they bear certain names. */

import type { Resource } from '../../dsl/resource.ts'
import { type Refusal, refuse } from '../../dsl/task.ts'
import { Probe } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'
import { tokens } from './directives.ts'

/** One `server { … }` of the configuration. */
export interface NginxServer {
  readonly file: string
  readonly names: readonly string[]
  /** TCP ports; a server that does not say listens on 80. */
  readonly ports: readonly number[]
}

/** Servers of `conf.d` and `sites-enabled` that have one of the names. */
export function nginxServers(names: readonly string[]): Resource<readonly NginxServer[]> {
  const patterns = names.flatMap((name) => ['-e', name])
  return {
    key: `nginx-servers:${names.join(',')}`,
    label: `nginx servers named ${names.join(', ')}`,
    read: Probe.script(
      sh`cd /etc/nginx 2>/dev/null || exit 0
grep -lisF ${patterns} conf.d/*.conf sites-enabled/* | while IFS= read -r f; do
  printf '/etc/nginx/%s\0' "$f"; cat -- "$f"; printf '\0'
done`,
      ({ stdout }) => {
        const parts = stdout.toString().split('\0')
        return parts
          .flatMap((file, i) => (i % 2 === 0 && file ? serversOf(file, parts[i + 1] ?? '') : []))
          .filter((server) => server.names.some((name) => names.includes(name)))
      },
    ),
    fresh: [],
  }
}

/** Another server with one of the names on one of the ports: nginx would ignore one of the two («conflicting server name»). */
export function sameName(
  servers: readonly NginxServer[],
  names: readonly string[],
  ports: readonly number[],
  ownFiles: readonly string[],
): Refusal | undefined {
  const other = servers.find(
    (server) => !ownFiles.includes(server.file) && server.ports.some((port) => ports.includes(port)),
  )
  if (!other) return undefined
  const name = other.names.find((each) => names.includes(each))
  const port = other.ports.find((each) => ports.includes(each))
  return refuse(
    `${other.file} has a server named ${name} on port ${port} already; nginx would ignore one of the two.`,
    'Take the name from one of them.',
  )
}

/** The servers of a configuration file. What it includes is not followed. */
export function serversOf(file: string, text: string): readonly NginxServer[] {
  const servers: NginxServer[] = []
  const open: string[] = []
  let words: string[] = []
  let names: string[] = []
  let ports: number[] = []
  for (const { text: token, isMark } of tokens(text)) {
    if (!isMark) {
      words.push(token)
      continue
    }
    if (token === '{') {
      open.push(words[0] ?? '')
      if (words[0] === 'server' && words.length === 1) [names, ports] = [[], []]
    } else if (token === '}') {
      if (open.pop() === 'server') servers.push({ file, names, ports: ports.length > 0 ? ports : [80] })
    } else {
      if (open.at(-1) === 'server' && words[0] === 'server_name')
        names.push(...words.slice(1).map((name) => name.toLowerCase()))
      // `443`, `[::]:443`, `10.0.0.1:443`; an address alone means 80, and a socket of the file system has no port.
      if (open.at(-1) === 'server' && words[0] === 'listen') ports.push(portOf(words[1] ?? ''))
    }
    words = []
  }
  return servers.map((server) => ({ ...server, ports: [...new Set(server.ports)].filter((port) => port > 0) }))
}

function portOf(address: string): number {
  if (address.startsWith('unix:')) return 0
  return Number(/^(?:.*:)?(\d+)$/.exec(address)?.[1] ?? 80)
}
