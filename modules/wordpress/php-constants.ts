/** The constants that a PHP file defines when it is included: read, put in, and taken out by its tokens. */

import { Failure } from '../../errors/failure.ts'
import { namesSecret } from '../../shell/secret-text.ts'
import {
  definedConstant,
  type LiveToken,
  type PhpFile,
  phpFile,
  type Span,
  type Statement,
  stringValue,
} from './php-statements.ts'
import { lineAt } from './php-tokens.ts'

/** A value that stands in the text as it is. */
export type PhpValue = string | number | boolean | null

/** One place where a constant is, or may be, defined. */
interface Definition {
  /** Undefined where the name is computed. */
  readonly name: string | undefined
  readonly statement: Statement
  readonly value: readonly LiveToken[]
  /** What a reader is told that it stands in, where it may run or not. */
  readonly within: string | undefined
  /** What to remove with it; undefined where it shares its statement. */
  readonly whole: Span | undefined
}

/** A value as it is written in PHP. */
export function phpLiteral(value: PhpValue): string {
  if (typeof value === 'string') return `'${value.replace(/[\\']/g, '\\$&')}'`
  return Object.is(value, -0) ? '-0.0' : String(value)
}

/**
 * The text of the file with the constant defined as wished: the value of the first live definition replaced, as PHP keeps
 * the first; or a new one put in where it has an effect. Definitions behind the `require` of wp-settings.php have none, and go.
 */
export function withConstant(path: string, source: string, name: string, value: PhpValue): string {
  const file = phpFile(source)
  const { first, late } = found(path, file, name)
  if (first) {
    const now = valueOf(first.value)
    if ('computed' in now) {
      throw refused(
        path,
        file,
        first.statement.from,
        namesSecret(name) ? `${name} is computed there` : `${name} is computed there: ${now.computed}`,
        `Write its value there, or remove the line; then the play can keep it.`,
      )
    }
    if (now.value === value) return source
    const [from, to] = [first.value[0]!.at, endOf(first.value.at(-1)!)]
    return checked(path, source.slice(0, from) + phpLiteral(value) + source.slice(to), name, value)
  }
  const without = removed(
    source,
    late.flatMap(({ whole }) => whole ?? []),
  )
  return checked(
    path,
    inserted(path, phpFile(without), `define( ${phpLiteral(name)}, ${phpLiteral(value)} );`),
    name,
    value,
  )
}

/** The text of the file without any live definition of the constant. */
export function withoutConstant(path: string, source: string, name: string): string {
  const file = phpFile(source)
  const { all } = found(path, file, name)
  const spans = all.map(({ statement, whole }) => {
    if (whole) return whole
    throw refused(
      path,
      file,
      statement.from,
      `the statement that defines ${name} does something else too`,
      'Remove it by hand.',
    )
  })
  return removed(source, spans)
}

/** The value of a constant when the file is included; undefined where it is not defined. */
export function constantIn(
  path: string,
  source: string,
  name: string,
): PhpValue | { readonly computed: string } | undefined {
  const { first } = found(path, phpFile(source), name)
  if (!first) return undefined
  const now = valueOf(first.value)
  return 'computed' in now ? now : now.value
}

/** Other files that are included before wp-settings.php: they may define what this one does not. */
export function includesBefore(file: PhpFile): readonly Statement[] {
  const settings = settingsOf(file)
  return file.statements.filter(
    (statement) => statement !== settings && includes(statement) && (!settings || statement.from < settings.from),
  )
}

/** Live definitions in the order in which PHP comes to them. One that may run or not is refused, unless a sure one is before it. */
function found(path: string, file: PhpFile, name: string) {
  const settings = settingsOf(file)
  const all = definitions(file).filter(
    (each) => each.statement.under.kind !== 'never' && (each.name === undefined || each.name === name),
  )
  const isLate = ({ statement }: Definition) => settings !== undefined && statement.from > settings.from
  const early = all.filter((each) => !isLate(each))
  const sure = early.findIndex(({ within }) => within === undefined)
  const [doubt] = sure < 0 ? early : early.slice(0, sure)
  if (doubt) {
    const reason =
      doubt.name === undefined
        ? `constants whose names are computed are defined, and ${name} may be one of them`
        : `${name} is defined in ${doubt.within}, so that it may be defined or not`
    throw refused(
      path,
      file,
      doubt.statement.from,
      reason,
      `Define ${name} on a line of its own, or remove the line; then the play can keep it.`,
    )
  }
  const certain = (each: Definition) => each.within === undefined
  return { first: early[sure], late: all.filter((each) => isLate(each) && certain(each)), all: all.filter(certain) }
}

const inclusions = ['include', 'include_once', 'require', 'require_once']

function includes({ tokens, under }: Statement): boolean {
  if (under.kind === 'never' || (under.kind === 'something' && /function|class/.test(under.what))) return false
  return tokens.some(({ kind, text }) => kind === 'name' && inclusions.includes(text.toLowerCase()))
}

