/** What a socket unit listens on, as the kernel has it: what `systemctl show` tells is what was last read from its file. */

import { isIPv4, isIPv6 } from 'node:net'
import type { Resource } from '../dsl/resource.ts'
import type { Parsed } from '../dsl/units.ts'
import { Failure } from '../errors/failure.ts'
import { type Collector, type Output, Probe, tail } from '../probe/probe.ts'
import { type Script, sh } from '../shell/script.ts'
import type { KernelValue } from './kernel-parameter.ts'
import { takeOver } from './take-over.ts'
import { type Enablement, type UnitRecord, unitRecord } from './unit.ts'

/** One address that a socket unit listens on. */
export interface Listener {
  /**
   * Connections that may wait. Where the kernel has cut it to net.core.somaxconn, it is what the unit says: the cut is no drift.
   */
  readonly backlog: number
  /** Permission bits, owner and group of a socket in the file system; null for others. */
  readonly file: { readonly mode: string; readonly owner: string; readonly group: string } | null
}

/** Null where systemd knows no such unit. */
export type SocketState = {
  readonly enabled: Enablement
  /** By address, as systemd writes it: `/run/x.sock`, `[::]:8080` for port 8080 of every address. */
  readonly listening: Readonly<Record<string, Listener>>
} | null

/** What a socket unit listens on, and whether it will after the next boot. The names are whole: `php8.4-fpm.socket`. */
export function listeningSocket(socket: string, service: string): Resource<SocketState> {
  return {
    key: `socket:${socket}`,
    label: socket,
    read: Probe.all({ unit: unitRecord(socket), table: Probe.of(listeners, null) }).map(stateOf),
    write: (to, from) => takeOver(socket, service, to, from).touches(`unit:${socket}`, `unit:${socket}/*`),
    show: showSocket,
    fresh: null,
  }
}

/** Whether anything listens on an address. It can only be looked at. */
export function taken(address: string): Resource<boolean> {
  return {
    key: `listener:${address}`,
    label: address,
    read: Probe.of(listeners, null).map(({ backlogs }) => backlogs.has(address)),
    show: (value) => (value ? 'taken' : 'free'),
    fresh: false,
  }
}

/** How many connections the kernel lets wait, by what it has in net.core.somaxconn; undefined where it does not tell. */
export function queueLimit(somaxconn: KernelValue): number | undefined {
  const text = typeof somaxconn === 'object' && 'value' in somaxconn ? somaxconn.value : somaxconn
  return typeof text === 'string' ? Number(text) : undefined
}

/**
 * An address of a stream, as systemd writes it: a path, `@name` of an abstract socket, a port for every address, or `ADDRESS:PORT`.
 *
 * @see ListenStream= in systemd.socket(5)
 */
export function streamAddress(address: string | number): Parsed<string> {
  const text = String(address)
  const wrong = (why: string) => ({ problem: `${JSON.stringify(address)} ${why}` })
  if (/^[/@]/.test(text)) {
    if (/[\n\r\0]/.test(text) || text.trim() !== text || text.length === 1)
      return wrong('is not the address of a socket')
    // The kernel's sun_path has 108 bytes, with the one that ends it.
    if (Buffer.byteLength(text) > 107) return wrong('is longer than 107 bytes, the most that a socket may have')
    return text
  }
  const [, host, digits] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (!digits || port < 1 || port > 65_535)
    return wrong('is not an address: a path, a port, or ADDRESS:PORT such as 127.0.0.1:8080')
  if (host === undefined) return `[::]:${port}`
  const [, inner] = /^\[(.*)\]$/.exec(host) ?? []
  if (inner !== undefined && isIPv6(inner)) return `${new URL(`http://[${inner}]`).hostname}:${port}`
  return isIPv4(host) ? `${host}:${port}` : wrong('has no IP address; systemd takes no names, and IPv6 in brackets')
}

interface Listeners {
  readonly somaxconn: number
  /** The largest queue of each address. */
  readonly backlogs: ReadonlyMap<string, number>
  readonly files: ReadonlyMap<string, NonNullable<Listener['file']>>
}

