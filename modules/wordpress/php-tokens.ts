/** The tokens of PHP: enough of its scanner to tell live code from comments, strings and the text around it. */

import { Failure } from '../../errors/failure.ts'

/**
 * What a token is. `text` is what stands outside `<?php … ?>`; `string` is a constant one, `template` one with variables in it
 * (also a heredoc with some, and backticks); a `name` may be qualified (`\define`), and is a keyword too.
 */
export type PhpKind =
  | 'text'
  | 'open'
  | 'close'
  | 'space'
  | 'comment'
  | 'string'
  | 'heredoc'
  | 'template'
  | 'variable'
  | 'name'
  | 'number'
  | 'cast'
  | 'sign'

export interface PhpToken {
  readonly kind: PhpKind
  readonly text: string
  /** Where it begins, in UTF-16 units. */
  readonly at: number
}

/**
 * The tokens of a PHP file; their texts together are the file. What follows `__halt_compiler` is one piece of text.
 * A string or comment without an end, and `<?` alone, whose meaning is a setting, are refused.
 *
 * @see https://www.php.net/manual/en/tokens.php
 */
export function phpTokens(source: string): readonly PhpToken[] {
  return new Scanner(source).all()
}

/** The line of a place in a text, from 1. */
export function lineAt(source: string, at: number): number {
  return source.slice(0, at).split(/\r\n|\r|\n/).length
}

const label = '[A-Za-z_\\u0080-\\uffff][A-Za-z0-9_\\u0080-\\uffff]*'

