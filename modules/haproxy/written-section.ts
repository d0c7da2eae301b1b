/** A section of a HAProxy configuration that others wrote, as far as a rule of ours needs it. */

import { atLeast } from '../software-version.ts'
import { type TextLine, linesOf, textOf, withInserted } from '../text-file.ts'

/** A frontend as the file has it: the lines from its own to the next section's. */
export interface WrittenFrontend {
  readonly from: number
  readonly to: number
  /** What holds for it: its own mode, or that of its defaults. */
  readonly mode: string
}

/** Names of the sections where clients connect. */
export function frontendNames(text: string): readonly string[] {
  return linesOf(text).flatMap(({ text: line }) => {
    const [kind, name] = words(line)
    return isFrontend(kind) && name !== undefined ? [name] : []
  })
}

/** The frontend, or the `listen` section, of a name. */
export function frontendIn(text: string, name: string): WrittenFrontend | undefined {
  const all = linesOf(text)
  /** Modes of defaults by their name; HAProxy takes those that stand last where a section does not say. */
  const modes = new Map<string, string>()
  let latest = 'tcp'
  for (let at = 0; at < all.length; at++) {
    const [kind, called = '', ...rest] = words(all[at]!.text)
    if (!isSection(all[at]!.text)) continue
    const end = all.findIndex((line, i) => i > at && isSection(line.text))
    const to = end < 0 ? all.length : end
    const own = all.slice(at + 1, to).map((line) => words(line.text))
    const mode = own.find(([word]) => word === 'mode')?.[1]
    if (kind === 'defaults') {
      latest = mode ?? 'tcp'
      modes.set(called, latest)
    } else if (isFrontend(kind) && called === name) {
      const inherited = rest[0] === 'from' ? modes.get(rest[1] ?? '') : latest
      return { from: at, to, mode: mode ?? inherited ?? latest }
    }
  }
  return undefined
}

/** Lines of a frontend that a reader may have to know of. */
export function linesWithin(text: string, { from, to }: WrittenFrontend): readonly string[] {
  return linesOf(text)
    .slice(from + 1, to)
    .map((line) => line.text.trim())
}

/** Whether HAProxy agrees on HTTP/2 for all that is secured there; since 2.8 it does without being told. */
export function offersHttp2(lines: readonly string[], version: string): boolean {
  const secured = lines.filter((line) => /^bind\s.*\sssl(\s|$)/.test(line))
  return (
    secured.length > 0 &&
    secured.every((line) => {
      const offered = /\salpn\s+(\S+)/.exec(line)?.[1]
      return offered === undefined ? atLeast(version, '2.8') : offered.split(',').includes('h2')
    })
  )
}

/** The text with a rule at its place in the frontend, or without it; a line with the mark is the rule as it was. */
export function withRule(text: string, frontend: WrittenFrontend, mark: string, rule: string | undefined): string {
  const all = linesOf(text)
  const own = all.slice(frontend.from, frontend.to)
  const was = own.findIndex((line) => line.text.endsWith(mark))
  if (rule !== undefined && own[was]?.text.trim() === `${rule}${mark}`) return text
  const others = own.filter((line) => !line.text.endsWith(mark))
  const next = rule === undefined ? others : inserted(others, `${rule}${mark}`, was)
  return textOf([...all.slice(0, frontend.from), ...next, ...all.slice(frontend.to)])
}

/**
 * Behind the rules that may answer by themselves, and in front of those that lead on: HAProxy warns of rules that stand
 * behind them. A rule that was there stays where it was.
 */
function inserted(own: readonly TextLine[], rule: string, was: number): readonly TextLine[] {
  const indent = own.map(({ text }) => /^(\s+)\S/.exec(text)?.[1]).find(Boolean) ?? '    '
  const at = (pattern: RegExp) => own.flatMap(({ text }, i) => (pattern.test(text) ? [i] : []))
  const last = at(/^\s*http-request\s/).at(-1)
  const first = at(/^\s*(?:redirect|use_backend|use-server|default_backend|server)\s/)[0]
  const end =
    at(/\S/)
      .filter((i) => !own[i]!.text.trim().startsWith('#'))
      .at(-1)! + 1
  const place = was >= 0 ? was : last === undefined ? (first ?? end) : last + 1
  return [...withInserted(own.slice(0, place), [indent + rule], {}), ...own.slice(place)]
}

function words(line: string): readonly string[] {
  return line.trim().split(/\s+/)
}

function isFrontend(kind: string | undefined): boolean {
  return kind === 'frontend' || kind === 'listen'
}

/** Lines that are not indented begin sections, whatever they are called; but HAProxy lets any line be indented. */
function isSection(line: string): boolean {
  return sectionStart.test(line)
}

const sectionStart =
  /^\s*(?:acme|backend|cache|crt-store|defaults|fcgi-app|frontend|global|http-errors|listen|log-forward|log-profile|mailers|peers|program|resolvers|ring|traces|userlist)(?:\s|$)/
