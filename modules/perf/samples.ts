/** Samples of what runs on a host, taken by perf(1) and folded there: stacks travel, not records. */

import type { Resource } from '../../dsl/resource.ts'
import { type Output, Probe, unparsable } from '../../probe/probe.ts'
import { type Script, sh } from '../../shell/script.ts'
import type { Stack } from './flame-graph.ts'

/** What is looked at: all processes of a unit, or one process with its threads. */
export type Target = { readonly unit: string } | { readonly pid: number }

export type Samples = Sampled | Lacking

export interface Sampled {
  /** What perf counted: `cycles:P`, or a clock where there are no hardware counters. */
  readonly event: string
  readonly samples: number
  /** The most frequent first. What is rarer than can travel is not there, but counted. */
  readonly stacks: readonly Stack[]
}

export interface Lacking {
  /** Why there are no samples. */
  readonly lacks: 'kernel' | 'perf' | 'unit' | 'process' | 'permission'
  /** What perf said, where it was asked. */
  readonly said: string
}

/** What runs for so many seconds. It can only be looked at. */
export function samplesOf(target: Target, seconds: number): Resource<Samples> {
  const name = 'unit' in target ? target.unit : `process ${target.pid}`
  return {
    key: `perf:${name} for ${seconds} s`,
    read: Probe.script(sampling(target, seconds), parse, { aside: true }),
    show: (value) => ('lacks' in value ? 'none' : `${value.samples} samples`),
  }
}

/** Samples a second: not a whole multiple of what a kernel does a hundred times a second. */
export const frequency = 99

/** The most that travels, in bytes: of what is rare, only the number. */
const most = 400_000

/**
 * A kernel without perf_event_open has no `perf_event_paranoid`; how perf ends there differs by version, and `perf stat` of 6.1 even
 * ends with 0 and counts nothing, so perf is not asked. perf records with the processor's counters or with a clock as it can;
 * where it does not fall back by itself, it is told to. It leaves nothing behind: neither data, nor copies of programs in `~/.debug`,
 * and it asks no server for their symbols.
 */
function sampling(target: Target, seconds: number): Script {
  return sh`d= pids=
no() {
  printf 'lacks %s\n' "$1"
  [ ! -s "$d/said" ] || grep -v '^ *$' "$d/said" | head -n 12
  exit 0
}
[ -e /proc/sys/kernel/perf_event_paranoid ] || no kernel
command -v perf >/dev/null || no perf
${'unit' in target ? ofUnit(target.unit) : ofProcess(target.pid)}
trap 'rm -rf -- "$d"' EXIT
trap 'exit 1' HUP INT TERM
d=$(mktemp -d) || exit
export HOME="$d" DEBUGINFOD_URLS=
record() { perf record -N -q -F ${frequency} -g -o "$d/data" "$@" -p "$pids" -- sleep ${seconds} >"$d/said" 2>&1; }
record || record -e cpu-clock || record -e task-clock || no permission
printf 'event '
perf evlist -i "$d/data" 2>/dev/null | head -n 1
perf script -i "$d/data" --no-inline -F comm,ip,sym,dso 2>/dev/null | awk ${fold} >"$d/folded" || exit
grep '^samples ' "$d/folded"
grep -v '^samples ' "$d/folded" | sort -k 1,1rn -k 2 | awk -v most=${most} '{ n += length($0) + 1; if (n > most) exit; print }'
exit 0`
}

/** Its processes are found by their control group, which both versions of those have in the same file. */
function ofUnit(unit: string): Script {
  return sh`g=$(systemctl show --property=ControlGroup --value -- ${unit}) || exit
[ -n "$g" ] || no unit
for p in /proc/[0-9]*; do
  while IFS= read -r l; do
    case $l in *:"$g" | *:"$g"/*) pids=$pids,$${sh`{p#/proc/}`}; break ;; esac
  done 2>/dev/null <"$p/cgroup"
done
pids=$${sh`{pids#,}`}
[ -n "$pids" ] || no unit`
}

function ofProcess(pid: number): Script {
  return sh`pids=${pid}
[ -d "/proc/$pids" ] || no process`
}

/**
 * One line a stack, the outermost frame first, as flame graphs are commonly made of them: `12 php-fpm;main;execute_ex`.
 * perf writes the name of the program, then the frames from the innermost on, each `ADDRESS SYMBOL (FILE)`, then an empty line.
 * Frames without a symbol are those of their file, and several of one file are one.
 */
const fold = String.raw`
function done() { if (comm != "") { count[comm stack]++; total++ } comm = ""; stack = ""; before = "" }
/^[ \t]*$/ { done(); next }
/^[^\t]/ { done(); sub(/[ \t]+$/, ""); sub(/^ +/, ""); comm = $0; gsub(/;/, ":", comm); next }
{
  sub(/^[ \t]+[0-9a-f]+ /, "")
  sub(/ \(deleted\)\)$/, ")")
  file = ""
  name = $0
  if (match($0, / \([^()]*\)$/)) { file = substr($0, RSTART + 2, RLENGTH - 3); name = substr($0, 1, RSTART - 1) }
  kernel = file ~ /^\[/ && file !~ /^\[(unknown|vdso|vsyscall|heap|stack|anon)/
  if (name == "[unknown]" && file !~ /^\[/ && file != "") { sub(/.*\//, "", file); name = "[" file "]" }
  gsub(/;/, ":", name)
  name = substr(name, 1, 160) (kernel ? "_[k]" : "")
  if (name == before && name ~ /^\[/) next
  before = name
  stack = ";" name stack
}
END { done(); print "samples " total + 0; for (s in count) print count[s] " " s }
`

function parse(output: Output): Samples {
  const [first = '', ...rest] = output.stdout.toString().split('\n')
  const lacks = /^lacks (kernel|perf|unit|process|permission)$/.exec(first)?.[1]
  if (lacks) return { lacks: lacks as Lacking['lacks'], said: rest.join('\n').trim() }
  const event = /^event (\S+)$/.exec(first)?.[1]
  const samples = /^samples (\d+)$/.exec(rest[0] ?? '')?.[1]
  if (output.status !== 0 || event === undefined || samples === undefined)
    throw unparsable('the samples of perf', output)
  return { event, samples: Number(samples), stacks: rest.slice(1).flatMap(stackOf) }
}

function stackOf(line: string): readonly Stack[] {
  const [, samples, frames] = /^(\d+) (.+)$/.exec(line) ?? []
  return frames === undefined ? [] : [{ frames: frames.split(';'), samples: Number(samples) }]
}
