/** Which statements of a PHP file run when it is included, in order, and under what. */

import { Failure } from '../../errors/failure.ts'
import { lineAt, type PhpToken, phpTokens } from './php-tokens.ts'

/** A token that is neither space nor comment. */
export interface LiveToken extends PhpToken {
  /** Its place among all tokens of the file. */
  readonly index: number
}

/** What decides whether a statement runs. */
export type Under =
  /** Nothing: it runs whenever the file does. */
  | { readonly kind: 'nothing' }
  /** That a constant is not defined yet: `if (!defined('X'))`. */
  | { readonly kind: 'undefined'; readonly constant: string; readonly alone: Span | undefined }
  /** What a reader is told: `an if`, `a function`. */
  | { readonly kind: 'something'; readonly what: string }
  /** It never runs: `if (false)`, or behind an `exit`. */
  | { readonly kind: 'never' }

export interface Span {
  readonly from: number
  readonly to: number
}

export interface Statement extends Span {
  /** Its tokens, with the `;` or the close tag that ends it. */
  readonly tokens: readonly LiveToken[]
  readonly under: Under
  /** Where the statement of the file itself begins that it is in, or is. */
  readonly outermost: number
}

export interface PhpFile {
  readonly source: string
  readonly tokens: readonly PhpToken[]
  /** In the order in which they stand. Of an `if` they are those in its branches. */
  readonly statements: readonly Statement[]
  /** The statements of the file itself, whole. */
  readonly outer: readonly Span[]
}

/** The statements of a file. One that cannot be told apart is refused, and so are `namespace` and `goto`. */
export function phpFile(source: string): PhpFile {
  const tokens = phpTokens(source)
  return { source, tokens, ...new StatementReader(source, tokens).all() }
}