/** Tokens of code that a single expression tells, in the order in which they are tried. */
const patterns: readonly (readonly [PhpKind, RegExp])[] = [
  ['close', /\?>(?:\r\n|\n|\r)?/y],
  ['space', /[ \t\r\n]+/y],
  ['comment', /(?:#(?!\[)|\/\/)(?:(?!\?>)[^\r\n])*/y],
  ['variable', new RegExp(`\\$${label}`, 'y')],
  ['name', /yield[ \t\r\n]+from(?![A-Za-z0-9_\u0080-\uffff])/iy],
  ['name', new RegExp(`\\\\?${label}(?:\\\\${label})*`, 'y')],
  ['number', /0x[0-9a-f]+(?:_[0-9a-f]+)*|0b[01]+(?:_[01]+)*|0o[0-7]+(?:_[0-7]+)*/iy],
  [
    'number',
    /(?:\d+(?:_\d+)*)?\.\d+(?:_\d+)*(?:e[+-]?\d+(?:_\d+)*)?|\d+(?:_\d+)*(?:\.(?:e[+-]?\d+)?|e[+-]?\d+(?:_\d+)*)?/iy,
  ],
  ['cast', /\([ \t]*(?:int|integer|bool|boolean|float|double|real|string|binary|array|object|unset)[ \t]*\)/iy],
  [
    'sign',
    /<=>|\*\*=|\.\.\.|<<=|>>=|===|!==|\?\?=|\?->|->|=>|::|\+\+|--|<<|>>|<=|>=|==|!=|<>|&&|\|\||\?\?|\+=|-=|\*=|\/=|\.=|%=|&=|\|=|\^=|\*\*|#\[/y,
  ],
]

const openTag = /<\?(?:php(?:[ \t]|\r\n|\n|\r|$)|=)/iy
const heredocStart = new RegExp(`[bB]?<<<[ \\t]*(?:"(${label})"|'(${label})'|(${label}))(?:\\r\\n|\\n|\\r)`, 'y')

class Scanner {
  readonly #source: string
  readonly #tokens: PhpToken[] = []
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  all(): readonly PhpToken[] {
    while (this.#at < this.#source.length) {
      this.#text()
      while (this.#at < this.#source.length && this.#tokens.at(-1)?.kind !== 'close') this.#code()
    }
    return this.#tokens
  }

  /** What stands before the next open tag, and the tag. */
  #text(): void {
    let end = this.#at
    for (;;) {
      end = this.#source.indexOf('<?', end)
      if (end < 0) return this.#take('text', this.#source.length)
      const tag = match(openTag, this.#source, end)
      if (tag !== undefined) {
        this.#take('text', end)
        return this.#take('open', end + tag.length)
      }
      throw this.#refused(end, '`<?` is code or text, depending on a setting of PHP')
    }
  }

  #code(): void {
    const source = this.#source
    const at = this.#at
    const next = source[at]!
    const quoteAt = (next === 'b' || next === 'B') && /["']/.test(source[at + 1] ?? '') ? at + 1 : at
    const quote = source[quoteAt]!
    if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2)
      if (end < 0) throw this.#refused(at, 'a comment has no end')
      return this.#take('comment', end + 2)
    }
    if (quote === "'") return this.#take('string', this.#singleEnd(quoteAt))
    if (quote === '"' || next === '`') {
      const { end, plain } = this.#templateEnd(quoteAt + 1, quote)
      return this.#take(plain && quote === '"' ? 'string' : 'template', end)
    }
    const heredoc = execAt(heredocStart, source, at)
    if (heredoc) return this.#heredoc(heredoc)
    for (const [kind, pattern] of patterns) {
      const text = match(pattern, source, at)
      if (text === undefined) continue
      this.#take(kind, at + text.length)
      if (kind === 'name' && text.toLowerCase() === '__halt_compiler') this.#halt()
      return
    }
    this.#take('sign', at + 1)
  }

  #singleEnd(at: number): number {
    const end = match(/'(?:[^'\\]|\\[^])*'/y, this.#source, at)
    if (end === undefined) throw this.#refused(at, 'a string has no end')
    return at + end.length
  }

  /** The end of a string that may have variables in it; whether it has none. */
  #templateEnd(from: number, quote: string): { readonly end: number; readonly plain: boolean } {
    let plain = true
    for (let at = from; at < this.#source.length; at++) {
      const char = this.#source[at]
      if (char === '\\') at++
      else if (char === quote) return { end: at + 1, plain }
      else if (this.#begins(at)) {
        plain = false
        if (this.#source[at] === '{' || this.#source[at + 1] === '{') at = this.#braceEnd(at + 2) - 1
      }
    }
    throw this.#refused(from - 1, 'a string has no end')
  }

  /** Whether a variable begins here, in a string: `$x`, `{$x` or `${`. */
  #begins(at: number): boolean {
    return match(/\$[A-Za-z_\u0080-\uffff]|\{\$|\$\{/y, this.#source, at) !== undefined
  }

  /** The end of code in braces within a string: strings in it may hold what would end the one around it. */
  #braceEnd(from: number): number {
    const inner = new Scanner(this.#source)
    inner.#at = from
    let depth = 1
    while (inner.#at < this.#source.length) {
      inner.#code()
      const last = inner.#tokens.at(-1)!
      if (last.text === '{') depth++
      if (last.text === '}' && --depth === 0) return inner.#at
    }
    throw this.#refused(from, 'a brace in a string has no end')
  }

  #heredoc(start: RegExpExecArray): void {
    const name = (start[1] ?? start[2] ?? start[3])!
    const isNow = start[2] !== undefined
    const body = this.#at + start[0].length
    const closing = new RegExp(`[ \\t]*${name}(?![A-Za-z0-9_\\u0080-\\uffff])`, 'y')
    let plain = true
    for (let at = body; at < this.#source.length; at++) {
      const isLineStart = at === body || /[\r\n]/.test(this.#source[at - 1]!)
      const end = isLineStart ? match(closing, this.#source, at) : undefined
      if (end !== undefined) return this.#take(plain ? 'heredoc' : 'template', at + end.length)
      if (isNow) continue
      // An escaped character may be the end of a line, which the closing label may follow.
      if (this.#source[at] === '\\' && !/[\r\n]/.test(this.#source[at + 1] ?? '')) at++
      else if (this.#begins(at)) {
        plain = false
        if (this.#source[at] === '{' || this.#source[at + 1] === '{') at = this.#braceEnd(at + 2) - 1
      }
    }
    throw this.#refused(this.#at, `the heredoc ${name} has no end`)
  }

  /** The call of `__halt_compiler` ends with `;` or a close tag; what follows is data. */
  #halt(): void {
    while (this.#at < this.#source.length) {
      this.#code()
      const last = this.#tokens.at(-1)!
      if (last.text === ';' || last.kind === 'close') return this.#take('text', this.#source.length)
    }
  }

  #take(kind: PhpKind, end: number): void {
    if (end === this.#at) return
    this.#tokens.push({ kind, text: this.#source.slice(this.#at, end), at: this.#at })
    this.#at = end
  }

  #refused(at: number, what: string): Failure {
    return new Failure('E_REFUSED', `This is not PHP that is understood: line ${lineAt(this.#source, at)}, ${what}.`)
  }
}

function execAt(pattern: RegExp, source: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at
  return pattern.exec(source) ?? undefined
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  return execAt(pattern, source, at)?.[0]
}
