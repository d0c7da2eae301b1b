/** Single lines in files that others write too. */

import { pathProblem } from '../dsl/host-path.ts'
import { look, want, type Wish } from '../dsl/resource.ts'
import { note, type Reading, Task, type Verdict } from '../dsl/task.ts'
import { directoryOf, needsDirectory } from './file.ts'
import {
  edited,
  editedFile,
  type LinePattern,
  lineProblem,
  linesOf,
  matches,
  mayCreate,
  patternProblem,
  type Placement,
  placementProblem,
  textIn,
  textOf,
  withInserted,
} from './text-file.ts'

export interface LineOptions extends Placement {
  /**
   * What else is the same line: the line takes the place of the first that matches, and others that match go, so that
   * afterwards one line matches, and it is this one. The line itself must match.
   */
  readonly matching?: RegExp
  /** Makes the file where there is none: `0644`, of the user who writes. @default false */
  readonly create?: boolean
}

/** A line of which it is not said whether it should be there. */
export interface LineStart {
  /**
   * The line is in the file: once, where a pattern says what the same line is. New ones go to the end of the file, or
   * where `after` or `before` say; one that is there stays where it is.
   *
   * @example
   * line('/etc/ssh/sshd_config').present('PermitRootLogin no', { matching: /^#?\s*PermitRootLogin\s/ })
   * line('/etc/hosts').present('10.0.3.2 db1', { after: /^127\./ })
   */
  present(text: string, options?: LineOptions): Line
  /** No line of the file is this text, or matches. A file that does not exist has none. */
  absent(what: LinePattern): Line
}

/**
 * A line in a file that others write too. Nothing else of the file is touched: `\r\n` at the ends stays, and a last line
 * without an end gets one only where something follows it. The file is written only while it is as it was read.
 *
 * A text of several lines, and one that its own `matching` does not match, are told before any connection. Refused in the
 * plan: a file that does not exist (unless `create`), a link, what is not UTF-8 text or larger than 256 KiB, and an
 * `after` or `before` that no line has.
 *
 * @example
 * line('/etc/default/grub').present('GRUB_TIMEOUT=1', { matching: /^GRUB_TIMEOUT=/ })
 * line('/etc/fstab').absent(/\sswap\s/)
 */
export function line(path: string): LineStart {
  return new Line(path)
}

/** What is done with the lines of a file. */
type Rule =
  | { readonly kind: 'present'; readonly text: string; readonly options: LineOptions }
  | { readonly kind: 'absent'; readonly what: LinePattern }

export class Line extends Task implements LineStart {
  readonly module = 'line'
  readonly path: string
  readonly rule: Rule | undefined

  /** @internal Made by `line()`. */
  constructor(path: string) {
    super()
    this.path = path
    const problem = pathProblem(path)
    if (problem) return this.wrong(`line: ${problem}`)
  }

  get id(): string {
    if (!this.rule) return this.path
    return `${this.path}: ${this.rule.kind === 'present' ? this.rule.text : `no ${this.rule.what}`}`
  }

  present(text: string, options: LineOptions = {}): Line {
    const { matching } = options
    const unmatched =
      matching && text.search(matching) < 0 ? `${JSON.stringify(text)} does not match ${matching}` : undefined
    const problem = lineProblem(text) ?? patternProblem(matching) ?? unmatched ?? placementProblem(options)
    const hint = problem === unmatched ? 'The next run would not know its own line again, and add another.' : undefined
    return this.says({ kind: 'present', text, options }, problem, hint)
  }

  absent(what: LinePattern): Line {
    return this.says({ kind: 'absent', what }, patternProblem(what))
  }

  override get unfinished() {
    return this.rule ? undefined : `line ${this.path} says nothing: end it with .present(text) or .absent(text)`
  }

  get wishes(): readonly Wish[] {
    const { path, rule } = this
    if (!rule) return []
    const place = editedFile(path)
    if (rule.kind === 'absent') {
      const without = (text: string) => withoutLine(text, rule.what)
      return [want(place, (now, as) => (now.type === 'absent' ? now : edited(path, now, as, false, without)))]
    }
    const { create = false } = rule.options
    const withIt = (text: string) => withLine(text, rule.text, rule.options)
    const present = want(place, (now, as) => edited(path, now, as, create, withIt, mayCreate))
    return create ? [look(directoryOf(path)), present] : [present]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const { path, rule } = this
    if (rule?.kind !== 'present') return []
    const { create, matching } = rule.options
    const needs = create ? needsDirectory(path, reading) : []
    const now = reading.now(editedFile(path))
    if (!matching || now.type === 'absent') return needs
    const found = linesOf(textIn(path, now)).flatMap((each, i) => (matches(each, matching) ? [i + 1] : []))
    if (found.length < 2) return needs
    return [...needs, note(`Lines ${found.join(', ')} of ${path} match ${matching}; one is left.`)]
  }

  private says(rule: Rule, problem: string | undefined, hint?: string): Line {
    const twice = this.rule ? `line ${this.path} is said twice: write two tasks` : undefined
    return this.with<Line>({ rule })
      .wrong(problem && `line ${this.path}: ${problem}`, hint)
      .wrong(twice)
  }
}

/** The text with a line in it: one, where a pattern says what the same line is. At rest on its own result. */
export function withLine(text: string, wished: string, { matching, ...placement }: LineOptions = {}): string {
  const all = linesOf(text)
  const same = all.filter((each) => matches(each, matching ?? wished))
  const kept = same.find((each) => each.text === wished) ?? same[0]
  if (!kept) return textOf(withInserted(all, [wished], placement))
  if (!matching) return text
  const others = new Set(same.filter((each) => each !== kept))
  return textOf(
    all.filter((each) => !others.has(each)).map((each) => (each === kept ? { ...each, text: wished } : each)),
  )
}

/** The text without the lines that are, or match, something. */
export function withoutLine(text: string, what: LinePattern): string {
  return textOf(linesOf(text).filter((each) => !matches(each, what)))
}
