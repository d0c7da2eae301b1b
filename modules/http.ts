/** What a client gets for a URL: asked from where the play runs, held against what is expected. */

import { isIP } from 'node:net'
import { type Finding, type FromOutside, Observation, type Observed, type Unexpected } from '../dsl/observation.ts'
import type { HttpAnswer, HttpHead, HttpRequest } from '../probe/http.ts'
import { holdsSecret } from '../shell/secret-text.ts'

/** What an answer must have; what is not said may be anything. */
export interface HttpExpectation {
  /** The final status. A redirect is one: it is not followed. */
  readonly status?: number
  readonly protocol?: HttpAnswer['protocol']
  /**
   * What the first `103 Early Hints` must link to, as the play says it to `preload`: `/assets/a.css`. Browsers act on the
   * first 103 only, so a link that comes in a later one does not count; nor does a `Link` of the final answer.
   */
  readonly earlyHints?: readonly string[]
  /** Headers of the final answer: one of that name is the text, or matches the pattern. */
  readonly header?: Readonly<Record<string, string | RegExp>>
  /** What the first 64 KiB of the body hold. */
  readonly bodyContains?: string
}

/**
 * Asks for a URL once the play has reacted, as a browser does when somebody opens the page (`Sec-Fetch-Mode: navigate`,
 * HTTP/2 where TLS agrees on it), and holds the answer against what `.expect()` says. It asks from the machine that runs
 * the play, not on the host, and changes nothing. Redirects are not followed. An answer takes at most 10 seconds, or as
 * long as `.timeout()` says; `.retry()` asks again while it is not as expected.
 *
 * Without `.expect()` it tells what came, whatever it is; no answer at all is a failure always. A URL, an address or a
 * header that is not valid is told before any connection.
 *
 * @example
 * http('https://coaching.example/')
 *   .via('10.0.3.11')
 *   .expect({ status: 200, earlyHints: ['/assets/css/critical-coach.min.css'] })
 *   .retry(5, '2s')
 * @see https://www.rfc-editor.org/rfc/rfc8297
 */
export function http(url: string): Http {
  return new Http(url)
}

export class Http extends Observation<HttpAnswer> {
  readonly module = 'http'
  readonly id: string
  readonly request: Pick<HttpRequest, 'via' | 'verify' | 'headers'> = { via: undefined, verify: true, headers: {} }
  readonly expected: HttpExpectation = {}

  /** @internal Made by `http()`. */
  constructor(url: string) {
    super()
    this.id = url
    const problem = urlProblem(url)
    if (problem) return this.wrong(`http: ${problem}`)
  }

  /** What the answer must have; several calls add up. */
  expect(expected: HttpExpectation): Http {
    return this.with<Http>({ expected: { ...this.expected, ...expected } }).wrong(expectationProblem(expected))
  }

  /**
   * Connects to an address instead of where the name leads, and asks it for the URL all the same: one web host behind the
   * others' name. `10.0.3.11`, `10.0.3.11:8443`, `[2001:db8::1]:443`.
   */
  via(address: string): Http {
    return this.asking({ via: address }, addressProblem(address))
  }

  /** Takes any certificate: one that is signed by itself, is for other names, or has expired. */
  insecure(): Http {
    return this.asking({ verify: false }, undefined)
  }

  /**
   * Sends a header, instead of the one of that name that is sent without it. Those that prove who asks (`Authorization`,
   * `Cookie`) are not taken: a play is no place for a secret.
   */
  header(name: string, value: string): Http {
    return this.asking(
      { headers: { ...this.request.headers, [name.toLowerCase()]: value } },
      headerProblem(name, value),
    )
  }

  get view(): FromOutside {
    const { timeout } = this.keywords
    return httpAnswer(this.id, { ...this.request, ...(timeout !== undefined && { deadline: timeout }) })
  }

  find({ now }: Observed<HttpAnswer>): Finding {
    const unexpected = this.missing(now)
    const says = told(now)
    return unexpected ? { says, table: headsOf(now, Object.keys(this.expected.header ?? {})), unexpected } : { says }
  }

