/** A report under way: its lines, its columns and its colours. */

import type { Place } from '../errors/failure.ts'
import { names, pad, told, width, wrap } from './layout.ts'
import { type Paint, paint } from './paint.ts'

export interface PageOptions {
  readonly color: boolean
  /** Columns. */
  readonly width: number
  /** Paths are told relative to this folder. */
  readonly folder: string
}

/** What the columns are made for. */
export interface Columns {
  /** Where hosts and values begin. */
  readonly value: number
  /** The widest place that is told. */
  readonly place: number
}

export class Page {
  readonly paint: Paint
  readonly width: number
  readonly folder: string
  readonly #columns: Columns
  readonly #lines: string[] = []

  constructor({ color, width, folder }: PageOptions, columns: Columns = { value: 0, place: 0 }) {
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
    for (const line of text.split('\n').flatMap((part) => wrap(part, Math.max(20, this.width - indent)))) {
      this.line(' '.repeat(indent) + style(line))
    }
  }

  /** The first line of an entry: what, hosts, place. Where all hosts must be named, they take as many lines as they need. */
  entry(what: string, hosts: readonly string[], place: Place | undefined, { mark = ' ', all = false } = {}): void {
    const { faint, strong, changed } = this.paint
    const { value } = this.#columns
    const where = place ? told(place, this.folder) : ''
    const room = this.width - value
    const beside = where === '' ? 0 : this.#columns.place + 2
    const fits = room - beside >= Math.min(16, width(hosts.join(' ')))
    const start = `${changed(mark)} ${strong(pad(what, value - 2))}`
    const hostsRoom = fits ? room - beside : room
    const [first = '', ...more] = all ? wrap(hosts.join(' '), hostsRoom) : [names(hosts, hostsRoom)]
    const long = width(what) > value - 4
    if (long) this.line(`${changed(mark)} ${strong(what)}`)
    this.line(
      `${long ? ' '.repeat(value) : start}${fits && where ? `${pad(first, hostsRoom)}  ${faint(where)}` : first}`,
    )
    for (const line of more) this.line(' '.repeat(value) + line)
    if (!fits && where) this.line(' '.repeat(value) + faint(where))
  }

  /** A label and what it is, in the column of values. */
  labelled(label: string, text: string, { indent = 4, mark = ' ', style = plain }: LabelOptions = {}): void {
    const { value } = this.#columns
    const start = ' '.repeat(indent - 2) + this.paint.changed(mark) + ' '
    if (width(label) > value - indent - 2) {
      // One that is hardly too long may reach into the values.
      if (width(label) + indent + 3 + width(text) <= this.width) return this.line(`${start}${label}   ${style(text)}`)
      this.line(start + label)
      for (const line of wrap(text, this.width - value)) this.line(' '.repeat(value) + style(line))
      return
    }
    const [first = '', ...more] = wrap(text, this.width - value)
    this.line(`${start}${pad(label, value - indent)}${style(first)}`)
    for (const line of more) this.line(' '.repeat(value) + style(line))
  }

  /** A label, and the values before and after: on one line where they fit, else the arrow begins the second. */
  change(label: string, before: string, after: string, mark: string): void {
    const { value } = this.#columns
    const { faint } = this.paint
    const whole = `${before} → ${after}`
    const long = width(label) > value - 6
    const start = long ? width(label) + 7 : value
    if (start + width(whole) <= this.width) {
      const gap = long ? '   ' : ' '.repeat(value - 4 - width(label))
      return this.line(`  ${this.paint.changed(mark)} ${label}${gap}${faint(before)} ${faint('→')} ${after}`)
    }
    this.labelled(long ? label : label, before, { mark, style: faint })
    const [first = '', ...more] = wrap(after, this.width - value)
    this.line(`${' '.repeat(value - 2)}${faint('→')} ${first}`)
    for (const line of more) this.line(' '.repeat(value) + line)
  }
}

interface LabelOptions {
  readonly indent?: number
  readonly mark?: string
  readonly style?: (text: string) => string
}

function plain(text: string): string {
  return text
}