/** The statement that loads WordPress: what is defined behind it comes too late. */
function settingsOf(file: PhpFile): Statement | undefined {
  return file.statements.find(
    (statement) =>
      includes(statement) && statement.tokens.some((token) => stringValue(token)?.endsWith('wp-settings.php')),
  )
}

function definitions(file: PhpFile): readonly Definition[] {
  return file.statements.flatMap((statement) =>
    statement.tokens[0]!.text.toLowerCase() === 'const' ? constants(statement) : calls(statement),
  )
}

/** `const A = 1, B = 2;` */
function constants(statement: Statement): readonly Definition[] {
  const items = parted(statement.tokens.slice(1).filter(({ text, kind }) => text !== ';' && kind !== 'close'))
  return items.map((item) => ({
    name: item[0]?.text,
    statement,
    value: item.slice(2),
    within: within(statement, item[0]?.text),
    whole: items.length === 1 ? wholeOf(statement) : undefined,
  }))
}

/** Calls of `define`, in whatever form. */
function calls(statement: Statement): readonly Definition[] {
  const { tokens } = statement
  return tokens.flatMap((token, i) => {
    const isCall = token.kind === 'name' && /^(?:namespace)?\\?define$/i.test(token.text) && tokens[i + 1]?.text === '('
    if (!isCall || ['->', '?->', '::', 'function', 'new'].includes(tokens[i - 1]?.text.toLowerCase() ?? '')) return []
    const close = closing(tokens, i + 1)
    const [nameTokens = [], value = []] = parted(tokens.slice(i + 2, close))
    const name = nameTokens.length === 1 ? stringValue(nameTokens[0]!) : undefined
    const rest = tokens.slice(close + 1).filter(({ text, kind }) => text !== ';' && kind !== 'close')
    const plain = rest.length === 0 && leads(tokens.slice(0, i), name)
    return {
      name,
      statement,
      value,
      within: within(statement, name) ?? (plain ? undefined : 'a larger expression'),
      whole: plain ? wholeOf(statement) : undefined,
    }
  })
}

/** Whether what stands before the call is nothing, or a guard that the constant is not defined yet. */
function leads(before: readonly LiveToken[], name: string | undefined): boolean {
  const words = before.filter(({ text }) => text !== '@')
  if (words.length === 0) return true
  const operator = words.at(-1)!.text.toLowerCase()
  const guard = words.slice(0, -1)
  if (name === undefined) return false
  if (operator === '||' || operator === 'or') return definedConstant(guard) === name
  return (operator === '&&' || operator === 'and') && guard[0]?.text === '!' && definedConstant(guard.slice(1)) === name
}

function within({ under }: Statement, name: string | undefined): string | undefined {
  if (under.kind === 'something') return under.what
  if (under.kind === 'undefined' && under.constant !== name) return 'an if'
  return undefined
}

/** What is removed with a definition: its statement without a close tag, or the `if` that has nothing else. */
function wholeOf({ under, from, to, tokens }: Statement): Span | undefined {
  if (under.kind === 'undefined') return under.alone
  const last = tokens.at(-1)!
  return { from, to: last.kind === 'close' ? last.at : to }
}

function valueOf(tokens: readonly LiveToken[]): { readonly value: PhpValue } | { readonly computed: string } {
  const isNegative = tokens.length === 2 && tokens[0]!.text === '-'
  const [token] = isNegative ? tokens.slice(1) : tokens
  if (token && tokens.length === (isNegative ? 2 : 1)) {
    const word = token.text.toLowerCase().replace(/^\\/, '')
    if (token.kind === 'number') return { value: numberOf(token.text) * (isNegative ? -1 : 1) }
    const known = { true: true, false: false, null: null }
    if (!isNegative && token.kind === 'name' && word in known) return { value: known[word as keyof typeof known] }
    const text = isNegative ? undefined : stringValue(token)
    if (text !== undefined) return { value: text }
  }
  const shown = tokens.map((each, i) => (i > 0 && endOf(tokens[i - 1]!) < each.at ? ' ' : '') + each.text).join('')
  return { computed: shown.length > 60 ? `${shown.slice(0, 59)}…` : shown }
}

function numberOf(text: string): number {
  const bare = text.replaceAll('_', '')
  return /^0[0-7]+$/.test(bare) ? Number.parseInt(bare, 8) : Number(bare)
}

