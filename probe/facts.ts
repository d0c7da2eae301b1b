/** What is known of every host: read with the greeting, by the shell itself, at no trip and hardly a fork. */

import { Failure } from '../errors/failure.ts'
import { sh } from '../shell/script.ts'
import type { DetailedFacts, Software } from './detailed-facts.ts'

/** What comes with the greeting. */
export interface BaseFacts {
  readonly hostname: string
  readonly os: {
    /** `debian`, `ubuntu`, `alpine`; `linux` where the host does not say. */
    readonly id: string
    /** `12`, `24.04`; undefined for rolling releases such as Debian sid. */
    readonly version: string | undefined
    readonly codename: string | undefined
    /** The name for a reader: `Debian GNU/Linux 12 (bookworm)`. */
    readonly name: string
  }
  /** Release of the kernel: `6.1.0-28-amd64`. */
  readonly kernel: string
  /** Machine of the kernel: `x86_64`, `aarch64`. */
  readonly architecture: string
  /** Processors that are online. */
  readonly processors: number
  /** Memory in bytes. */
  readonly memory: number
  /** Whether systemd runs as the first process. */
  readonly systemd: boolean
  /** The interface of the default route; undefined where there is none. */
  readonly defaultInterface: string | undefined
  /** As who the session runs. */
  readonly user: string
  readonly group: string
}

/** What a play may know of a host. The detailed ones are read, in one trip more, when a play looks at one of them. */
export interface Facts extends BaseFacts, DetailedFacts {}

/** Some facts of a host, as tests and simulated inventories say them. */
export type SomeFacts = Partial<Omit<Facts, 'software'>> & { readonly software?: Partial<Software> }

/** The same facts, but one that is missing is refused in the plan, with its name. */
export type Needed<T> = { readonly [K in keyof T]-?: K extends 'software' ? NeededSoftware : NonNullable<T[K]> }

export type NeededSoftware = {
  readonly [K in keyof Software]: Software[K] extends readonly string[] ? readonly [string, ...string[]] : string
}

export type FactsWithNeed = Facts & { readonly need: Needed<Facts> }

/**
 * The script that a session runs with its greeting. Of the kernel's tables only the default routes are told: a router
 * has many more.
 */
export const factsScript: string = sh`tell() {
  echo "# $1"
  [ -r "$2" ] || return 0
  while IFS= read -r l || [ -n "$l" ]; do case $l in $3) printf '%s\n' "$l"; [ "$4" ] || break ;; esac; done <"$2"
}
if [ -r /etc/os-release ]; then tell os /etc/os-release '[A-Z]*=*' all; else tell os /usr/lib/os-release '[A-Z]*=*' all; fi
tell hostname /proc/sys/kernel/hostname '*'
tell kernel /proc/sys/kernel/osrelease '*'
if [ -r /proc/sys/kernel/arch ]; then tell architecture /proc/sys/kernel/arch '*'; else echo '# architecture'; uname -m; fi
tell processors /sys/devices/system/cpu/online '*'
tell memory /proc/meminfo 'MemTotal:*'
tell routes /proc/net/route '*	00000000	*' all
tell routes6 /proc/net/ipv6_route '00000000000000000000000000000000 00 *' all
echo '# systemd'
[ ! -d /run/systemd/system ] || echo yes
echo '# user'
while read -r k v l; do [ "$k" != Uid: ] || break; done </proc/self/status
if [ "$v" = 0 ]; then printf 'root\nroot\n'
else
  # For a number without a name GNU id prints the number and fails.
  u=$(id -un 2>/dev/null) g=$(id -gn 2>/dev/null)
  [ "$u" ] || u=$(id -u)
  [ "$g" ] || g=$(id -g)
  printf '%s\n' "$u" "$g"
fi`.text

