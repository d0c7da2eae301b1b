/** A logged-in SSH connection and its channels, whatever the library: they end once, and say why. */

import type { Duplex, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../errors/failure.ts'
import type { Channel, Traffic } from './connection.ts'

/** What the client of the SSH library must be able to do. */
interface Client {
  exec(command: string, done: (error: Error | undefined, channel: ClientChannel) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'close', listener: () => void): unknown
  once(event: 'close', listener: (nothing?: unknown) => void): unknown
  end(): unknown
  destroy(): unknown
}

type ClientChannel = Duplex & { readonly stderr: Readable }

/** A logged-in connection, to a host or to a jump host. */
export interface Link<C extends Client = Client> {
  readonly label: string
  readonly client: C
  readonly traffic: Traffic
  /** Why it is no longer there. */
  readonly lost: Failure | undefined
  /** Called once when it is lost. */
  readonly watchers: Set<(failure: Failure) => void>
  close(): Promise<void>
}

/** Seconds for a channel. */
const channelTimeout = 30
/** sshd frees a slot of MaxSessions a little later than it says that a channel is closed. */
const slotFreed = 200
/** Seconds for a farewell. */
const closeTimeout = 2

/** Counts the bytes on the wire, and knows when the last one came. */
export class Meter {
  readonly traffic: Traffic = { channels: 0, trips: 0, bytesSent: 0, bytesReceived: 0 }
  /** The first words of the host. */
  greeting = ''
  heard = performance.now()

  constructor(socket: Duplex) {
    // Paused, a listener does not start the stream: ssh2 does, when it is ready for it.
    socket.pause()
    socket.on('data', (data: Buffer) => {
      this.heard = performance.now()
      this.traffic.bytesReceived += data.length
      if (this.greeting.length < 200) this.greeting += data.toString('latin1')
    })
    const write = socket.write.bind(socket)
    socket.write = ((data: Buffer) => {
      this.traffic.bytesSent += data.length
      return write(data)
    }) as Duplex['write']
  }
}

export function linkOver<C extends Client>(
  client: C,
  label: string,
  meter: Meter,
  every: number,
  missed: number,
): Link<C> {
  const watchers = new Set<(failure: Failure) => void>()
  let lost: Failure | undefined
  let closed = false
  const lose = (why: string, cause?: unknown) => {
    if (lost) return
    lost = new Failure('E_CONNECTION_LOST', `${label}: the connection broke: ${why}`, { cause })
    clearInterval(watch)
    for (const watcher of watchers) watcher(lost)
    client.destroy()
  }
  const watch = setInterval(() => {
    // Half an interval less, so that a timer that comes a little early does not cost a whole one.
    const silent = (performance.now() - meter.heard) / 1000
    if (silent > every * (missed - 0.5)) lose(`the host has not been heard of for ${Math.round(silent)} s`)
  }, every * 1000)
  client.on('error', (error) => lose(error.message, error))
  client.on('close', () => {
    closed = true
    lose('the host closed it')
  })
  const close = async () => {
    if (closed) return
    const gone = new Promise((resolve) => client.once('close', resolve))
    client.end()
    await Promise.race([gone, sleep(closeTimeout * 1000, undefined, { ref: false })])
    lose('it was closed by us')
  }
  return {
    label,
    client,
    traffic: meter.traffic,
    watchers,
    close,
    get lost() {
      return lost
    },
  }
}

/** Starts a command on a channel of its own. */
export async function openChannel(link: Link, command: string): Promise<Channel> {
  const open = () =>
    asked(
      link,
      channelTimeout,
      (done) => link.client.exec(command, done),
      (channel) => channelOver(link, channel),
    )
  try {
    return await open().catch(async (error: unknown) => {
      if (!isOpenFailure(error)) throw error
      await sleep(slotFreed)
      return open()
    })
  } catch (error) {
    if (error instanceof Failure) throw error
    if (isOpenFailure(error))
      throw new Failure(
        'E_CONNECT',
        `${link.label}: the host opens no further session (${(error as Error).message}), tried twice`,
        {
          hint: 'Raise MaxSessions of its sshd, or become fewer different users in one play.',
          cause: error,
        },
      )
    if (error instanceof Silence)
      throw new Failure('E_CONNECTION_LOST', `${link.label}: the host opens no session: ${error.message}`, {
        cause: error,
      })
    throw new Failure(
      'E_GREETING',
      `${link.label}: the host does not run commands for us: ${(error as Error).message}`,
      {
        hint: 'A user with a shell and without ForceCommand is needed.',
        cause: error,
      },
    )
  }
}

/** The host neither says yes nor no. */
class Silence extends Error {}

/** `open failed`: the reason that sshd gives where MaxSessions is reached. */
function isOpenFailure(error: unknown): boolean {
  return error instanceof Error && (error as { reason?: unknown }).reason === 2
}

/**
 * Asks ssh2 for a channel, which may throw, call back with an error, or never call back.
 *
 * @param take called in the very moment in which the channel is there: listeners that come later miss its end
 */
export function asked<T>(
  link: Link,
  seconds: number,
  start: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
  take: (channel: ClientChannel) => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false
    const settle = (act: () => void) => {
      if (over) return
      over = true
      clearTimeout(timer)
      link.watchers.delete(refuse)
      act()
    }
    const refuse = (error: Error) => settle(() => reject(link.lost ?? error))
    const timer = setTimeout(() => refuse(new Silence(`no answer within ${seconds} s`)), seconds * 1000)
    link.watchers.add(refuse)
    try {
      start((error, channel) => {
        if (error) return refuse(error)
        if (over) return channel.resume().destroy()
        settle(() => resolve(take(channel)))
      })
    } catch (error) {
      refuse(error as Error)
    }
  })
}

