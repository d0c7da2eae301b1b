import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Channel } from '../../connection/connection.ts'
import { connectSsh, fetchHostKeys, openSsh, type SshOptions, SshPool } from '../../connection/ssh.ts'
import type { SshTarget } from '../../connection/ssh-target.ts'
import { Failure } from '../../errors/failure.ts'
import { generateKey, keyBytes, type ServerOptions, startServer, type TestServer } from './ssh-server.ts'

const deploy = generateKey('deploy@spec')
const users = { deploy: { keys: [deploy.public], password: 'right' } }
const quick: SshOptions = { backOff: 20 }

let folder: string
let ends: (() => unknown)[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetplay-spec-'))
  ends = [() => rmSync(folder, { recursive: true })]
  writeFileSync(join(folder, 'id'), deploy.private, { mode: 0o600 })
})

afterEach(async () => {
  for (const end of ends.toReversed()) await end()
})

async function server(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const started = await startServer({ users, ...options })
  ends.push(() => started.close())
  return started
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

function targetOf({ port, knownHosts }: TestServer, more: Partial<SshTarget> = {}): SshTarget {
  return {
    name: 'web1',
    host: '127.0.0.1',
    port,
    user: 'deploy',
    identityFiles: [join(folder, 'id')],
    identitiesOnly: false,
    jumps: [],
    knownHostsFiles: [file(`known_hosts.${port}`, knownHosts)],
    connectTimeout: 5,
    onlyOpenSsh: [],
    ...more,
  }
}

async function open(target: SshTarget, options: SshOptions = quick) {
  const carrier = await openSsh(target, options)
  ends.push(() => carrier.close())
  return carrier
}

async function failure(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof Failure)) throw new Error(`not a Failure: ${String(error)}`, { cause: error })
  return error
}

async function endOf(channel: Channel) {
  const out: Buffer[] = []
  const err: Buffer[] = []
  channel.onStdout((data) => out.push(data))
  channel.onStderr((data) => err.push(data))
  const end = await new Promise<{ status: number | undefined; failure?: Failure }>((resolve) =>
    channel.onClose(resolve),
  )
  return { ...end, stdout: Buffer.concat(out), stderr: Buffer.concat(err) }
}

describe('a session over ssh', () => {
  it('greets, answers a batch in one trip, and counts what went over the wire', async () => {
    const host = await server()
    const connection = await connectSsh(targetOf(host), quick)
    ends.push(() => connection.close())
    const handshake = connection.traffic.bytesReceived
    const session = await connection.open({ greet: 'echo hello' })
    expect(session.greeting.toString()).toBe('hello\n')
    const answers = await session.run([
      { script: 'cat; exit 3', input: 'in\0put', deadline: 5 },
      { script: 'echo oops >&2', deadline: 5 },
    ])
    expect(answers.map(({ status, stdout, stderr }) => [status, stdout.toString(), stderr.toString()])).toEqual([
      [3, 'in\0put', ''],
      [0, '', 'oops\n'],
    ])
    expect(connection.target).toBe(`deploy@127.0.0.1:${host.port}`)
    expect(connection.traffic).toMatchObject({ channels: 1, trips: 2 })
    expect(handshake).toBeGreaterThan(500)
    expect(connection.traffic.bytesReceived).toBeGreaterThan(handshake)
    await connection.close()
    expect(host.connections).toBe(1)
  })

  it('says that the connection was lost when the host is gone in the middle of a script', async () => {
    const host = await server()
    const connection = await connectSsh(targetOf(host), quick)
    ends.push(() => connection.close())
    const session = await connection.open()
    const running = failure(session.run([{ script: 'sleep 1', deadline: 60 }]))
    await sleep(100)
    host.sever()
    expect((await running).code).toBe('E_CONNECTION_LOST')
    expect((await failure(connection.open())).code).toBe('E_CONNECTION_LOST')
  })
})

