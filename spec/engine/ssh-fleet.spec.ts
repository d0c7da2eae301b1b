import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sshResolver } from '../../connection/ssh-config.ts'
import { connectSsh, SshPool } from '../../connection/ssh.ts'
import type { Connection } from '../../connection/connection.ts'
import { inventory } from '../../dsl/inventory.ts'
import { fleet } from '../../engine/fleet.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { file, shape, text } from '../../index.ts'
import { generateKey, startServer, type TestServer } from '../connection/ssh-server.ts'

const count = 3
let root: string
let servers: TestServer[]
const key = generateKey()

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'fleetplay-ssh-'))
  writeFileSync(join(root, 'key'), key.private, { mode: 0o600 })
  const users = { [userInfo().username]: { keys: [key.public] } }
  servers = await Promise.all(Array.from({ length: count }, () => startServer({ users })))
  writeFileSync(join(root, 'known_hosts'), servers.map(({ knownHosts }) => knownHosts).join(''))
  writeFileSync(join(root, 'ssh_config'), '')
})
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()))
  rmSync(root, { recursive: true })
})

const shaped = shape({ vars: { folder: text }, groups: {} })
const play = shaped
  .play('forty')
  .hosts('all')
  .become(userInfo().username)
  .tasks(({ vars }) => Array.from({ length: 40 }, (_, i) => file(`${vars.folder}-${i}`).content(`${i}\n`)))

async function run() {
  const hosts = Object.fromEntries(
    servers.map(({ port }, i) => [
      `host${i}`,
      { address: '127.0.0.1', ssh: { port }, vars: { folder: join(root, `host${i}`) } },
    ]),
  )
  const resolved = inventory(shaped, { hosts }).resolve()
  const resolver = sshResolver({ configFile: join(root, 'ssh_config') })
  const pool = new SshPool()
  const connections: Connection[] = []
  const before = servers.map(({ channels }) => channels)
  const recap = await fleet({
    plays: play,
    hosts: resolved.hosts,
    limit: undefined,
    tags: [],
    skipTags: [],
    forks: 10,
    check: false,
    connect: ({ name, address, ssh }) =>
      new RemoteHost(
        name,
        async () => {
          const target = await resolver.resolve({
            name,
            host: address,
            user: userInfo().username,
            port: ssh.port,
            privateKey: join(root, 'key'),
            knownHosts: join(root, 'known_hosts'),
          })
          const connection = await connectSsh(target, { pool })
          connections.push(connection)
          return connection
        },
        { become: 'sudo', becomePassword: undefined },
      ),
    emit: () => {},
    stopping: () => false,
  })
  return { recap, connections, channels: servers.map(({ channels }, i) => channels - before[i]!) }
}

it('costs a host that has nothing to do one login, one channel, a greeting and one batch', async () => {
  const first = await run()
  expect(first.recap.tasks).toEqual({ ok: 0, changed: count * 40, skipped: 0, failed: 0 })
  expect(first.recap.trips).toBe(4)
  expect(first.channels).toEqual([1, 1, 1])

  const files = () => readdirSync(root).map((name) => statSync(join(root, name)))
  const before = files().map(({ ino, mtimeMs, ctimeMs }) => [ino, mtimeMs, ctimeMs])
  const second = await run()
  expect(second.recap).toMatchObject({ tasks: { ok: count * 40, changed: 0 }, trips: 2 })
  expect(second.connections.map(({ traffic }) => [traffic.channels, traffic.trips])).toEqual([
    [1, 2],
    [1, 2],
    [1, 2],
  ])
  expect(second.channels).toEqual([1, 1, 1])
  // The questions for 40 files, with keys and handshake.
  for (const { traffic } of second.connections) expect(traffic.bytesSent).toBeLessThan(40_000)
  expect(files().map(({ ino, mtimeMs, ctimeMs }) => [ino, mtimeMs, ctimeMs])).toEqual(before)
})
