/** What is known of every host: read with the greeting, by the shell itself, at no trip and hardly a fork. */

import { Failure } from '../errors/failure.ts'
import { sh } from '../shell/script.ts'

export interface Facts {
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

/** The same facts, but one that is missing is refused in the plan, with its name. */
export type Needed<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> }

export type FactsWithNeed = Facts & { readonly need: Needed<Facts> }

/** The script that a session runs with its greeting. */
export const factsScript: string = sh`f() { echo "# $1"; [ -r "$2" ] && while IFS= read -r l || [ -n "$l" ]; do printf '%s\n' "$l"; done <"$2"; }
one() { echo "# $1"; [ -r "$2" ] && IFS= read -r l <"$2" && printf '%s\n' "$l"; }
if [ -r /etc/os-release ]; then f os /etc/os-release; else f os /usr/lib/os-release; fi
one hostname /proc/sys/kernel/hostname
one kernel /proc/sys/kernel/osrelease
if [ -r /proc/sys/kernel/arch ]; then one architecture /proc/sys/kernel/arch; else echo '# architecture'; uname -m; fi
one processors /sys/devices/system/cpu/online
one memory /proc/meminfo
f routes /proc/net/route
echo '# systemd'; [ -d /run/systemd/system ] && echo yes
echo '# user'
while read -r k v _; do [ "$k" = Uid: ] && break; done </proc/self/status
if [ "$v" = 0 ]; then echo 'root root'; else echo "$(id -un) $(id -gn)"; fi`.text

export function parseFacts(greeting: Buffer): Facts {
  const parts = new Map<string, string[]>()
  let part: string[] = []
  for (const line of greeting.toString().split('\n')) {
    const [, name] = /^# (\w+)$/.exec(line) ?? []
    if (name) parts.set(name, (part = []))
    else part.push(line)
  }
  const first = (name: string) => parts.get(name)?.[0] || undefined
  const os = new Map((parts.get('os') ?? []).flatMap(assignment))
  const [user, group] = (first('user') ?? '').split(' ')
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
    defaultInterface: defaultRoute(parts.get('routes') ?? []),
    user,
    group,
  }
}

/** Facts whose `need` refuses what is missing. */
export function withNeed(facts: Facts): FactsWithNeed {
  const need = new Proxy(facts, {
    get(target, name) {
      const value = target[name as keyof Facts]
      if (value !== undefined || typeof name === 'symbol') return value
      throw new Failure('E_FACT_MISSING', `The play needs the fact ${name}, which this host does not have.`)
    },
  })
  return { ...facts, need: need as Needed<Facts> }
}

/** `ID=debian`, `NAME="Debian GNU/Linux"`: shell assignments, of which os-release uses the plain and quoted forms. */
function assignment(line: string): [string, string][] {
  const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? []
  return name ? [[name, value!.replace(/^(["'])(.*)\1$/, '$2').replace(/\\(.)/g, '$1')]] : []
}

/** `0-3,5` are five processors. */
function countRanges(text: string): number {
  return text
    .split(',')
    .map((range) => range.split('-').map(Number))
    .reduce((sum, [from = 0, to = from]) => sum + to - from + 1, 0)
}

/** The kernel's table has hexadecimal addresses, and a metric for each of several default routes. */
function defaultRoute(lines: readonly string[]): string | undefined {
  return lines
    .map((line) => line.split('\t'))
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask?.startsWith('00000000'))
    .sort((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0]
}
