/** The ssh carrier: a connection to a host over ssh2, which is loaded with the first connection. */

import type { Duplex } from 'node:stream'
import type * as Ssh2 from 'ssh2'
import { Failure } from '../errors/failure.ts'
import type { Connection, Session, Spawn, Traffic } from './connection.ts'
import { judgeHostKey, type KnownHost, knownKeyTypes, readKnownHosts, useOpenSsh } from './known-hosts.ts'
import { openSession } from './session.ts'
import { algorithms, hostKeyKinds, hostKeyOrder } from './ssh-algorithms.ts'
import { dial, hostPort, NotNow, type RetryOptions, retrying } from './ssh-dial.ts'
import { asked, type Link, linkOver, Meter, openChannel } from './ssh-link.ts'
import { type Attempt, KeyCache, type KeyReader, LoginAttempts } from './ssh-login.ts'
import { hostName, labelOf, type SshTarget } from './ssh-target.ts'

type Library = (typeof Ssh2)['default']

export interface SshOptions extends RetryOptions {
  /** Shared by the connections of one run: jump hosts, unlocked keys, known_hosts. */
  readonly pool?: SshPool | undefined
  /** Asks the host for a sign of life every so many seconds; it is lost after `missed` of them without a byte. */
  readonly keepAlive?: { readonly every: number; readonly missed: number } | undefined
}

type SshLink = Link<Ssh2.Client>

/** The way to a host: the last jump host, if there is one, and how to say that it is not needed any more. */
interface Path {
  readonly link: SshLink | undefined
  leave(): Promise<void>
}

/** Seconds for logging in, once the handshake is done: PAM may ask a directory, and an agent may ask its owner. */
const loginTimeout = 30

/**
 * A connection to a host over ssh. The key of the host, and of each jump host, is verified against known_hosts; there
 * is no way round it.
 *
 * @example
 * const pool = new SshPool()
 * const connection = await connectSsh(await sshResolver().resolve({ host: 'web1' }), { pool })
 * @throws Failure E_CONNECT, E_AUTH, E_HOST_KEY_UNKNOWN, E_HOST_KEY_CHANGED, E_HOST_KEY_REVOKED
 */
export async function connectSsh(target: SshTarget, options: SshOptions = {}): Promise<Connection> {
  const carrier = await openSsh(target, options)
  const { target: label, traffic, spawn } = carrier
  const sessions = new Set<Session>()
  return {
    target: label,
    user: target.user,
    traffic,
    async open(how = {}) {
      const session = await openSession(spawn, how, traffic)
      sessions.add(session)
      return session
    },
    async close() {
      await Promise.all([...sessions].map((session) => session.close()))
      await carrier.close()
    },
  }
}

/** A way to start commands on a host: what `connectSsh` opens sessions over. */
export interface SshCarrier {
  /** `deploy@10.0.3.11:22` */
  readonly target: string
  /** Bytes are those on the wire of the host, with handshake and padding. */
  readonly traffic: Traffic
  readonly spawn: Spawn
  close(): Promise<void>
}

/**
 * Connects and logs in, without a session.
 *
 * @throws Failure E_CONNECT, E_AUTH, E_HOST_KEY_UNKNOWN, E_HOST_KEY_CHANGED, E_HOST_KEY_REVOKED
 */
export async function openSsh(target: SshTarget, options: SshOptions = {}): Promise<SshCarrier> {
  const pool = options.pool ?? new SshPool()
  const path = await openPath(target.jumps, pool, options)
  try {
    const link = await reach(target, path.link, pool, options)
    return {
      target: link.label,
      traffic: link.traffic,
      spawn: (command) => openChannel(link, command),
      close: async () => {
        await link.close()
        await path.leave()
      },
    }
  } catch (error) {
    await path.leave()
    throw error
  }
}

