import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Answer } from '../../connection/connection.ts'
import { AnswerReader, frame, Garbled, wholeSeconds } from '../../connection/frames.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const answer = fc.record({ status: fc.nat({ max: 255 }), timedOut: fc.boolean(), stdout: bytes, stderr: bytes })

describe('the reader of answers', () => {
  it('cuts any answers out of any chunks', () => {
    const property = fc.property(fc.array(answer), fc.array(fc.integer({ min: 1, max: 200 })), (answers, sizes) => {
      const stream = Buffer.concat(answers.flatMap((a, i) => written(i + 1, a)))
      const seen: [number, Answer][] = []
      const reader = new AnswerReader((id, a) => void seen.push([id, a]))
      for (const chunk of chunks(stream, sizes)) reader.push(chunk)
      expect(seen).toEqual(answers.map((a, i) => [i + 1, { ...a, status: a.timedOut ? undefined : a.status }]))
    })
    fc.assert(property, { numRuns: 300 })
  })

  it('gives out nothing that is not whole', () => {
    const stream = Buffer.concat(
      written(1, { status: 0, timedOut: false, stdout: Buffer.from('ab'), stderr: Buffer.from('c') }),
    )
    for (let cut = 0; cut < stream.length; cut++) {
      const reader = new AnswerReader(() => expect.fail(`after ${cut} bytes`))
      reader.push(stream.subarray(0, cut))
    }
  })

  it.each(['hello\n', '1 0 0 0\n', '1 0 2 0 0\n', '1 0 0 -1 0\n', '1  0 0 0 0\n', '\n', 'x'.repeat(101)])(
    'refuses %j, which is no answer',
    (text) => {
      const reader = new AnswerReader(() => expect.fail('this was taken for an answer'))
      expect(() => reader.push(Buffer.from(text))).toThrow(Garbled)
    },
  )
})

describe('a frame', () => {
  it('counts bytes, not characters, and ends with a line of its own', () => {
    const made = frame(7, { script: 'echo é', input: new Uint8Array([0, 10, 255]), deadline: 3 })
    expect(made.toString('latin1')).toBe('7 7 3 3\necho \u00c3\u00a9\0\n\u00ffgo 7\n')
  })

  it('has a deadline of whole seconds that a host and a timer can wait', () => {
    expect([0, 0.2, 1, 1.01, 1e12, Infinity].map(wholeSeconds)).toEqual([1, 1, 1, 2, 1_728_000, 1_728_000])
  })
})

function written(id: number, { status, timedOut, stdout, stderr }: Answer): Buffer[] {
  return [Buffer.from(`${id} ${status} ${timedOut ? 1 : 0} ${stdout.length} ${stderr.length}\n`), stdout, stderr]
}

function* chunks(stream: Buffer, sizes: readonly number[]): Generator<Buffer> {
  let at = 0
  for (const size of sizes) yield stream.subarray(at, (at += size))
  yield stream.subarray(at)
}
