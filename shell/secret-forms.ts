/** The forms in which a value may come back: as it is, quoted, escaped and encoded by what it went through. */

import { quote } from './quote.ts'
import { shortestSecret } from './secret.ts'

/** Finds values in texts, in every form that they may come back in. */
export class SecretFinder {
  /** The beginnings of all forms: one search for all of them. */
  readonly #heads: RegExp
  readonly #byHead = new Map<string, Form[]>()

  constructor(values: readonly string[]) {
    const forms = new Map<string, Form>()
    for (const part of values.flatMap(partsOf)) {
      for (const text of formsOf(part)) forms.set(text, { text, breaks: undefined })
      for (const text of base64Forms(part)) forms.set(text, { text, breaks: breakable(text) })
    }
    // Of two that begin at one place the longer one is found.
    const longestFirst = [...forms.values()].toSorted((a, b) => b.text.length - a.text.length)
    const heads = new Set<string>()
    for (const form of longestFirst) {
      const head = form.text.slice(0, headLength)
      this.#byHead.set(head, [...(this.#byHead.get(head) ?? []), form])
      heads.add(form.breaks ? breaking(head) : literal(head))
    }
    this.#heads = new RegExp([...heads].join('|'), 'g')
  }

  /** The text with a word in the place of every value. */
  covering(text: string, word: string): string {
    let told = ''
    let done = 0
    this.#heads.lastIndex = 0
    for (let found = this.#heads.exec(text); found; found = this.#heads.exec(text)) {
      const length = this.#lengthAt(text, found)
      if (length === 0) {
        this.#heads.lastIndex = found.index + 1
        continue
      }
      told += text.slice(done, found.index) + word
      done = found.index + length
      this.#heads.lastIndex = done
    }
    return done === 0 ? text : told + text.slice(done)
  }

  #lengthAt(text: string, { 0: head, index }: RegExpExecArray): number {
    // Where a line breaks in it, the form is known by its head without the break.
    const forms = [...new Set([head, head.replaceAll(/\s/g, '')])].flatMap((each) => this.#byHead.get(each) ?? [])
    for (const { text: form, breaks } of forms) {
      if (text.startsWith(form, index)) return form.length
      if (!breaks) continue
      breaks.lastIndex = index
      const length = breaks.exec(text)?.[0].length
      if (length !== undefined) return length
    }
    return 0
  }
}

interface Form {
  readonly text: string
  /** Finds it at a place with line breaks in it; undefined where it has none. */
  readonly breaks: RegExp | undefined
}

const headLength = shortestSecret

/** A line that is longer is looked for in pieces. */
const longestPart = 512

/** The value, and its lines: a reader sees them one by one. */
function partsOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim())
  const whole = value.length <= 4 * longestPart ? [value, value.trim()] : []
  return [...new Set([...whole, ...lines.flatMap(pieces)])].filter((part) => part.length >= shortestSecret)
}

function pieces(line: string): readonly string[] {
  const count = Math.ceil(line.length / longestPart)
  const size = Math.ceil(line.length / count)
  return Array.from({ length: count }, (_, i) => line.slice(i * size, (i + 1) * size))
}

function formsOf(value: string): readonly string[] {
  const url = percent(value)
  const json = JSON.stringify(value).slice(1, -1)
  return [
    value,
    // Of a quoted word only what is between its quotes: around it may stand more.
    quote(value.replaceAll('\0', '')).replace(/^'([^]*)'$/, '$1'),
    json,
    json.replace(/[^ -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`),
    json.replaceAll('/', '\\/'),
    // Strings of PHP, SQL and redis.conf; what curl and browsers send.
    value.replace(/[\\']/g, '\\$&'),
    value.replace(/[\\"]/g, '\\$&'),
    value.replace(/[\\"'`$]/g, '\\$&'),
    value.replaceAll("'", "''"),
    value.replace(/[^\w@%+=:,./-]/g, '\\$&'),
    encodeURIComponent(value),
    url,
    url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    url.replaceAll('%20', '+'),
    value.replace(/[&<>"']/g, (character) => entities[character]!),
    Buffer.from(value).toString('hex'),
    Buffer.from(value).toString('hex').toUpperCase(),
  ]
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#039;',
}

/** All but the characters that RFC 3986 leaves as they are. */
function percent(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/**
 * In base64 three bytes are four characters, so there are three forms of what stands in a longer text, by where it begins.
 * Characters at the ends that neighbours have a share in are left out.
 */
function base64Forms(value: string): readonly string[] {
  const bytes = Buffer.from(value)
  return [0, 1, 2].flatMap((before) => {
    const bits = (before + bytes.length) * 8
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const own = encoded.slice(Math.ceil((before * 8) / 6), Math.floor(bits / 6))
    return own.length < shortestSecret ? [] : [own, own.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/** base64(1) breaks lines after 76 characters, and others after 64. */
function breakable(form: string): RegExp | undefined {
  return form.length < 32 ? undefined : new RegExp(breaking(form), 'y')
}

function breaking(text: string): string {
  return text.split('').map(literal).join('\\s?')
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
