/** Whether systemd can have the addresses of a socket unit, looked at before it is told to: by then the old socket is closed. */

import { configTest, type Guard } from '../dsl/guard.ts'
import { lines, type Script, sh } from '../shell/script.ts'
import type { Listener } from './listening-socket.ts'

/**
 * The test of a socket unit's file. systemd finds out only when it opens the socket, has closed the one before by then, and says
 * no more than «Input/output error»; and what is in the place of a path it removes, a file like another daemon's socket.
 *
 * It fails for a user or group who does not exist, for something other than a socket in the place of a path, for an address that this
 * host does not have, and for one that is held by somebody else than the unit and its service.
 */
export function socketTest(
  socket: string,
  service: string,
  listening: Readonly<Record<string, Pick<Listener, 'file'>>>,
): Guard {
  const owners = Object.values(listening).flatMap(({ file }) => (file ? [file] : []))
  return configTest(
    `test of ${socket}`,
    lines(
      begin(service),
      sh`own=$(systemctl show --property=Listen --value -- ${socket} 2>/dev/null)`,
      ...[...new Set(owners.map(({ owner }) => owner))].map((name) => existing('passwd', 'user', name)),
      ...[...new Set(owners.map(({ group }) => group))].map((name) => existing('group', 'group', name)),
      ...Object.keys(listening).flatMap((address) => [place(address), free(address, 'tcp', 'systemd cannot have')]),
      sh`exit 0`,
    ),
  )
}

/** An address of IP that a daemon opens itself; without `by`, both for streams and for datagrams. */
export interface OwnAddress {
  readonly address: string
  readonly by?: 'tcp' | 'udp' | undefined
}

/** The test of a file with addresses for a daemon that only logs which of them are in other hands, and starts without them. */
export function addressTest(service: string, addresses: readonly OwnAddress[]): Guard {
  const tests = addresses.map(({ address, by = 'tcp udp' }) => free(address, by, `${service} would go on without`))
  return configTest(`test of ${addresses.map(({ address }) => address).join(', ')}`, lines(begin(service), ...tests))
}

function begin(service: string): Script {
  return sh`PATH=$PATH:/usr/sbin:/sbin own=
no() { printf '%s\n' "$1" >&2; exit 1; }
v=${service}`
}

function existing(table: string, what: string, name: string): Script {
  return sh`getent ${table} -- ${name} >/dev/null || no ${`There is no ${what} ${name} on this host, to own the socket.`}`
}

/** What is in the place of a path; or whether the host has an address of IP. */
function place(address: string): Script {
  if (address.startsWith('@')) return sh`:`
  if (address.startsWith('/')) {
    const found = `${address} is there and is no socket: systemd would remove it.`
    return sh`if [ -L ${address} ] || { [ -e ${address} ] && [ ! -S ${address} ]; }; then no ${found}; fi`
  }
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  if (host === '::' || host === '0.0.0.0') return sh`:`
  const anyway = `/proc/sys/net/${host.includes(':') ? 'ipv6' : 'ipv4'}/ip_nonlocal_bind`
  return sh`if command -v ip >/dev/null && [ "$(cat ${anyway} 2>/dev/null)" != 1 ]; then
  case $(ip -o route get ${host} 2>/dev/null) in local\ *) ;; *) no ${`${host} is no address of this host.`} ;; esac
fi`
}

/** A unit keeps what it has, and its service is stopped before the unit gets the address. */
function free(address: string, by: string, so: string): Script {
  return sh`holders=$(ss -Hlxtunp 2>/dev/null | awk -v a=${address} -v by=${by} ${holding}) || exit
while read -r pid name held; do
  [ -n "$pid" ] || continue
  case $pid in
    1) case " $own" in *" $held (Stream)"* | *"
$held (Stream)"*) continue ;; esac ;;
    *) ! grep -q -e "/$v\$" -e "/$v/" /proc/$pid/cgroup 2>/dev/null || continue ;;
  esac
  no "$held is held by $name (process $pid), so "${`${so} ${address}.`}
done <<END
$holders
END`
}

/** One line for each process that has a socket with which the address `a` would clash: its number, its name, what it holds. */
const holding = String.raw`
function hostOf(x) { sub(/:[0-9]+$/, "", x); return x }
function portOf(x) { sub(/.*:/, "", x); return x }
function isAny(h) { return h == "*" || h == "[::]" || h == "0.0.0.0" }
function isSix(h) { return h ~ /^[[*]/ }
function isFour(h) { return h !~ /^\[/ }
function clash(x,   h, g) {
  if (portOf(x) != portOf(a)) return 0
  h = hostOf(x); g = hostOf(a)
  if (g == "[::]") g = "*"
  return (h == g || isAny(h) || isAny(g)) && (isSix(h) && isSix(g) || isFour(h) && isFour(g))
}
{
  held = ""
  if (index(by, $1) > 0 && a ~ /^[^\/@]/) { x = $5; sub(/%[^:\]]+/, "", x); if (clash(x)) held = x; sub(/^\*/, "[::]", held) }
  if ($1 == "u_str" && index($0, " " a " ") > 0) held = a
  if (held == "") next
  rest = $0
  while (match(rest, /\("[^"]*",pid=[0-9]+,/)) {
    one = substr(rest, RSTART + 2, RLENGTH - 3)
    rest = substr(rest, RSTART + RLENGTH)
    name = one; sub(/".*/, "", name); gsub(/ /, "_", name)
    pid = one; sub(/.*pid=/, "", pid)
    print pid, name, held
  }
}
`
