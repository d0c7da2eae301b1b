/** What opcache is in a running master: what it loaded when it started, not what files say that it should. */

import { knownAfterApply } from '../../dsl/known-after.ts'
import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { type Collector, Probe, unparsable } from '../../probe/probe.ts'
import { lines, sh } from '../../shell/script.ts'
import { control } from '../unit-control.ts'
import { testFpm } from './config-test.ts'
import { answerMark, askMasters, type Asked } from './fastcgi.ts'
import { fpmUnit, isAtLeast } from './layout.ts'

type Known = typeof knownAfterApply

/** Opcache of a master; null where the master is stopped, and will read its files when it starts. */
export type OpcacheState = OpcacheValues | null

/** What other files say is known of a master when it was reloaded. */
export interface OpcacheValues {
  readonly enabled: boolean
  /** Four digits where code is compiled by the JIT; `off` may be turned on by a script, `disable` not; `none` where PHP has no JIT. */
  readonly jit: string
  /** Bytes. */
  readonly jitBuffer: number | Known
  /** Bytes. */
  readonly memory: number | Known
  /** Bytes. */
  readonly internedStrings: number | Known
  /** Keys of the table of files: `maxFiles` and as many more as make a prime of PHP's own table. */
  readonly keys: number | Known
  readonly validateTimestamps: boolean | Known
  /** Seconds. */
  readonly revalidate: number | Known
}

export const mebibyte = 1024 ** 2

/** Opcache of the running master of a version, as a pool has it. Moving it is reloading the master, which reads its files again. */
export function runningOpcache(version: string, pool = 'www'): Resource<OpcacheState> {
  return {
    key: `opcache:${version}`,
    label: `opcache of the running php${version}-fpm`,
    read: Probe.of(masters, { version, pool } satisfies Asked),
    write: () => reloadMaster(version).touches(),
    show: showState,
    text: (value) => {
      if (!value) return undefined
      const all = Object.entries(told(value))
      return all.map(([name, is]) => `${name} ${is}\n`).join('')
    },
    fresh: debianState(version),
  }
}

/** The number of keys for so many files. */
export function keysFor(maxFiles: number): number {
  return primes.find((prime) => prime >= maxFiles) ?? primes.at(-1)!
}

/** The table of zend_accel_hash.c. */
const primes = [
  5, 11, 19, 53, 107, 223, 463, 983, 1979, 3907, 7963, 16_229, 32_531, 65_407, 130_987, 262_237, 524_521, 1_048_793,
]

/** The four digits of a mode of the JIT, as it is said; `off` and `disable` for what is none. */
export function jitDigits(said: string): string {
  const digits =
    ({ on: '1254', 1: '1254', tracing: '1254', function: '1205', '': 'off', 0: 'off' } as Record<string, string>)[
      said
    ] ?? said
  return /^\d{1,4}$/.test(digits) ? digits.padStart(4, '0') : digits
}

/** What Debian's files make of opcache. */
function debianState(version: string): OpcacheState {
  return {
    enabled: true,
    jit: isAtLeast(version, '8.0') ? 'off' : 'none',
    jitBuffer: isAtLeast(version, '8.4') ? 64 * mebibyte : 0,
    memory: 128 * mebibyte,
    internedStrings: 8 * mebibyte,
    keys: keysFor(10_000),
    validateTimestamps: true,
    revalidate: 2,
  }
}

/** What a master answers. */
interface Answer {
  /** The unit is not there. */
  readonly missing?: true
  readonly inactive?: true
  readonly problem?: string | null
  readonly directives?: Readonly<Record<string, string | number | boolean | null>>
  readonly status?: {
    readonly jit: {
      readonly on: boolean
      readonly kind: number
      readonly opt_level: number
      readonly opt_flags: number
      readonly buffer_size: number
    } | null
    readonly keys: number
  } | null
}

const script = String.raw`<?php
$why = function_exists("opcache_get_status") ? null : "opcache is not loaded, or its functions are disabled";
$all = $why ? false : @opcache_get_configuration();
if (!$why && !$all) $why = "opcache.restrict_api allows the question to scripts of " . ini_get("opcache.restrict_api") . " only";
$status = $all ? @opcache_get_status(false) : false;
$names = array_flip(["opcache.enable", "opcache.jit", "opcache.jit_buffer_size", "opcache.memory_consumption", "opcache.interned_strings_buffer", "opcache.max_accelerated_files", "opcache.validate_timestamps", "opcache.revalidate_freq"]);
echo "\n${answerMark}", json_encode([
  "problem" => $why,
  "directives" => $all ? array_intersect_key($all["directives"], $names) : null,
  "status" => $status ? ["jit" => isset($status["jit"]) ? $status["jit"] : null, "keys" => $status["opcache_statistics"]["max_cached_keys"]] : null,
]), "\n";
`