/** The text of a string constant, or undefined where the token is none. */
export function stringValue({ kind, text }: PhpToken): string | undefined {
  if (kind !== 'string') return undefined
  const bare = text.replace(/^[bB]/, '')
  const inner = bare.slice(1, -1)
  if (bare.startsWith("'")) return inner.replace(/\\([\\'])/g, '$1')
  return inner.replace(
    /\\(u\{[0-9A-Fa-f]+\}|[xX][0-9A-Fa-f]{1,2}|[0-7]{1,3}|[^])/g,
    (whole, escape: string) => unescaped(escape) ?? whole,
  )
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  v: '\v',
  e: '\u001b',
  f: '\f',
  '\\': '\\',
  $: '$',
  '"': '"',
}

function unescaped(escape: string): string | undefined {
  if (escape.startsWith('u{')) {
    const point = Number.parseInt(escape.slice(2), 16)
    return point <= 0x10ffff ? String.fromCodePoint(point) : undefined
  }
  if (/^x./i.test(escape)) return String.fromCharCode(Number.parseInt(escape.slice(1), 16))
  if (/^[0-7]/.test(escape)) return String.fromCharCode(Number.parseInt(escape, 8) % 256)
  return escapes[escape]
}

const nothing: Under = { kind: 'nothing' }
const never: Under = { kind: 'never' }
const closers: Readonly<Record<string, string>> = { '(': ')', '[': ']', '#[': ']', '{': '}' }
const loops = ['while', 'for', 'foreach', 'switch']
const bodies = ['function', 'class', 'interface', 'trait', 'enum', 'abstract', 'final', 'readonly']

class StatementReader {
  readonly #source: string
  readonly #live: readonly LiveToken[]
  readonly #found: Statement[] = []
  #at = 0
  #outermost: number | undefined
  /** Behind an `exit` of the file itself. */
  #over = false

  constructor(source: string, tokens: readonly PhpToken[]) {
    this.#source = source
    this.#live = tokens.flatMap((token, index) =>
      token.kind === 'space' || token.kind === 'comment' ? [] : [{ ...token, index }],
    )
  }

  all(): Pick<PhpFile, 'statements' | 'outer'> {
    const outer: Span[] = []
    while (this.#at < this.#live.length) {
      this.#outermost = undefined
      this.#statement(this.#over ? never : nothing)
      const from = this.#outermost as number | undefined
      if (from !== undefined) outer.push({ from, to: end(this.#live[this.#at - 1]!) })
    }
    return { statements: this.#found, outer }
  }

  #statement(under: Under): void {
    const token = this.#live[this.#at]!
    this.#outermost ??= token.at
    const word = token.kind === 'name' ? token.text.toLowerCase() : ''
    if (token.kind === 'text' || token.kind === 'open' || token.kind === 'close' || token.text === ';') {
      this.#at++
      // Text and tags are no statement that something could be put in front of.
      if (this.#outermost === token.at) this.#outermost = undefined
      return
    }
    if (token.text === '{') return this.#braces(under)
    if (token.text === '#[') return this.#balanced()
    if (word === 'if') return this.#if(under)
    if (loops.includes(word)) return this.#loop(word, under)
    if (word === 'declare') {
      this.#at++
      return this.#balanced()
    }
    if (word === 'do' || word === 'try') return this.#branch(word, under)
    if (bodies.includes(word) && this.#declares(word)) return this.#body(word, under)
    if (word === 'namespace') throw this.#refused(token, 'it has a namespace')
    if (word === 'goto') throw this.#refused(token, 'it has a goto')
    this.#expression(under)
    if (['exit', 'die', 'return'].includes(word) && under.kind === 'nothing') this.#over = true
  }

  /** Up to `;` or a close tag. */
  #expression(under: Under): void {
    const from = this.#at
    while (this.#at < this.#live.length) {
      const token = this.#live[this.#at]!
      if (token.text in closers && token.kind === 'sign') {
        this.#balanced()
        continue
      }
      if (token.kind === 'sign' && ['}', ')', ']'].includes(token.text)) {
        if (this.#at === from) throw this.#refused(token, `nothing opens this ${token.text}`)
        break
      }
      this.#at++
      if (token.text === ';' || token.kind === 'close') break
    }
    this.#add(from, under)
  }

  #if(under: Under): void {
    const from = this.#live[this.#at]!
    this.#at++
    const condition = this.#condition()
    const isColon = this.#is(':')
    const before = this.#found.length
    this.#branchBody(this.#conditionUnder(condition, under), ['elseif', 'else', 'endif'])
    let others = 0
    for (;;) {
      const word = this.#word()
      if (word !== 'elseif' && word !== 'else') break
      others++
      this.#at++
      if (word === 'elseif') this.#condition()
      // `else if` is an `else` with an `if` for its body, which has an end of its own.
      if (word === 'else' && this.#word() === 'if' && !isColon) {
        this.#if(something(under, 'an else'))
        break
      }
      const literal = condition.map(({ text }) => text.toLowerCase()).join(' ')
      const isOther = word === 'else' && others === 1
      const other =
        isOther && /^(true|1)$/.test(literal) ? never : isOther && /^(false|0)$/.test(literal) ? under : undefined
      this.#branchBody(other ?? something(under, `an ${word}`), ['elseif', 'else', 'endif'])
    }
    if (isColon) this.#expectWord('endif')
    // The whole of a guard that has nothing but one statement goes with it.
    const inside = this.#found.slice(before)
    const [only] = inside
    if (others === 0 && inside.length === 1 && only?.under.kind === 'undefined') {
      const alone = { from: from.at, to: end(this.#live[this.#at - 1]!) }
      this.#found[before] = { ...only, under: { ...only.under, alone } }
    }
  }

  #loop(word: string, under: Under): void {
    this.#at++
    this.#condition()
    this.#branchBody(something(under, `a ${word}`), [`end${word}`])
  }

  #branch(word: string, under: Under): void {
    this.#at++
    const inside = something(under, `a ${word}`)
    this.#statement(inside)
    if (word === 'do' && this.#word() === 'while') return this.#expression(inside)
    while (['catch', 'finally'].includes(this.#word())) {
      this.#at++
      if (this.#is('(')) this.#balanced()
      this.#statement(inside)
    }
  }

  /** One statement, or those between `:` and the word that ends them. */
  #branchBody(under: Under, ends: readonly string[]): void {
    if (!this.#is(':')) {
      if (this.#at < this.#live.length) this.#statement(under)
      return
    }
    this.#at++
    while (this.#at < this.#live.length && !ends.includes(this.#word())) {
      // The branches of a `switch` have labels.
      this.#statement(under)
    }
    if (!ends.includes('endif')) this.#expectWord(ends[0]!)
  }

  #braces(under: Under): void {
    const open = this.#live[this.#at]!
    this.#at++
    while (this.#at < this.#live.length && !this.#is('}')) this.#statement(under)
    if (!this.#is('}')) throw this.#refused(open, 'a brace has no end')
    this.#at++
  }

  /** Whether a word begins a declaration: `function name`, `final class`, and not a function without a name. */
  #declares(word: string): boolean {
    const ahead = word === 'function' && this.#live[this.#at + 1]?.text === '&' ? 2 : 1
    return this.#live[this.#at + ahead]?.kind === 'name'
  }

  /** A declaration: what is in it runs when it is called, if ever. */
  #body(word: string, under: Under): void {
    const from = this.#at
    while (this.#at < this.#live.length && !this.#is('{') && !this.#is(';')) {
      if (this.#is('(') || this.#is('[') || this.#is('#[')) this.#balanced()
      else this.#at++
    }
    if (this.#is('{')) this.#balanced()
    else this.#at++
    this.#add(from, something(under, word === 'function' ? 'a function' : 'a class'))
  }

  #add(from: number, under: Under): void {
    const tokens = this.#live.slice(from, this.#at)
    const [first, last] = [tokens[0], tokens.at(-1)]
    if (!first || !last) return
    this.#found.push({ tokens, under, from: first.at, to: end(last), outermost: this.#outermost ?? first.at })
  }

  /** What is between the parentheses. */
  #condition(): readonly LiveToken[] {
    const from = this.#at
    if (!this.#is('('))
      throw this.#refused(this.#live[this.#at] ?? this.#live[this.#at - 1]!, 'a condition has no parenthesis')
    this.#balanced()
    return this.#live.slice(from + 1, this.#at - 1)
  }

  #conditionUnder(condition: readonly LiveToken[], under: Under): Under {
    if (under.kind === 'never') return never
    const literal = condition.map(({ text }) => text.toLowerCase()).join(' ')
    if (/^(false|0|null|''|"")$/.test(literal)) return never
    if (/^(true|1)$/.test(literal)) return under
    const constant = condition[0]?.text === '!' ? definedConstant(condition.slice(1)) : undefined
    if (constant !== undefined && under.kind === 'nothing') return { kind: 'undefined', constant, alone: undefined }
    return something(under, 'an if')
  }

  /** Over a bracket and all that is in it. */
  #balanced(): void {
    const stack: string[] = []
    const open = this.#live[this.#at]!
    for (; this.#at < this.#live.length; this.#at++) {
      const { kind, text } = this.#live[this.#at]!
      if (kind !== 'sign') continue
      const closer = closers[text]
      if (closer !== undefined) stack.push(closer)
      else if (text === ')' || text === ']' || text === '}') {
        if (stack.pop() !== text) throw this.#refused(this.#live[this.#at]!, `this ${text} closes something else`)
        if (stack.length === 0) return void this.#at++
      }
    }
    throw this.#refused(open, `this ${open.text} has no end`)
  }

  #is(text: string): boolean {
    const token = this.#live[this.#at]
    return token?.text === text && token.kind === 'sign'
  }

  #word(): string {
    const token = this.#live[this.#at]
    return token?.kind === 'name' ? token.text.toLowerCase() : ''
  }

  #expectWord(word: string): void {
    if (this.#word() !== word) throw this.#refused(this.#live[this.#at] ?? this.#live.at(-1)!, `${word} is missing`)
    this.#at++
    if (this.#is(';')) this.#at++
  }

  #refused({ at }: PhpToken, what: string): Failure {
    return new Failure('E_REFUSED', `This is not PHP that is understood: line ${lineAt(this.#source, at)}, ${what}.`)
  }
}

/** The constant of `defined('X')`, where the tokens are that and nothing else. */
export function definedConstant(tokens: readonly LiveToken[]): string | undefined {
  const [name, open, argument, close] = tokens
  const isCall = tokens.length === 4 && /^\\?defined$/i.test(name!.text) && open!.text === '(' && close!.text === ')'
  return isCall ? stringValue(argument!) : undefined
}

function something(under: Under, what: string): Under {
  if (under.kind === 'never') return never
  return under.kind === 'something' ? under : { kind: 'something', what }
}

function end({ at, text }: PhpToken): number {
  return at + text.length
}
