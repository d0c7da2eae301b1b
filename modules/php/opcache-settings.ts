/** Settings of opcache as a play says them: what of them cannot be, and what they are in a file and in a running master. */

import { knownAfterApply } from '../../dsl/known-after.ts'
import { type Bytes, bytes, type Duration, seconds } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import type { IniSettings } from './php-ini.ts'
import { isAtLeast } from './layout.ts'
import { jitDigits, keysFor, mebibyte, type OpcacheState, type OpcacheValues } from './opcache-read.ts'

/**
 * How the JIT compiles: what runs hot (`tracing`), every function (`function`), nothing until a script turns it on (`off`), or
 * nothing ever (`disable`). Four digits say it by hand: extensions of the CPU (0, 1), registers (0–2), what triggers it
 * (0–3, 5) and how much it optimises (1–5).
 */
export type JitMode = 'tracing' | 'function' | 'off' | 'disable' | number

export interface OpcacheSettings {
  readonly jit?: JitMode
  /** Memory for what the JIT has compiled, in multiples of 64 KiB. @default 64MiB, with PHP 8.4 */
  readonly jitBuffer?: Bytes
  /** Memory for compiled scripts, in MiB, of which `internedStrings` and the table of files take their part. @default 128MiB */
  readonly memory?: Bytes
  /** Memory for texts that scripts share, in MiB. @default 8MiB */
  readonly internedStrings?: Bytes
  /** Scripts that may be kept: 200 to 1000000. @default 10000 */
  readonly maxFiles?: number
  /** Whether PHP looks whether a script has changed. Without it, a new release needs a reload. @default true */
  readonly validateTimestamps?: boolean
  /** How often it looks, in seconds. @default 2s */
  readonly revalidate?: Duration
}

/** What settings are, parsed; bytes and seconds. */
type Parsed = { readonly [K in 'jitBuffer' | 'memory' | 'internedStrings' | 'revalidate']: number | undefined }

/** What is wrong with settings for a version, each with what to do instead. */
export function settingProblems(
  version: string,
  settings: OpcacheSettings,
): readonly (readonly [problem: string, hint?: string])[] {
  const problems: (readonly [string, string?])[] = []
  const wrong = (problem: string, hint?: string) => problems.push(hint === undefined ? [problem] : [problem, hint])
  for (const key of ['jitBuffer', 'memory', 'internedStrings'] as const) {
    const parsed = bytes(settings[key] ?? 0)
    if (isProblem(parsed)) wrong(`${key}: ${parsed.problem}`)
  }
  const every = seconds(settings.revalidate ?? '0s')
  if (isProblem(every)) wrong(`revalidate: ${every.problem}`)
  else if (!Number.isInteger(every)) wrong(`revalidate takes whole seconds, not ${settings.revalidate}`)
  if (problems.length > 0) return problems

  const { jit, maxFiles } = settings
  const { jitBuffer, memory, internedStrings } = parsed(settings)
  if (memory !== undefined && (memory % mebibyte !== 0 || memory < 8 * mebibyte))
    wrong('memory takes whole MiB from 8MiB: PHP would keep its default of 128MiB in silence')
  if (internedStrings !== undefined && (internedStrings % mebibyte !== 0 || internedStrings < mebibyte))
    wrong('internedStrings takes whole MiB from 1MiB')
  if (maxFiles !== undefined && !(Number.isInteger(maxFiles) && maxFiles >= 200 && maxFiles <= 1_000_000))
    wrong(`maxFiles takes 200 to 1000000, not ${maxFiles}: PHP would keep its default of 10000 in silence`)
  const mode = jitProblem(jit)
  if (mode)
    wrong(
      mode,
      `PHP ${isAtLeast(version, '8.4') ? 'would turn the JIT off' : 'would take tracing'}, with a warning that nobody sees.`,
    )
  if (jit !== undefined && !isAtLeast(version, '8.0')) wrong(`PHP ${version} has no JIT; 8.0 was the first`)
  if (jitBuffer !== undefined && (jitBuffer % 65_536 !== 0 || jitBuffer > 2 ** 31))
    wrong('jitBuffer takes multiples of 64KiB, to 2GiB')
  if (jit === 'disable' && jitBuffer) wrong('jit disable has no use for a jitBuffer: PHP would make none')
  if (isOn(jit) && jitBuffer === 0) wrong('the JIT is off without a buffer', 'Say jitBuffer too, such as 64MiB.')
  if (isOn(jit) && jitBuffer === undefined && !isAtLeast(version, '8.4'))
    wrong(
      `PHP ${version} has a JIT buffer of nothing by default, and the JIT stays off without one`,
      'Say jitBuffer too, such as 64MiB.',
    )
  return problems
}

