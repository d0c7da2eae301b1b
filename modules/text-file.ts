/** Text files that others write too, and of which a task keeps a part: their lines, and where a new one goes. */

import type { Identity, Resource } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import { contentOf, type FileState, inlineLimit } from '../probe/file.ts'
import { lines } from '../shell/script.ts'
import { fileAt } from './file.ts'
import { unchanged } from './file-write.ts'

/** A line without its end. The last one may have none. */
export interface TextLine {
  readonly text: string
  readonly end: '\n' | '\r\n' | ''
}

/** A whole line, or what a line must match. */
export type LinePattern = string | RegExp

/** Where new lines go; at the end of the file where it is not said. A pattern that no line has is refused in the plan. */
export interface Placement {
  /** Behind the last line that is or matches this. */
  readonly after?: LinePattern
  /** In front of the first line that is or matches this. */
  readonly before?: LinePattern
}

/** A file of which a part is written. It is written only while it is as it was read. */
export function editedFile(path: string): Resource<FileState> {
  const place = fileAt(path)
  return {
    ...place,
    write: (to, from) => {
      const script = place.write!(to, from)
      return script.input === undefined ? script : lines(unchanged(path, from).touches(), script)
    },
  }
}

/** The remedy of a task that takes `{ create: true }`, where its file is not there. */
export const mayCreate = 'Make it first, or say { create: true }.'

/**
 * The state of a file after an edit of its text; a file that is not there is made from nothing, where that is said, and
 * else refused with the remedy of the task, which knows what options it has.
 */
export function edited(
  path: string,
  now: FileState,
  { user, group }: Identity,
  create: boolean,
  edit: (text: string) => string,
  remedy = `Make it in an earlier task: file('${path}').content(…)`,
): FileState {
  if (now.type === 'absent') {
    if (!create) throw refused(`${path} does not exist.`, remedy)
    return { type: 'file', content: written(path, edit('')), mode: '0644', owner: user, group }
  }
  const text = textIn(path, now)
  const result = edit(text)
  return result === text ? now : { ...(now as FileState & { type: 'file' }), content: written(path, result) }
}

/** The text of a file that can be edited. */
export function textIn(path: string, state: FileState): string {
  if (state.type === 'link') throw refused(`${path} is a link to ${state.target}.`, 'Name the file that it leads to.')
  if (state.type !== 'file') throw refused(`${path} is no file.`)
  const { content } = state
  if ('size' in content) throw refused(`${path} has ${content.size} bytes, more than can be edited (${inlineLimit}).`)
  if ('base64' in content) throw refused(`${path} is not UTF-8 text.`)
  if (content.text.includes('\0')) throw refused(`${path} holds NUL bytes: it is no text.`)
  return content.text
}

export function linesOf(text: string): readonly TextLine[] {
  return (text.match(/[^\n]*\n|[^\n]+/g) ?? []).map((raw) => {
    const end = raw.endsWith('\r\n') ? '\r\n' : raw.endsWith('\n') ? '\n' : ''
    return { text: raw.slice(0, raw.length - end.length), end }
  })
}

export function textOf(all: readonly TextLine[]): string {
  return all.map(({ text, end }) => text + end).join('')
}

/** Whether a line is, or matches, what is looked for. */
export function matches({ text }: TextLine, pattern: LinePattern): boolean {
  // A pattern with `g` or `y` remembers where it was.
  return typeof pattern === 'string' ? text === pattern : text.search(pattern) >= 0
}

/** How the lines of a file end; a last line without an end says nothing. */
export function endOf(all: readonly TextLine[]): '\n' | '\r\n' {
  return all[0]?.end || '\n'
}

/** The lines with new ones at their place, with the ends that the file has. */
export function withInserted(
  all: readonly TextLine[],
  texts: readonly string[],
  placement: Placement,
): readonly TextLine[] {
  const end = endOf(all)
  const at = placeOf(all, placement)
  const before = all.slice(0, at).map((line) => (line.end === '' ? { ...line, end } : line))
  return [...before, ...texts.map((text) => ({ text, end })), ...all.slice(at)]
}

function placeOf(all: readonly TextLine[], { after, before }: Placement): number {
  const pattern = after ?? before
  if (pattern === undefined) return all.length
  const found = all.flatMap((line, i) => (matches(line, pattern) ? [i] : []))
  if (found.length === 0)
    throw refused(`No line ${describe(pattern)}, ${after ? 'after' : 'before'} which it should go.`)
  return after === undefined ? found[0]! : found.at(-1)! + 1
}

/** What is wrong with a placement or a pattern. */
export function placementProblem({ after, before }: Placement): string | undefined {
  if (after !== undefined && before !== undefined) return 'say after or before, not both'
  return [after, before].map(patternProblem).find(Boolean)
}

export function patternProblem(pattern: LinePattern | undefined): string | undefined {
  if (typeof pattern === 'string') return lineProblem(pattern)
  return pattern?.sticky ? `${pattern} is sticky (y), which means nothing here` : undefined
}

/** What is wrong with a text that should be one line. */
export function lineProblem(text: string): string | undefined {
  if (text === '') return 'the line is empty'
  if (/[\r\n]/.test(text)) return `${JSON.stringify(text)} is more than one line`
  return text.includes('\0') ? `${JSON.stringify(text)} holds a NUL byte` : undefined
}

function describe(pattern: LinePattern): string {
  return typeof pattern === 'string' ? `is ${JSON.stringify(pattern)}` : `matches ${pattern}`
}

function written(path: string, text: string) {
  const bytes = Buffer.from(text)
  if (bytes.length > inlineLimit) {
    throw refused(`${path} would have ${bytes.length} bytes, more than can be edited (${inlineLimit}).`)
  }
  return contentOf(bytes)
}

function refused(message: string, hint?: string): Failure {
  return new Failure('E_REFUSED', message, { hint })
}
