import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server as HttpServer } from 'node:http'
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type ServerHttp2Stream } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ask, bodyLimit } from '../../connection/http.ts'
import { Failure } from '../../errors/failure.ts'
import type { HttpRequest } from '../../probe/http.ts'

const folder = mkdtempSync(join(tmpdir(), 'fleetplay-http-'))
let identity: { readonly key: Buffer; readonly cert: Buffer }

beforeAll(() => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=coaching.example -addext subjectAltName=DNS:coaching.example -keyout ${key} -out ${cert}`
  execFileSync('openssl', words.split(' '), { stdio: 'ignore' })
  identity = { key: readFileSync(key), cert: readFileSync(cert) }
})
afterAll(() => rmSync(folder, { recursive: true }))

const open: Server[] = []
const sockets = new Set<Socket>()
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await Promise.all(open.splice(0).map((server) => new Promise((done) => server.close(done))))
})

/** The port of a server on loopback that ends with the test. */
async function listening(server: Server | HttpServer | Http2SecureServer): Promise<number> {
  open.push(server)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const http1 = async (answer: RequestListener) => await listening(createServer(answer))
const raw = async (talk: (socket: Socket) => void) => await listening(createTcpServer(talk))

/** A server of HTTP/2 alone. */
async function http2(answer: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createSecureServer({ ...identity, allowHTTP1: false })
  server.on('sessionError', () => {})
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    answer(stream)
  })
  return await listening(server)
}

const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  url,
  method: 'GET',
  headers: {},
  via: undefined,
  verify: true,
  deadline: 5,
  ...more,
})
const page = async (port: number, more: Partial<HttpRequest> = {}) =>
  await ask(get('https://coaching.example/a?b=c', { via: `127.0.0.1:${port}`, verify: false, ...more }))

/** How a request fails. */
async function failure(request: Promise<unknown>): Promise<Failure> {
  const error = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Failure)
  return error as Failure
}

const links = ['</a.css>; rel=preload; as=style', '</b.woff2>; rel=preload; as=font; crossorigin']

describe('HTTP/2', () => {
  it('gives the 103 before the page, with every link', async () => {
    const port = await http2((stream) => {
      stream.additionalHeaders({ ':status': 103, link: links })
      setTimeout(() => {
        stream.respond({ ':status': 200, 'content-type': 'text/html', 'set-cookie': ['a=1', 'b=2'] })
        stream.end('<p>Hello. é')
      }, 60)
    })
    const answer = await page(port)
    expect(answer).toMatchObject({
      protocol: 'HTTP/2',
      informational: [{ status: 103, headers: { link: links } }],
      final: { status: 200, headers: { 'content-type': ['text/html'], 'set-cookie': ['a=1', 'b=2'] } },
      body: '<p>Hello. é',
    })
    expect(answer.informational[0]!.after).toBeLessThan(answer.final.after)
    expect(answer.final.after).toBeGreaterThan(40)
    expect(Object.keys(answer.final.headers)).not.toContain(':status')
  })

  it('asks for the host of the URL, wherever it connects, and sends the headers', async () => {
    let seen: Http2ServerRequest['headers'] = {}
    const server = createSecureServer(identity, (request, response) => {
      seen = request.headers
      response.end()
    })
    const port = await listening(server)
    await page(port, { headers: { 'Sec-Fetch-Mode': 'navigate' }, method: 'HEAD' })
    expect(seen).toMatchObject({
      ':authority': 'coaching.example',
      ':path': '/a?b=c',
      ':method': 'HEAD',
      'sec-fetch-mode': 'navigate',
    })
    await page(port, { headers: { Host: 'other.example' } })
    expect(seen[':authority']).toBe('other.example')
  })

  it.each([404, 302, 500])('takes a %i for what it is, and follows nothing', async (status) => {
    const port = await http2((stream) => {
      stream.additionalHeaders({ ':status': 103, link: links[0] })
      stream.respond({ ':status': status, location: 'https://elsewhere.example/' }, { endStream: status === 302 })
      if (status !== 302) stream.end('no')
    })
    const { final, informational } = await page(port)
    expect([final.status, informational.length]).toEqual([status, 1])
  })

  it('tells that the stream was reset, and what came before', async () => {
    const port = await http2((stream) => {
      stream.additionalHeaders({ ':status': 103 })
      setTimeout(() => stream.close(2), 30)
    })
    expect(await failure(page(port))).toMatchObject({
      code: 'E_CONNECT',
      message: `127.0.0.1:${port} broke off: the stream was reset with INTERNAL_ERROR, before a final answer (after 103).`,
    })
  })
})

describe('HTTP/1.1', () => {
  it('gives the 103 before the page', async () => {
    const port = await http1((_, response) => {
      response.writeEarlyHints({ link: links })
      response.end('page')
    })
    expect(await ask(get(`http://127.0.0.1:${port}/`))).toMatchObject({
      protocol: 'HTTP/1.1',
      informational: [{ status: 103, headers: { link: [links.join(', ')] } }],
      final: { status: 200 },
      body: 'page',
    })
  })

  it('is spoken over TLS where the server knows no other', async () => {
    const server = createTlsServer({ ...identity, ALPNProtocols: ['http/1.1'] }, ({ headers }, response) => {
      response.end(headers.host)
    })
    expect(await page(await listening(server))).toMatchObject({ protocol: 'HTTP/1.1', body: 'coaching.example' })
  })

  it('reads 64 KiB of a body, and waits for no more', async () => {
    const port = await http1((_, response) => {
      response.write('é'.repeat(bodyLimit))
    })
    const { body } = await ask(get(`http://127.0.0.1:${port}/`))
    expect(Buffer.byteLength(body)).toBe(bodyLimit)
  })

  it('cuts no character in two', async () => {
    const port = await http1((_, response) => response.end(`x${'é'.repeat(bodyLimit)}`))
    const { body } = await ask(get(`http://127.0.0.1:${port}/`))
    expect(body.at(-1)).toBe('é')
    expect(Buffer.byteLength(body)).toBe(bodyLimit - 1)
  })

  it('tells a 103 that was the last word', async () => {
    // What nginx sends for `return 103 ""`.
    const port = await raw((socket) => socket.end('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n'))
    expect(await failure(ask(get(`http://127.0.0.1:${port}/`)))).toMatchObject({
      code: 'E_CONNECT',
      message: `127.0.0.1:${port} closed the connection, before a final answer (after 103).`,
    })
  })

  it('tells a body that breaks off', async () => {
    const port = await raw((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'))
    expect((await failure(ask(get(`http://127.0.0.1:${port}/`)))).message).toBe(
      `127.0.0.1:${port} closed the connection, before the end of the body (after 200).`,
    )
  })

  it('tells what is no HTTP', async () => {
    const port = await raw((socket) => socket.end('SSH-2.0-OpenSSH_9.2p1\r\n'))
    expect((await failure(ask(get(`http://127.0.0.1:${port}/`)))).message).toMatch(
      /broke off: Parse Error: Expected HTTP/,
    )
  })
})