/** The keys that a host shows, one of each type, without logging in to it (jump hosts are verified and logged in to). */
export async function fetchHostKeys(target: SshTarget, options: SshOptions = {}): Promise<readonly Buffer[]> {
  const pool = options.pool ?? new SshPool()
  const path = await openPath(target.jumps, pool, options)
  try {
    const keys: Buffer[] = []
    for (const offer of hostKeyKinds) {
      const key = await retrying(options, async () => shownKey(target, await stream(target, path.link), offer))
      if (key) keys.push(key)
    }
    return keys
  } finally {
    await path.leave()
  }
}

/** What the connections of one run share: key files and agents are read once, jump hosts are connected to once. */
export class SshPool {
  readonly keys = new KeyCache<Ssh2.ParsedKey>()
  readonly jumps = new Map<string, { readonly link: Promise<SshLink>; users: number }>()
  readonly #known = new Map<string, Promise<readonly KnownHost[]>>()

  known(files: readonly string[]): Promise<readonly KnownHost[]> {
    const name = files.join('\n')
    const had = this.#known.get(name) ?? readKnownHosts(files)
    this.#known.set(name, had)
    return had
  }
}

/** Connects to jump hosts, one through the other; hosts that share the same way share its connections. */
async function openPath(jumps: readonly SshTarget[], pool: SshPool, options: SshOptions): Promise<Path> {
  const last = jumps.at(-1)
  if (!last) return { link: undefined, leave: async () => {} }
  const name = jumps.map(labelOf).join(' ')
  const had = pool.jumps.get(name)
  const shared = had ?? { link: openJump(last, jumps.slice(0, -1), pool, options), users: 0 }
  pool.jumps.set(name, shared)
  shared.users++
  const forget = () => {
    if (pool.jumps.get(name) === shared) pool.jumps.delete(name)
  }
  try {
    const link = await shared.link
    link.watchers.add(forget)
    let left = false
    const leave = async () => {
      if (left) return
      left = true
      if (--shared.users > 0) return
      forget()
      await link.close()
    }
    return { link, leave }
  } catch (error) {
    forget()
    throw error
  }
}

async function openJump(
  target: SshTarget,
  before: readonly SshTarget[],
  pool: SshPool,
  options: SshOptions,
): Promise<SshLink> {
  const path = await openPath(before, pool, options)
  try {
    const link = await reach(target, path.link, pool, options)
    link.watchers.add(() => void path.leave())
    return link
  } catch (error) {
    await path.leave()
    throw error
  }
}

/** Dials and logs in, again where the host was not ready for us. */
async function reach(
  target: SshTarget,
  through: SshLink | undefined,
  pool: SshPool,
  options: SshOptions,
): Promise<SshLink> {
  const only = target.onlyOpenSsh
  if (only.length > 0)
    throw new Failure(
      'E_CONNECT',
      `${target.name}: ssh_config asks for ${only.join(', ')}: only the OpenSSH client can do that.`,
      {
        hint: useOpenSsh(target.name),
      },
    )
  const known = await pool.known(target.knownHostsFiles)
  return retrying(options, async () => logIn(target, await stream(target, through), known, pool, options))
}

/** Bytes to and from the SSH port of a host, over TCP or through a jump host. */
async function stream(target: SshTarget, through: SshLink | undefined): Promise<Duplex> {
  const { host, port, connectTimeout, family } = target
  if (!through) return dial({ host, port, family }, connectTimeout)
  try {
    return await asked(
      through,
      connectTimeout,
      (done) => through.client.forwardOut('127.0.0.1', 0, host, port, done),
      (channel) => channel,
    )
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure('E_CONNECT', `connect ${hostPort(host, port)} through ${through.label}: ${messageOf(error)}`, {
      hint: `Can ${through.label} reach it, and does its sshd allow that (AllowTcpForwarding)?`,
      cause: error,
    })
  }
}