export function parseFacts(greeting: Buffer): BaseFacts {
  const parts = new Map<string, string[]>()
  let part: string[] = []
  for (const line of greeting.toString().split('\n')) {
    const [, name] = /^# (\w+)$/.exec(line) ?? []
    if (name) parts.set(name, (part = []))
    else part.push(line)
  }
  const first = (name: string) => parts.get(name)?.[0] || undefined
  const os = new Map((parts.get('os') ?? []).flatMap(assignment))
  const [user, group] = parts.get('user') ?? []
  if (!user || !group) {
    throw new Failure('E_GREETING', 'The host did not say as who the session runs.', {
      seen: { command: 'the greeting', status: undefined, output: greeting.toString().slice(-500) },
    })
  }
  return {
    hostname: first('hostname') ?? 'unknown',
    os: {
      id: os.get('ID') ?? 'linux',
      version: os.get('VERSION_ID'),
      codename: os.get('VERSION_CODENAME'),
      name: os.get('PRETTY_NAME') ?? 'Linux',
    },
    kernel: first('kernel') ?? 'unknown',
    architecture: first('architecture') ?? 'unknown',
    processors: countRanges(first('processors') ?? '0'),
    memory: Number(/MemTotal:\s+(\d+) kB/.exec(first('memory') ?? '')?.[1] ?? 0) * 1024,
    systemd: first('systemd') === 'yes',
    defaultInterface: defaultRoute(parts.get('routes') ?? []) ?? defaultRoute6(parts.get('routes6') ?? []),
    user,
    group,
  }
}

/** Facts, and in the place of some of them those that are said. */
export function withSome(facts: Facts, some: SomeFacts = {}): Facts {
  return { ...facts, ...some, software: { ...facts.software, ...some.software } }
}

/** Facts whose `need` refuses what is missing. */
export function withNeed(facts: Facts): FactsWithNeed {
  const need = needed(facts, '', (name) => (name === 'software' ? needed(facts.software, 'software.') : undefined))
  // What is read only when it is looked at is not looked at here.
  const all = { ...Object.getOwnPropertyDescriptors(facts), need: { value: need, enumerable: false } }
  return Object.defineProperties({}, all) as FactsWithNeed
}

function needed<T extends object>(facts: T, within: string, inner?: (name: string | symbol) => unknown): Needed<T> {
  const get = (target: T, name: string | symbol): unknown => {
    const value = inner?.(name) ?? target[name as keyof T]
    const isMissing = value === undefined || (Array.isArray(value) && value.length === 0)
    if (!isMissing || typeof name === 'symbol') return value
    throw new Failure('E_FACT_MISSING', `The play needs the fact ${within}${name}, which this host does not have.`)
  }
  return new Proxy(facts, { get }) as unknown as Needed<T>
}

/** `ID=debian`, `NAME="Debian GNU/Linux"`: shell assignments, of which os-release uses the plain and quoted forms. */
function assignment(line: string): [string, string][] {
  const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? []
  const text = value?.replace(/^(["'])(.*)\1$/, '$2').replace(/\\(.)/g, '$1')
  return name && text ? [[name, text]] : []
}

/** `0-3,5` are five processors. */
function countRanges(text: string): number {
  return text
    .split(',')
    .map((range) => range.split('-').map(Number))
    .reduce((sum, [from = 0, to = from]) => sum + to - from + 1, 0)
}

/** A flag of a route that leads nowhere. */
const rejects = 0x200

/** The interface of the default route with the lowest metric: the kernel's table has one for each of several. */
function defaultRoute(lines: readonly string[]): string | undefined {
  const routes = lines.map((line) => line.split('\t').map((field) => field.trim()))
  return routes
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')
    .map(([name, , , flags, , , metric]) => ({ name: name!, flags: Number(`0x${flags}`), metric: Number(metric) }))
    .filter(({ name, flags }) => name !== '*' && (flags & rejects) === 0)
    .toSorted((a, b) => a.metric - b.metric)[0]?.name
}

/** The same of IPv6, for a host that has nothing else. All its numbers are hexadecimal. */
function defaultRoute6(lines: readonly string[]): string | undefined {
  return lines
    .map((line) => line.trim().split(/\s+/))
    .map((fields) => ({ name: fields[9]!, flags: Number(`0x${fields[8]}`), metric: Number(`0x${fields[5]}`) }))
    .filter(({ name, flags }) => name !== undefined && name !== 'lo' && (flags & rejects) === 0)
    .toSorted((a, b) => a.metric - b.metric)[0]?.name
}
