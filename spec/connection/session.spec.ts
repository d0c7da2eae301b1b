import { spawnSync } from 'node:child_process'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import type { Channel, OpenOptions, Session, Traffic } from '../../connection/connection.ts'
import { openSession } from '../../connection/session.ts'
import { Failure } from '../../errors/failure.ts'
import { ask, Folder, shells, told } from './shells.ts'

describe.each(shells)('a session with $title', ({ name, there }) => {
  const folder = new Folder(name)
  afterAll(() => folder.remove())

  it.runIf(there)('greets, runs and answers in order, in one trip each', async () => {
    const connection = folder.connection()
    const session = await connection.open({ greet: 'echo "hello, it\'s \\\\ $LC_ALL!"; echo ignored >&2; exit 3' })
    expect(session.greeting.toString()).toBe("hello, it's \\ C!\n")
    const answers = await session.run([ask('cat; echo bad >&2; exit 4', 'payload'), ask('echo two')])
    expect(answers.map(told)).toEqual([
      { status: 4, stdout: 'payload', stderr: 'bad\n', timedOut: false },
      { status: 0, stdout: 'two\n', stderr: '', timedOut: false },
    ])
    expect(connection.traffic).toMatchObject({ channels: 1, trips: 2 })
    await connection.close()
    expect(folder.left()).toEqual([])
  })

  it.runIf(there)('queues runs that are begun before the one before is answered', async () => {
    const connection = folder.connection()
    const session = await connection.open()
    expect(session.greeting.length).toBe(0)
    const runs = [1, 2, 3].map((n) => session.run([ask(`sleep 0.${4 - n}; echo ${n}`), ask(`echo ${n}${n}`)]))
    const outputs = (await Promise.all(runs)).flat().map((answer) => told(answer).stdout)
    expect(outputs).toEqual(['1\n', '11\n', '2\n', '22\n', '3\n', '33\n'])
    expect(await session.run([])).toEqual([])
    expect(connection.traffic.trips).toBe(4)
    await connection.close()
  })

  it.runIf(there)('lets what is under way come to its end when it is closed', async () => {
    const connection = folder.connection()
    const session = await connection.open()
    const run = session.run([ask('sleep 0.2; echo done')])
    await session.close()
    expect(told((await run)[0]!).stdout).toBe('done\n')
    await expect(session.run([ask('echo')])).rejects.toMatchObject({ code: 'E_INTERNAL' })
    expect(folder.left()).toEqual([])
  })

  it.runIf(there)('says that the session broke when a script ends the program itself', async () => {
    const connection = folder.connection()
    const session = await connection.open()
    const run = session.run([ask('echo 1'), ask('kill -9 $PPID', '', 1), ask('echo 2')])
    await expect(run).rejects.toMatchObject({
      code: 'E_CONNECTION_LOST',
      message: 'The session broke, while 2 scripts were not answered: the host ended the session.',
    })
    await expect(session.run([ask('echo')])).rejects.toMatchObject({ code: 'E_CONNECTION_LOST' })
    await connection.close()
  })
})

describe('what is printed before the greeting', () => {
  const folder = new Folder()
  afterAll(() => folder.remove())

  it.each([
    ['a message of the day', 'echo "Welcome to web1"; echo; echo "1 0 0 0 0"'],
    ['no newline', 'printf "Last login: now"'],
    ['bytes of any kind', 'head -c 300000 /dev/urandom'],
    ['words on standard error', 'echo "bash: warning: setlocale" >&2'],
    ['the command line, echoed', 'cat /proc/$$/cmdline'],
  ])('is skipped: %s', async (_, noise) => {
    const connection = folder.connection({}, (command) => `${noise}; ${command}`)
    const session = await connection.open({ greet: 'echo hello' })
    expect(session.greeting.toString()).toBe('hello\n')
    expect(told((await session.run([ask('echo fine')]))[0]!).stdout).toBe('fine\n')
    await connection.close()
  })

  it('is shown where no greeting follows', async () => {
    const refused = folder.connection({}, () => 'echo "This account is currently not available."; exit 1')
    await expect(refused.open()).rejects.toMatchObject({
      code: 'E_GREETING',
      message: 'The host ended the session before it greeted.',
      seen: { status: 1, output: 'This account is currently not available.' },
    })
    const missing = folder.connection({}, () => 'echo noise; echo "sh: not found" >&2; exit 127')
    await expect(missing.open()).rejects.toMatchObject({
      code: 'E_GREETING',
      seen: { status: 127, output: 'sh: not found' },
    })
  })

  it('is what the program says where it cannot work', async () => {
    const connection = folder.connection({}, (command) => command.replace('/proc/self/stat', '/nowhere'))
    const become = { method: 'sudo', user: 'root' } as const
    folder.program('sudo', 'shift 5; exec "$@"')
    for (const options of [{}, { become }]) {
      await expect(connection.open(options)).rejects.toMatchObject({
        code: 'E_GREETING',
        seen: { status: 70, output: 'fleetplay: /proc is not mounted' },
      })
    }
  })
})

