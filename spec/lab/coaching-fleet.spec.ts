import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Event } from '../../engine/events.ts'
import { type Lab, labHosts } from './hosts.ts'

const root = join(import.meta.dirname, '../..')
const fleet = ['edge1', 'web1', 'cache1', 'db1'] as const
const limit = fleet.join(',')

let sid: Lab<'edge1' | 'web1' | 'cache1'>
let database: Lab<'db1'>
let old: Lab<'web9'>

beforeAll(async () => {
  sid = await labHosts('sid', ['edge1', 'web1', 'cache1'])
  database = await labHosts('sid', ['db1'], { memory: '768M' })
  old = await labHosts('bookworm', ['web9'])
  await on('db1', 'systemctl start mysql && mysql && systemctl stop mysql', schema)
})
afterAll(async () => {
  for (const lab of [sid, database, old]) await lab?.close()
})

const schema = `create database coaching; use coaching;
create table wp_eistruttore_schedule (id int auto_increment primary key, session_date date not null, status varchar(20) not null);
insert into wp_eistruttore_schedule (session_date, status)
  with recursive n(i) as (select 1 union all select i + 1 from n where i < 900)
  select date('2026-01-01') + interval (i * i % 365) day, if(i % 50, 'available', 'booked') from n;
`

/** What a command on a host prints, asked by the OpenSSH client: the engine has no part in it. */
async function on(host: string, command: string, input?: string): Promise<string> {
  const hosts = { ...sid.hosts, ...database.hosts, ...old.hosts }
  const { status, stdout, stderr } = await hosts[host as keyof typeof hosts].ssh(
    command,
    input === undefined ? {} : { input },
  )
  if (status !== 0) throw new Error(`${host}: ${command} ended with ${status}: ${stderr}${stdout}`)
  return stdout.trim()
}