/** Shakes hands, verifies the host, logs in. */
async function logIn(
  target: SshTarget,
  socket: Duplex,
  known: readonly KnownHost[],
  pool: SshPool,
  options: SshOptions,
): Promise<SshLink> {
  const { default: ssh2 } = await import('ssh2')
  const label = labelOf(target)
  const client = new ssh2.Client()
  const attempts = new LoginAttempts(target, keyReader(ssh2), pool.keys)
  const { every = 10, missed = 3 } = options.keepAlive ?? {}
  let refused: Failure | undefined
  const meter = new Meter(socket)
  const ready = handshake(client, target, attempts, meter, () => refused)
  client.connect({
    sock: socket,
    username: target.user,
    readyTimeout: 0,
    // ssh2 asks for signs of life; the judgement is ours, since bytes of any kind are a sign of life too.
    keepaliveInterval: every * 1000,
    keepaliveCountMax: Number.MAX_SAFE_INTEGER,
    algorithms: algorithmsWith(hostKeyOrder(knownKeyTypes(known, hostName(target)))),
    // Not async, ever: ssh2 takes a promise for a yes.
    hostVerifier: (key: Buffer): boolean => {
      refused = judgeHostKey(known, hostName(target), key)
      return refused === undefined
    },
    authHandler: (accepted, partly, next) => {
      attempts.next(accepted, partly).then(
        (attempt) => next(attempt ? methodOf(attempt, target, attempts, ssh2) : (false as never)),
        (error: unknown) => client.emit('error', error),
      )
    },
  })
  try {
    await ready
    return linkOver(client, label, meter, every, missed)
  } catch (error) {
    client.destroy()
    socket.destroy()
    throw error
  }
}

/** Settles when the host has let us in, or it is clear that it will not. */
function handshake(
  client: Ssh2.Client,
  target: SshTarget,
  attempts: LoginAttempts<Ssh2.ParsedKey>,
  meter: Meter,
  refused: () => Failure | undefined,
): Promise<void> {
  const label = labelOf(target)
  return new Promise((resolve, reject) => {
    let shaken = false
    let timer: NodeJS.Timeout
    const fail = (error: Error) => {
      clearTimeout(timer)
      reject(error)
    }
    const limit = (time: number, what: string) => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        fail(
          new Failure('E_CONNECT', `${label}: no ${what} within ${time} s`, {
            hint: 'Is the host overloaded, or is this not sshd?',
          }),
        )
      }, time * 1000)
    }
    limit(target.connectTimeout, 'SSH handshake')
    client.once('handshake', () => {
      shaken = true
      limit(loginTimeout, 'end of the log-in')
    })
    client.once('ready', () => {
      clearTimeout(timer)
      resolve()
    })
    client.once('change password', () => {
      fail(attempts.failure(label, 'the password has expired; the host asks for a new one'))
    })
    client.once('close', () => fail(dropped(label, shaken, meter)))
    client.on('error', (error) => {
      // Thrown while the next thing to try was made ready, such as by the one who asks for a passphrase.
      if (error instanceof Failure) return fail(error)
      const { level } = error
      // The agent or a key would not sign: ssh2 goes on with the next one.
      if (level === 'agent' || /^Error (while )?signing/.test(error.message)) return attempts.tell(`(${error.message})`)
      const verdict = refused()
      if (verdict) return fail(verdict)
      if (level === 'client-authentication') return fail(attempts.failure(label))
      // A number is the reason of an SSH disconnect message, such as «Too many authentication failures».
      if (shaken && typeof (error as { code?: unknown }).code === 'number')
        return fail(attempts.failure(label, error.message))
      if (level === 'client-socket' || level === 'protocol') return fail(dropped(label, shaken, meter, error))
      fail(
        new Failure('E_CONNECT', `${label}: ${error.message}`, {
          hint: /no matching/.test(error.message)
            ? `Host and client have no algorithm in common. ${useOpenSsh(target.name)}`
            : undefined,
          cause: error,
        }),
      )
    })
  })
}

