import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { execConnection } from '../../connection/exec.ts'
import { localConnection } from '../../connection/local.ts'
import { ask, Folder, told, until } from './shells.ts'

const folder = new Folder()
afterAll(() => folder.remove())

describe('the local carrier', () => {
  it('runs on this machine, and counts what it costs', async () => {
    const connection = localConnection()
    expect(connection.target).toBe('local')
    const [one, two] = await Promise.all([connection.open({ greet: 'id -u' }), connection.open()])
    expect(one.greeting.toString()).toBe(`${process.getuid!()}\n`)
    expect(told((await two.run([ask('cat', 'x'.repeat(1000))]))[0]!).stdout).toHaveLength(1000)
    expect(connection.traffic).toMatchObject({ channels: 2, trips: 3 })
    expect(connection.traffic.bytesSent).toBeGreaterThan(1000)
    expect(connection.traffic.bytesSent).toBeLessThan(1100)
    expect(connection.traffic.bytesReceived).toBeGreaterThan(1000)
    await connection.close()
  })

  it('lets a step come to its end and leaves nothing behind when we are killed', async () => {
    const [proof, place, go] = ['proof', 'place', 'go'].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
    ]
    const file = join(folder.path, 'killed.mts')
    writeFileSync(
      file,
      `import { localConnection } from '${fileURLToPath(new URL('../../connection/local.ts', import.meta.url))}'
       const session = await localConnection().open()
       await session.run([{ script: 'echo $FLEETPLAY_TMP >${place}; until [ -e ${go} ]; do sleep 0.1; done; echo ended >${proof}', deadline: 20 }])`,
    )
    const env = { ...process.env, XDG_RUNTIME_DIR: folder.path }
    const child = spawn(process.execPath, ['--import', 'tsx', file], { env, stdio: 'ignore' })
    const killed = once(child, 'exit')
    await until(() => existsSync(place) && readFileSync(place, 'utf8').endsWith('\n'), 18)
    const directory = readFileSync(place, 'utf8').trim()
    expect(directory.startsWith(folder.path)).toBe(true)
    child.kill('SIGKILL')
    await killed
    expect(existsSync(directory)).toBe(true)
    writeFileSync(go, '')
    await until(() => folder.left().length === 0)
    expect(readFileSync(proof, 'utf8')).toBe('ended\n')
  })

  it('closes a connection in the middle of a step', async () => {
    const connection = folder.connection()
    const session = await connection.open()
    const run = session.run([ask('sleep 2.5')]).catch((error: unknown) => error)
    const begun = performance.now()
    await connection.close()
    expect(performance.now() - begun).toBeLessThan(2400)
    expect(await run).toMatchObject({ code: 'E_CONNECTION_LOST' })
    await until(() => folder.left().length === 0)
  })
})

describe('the carrier over a command', () => {
  // docker, podman and kubectl hand on words; ssh joins them with spaces, and a shell on the host reads them again.
  folder.program('docker', '[ "$1 $2 $3" = "exec -i web1" ] || exit 9; shift 3; exec "$@"')
  folder.program('ssh', 'shift; exec bash -c "$*"')
  folder.program('without-input', 'exec "$@" </dev/null')

  it.each([[['docker', 'exec', '-i', 'web1']], [['ssh', 'deploy@web1']], [['env', '-i', 'busybox']], [['nice']]])(
    'speaks through %j',
    async (argv) => {
      const [command, ...rest] = argv as [string, ...string[]]
      const there = existsSync(join(folder.path, command))
      const connection = execConnection([there ? join(folder.path, command) : command, ...rest])
      const session = await connection.open({ greet: `echo "it's \\$HOME"` })
      expect(session.greeting.toString()).toBe("it's $HOME\n")
      const answers = await session.run([ask('cat', 'payload'), ask("echo 'a  b'")])
      expect(answers.map((answer) => told(answer).stdout)).toEqual(['payload', 'a  b\n'])
      expect(connection.traffic).toMatchObject({ channels: 1, trips: 2 })
      await connection.close()
    },
  )

  it('tells a command that is not there', async () => {
    await expect(execConnection(['/no/such/docker', 'exec']).open()).rejects.toMatchObject({
      code: 'E_CONNECT',
      message: '/no/such/docker: there is no such command here',
    })
  })

  it('tells a command that ends with words of its own', async () => {
    folder.program('docker-down', 'echo "Error response from daemon: No such container: web1" >&2; exit 1')
    const connection = execConnection([join(folder.path, 'docker-down')])
    await expect(connection.open()).rejects.toMatchObject({
      code: 'E_GREETING',
      seen: { status: 1, output: 'Error response from daemon: No such container: web1' },
    })
    await expect(connection.open({ become: { method: 'sudo', user: 'root' } })).rejects.toMatchObject({
      seen: { output: 'Error response from daemon: No such container: web1' },
    })
  })

  it('tells a command that does not hand on standard input', async () => {
    const connection = execConnection([join(folder.path, 'without-input')])
    await expect(connection.open()).rejects.toMatchObject({
      code: 'E_GREETING',
      hint: expect.stringContaining('`-i`'),
    })
  })
})