/** All listening streams of the host: one `ss` and one `stat`. A path that is listened on but was unlinked has no stat. */
const listeners: Collector<null, Listeners> = {
  name: 'listener',
  ask: (): Script => sh`o=$(ss -Hlxtn) || exit
cat /proc/sys/net/core/somaxconn
printf '%s\n' "$o"
echo '# files'
set --
while read -r kind state queued backlog address; do
  case $kind$address in u_str/*) set -- "$@" "$${sh`{address% [0-9]*\* 0}`}" ;; esac
done <<END
$o
END
[ $# -eq 0 ] || stat -c '%f %a %U %u %G %g %n' -- "$@" 2>/dev/null
exit 0`,
  answers: (output) => [output.status === 0 ? parseListeners(output.stdout.toString()) : unlisted(output)],
}

function parseListeners(text: string): Listeners {
  const [first = '', ...rest] = text.split('\n')
  const end = rest.indexOf('# files')
  const backlogs = new Map<string, number>()
  for (const line of rest.slice(0, end)) {
    const [address, backlog] = listener(line)
    if (address) backlogs.set(address, Math.max(backlog, backlogs.get(address) ?? 0))
  }
  return { somaxconn: Number(first), backlogs, files: new Map(rest.slice(end + 1).flatMap(socketFile)) }
}

/** `u_str LISTEN 0 4096 /run/x.sock 985 * 0`, `tcp LISTEN 0 4096 *:8080 *:*`; a queue's limit stands where others have what waits. */
function listener(line: string): [string, number] | [undefined, 0] {
  const [, backlog, unix] = /^u_str +LISTEN +\d+ +(\d+) +(\S.*?) +\d+ +\* +0 *$/.exec(line) ?? []
  if (unix) return [unix, Number(backlog)]
  const [, limit, address] = /^tcp +LISTEN +\d+ +(\d+) +(\S+) /.exec(line) ?? []
  // ss has a star for an address of IPv6 that takes IPv4 too.
  return address ? [address.replace(/^\*/, '[::]').replace(/%[^:\]]+/, ''), Number(limit)] : [undefined, 0]
}

function socketFile(line: string): [string, NonNullable<Listener['file']>][] {
  const [, raw, mode, user, uid, group, gid, path] = /^(\S+) (\S+) (\S+) (\S+) (\S+) (\S+) (.*)$/.exec(line) ?? []
  if (!raw?.startsWith('c')) return []
  const named = (name: string, id: string) => (name === 'UNKNOWN' ? id : name)
  return [[path!, { mode: mode!.padStart(4, '0'), owner: named(user!, uid!), group: named(group!, gid!) }]]
}

function stateOf({ unit, table }: { readonly unit: UnitRecord; readonly table: Listeners }): SocketState {
  if (!unit.state) return null
  const listening = unit.state.active ? unit.streams.flatMap((address) => real(address, unit.backlog, table)) : []
  return { enabled: unit.state.enabled, listening: Object.fromEntries(listening) }
}

/** An address that the unit should have, and the kernel has. A socket whose path was unlinked serves nobody. */
function real(address: string, asked: number, { somaxconn, backlogs, files }: Listeners): [string, Listener][] {
  const has = backlogs.get(address)
  const file = files.get(address) ?? null
  if (has === undefined || (address.startsWith('/') && !file)) return []
  return [[address, { backlog: has === Math.min(asked, somaxconn) ? asked : has, file }]]
}

function showSocket(value: SocketState): string {
  if (!value) return 'unknown'
  const shown = Object.entries(value.listening).map(([address, { backlog, file }]) => {
    return `${address}${file ? ` ${file.mode} ${file.owner}:${file.group}` : ''} backlog ${backlog}`
  })
  return `${value.enabled}, ${shown.length > 0 ? `listening on ${shown.join(', ')}` : 'inactive'}`
}

function unlisted({ status, stderr }: Output): Failure {
  return new Failure('E_UNREADABLE', 'The sockets of this host cannot be listed.', {
    hint: 'ss is needed, which the package iproute2 brings.',
    seen: { command: 'ss -Hlxtn', status, output: tail(stderr) },
  })
}
