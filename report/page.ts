/** A report under way: its lines, its columns and its colours. */

import { names, pad, width, wrap } from './layout.ts'
import { type Paint, paint } from './paint.ts'

export interface PageOptions {
  readonly color: boolean
  /** Columns. */
  readonly width: number
  /** Paths are told relative to this folder. */
  readonly folder: string
}

/** Where the columns of entries are. */
export interface Columns {
  /** Where hosts and values begin. */
  readonly value: number
  /** How wide the column of hosts is. */
  readonly hosts: number
}

interface EntryOptions {
  readonly mark?: string
  /** What stands to the right of the hosts: a place, a reason. */
  readonly beside?: string
  /** Names every host, in as many lines as that takes. */
  readonly all?: boolean
}

export class Page {
  readonly paint: Paint
  readonly width: number
  readonly folder: string
  readonly #columns: Columns
  readonly #lines: string[] = []

  constructor({ color, width, folder }: PageOptions, columns: Columns = { value: 0, hosts: 0 }) {
    this.paint = paint(color)
    this.width = width
    this.folder = folder
    this.#columns = columns
  }

  get text(): string {
    return this.#lines.map((line) => `${line.trimEnd()}\n`).join('')
  }

  line(text = ''): void {
    this.#lines.push(text)
  }

  /** The name of a section, after an empty line. */
  section(name: string): void {
    this.line()
    this.line(name)
  }

  /** A text that is wrapped, each line from the same column. */
  prose(text: string, indent: number, style: (text: string) => string = plain): void {
    for (const part of text.split('\n')) {
      const words = part.trimStart()
      const inset = indent + part.length - words.length
      for (const line of wrap(words, Math.max(20, this.width - inset))) this.line(' '.repeat(inset) + style(line))
    }
  }

  /** The first line of an entry: what, its hosts, and its place. */
  entry(what: string, hosts: readonly string[], { mark = ' ', beside = '', all = false }: EntryOptions = {}): void {
    const { faint, strong, changed } = this.paint
    const { value, hosts: column } = this.#columns
    const [first = '', ...more] = all ? wrap(hosts.join(' '), column) : [names(hosts, column)]
    const gap = value + column + 2 + width(beside) <= this.width ? column : width(first)
    const fits = beside !== '' && value + gap + 2 + width(beside) <= this.width
    const line = fits ? `${pad(first, gap)}  ${faint(beside)}` : first
    if (width(what) > value - 4) {
      this.line(`${changed(mark)} ${strong(what)}`)
      this.line(' '.repeat(value) + line)
    } else this.line(`${changed(mark)} ${strong(pad(what, value - 2))}${line}`)
    for (const text of more) this.line(' '.repeat(value) + text)
    if (!fits && beside !== '') this.prose(beside, value, faint)
  }

  /** A label, and its values before and after: on one line where they fit, else the arrow begins the second. */
  change(label: string, before: string, after: string, mark: string): void {
    const { value } = this.#columns
    const { faint, changed } = this.paint
    const start = `  ${changed(mark)} ${label}`
    const long = value - 4 - width(label) < 2
    const gap = ' '.repeat(long ? 3 : value - 4 - width(label))
    if (before === after) return this.line(`${start}${gap}${after}${faint(', changed within')}`)
    if (width(`    ${label}${gap}${before} → ${after}`) <= this.width) {
      return this.line(`${start}${gap}${faint(`${before} →`)} ${after}`)
    }
    const room = this.width - value
    const [first = '', ...more] = wrap(before, room)
    if (long) {
      this.line(start)
      this.line(' '.repeat(value) + faint(first))
    } else this.line(start + gap + faint(first))
    for (const line of more) this.line(' '.repeat(value) + faint(line))
    const [to = '', ...further] = wrap(after, room)
    this.line(`${' '.repeat(value - 2)}${faint('→')} ${to}`)
    for (const line of further) this.line(' '.repeat(value) + line)
  }
}

function plain(text: string): string {
  return text
}
