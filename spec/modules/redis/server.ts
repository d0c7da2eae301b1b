/** A server on loopback that speaks enough of Redis's protocol to be asked, and remembers what it was sent and how. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { Output } from '../../../probe/probe.ts'
import type { Script } from '../../../shell/script.ts'
import { type Endpoint, localRedis } from '../../../modules/redis/endpoint.ts'

export class Server {
  /** What came at once, each answered before the next: so many round trips there were. */
  readonly heard: string[] = []
  readonly #server = createServer((socket) => this.#serve(socket))
  readonly #answer: (heard: string) => string

  constructor(answer: (heard: string) => string) {
    this.#answer = answer
  }

  async listen(): Promise<Endpoint> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return { ...localRedis, port: (this.#server.address() as AddressInfo).port }
  }

  close(): void {
    this.#server.close()
  }

  #serve(socket: Socket): void {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      const heard = data.toString('latin1')
      this.heard.push(heard)
      const answer = this.#answer(heard)
      if (heard.includes('QUIT') || answer === '') socket.end(answer)
      else socket.write(answer)
    })
  }
}

/** Runs a script here. */
export async function here(script: Script): Promise<Output> {
  const child = spawn('sh', ['-c', script.text], { env: { ...process.env, LC_ALL: 'C' } })
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (data: Buffer) => stdout.push(data))
  child.stderr.on('data', (data: Buffer) => stderr.push(data))
  child.stdin.on('error', () => {})
  child.stdin.end(script.input ?? '')
  const [status] = (await once(child, 'close')) as [number]
  return { status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }
}
