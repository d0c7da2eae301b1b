import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Failure } from '../../../errors/failure.ts'
import { redisAnswer, redisCommands, redisPings, redisReplies } from '../../../modules/redis/client.ts'
import { type Endpoint, endpointName, endpointProblem, localRedis } from '../../../modules/redis/endpoint.ts'
import { type Command, decode, encode } from '../../../modules/redis/resp.ts'
import { here, Server } from './server.ts'

const opened: Server[] = []
const folder = mkdtempSync(join(tmpdir(), "fleetplay it's redis "))
const passwordFile = join(folder, 'password')
writeFileSync(passwordFile, 'correct horse\n', { mode: 0o600 })

afterEach(() => {
  for (const server of opened.splice(0)) server.close()
})
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

async function serve(answer: (heard: string) => string): Promise<[Server, Endpoint]> {
  const server = new Server(answer)
  opened.push(server)
  return [server, await server.listen()]
}

/** What one question gets of a server. */
async function ask(endpoint: Endpoint, commands: readonly Command[]) {
  const { collector, asked } = redisAnswer(endpoint, commands).questions[0]!
  const output = await here(collector.ask([asked]))
  try {
    return redisReplies(endpoint, commands).parse(collector.answers(output, [asked]))
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}

describe('the protocol', () => {
  it('carries any byte there and back', () => {
    const bytes = Buffer.from([0, 255, 13, 10, 36])
    expect(encode([['SET', 'k', bytes]]).toString('latin1')).toBe('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\n\0\xff\r\n$\r\n')
    expect(decode(Buffer.concat([Buffer.from('$5\r\n'), bytes, Buffer.from('\r\n')]))).toEqual([bytes])
  })

  it('tells nothing, empty, numbers, lists and errors apart', () => {
    const text = '$-1\r\n$0\r\n\r\n:0\r\n*0\r\n*-1\r\n*2\r\n+a\r\n*1\r\n:-3\r\n-WRONGTYPE no\r\n'
    expect(decode(Buffer.from(text))).toEqual([
      null,
      Buffer.alloc(0),
      0,
      [],
      null,
      [Buffer.from('a'), [-3]],
      { error: 'WRONGTYPE no' },
    ])
  })

  it.each(['+OK', '$5\r\nab\r\n', '*2\r\n:1\r\n', 'HTTP/1.1 400\r\n'])('knows that %j is cut or none', (text) => {
    expect(decode(Buffer.from(text))).toBeUndefined()
  })
})

describe('asking', () => {
  it('sends all questions at once, in one round trip', async () => {
    const [server, endpoint] = await serve(() => '+PONG\r\n$1\r\nv\r\n-WRONGTYPE Operation\r\n+OK\r\n')
    expect(await ask(endpoint, [['PING'], ['GET', "it's; $(rm)"], ['HGETALL', 'k']])).toEqual([
      Buffer.from('PONG'),
      Buffer.from('v'),
      // WRONGTYPE is a reply: redis-cli ends with 0 after it.
      { error: 'WRONGTYPE Operation' },
    ])
    expect(server.heard).toEqual([
      encode([['PING'], ['GET', "it's; $(rm)"], ['HGETALL', 'k'], ['QUIT']]).toString('latin1'),
    ])
  })

  it('tells a server that is not there, with what the system says', async () => {
    const [server, endpoint] = await serve(() => '')
    server.close()
    expect(await ask(endpoint, [['PING']])).toMatchObject({
      code: 'E_UNREADABLE',
      message: `Redis does not answer at 127.0.0.1:${endpoint.port}.`,
      seen: { status: 2, output: `Could not connect to Redis at 127.0.0.1:${endpoint.port}: Connection refused` },
    })
    expect(await ask({ ...localRedis, at: join(folder, 'no.sock') }, [['PING']])).toMatchObject({
      seen: { output: expect.stringContaining('No such file or directory') },
    })
  })

  it('tells a server that says less than it was asked', async () => {
    const [, endpoint] = await serve(() => '-ERR max number of clients reached\r\n')
    expect(await ask(endpoint, [['PING'], ['PING']])).toMatchObject({ code: 'E_PROBE_UNPARSABLE' })
  })

  it('says what to install where there is no perl', () => {
    const { collector, asked } = redisAnswer(localRedis, [['PING']]).questions[0]!
    const output = { status: 127, stdout: Buffer.alloc(0), stderr: 'sh: 1: perl: not found' }
    expect(() => collector.answers(output, [asked])).toThrow('There is no perl on this host, which asks Redis.')
  })
})

describe('logging in', () => {
  const secured = { passwordFile, user: 'fleet' }

  it('reads the password on the host, and waits until the server has taken it', async () => {
    const [server, endpoint] = await serve((heard) => (heard.includes('AUTH') ? '+OK\r\n+OK\r\n' : '+PONG\r\n+OK\r\n'))
    expect(await ask({ ...endpoint, ...secured, database: 3 }, [['PING']])).toEqual([Buffer.from('PONG')])
    expect(server.heard).toEqual([
      encode([
        ['AUTH', 'fleet', 'correct horse'],
        ['SELECT', 3],
      ]).toString('latin1'),
      encode([['PING'], ['QUIT']]).toString('latin1'),
    ])
  })

  it('has the password in no argument and no output', () => {
    const script = redisCommands({ ...localRedis, ...secured }, [['SET', 'k', 'value of k']])
    expect(script.text).not.toContain('correct horse')
    // What is written is no argument either.
    expect(script.text).not.toContain('value of k')
    expect(script.text).toContain(passwordFile.replaceAll("'", String.raw`'\''`))
  })

  it('does nothing after a wrong password, where redis-cli goes on as the default user with status 0', async () => {
    const wrong = 'WRONGPASS invalid username-password pair or user is disabled.'
    const [server, endpoint] = await serve(() => `-${wrong}\r\n`)
    expect(await ask({ ...endpoint, ...secured }, [['PING']])).toMatchObject({
      code: 'E_UNREADABLE',
      message: `Redis at ${endpointName(endpoint)} did not let us in: ${wrong}`,
    })
    const set = await here(redisCommands({ ...endpoint, ...secured }, [['SET', 'k', 'v']]))
    expect(set).toMatchObject({ status: 3, stderr: `${wrong}\n` })
    const login = encode([['AUTH', 'fleet', 'correct horse']]).toString('latin1')
    expect(server.heard).toEqual([login, login])
  })

  it('sets nothing in database 0 where the one that was meant is not there', async () => {
    const [server, endpoint] = await serve(() => '-ERR DB index is out of range\r\n')
    expect(await here(redisCommands({ ...endpoint, database: 99 }, [['SET', 'k', 'v']]))).toMatchObject({
      status: 3,
      stderr: 'DB index is out of range\n',
    })
    expect(server.heard).toHaveLength(1)
  })

  it('sends no password from a file that everybody on the host may read', async () => {
    const [server, endpoint] = await serve(() => '')
    const open = join(folder, 'open')
    writeFileSync(open, 'correct horse\n')
    chmodSync(open, 0o644)
    const failure = await ask({ ...endpoint, passwordFile: open }, [['PING']])
    expect(failure).toMatchObject({
      code: 'E_UNREADABLE',
      message: expect.stringContaining(`${open} may be read by everybody on the host`),
    })
    expect(JSON.stringify(failure)).not.toContain('correct horse')
    expect(server.heard).toEqual([])
  })

  it('tells a file with the password that may not be read', async () => {
    const [server, endpoint] = await serve(() => '')
    const script = redisCommands({ ...endpoint, passwordFile: join(folder, 'none') }, [['SET', 'k', 'v']])
    expect(await here(script)).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('No such file or directory'),
    })
    expect(server.heard).toEqual([])
  })
})

