/** One channel to one user of a host: the greeting, then requests that are pipelined and answered in order. */

import { randomBytes } from 'node:crypto'
import { Failure } from '../errors/failure.ts'
import { becomeFailure, type Becoming, becoming, refusedFailure } from './become.ts'
import type { Answer, Channel, Lock, OpenOptions, Request, Session, Spawn, Traffic } from './connection.ts'
import { AnswerReader, frame, Garbled, wholeSeconds } from './frames.ts'
import { lockFailure, stoppedFailure, waitsFor } from './lock.ts'
import { graceSeconds, programCommand } from './program.ts'

/** Seconds until the program must be there, logging in as another user included, and again for the greet script. */
const greetingDeadline = 20
/** Seconds beyond its deadline in which an answer must have come; after that the host itself hangs. */
const slackSeconds = 15
/** Bytes a second that the slowest link which is still of use carries. */
const slowestLink = 50_000
/** What a host takes at most for each second that it waits for its lock: a sleep, and a look. */
const slowestTick = 2
/** Seconds for a farewell. */
const closeTimeout = 5
/** Characters of what was seen that are kept for a failure. */
const tailLength = 4000

interface Waiting {
  readonly id: number
  /** Milliseconds without a byte from the host after which it is given up. */
  readonly patience: number
  /** Whether an answer only says that the real one takes longer. */
  readonly isInterim: (answer: Answer) => boolean
  readonly resolve: (answer: Answer) => void
  readonly reject: (failure: Failure) => void
}

/**
 * Opens a session; one trip, with the output of the `greet` script. Counts channels and trips; bytes are counted by the carrier.
 * What a `greet` script exits with is its own affair; one that does not end is a failure.
 *
 * @throws Failure E_BECOME, E_GREETING, E_LOCKED, E_CONNECTION_LOST, and what `spawn` rejects with
 */
export async function openSession(spawn: Spawn, options: OpenOptions, traffic: Traffic): Promise<Session> {
  const marker = randomBytes(16).toString('hex')
  const random = randomBytes(6).toString('hex')
  const { greet, lock } = options
  const program = programCommand({ marker, directory: random, greet, deadline: greetingDeadline, lock })
  const become = options.become && becoming(options.become, program, random)
  traffic.channels++
  traffic.trips++
  const channel = await spawn(become?.command ?? program)
  const host = new Host(channel, traffic, marker, become)
  const greeting = host.greeted(greet !== undefined, lock)
  // A channel may hand on at once what has come already, so there must be somebody who waits for it.
  host.listen()
  return { greeting: await greeting, run: (requests) => host.run(requests), close: () => host.close() }
}

class Host {
  readonly #channel: Channel
  readonly #traffic: Traffic
  readonly #marker: Buffer
  readonly #become: Becoming | undefined
  readonly #answers = new AnswerReader((id, answer) => this.#answered(id, answer))
  readonly #closed: Promise<void>
  #onClosed: () => void = () => {}
  #greeted: { readonly resolve: () => void; readonly reject: (failure: Failure) => void } | undefined
  #waiting: Waiting[] = []
  #idle: ((nothing?: unknown) => void)[] = []
  #lastId = 0
  #timer: NodeJS.Timeout | undefined
  #noise: Buffer = Buffer.alloc(0)
  #stderr = ''
  #passwordSent = false
  #over: Failure | undefined
  #closing = false

  constructor(channel: Channel, traffic: Traffic, marker: string, become: Becoming | undefined) {
    this.#channel = channel
    this.#traffic = traffic
    this.#marker = Buffer.from(`${marker}\n`)
    this.#become = become
    this.#closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
  }