describe('a channel', () => {
  it('carries bytes as they are, and waits for the last of them', async () => {
    const { spawn: start } = await open(targetOf(await server()))
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 256))
    const channel = await start('cat; echo end >&2; exit 7')
    channel.write(bytes)
    channel.end()
    const { status, stdout, stderr } = await endOf(channel)
    expect(status).toBe(7)
    expect(stdout.equals(bytes)).toBe(true)
    expect(stderr.toString()).toBe('end\n')
  })

  it('keeps what a command said before anybody listened', async () => {
    const { spawn: start } = await open(targetOf(await server()))
    const channel = await start('echo early; exit 4')
    await sleep(200)
    expect(await endOf(channel)).toMatchObject({ status: 4, stdout: Buffer.from('early\n') })
  })

  it('tells a command that a signal ended from a link that is lost', async () => {
    const host = await server()
    const { spawn: start } = await open(targetOf(host))
    const killed = await endOf(await start('kill -9 $$'))
    expect(killed.status).toBeUndefined()
    expect(killed.failure).toBeUndefined()
    const running = endOf(await start('echo started; exec sleep 30'))
    await sleep(100)
    host.sever()
    const lost = await running
    expect(lost.failure?.code).toBe('E_CONNECTION_LOST')
    expect(lost.stdout.toString()).toBe('started\n')
    expect((await failure(start('true'))).code).toBe('E_CONNECTION_LOST')
  })

  it('is asked for once more where the host has no slot free yet', async () => {
    const host = await server({ refuse: 1 })
    const { spawn: start } = await open(targetOf(host))
    expect((await endOf(await start('exit 5'))).status).toBe(5)
    expect(host.channels).toBe(1)
  })

  it('names MaxSessions where the host goes on to refuse', async () => {
    const { spawn: start } = await open(targetOf(await server({ refuse: 2 })))
    const { code, message, hint } = await failure(start('true'))
    expect(code).toBe('E_CONNECT')
    expect(message).toContain('tried twice')
    expect(hint).toContain('MaxSessions')
  })

  it('ends when it is told to, though the host is silent', async () => {
    const host = await server()
    const { spawn: start } = await open(targetOf(host))
    const channel = await start('exec sleep 30')
    host.freeze()
    const ended = endOf(channel)
    channel.destroy()
    expect((await ended).failure).toBeUndefined()
  })
})

describe('a host that does not answer', () => {
  it('is lost after so many signs of life are missing', async () => {
    const host = await server()
    const { spawn: start } = await open(targetOf(host), { keepAlive: { every: 0.2, missed: 3 } })
    const running = endOf(await start('exec sleep 30'))
    await sleep(700)
    const before = performance.now()
    host.freeze()
    const { failure: lost } = await running
    expect(lost?.message).toMatch(/has not been heard of for/)
    expect(lost?.code).toBe('E_CONNECTION_LOST')
    expect(performance.now() - before).toBeLessThan(2000)
  })

  it('is not lost while it is only busy', async () => {
    const { spawn: start } = await open(targetOf(await server()), { keepAlive: { every: 0.1, missed: 3 } })
    expect((await endOf(await start('sleep 1; exit 6'))).status).toBe(6)
  })

  it('that accepts and says nothing is given up after the connect time-out, without another try', async () => {
    const mute = createServer(() => {})
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    ends.push(() => mute.close())
    const { port } = mute.address() as { port: number }
    const host = await server()
    const before = performance.now()
    const { code, message } = await failure(openSsh(targetOf(host, { port, connectTimeout: 0.3 }), quick))
    expect(code).toBe('E_CONNECT')
    expect(message).toBe(`deploy@127.0.0.1:${port}: no SSH handshake within 0.3 s`)
    expect(performance.now() - before).toBeLessThan(2000)
  })

  it('that refuses is tried three times, and that is said', async () => {
    const host = await server()
    const { port } = host
    const target = targetOf(host)
    await host.close()
    ends.splice(ends.length - 1)
    const { code, message } = await failure(openSsh(target, quick))
    expect(code).toBe('E_CONNECT')
    expect(message).toBe(`connect 127.0.0.1:${port}: refused; nothing listens there (tried 3 times)`)
  })

  it('that drops connections before the handshake is reached at the third try', async () => {
    const host = await server({ drop: 2 })
    const { spawn: start } = await open(targetOf(host))
    expect((await endOf(await start('exit 2'))).status).toBe(2)
    expect(host.connections).toBe(3)
  })

  it('that goes on to drop them is quoted', async () => {
    const host = await server({ drop: 9, farewell: 'Exceeded MaxStartups\r\n' })
    const { code, message, hint } = await failure(openSsh(targetOf(host), quick))
    expect(code).toBe('E_CONNECT')
    expect(message).toContain('dropped before the handshake («Exceeded MaxStartups») (tried 3 times)')
    expect(hint).toContain('MaxStartups')
    expect(host.connections).toBe(3)
  })

  it('has no address', async () => {
    const { code, message } = await failure(openSsh(targetOf(await server(), { host: 'nowhere.invalid' }), quick))
    expect(code).toBe('E_CONNECT')
    expect(message).toMatch(/^there is no address for nowhere\.invalid/)
  })
})

