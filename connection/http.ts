/** Asks a server over HTTP as a client would: HTTP/2 where it is offered over TLS, with the informational answers. */

import { request as plainRequest, type IncomingMessage } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { Failure } from '../errors/failure.ts'
import type { HttpAnswer, HttpRequest } from '../probe/http.ts'

/** Rejects with a Failure where there is no answer. */
export async function ask(request: HttpRequest): Promise<HttpAnswer> {
  const { url, method, headers, verify, deadline } = request
  const send = url.startsWith('https:') ? tlsRequest : plainRequest
  const started = performance.now()
  const informational: HttpAnswer['informational'][number][] = []
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new Failure('E_CONNECT', `${url}: ${error.message}`, { cause: error }))
    const options = { method, headers, rejectUnauthorized: verify, signal: AbortSignal.timeout(deadline * 1000) }
    const asked = send(url, options, (message: IncomingMessage) => {
      const final = head(message.statusCode!, message.headersDistinct, started)
      let body = ''
      message.setEncoding('utf8').on('data', (text: string) => (body = (body + text).slice(0, 65_536)))
      message.on('end', () => resolve({ protocol: 'HTTP/1.1', informational, final, body })).on('error', fail)
    })
    asked.on('information', ({ statusCode, headers: told }) => {
      const lists = Object.entries(told).map(([name, value]) => [name, [value ?? []].flat()] as const)
      informational.push(head(statusCode, Object.fromEntries(lists), started))
    })
    asked.on('error', fail).end()
  })
}

function head(status: number, headers: NodeJS.Dict<string[]>, started: number) {
  const told = Object.entries(headers).flatMap(([name, values]) => (values ? [[name, values] as const] : []))
  return { status, headers: Object.fromEntries(told), after: performance.now() - started }
}
