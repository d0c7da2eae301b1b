/** A TCP relay on loopback to the SSH port of a host: it counts the bytes of both directions, and cuts where it is told. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** How a connection ends: torn down on both sides at once, or without a word to either, so that each goes on waiting. */
export type Cut = 'reset' | 'silence'

/** That so many bytes had passed at a time, in milliseconds since the connection began. */
export interface Mark {
  readonly bytes: number
  readonly at: number
}

export class Relay {
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  readonly #marks: Mark[] = []
  #bytes = 0
  #began = 0
  #silent = false
  #point: { readonly bytes: number; readonly act: () => void } | undefined

  private constructor(to: { readonly host: string; readonly port: number }) {
    this.#server = createServer({ noDelay: true }, (client) => {
      this.#began ||= performance.now()
      const host = connect({ ...to, noDelay: true })
      const pair = [client, host] as const
      this.#pairs.add(pair)
      this.#pass(client, host)
      this.#pass(host, client)
    })
  }

  static async to(host: string, port = 22): Promise<Relay> {
    const relay = new Relay({ host, port })
    relay.#server.listen(0, '127.0.0.1')
    await once(relay.#server, 'listening')
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Of both directions, since it was made. */
  get bytes(): number {
    return this.#bytes
  }

  get marks(): readonly Mark[] {
    return this.#marks
  }

  /** Acts once so many bytes have been handed on, and not one more before it has acted. */
  at(bytes: number, act: () => void): void {
    this.#point = { bytes, act }
  }

  cut(how: Cut): void {
    this.#silent = how === 'silence'
    for (const sockets of this.#pairs) for (const socket of sockets) if (how === 'reset') socket.resetAndDestroy()
  }

  async close(): Promise<void> {
    this.cut('reset')
    this.#server.close()
    await once(this.#server, 'close')
  }

  #pass(from: Socket, to: Socket): void {
    from.on('data', (data) => {
      if (!this.#silent) this.#hand(data, to)
    })
    from.on('error', () => {})
    from.on('end', () => !this.#silent && to.end())
    from.on('close', () => !this.#silent && to.destroySoon())
  }

  #hand(data: Buffer, to: Socket): void {
    const point = this.#point
    const before = point ? Math.min(data.length, Math.max(0, point.bytes - this.#bytes)) : data.length
    to.write(data.subarray(0, before))
    this.#bytes += before
    this.#marks.push({ bytes: this.#bytes, at: performance.now() - this.#began })
    if (!point || this.#bytes < point.bytes) return
    this.#point = undefined
    point.act()
    if (!this.#silent && before < data.length && !to.destroyed) this.#hand(data.subarray(before), to)
  }
}
