/** Facts that cost a trip and a few processes: read only for a play that looks at one. */

import { sh } from '../shell/script.ts'
import { Probe } from './probe.ts'

export interface DetailedFacts {
  /**
   * What the host runs in, in the words of systemd-detect-virt(1): `kvm`, `amazon`, `lxc`, `docker`, `uml`; `none` for a
   * machine of its own, undefined where the host cannot tell.
   */
  readonly virtualization: string | undefined
  /** Network interfaces, the loopback among them, in the order of their names. */
  readonly interfaces: readonly NetworkInterface[]
  readonly software: Software
}

export interface NetworkInterface {
  readonly name: string
  /** `02:00:00:00:00:01`; undefined where it has none. */
  readonly mac: string | undefined
  readonly mtu: number
  /** In the kernel's words: `up`, `down`, `dormant`, `lowerlayerdown`; `unknown` for the loopback and for tunnels. */
  readonly state: string
  /** With the length of their prefix: `10.0.3.11/24`, `fe80::1/64`. */
  readonly addresses: readonly string[]
}

/** Versions of what is installed, by their programs; undefined where there is none. */
export interface Software {
  /** `1.22.1` */
  readonly nginx: string | undefined
  /** Each that is installed, in order, as its packages, units and folders are called: `8.2`. */
  readonly php: readonly string[]
  /** `9.7.4`, of Oracle's server. */
  readonly mysql: string | undefined
  /** `10.11.18` */
  readonly mariadb: string | undefined
  /** `7.0.15` */
  readonly redis: string | undefined
  /** `2.6.12` */
  readonly haproxy: string | undefined
  /** `252` */
  readonly systemd: string | undefined
}

/**
 * One process for each program that is installed, and one for the addresses. The programs are asked themselves, and not the
 * package manager: they may come from anywhere. What cannot be told is undefined, and no failure.
 */
export const detailedFacts: Probe<DetailedFacts> = Probe.script(
  sh`PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
has() { command -v "$1" >/dev/null; }
exec 2>/dev/null
echo '# virtualization'
if has systemd-detect-virt; then systemd-detect-virt
elif [ -e /.dockerenv ]; then echo docker
elif [ -e /run/.containerenv ]; then echo podman
fi
echo '# interfaces'
for i in /sys/class/net/*; do
  [ -r "$i/mtu" ] || continue
  mac= mtu= state=
  read -r mac <"$i/address"
  read -r mtu <"$i/mtu"
  read -r state <"$i/operstate"
  printf '%s %s %s %s\n' "$i" "$mtu" "$state" "$mac"
done
echo '# addresses'
! has ip || ip -o addr
echo '# nginx'
! has nginx || nginx -v 2>&1
echo '# haproxy'
! has haproxy || haproxy -v
echo '# redis'
! has redis-server || redis-server --version
echo '# database'
if has mariadbd; then mariadbd --version; elif has mysqld; then mysqld --version; fi
echo '# systemd'
! has systemctl || systemctl --version
echo '# php'
named=
for p in /usr/bin/php[0-9]*.[0-9]* /usr/sbin/php-fpm[0-9]*.[0-9]*; do
  [ ! -x "$p" ] || { printf '%s\n' "$p"; named=yes; }
done
if [ "$named" ]; then :; elif has php; then php -v; elif has php-fpm; then php-fpm -v; fi
exit 0`,
  ({ stdout }) => parseDetailedFacts(stdout.toString()),
  { aside: true },
)

function parseDetailedFacts(text: string): DetailedFacts {
  const parts = new Map(
    text
      .split(/^# /m)
      .slice(1)
      .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)] as const),
  )
  const lines = (name: string) => (parts.get(name) ?? '').split('\n').filter(Boolean)
  const version = (name: string, pattern: RegExp) => pattern.exec(parts.get(name) ?? '')?.[1]
  const database = version('database', /Ver (\d[\d.]*)/)
  const isMaria = /MariaDB/.test(parts.get('database') ?? '')
  return {
    virtualization: lines('virtualization')[0],
    interfaces: lines('interfaces').flatMap((line) => networkInterface(line, lines('addresses'))),
    software: {
      nginx: version('nginx', /^nginx version: [^/\s]+\/(\d[\d.]*)/m),
      php: phpVersions(parts.get('php') ?? ''),
      mysql: isMaria ? undefined : database,
      mariadb: isMaria ? database : undefined,
      redis: version('redis', /\bv=(\d[\d.]*)/),
      haproxy: version('haproxy', /^HA-?Proxy version (\d+(?:\.\d+)+)/m),
      systemd: version('systemd', /^systemd (\d+)/m),
    },
  }
}

/** `/sys/class/net/eth0 1500 up 02:00:00:00:00:01`, and of the addresses those lines that are its own. */
function networkInterface(line: string, addresses: readonly string[]): NetworkInterface[] {
  const [, name, mtu, state, mac] = /^\/sys\/class\/net\/(\S+) (\d+) (\w+) (\S*)$/.exec(line) ?? []
  if (name === undefined) return []
  const isNone = mac === '' || /^[0:.]+$/.test(mac!)
  return [
    {
      name,
      mac: isNone ? undefined : mac,
      mtu: Number(mtu),
      state: state!,
      addresses: addresses.flatMap((said) => addressOf(said, name)),
    },
  ]
}

/** `2: eth0    inet 10.0.3.11/24 brd …`; of a tunnel `inet 10.0.0.1 peer 10.0.0.2/32`. */
function addressOf(line: string, name: string): string[] {
  const [, device, address, length] =
    /^\d+: (\S+?)(?:@\S+)?:?\s+inet6? ([^\s/]+)(?: peer [^\s/]+)?\/(\d+) /.exec(line) ?? []
  return device === name ? [`${address}/${length}`] : []
}

/** By the names of Debian's programs; where there are none with a version in their name, by what `php -v` says. */
function phpVersions(text: string): readonly string[] {
  const found = [...text.matchAll(/(?:\/php(?:-fpm)?|^PHP )(\d+\.\d+)(?=[\n.])/gm)].map(([, version]) => version!)
  const order = (version: string) => version.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0)
  return [...new Set(found)].toSorted((a, b) => order(a) - order(b))
}