  listen(): void {
    this.#channel.onClose((end) => {
      this.#lose(this.#ended(end))
      this.#onClosed()
    })
    this.#channel.onStdout((data) => this.#onStdout(data))
    this.#channel.onStderr((data) => this.#onStderr(data))
  }

  /** Waits for the marker, the lock, and the output of the greet script. */
  async greeted(withScript: boolean, lock: Lock | undefined): Promise<Buffer> {
    let locking: Promise<Answer> | undefined
    const stop = () => this.#lose(stoppedFailure())
    const isInterim = (answer: Answer) => {
      const whose = waitsFor(answer)
      if (!whose) return false
      lock?.waiting?.(whose)
      if (lock?.signal?.aborted) stop()
      else lock?.signal?.addEventListener('abort', stop)
      return true
    }
    let script: Promise<Answer> | undefined
    const marker = new Promise<void>((resolve, reject) => {
      this.#greeted = { resolve, reject }
      if (this.#over) return reject(this.#over)
      const late = () => this.#lose(this.#notGreeted(`did not greet within ${greetingDeadline} s`, undefined))
      this.#timer = setTimeout(late, greetingDeadline * 1000)
      // Asked for before the marker, since the answers may be in the same chunk.
      if (lock) locking = this.#expect(0, lock.wait * slowestTick + greetingDeadline, 0, isInterim)
      if (withScript) script = this.#expect(0, greetingDeadline, 0)
      for (const each of [locking, script]) each?.catch(() => {})
    })
    await marker
    const locked = await locking?.finally(() => lock?.signal?.removeEventListener('abort', stop))
    const refusal = locked && lockFailure(locked)
    if (refusal) {
      this.#lose(refusal)
      throw refusal
    }
    const answer = await script
    if (answer?.timedOut) {
      const seen = { command: 'the greet script', status: undefined, output: lastLines(answer.stderr.toString()) }
      const failure = new Failure('E_GREETING', `The greet script did not end within ${greetingDeadline} s.`, { seen })
      this.#lose(failure)
      throw failure
    }
    return answer?.stdout ?? Buffer.alloc(0)
  }

  async run(requests: readonly Request[]): Promise<readonly Answer[]> {
    if (requests.length === 0) return []
    if (this.#closing) throw new Failure('E_INTERNAL', 'A script was given to a session that is closed.')
    if (this.#over) throw this.#over
    this.#traffic.trips++
    const frames = requests.map((request) => {
      const id = ++this.#lastId
      return { id, bytes: frame(id, request), deadline: wholeSeconds(request.deadline) }
    })
    const answers = frames.map(({ id, bytes, deadline }) => this.#expect(id, deadline, bytes.length))
    this.#channel.write(Buffer.concat(frames.map(({ bytes }) => bytes)))
    return Promise.all(answers)
  }

  /** Lets what is under way come to its end. */
  async close(): Promise<void> {
    this.#closing = true
    while (this.#waiting.length > 0 && !this.#over) await new Promise((resolve) => this.#idle.push(resolve))
    if (this.#over) return
    this.#channel.end()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, closeTimeout * 1000)
    })
    await Promise.race([this.#closed, late])
    clearTimeout(timer)
    this.#channel.destroy()
  }

  #expect(id: number, deadline: number, bytes: number, isInterim: Waiting['isInterim'] = never): Promise<Answer> {
    const seconds = deadline + graceSeconds + slackSeconds + bytes / slowestLink
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, patience: Math.min(seconds * 1000, 2 ** 31 - 1), isInterim, resolve, reject })
      if (this.#waiting.length === 1 && !this.#greeted) this.#watch()
    })
  }

  /** Watches over the script that is next to be answered. */
  #watch(): void {
    clearTimeout(this.#timer)
    const next = this.#waiting[0]
    if (!next) return
    this.#timer = setTimeout(() => {
      const seconds = Math.round(next.patience / 1000)
      this.#lose(this.#broken(`the host has not answered for ${seconds} s, which is well beyond the deadline`))
    }, next.patience)
  }

  #onStdout(data: Buffer): void {
    if (this.#over) return
    if (!this.#greeted) return this.#read(data)
    const seen = Buffer.concat([this.#noise, data])
    const at = seen.indexOf(this.#marker)
    // Enough is kept to find the marker in two pieces, and to show what was there instead.
    if (at < 0) {
      this.#noise = seen.subarray(-tailLength)
      return
    }
    const { resolve } = this.#greeted
    this.#greeted = undefined
    resolve()
    this.#stderr = ''
    this.#read(seen.subarray(at + this.#marker.length))
  }

  #read(data: Buffer): void {
    try {
      this.#answers.push(data)
    } catch (error) {
      if (!(error instanceof Garbled)) throw error
      const hint = 'Does a process that the login shell started write to the same output?'
      this.#lose(this.#broken(`what came is no answer: ${error.message}`, hint))
      return
    }
    this.#watch()
  }

  #answered(id: number, answer: Answer): void {
    const next = this.#waiting[0]
    if (next?.id !== id) throw new Garbled(`an answer to ${id} while ${next ? next.id : 'none'} was expected`)
    if (next.isInterim(answer)) return
    this.#waiting.shift()
    // Shells name the signals that end their children: of no use to anybody when the answer is there.
    this.#stderr = ''
    next.resolve(answer)
    if (this.#waiting.length === 0) for (const idle of this.#idle.splice(0)) idle()
  }

  #onStderr(data: Buffer): void {
    this.#stderr = (this.#stderr + data.toString()).slice(-tailLength)
    if (!this.#greeted || !this.#become || this.#over) return
    const asked = this.#become.asked(this.#stderr)
    if (asked === 0 || (asked === 1 && this.#passwordSent)) return
    const { password } = this.#become
    if (this.#passwordSent || password === undefined) {
      return this.#lose(refusedFailure(this.#become, this.#passwordSent, this.#said()))
    }
    this.#passwordSent = true
    this.#channel.write(`${password}\n`)
  }

  /** Ends the session, once: everything that waits gets the failure. */
  #lose(failure: Failure): void {
    if (this.#over) return
    this.#over = failure
    clearTimeout(this.#timer)
    this.#greeted?.reject(failure)
    for (const { reject } of this.#waiting.splice(0)) reject(failure)
    for (const idle of this.#idle.splice(0)) idle()
    this.#channel.destroy()
  }

  #ended(end: { status: number | undefined; failure?: Failure }): Failure {
    if (end.failure)
      return this.#greeted ? end.failure : this.#broken(end.failure.message, end.failure.hint, end.failure)
    if (this.#greeted) return this.#notGreeted(`ended the session before it greeted`, end.status)
    return this.#broken('the host ended the session')
  }

  #notGreeted(what: string, status: number | undefined): Failure {
    const output = this.#said() || lastLines(this.#noise.toString())
    // The program itself was there, and says why it cannot work.
    if (this.#become && !/^fleetplay: /m.test(output)) return becomeFailure(this.#become, what, status, output)
    return new Failure('E_GREETING', `The host ${what}.`, {
      seen: { command: 'sh', status, output },
      hint: 'The login shell of the user must start `sh` with our standard input and output (docker and kubectl need `-i`).',
    })
  }

  #said(): string {
    return lastLines(this.#become?.readable(this.#stderr) ?? this.#stderr)
  }

  #broken(why: string, hint?: string, cause?: Failure): Failure {
    const waiting = this.#waiting.length
    const left =
      waiting === 0 ? '' : `, while ${waiting === 1 ? 'a script was' : `${waiting} scripts were`} not answered`
    const output = this.#said()
    return new Failure('E_CONNECTION_LOST', `The session broke${left}: ${why}.`, {
      hint,
      cause,
      seen: output === '' ? undefined : { command: 'sh', status: undefined, output },
    })
  }
}

function never(): boolean {
  return false
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-10).join('\n')
}