function channelOver(link: Link, stream: ClientChannel): Channel {
  const stdout = new Mailbox<Buffer>()
  const stderr = new Mailbox<Buffer>()
  const ended = new Mailbox<{ status: number | undefined; failure?: Failure }>()
  let over = false
  const finish = (end: { status: number | undefined; failure?: Failure }) => {
    if (over) return
    over = true
    link.watchers.delete(lost)
    ended.put(end)
  }
  // What came before the break may still be on its way through the streams.
  const lost = (failure: Failure) => void setImmediate(() => finish({ status: undefined, failure }))
  link.watchers.add(lost)
  stream.on('data', (data: Buffer) => stdout.put(data))
  stream.stderr.on('data', (data: Buffer) => stderr.put(data))
  // A write after the end; `close` says the rest.
  stream.on('error', () => {})
  // `exit` may come before the last output; `close` never does.
  stream.on('close', (status: number | null | undefined, signal: string | undefined) => {
    if (typeof status === 'number') finish({ status })
    else if (signal) finish({ status: undefined })
    else
      lost(
        link.lost ??
          new Failure('E_CONNECTION_LOST', `${link.label}: the host closed the channel without an exit status`),
      )
  })
  return {
    write: (data) => {
      if (stream.writable) stream.write(data)
    },
    end: () => {
      stream.end()
    },
    onStdout: (listener) => stdout.open(listener),
    onStderr: (listener) => stderr.open(listener),
    onClose: (listener) => ended.open(listener),
    destroy: () => {
      stream.destroy()
      finish({ status: undefined })
    },
  }
}

/** Keeps what comes before somebody listens. */
class Mailbox<T> {
  #waiting: T[] = []
  #listener: ((item: T) => void) | undefined

  put(item: T): void {
    if (this.#listener) this.#listener(item)
    else this.#waiting.push(item)
  }

  open(listener: (item: T) => void): void {
    this.#listener = listener
    for (const item of this.#waiting.splice(0)) listener(item)
  }
}
