import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Connection, LockedBy } from '../../connection/connection.ts'
import { frame } from '../../connection/frames.ts'
import { programCommand } from '../../connection/program.ts'
import type { Failure } from '../../errors/failure.ts'
import { ask, Folder, shells, told, until } from './shells.ts'

const alice = { holder: 'alice@laptop, play web (run 1)', wait: 0 }
const bob = { holder: 'bob@desk, play db (run 2)', wait: 0 }

describe.each(shells)('the lock under $title', ({ name, there }) => {
  let folder: Folder
  let connections: Connection[]
  beforeEach(() => {
    folder = new Folder(name)
    connections = []
  })
  afterEach(async () => {
    await Promise.all(connections.map((connection) => connection.close()))
    folder.remove()
  })

  /** A controller of its own. */
  function controller(): Connection {
    const connection = folder.connection()
    connections.push(connection)
    return connection
  }

  const open = (lock: typeof alice) => controller().open({ lock })
  const isFree = () => spawnSync('flock', ['-n', join(folder.lock, 'lock'), 'true']).status === 0
  const holding = () => Number(readFileSync(join(folder.lock, 'lock'), 'utf8').split('\n')[0])

  it.runIf(there)(
    'is taken in the trip of the greeting, and tells a second run who has it and since when',
    async () => {
      const first = controller()
      const session = await first.open({ lock: alice, greet: 'echo hello' })
      expect(session.greeting.toString()).toBe('hello\n')
      expect(first.traffic).toMatchObject({ channels: 1, trips: 1 })
      const { mtime } = statSync(join(folder.lock, 'lock'))
      const since = mtime.toISOString().slice(11, 16)
      const refusal = await failure(open(bob))
      expect(refusal).toMatchObject({
        code: 'E_LOCKED',
        message: `Another run works on this host: alice@laptop, play web (run 1), since ${since} UTC.`,
      })
      expect(refusal.hint).toContain('--wait-for-lock')
      // What the hint says is tried below.
      expect(refusal.hint).toContain(`\`kill ${holding()}\``)
      expect(told((await session.run([ask('echo still')]))[0]!).stdout).toBe('still\n')
      // The session that was refused clears up when it has said so.
      await until(() => folder.left().length === 1)
    },
  )

  it.runIf(there)('is waited for', async () => {
    const session = await open(alice)
    const seen: LockedBy[] = []
    const waiting = controller()
    const opening = waiting.open({
      greet: 'echo mine',
      lock: { ...bob, wait: 20, waiting: (whose) => seen.push(whose) },
    })
    await until(() => seen.length > 0)
    const since = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(seen).toEqual([{ holder: alice.holder, since, process: holding() }])
    await session.close()
    expect((await opening).greeting.toString()).toBe('mine\n')
    expect(waiting.traffic).toMatchObject({ channels: 1, trips: 1 })
    expect(seen).toHaveLength(1)
    expect(readFileSync(join(folder.lock, 'lock'), 'utf8')).toBe(`${holding()}\n${bob.holder}\n`)
  })

  it.runIf(there)('is waited for no longer than said', async () => {
    await open(alice)
    const begun = performance.now()
    expect(await failure(open({ ...bob, wait: 1 }))).toMatchObject({ code: 'E_LOCKED' })
    expect(performance.now() - begun).toBeGreaterThan(1000)
  })

  it.runIf(there)('is waited for until somebody stops it', async () => {
    await open(alice)
    const stopped = new AbortController()
    const lock = { ...bob, wait: 20, waiting: () => stopped.abort(), signal: stopped.signal }
    const expected = { code: 'E_LOCKED', message: expect.stringContaining('was stopped while it waited') }
    expect(await failure(controller().open({ lock, greet: 'echo' }))).toMatchObject(expected)
    expect(await failure(controller().open({ lock, greet: 'echo' }))).toMatchObject(expected)
  })

  it.runIf(there)('is gone when the session is closed, and its file stays', async () => {
    const session = await open(alice)
    expect(isFree()).toBe(false)
    await session.close()
    expect(isFree()).toBe(true)
    await open(bob)
    expect(statSync(folder.lock).mode & 0o777).toBe(0o700)
  })

  it.runIf(there)('is gone when the shell on the host is killed', async () => {
    await open(alice)
    process.kill(holding(), 'SIGKILL')
    await until(isFree)
    expect((await open(bob)).greeting).toHaveLength(0)
  })

  it.runIf(there)(
    'is gone when the shell is killed while a script runs, its watchdog waits and a body is awaited',
    async () => {
      const session = await open(alice)
      const run = session.run([ask('sleep 0.8', undefined, 3)])
      run.catch(() => {})
      const pid = holding()
      await until(() => children(pid).length > 0)
      process.kill(pid, 'SIGKILL')
      await until(isFree, 0.7)

      const { child, pid: other } = await bare()
      child.stdin!.write(frame(1, ask('echo never')).subarray(0, 12))
      await until(() => children(other).length > 0)
      process.kill(other, 'SIGKILL')
      await until(isFree, 0.7)
      child.stdin!.end()
      expect(children(other)).toEqual([])
    },
  )

  it.runIf(there)('is gone when the link is cut', async () => {
    const { child, pid } = await bare()
    expect(isFree()).toBe(false)
    cut(child)
    await until(isFree)
    await until(() => !existsSync(`/proc/${pid}`))
  })

  it.runIf(there)('stays while a script still runs whose link was cut', async () => {
    const [proof, go] = [join(folder.path, 'proof'), join(folder.path, 'go')]
    const { child } = await bare()
    child.stdin!.write(frame(1, ask(`until [ -e ${go} ]; do sleep 0.05; done; echo >${proof}`, undefined, 20)))
    await until(() => children(holding()).length > 0)
    cut(child)
    await sleep(300)
    expect(await failure(open(bob))).toMatchObject({ message: expect.stringContaining(alice.holder) })
    writeFileSync(go, '')
    await until(isFree)
    expect(existsSync(proof)).toBe(true)
  })

  it.runIf(there)('goes when its process is ended by `kill`, a script in hand comes to its end first', async () => {
    await open(alice)
    process.kill(holding(), 'SIGTERM')
    await until(isFree)
    const [proof, go] = [join(folder.path, 'proof'), join(folder.path, 'go')]
    const session = await open(bob)
    const run = session.run([ask(`until [ -e ${go} ]; do sleep 0.05; done; echo >${proof}`, undefined, 20)])
    run.catch(() => {})
    const pid = holding()
    await until(() => children(pid).length > 1)
    // What the hint shows is the script.
    expect(spawnSync('ps', ['-f', '--ppid', String(pid)]).stdout.toString()).toContain('/script')
    process.kill(pid, 'SIGTERM')
    await sleep(300)
    expect(isFree()).toBe(false)
    writeFileSync(go, '')
    await until(isFree)
    expect(existsSync(proof)).toBe(true)
  })

  it.runIf(there)('is not held by a daemon that a script has started, nor seen by a script', async () => {
    const session = await open(alice)
    const [daemon, look] = await session.run([
      ask('setsid sleep 30 >&- 2>&- & echo $!'),
      ask('for n in 3 4 5 6 7 8 9; do (: >&$n) 2>/dev/null && echo "$n is open"; done; true'),
    ])
    const pid = Number(told(daemon!).stdout)
    expect(told(look!)).toMatchObject({ status: 0, stdout: '' })
    await session.close()
    expect(existsSync(`/proc/${pid}`)).toBe(true)
    expect(isFree()).toBe(true)
    process.kill(pid)
  })

  it.runIf(there)('is one for all sessions of a run: an inventory may have two names for a host', async () => {
    const one = await open(alice)
    const two = await open(alice)
    expect(told((await two.run([ask('echo two')]))[0]!).stdout).toBe('two\n')
    expect(await failure(open(bob))).toMatchObject({ code: 'E_LOCKED' })
    await one.close()
  })

  it.runIf(there)('is for one of many that come at the same time', async () => {
    const all = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => open({ holder: `run ${i}`, wait: 0 })))
    const winner = all.findIndex(({ status }) => status === 'fulfilled')
    const messages = all.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Failure).message] : []))
    expect(messages).toHaveLength(5)
    for (const message of messages) expect(message).toContain(`this host: run ${winner}, since`)
  })

  it.runIf(there)('names nobody where the one who is named is no more', async () => {
    mkdirSync(folder.lock)
    const path = join(folder.lock, 'lock')
    const ended = spawnSync('true').pid
    writeFileSync(path, `${ended}\n${alice.holder}\n`)
    // It waits, since whoever asks below whether the lock is free has it for a moment.
    const other = spawn('flock', [path, 'sleep', '30'], { detached: true, stdio: 'ignore' })
    await until(() => !isFree())
    expect(await failure(open(alice))).toMatchObject({
      message: 'Another run works on this host.',
      hint: 'Wait for its end with --wait-for-lock 5m.',
    })
    process.kill(-other.pid!)
  })

  it.runIf(there)('tells any holder in a line', async () => {
    const holder = `  it's\n"é–😀" $(reboot) \`x\` \\n %s !  `
    await open({ holder, wait: 0 })
    const { message } = await failure(open(bob))
    expect(message).toContain(`: it's "é–😀" $(reboot) \`x\` \\n %s !, since `)
  })

  /** The program, greeted, in the hands of a spec. */
  async function bare(): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
    const command = programCommand({ marker: 'aabb', directory: `bare${Math.random()}`, deadline: 5, lock: alice })
    const own = { XDG_RUNTIME_DIR: folder.path, FLEETPLAY_LOCK_DIR: folder.lock }
    const env = { ...process.env, PATH: `${folder.path}:${process.env['PATH']}`, ...own }
    const child = spawn('sh', ['-c', command], { env, stdio: ['pipe', 'pipe', 'ignore'] })
    let seen = ''
    child.stdout.on('data', (data: Buffer) => (seen += data.toString()))
    await until(() => seen === '\naabb\n0 0 0 0 0\n')
    return { child, pid: holding() }
  }
})

