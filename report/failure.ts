/** A failure as a person reads it: what, what was seen, remedy; and mistakes before a run, all together. */

import type { Place } from '../errors/failure.ts'
import type { FailureData } from '../engine/events.ts'
import { count, harmless, shortPath } from './layout.ts'
import { Page, type PageOptions } from './page.ts'

/** Adds what happened, what was seen and the remedy to a page. */
export function failureOn(page: Page, { code, message, seen, hint, stack }: FailureData, indent: number): void {
  const { faint, advice } = page.paint
  page.prose(harmless(message, '\n'), indent)
  if (seen) {
    const end = seen.status === undefined ? 'ended' : `exit ${seen.status}`
    page.prose(`${harmless(seen.command)} → ${end}`, indent, faint)
    const output = seen.output.replace(/\s+$/, '')
    // Where the message is all that was said, once is enough.
    if (output !== '' && output !== message) {
      for (const line of output.split('\n')) page.line(`${' '.repeat(indent + 2)}${faint(harmless(line, '\t'))}`)
    }
  }
  if (hint !== undefined) page.prose(harmless(hint, '\n'), indent, advice)
  if (stack !== undefined) {
    for (const line of stack.split('\n').slice(1, 9))
      page.line(`${' '.repeat(indent + 2)}${faint(harmless(line.trim()))}`)
  }
  if (code === 'E_INTERNAL')
    page.prose('This is a fault of fleetplay or of a module. Please report it.', indent, advice)
}

export interface MistakesOptions extends PageOptions {
  /** The line of a file, where it can be read. */
  readonly source: (place: Place) => string | undefined
}

/** Mistakes in a play, an inventory or an option, each with its place and the line there. */
export function mistakesText(failures: readonly FailureData[], options: MistakesOptions): string {
  const page = new Page(options)
  const { bad, faint, advice } = page.paint
  page.line(bad(`${count(failures.length, 'mistake')}; nothing was connected to`))
  for (const { message, place, seen, hint } of failures) {
    page.line()
    page.prose(harmless(message, '\n'), 2)
    if (place) page.line(`    ${shortPath(place.file, options.folder)}:${place.line}:${place.column}`)
    const line = place && options.source(place)
    if (line !== undefined) {
      const start = line.search(/\S|$/)
      page.line(faint(`      ${harmless(line.trim())}`))
      if (place!.column > start) page.line(`      ${' '.repeat(place!.column - 1 - start)}${bad('^')}`)
    }
    if (seen) for (const text of seen.output.split('\n')) page.line(`      ${faint(harmless(text, '\t'))}`)
    if (hint !== undefined) page.prose(harmless(hint, '\n'), 4, advice)
  }
  return page.text
}