/** The tokens between commas that are in no bracket. */
function parted(tokens: readonly LiveToken[]): readonly (readonly LiveToken[])[] {
  const parts: LiveToken[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (token.kind === 'sign' && /^(?:[([{]|#\[)$/.test(token.text)) depth++
    if (token.kind === 'sign' && /^[)\]}]$/.test(token.text)) depth--
    if (token.text === ',' && depth === 0) parts.push([])
    else parts.at(-1)!.push(token)
  }
  return parts
}

function closing(tokens: readonly LiveToken[], open: number): number {
  let depth = 0
  for (let at = open; at < tokens.length; at++) {
    if (tokens[at]!.text === '(' && tokens[at]!.kind === 'sign') depth++
    if (tokens[at]!.text === ')' && tokens[at]!.kind === 'sign' && --depth === 0) return at
  }
  return tokens.length
}

/** Takes spans out; with their lines, where nothing else is on them. */
function removed(source: string, spans: readonly Span[]): string {
  return spans.toReversed().reduce((text, { from, to }) => {
    const before = text.slice(0, from)
    const after = text.slice(to)
    const [indent = ''] = /[ \t]*$/.exec(before) ?? []
    const startsLine = /(?:^|[\r\n])$/.test(before.slice(0, before.length - indent.length))
    const [rest] = /^[ \t]*(?:\r\n|\n|\r)/.exec(after) ?? []
    if (startsLine && rest !== undefined)
      return before.slice(0, before.length - indent.length) + after.slice(rest.length)
    return before + after
  }, source)
}

/**
 * A statement put in where it has an effect: in front of the line «That's all, stop editing!», which localised files lack,
 * or of the `require` of wp-settings.php, or at the end; and in front of any other file that is included, which might
 * define the same.
 */
function inserted(path: string, file: PhpFile, statement: string): string {
  const { source, tokens } = file
  const eol = /\r\n|\n|\r/.exec(source)?.[0] ?? '\n'
  const settings = settingsOf(file)
  const [inclusion] = includesBefore(file)
  const last = markerOf(file, settings) ?? (settings && withComments(file, settings.outermost))
  const points = [inclusion && withComments(file, inclusion.outermost), last].filter((at) => at !== undefined)
  if (points.length > 0) return put(source, Math.min(...points), statement, eol)

  const code = tokens.filter(({ kind }) => kind !== 'space' && kind !== 'comment')
  const end = code.at(-1)
  const tail = end?.kind === 'text' && end.text.trim() === '' ? code.at(-2) : end
  if (!tail || tail.kind === 'text' || tokens.findLast(({ kind }) => kind === 'open')?.text === '<?=') {
    throw new Failure('E_REFUSED', `${path} does not end with PHP code, so there is no place for a constant.`)
  }
  if (tail.kind !== 'close') {
    const closed = /[\r\n]$/.test(source) || source === '' ? source : source + eol
    return closed + statement + eol
  }
  // The statement before the tag may have no end of its own.
  const before = code[code.indexOf(tail) - 1]
  const ends = before && (before.kind === 'open' || before.text === ';' || before.text === '}')
  return put(
    source,
    ends ? tail.at : (file.outer.findLast(({ from }) => from < tail.at)?.from ?? tail.at),
    statement,
    eol,
  )
}

/** A statement on a line of its own in front of a place, or on its line where that does not begin there. */
function put(source: string, at: number, statement: string, eol: string): string {
  const before = source.slice(0, at)
  const [indent = ''] = /[ \t]*$/.exec(before) ?? []
  const lineStart = at - indent.length
  if (/(?:^|[\r\n])$/.test(source.slice(0, lineStart)))
    return source.slice(0, lineStart) + statement + eol + source.slice(lineStart)
  return `${before}${statement} ${source.slice(at)}`
}

/** An earlier comment of the sample speaks of the «stop editing» line too. */
function markerOf(file: PhpFile, settings: Statement | undefined): number | undefined {
  return file.tokens.findLast(({ kind, text, at }) => {
    const isMarker = kind === 'comment' && /That.?s all,? stop editing/i.test(text)
    return isMarker && (!settings || at < settings.from) && !file.outer.some(({ from, to }) => from < at && at < to)
  })?.at
}

/** Where the comments begin that stand right above a statement. */
function withComments({ tokens }: PhpFile, at: number): number {
  let i = tokens.findIndex((token) => token.at === at)
  for (;;) {
    const [space, comment, before] = [tokens[i - 1], tokens[i - 2], tokens[i - 3]]
    const isAbove =
      space?.kind === 'space' && /^[ \t]*(?:\r\n|\n|\r)[ \t]*$/.test(space.text) && comment?.kind === 'comment'
    // A comment that begins behind something on its line belongs to that.
    if (!isAbove || !(before === undefined || /[\r\n][ \t]*$/.test(before.text))) return tokens[i]!.at
    i -= 2
  }
}

/** The new text, read again: what was written must be what PHP finds. */
function checked(path: string, source: string, name: string, value: PhpValue): string {
  if (constantIn(path, source, name) === value) return source
  throw new Failure('E_REFUSED', `${path}: a definition of ${name} would have no effect there.`, {
    hint: 'The file ends before it: with exit, return or die.',
  })
}

function refused(path: string, { source }: PhpFile, at: number, reason: string, hint: string): Failure {
  return new Failure('E_REFUSED', `${path}, line ${lineAt(source, at)}: ${reason}.`, { hint })
}

function endOf({ at, text }: LiveToken): number {
  return at + text.length
}