/** What the settings are in a file. Nothing that is not said is in it, but that opcache is on and what the JIT needs. */
export function iniOf(version: string, settings: OpcacheSettings): IniSettings {
  const { jitBuffer, memory, internedStrings, revalidate } = parsed(withBuffer(version, settings))
  const all = {
    enable: true,
    jit: settings.jit,
    jit_buffer_size: settings.jit === 'disable' ? undefined : jitBuffer,
    memory_consumption: memory && memory / mebibyte,
    interned_strings_buffer: internedStrings && internedStrings / mebibyte,
    max_accelerated_files: settings.maxFiles,
    validate_timestamps: settings.validateTimestamps,
    revalidate_freq: revalidate,
  }
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, value]) =>
      value === undefined ? [] : [[`opcache.${key}`, written(key, value)]],
    ),
  )
}

/**
 * What the settings make of a running master. One that is stopped stays so, and reads them when it starts. One that is reloaded
 * reads all files again, so that what they do not say is known only afterwards.
 */
export function withOpcache(version: string, settings: OpcacheSettings, now: OpcacheState): OpcacheState {
  if (!now) return null
  const own = ownValues(version, settings)
  const isDone = Object.entries(own).every(([key, value]) => now[key as keyof OpcacheValues] === value)
  if (isDone) return now
  return { ...unknown, jit: now.jit, ...own }
}

/** What a master would have by these settings and what it has now. */
export function expected(version: string, settings: OpcacheSettings, now: OpcacheValues): OpcacheValues {
  return { ...now, ...ownValues(version, settings) }
}

const unknown = {
  jitBuffer: knownAfterApply,
  memory: knownAfterApply,
  internedStrings: knownAfterApply,
  keys: knownAfterApply,
  validateTimestamps: knownAfterApply,
  revalidate: knownAfterApply,
} as const

function ownValues(version: string, settings: OpcacheSettings): Partial<OpcacheValues> & { readonly enabled: true } {
  const { jitBuffer, memory, internedStrings, revalidate } = parsed(withBuffer(version, settings))
  return {
    enabled: true,
    ...(settings.jit !== undefined && { jit: jitDigits(String(settings.jit)) }),
    ...(jitBuffer !== undefined && { jitBuffer }),
    ...(memory !== undefined && { memory }),
    ...(internedStrings !== undefined && { internedStrings }),
    ...(settings.maxFiles !== undefined && { keys: keysFor(settings.maxFiles) }),
    ...(settings.validateTimestamps !== undefined && { validateTimestamps: settings.validateTimestamps }),
    ...(revalidate !== undefined && { revalidate }),
  }
}

/**
 * Why a master could not start with this; undefined where it could. Texts and the table of files (48 bytes a key) are in
 * the same memory, and what else opcache has in it was less than 128 KiB in 8.2 and 8.4.
 */
export function startProblem(values: OpcacheValues): readonly [problem: string, hint: string] | undefined {
  const { memory, internedStrings, keys } = values
  // Of a mock host it may not be known what other files say.
  if (typeof memory !== 'number' || typeof internedStrings !== 'number' || typeof keys !== 'number') return undefined
  const needed = internedStrings + keys * 48 + 128 * 1024
  if (memory >= needed) return undefined
  const mib = (amount: number) => `${Math.ceil(amount / mebibyte)}MiB`
  const holds = `a memory of ${mib(memory)} does not hold ${mib(internedStrings)} of texts and a table of ${keys} files`
  return [`php-fpm would not start: ${holds}.`, `Say memory: '${mib(needed)}' or more, or less of the others.`]
}

/** The buffer that a mode of the JIT has where it is not said, so that no other file decides it. */
function withBuffer(version: string, settings: OpcacheSettings): OpcacheSettings {
  if (settings.jit === undefined || settings.jitBuffer !== undefined) return settings
  const none = settings.jit === 'disable' || !isAtLeast(version, '8.4')
  return { ...settings, jitBuffer: none ? 0 : 64 * mebibyte }
}

function parsed({ jitBuffer, memory, internedStrings, revalidate }: OpcacheSettings): Parsed {
  const size = (amount: Bytes | undefined) => (amount === undefined ? undefined : (bytes(amount) as number))
  return {
    jitBuffer: size(jitBuffer),
    memory: size(memory),
    internedStrings: size(internedStrings),
    revalidate: revalidate === undefined ? undefined : (seconds(revalidate) as number),
  }
}

/** `off` is a text here; as a boolean it would be one too. */
function written(key: string, value: string | number | boolean): string | number | boolean {
  return key === 'jit' && value === 'off' ? false : value
}

function isOn(jit: JitMode | undefined): boolean {
  return jit !== undefined && jit !== 'off' && jit !== 'disable' && jit !== 0
}

/** What is wrong with a mode of the JIT. */
function jitProblem(jit: JitMode | undefined): string | undefined {
  if (jit === undefined || ['tracing', 'function', 'off', 'disable'].includes(jit as string)) return undefined
  if (/^[01]?[0-2]?[0-35]?[1-5]$/.test(String(jit)) || jit === 0) return undefined
  return `jit takes tracing, function, off, disable or four digits such as 1255, not ${JSON.stringify(jit)}`
}