  private missing(answer: HttpAnswer): Unexpected | undefined {
    const { status, protocol, earlyHints, header = {}, bodyContains } = this.expected
    const hints = earlyHints && hintProblem(this.id, earlyHints, answer)
    const problems = [
      ...(status !== undefined && status !== answer.final.status
        ? [`the status is ${answer.final.status}, not ${status}`]
        : []),
      ...(protocol !== undefined && protocol !== answer.protocol
        ? [`it came by ${answer.protocol}, not ${protocol}`]
        : []),
      ...(hints ? [hints.message] : []),
      ...Object.entries(header).flatMap(([name, value]) => fieldProblem(name, value, answer.final) ?? []),
      ...(bodyContains !== undefined && !answer.body.includes(bodyContains)
        ? [`the body has no ${JSON.stringify(bodyContains)}`]
        : []),
    ]
    if (problems.length === 0) return undefined
    return { message: `${this.id}: ${problems.join('; ')}.`, hint: hints?.hint }
  }

  private asking(request: Partial<Http['request']>, problem: string | undefined): Http {
    return this.with<Http>({ request: { ...this.request, ...request } }).wrong(problem && `http ${this.id}: ${problem}`)
  }
}

/**
 * The answer that a client gets for a URL, for `mockHost.has(…)`. An observation that says `.via()` or `.header()` asks
 * another question than one that does not.
 */
export function httpAnswer(url: string, request: Partial<Omit<HttpRequest, 'url'>> = {}): FromOutside {
  const { method = 'GET', headers = {}, via, verify = true, deadline = patience } = request
  const said = [...(via === undefined ? [] : [`via ${via}`]), ...Object.entries(headers).map((pair) => pair.join(': '))]
  return {
    key: `http:${[url, ...said].join(', ')}`,
    request: { url, method, headers: { ...opened, ...headers }, via, verify, deadline },
  }
}

/** An answer, for a mock host: a final one, and a 103 before it where it hints at something. */
export function httpPage(
  status: number,
  page: {
    readonly earlyHints?: readonly string[]
    readonly header?: Readonly<Record<string, string>>
    readonly body?: string
  } = {},
): HttpAnswer {
  const { earlyHints = [], header = {}, body = '' } = page
  const link = earlyHints.map((target) => `<${target}>; rel=preload`)
  const headers = Object.fromEntries(Object.entries(header).map(([name, value]) => [name.toLowerCase(), [value]]))
  return {
    protocol: 'HTTP/2',
    informational: link.length > 0 ? [{ status: 103, headers: { link }, after: 0 }] : [],
    final: { status, headers, after: 0 },
    body,
  }
}

/** Seconds until an answer is given up. */
const patience = 10

/** What a browser sends when somebody opens a page; Early Hints go to such requests only. */
const opened = { 'sec-fetch-mode': 'navigate', accept: 'text/html,*/*;q=0.8', 'user-agent': 'fleetplay' } as const

function told({ protocol, final, informational }: HttpAnswer): string {
  const hints = informational
    .filter(({ status }) => status === 103)
    .map((head) => `103 after ${head.after} ms with ${count(targetsOf(head).length, 'link')}`)
  return [`${protocol} ${final.status} after ${final.after} ms`, ...hints].join(', ')
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}

/** The heads of an answer, as far as they matter. */
function headsOf({ informational, final }: HttpAnswer, asked: readonly string[]): readonly string[] {
  const shown = [...new Set(['link', 'location', ...asked.map((name) => name.toLowerCase())])]
  return [...informational, final].flatMap(({ status, headers, after }) => [
    `${status} after ${after} ms`,
    ...shown.flatMap((name) =>
      (headers[name] ?? []).map((value) => `  ${name}: ${name === 'set-cookie' ? '…' : value}`),
    ),
  ])
}

