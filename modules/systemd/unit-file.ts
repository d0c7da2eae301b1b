/** The text of unit files: sections of settings, in the order in which they are said. */

import { isProblem } from '../../dsl/variable.ts'
import type { Parsed } from '../../dsl/units.ts'
import { holdsSecret } from '../../shell/secret-text.ts'

/** A setting's value. A list says the key once for each of its values; an empty text takes back what was said before. */
export type SettingValue = string | number | boolean | readonly (string | number | boolean)[]

/** Settings of one section, in order. `$` and `%` pass as they are typed: systemd gives both a meaning. */
export type Settings = Readonly<Record<string, SettingValue>>

export interface Section {
  readonly name: string
  readonly settings: Settings
}

/**
 * The text of a unit file. Booleans are `yes` and `no`.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html
 */
export function unitFileText(sections: readonly Section[]): string {
  return sections
    .map(({ name, settings }) => [`[${name}]\n`, ...Object.entries(settings).flatMap(settingLines)].join(''))
    .join('\n')
}

/** What is wrong with a section's syntax; undefined where nothing is. Whether systemd knows its keys is not judged. */
export function sectionProblem({ name, settings }: Section): string | undefined {
  if (!/^[A-Za-z][A-Za-z0-9 _-]*$/.test(name))
    return `${JSON.stringify(name)} is not the name of a section, such as Service`
  for (const [key, value] of Object.entries(settings)) {
    if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(key))
      return `[${name}] ${JSON.stringify(key)} is not the name of a setting, such as ExecStart`
    for (const one of [value].flat()) {
      const written = valueText(one as string | number | boolean)
      if (isProblem(written)) return `[${name}] ${key}: ${written.problem}`
      // Units are 0644, and what a unit runs is to be seen in the list of processes.
      if (key === 'SetCredential' || holdsSecret(`${key}=${written}`))
        return `[${name}] ${key}: a password or token would be readable by everybody on the host; have it read from a file of mode 0600, by EnvironmentFile= or LoadCredential=`
    }
  }
  return undefined
}

/** A path or name that is meant as it is, where systemd would read `%` as a specifier. */
export function literal(text: string): string {
  return text.replaceAll('%', '%%')
}

function settingLines([key, value]: [string, SettingValue]): string[] {
  return [value].flat().map((one) => {
    const written = valueText(one as string | number | boolean)
    if (isProblem(written)) throw new RangeError(`${key}: ${written.problem}`)
    return `${key}=${written}\n`
  })
}

function valueText(value: string | number | boolean): Parsed<string> {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'number')
    return Number.isFinite(value) ? String(value) : { problem: `${value} is not a number that systemd takes` }
  if (/[\n\r\0]/.test(value)) return { problem: 'a value is one line; say a list for several' }
  if (value.endsWith('\\'))
    return { problem: 'a backslash at the end would take the next line for a part of the value' }
  return value
}
