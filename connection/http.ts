/** One question to an HTTP server and all that it answers: informational heads, the final head, the body. */

import { request as httpRequest } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { connect as connectTls, type PeerCertificate, type TLSSocket } from 'node:tls'
import { Failure } from '../errors/failure.ts'
import type { HttpAnswer, HttpHead, HttpRequest } from '../probe/http.ts'

/** How much of a body is read, in bytes. */
export const bodyLimit = 64 * 1024

/**
 * Asks as a client does: HTTP/2 where TLS agrees on it, else HTTP/1.1. Redirects are not followed, nothing is tried twice.
 * Rejects with a Failure that says how far it came: E_CONNECT, or E_DEADLINE where the deadline is over.
 */
export async function ask(request: HttpRequest): Promise<HttpAnswer> {
  const exchange = new Exchange(request)
  try {
    return await exchange.run()
  } finally {
    exchange.end()
  }
}

type Protocol = HttpAnswer['protocol']

/** Where a client connects, and as what it is told. */
interface Peer {
  readonly host: string
  readonly port: number
  readonly shown: string
}

class Exchange {
  readonly #request: HttpRequest
  readonly #url: URL
  readonly #peer: Peer
  readonly #informational: HttpHead[] = []
  readonly #closing: (() => void)[] = []
  readonly #body = new Body()
  /** What is waited for, for whoever is told that it took too long. */
  #stage = 'no connection'
  #sent = 0
  #final: HttpHead | undefined
  #finish: { done(protocol: Protocol): void; fail(error: unknown): void } | undefined

  constructor(request: HttpRequest) {
    this.#request = request
    this.#url = new URL(request.url)
    this.#peer = peerOf(this.#url, request.via)
  }