describe('what is not reached', () => {
  it('is told that nothing listens there', async () => {
    const port = await raw(() => {})
    for (const server of open.splice(0)) await new Promise((done) => server.close(done))
    expect(await failure(ask(get(`http://127.0.0.1:${port}/`)))).toMatchObject({
      code: 'E_CONNECT',
      message: `127.0.0.1:${port} refused the connection: nothing listens there.`,
    })
  })

  it('is told that the name is nobody’s, with what to do', async () => {
    expect(await failure(ask(get('https://coaching.invalid/')))).toMatchObject({
      code: 'E_CONNECT',
      message: 'The name coaching.invalid could not be resolved here.',
      hint: ".via('192.0.2.1') connects to an address, and asks it for coaching.invalid.",
    })
  })

  it.each<[string, (socket: Socket) => void, string, string]>([
    ['TLS', () => {}, 'https', 'no TLS session'],
    ['an answer', () => {}, 'http', 'no answer'],
    [
      'the page',
      (socket) => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'),
      'http',
      'no answer within 0.2 s (after 103)',
    ],
    [
      'the body',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
      'http',
      'no end of the body within 0.2 s (after 200)',
    ],
  ])('is given up at its deadline: %s', async (_, talk, scheme, words) => {
    const port = await raw(talk)
    const begin = performance.now()
    const error = await failure(ask(get(`${scheme}://127.0.0.1:${port}/`, { deadline: 0.2 })))
    expect(error.code).toBe('E_DEADLINE')
    expect(error.message).toContain(`127.0.0.1:${port} gave ${words}`)
    expect(performance.now() - begin).toBeLessThan(2000)
  })

  it('is told where the connection was reset', async () => {
    const port = await raw((socket) => socket.on('data', () => socket.resetAndDestroy()))
    expect((await failure(ask(get(`http://127.0.0.1:${port}/`)))).message).toBe(
      `127.0.0.1:${port} broke off: the connection was reset, before a final answer.`,
    )
  })

  it('is told where there is no TLS', async () => {
    const port = await http1((_, response) => response.end())
    expect(await failure(page(port))).toMatchObject({
      code: 'E_CONNECT',
      message: `127.0.0.1:${port} did not agree on TLS: wrong version number.`,
      hint: 'What listens there does not speak TLS; an http:// URL would be asked without it.',
    })
    const closes = await raw((socket) => socket.end())
    expect((await failure(page(closes))).message).toContain('did not agree on TLS: the connection was closed.')
    const resets = await raw((socket) => socket.on('data', () => socket.resetAndDestroy()))
    expect((await failure(page(resets))).message).toContain('did not agree on TLS: the connection was reset.')
  })

  it('leaves no connection open', async () => {
    const port = await http1((_, response) => response.end('x'.repeat(bodyLimit * 3)))
    await ask(get(`http://127.0.0.1:${port}/`))
    await expect.poll(() => sockets.size).toBe(0)
  })
})

describe('certificates', () => {
  it('are refused where nobody trusts them, and nothing is sent', async () => {
    let asked = false
    const port = await http2(() => (asked = true))
    const error = await failure(page(port, { verify: true }))
    expect(error).toMatchObject({
      code: 'E_CONNECT',
      message: 'The certificate of coaching.example is not valid: it is signed by itself.',
    })
    expect(error.hint).toMatch(/^It is for coaching\.example, until .+ GMT\. \.insecure\(\) takes any certificate\.$/)
    expect(asked).toBe(false)
  })
})
