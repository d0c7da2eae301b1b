/** Settings in files that have sections and belong to others too: comments, order and everything else stay as they are. */

import { endOf, linesOf, type TextLine, textOf } from '../text-file.ts'
import { iniLine, type IniValue, isSame, readIniText } from './ini-value.ts'

/** A setting where it stands. */
export interface Setting {
  readonly key: string
  /** As PHP reads it. */
  readonly value: string
  /** Line of the file, from 1. */
  readonly line: number
}

/** The settings of a section, in order. Of one that is said twice, the last counts. */
export function settingsOf(text: string, section: string): readonly Setting[] {
  return placed(linesOf(text), section).flatMap(({ key, raw, at }) => {
    return key === undefined ? [] : [{ key, value: readIniText(raw!), line: at + 1 }]
  })
}

/** What a setting of a section is; undefined where the section does not say it. */
export function settingOf(text: string, section: string, key: string): string | undefined {
  return settingsOf(text, section).findLast((setting) => setting.key === key)?.value
}

/**
 * The text with settings of a section; undefined takes one out. A line that says the same already stays as it is; another
 * takes its place; a new one goes below the comment that shows its default, or to the end of the section; a section that
 * is not there is added.
 */
export function withSettings(
  text: string,
  section: string,
  settings: Readonly<Record<string, IniValue | undefined>>,
): string {
  return Object.entries(settings).reduce((now, [key, value]) => withSetting(now, section, key, value), text)
}

function withSetting(text: string, section: string, key: string, value: IniValue | undefined): string {
  const all = linesOf(text)
  const mine = placed(all, section)
  const same = mine.filter((line) => line.key === key)
  const last = same.at(-1)
  if (value === undefined) return without(all, same)
  // Only the last one counts; one before it that says something else would mislead.
  if (same.length === 1 && isSame(last!.raw!, value)) return text
  const line = iniLine(key, value)
  if (last) {
    const kept = all.map((each, i) => (i === last.at && !isSame(last.raw!, value) ? { ...each, text: line } : each))
    return without(
      kept,
      same.filter((each) => each !== last),
    )
  }
  const end = endOf(all)
  if (mine.length === 0) {
    const before = text === '' || text.endsWith('\n') ? text : text + end
    return `${before}${before === '' ? '' : end}[${section}]${end}${line}${end}`
  }
  const shown = mine.findLast((each) => each.shows === key)
  const at = (shown ?? lastOf(mine)).at + 1
  const above = all.slice(0, at).map((each) => (each.end === '' ? { ...each, end } : each))
  return textOf([...above, { text: line, end }, ...all.slice(at)])
}

/** A line of a section: its header, a setting, a comment that shows one, or anything else. */
interface Placed {
  readonly at: number
  readonly key?: string
  readonly raw?: string
  /** The setting of which a comment shows the default. */
  readonly shows?: string
  /** Files that are read at this place, in which the section does not go on. */
  readonly includes: boolean
  readonly isEmpty: boolean
}

function placed(all: readonly TextLine[], section: string): readonly Placed[] {
  let inside = false
  return all.flatMap(({ text }, at): Placed[] => {
    const [, header] = /^\s*\[([^\]]*)\]\s*(?:;.*)?$/.exec(text) ?? []
    if (header !== undefined) inside = header === section
    if (!inside) return []
    const [, comment, key, raw] =
      header === undefined ? (/^\s*(;+\s*)?([\w.-]+(?:\[[^\]]*\])?)\s*=(.*)$/.exec(text) ?? []) : []
    const base = { at, includes: key === 'include' && !comment, isEmpty: text.trim() === '' }
    if (key === undefined || base.includes) return [base]
    return [comment === undefined ? { ...base, key, raw: raw! } : { ...base, shows: key }]
  })
}

/** Where new settings go: behind the last line that says something, and in front of other files, which begin other sections. */
function lastOf(mine: readonly Placed[]): Placed {
  const include = mine.findIndex(({ includes }) => includes)
  const own = include < 0 ? mine : mine.slice(0, include)
  return own.findLast(({ isEmpty }) => !isEmpty) ?? mine[0]!
}

function without(all: readonly TextLine[], gone: readonly Placed[]): string {
  return textOf(all.filter((_, i) => !gone.some(({ at }) => at === i)))
}
