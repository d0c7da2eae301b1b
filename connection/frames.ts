/** The two directions of the protocol as bytes: requests are written, answers are read as they arrive. */

import type { Answer, Request } from './connection.ts'

/** About 20 days: the longest that a timer of Node can wait. */
const longestDeadline = 1_728_000

/** Whole seconds, as `sleep` of every host takes them. */
export function wholeSeconds(deadline: number): number {
  return Math.min(Math.max(1, Math.ceil(deadline)), longestDeadline)
}

/** `ID SCRIPT INPUT DEADLINE`, the two bodies, `go ID`. */
export function frame(id: number, { script, input = '', deadline }: Request): Buffer {
  const bodies = [Buffer.from(script), Buffer.from(input as string)] as const
  const head = `${id} ${bodies[0].length} ${bodies[1].length} ${wholeSeconds(deadline)}\n`
  return Buffer.concat([Buffer.from(head), ...bodies, Buffer.from(`go ${id}\n`)])
}

/** What is no answer: something else writes to the same output, or bytes were lost. */
export class Garbled extends Error {}

interface Head {
  readonly id: number
  readonly status: number
  readonly timedOut: boolean
  readonly stdout: number
  readonly stderr: number
}

const longestHead = 100

/** Cuts the stream of answers: `ID STATUS LATE STDOUT STDERR`, the two bodies. */
export class AnswerReader {
  readonly #take: (id: number, answer: Answer) => void
  #chunks: Buffer[] = []
  #length = 0
  #head: Head | undefined

  constructor(take: (id: number, answer: Answer) => void) {
    this.#take = take
  }

  /** @throws Garbled */
  push(data: Buffer): void {
    this.#chunks.push(data)
    this.#length += data.length
    while (this.#step());
  }

  /** Takes one head or one pair of bodies, if it is there. Chunks are joined only when a whole piece is there. */
  #step(): boolean {
    const head = this.#head
    if (!head) {
      const bytes = this.#joined()
      const end = bytes.indexOf(0x0a)
      if (end < 0 && bytes.length <= longestHead) return false
      this.#head = parseHead(bytes.subarray(0, end < 0 ? longestHead : end))
      this.#keep(bytes.subarray(end + 1))
      return true
    }
    const size = head.stdout + head.stderr
    if (this.#length < size) return false
    const bytes = this.#joined()
    this.#keep(bytes.subarray(size))
    this.#head = undefined
    this.#take(head.id, {
      status: head.timedOut ? undefined : head.status,
      timedOut: head.timedOut,
      stdout: bytes.subarray(0, head.stdout),
      stderr: bytes.subarray(head.stdout, size),
    })
    return true
  }

  #joined(): Buffer {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = [bytes]
    return bytes
  }

  #keep(rest: Buffer): void {
    this.#chunks = [rest]
    this.#length = rest.length
  }
}

function parseHead(line: Buffer): Head {
  const text = line.toString('latin1')
  const fields = /^(\d{1,15}) (\d{1,3}) ([01]) (\d{1,15}) (\d{1,15})$/.exec(text)
  if (!fields) throw new Garbled(JSON.stringify(text))
  const [id, status, late, stdout, stderr] = fields.slice(1).map(Number) as [number, number, number, number, number]
  return { id, status, timedOut: late === 1, stdout, stderr }
}
