/** An SSH server in this process, on loopback, that runs commands in a real shell: for specs of what goes over ssh. */

import { type ChildProcess, spawn } from 'node:child_process'
import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import ssh2, { type AuthContext, type AuthenticationType, type Connection, type ParsedKey } from 'ssh2'

export interface ServerUser {
  /** Public keys that let the user in, as in authorized_keys. */
  readonly keys?: readonly string[]
  readonly password?: string
  /** Prompts of a keyboard-interactive log-in, which is then the only way for the password; it is the answer to each. */
  readonly prompts?: readonly { readonly prompt: string; readonly echo: boolean }[]
  /** Each of these must have been passed; without it any one is enough. */
  readonly needs?: readonly AuthenticationType[]
}

export interface ServerOptions {
  /** Private keys of the host; one ed25519 key unless told. */
  readonly hostKeys?: readonly string[]
  readonly users: Readonly<Record<string, ServerUser>>
  /** The shell that gets `-c COMMAND`. `sh` unless told. */
  readonly shell?: string
  /** So many connections are closed in front of the handshake, as by MaxStartups. */
  readonly drop?: number
  /** What is said before a connection is dropped. */
  readonly farewell?: string
  /** So many channels are refused, as by MaxSessions. */
  readonly refuse?: number
}

export interface TestServer {
  readonly port: number
  /** Public keys of the host, as they go over the wire. */
  readonly hostKeys: readonly Buffer[]
  /** Lines for known_hosts. */
  readonly knownHosts: string
  /** TCP connections that were accepted so far. */
  readonly connections: number
  /** Sessions that were opened so far. */
  readonly channels: number
  readonly commands: readonly string[]
  /** Public keys that were offered, in their order, and other methods that were tried. */
  readonly offered: readonly string[]
  /** Cuts all connections, as a crash of the host does. */
  sever(): void
  /** Reads and answers nothing any more, as a host does whose cable was pulled. */
  freeze(): void
  close(): Promise<void>
}

/** A key pair in the format of OpenSSH. ssh2 makes a malformed one where the public key begins with a zero byte: one of 256. */
export function generateKey(
  comment = 'spec',
  passphrase?: string,
): { readonly private: string; readonly public: string } {
  const locked = passphrase === undefined ? {} : { passphrase, cipher: 'aes256-ctr', rounds: 4 }
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment, ...locked })
    if (!(ssh2.utils.parseKey(pair.public) instanceof Error)) return pair
  }
}

/** The bytes of a public key. */
export function keyBytes(key: string): Buffer {
  return parse(key).getPublicSSH()
}

