/** What carries a script to a host and its answer back. Carriers are `ssh.ts`, `local.ts`, `exec.ts`. */

import type { Failure } from '../errors/failure.ts'

/** One script and what it reads, for one trip or a part of one. */
export interface Request {
  readonly script: string
  readonly input?: string | Uint8Array | undefined
  /** Seconds after which the host ends the whole process group of the script. */
  readonly deadline: number
}

export interface Answer {
  /** Exit status; undefined where the deadline ended it. */
  readonly status: number | undefined
  readonly stdout: Buffer
  readonly stderr: Buffer
  readonly timedOut: boolean
}

/** How to become another user. Passwords are handed over on standard input, after the prompt was seen. */
export interface Become {
  readonly method: 'sudo' | 'su' | 'doas'
  readonly user: string
  readonly password?: string | undefined
}

/** The host's lock: one at a time works on it, for each user. A session holds it until it ends, in whatever way. */
export interface Lock {
  /**
   * Who works, and at what, in a line: what whoever comes second is told. Sessions with the same holder share the lock, since
   * an inventory may have two names for one host.
   */
  readonly holder: string
  /** Seconds to wait for another's end; 0 refuses at once. */
  readonly wait: number
  /** Told when another has it, and this one waits. */
  readonly waiting?: ((whose: LockedBy) => void) | undefined
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined
}

/** What a host says of who has its lock; undefined where it does not know. */
export interface LockedBy {
  readonly holder: string | undefined
  /** When it was taken, by the host's clock, in ISO 8601: `2026-11-23T14:02:31Z`. */
  readonly since: string | undefined
  /** The process on the host that has it. */
  readonly process: number | undefined
}

export interface OpenOptions {
  readonly become?: Become | undefined
  /** Taken with the greeting, at no trip of its own, and before the greet script. */
  readonly lock?: Lock | undefined
  /** A script whose output comes back with the greeting, at no trip of its own. */
  readonly greet?: string | undefined
}

/** One channel to one user of a host, over which requests are pipelined. */
export interface Session {
  /** What the `greet` script wrote on standard output. */
  readonly greeting: Buffer
  /** Sends all requests at once and answers them in order: one round trip. Rejects with a Failure where the link is lost. */
  run(requests: readonly Request[]): Promise<readonly Answer[]>
  close(): Promise<void>
}

/** What a connection has cost so far. */
export interface Traffic {
  /** Channels opened. */
  channels: number
  /** Times that we waited for the host after the handshake: greetings and calls of `run`. */
  trips: number
  bytesSent: number
  bytesReceived: number
}

export interface Connection {
  /** How a person knows it: `deploy@10.0.3.11:22`, `local`, `docker exec -i web1`. */
  readonly target: string
  /** Who logs in; undefined where the carrier decides (a container). */
  readonly user: string | undefined
  readonly traffic: Readonly<Traffic>
  /** Opens a session; rejects with a Failure (E_BECOME, E_GREETING, E_LOCKED, E_CONNECTION_LOST). */
  open(options?: OpenOptions): Promise<Session>
  close(): Promise<void>
}

/** One byte stream to a shell on the host and two back: what a carrier must be able to make. */
export interface Channel {
  write(data: string | Uint8Array): void
  /** No more input. */
  end(): void
  onStdout(listener: (data: Buffer) => void): void
  onStderr(listener: (data: Buffer) => void): void
  /** Called once, when no more output can come; with a Failure where the link broke. */
  onClose(listener: (end: { status: number | undefined; failure?: Failure }) => void): void
  /** Ends it now. */
  destroy(): void
}

/** Starts a command line (for a POSIX shell) on the host. */
export type Spawn = (command: string) => Promise<Channel>