describe('the directory on the host', () => {
  const folder = new Folder()
  afterAll(() => folder.remove())

  it('is made elsewhere where XDG_RUNTIME_DIR is of no use', async () => {
    const connection = folder.connection({ XDG_RUNTIME_DIR: '/proc/self' })
    const session = await connection.open({ greet: 'echo $FLEETPLAY_TMP' })
    expect(session.greeting.toString()).toMatch(/^\/(run|dev\/shm|tmp)\/fleetplay\.[0-9a-f]{12}\/tmp\n$/)
    await connection.close()
  })
})

describe('a link that breaks', () => {
  const folder = new Folder()
  afterAll(() => folder.remove())

  it('is told as lost, whichever byte of the host was the last', async () => {
    const whole = await transcript(folder)
    for (let cut = 0; cut <= whole.length; cut++) {
      const host = new FakeHost()
      const { session: opened } = await host.open({ greet: 'echo hello', lock })
      host.says(mark(whole, host).subarray(0, cut))
      host.ends({ status: undefined, failure: new Failure('E_CONNECTION_LOST', 'the cable was cut') })
      const outcome = await opened.then(
        async (session) => `greeted: ${session.greeting.toString()}`,
        (failure: Failure) => failure.code,
      )
      expect(outcome, `cut at ${cut}`).toBe(cut === whole.length ? 'greeted: hello\n' : 'E_CONNECTION_LOST')
    }
  })

  it('rejects what is not answered, and what is asked later', async () => {
    const host = new FakeHost()
    const session = await host.opened()
    const [first, second] = [session.run([ask('echo 1')]), session.run([ask('echo 2'), ask('echo 3')])]
    host.says('1 0 0 2 0\n1\n2 0 0 2 0\n2')
    expect(told((await first)[0]!).stdout).toBe('1\n')
    const failure = new Failure('E_CONNECTION_LOST', 'deploy@web1: the connection broke', { hint: 'Look there.' })
    host.ends({ status: undefined, failure })
    await expect(second).rejects.toMatchObject({
      code: 'E_CONNECTION_LOST',
      message: 'The session broke, while 2 scripts were not answered: deploy@web1: the connection broke.',
      hint: 'Look there.',
      cause: failure,
    })
    await expect(session.run([ask('echo 4')])).rejects.toMatchObject({ code: 'E_CONNECTION_LOST' })
    await session.close()
  })

  it('shows the last words of the host', async () => {
    const host = new FakeHost()
    const session = await host.opened()
    const run = session.run([ask('cat', 'x')])
    host.complains('fleetplay: could not take 1 bytes into /run/fleetplay.1: dd: No space left on device\n')
    host.ends({ status: 70 })
    await expect(run).rejects.toMatchObject({
      message: 'The session broke, while a script was not answered: the host ended the session.',
      seen: { output: expect.stringContaining('No space left on device') },
    })
  })

  it.each(['Terminated\n', '2 0 0 0 0\n'])('is as good as broken where %j comes for an answer', async (text) => {
    const host = new FakeHost()
    const session = await host.opened()
    const run = session.run([ask('echo')])
    host.says(text)
    await expect(run).rejects.toMatchObject({ code: 'E_CONNECTION_LOST' })
    expect(host.destroyed).toBe(true)
  })
})