export async function startServer(options: ServerOptions): Promise<TestServer> {
  const { shell = 'sh', farewell } = options
  const hostKeys = options.hostKeys ?? [generateKey().private]
  const sockets = new Set<Socket>()
  const children = new Set<ChildProcess>()
  const seen = { connections: 0, channels: 0, commands: [] as string[], offered: [] as string[] }
  let drop = options.drop ?? 0
  let refuse = options.refuse ?? 0
  let frozen = false

  const server = new ssh2.Server({ hostKeys: [...hostKeys] }, (client) => {
    // A client that goes away is no error of the server.
    client.on('error', () => {})
    authenticate(client, options, seen.offered)
    client.on('session', (accept, reject) => {
      if (refuse-- > 0) return reject()
      seen.channels++
      accept().on('exec', (acceptExec, _reject, { command }) => {
        seen.commands.push(command)
        children.add(run(shell, command, acceptExec()))
      })
    })
    client.on('tcpip', (accept, reject, { destIP, destPort }) => {
      const far = connect({ host: destIP, port: destPort, noDelay: true })
      far.once('error', () => reject())
      far.once('connect', () => {
        const channel = accept()
        far.removeAllListeners('error').on('error', () => channel.destroy())
        channel.on('error', () => far.destroy())
        channel.on('close', () => far.destroy())
        channel.pipe(far).pipe(channel)
      })
    })
  })
  const listener = createServer({ noDelay: true }, (socket) => {
    seen.connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    if (frozen) return
    if (drop-- > 0) return void socket.end(farewell ?? '')
    server.injectSocket(socket)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const publicKeys = hostKeys.map((key) => parse(key))
  return {
    port,
    hostKeys: publicKeys.map((key) => key.getPublicSSH()),
    knownHosts: publicKeys
      .map((key) => `[127.0.0.1]:${port} ${key.type} ${key.getPublicSSH().toString('base64')}\n`)
      .join(''),
    get connections() {
      return seen.connections
    },
    get channels() {
      return seen.channels
    },
    commands: seen.commands,
    offered: seen.offered,
    sever: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    freeze: () => {
      frozen = true
      for (const socket of sockets) socket.pause()
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await Promise.all([...children].map(end))
      listener.close()
      await once(listener, 'close')
    },
  }
}

/** The pipes are closed, and it is asked to end, with its process group: so it can clean up. Only what does not end is killed. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe?.destroy()
  process.kill(-child.pid, 'SIGTERM')
  const late = new AbortController()
  const isEnded = await Promise.race([
    ended.then(() => true),
    sleep(patience, false, { signal: late.signal }).catch(() => false),
  ])
  late.abort()
  if (!isEnded) process.kill(-child.pid, 'SIGKILL')
  await ended
}

/** Milliseconds until a process must have ended when it was asked to. */
const patience = 4000

function run(shell: string, command: string, channel: ssh2.ServerChannel): ChildProcess {
  const child = spawn(shell, ['-c', command], { detached: true, stdio: 'pipe' })
  child.stdin.on('error', () => {})
  channel.on('error', () => {})
  channel.pipe(child.stdin)
  child.stdout.pipe(channel, { end: false })
  child.stderr.pipe(channel.stderr as NodeJS.WritableStream, { end: false })
  channel.on('close', () => {
    child.stdin.destroy()
    child.stdout.destroy()
    child.stderr.destroy()
  })
  child.on('close', (status, signal) => {
    if (signal) channel.exit(signal.replace('SIG', ''))
    else channel.exit(status ?? 255)
    channel.end()
  })
  return child
}

function authenticate(client: Connection, { users }: ServerOptions, offered: string[]): void {
  const passed = new Set<AuthenticationType>()
  client.on('authentication', (context) => {
    const user = users[context.username]
    const methods = methodsOf(user)
    const pass = () => {
      passed.add(context.method)
      const left = (user?.needs ?? []).filter((method) => !passed.has(method))
      if (left.length > 0) context.reject(left, true)
      else context.accept()
    }
    judge(context, user, offered, (good) => (good ? pass() : context.reject(methods, false)))
  })
}

function judge(
  context: AuthContext,
  user: ServerUser | undefined,
  offered: string[],
  settle: (good: boolean) => void,
): void {
  switch (context.method) {
    case 'publickey': {
      const base64 = context.key.data.toString('base64')
      if (!context.signature) offered.push(base64)
      const key = user?.keys?.map(parse).find((known) => known.getPublicSSH().equals(context.key.data))
      if (!key) return settle(false)
      // A question whether the key would do; the signature comes next.
      if (!context.signature) return context.accept()
      return settle(key.verify(context.blob!, context.signature, context.hashAlgo))
    }
    case 'password':
      offered.push('password')
      return settle(user?.password !== undefined && !user.prompts && isEqual(context.password, user.password))
    case 'keyboard-interactive':
      offered.push('keyboard-interactive')
      if (!user?.prompts) return settle(false)
      return context.prompt([...user.prompts], (answers) =>
        settle(answers.every((answer) => isEqual(answer, user.password!))),
      )
    case 'hostbased':
    case 'none':
      return settle(false)
  }
}

function methodsOf(user: ServerUser | undefined): AuthenticationType[] {
  if (!user) return ['publickey', 'password']
  return [
    ...(user.keys ? (['publickey'] as const) : []),
    ...(user.password !== undefined && !user.prompts ? (['password'] as const) : []),
    ...(user.prompts ? (['keyboard-interactive'] as const) : []),
  ]
}

function isEqual(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))
}

function parse(key: string): ParsedKey {
  const parsed = ssh2.utils.parseKey(key)
  if (parsed instanceof Error) throw parsed
  return parsed
}