/** All masters are asked by one script. A pool whose workers are all busy keeps it waiting. */
const masters: Collector<Asked, OpcacheState> = {
  name: 'opcache',
  aside: true,
  ask: (all) => askMasters(all, script),
  answers: (output, all) => {
    const said = output.stdout.toString().split('\n').filter(Boolean)
    return all.map((asked, i) => {
      let answer: Answer
      try {
        answer = JSON.parse(said[i] ?? '') as Answer
      } catch {
        return unparsable(`opcache of php${asked.version}-fpm`, output)
      }
      return stateOf(answer, asked)
    })
  },
}

function stateOf({ missing, inactive, problem, directives, status }: Answer, asked: Asked): OpcacheState | Failure {
  const master = `php${asked.version}-fpm`
  if (inactive) return null
  if (missing) {
    const hint = `Install it in an earlier task: aptPackage('${master}')`
    return new Failure('E_UNREADABLE', `There is no ${master} on this host.`, { hint })
  }
  if (problem || !directives) {
    const why = problem ?? 'it answers without its settings'
    return new Failure('E_UNREADABLE', `The running ${master} does not tell of its opcache: ${why}.`, {
      hint: hintFor(why),
    })
  }
  const number = (name: string) => Number(directives[`opcache.${name}`] ?? 0)
  const said = jitDigits(String(directives['opcache.jit'] ?? 'none'))
  return {
    enabled: status != null && directives['opcache.enable'] === true,
    jit: status ? jitOf(status.jit, said) : said,
    // The allocator keeps 16 bytes for itself.
    jitBuffer: status ? (status.jit?.buffer_size ? status.jit.buffer_size + 16 : 0) : number('jit_buffer_size'),
    memory: number('memory_consumption'),
    internedStrings: number('interned_strings_buffer') * mebibyte,
    keys: status?.keys ?? keysFor(number('max_accelerated_files')),
    validateTimestamps: directives['opcache.validate_timestamps'] === true,
    revalidate: number('revalidate_freq'),
  }
}

function hintFor(why: string): string | undefined {
  if (/Permission denied|may not write/.test(why)) return 'Let the play or the task become root: .become()'
  if (/ran no script/.test(why)) return 'Name a pool that may read /run: opcache(version, { pool })'
  return undefined
}

/** What the JIT does, which may not be what it was told: without a buffer it is off, whatever its mode. */
function jitOf(jit: NonNullable<NonNullable<Answer['status']>['jit']> | null, said: string): string {
  if (!jit) return 'none'
  if (!jit.on) return said === 'disable' ? 'disable' : 'off'
  // The bit of the CPU's extensions, the registers, what triggers it, how much it optimises.
  return `${jit.opt_flags & 4 ? 1 : 0}${jit.opt_flags & 3}${jit.kind}${jit.opt_level}`
}

/**
 * Reloads a master, and waits until it has begun anew: SIGUSR2 ends its workers, and then it executes itself with the
 * sockets that it has. systemctl returns at once, and until then the old workers answer. A configuration that it could
 * not start with would end it, so it is tested first.
 */
function reloadMaster(version: string) {
  const unit = fpmUnit(version)
  return lines(
    control,
    sh`fresh ${unit} || exit
[ "$active" != inactive ] || exit 0
before=$id
(
${testFpm(version)}
) || exit
pid=$(systemctl show --property=MainPID --value -- ${unit})
image() { sed 's/^.*) //' /proc/$pid/stat 2>/dev/null | cut -d ' ' -f 26; }
was=$(image)
said=$(systemctl reload -- ${unit} 2>&1) || words ${unit}
left=600
while [ "$(image)" = "$was" ]; do
  left=$((left - 1))
  [ $left -gt 0 ] || { said='php-fpm did not begin anew within a minute.'; words ${unit}; }
  sleep 0.1
done
settle ${unit} || words ${unit}
said='It did not live through the reload: systemd had to start it anew.'
[ "$id" = "$before" ] || words ${unit}`,
  ).called(`systemctl reload ${unit}`)
}

function showState(value: OpcacheState): string {
  if (!value) return 'stopped'
  return Object.entries(told(value))
    .map(([name, is]) => `${name} ${is}`)
    .join(', ')
}

/** What is known only afterwards is not told. */
function told(value: OpcacheValues): Readonly<Record<string, string>> {
  const size = (bytes: number | Known) => {
    if (typeof bytes !== 'number') return bytes
    return bytes % mebibyte === 0 ? `${bytes / mebibyte} MiB` : `${bytes / 1024} KiB`
  }
  const { validateTimestamps: looks, revalidate } = value
  const all = {
    ...(value.enabled ? {} : { opcache: 'off' }),
    jit: value.jit,
    'jit buffer': size(value.jitBuffer),
    memory: size(value.memory),
    strings: size(value.internedStrings),
    keys: String(value.keys),
    timestamps: typeof looks === 'string' ? looks : looks ? 'on' : 'off',
    revalidate: typeof revalidate === 'string' ? revalidate : `${revalidate} s`,
  }
  return Object.fromEntries(Object.entries(all).filter(([, is]) => is !== knownAfterApply))
}