describe('setting', () => {
  it('fails where a reply is an error, which redis-cli without -e tells with status 0', async () => {
    const [, endpoint] = await serve(() => "-ERR CONFIG SET failed (possibly related to argument 'hz')\r\n+OK\r\n")
    expect(await here(redisCommands(endpoint, [['CONFIG', 'SET', 'hz', 'x']]))).toMatchObject({
      status: 1,
      stderr: "ERR CONFIG SET failed (possibly related to argument 'hz') (CONFIG SET)\n",
    })
  })

  it('tells each command of a transaction that failed; the others apply', async () => {
    // What Redis 7.0 said: a wrong type is found when the transaction is done, and the rest of it stays done.
    const wrong = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'
    const [, endpoint] = await serve(() => `+OK\r\n${'+QUEUED\r\n'.repeat(3)}*3\r\n+OK\r\n${wrong}:1\r\n+OK\r\n`)
    const commands = [
      ['MULTI'],
      ['SET', 'a', Buffer.from('*1\r\n\r\n-x')],
      ['HSET', 'b\n', 'f', 'v'],
      ['DEL', 'c'],
      ['EXEC'],
    ]
    expect(await here(redisCommands(endpoint, commands))).toMatchObject({
      status: 1,
      stderr: 'WRONGTYPE Operation against a key holding the wrong kind of value (HSET b?)\n',
    })
  })

  it('tells a transaction that was not begun', async () => {
    const [, endpoint] = await serve(
      () => '+OK\r\n-OOM command not allowed\r\n-EXECABORT Transaction discarded.\r\n+OK\r\n',
    )
    expect(await here(redisCommands(endpoint, [['MULTI'], ['SET', 'a', 1], ['EXEC']]))).toMatchObject({
      status: 1,
      stderr: 'OOM command not allowed (SET a)\nEXECABORT Transaction discarded. (EXEC)\n',
    })
  })

  it('fails where the server closes before it has answered', async () => {
    const [, endpoint] = await serve(() => '+OK\r\n')
    expect(await here(redisCommands(endpoint, [['MULTI'], ['SET', 'a', 1], ['EXEC']]))).toMatchObject({
      status: 4,
      stderr: `127.0.0.1:${endpoint.port} closed the connection before it had answered.\n`,
    })
  })
})

it('measures round trips one by one', async () => {
  const [server, endpoint] = await serve(() => '+PONG\r\n')
  const { status, stdout } = await here(redisPings(endpoint, 0.1))
  expect(status).toBe(0)
  const lines = stdout.toString().trim().split('\n')
  expect(lines.length).toBeGreaterThan(1)
  expect(lines.every((line) => /^\d+$/.test(line))).toBe(true)
  // The first one, before which the connection was accepted, is not counted.
  expect(server.heard).toHaveLength(lines.length + 1)
})

it.each<[Partial<Endpoint>, string]>([
  [{ at: 'a b' }, '"a b" is not a host name or an address'],
  [{ at: '-x' }, '"-x" is not a host name or an address'],
  [{ at: `/${'x'.repeat(108)}` }, 'the path of the socket is longer than 107 bytes'],
  [{ port: 0 }, '0 is not a port'],
  [{ port: 70_000 }, '70000 is not a port'],
  [{ database: -1 }, '-1 is not the number of a database'],
  [{ user: 'a b' }, '"a b" is not a user'],
  [{ passwordFile: 'password' }, 'the path "password" must be absolute'],
])('refuses the endpoint %j', (part, problem) => {
  expect(endpointProblem({ ...localRedis, ...part })).toBe(problem)
})
