/** Many scripts as one: each runs in a subshell of its own, their answers are collected and come back together. */

import { quote } from './quote.ts'
import type { Script } from './script.ts'

export interface Section {
  readonly script: Script
  /** Runs beside the others; for what waits long and uses little. */
  readonly aside?: boolean
}

export interface Collected {
  /** Text for one shell, which must have a private directory in `$FLEETPLAY_TMP`. */
  readonly text: string
  readonly input: Uint8Array | undefined
}

export interface SectionAnswer {
  /** Exit status; undefined where it was not run, because one before it had failed. */
  readonly status: number | undefined
  readonly stdout: Buffer
  readonly stderr: Buffer
}

/**
 * Joins scripts into one. With `stopAtFailure` the first that fails is the last that runs.
 * Each section's text is evaluated, so that a syntax error in one does not reach the others.
 * A line with number and status is written when a section ends, so that a joined script that was ended tells how far it came.
 */
export function sections(parts: readonly Section[], { stopAtFailure = false } = {}): Collected {
  const inputs: Uint8Array[] = []
  // One block of exactly this size: the reader sees an end of file, and what it leaves unread is not read by the next.
  const taken = ({ script: { input } }: Section): string | undefined => {
    const bytes = Buffer.from(input ?? '')
    inputs.push(bytes)
    return bytes.length > 0 ? `dd bs=${bytes.length} count=1 iflag=fullblock <&3 2>/dev/null` : undefined
  }
  const aside = parts.flatMap((part, i) => {
    if (!part.aside) return []
    const take = taken(part)
    const step = `( ${run(part, i)}; echo "${i} $?" >"$d/${i}.s" ) ${take ? `<"$d/${i}.i" ` : ''}&`
    return take ? [`${take} >"$d/${i}.i"`, step] : [step]
  })
  const inLine = parts.flatMap((part, i) => {
    if (part.aside) return []
    const take = taken(part)
    const step = `${take ? `${take} | ` : ''}${run(part, i)}; s=$?; echo "${i} $s"`
    return [stopAtFailure ? `if [ "$ok" ]; then ${step}; [ $s -eq 0 ] || ok=; else echo "${i} -"; fi` : step]
  })
  const files = parts.map((_, i) => `"$d/${i}.o" "$d/${i}.e"`).join(' ')
  const text = [
    'd=$FLEETPLAY_TMP ok=1',
    'exec 3<&0 </dev/null',
    ...aside,
    ...inLine,
    ...(aside.length > 0 ? ['wait'] : []),
    ...parts.flatMap((part, i) => (part.aside ? [`s="${i} -"; read -r s <"$d/${i}.s"; echo "$s"`] : [])),
    // A section that was not run left no files behind.
    ...(stopAtFailure ? [`for f in ${files}; do [ -e "$f" ] || : >"$f"; done`] : []),
    `wc -c ${files}`,
    `cat ${files}`,
  ].join('\n')
  return { text, input: inputs.some(({ length }) => length > 0) ? Buffer.concat(inputs) : undefined }
}

/** Takes the answer of a joined script apart again; undefined where it is not whole. */
export function sectionAnswers(stdout: Buffer, count: number): readonly SectionAnswer[] | undefined {
  // A line of status and two sizes for each section, and the sizes' sum (which wc leaves out for one file: there are two at least).
  const head = firstLines(stdout, count + 2 * count + 1)
  if (!head) return undefined
  const statuses = new Map(head.lines.slice(0, count).map(statusLine))
  const sizes = head.lines.slice(count).map((line) => Number.parseInt(line, 10))
  if (sizes.slice(0, -1).reduce((sum, n) => sum + n, 0) !== stdout.length - head.length) return undefined
  let at = head.length
  const take = (n: number) => stdout.subarray(at, (at += n))
  return Array.from({ length: count }, (_, i) => ({
    status: statuses.get(i),
    stdout: take(sizes[2 * i]!),
    stderr: take(sizes[2 * i + 1]!),
  }))
}

/** How many sections had ended, in order, when a joined script was ended. */
export function sectionsEnded(stdout: Buffer): number {
  return stdout
    .toString('latin1')
    .split('\n')
    .filter((line) => /^\d+ \d+$/.test(line)).length
}

function run({ script }: Section, i: number): string {
  return `(eval ${quote(script.text)}\n) >"$d/${i}.o" 2>"$d/${i}.e" 3<&-`
}

function statusLine(line: string): [number, number | undefined] {
  const [i, status] = line.split(' ')
  return [Number(i), status === '-' ? undefined : Number(status)]
}

function firstLines(buffer: Buffer, count: number): { lines: string[]; length: number } | undefined {
  const lines: string[] = []
  let at = 0
  while (lines.length < count) {
    const end = buffer.indexOf(10, at)
    if (end < 0) return undefined
    lines.push(buffer.toString('latin1', at, end))
    at = end + 1
  }
  return { lines, length: at }
}