describe('the key of a host', () => {
  it('that is unknown is refused with its fingerprint, at the first try', async () => {
    const host = await server()
    const { code, message, hint } = await failure(openSsh(targetOf(host, { knownHostsFiles: [] }), quick))
    expect(code).toBe('E_HOST_KEY_UNKNOWN')
    expect(message).toMatch(/^web1 showed the key ssh-ed25519 SHA256:[\w+/]{43}, which no known_hosts file has\.$/)
    expect(hint).toContain('play trust web1')
    expect(host.connections).toBe(1)
    expect(host.offered).toEqual([])
  })

  it('that has changed is refused with both fingerprints and the line', async () => {
    const [one, two] = [await server(), await server()]
    const known = file('other', `# a comment\n[127.0.0.1]:${one.port} ${two.knownHosts.split(' ').slice(1).join(' ')}`)
    const { code, message } = await failure(openSsh(targetOf(one, { knownHostsFiles: [known] }), quick))
    expect(code).toBe('E_HOST_KEY_CHANGED')
    expect(message.match(/SHA256:[\w+/]{43}/g)).toHaveLength(2)
    expect(message).toContain(`${known}:2`)
    expect(one.offered).toEqual([])
  })

  it('that is revoked is refused, though it is known too', async () => {
    const host = await server()
    const known = file('revoked', `${host.knownHosts}@revoked * ${host.knownHosts.split(' ').slice(1).join(' ')}`)
    const { code, message } = await failure(openSsh(targetOf(host, { knownHostsFiles: [known] }), quick))
    expect(code).toBe('E_HOST_KEY_REVOKED')
    expect(message).toContain(`${known}:2 has revoked`)
  })

  it('is asked for in the type that is known', async () => {
    const ecdsa = execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout']).toString()
    const host = await server({ hostKeys: [generateKey().private, ecdsa] })
    expect(host.hostKeys).toHaveLength(2)
    const second = file('second', `${host.knownHosts.split('\n')[1]}\n`)
    expect(second && host.knownHosts.split('\n')[1]).toContain('ecdsa-sha2-nistp256')
    const { spawn: start } = await open(targetOf(host, { knownHostsFiles: [second] }))
    expect((await endOf(await start('exit 9'))).status).toBe(9)
  })

  it('can be fetched in every type without logging in', async () => {
    const ecdsa = execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout']).toString()
    const host = await server({ hostKeys: [ecdsa, generateKey().private] })
    const keys = await fetchHostKeys(targetOf(host, { knownHostsFiles: [] }), quick)
    expect(keys.map((key) => key.toString('hex')).toSorted()).toEqual(
      host.hostKeys.map((key) => key.toString('hex')).toSorted(),
    )
    expect(host.offered).toEqual([])
  })
})