function hintProblem(url: string, wished: readonly string[], { informational, final, protocol }: HttpAnswer) {
  const [first, ...later] = informational.filter(({ status }) => status === 103)
  const whole = (target: string) => (URL.canParse(target, url) ? new URL(target, url).href : target)
  const within = (head: HttpHead, target: string) => targetsOf(head).map(whole).includes(whole(target))
  const missing = wished.filter((target) => !first || !within(first, target))
  if (missing.length === 0) return undefined
  const message = first ? `the 103 does not link to ${missing.join(' and ')}` : 'no 103 Early Hints came'
  if (later.some((head) => missing.some((target) => within(head, target))))
    return { message, hint: 'A later 103 does; browsers act on the first one only.' }
  if (missing.some((target) => within(final, target)))
    return { message, hint: 'The final answer does: that is a preload header, which comes too late to be a hint.' }
  if (!first && protocol === 'HTTP/1.1')
    return { message, hint: 'It was answered by HTTP/1.1; servers commonly send hints by HTTP/2 only.' }
  return { message, hint: undefined }
}

/** What the Link headers of a head link to. */
function targetsOf({ headers }: HttpHead): readonly string[] {
  return (headers.link ?? []).flatMap((value) => [...value.matchAll(/<([^>]*)>/g)].map(([, target]) => target!))
}

function fieldProblem(name: string, wished: string | RegExp, { headers }: HttpHead): string | undefined {
  const values = headers[name.toLowerCase()] ?? []
  const fits = values.some((value) => (typeof wished === 'string' ? value === wished : value.search(wished) >= 0))
  if (fits) return undefined
  const shown = typeof wished === 'string' ? JSON.stringify(wished) : String(wished)
  if (values.length === 0) return `there is no header ${name}, which should be ${shown}`
  const seen =
    name.toLowerCase() === 'set-cookie' ? 'another' : values.map((value) => JSON.stringify(value)).join(' and ')
  return `the header ${name} is ${seen}, not ${shown}`
}

function urlProblem(url: string): string | undefined {
  const shown = JSON.stringify(url)
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) return `${shown} is not a URL such as https://coaching.example/`
  const { username, password, hash } = new URL(url)
  if (username || password) return 'a URL with a user or a password in it is not taken'
  if (holdsSecret(url)) return 'a URL with a password or token in its query is not taken'
  return hash === '' ? undefined : `${shown} has a fragment, which a request never carries`
}

function expectationProblem({ status, earlyHints, header = {} }: HttpExpectation): string | undefined {
  if (status !== undefined && !(Number.isInteger(status) && status >= 200 && status <= 599))
    return `expect: ${status} is not a final status (200 to 599)`
  if (earlyHints?.length === 0) return 'expect: earlyHints names nothing; leave it out'
  const bad = Object.keys(header).find((name) => !token.test(name))
  return bad === undefined ? undefined : `expect: ${JSON.stringify(bad)} is not the name of a header`
}

function addressProblem(address: string): string | undefined {
  const [, bracketed, name, port] = /^(?:\[(.+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(address) ?? []
  const valid = bracketed === undefined ? name !== undefined || isIP(address) === 6 : isIP(bracketed) === 6
  const numbered = port === undefined || (Number(port) > 0 && Number(port) < 65536)
  return valid && numbered
    ? undefined
    : `${JSON.stringify(address)} is not an address such as 10.0.3.11 or 10.0.3.11:8443`
}

const token = /^[\w!#$%&'*+.^`|~-]+$/
const secret = /^(?:(?:proxy-)?authorization|cookie)$|(?:token|secret|password|api-?key|auth-key)$/i
const ofTheConnection = [
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]

function headerProblem(name: string, value: string): string | undefined {
  if (!token.test(name)) return `${JSON.stringify(name)} is not the name of a header`
  if (secret.test(name)) return `${name} proves who asks, and a play is no place for a secret`
  if (ofTheConnection.includes(name.toLowerCase())) return `${name} belongs to the connection, and is not taken`
  return /^[\x20-\x7e]*$/.test(value) ? undefined : `the header ${name} has a value that no header can have`
}