  async run(): Promise<HttpAnswer> {
    const protocol = await new Promise<Protocol>((resolve, reject) => {
      this.#finish = { done: resolve, fail: reject }
      const timer = setTimeout(() => reject(this.#late()), this.#request.deadline * 1000)
      this.#closing.push(() => clearTimeout(timer))
      this.#connect()
    })
    return { protocol, informational: this.#informational, final: this.#final!, body: this.#body.text() }
  }

  /** Leaves nothing open, however it ended. */
  end(): void {
    for (const close of this.#closing.reverse()) close()
  }

  #connect(): void {
    const { host, port } = this.#peer
    const socket = this.#held(connectTcp({ host, port, noDelay: true }))
    const fail = (error: Error) => this.#fail(connectFailure(this.#peer, this.#url, error))
    socket.once('error', fail)
    socket.once('connect', () => {
      socket.off('error', fail)
      if (this.#url.protocol === 'https:') this.#secure(socket)
      else this.#askByHttp1(socket)
    })
  }

  #secure(raw: Socket): void {
    this.#stage = 'no TLS session'
    const host = bare(this.#url.hostname)
    // The certificate is judged below, when it can be told; until then nothing is sent.
    const socket = this.#held(
      connectTls({
        socket: raw,
        host,
        ALPNProtocols: ['h2', 'http/1.1'],
        rejectUnauthorized: false,
        ...(isIP(host) === 0 && { servername: host }),
      }),
    )
    const fail = (error: Error) => this.#fail(tlsFailure(this.#peer, error))
    socket.once('error', fail)
    socket.once('secureConnect', () => {
      socket.off('error', fail)
      if (this.#request.verify && !socket.authorized) this.#fail(certificateFailure(this.#url, socket))
      else if (socket.alpnProtocol === 'h2') this.#askByHttp2(socket)
      else this.#askByHttp1(socket)
    })
  }

  #askByHttp1(socket: Socket): void {
    const { method, headers } = this.#request
    const { host, pathname, search } = this.#url
    const request = httpRequest({
      createConnection: () => socket,
      method,
      path: pathname + search,
      setHost: false,
      headers: { host, connection: 'close', ...headers },
    })
    request.on('error', (error) => this.#fail(this.#broken(error)))
    request.on('information', ({ statusCode, rawHeaders }) => this.#informed(statusCode, rawHeaders))
    request.on('response', (response) => {
      this.#answered(response.statusCode ?? 0, response.rawHeaders)
      response.on('data', (data: Buffer) => this.#take(data, 'HTTP/1.1'))
      response.on('end', () => this.#finish?.done('HTTP/1.1'))
      response.on('error', (error) => this.#fail(this.#broken(error)))
    })
    // An informational status as the last word, which some servers send by mistake.
    request.on('close', () => this.#fail(this.#broken(undefined)))
    request.end(() => this.#asked())
  }

  #askByHttp2(socket: TLSSocket): void {
    const { method, headers } = this.#request
    const { host, pathname, search } = this.#url
    const session = connectHttp2(this.#url.origin, { createConnection: () => socket })
    this.#closing.push(() => session.destroy())
    session.on('error', (error) => this.#fail(this.#broken(error)))
    session.on('close', () => this.#fail(this.#broken(undefined)))
    const { host: authority = host, ...others } = lowerCased(headers)
    const stream = session.request({
      ':method': method,
      ':scheme': 'https',
      ':authority': authority,
      ':path': pathname + search,
      ...others,
    })
    stream.on('error', (error) => this.#fail(this.#broken(error)))
    stream.on('headers', (_: unknown, __: unknown, raw: readonly string[]) => this.#informed(statusOf(raw), raw))
    stream.on('response', (_: unknown, __: unknown, raw: readonly string[]) => this.#answered(statusOf(raw), raw))
    stream.on('data', (data: Buffer) => this.#take(data, 'HTTP/2'))
    stream.on('end', () => {
      if (this.#final) this.#finish?.done('HTTP/2')
    })
    stream.on('close', () => this.#fail(this.#broken(undefined)))
    stream.end()
    this.#asked()
  }

  #asked(): void {
    this.#sent = performance.now()
    this.#stage = 'no answer'
  }

  #informed(status: number, raw: readonly string[]): void {
    this.#informational.push(this.#head(status, raw))
  }

  #answered(status: number, raw: readonly string[]): void {
    this.#final = this.#head(status, raw)
    this.#stage = 'no end of the body'
  }

  #head(status: number, raw: readonly string[]): HttpHead {
    return { status, headers: headersOf(raw), after: Math.round(performance.now() - this.#sent) }
  }

  #take(data: Buffer, protocol: Protocol): void {
    if (this.#body.add(data)) this.#finish?.done(protocol)
  }

  /** An error of a socket that nobody listens to any more must not end the process. */
  #held<S extends Socket>(socket: S): S {
    this.#closing.push(() => socket.destroy())
    return socket.on('error', () => {})
  }

  /** Only the first failure counts; those after it are its consequences. */
  #fail(failure: Failure): void {
    this.#finish?.fail(failure)
  }

  #late(): Failure {
    const seconds = this.#request.deadline
    const message = `${this.#peer.shown} gave ${this.#stage} within ${seconds} s${this.#soFar()}.`
    return new Failure('E_DEADLINE', message)
  }

  #broken(error: Error | undefined): Failure {
    const closed = error === undefined || wasClosed(error)
    const how = closed ? 'closed the connection' : `broke off: ${wordsOf(error)}`
    const where = this.#final ? 'before the end of the body' : 'before a final answer'
    return new Failure('E_CONNECT', `${this.#peer.shown} ${how}, ${where}${this.#soFar()}.`, { cause: error })
  }

  #soFar(): string {
    const seen = [...this.#informational, ...(this.#final ? [this.#final] : [])].map(({ status }) => status)
    return seen.length === 0 ? '' : ` (after ${seen.join(' and ')})`
  }
}

/** The beginning of a body, as text. */
class Body {
  readonly #parts: Buffer[] = []
  #left = bodyLimit

  /** Whether that is all that is wanted. */
  add(data: Buffer): boolean {
    const part = data.subarray(0, this.#left)
    this.#parts.push(part)
    this.#left -= part.length
    return this.#left === 0
  }

  /** A character that was cut in two is left out. */
  text(): string {
    return new StringDecoder('utf8').write(Buffer.concat(this.#parts))
  }
}

function peerOf(url: URL, via: string | undefined): Peer {
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const [, bracketed, name, given] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(via ?? url.hostname) ?? []
  // What fits neither is an IPv6 address without brackets.
  const host = bracketed ?? name ?? via!
  const at = given === undefined ? port : Number(given)
  return { host, port: at, shown: `${host.includes(':') ? `[${host}]` : host}:${at}` }
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '')
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

/** Names and values in turn, as they came; those of HTTP/2's own (`:status`) left out. */
function headersOf(raw: readonly string[]): HttpHead['headers'] {
  const headers: Record<string, string[]> = {}
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (!name.startsWith(':')) (headers[name] ??= []).push(raw[i + 1]!)
  }
  return headers
}

function statusOf(raw: readonly string[]): number {
  return Number(raw[raw.indexOf(':status') + 1])
}

function connectFailure({ host, shown }: Peer, url: URL, error: NodeJS.ErrnoException): Failure {
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') {
    return new Failure('E_CONNECT', `The name ${host} could not be resolved here.`, {
      hint: `.via('192.0.2.1') connects to an address, and asks it for ${url.host}.`,
      cause: error,
    })
  }
  const how =
    error.code === 'ECONNREFUSED'
      ? 'refused the connection: nothing listens there'
      : `could not be reached: ${wordsOf(error)}`
  return new Failure('E_CONNECT', `${shown} ${how}.`, { cause: error })
}

function tlsFailure({ shown }: Peer, error: NodeJS.ErrnoException & { readonly reason?: string }): Failure {
  const hint = /wrong version number|packet length too long|http request/.test(error.reason ?? error.message)
    ? 'What listens there does not speak TLS; an http:// URL would be asked without it.'
    : undefined
  return new Failure('E_CONNECT', `${shown} did not agree on TLS: ${error.reason ?? wordsOf(error)}.`, {
    hint,
    cause: error,
  })
}

function certificateFailure(url: URL, socket: TLSSocket): Failure {
  const { subject, subjectaltname, valid_to: until } = socket.getPeerCertificate() as Partial<PeerCertificate>
  const code = String(socket.authorizationError)
  const names = subjectaltname?.replaceAll('DNS:', '') ?? [subject?.CN ?? []].flat().join(', ')
  const of = [...(names ? [`for ${names}`] : []), ...(until ? [`until ${until}`] : [])].join(', ')
  return new Failure(
    'E_CONNECT',
    `The certificate of ${url.host} is not valid: ${certificateProblems[code] ?? code}.`,
    {
      hint: `It is ${of}. .insecure() takes any certificate.`,
    },
  )
}

/** OpenSSL's names for what is wrong. */
const certificateProblems: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'nobody here trusts the authority at the end of its chain',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'nobody here trusts its authority, or the chain lacks a certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'nobody here trusts its authority, or the chain lacks a certificate',
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'it is for other names',
}

/** What a system's error says, without its call and number. */
function wordsOf(error: NodeJS.ErrnoException): string {
  // An address of each family was tried, and each failed.
  if (error instanceof AggregateError) return error.errors.map((each: Error) => wordsOf(each)).join('; ')
  if (wasClosed(error)) return 'the connection was closed'
  return (
    systemErrors[error.code ?? ''] ??
    error.message.replace('Stream closed with error code NGHTTP2_', 'the stream was reset with ')
  )
}

/** Node gives the code of a reset to a connection that the other side closed too; then no system call has failed. */
function wasClosed({ code, syscall }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' && syscall === undefined
}

const systemErrors: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to its network',
  ETIMEDOUT: 'it does not answer',
}
