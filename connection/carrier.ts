/** What carriers that are a process of this machine have in common: a child process as a channel, channels as a connection. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../errors/failure.ts'
import type { Channel, Connection, OpenOptions, Session, Traffic } from './connection.ts'
import { openSession } from './session.ts'

/** Seconds for the farewell of a connection. */
const closeTimeout = 2
/** Milliseconds from the end of a process to the end of its output, which a child of its own may hold open (`ControlPersist`). */
const drainTime = 250

/** A connection whose channels are made by `start`. */
export function carrier(
  target: string,
  user: string | undefined,
  start: (command: string, traffic: Traffic) => Promise<Channel>,
): Connection {
  const traffic: Traffic = { channels: 0, trips: 0, bytesSent: 0, bytesReceived: 0 }
  const sessions = new Map<Session, Channel>()
  return {
    target,
    user,
    traffic,
    async open(options: OpenOptions = {}): Promise<Session> {
      let channel: Channel | undefined
      const session = await openSession(async (command) => (channel = await start(command, traffic)), options, traffic)
      sessions.set(session, channel!)
      return session
    },
    async close() {
      const late = sleep(closeTimeout * 1000, undefined, { ref: false })
      const all = Promise.all([...sessions.keys()].map((session) => session.close()))
      await Promise.race([all, late])
      for (const channel of sessions.values()) channel.destroy()
      sessions.clear()
    },
  }
}

/**
 * Starts a command of this machine. It gets a session of its own, so that Ctrl-C at the terminal reaches us and not it.
 *
 * @throws Failure E_CONNECT
 */
export async function startProcess(argv: readonly string[], traffic: Traffic): Promise<Channel> {
  const [command, ...rest] = argv as [string, ...string[]]
  const child = spawn(command, rest, { detached: true, stdio: 'pipe' })
  try {
    await once(child, 'spawn')
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new Failure(
      'E_CONNECT',
      `${command}: ${missing ? 'there is no such command here' : (error as Error).message}`,
      {
        cause: error,
      },
    )
  }
  return channelOf(child, traffic)
}

function channelOf(child: ChildProcessWithoutNullStreams, traffic: Traffic): Channel {
  const ended = new Promise<number | undefined>((resolve) => {
    child.once('close', (code) => resolve(code ?? undefined))
    // What was said before the end is read first, even where we were kept from reading it all that time.
    child.once('exit', (code) => setTimeout(() => setImmediate(() => resolve(code ?? undefined)), drainTime).unref())
  })
  // A write to a process that has ended is no news: its end is told by `onClose`.
  child.stdin.on('error', () => {})
  const counted = (listener: (data: Buffer) => void) => (data: Buffer) => {
    traffic.bytesReceived += data.length
    listener(data)
  }
  return {
    write(data) {
      traffic.bytesSent += Buffer.byteLength(data)
      child.stdin.write(data)
    },
    end: () => void child.stdin.end(),
    onStdout: (listener) => void child.stdout.on('data', counted(listener)),
    onStderr: (listener) => void child.stderr.on('data', counted(listener)),
    onClose: (listener) => void ended.then((status) => listener({ status })),
    destroy() {
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
      child.kill('SIGTERM')
      child.unref()
    },
  }
}