describe('logging in', () => {
  it('tells what was tried, what the host would take, and what to do', async () => {
    const other = generateKey('laptop')
    const host = await server()
    const target = targetOf(host, {
      identityFiles: [file('other', other.private), '/nowhere/id_rsa'],
      password: 'wrong',
    })
    const { code, message, hint } = await failure(openSsh(target, quick))
    expect(code).toBe('E_AUTH')
    expect(message).toMatch(
      /^deploy@127\.0\.0\.1:\d+ refused to log us in\. Tried: key \S+\/other \(ssh-ed25519 SHA256:\S+\); password\. It would accept publickey, password\.$/,
    )
    expect(hint).toContain('authorized_keys')
    expect(host.connections).toBe(1)
  })

  it('says so where there is nothing to try with', async () => {
    const { code, message } = await failure(openSsh(targetOf(await server(), { identityFiles: [] }), quick))
    expect(code).toBe('E_AUTH')
    expect(message).toContain('There was nothing to try with. It would accept publickey, password.')
  })

  it('takes a password', async () => {
    const host = await server()
    await open(targetOf(host, { identityFiles: [], password: 'right' }))
    expect(host.offered).toEqual(['password'])
  })

  it('answers the one hidden prompt of keyboard-interactive with the password', async () => {
    const host = await server({
      users: { deploy: { password: 'right', prompts: [{ prompt: 'Password: ', echo: false }] } },
    })
    await open(targetOf(host, { identityFiles: [], password: 'right' }))
    expect(host.offered).toEqual(['password', 'keyboard-interactive'])
  })

  it('never gives the password to a prompt that may not ask for it', async () => {
    const prompts = [
      { prompt: 'Password: ', echo: false },
      { prompt: 'Verification code: ', echo: true },
    ]
    const host = await server({ users: { deploy: { password: 'right', prompts } } })
    const { message } = await failure(openSsh(targetOf(host, { identityFiles: [], password: 'right' }), quick))
    expect(message).toContain('it asked: Password:, Verification code:')
  })

  it('goes on where a key alone is not enough', async () => {
    const needs = ['publickey', 'password'] as const
    const host = await server({ users: { deploy: { ...users.deploy, needs } } })
    await open(targetOf(host, { password: 'right' }))
    const { message } = await failure(openSsh(targetOf(host), quick))
    expect(message).toContain('accepted, but the host asks for more')
    expect(message).toContain('It would accept password.')
  })

  it('hands on the failure of the one who is asked for a passphrase', async () => {
    const locked = generateKey('locked', 'open sesame')
    const id = file('locked', locked.private)
    const passphrase = async () => {
      throw new Failure('E_OPTION', 'nobody is there to ask')
    }
    const target = targetOf(await server(), { identityFiles: [id], passphrase })
    expect(await failure(openSsh(target, quick))).toMatchObject({ code: 'E_OPTION', message: 'nobody is there to ask' })
  })

  it('unlocks a key file once for all connections, and only with the right passphrase', async () => {
    const locked = generateKey('locked', 'open sesame')
    const host = await server({ users: { deploy: { keys: [locked.public] } } })
    const id = file('locked', locked.private)
    const asked: string[] = []
    const passphrase = async (path: string) => {
      asked.push(path)
      return 'open sesame'
    }
    const pool = new SshPool()
    await open(targetOf(host, { identityFiles: [id], passphrase }), { pool })
    await open(targetOf(host, { identityFiles: [id], passphrase }), { pool })
    expect(asked).toEqual([id])
    const wrong = await failure(openSsh(targetOf(host, { identityFiles: [id], passphrase: 'shut' }), quick))
    expect(wrong.message).toContain('the passphrase does not open it')
    const none = await failure(openSsh(targetOf(host, { identityFiles: [id] }), quick))
    expect(none.message).toContain('locked by a passphrase; ssh-add it')
  })
})

describe('ssh2', () => {
  it('is not loaded before the first connection', () => {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const code = `
      import { createRequire } from 'node:module'
      await import('./connection/ssh.ts')
      await import('./connection/ssh-config.ts')
      const { cache } = createRequire('${root}')
      const loaded = () => Object.keys(cache).some((path) => path.includes('/node_modules/ssh2/'))
      const before = loaded()
      await import('ssh2')
      console.log(before, loaded())`
    const args = ['--import', 'tsx', '--input-type=module', '--eval', code]
    expect(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })).toBe('false true\n')
  })
})

describe('what only the OpenSSH client can do', () => {
  it('is refused before anything is sent', async () => {
    const host = await server()
    const { message, hint } = await failure(openSsh(targetOf(host, { onlyOpenSsh: ['ProxyCommand'] }), quick))
    expect(message).toContain('ProxyCommand')
    expect(hint).toContain("carrier: { exec: ['ssh', 'web1'] }")
    expect(host.connections).toBe(0)
  })
})

