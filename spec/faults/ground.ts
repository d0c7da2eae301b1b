/** What is on a host before and after, seen by find, sha256sum and ps; and the way back to how it was before the play. */

import type { Machine } from './machine.ts'
import type { Role } from './roles.ts'

/** Of each path its type, mode, owner, link and digest. */
export type Tree = ReadonlyMap<string, string>

/** Everything that bears on a disturbed run. */
export interface Seen {
  readonly tree: Tree
  /** Names that only an unfinished script leaves beside a place. */
  readonly aside: readonly string[]
  /** Folders of sessions. */
  readonly sessions: readonly string[]
  /** What the host has on record as due. */
  readonly pending: readonly string[]
  /** Daemons that run with something older than what is on the disk. */
  readonly stale: readonly string[]
}

const folders = '/etc /srv /usr/local /var/spool /var/lib'
const apart =
  '/etc/ssl /srv/wordpress/wp-includes /srv/wordpress/wp-admin /var/lib/dpkg /var/lib/apt /var/lib/systemd /var/lib/mysql /var/lib/redis /var/lib/haproxy /var/lib/php /var/lib/fleetplay'
const found = `find ${folders} -xdev \\( ${apart
  .split(' ')
  .map((path) => `-path ${path}`)
  .join(' -o ')} \\) -prune -o`

/** What useradd and its like leave of the file before, and their lock. */
const leftByTools = /^\/etc\/(passwd|shadow|group|gshadow|subuid|subgid)-$|^\/etc\/\.pwd\.lock$/
/** Written by useradd and its like, in several steps, each whole. */
export const accountFiles = /^\/etc\/(passwd|shadow|group|gshadow|subuid|subgid)$/

/** Processes on standard input, as the seconds since 1970 at which they started. */
const started = `started() {
  read -r up rest </proc/uptime
  now=$(date +%s.%N)
  while read -r pid; do
    [ -r "/proc/$pid/stat" ] && awk -v up="$up" -v now="$now" '{ sub(/.*[)] /, ""); printf "%.2f\\n", now - up + $20 / 100 }' "/proc/$pid/stat"
  done
}
`

export async function look(machine: Machine, { daemons }: Role): Promise<Seen> {
  const stale = Object.entries(daemons).map(
    ([unit, { files, read }]) => `if systemctl is-active -q ${unit}; then
  read=$(${read})
  find ${files} -maxdepth 0 -type f -printf '%C@ %p\\n' 2>/dev/null | awk -v read="$read" '$1 > read + 0.05 { print "${unit} of " read ": " $2 " of " $1 }'
fi`,
  )
  const text = await machine.on(`${started}
${found} -printf '%p\\t%y %m %u:%g %l\\n'
echo ==
${found} -type f -print0 | xargs -0 sha256sum
echo ==
for d in /run/fleetplay.* /dev/shm/fleetplay.* /tmp/fleetplay.*; do [ ! -e "$d" ] || echo "$d"; done
echo ==
[ ! -d /var/lib/fleetplay/pending ] || find /var/lib/fleetplay/pending -name '*.json' -exec sed 's/.*"name":"\\([^"]*\\)".*/\\1/' {} +
echo ==
${stale.join('\n')}
pwck -rq; grpck -r 2>&1 | grep -v 'no changes'
true`)
  const [listed = '', sums = '', sessions = '', pending = '', old = ''] = text.split(/^==$/m).map((part) => part.trim())
  const digest = new Map(lines(sums).map((line) => [line.slice(66), line.slice(0, 16)]))
  const entries = lines(listed).map((line): [string, string] => {
    const [path = '', what = ''] = line.split('\t')
    return [path, `${what.trim()} ${digest.get(path) ?? ''}`.trim()]
  })
  const aside = ([path]: readonly [string, string]) => path.includes('/.fleetplay.')
  return {
    tree: new Map(entries.filter((entry) => !aside(entry) && !leftByTools.test(entry[0]))),
    aside: entries.filter(aside).map(([path]) => path),
    sessions: lines(sessions),
    pending: lines(pending),
    stale: lines(old),
  }
}

/** Paths at which a tree is neither as one of the others has it. */
export function torn(now: Tree, before: Tree, desired: Tree): readonly string[] {
  const paths = new Set([...now.keys(), ...before.keys(), ...desired.keys()])
  return [...paths]
    .filter((path) => {
      const is = now.get(path)
      return is !== before.get(path) && is !== desired.get(path) && !(is !== undefined && accountFiles.test(path))
    })
    .map((path) => `${path}: ${now.get(path)}, and not ${before.get(path)} or ${desired.get(path)}`)
}

/** Makes the host remember how everything is, before the play is first run. */
export async function remember(machine: Machine): Promise<void> {
  await machine.on(
    'tar -cf /root/before.tar -C / etc srv/wordpress/wp-content srv/wordpress/wp-config.php usr/local var/spool 2>/dev/null; true',
  )
}

/** A script that makes a host what it was before the play, of which it knows now what it changes. */
export async function wayBack(machine: Machine, { end, forget }: Role, before: Tree, desired: Tree): Promise<string> {
  const paths = [...new Set([...before.keys(), ...desired.keys()])].filter(
    (path) => before.get(path) !== desired.get(path),
  )
  const made = paths
    .filter((path) => !before.has(path))
    .toSorted()
    .toReversed()
  await machine.on('cat >/root/made', made.map((path) => `${path}\0`).join(''))
  await machine.on(
    'cat >/root/had',
    paths
      .filter((path) => before.has(path))
      .map((path) => `${path.slice(1)}\n`)
      .join(''),
  )
  await machine.on(
    'mkdir /root/had.d && tar -xf /root/before.tar -C /root/had.d -T /root/had && tar -cf /root/before.tar -C /root/had.d -T /root/had',
  )
  return `{ ${end || ':'}
} 2>/dev/null
xargs -0r rm -rf </root/made
tar -xf /root/before.tar -C / || exit
rm -rf /var/lib/fleetplay
find ${folders} -xdev -name '.fleetplay.*' -delete
${forget}
sync`
}

const lines = (text: string): readonly string[] => text.split('\n').filter(Boolean)
