/** What a change disturbs beside its own place: the keys that a script names, and those that a name implies. */

import type { Step } from './host.ts'

/** Whether a place may have another value after the step, beside the one that the step moves. */
export function disturbs(step: Pick<Step, 'resource' | 'script' | 'from' | 'to'>, key: string): boolean {
  if (key === step.resource.key) return false
  const touched = step.script.touched
  if (touched === undefined) return true
  return [...touched, ...(appears(step) ? implied(step.resource.key) : [])].some((pattern) => covers(pattern, key))
}

function covers(pattern: string, key: string): boolean {
  return pattern.endsWith('*') ? key.startsWith(pattern.slice(0, -1)) : key === pattern
}

/** Whether the place comes or goes; another content of what stays does not move what it implies. */
function appears({ from, to }: Pick<Step, 'from' | 'to'>): boolean {
  return isAbsent(from) || isAbsent(to)
}

/** Absent is `null`, or a value of that type. */
export function isAbsent(value: unknown): boolean {
  return value === null || (typeof value === 'object' && 'type' in value && value.type === 'absent')
}

/** A place that implies others: a unit's file is what its state is made from. */
const implications: readonly (readonly [RegExp, (match: RegExpExecArray) => readonly string[]])[] = [
  [
    /^file:\/(?:etc|run|usr\/lib|usr\/local\/lib)\/systemd\/system\/([^/]+)(\/.+)?$/,
    ([, name, within]) => unitKeys(name!, within),
  ],
  [/^file:\/(etc|run|usr\/lib|usr\/local\/lib)\/sysctl\.d\//, () => ['sysctl.d:*']],
  [/^file:\/(etc|run|usr\/lib|usr\/local\/lib)\/systemd\/resolved\.conf\.d\//, () => ['resolved.conf.d:*']],
  [/^file:\/etc\/apt\//, () => ['package:*']],
]

function implied(key: string): readonly string[] {
  return implications.flatMap(([pattern, keys]) => {
    const match = pattern.exec(key)
    return match ? keys(match) : []
  })
}

/** A file makes its own unit, and a template its instances; a drop-in its unit; a link in `.wants` the unit that is wanted. */
function unitKeys(name: string, within: string | undefined): readonly string[] {
  const wanted = /\.(?:wants|requires)$/.test(name) ? within?.slice(1) : undefined
  const unit = wanted ?? (within === undefined ? name : name.replace(/\.d$/, ''))
  if (/-\.[a-z]+$/.test(unit) || !/^[^.].*\.[a-z]+$/.test(unit) || (within !== undefined && unit === name))
    return ['unit:*', 'socket:*']
  const [, template] = /^(.+@)\.[a-z]+$/.exec(unit) ?? []
  return template ? [`unit:${template}*`, `socket:${template}*`] : [`unit:${unit}`, `unit:${unit}/*`, `socket:${unit}`]
}