describe('a host that hangs', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is given up when it does not greet', async () => {
    vi.useFakeTimers()
    const host = new FakeHost()
    const { session } = await host.open({})
    const outcome = session.catch((error: unknown) => error)
    host.says('one moment please')
    await vi.advanceTimersByTimeAsync(20_000)
    expect(await outcome).toMatchObject({
      code: 'E_GREETING',
      message: 'The host did not greet within 20 s.',
      seen: { output: 'one moment please' },
    })
    expect(host.destroyed).toBe(true)
  })

  it('is given up well after the deadline of what it does', async () => {
    vi.useFakeTimers()
    const host = new FakeHost()
    const session = await host.opened()
    const runs = [session.run([ask('a', '', 30)]), session.run([ask('b', '', 10)])]
    await vi.advanceTimersByTimeAsync(29_000)
    host.says('1 0 0 0 0\n')
    expect(await runs[0]).toHaveLength(1)
    const outcome = runs[1]!.catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(26_000)
    expect(host.destroyed).toBe(false)
    await vi.advanceTimersByTimeAsync(1_100)
    expect(await outcome).toMatchObject({
      code: 'E_CONNECTION_LOST',
      message: expect.stringContaining('has not answered for 27 s'),
    })
    expect(host.destroyed).toBe(true)
  })

  it('is given up when it neither takes the lock nor refuses it', async () => {
    vi.useFakeTimers()
    const host = new FakeHost()
    const { session } = await host.open({ greet: 'echo hello', lock: { holder: 'alice', wait: 60 } })
    const outcome = session.catch((error: unknown) => error)
    host.greets('')
    await vi.advanceTimersByTimeAsync(60_000)
    host.says('0 1 0 12 0\n12\n\nsomebody')
    await vi.advanceTimersByTimeAsync(150_000)
    expect(host.destroyed).toBe(false)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await outcome).toMatchObject({ code: 'E_CONNECTION_LOST' })
    expect(host.destroyed).toBe(true)
  })

  it('is given up when its greet script does not end', async () => {
    vi.useFakeTimers()
    const host = new FakeHost()
    const { session } = await host.open({ greet: 'sleep 30' })
    const outcome = session.catch((error: unknown) => error)
    host.greets('0 143 1 0 0\n')
    expect(await outcome).toMatchObject({
      code: 'E_GREETING',
      message: 'The greet script did not end within 20 s.',
    })
  })
})

const lock = { holder: 'alice', wait: 0 }

/** What a real program says from its first byte on, with `MARKER` for the marker. */
async function transcript(folder: Folder): Promise<Buffer> {
  const host = new FakeHost()
  await host.open({ greet: 'echo hello', lock })
  const env = { ...process.env, XDG_RUNTIME_DIR: folder.path, FLEETPLAY_LOCK_DIR: folder.lock }
  const { stdout } = spawnSync('sh', ['-c', host.command], { env, input: '' })
  host.ends({ status: 0 })
  const text = stdout.toString('latin1')
  expect(text).toBe(`\n${host.marker}\n0 0 0 0 0\n0 0 0 6 0\nhello\n`)
  return Buffer.from(text.replace(host.marker, 'M'.repeat(host.marker.length)), 'latin1')
}

function mark(whole: Buffer, host: FakeHost): Buffer {
  return Buffer.from(whole.toString('latin1').replace(/M+/, host.marker), 'latin1')
}

it('hears a host that has greeted before anybody listened', async () => {
  const host = new FakeHost()
  host.early = () => `\n${host.marker}\n0 0 0 3 0\nhi\n`
  const { session } = await host.open({ greet: 'echo hi' })
  expect((await session).greeting.toString()).toBe('hi\n')
})

/** The far end of a channel, in the hands of a spec. */
class FakeHost {
  command = ''
  destroyed = false
  readonly written: Buffer[] = []
  readonly #listeners: { stdout: (data: Buffer) => void; stderr: (data: Buffer) => void } = { stdout() {}, stderr() {} }
  #close: (end: { status: number | undefined; failure?: Failure }) => void = () => {}

  /** What was said before anybody listened: it is handed on at once. */
  early: (() => string) | undefined

  /** Opens a session, and comes back when what the host says is heard. */
  async open(options: OpenOptions): Promise<{ readonly session: Promise<Session> }> {
    const traffic: Traffic = { channels: 0, trips: 0, bytesSent: 0, bytesReceived: 0 }
    let session: Promise<Session> | undefined
    await new Promise<void>((connected) => {
      const channel: Channel = {
        write: (data) => void this.written.push(Buffer.from(data as string)),
        end: () => {},
        onStdout: (listener) => {
          this.#listeners.stdout = listener
          if (this.early) this.says(this.early())
        },
        onStderr: (listener) => {
          this.#listeners.stderr = listener
          connected()
        },
        onClose: (listener) => void (this.#close = listener),
        destroy: () => void (this.destroyed = true),
      }
      const spawn = async (command: string) => {
        this.command = command
        return channel
      }
      session = openSession(spawn, options, traffic)
      session.catch(() => {})
    })
    return { session: session! }
  }

  async opened(): Promise<Session> {
    const { session } = await this.open({})
    this.greets('')
    return session
  }

  get marker(): string {
    const [, first, second] = /%s%s\\0134n\\0047 ([0-9a-f]+) ([0-9a-f]+) /.exec(this.command) ?? []
    return `${first}${second}`
  }

  greets(more: string): void {
    this.says(`\n${this.marker}\n${more}`)
  }

  says(data: string | Buffer): void {
    this.#listeners.stdout(Buffer.from(data as string))
  }

  complains(data: string): void {
    this.#listeners.stderr(Buffer.from(data))
  }

  ends(end: { status: number | undefined; failure?: Failure }): void {
    this.#close(end)
  }
}
