/** What the sections of a HAProxy configuration are made of, and how they are spelt. */

import { Origin } from '../../dsl/origin.ts'
import { type Duration, micros, type Parsed } from '../../dsl/units.ts'
import { Failure } from '../../errors/failure.ts'
import { holdsSecret } from '../../shell/secret-text.ts'

export type HaproxyMode = 'http' | 'tcp'

/** Spans of time after which HAProxy gives up. */
export interface HaproxyTimeouts {
  /** Until a server takes the connection. */
  readonly connect?: Duration
  /** Silence of a client. */
  readonly client?: Duration
  /** Silence of a server; how long a page may take. */
  readonly server?: Duration
  /** Until a client has sent the head of its request. */
  readonly httpRequest?: Duration
  /** Until a client sends its next request on the same connection. */
  readonly httpKeepAlive?: Duration
  /** What has been upgraded: WebSockets. */
  readonly tunnel?: Duration
  /** How long a request waits for a free server. */
  readonly queue?: Duration
}

const timeoutNames: Readonly<Record<keyof HaproxyTimeouts, string>> = {
  connect: 'connect',
  client: 'client',
  server: 'server',
  httpRequest: 'http-request',
  httpKeepAlive: 'http-keep-alive',
  tunnel: 'tunnel',
  queue: 'queue',
}

/** A section of a configuration. It is immutable; what was said wrongly is told by the configuration that takes it. */
export abstract class HaproxySection {
  abstract readonly kind: 'frontend' | 'backend'
  readonly name: string
  readonly problems: readonly Failure[] = []
  readonly timeouts: HaproxyTimeouts = {}
  readonly mode: HaproxyMode | undefined
  readonly said: readonly string[] = []

  /** @internal */
  constructor(name: string) {
    this.name = name
    this.mode = undefined
  }

  /** The lines below the section's own, where the configuration's default mode is this. */
  abstract lines(mode: HaproxyMode): readonly string[]

  protected with<S extends HaproxySection>(fields: Partial<S>): this {
    return Object.freeze(Object.assign(Object.create(Object.getPrototypeOf(this)) as this, this, fields))
  }

  protected wrong(problem: string | undefined, hint?: string): this {
    if (problem === undefined) return this
    const message = `haproxy${this.kind === 'frontend' ? 'Frontend' : 'Backend'} ${this.name}: ${problem}`
    const failure = new Failure('E_PLAY_INVALID', message, { place: Origin.here().place, hint })
    return this.with<HaproxySection>({ problems: [...this.problems, failure] })
  }
}

/** `timeout client 60s`. */
export function timeoutLines(timeouts: HaproxyTimeouts): readonly string[] {
  return Object.entries(timeoutNames).flatMap(([key, name]) => {
    const duration = timeouts[key as keyof HaproxyTimeouts]
    const text = duration === undefined ? undefined : haproxyTime(duration)
    return typeof text === 'string' ? [`timeout ${name} ${text}`] : []
  })
}

export function timeoutProblem(timeouts: HaproxyTimeouts): string | undefined {
  for (const duration of Object.values(timeouts) as readonly Duration[]) {
    const text = haproxyTime(duration)
    if (typeof text !== 'string') return text.problem
  }
  return undefined
}

/** A duration in HAProxy's units: whole numbers of `s` or `ms`, up to 24 days. */
export function haproxyTime(duration: Duration): Parsed<string> {
  const span = micros(duration)
  if (typeof span !== 'number') return span
  const ms = span / 1000
  if (!Number.isInteger(ms) || ms === 0)
    return { problem: `${duration} is not a whole number of milliseconds from 1ms` }
  if (ms > longest) return { problem: `${duration} is longer than HAProxy can count (24 days)` }
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}

/** HAProxy counts milliseconds in 31 bits. */
const longest = 2 ** 31 - 1

export function nameProblem(name: string): string | undefined {
  return /^[\w.:-]+$/.test(name) ? undefined : `${JSON.stringify(name)} is not a name of letters, digits and _.:-`
}

/** Lines as the manual has them, without indentation and empty ones. */
export function directiveLines(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** What is wrong with lines that are taken as they are. */
export function directivesProblem(text: string): { readonly problem: string; readonly hint?: string } | undefined {
  for (const line of directiveLines(text)) {
    const [word = ''] = line.split(/\s+/)
    if (sections.includes(word)) return { problem: `${JSON.stringify(line)} begins another section` }
    // oxlint-disable-next-line no-control-regex -- they would end a line
    if (/[\u0000-\u0008\u000b-\u001f]/.test(line))
      return { problem: `${JSON.stringify(line)} holds a control character` }
    if (/^http-response\s+early-hint/.test(line))
      return { problem: 'a response is too late for early hints', hint: 'Say .preload() of the frontend.' }
    const isKnown = /(?:^stats\s+auth\s|\s(?:insecure-)?password\s)/.test(line) && !line.includes('${')
    if (isKnown || holdsSecret(line))
      return {
        problem: 'a password would be in the configuration, and in every diff of it',
        hint: 'Put it into /etc/default/haproxy on the host, and say "${NAME}" where it belongs.',
      }
  }
  return undefined
}

const sections =
  'acme backend cache crt-store defaults fcgi-app frontend global http-errors listen log-forward log-profile mailers peers program resolvers ring traces userlist'.split(
    ' ',
  )
