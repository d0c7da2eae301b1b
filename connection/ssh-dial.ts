/** Reaching the SSH port of a host, again where the host was not ready for us. */

import { connect, type Socket } from 'node:net'
import pRetry from 'p-retry'
import { Failure } from '../errors/failure.ts'

export interface RetryOptions {
  /** How often a host is tried that refuses or drops the connection before its handshake. 3 unless told. */
  readonly tries?: number | undefined
  /** Milliseconds before the second try, at most doubled by chance; twice as many before each further one. 500 unless told. */
  readonly backOff?: number | undefined
}

/** Where to connect to. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly family?: 4 | 6 | undefined
}

/** A failure that may be over in a moment: the host is booting, or too many log in at once (MaxStartups). */
export class NotNow extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

/** Tries again after NotNow, and says in the end how often it tried. */
export async function retrying<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  const { tries = 3, backOff = 500 } = options
  let tried = 0
  try {
    return await pRetry(
      () => {
        tried++
        return attempt()
      },
      { retries: tries - 1, minTimeout: backOff, randomize: true, shouldRetry: ({ error }) => error instanceof NotNow },
    )
  } catch (error) {
    if (!(error instanceof NotNow)) throw error
    const { code, message, hint, cause } = error.failure
    throw new Failure(code, tried > 1 ? `${message} (tried ${tried} times)` : message, { hint, cause })
  }
}

/**
 * Connects without Nagle's algorithm: with it, each command waits for a delayed acknowledgement.
 * A time-out is not tried again: the kernel has repeated the first packet several times by then.
 */
export async function dial(address: Address, seconds: number): Promise<Socket> {
  const { host, port, family } = address
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, family, noDelay: true })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(
        new Failure('E_CONNECT', `connect ${hostPort(host, port)} timed out after ${seconds} s`, {
          hint: `Is the host up, and does a firewall let us through to port ${port}?`,
        }),
      )
    }, seconds * 1000)
    const failed = (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      reject(dialFailure(host, port, error))
    }
    socket.once('error', failed)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.removeListener('error', failed)
      resolve(socket)
    })
  })
}

export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const notNow: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused; nothing listens there',
  ECONNRESET: 'reset at once',
  EHOSTUNREACH: 'no way to the host',
  ENETUNREACH: 'no way to the network',
}

function dialFailure(host: string, port: number, error: NodeJS.ErrnoException): Error {
  const where = hostPort(host, port)
  const code = error.code ?? ''
  const why = notNow[code]
  if (why)
    return new NotNow(
      new Failure('E_CONNECT', `connect ${where}: ${why}`, {
        hint: `Is the host up, and does sshd listen on port ${port}?`,
        cause: error,
      }),
    )
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new Failure('E_CONNECT', `there is no address for ${host} (${code})`, {
      hint: 'Give the host an address in the inventory, or a HostName in ~/.ssh/config.',
      cause: error,
    })
  return new Failure('E_CONNECT', `connect ${where}: ${error.message}`, { cause: error })
}
