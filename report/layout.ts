/** Text in columns: how wide it is, how it is cut and wrapped, and how what a host says is made harmless. */

import { relative } from 'node:path'
import stringWidth from 'string-width'
import type { Place } from '../errors/failure.ts'

/** Columns that a text takes on a terminal. */
export function width(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text)
}

export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - width(text)))
}

/** A text of at most so many columns, with `…` where something was cut. */
export function clip(text: string, columns: number): string {
  if (width(text) <= columns) return text
  return `${head(text, columns - 1)}…`
}

/** Breaks a text into lines of at most so many columns, between words where it can. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (let word of text.split(' ')) {
    if (line !== '' && width(`${line} ${word}`) > columns) {
      lines.push(line)
      line = ''
    } else if (line !== '') {
      line += ` ${word}`
      continue
    }
    while (width(word) > columns) {
      const first = head(word, columns)
      lines.push(first)
      word = word.slice(first.length)
    }
    line = word
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line]
}

/** Names with spaces between where they fit, else the first ones and how many there are. */
export function names(all: readonly string[], columns: number, what = 'hosts'): string {
  const whole = all.join(' ')
  if (width(whole) <= columns || all.length <= 2) return whole
  const count = `… ${all.length} ${what}`
  let kept = all[0]!
  for (const name of all.slice(1)) {
    if (width(`${kept} ${name} ${count}`) > columns) break
    kept += ` ${name}`
  }
  return `${kept} ${count}`
}

/**
 * A text of a host, harmless for a terminal: characters that move the cursor, change colours or turn the direction of
 * writing are shown as escapes. `keep` names those that stay, such as a newline.
 */
export function harmless(text: string, keep = ''): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, (sign) =>
    keep.includes(sign) ? sign : escaped(sign),
  )
}

/** `plays/web.ts:14`, relative to a folder where it is below that. */
export function told({ file, line }: Pick<Place, 'file' | 'line'>, folder: string): string {
  return harmless(`${shortPath(file, folder)}:${line}`)
}

export function shortPath(file: string, folder: string): string {
  const path = relative(folder, file)
  return path.startsWith('..') || path === '' ? file : path
}

/** `3 hosts`, `1 host`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`
}

const graphemes = new Intl.Segmenter()

/** As much of a text as so many columns hold; one sign at least. */
function head(text: string, columns: number): string {
  let kept = ''
  for (const { segment } of graphemes.segment(text)) {
    if (kept !== '' && width(kept + segment) > columns) break
    kept += segment
  }
  return kept
}

function escaped(sign: string): string {
  const short = ({ '\n': '\\n', '\r': '\\r', '\t': '\\t', '\u001b': '\\e' } as Readonly<Record<string, string>>)[sign]
  if (short) return short
  const code = sign.codePointAt(0)!
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
