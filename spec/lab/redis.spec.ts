/** Redis on real hosts: its settings, its keys over a slow link, and the sessions of PHP in it. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Observation } from '../../dsl/observation.ts'
import type { Task } from '../../dsl/task.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { phpSession, redisConfig, redisKeys, redisLatency, restart } from '../../index.ts'
import type { PhpVersion } from '../../modules/php/layout.ts'
import { play } from '../../testing/trial-run.ts'
import { connectLab } from '../laws/lab-ground.ts'
import { type Image, type Lab, labHosts } from './hosts.ts'

/** A link with a delay to a server on the host: the client on the host takes the way over this machine and back. */
class Link {
  /** How often the client spoke after the server had, or first: each is a round trip. */
  trips = 0
  connections = 0
  readonly #delay: number
  readonly #sockets = new Set<Socket>()
  readonly #server: Server

  constructor(to: string, delay: number) {
    this.#delay = delay
    this.#server = createServer((client) => this.#join(client, connect(6379, to)))
  }

  async listen(address: string): Promise<number> {
    this.#server.listen(0, address)
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  reset(): void {
    this.trips = 0
    this.connections = 0
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #join(client: Socket, server: Socket): void {
    this.connections++
    let serverSpoke = true
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from)
      from.setNoDelay(true)
      from.on('error', () => {})
      from.on('data', (data) => {
        if (from === client && serverSpoke) this.trips++
        serverSpoke = from === server
        setTimeout(() => to.write(data), this.#delay)
      })
      from.on('end', () => setTimeout(() => to.end(), this.#delay))
    }
  }
}

const delay = 10
const port = 8080

describe.each<[Image, PhpVersion, string]>([
  ['sid', '8.4', '8.'],
  ['bookworm', '8.2', '7.0.'],
])('on %s', (image, php, redis) => {
  const name = `redis-${image}`
  let lab: Lab<string>
  let host: RemoteHost
  let link: Link
  /** Where a client on the host finds the link. */
  let far: { readonly at: string; readonly port: number }

  beforeAll(async () => {
    lab = await labHosts(image, [name])
    host = new RemoteHost(name, () => connectLab(lab, lab.hosts[name]!), { become: 'sudo', becomePassword: undefined })
    const { address } = lab.hosts[name]!
    await on(prepare, nginx)
    const at = address.replace(/\d+$/, '1')
    link = new Link(address, delay)
    far = { at, port: await link.listen(at) }
  })
  afterAll(async () => {
    link?.close()
    await host?.close()
    await lab?.close()
  })

  const prepare = `set -e
systemctl start redis-server php${php}-fpm
cp -p /etc/redis/redis.conf /root/redis.conf
redis-cli -e CONFIG SET protected-mode no bind '0.0.0.0' >/dev/null
mkdir -p /var/www/lab
echo '<?php session_start(); $_SESSION["seen"] = ($_SESSION["seen"] ?? 0) + 1; echo session_id(), " ", $_SESSION["seen"];' >/var/www/lab/session.php
cat >/etc/nginx/conf.d/lab.conf
systemctl start nginx`

  const nginx = `server {
  listen ${port};
  root /var/www/lab;
  location ~ [.]php$ { fastcgi_pass unix:/run/php/php${php}-fpm.sock; include fastcgi.conf; }
}
`

  /** What a command prints on the host, asked by the OpenSSH client: the engine has no part in it. */
  async function on(command: string, input = ''): Promise<string> {
    const { status, stdout, stderr } = await lab.hosts[name]!.ssh(command, { input })
    if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  async function does(task: Task, options = {}) {
    const { failure, changes, events } = await play(task, host, options)
    const notes = events.flatMap((event) => (event.type === 'task' ? event.notes : []))
    return { failure, notes, changed: changes.map(({ label, after }) => `${label}: ${after}`), events }
  }

  const told = async (...names: readonly string[]) =>
    (await on(`for n in ${names.join(' ')}; do redis-cli -e CONFIG GET $n | sed -n 2p; done`)).split('\n')

  const config = redisConfig({
    maxmemory: '64mb',
    'maxmemory-policy': 'allkeys-lru',
    save: [
      [900, 1],
      [300, 10],
    ],
    'notify-keyspace-events': 'ExK',
    'client-output-buffer-limit': { replica: { hard: '512mb', soft: '128mb', seconds: 60 } },
    'protected-mode': false,
    bind: ['0.0.0.0'],
  })
  const set = [
    '67108864',
    'allkeys-lru',
    '900 1 300 10',
    'xKE',
    'normal 0 0 0 slave 536870912 134217728 60 pubsub 33554432 8388608 60',
  ]
  const names = ['maxmemory', 'maxmemory-policy', 'save', 'notify-keyspace-events', 'client-output-buffer-limit']

  it('is the version that was meant', async () => {
    expect(await on('redis-cli INFO server | grep redis_version')).toContain(`redis_version:${redis}`)
  })

  it('has its settings in the running server and in the file, where comments, order and owner stay', async () => {
    const { failure, changed } = await does(config)
    expect(failure).toBeUndefined()
    expect(changed).toHaveLength(2)
    expect(await told(...names)).toEqual(set)
    expect(await does(config)).toMatchObject({ failure: undefined, changed: [] })
    const conf = '/etc/redis/redis.conf'
    expect(await on(`diff /root/redis.conf ${conf} | grep -c '^[<>] *#' || true`)).toBe('0')
    expect(await on(`stat -c '%a %U %G' ${conf} /root/redis.conf | sort -u | wc -l; ls -A /etc/redis`)).toBe(
      '1\nredis.conf',
    )
  })

  it('keeps them over a restart', async () => {
    await on('systemctl restart redis-server')
    expect(await told(...names)).toEqual(set)
    expect(await does(config)).toMatchObject({ failure: undefined, changed: [] })
  })

  it('has a value that the server refuses neither in the file nor, with the others, in the server', async () => {
    const before = await on('cksum /etc/redis/redis.conf')
    const { failure } = await does(redisConfig({ maxmemory: '32mb', maxclients: 1_000_000 }))
    expect(failure).toMatch(/CONFIG SET failed.*maxclients/s)
    expect(await on('cksum /etc/redis/redis.conf')).toBe(before)
    expect(await told('maxmemory')).toEqual(['67108864'])
  })

  it('says what a restart is needed for until it was', async () => {
    const task = redisConfig({ databases: 20 })
    expect((await does(task)).notes.join()).toContain('databases 20: read only when the server starts')
    expect(await told('databases')).toEqual(['16'])
    await does(redisConfig({ databases: 21 }).notify(restart('redis-server')))
    expect(await told('databases')).toEqual(['21'])
    expect(await does(redisConfig({ databases: 21 }))).toMatchObject({ failure: undefined, changed: [], notes: [] })
  })

  it('does nothing with a wrong password, where redis-cli goes on as the default user', async () => {
    await on(`redis-cli -e ACL SETUSER fleet on '>correct horse' allkeys allcommands >/dev/null
umask 077; echo wrong >/root/wrong; echo 'correct horse' >/root/right`)
    expect(await on('REDISCLI_AUTH=wrong redis-cli --user fleet SET trap sprung 2>/dev/null; redis-cli GET trap')).toBe(
      'OK\nsprung',
    )
    const keys = redisKeys('secured').user('fleet').string('trap', 'set')
    expect((await does(keys.passwordFile('/root/wrong'))).failure).toMatch(/did not let us in: WRONGPASS/)
    expect(await on('redis-cli GET trap')).toBe('sprung')
    expect((await does(keys.passwordFile('/root/right'))).failure).toBeUndefined()
    expect(await on('redis-cli GET trap')).toBe('set')
  })

  const fifteen = (value: string) =>
    Array.from({ length: 12 }, (_, i) => `lab:text:${i}`)
      .reduce((task, key) => task.string(key, `${value} of ${key}`), redisKeys('fifteen').host(far.at).port(far.port))
      .hash('lab:hash', { a: '', b: 0, value }, { ttl: '1h' })
      .sortedSet('lab:set', { a: 0.1, b: Number.POSITIVE_INFINITY })
      .string('lab:bytes', Buffer.from([0, 13, 10, 255]))

  it('counts one round trip for each command of a client that waits for each', async () => {
    link.reset()
    await on(`redis-cli -h ${far.at} -p ${far.port}`, 'PING\n'.repeat(15))
    expect(link.trips).toBeGreaterThanOrEqual(15)
  })

  it('reads fifteen keys over a slow link in one round trip, and writes them in one more', async () => {
    link.reset()
    expect((await does(fifteen('one'), { check: true })).changed).toHaveLength(1)
    expect([link.connections, link.trips]).toEqual([1, 1])
    link.reset()
    expect((await does(fifteen('one'))).failure).toBeUndefined()
    // One to read, one to write; and one to see that it is so.
    expect([link.connections, link.trips]).toEqual([3, 3])
    link.reset()
    expect((await does(fifteen('one'))).changed).toEqual([])
    expect([link.connections, link.trips]).toEqual([1, 1])
    link.reset()
    expect((await does(fifteen('two'))).failure).toBeUndefined()
    expect([link.connections, link.trips]).toEqual([3, 3])
  })

  it('has in the server what was declared, byte for byte', async () => {
    const cli = (command: string) => on(`redis-cli --no-raw ${command}`)
    expect(await cli('GET lab:text:7')).toBe('"two of lab:text:7"')
    expect(await cli('GET lab:bytes')).toBe(String.raw`"\x00\r\n\xff"`)
    expect(await cli('HGET lab:hash a')).toBe('""')
    expect(await cli('HGET lab:hash b')).toBe('"0"')
    expect(Number(await on('redis-cli TTL lab:hash'))).toBeGreaterThan(3500)
    expect((await cli('ZSCORE lab:set a')).replaceAll('"', '')).toMatch(/^\(double\) 0\.1|^0\.1(0000000000000001)?$/)
    expect(await cli('ZSCORE lab:set b')).toContain('inf')
  })

  it('tells a command that failed of those that were done, when a key became another type meanwhile', async () => {
    await on('redis-cli DEL lab:hash; redis-cli RPUSH lab:hash a')
    const { failure, events } = await does(fifteen('two'), { check: true })
    expect(failure).toBeUndefined()
    const [task] = events.flatMap((event) => (event.type === 'task' ? [event] : []))
    expect(task!.irreversible).toEqual(['lab:hash is a list, of which no copy is kept.'])
    expect((await does(fifteen('two'))).failure).toBeUndefined()
    expect(await on('redis-cli TYPE lab:hash')).toBe('hash')
  })

  it('measures what a client on the host waits for', async () => {
    const finding = async (task: Observation<readonly number[]>) => {
      const { events } = await does(task)
      return events.flatMap((event) => (event.type === 'observation' ? [event] : []))[0]!
    }
    const slow = redisLatency({ host: far.at, port: far.port, during: '1s' }).expect({ below: '15ms' })
    expect(await finding(slow)).toMatchObject({ failure: { code: 'E_UNEXPECTED' } })
    const near = await finding(redisLatency({ during: '1s' }).expect({ below: '15ms', of: 'p50' }))
    expect(near.failure).toBeUndefined()
    expect(near).toMatchObject({
      says: expect.stringMatching(/^p50 .* round trips to redis at 127\.0\.0\.1:6379 in 1 s$/),
    })
  })

  it('has the sessions of PHP, with what two requests put into one', async () => {
    const task = phpSession(php)
      .redis({ prefix: 'coaching:', lifetime: '2h' })
      .notify(restart(`php${php}-fpm`))
    expect((await does(task)).failure).toBeUndefined()
    const page = async (id?: string) => {
      const headers = id === undefined ? {} : { cookie: `PHPSESSID=${id}` }
      const answer = await fetch(`http://${lab.hosts[name]!.address}:${port}/session.php`, { headers })
      return (await answer.text()).split(' ')
    }
    const [id, seen] = await page()
    expect(seen).toBe('1')
    expect(await page(id)).toEqual([id, '2'])
    expect(await on(`redis-cli GET coaching:${id}`)).toBe('seen|i:2;')
    expect(Number(await on(`redis-cli TTL coaching:${id}`))).toBeGreaterThan(7100)
    expect(await on('ls /var/lib/php/sessions | wc -l')).toBe('0')
    expect((await does(task)).changed).toEqual([])
  })

  /** What is told where the server does not start again, because somebody has put a line into its file. */
  async function startsNotWith(line: string) {
    await on(`cp -p /etc/redis/redis.conf /root/good; echo '${line}' >>/etc/redis/redis.conf`)
    const { events } = await does(redisConfig({ timeout: '7m' }).notify(restart('redis-server')))
    await on('mv /root/good /etc/redis/redis.conf; systemctl reset-failed redis-server; systemctl start redis-server')
    const [failure] = events.flatMap((event) => (event.type === 'reaction' ? [event.failure] : []))
    return { words: failure?.seen?.output ?? '', events }
  }

  it('tells in its own words why it does not start with a bad line, and no password that is in it', async () => {
    const { words, events } = await startsNotWith('requirepass korrektepferd batterie')
    expect(words).toContain(">>> 'requirepass (secret)")
    expect(words).toContain('wrong number of arguments')
    expect(JSON.stringify(events)).not.toContain('korrektepferd')
  })

  // «Bad directive» of 7.0 is for the journal; «Unresolved Configuration(s) Detected» of 8.0 is in its log file alone.
  it('does not start with a directive that it does not know, of which the run tells', async () => {
    const { words } = await startsNotWith('nosuch-directive yes')
    expect(words).toMatch(
      image === 'sid' ? /Failed to start redis-server/ : />>> 'nosuch-directive yes'\nBad directive/,
    )
    const log = await on('tail -n 200 /var/log/redis/redis-server.log')
    expect(log.includes('Unresolved Configuration(s) Detected')).toBe(image === 'sid')
  })

  it('is refused where nobody answers, and writes its file where that is said', async () => {
    await on('systemctl stop redis-server')
    expect((await does(redisConfig({ timeout: '5m' }))).failure).toMatch(/Redis does not answer at 127\.0\.0\.1:6379/)
    const { failure, changed } = await does(redisConfig({ timeout: '5m' }).evenStopped())
    expect(failure).toBeUndefined()
    expect(changed).toHaveLength(1)
    await on('systemctl start redis-server')
    expect(await told('timeout')).toEqual(['300'])
  })
})