/** The command line as a user runs it. */
async function play(...words: readonly string[]) {
  const child = spawn(process.execPath, [join(root, 'cli/play.js'), ...words, '-i', 'lab', '--output', 'json'], {
    cwd: root,
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const [status] = (await once(child, 'close')) as [number]
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event)
  const tasks = events.filter((event) => event.type === 'task')
  const failed = events.filter((event) => 'failure' in event && event.failure)
  const told = JSON.stringify(failed, undefined, 1) + stderr
  const [recap] = events.flatMap((event) => (event.type === 'run-finished' ? [event.recap] : []))
  const changed = tasks.filter(({ outcome }) => outcome === 'changed')
  return { status, tasks, changed, failed, told, recap: recap! }
}

const page =
  "curl -sk --http2 -i -H 'Sec-Fetch-Mode: navigate' --resolve coaching.example:443:127.0.0.1 https://coaching.example/"

describe('the coaching fleet, on four hosts of Debian sid', () => {
  it('is planned without a change', async () => {
    const before = await on(
      'web1',
      'find /etc -newer /etc/hostname | sort | cksum; tc qdisc; sysctl -n net.core.rmem_max',
    )
    const { status, told } = await play('plan', 'coaching-fleet', '--limit', limit, '--exit-code')
    expect(status, told).toBe(10)
    expect(
      await on('web1', 'find /etc -newer /etc/hostname | sort | cksum; tc qdisc; sysctl -n net.core.rmem_max'),
    ).toBe(before)
  })

  it('converges', async () => {
    const { status, told, recap } = await play('run', 'coaching-fleet', '--limit', limit)
    expect(status, told).toBe(0)
    expect(recap.hosts).toEqual({ ok: 0, changed: 4, failed: 0, unreachable: 0, skipped: 0 })
  })

  it.each(fleet)('has the UDP buffers on %s, live and at boot', async (host) => {
    expect(await on(host, 'sysctl -n net.core.rmem_default net.ipv4.udp_mem')).toBe('16777216\n262144\t524288\t1048576')
    expect(await on(host, '/usr/lib/systemd/systemd-sysctl --cat-config | grep rmem_default')).toBe(
      'net.core.rmem_default = 16777216',
    )
    // The socket of the resolver was opened anew, with the new buffer.
    expect(await on(host, "ss -Hlunm src 127.0.0.53 | grep -o 'rb[0-9]*' | sort -u")).toBe('rb16777216')
  })

  it.each(['edge1', 'web1'])('has fq_codel on the interface of %s, in the kernel’s own words', async (host) => {
    const [qdisc] = JSON.parse(await on(host, 'tc -j qdisc show dev vec0 root')) as [unknown]
    expect(qdisc).toMatchObject({
      kind: 'fq_codel',
      options: { limit: 10240, target: 4999, interval: 99999, ecn: true },
    })
  })

  it('has its services enabled and running', async () => {
    const states = async (host: string, ...units: string[]) =>
      await on(host, `systemctl is-enabled ${units.join(' ')}; systemctl is-active ${units.join(' ')}`)
    expect(await states('db1', 'mysql')).toBe('enabled\nactive')
    expect(await states('cache1', 'redis-server')).toBe('enabled\nactive')
    expect(await states('web1', 'nginx', 'php8.4-fpm.socket')).toBe('enabled\nenabled\nactive\nactive')
    expect(await on('cache1', 'systemctl show -P LimitNOFILE redis-server')).toBe('65536')
    expect(await on('cache1', 'redis-cli ping')).toBe('PONG')
  })

  it('has a histogram of the buckets that were asked for', async () => {
    const query = `select json_unquote(json_extract(histogram, '$."number-of-buckets-specified"')) from information_schema.column_statistics`
    expect(await on('db1', 'mysql -BN', query)).toBe('100')
  })

  it('sends 103 with every link before the page', async () => {
    const heads = (await on('web1', page)).split(/\r?\n\r?\n/)
    expect(heads[0]).toMatch(/^HTTP\/2 103/)
    expect(heads[0]).toContain('</assets/css/critical-coach.min.css>; rel=preload; as=style')
    expect(heads[0]).toContain('</assets/fonts/speaker-sans-bold.woff2>; rel=preload; as=font')
    expect(heads[1]).toMatch(/^HTTP\/2 200/)
    expect(heads[2]).toContain('<p>Hello.')
  })

  it('lets no request fail while php-fpm is restarted', async () => {
    const clients = `n=0; end=$(($(date +%s) + 12)); while [ $(date +%s) -lt $end ]; do
      curl -sk -o /dev/null -w '%{http_code}\\n' --resolve coaching.example:443:127.0.0.1 https://coaching.example/; done`
    const restarts = 'for i in 1 2 3; do sleep 3; systemctl restart php8.4-fpm; done'
    const [codes] = await Promise.all([on('web1', clients), on('web1', restarts)])
    const all = codes.split('\n')
    expect(all.length).toBeGreaterThan(10)
    expect(new Set(all)).toEqual(new Set(['200']))
  })

  it('has nothing to change the second time, in a greeting and one batch for each play, and rewrites nothing', async () => {
    const files = "find /etc /var/www -xdev -type f -printf '%p %i %T@\\n' | sort | cksum"
    const before = await on('web1', files)
    const { status, told, recap } = await play('run', 'coaching-fleet', '--limit', limit)
    expect(status, told).toBe(0)
    expect(recap.hosts).toEqual({ ok: 4, changed: 0, failed: 0, unreachable: 0, skipped: 0 })
    expect(recap.tasks.changed).toBe(0)
    // Each host has two plays.
    expect(recap.trips).toBe(3)
    expect(await on('web1', files)).toBe(before)
  })

  it('heals what was changed by hand, and nothing else', async () => {
    await on('web1', 'sysctl -qw net.core.rmem_max=300000; rm /etc/cron.d/wp-cron; tc qdisc del dev vec0 root')
    await on('cache1', 'systemctl stop redis-server')
    const { status, told, changed } = await play('run', 'coaching-fleet', '--limit', limit)
    expect(status, told).toBe(0)
    expect(changed.map(({ host, task }) => `${host} ${task.module}`).toSorted()).toEqual([
      'cache1 service',
      'web1 cron',
      'web1 sysctl',
      'web1 tcQdisc',
    ])
    expect(await on('cache1', 'redis-cli ping')).toBe('PONG')
  })

  it('is still as desired after a power cut', async () => {
    // What the run before renamed is on the disk when the file system commits, which is within seconds.
    await on('web1', 'sync')
    await sid.hosts.web1.powerCut()
    await sid.hosts.web1.up()
    const { status, told, changed } = await play('run', 'coaching-fleet', '--limit', 'web1')
    expect(status, told).toBe(0)
    expect(changed.map(({ task }) => task.title)).toEqual([])
    expect((await on('web1', page)).split(/\r?\n\r?\n/)[0]).toMatch(/^HTTP\/2 103/)
  })
})

describe('a web host of Debian 12', () => {
  it('is refused the route that its nginx cannot give, in the plan, with what would work', async () => {
    const { status, failed } = await play('plan', 'coaching-fleet', '--limit', 'web9')
    expect(status).toBe(2)
    expect(failed).toMatchObject([
      {
        task: { title: 'nginxEarlyHints coaching' },
        failure: {
          code: 'E_REFUSED',
          message: 'nginx 1.22.1 does not know early_hints (1.29 and later do), so .hop() cannot send a 103.',
          hint: '.edge() would work here.',
        },
      },
    ])
  })

  it('is left as it was by a run of that play', async () => {
    const { status } = await play('run', 'coaching-fleet', '--limit', 'web9')
    expect(status).toBe(2)
    expect(await on('web9', 'ls /etc/cron.d /etc/nginx/conf.d; tc qdisc show dev vec0')).not.toMatch(
      /wp-cron|early-hints|fq_codel/,
    )
  })
})