describe('a host that cannot lock', () => {
  const folder = new Folder()
  afterAll(() => folder.remove())

  it('without flock is told so, with a remedy', async () => {
    const hide = (command: string) => command.replace('command -v flock', 'command -v no-flock')
    expect(await failure(folder.connection({}, hide).open({ lock: alice }))).toMatchObject({
      code: 'E_LOCKED',
      message: 'The host has no flock, by which one run at a time works on it.',
      hint: expect.stringContaining('util-linux'),
    })
  })

  it('may have none of the folders', async () => {
    const connection = folder.connection({ FLEETPLAY_LOCK_DIR: '/proc/nowhere' })
    expect(await failure(connection.open({ lock: alice }))).toMatchObject({
      code: 'E_LOCKED',
      message: expect.stringMatching(/^The host's lock could not be taken: mkdir: .*\/proc\/nowhere/),
      hint: expect.stringContaining('FLEETPLAY_LOCK_DIR'),
    })
  })

  it('does not follow a link to a folder', async () => {
    const link = join(folder.path, 'link')
    symlinkSync(folder.path, link)
    expect(await failure(folder.connection({ FLEETPLAY_LOCK_DIR: link }).open({ lock: alice }))).toMatchObject({
      message: `The host's lock could not be taken: ${link} is not a folder that belongs to the user of the session.`,
    })
    expect(existsSync(join(folder.path, 'lock'))).toBe(false)
  })

  it('works all the same where nothing is to be changed', async () => {
    const hide = (command: string) => command.replace('command -v flock', 'command -v no-flock')
    const connection = folder.connection({}, hide)
    expect((await connection.open({ greet: 'echo hello' })).greeting.toString()).toBe('hello\n')
    await connection.close()
  })
})

const isRoot = process.getuid!() === 0
const needsRoot = isRoot ? '' : ' (skipped: it takes root)'

describe('the place of the lock', () => {
  const folder = new Folder()
  const sticky = join(folder.path, 'sticky')
  beforeAll(() => {
    mkdirSync(sticky)
    chmodSync(folder.path, 0o755)
    chmodSync(sticky, 0o1777)
  })
  afterAll(() => folder.remove())

  /** The places of a host, as folders of this spec. */
  const moved = (command: string) =>
    command.replaceAll('/run/fleetplay', join(folder.path, 'run')).replace('/tmp /dev/shm;', `/nowhere ${sticky};`)
  const nobody = 65534
  const asNobody = (command: string) =>
    `exec setpriv --reuid=${nobody} --regid=${nobody} --clear-groups ${moved(command).replace(/^exec /, '')}`

  it.runIf(isRoot)(`is the same for root, whatever runtime directory \`su\` has kept${needsRoot}`, async () => {
    const lock = { FLEETPLAY_LOCK_DIR: '' }
    const first = folder.connection(lock, moved)
    await first.open({ lock: alice })
    expect(statSync(join(folder.path, 'run')).mode & 0o777).toBe(0o700)
    const other = folder.connection({ ...lock, XDG_RUNTIME_DIR: sticky }, moved)
    expect(await failure(other.open({ lock: bob }))).toMatchObject({ message: expect.stringContaining(alice.holder) })
    await first.close()
  })

  it.runIf(isRoot)(`is another for each user, in a folder of the user's own${needsRoot}`, async () => {
    const connections = ['/nowhere', sticky].map((runtime) =>
      folder.connection({ FLEETPLAY_LOCK_DIR: '', XDG_RUNTIME_DIR: runtime }, asNobody),
    )
    const session = await connections[0]!.open({ lock: alice, greet: 'id -u' })
    expect(session.greeting.toString()).toBe(`${nobody}\n`)
    const own = join(sticky, `fleetplay-${nobody}`)
    expect(statSync(own)).toMatchObject({ uid: nobody, mode: 0o40700 })
    expect(await failure(connections[1]!.open({ lock: bob }))).toMatchObject({
      message: expect.stringContaining(alice.holder),
    })
    const root = folder.connection({ FLEETPLAY_LOCK_DIR: '' }, moved)
    await root.open({ lock: bob })
    await Promise.all([root, ...connections].map((connection) => connection.close()))
    rmSync(own, { recursive: true })
  })

  it.runIf(isRoot)(`is refused where somebody else has made the folder${needsRoot}`, async () => {
    const squatted = join(sticky, `fleetplay-${nobody}`)
    mkdirSync(squatted, { mode: 0o777 })
    const connection = folder.connection({ FLEETPLAY_LOCK_DIR: '' }, asNobody)
    expect(await failure(connection.open({ lock: alice }))).toMatchObject({
      code: 'E_LOCKED',
      message: expect.stringContaining(`${squatted} is not a folder that belongs to the user of the session`),
    })
    rmSync(squatted, { recursive: true })
  })
})

describe('the cost of the lock', () => {
  const folder = new Folder()
  afterAll(() => folder.remove())

  it('is one process of a greeting', async () => {
    const log = join(folder.path, 'log')
    // Not the sleep of a watchdog, which may be ended before it could be written down.
    for (const name of ['flock', 'mkdir', 'mkfifo', 'rm', 'date', 'cat', 'id', 'dd', 'head', 'wc', 'setsid']) {
      folder.program(name, `echo ${name} >>${log}; PATH=\${PATH#*:}; exec ${name} "$@"`)
    }
    const started = async (options: { readonly lock?: typeof alice }) => {
      writeFileSync(log, '')
      const connection = folder.connection()
      const session = await connection.open({ ...options, greet: 'echo hello' })
      await session.run([ask(':')])
      await connection.close()
      return readFileSync(log, 'utf8').trim().split('\n').toSorted()
    }
    // The folder is made once between two boots of the host.
    expect(await started({ lock: alice })).toEqual(expect.arrayContaining(['flock']))
    const without = await started({})
    expect(await started({ lock: alice })).toEqual([...without, 'flock'].toSorted())
  })
})

async function failure(opening: Promise<unknown>): Promise<Failure> {
  return opening.then(
    () => {
      throw new Error('it was let in')
    },
    (error: unknown) => error as Failure,
  )
}

function children(pid: number): readonly number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)])
  return stdout.toString().trim().split(/\s+/).filter(Boolean).map(Number)
}

/** As a carrier's end of a link that is lost: nothing more comes, and nobody reads. */
function cut(child: ChildProcess): void {
  child.stdin!.destroy()
  child.stdout!.destroy()
}