/** The connection ended before we were in. */
function dropped(label: string, shaken: boolean, meter: Meter, cause?: Error): Error {
  const why = cause?.message ? ` (${cause.message})` : ''
  if (shaken) return new Failure('E_CONNECT', `${label}: the connection broke while logging in${why}`, { cause })
  // What is said in front of the version, such as «Exceeded MaxStartups» or «Not allowed at this time».
  const said = /^(?!SSH-)[^\r\n]+/.exec(meter.greeting)?.[0]
  return new NotNow(
    new Failure(
      'E_CONNECT',
      `${label}: the connection was dropped before the handshake${said ? ` («${said}»)` : why}`,
      {
        hint: 'sshd drops connections when many log in at once (MaxStartups) or were refused (PerSourcePenalties): use fewer forks, or wait.',
        cause,
      },
    ),
  )
}

/** Starts a handshake for one kind of key, and ends it when the key is seen; undefined where the host has none such. */
async function shownKey(
  target: SshTarget,
  socket: Duplex,
  offer: readonly Ssh2.ServerHostKeyAlgorithm[],
): Promise<Buffer | undefined> {
  const { default: ssh2 } = await import('ssh2')
  const client = new ssh2.Client()
  const label = labelOf(target)
  const meter = new Meter(socket)
  let shown: Buffer | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('error', (error) => {
        if (shown || /no matching host key/.test(error.message)) resolve()
        else reject(dropped(label, false, meter, error))
      })
      client.on('close', () => reject(dropped(label, false, meter)))
      client.connect({
        sock: socket,
        username: target.user,
        readyTimeout: target.connectTimeout * 1000,
        algorithms: algorithmsWith(offer),
        hostVerifier: (key: Buffer): boolean => {
          shown = key
          return false
        },
      })
    })
  } finally {
    client.destroy()
    socket.destroy()
  }
  return shown
}

function algorithmsWith(serverHostKey: readonly Ssh2.ServerHostKeyAlgorithm[]): Ssh2.Algorithms {
  const { kex, hmac, compress } = algorithms
  return { kex: [...kex], hmac: [...hmac], compress: [...compress], serverHostKey: [...serverHostKey] }
}

function methodOf(
  attempt: Attempt<Ssh2.ParsedKey>,
  target: SshTarget,
  attempts: LoginAttempts<Ssh2.ParsedKey>,
  ssh2: Library,
): Ssh2.AnyAuthMethod {
  const username = target.user
  const password = target.password ?? ''
  switch (attempt.method) {
    case 'none':
      return { type: 'none', username }
    case 'password':
      return { type: 'password', username, password }
    case 'keyboard-interactive':
      return {
        type: 'keyboard-interactive',
        username,
        prompt: (_name, _instructions, _lang, prompts, finish) => {
          const [only, ...more] = prompts
          const isPassword = only !== undefined && more.length === 0 && !only.echo
          if (!isPassword) attempts.tell(`(it asked: ${prompts.map(({ prompt }) => prompt.trim()).join(', ')})`)
          finish(prompts.map(() => (isPassword ? password : '')))
        },
      }
    case 'publickey':
      if (attempt.file) return { type: 'publickey', username, key: attempt.key }
      return { type: 'agent', username, agent: agentWith(attempt.key, target.agent!, ssh2) }
  }
}

/** An agent that has one key only: so that each key is a step of its own, in our order. */
function agentWith(key: Ssh2.ParsedKey, socket: string, ssh2: Library): Ssh2.BaseAgent {
  const agent = new ssh2.OpenSSHAgent(socket)
  agent.getIdentities = (done) => done(undefined, [key])
  return agent
}

function keyReader(ssh2: Library): KeyReader<Ssh2.ParsedKey> {
  return {
    parse: (text, passphrase) => {
      const key = ssh2.utils.parseKey(text, passphrase)
      // An OpenSSH file could hold several keys; ssh2 answers with a list then.
      return Array.isArray(key) ? (key[0] as Ssh2.ParsedKey) : key
    },
    agentKeys: (socket) =>
      new Promise((resolve, reject) => {
        new ssh2.OpenSSHAgent(socket).getIdentities((error, keys) => {
          if (error) reject(error)
          // The agent of OpenSSH is asked for keys only; certificates and keys on hardware are left out by ssh2.
          else resolve((keys ?? []).filter((key): key is Ssh2.ParsedKey => 'getPublicSSH' in key))
        })
      }),
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
