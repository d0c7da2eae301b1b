/** A parameter of the running kernel, below /proc/sys. */

import type { Resource } from '../dsl/resource.ts'
import type { Parsed } from '../dsl/units.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import { type Collector, Probe, unparsable } from '../probe/probe.ts'
import { type Script, sh } from '../shell/script.ts'
import { kindOf, oneSpaced, type SysctlKey } from './sysctl-keys.ts'

/** A value as the kernel prints it, blanks as single spaces; or why there is none, or none to set. */
export type KernelValue =
  | string
  /** The kernel has no such key; the one that it has, and whose name is nearest. */
  | { readonly type: 'absent'; readonly nearest?: string }
  /** The user who reads may not write it; nobody may where that is root. */
  | { readonly type: 'read-only'; readonly value: string }
  /** It can be written, and what it has cannot be read: `net.ipv4.route.flush`. */
  | { readonly type: 'write-only' }

/**
 * The value of a kernel parameter, now.
 *
 * @example
 * mockHost('web1').has(kernelParameter('net.core.rmem_max'), '212992')
 */
export function kernelParameter(key: SysctlKey): Resource<KernelValue> {
  const name = keyName(key)
  if (isProblem(name)) throw new Failure('E_PLAY_INVALID', name.problem)
  const fresh = kindOf(name)?.fresh
  return {
    key: `sysctl:${name}`,
    read: Probe.of(parameters, name),
    write: (to) => write(name, to),
    show: showKernelValue,
    ...(fresh !== undefined && { fresh }),
  }
}

/**
 * The one name of a key. Its separators are dots, and a dot in an interface's name is a slash, as `sysctl -a` prints it;
 * a name with slashes first is taken as a path below /proc/sys.
 */
export function keyName(key: string): Parsed<string> {
  const shown = JSON.stringify(key)
  if (/[*?[]/.test(key)) return { problem: `${shown} is a pattern; say the keys one by one` }
  const separator = /[./]/.exec(key)?.[0]
  const name = separator === '/' ? swapped(key) : key
  const steps = name.split('.')
  const isPath = steps.length > 1 && steps.every((step) => /^[^\s=#;\0]+$/.test(step) && !/^\/|\/$|\/\//.test(step))
  if (isPath && !/^[-/]/.test(name)) return name
  return { problem: `${shown} is not the name of a kernel parameter, such as net.core.rmem_max` }
}

function showKernelValue(value: KernelValue): string {
  if (typeof value === 'string') return value === '' ? 'empty' : value
  return value.type === 'read-only' ? `${value.value} (read-only)` : value.type
}

/**
 * The shell's own `read` takes a byte at a time, of which /proc/sys answers only the first (dash and ash read 4 for 4194304);
 * so one `grep` reads them all. The first line has a letter for each key; the names that the kernel has follow where one is missing.
 */
const parameters: Collector<string, KernelValue> = {
  name: 'sysctl',
  ask: (names) => sh`[ -d /proc/sys ] || { echo '/proc/sys is not there' >&2; exit 1; }
set -- ; near=
for k in ${names.map(swapped)}; do
  p=/proc/sys/$k
  if [ -d "$p" ] || [ ! -e "$p" ]; then printf a
    case $k in
      */conf/*|*/neigh/*) while [ ! -d "$p" ]; do p=$(dirname "$p"); done ;;
      *) p=/proc/sys ;;
    esac
    case " $near " in *" $p "*) ;; *) near="$near $p" ;; esac
  elif [ ! -r "$p" ]; then printf w
  else set -- "$@" "$p"; if [ -w "$p" ]; then printf t; else printf r; fi
  fi
done
echo
[ $# -eq 0 ] || grep -sHm1 '' -- "$@"
for d in $near; do
  echo '?'
  case $d in /proc/sys) find "$d" -path '/proc/sys/net/*/conf' -prune -o -path '/proc/sys/net/*/neigh' -prune -o -type f -print ;; *) find "$d" -type f ;; esac
done 2>/dev/null
exit 0`,
  answers(output, names) {
    const [letters = '', ...rest] = output.stdout.toString().split('\n')
    if (output.status !== 0 || letters.length !== names.length) throw unparsable('sysctl', output)
    const end = rest.indexOf('?')
    const values = new Map((end < 0 ? rest : rest.slice(0, end)).map(valueLine))
    const known =
      end < 0 ? [] : rest.slice(end).flatMap((line) => (line.startsWith('/proc/sys/') ? swapped(line.slice(10)) : []))
    return names.map((name, i) => {
      if (letters[i] === 'a') return absent(name, known)
      const value = values.get(name)
      if (value === undefined) return { type: 'write-only' }
      return letters[i] === 'r' ? { type: 'read-only', value } : value
    })
  },
}

function absent(name: string, known: readonly string[]): KernelValue {
  const near = nearest(name, known)
  return near === undefined ? { type: 'absent' } : { type: 'absent', nearest: near }
}

function valueLine(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [swapped(line.slice('/proc/sys/'.length, colon)), oneSpaced(line.slice(colon + 1))]
}

/** A key as a path below /proc/sys, and back. */
function swapped(name: string): string {
  return name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))
}

/** One write, so that the kernel takes it whole; `tee` tells why the kernel refuses, which a shell's own `printf` does not. */
function write(name: string, to: KernelValue): Script {
  const value = typeof to === 'string' ? to : 'value' in to ? to.value : ''
  return sh`e=$(printf '%s\n' ${value} | tee -- ${`/proc/sys/${swapped(name)}`} 2>&1 >/dev/null) || {
  case $e in *'No such file or directory') e="$e (the kernel has nothing of that name, not in a module either)" ;; esac
  printf '%s %s\n' ${`The kernel refused ${JSON.stringify(value)} for ${name}:`} "$e" >&2
  exit 1
}`
    .called(`write ${value} to /proc/sys/${swapped(name)}`)
    .touches(...moved(name))
}

/** Keys that follow another one. */
function moved(name: string): readonly string[] {
  if (name === 'net.ipv4.ip_forward') return ['sysctl:net.ipv4.conf.*']
  if (name === 'net.ipv4.conf.all.forwarding') return ['sysctl:net.ipv4.conf.*', 'sysctl:net.ipv4.ip_forward']
  if (/^net\.ipv6\.conf\.all\.(forwarding|disable_ipv6)$/.test(name)) return ['sysctl:net.ipv6.conf.*']
  // A socket that listens keeps the limit that it was opened with.
  if (name === 'net.core.somaxconn') return ['socket:*']
  return []
}
