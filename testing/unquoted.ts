/** What of a script a POSIX shell looks at: all that is not in single quotes. */

/**
 * The script without what stands in single quotes, behind a backslash, in comments and in here-documents whose end is
 * quoted. In double quotes a single quote is a sign like others, but for substitutions in them, where it quotes again.
 */
export function unquoted(script: string): string {
  const reader = new Reader(script)
  let seen = ''
  const open: ('"' | '(')[] = []
  const documents: Document[] = []
  while (!reader.ended) {
    const inDouble = open.at(-1) === '"'
    if (reader.take(/\\[^]/y)) continue
    if (reader.take(/"/y)) {
      if (inDouble) open.pop()
      else open.push('"')
    } else if (reader.take(inDouble ? /\$\(/y : /\(/y)) {
      open.push('(')
      seen += inDouble ? '$(' : '('
    } else if (inDouble) seen += reader.sign()
    else if (reader.take(/'[^']*(?:'|$)/y)) seen += ' '
    else if (/(?:^|[\s;(])$/.test(seen) && reader.take(/#[^\n]*/y)) continue
    else if (reader.take(/\)/y)) {
      // The end of a pattern of `case` closes nothing.
      if (open.at(-1) === '(') open.pop()
      seen += ')'
    } else {
      const document = reader.take(/<<-?[ \t]*(?:'([^'\n]+)'|"([^"\n]+)"|(\w+))/y)
      if (document) documents.push({ end: (document[1] ?? document[2] ?? document[3])!, isQuoted: !document[3] })
      else {
        const sign = reader.sign()
        seen += sign
        if (sign === '\n') for (const each of documents.splice(0)) seen += reader.document(each)
      }
    }
  }
  return seen
}

/** A here-document that begins on the next line. */
interface Document {
  readonly end: string
  readonly isQuoted: boolean
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get ended(): boolean {
    return this.#at >= this.#text.length
  }

  /** Takes what matches here; the pattern must be sticky. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text) ?? undefined
    this.#at += found?.[0].length ?? 0
    return found
  }

  sign(): string {
    return this.#text[this.#at++]!
  }

  /** Takes a here-document; what the shell looks at of it. */
  document({ end, isQuoted }: Document): string {
    const lines = this.#text.slice(this.#at).split('\n')
    const last = lines.findIndex((line) => line.trimStart() === end)
    const body = lines.slice(0, last < 0 ? lines.length : last)
    this.#at += lines.slice(0, body.length + 1).join('\n').length
    return isQuoted ? '' : body.join('\n')
  }
}