describe('jump hosts', () => {
  it('are gone through one after the other, and shared', async () => {
    const [near, far, one, two] = [await server(), await server(), await server(), await server()]
    const jumps = [targetOf(near, { name: 'near' }), targetOf(far, { name: 'far' })]
    const pool = new SshPool()
    const both = await Promise.all([one, two].map((host) => open(targetOf(host, { jumps }), { pool })))
    for (const { spawn: start } of both) expect((await endOf(await start('exit 8'))).status).toBe(8)
    expect([near, far, one, two].map(({ connections }) => connections)).toEqual([1, 1, 1, 1])
    expect(both[0]!.traffic.bytesSent).toBeGreaterThan(500)
    await both[0]!.close()
    expect((await endOf(await both[1]!.spawn('exit 3'))).status).toBe(3)
    await both[1]!.close()
    expect(pool.jumps.size).toBe(0)
  })

  it('are verified, each of them, before anything goes through', async () => {
    const [near, far, host] = [await server(), await server(), await server()]
    for (const stranger of [near, far]) {
      const jumps = [near, far].map((jump) =>
        targetOf(jump, jump === stranger ? { name: 'stranger', knownHostsFiles: [] } : {}),
      )
      const { code, hint } = await failure(openSsh(targetOf(host, { jumps }), quick))
      expect(code).toBe('E_HOST_KEY_UNKNOWN')
      expect(hint).toContain('play trust stranger')
    }
    expect(host.connections).toBe(0)
  })

  it('say what they could not reach', async () => {
    const [near, host] = [await server(), await server()]
    const target = targetOf(host, { jumps: [targetOf(near, { name: 'near' })] })
    await host.close()
    ends.splice(ends.length - 1)
    const { code, message } = await failure(openSsh(target, quick))
    expect(code).toBe('E_CONNECT')
    expect(message).toContain(`connect 127.0.0.1:${host.port} through deploy@127.0.0.1:${near.port}`)
  })

  it('that are lost take the connections behind them along', async () => {
    const [near, host] = [await server(), await server()]
    const pool = new SshPool()
    const target = targetOf(host, { jumps: [targetOf(near)] })
    const { spawn: start } = await open(target, { pool })
    const running = endOf(await start('exec sleep 30'))
    await sleep(100)
    near.sever()
    expect((await running).failure?.code).toBe('E_CONNECTION_LOST')
    expect(pool.jumps.size).toBe(0)
    await open(target, { pool })
    expect(near.connections).toBe(2)
  })
})

const agentThere =
  spawnSync('ssh-agent', ['-h']).error === undefined && spawnSync('ssh-add', ['-?']).error === undefined

describe.skipIf(!agentThere)('the agent (a real ssh-agent; skipped where there is none)', () => {
  async function agent(...keys: readonly string[]): Promise<string> {
    const socket = join(folder, 'agent')
    const running = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    ends.push(() => running.kill())
    const env = { ...process.env, SSH_AUTH_SOCK: socket }
    // 2: no agent answers yet; the socket is there a moment before it does.
    for (let tries = 0; spawnSync('ssh-add', ['-l'], { env }).status === 2 && tries < 200; tries++) await sleep(25)
    keys.forEach((key, i) => execFileSync('ssh-add', ['-q', file(`agent-${i}`, key)], { env }))
    return socket
  }

  const offeredKey = (key: { readonly public: string }) => keyBytes(key.public).toString('base64')

  it('signs', async () => {
    const socket = await agent(deploy.private)
    const host = await server()
    await open(targetOf(host, { identityFiles: [], agent: socket }))
    expect(host.offered).toEqual([offeredKey(deploy)])
  })

  it('is asked for the named key first, then for its others, before key files', async () => {
    const [one, two, onDisk] = [generateKey('one'), generateKey('two'), generateKey('disk')]
    const socket = await agent(one.private, two.private)
    const host = await server()
    const identityFiles = [file('two.pub', two.public), file('disk', onDisk.private), join(folder, 'id')]
    await open(targetOf(host, { identityFiles, agent: socket }))
    expect(host.offered).toEqual([two, one, onDisk, deploy].map(offeredKey))
  })

  it('offers nothing beside the named keys with IdentitiesOnly', async () => {
    const [one, two] = [generateKey('one'), generateKey('two')]
    const socket = await agent(one.private, two.private, deploy.private)
    const host = await server()
    const identityFiles = [file('named.pub', deploy.public)]
    await open(targetOf(host, { identityFiles, identitiesOnly: true, agent: socket }))
    expect(host.offered).toEqual([offeredKey(deploy)])
  })

  it('spares the passphrase of a key that it holds', async () => {
    const locked = generateKey('locked', 'open sesame')
    const unlocked = execFileSync('sh', [
      '-c',
      'cp "$1" "$1.open" && ssh-keygen -q -p -P "open sesame" -N "" -f "$1.open" >&2 && cat "$1.open"',
      'sh',
      file('locked', locked.private),
    ])
    file('locked.pub', locked.public)
    const socket = await agent(unlocked.toString())
    const host = await server({ users: { deploy: { keys: [locked.public] } } })
    const passphrase = async () => {
      throw new Error('must not be asked for')
    }
    await open(targetOf(host, { identityFiles: [join(folder, 'locked')], agent: socket, passphrase }))
    expect(host.offered).toHaveLength(1)
  })

  it('that does not answer is said to, and key files go on', async () => {
    const host = await server()
    await open(targetOf(host, { agent: join(folder, 'nothing') }))
    const target = targetOf(host, { agent: join(folder, 'nothing'), identityFiles: [] })
    expect((await failure(openSsh(target, quick))).message).toContain('nothing (does not answer')
  })
})
