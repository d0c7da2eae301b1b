import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coachingSite } from './coaching-site.ts'
import { play as commandLine } from './command-line.ts'
import { type Lab, labHosts } from './hosts.ts'

const root = join(import.meta.dirname, '../..')
const fleet = ['edge1', 'web1', 'cache1', 'db1'] as const
const limit = fleet.join(',')

let sid: Lab<'edge1' | 'cache1'>
let large: Lab<'web1' | 'db1'>
let old: Lab<'web9'>

beforeAll(async () => {
  sid = await labHosts('sid', ['edge1', 'cache1'])
  large = await labHosts('sid', ['web1', 'db1'], { memory: '768M' })
  old = await labHosts('bookworm', ['web9'])
  await coachingSite(on, ['web1', 'web9'], 'db1')
})
afterAll(async () => {
  for (const lab of [sid, large, old]) await lab?.close()
})

/** What a command on a host prints, asked by the OpenSSH client: the engine has no part in it. */
async function on(host: string, command: string, input?: string): Promise<string> {
  const hosts = { ...sid.hosts, ...large.hosts, ...old.hosts }
  const { status, stdout, stderr } = await hosts[host as keyof typeof hosts].ssh(
    command,
    input === undefined ? {} : { input },
  )
  if (status !== 0) throw new Error(`${host}: ${command} ended with ${status}: ${stderr}${stdout}`)
  return stdout.trim()
}

/** The command line as a user runs it, and what its observations saw. */
async function play(...words: readonly string[]) {
  const ended = await commandLine(root, ...words, '-i', 'lab')
  const seen = Object.fromEntries(
    ended.events.flatMap((event) =>
      event.type === 'observation' ? [[`${event.host} ${event.task.module}`, event.says]] : [],
    ),
  )
  return { ...ended, seen }
}

/** A visitor, who comes through the edge. */
const curl = (path: string, ...options: readonly string[]) =>
  `curl -sk --http2 ${options.join(' ')} --resolve coaching.example:443:${sid.hosts.edge1.address} https://coaching.example/${path}`

const page = async () => (await on('cache1', curl('', '-i', "-H 'Sec-Fetch-Mode: navigate'"))).split(/\r?\n\r?\n/)

/** What PHP of the site says, to a visitor. */
async function php(code: string): Promise<string> {
  await on('web1', 'cat >/srv/wordpress/asked.php', `<?php ${code}`)
  const said = await on('cache1', curl('asked.php'))
  await on('web1', 'rm /srv/wordpress/asked.php')
  return said
}

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
    expect(await states('edge1', 'haproxy')).toBe('enabled\nactive')
    expect(await states('web1', 'nginx', 'php8.4-fpm.socket')).toBe('enabled\nenabled\nactive\nactive')
    expect(await states('web1', 'wp-cron-srv-wordpress.timer', 'crm-sync.timer')).toBe(
      'enabled\nenabled\nactive\nactive',
    )
    expect(await on('cache1', 'systemctl show -P LimitNOFILE redis-server')).toBe('65536')
    expect(await on('cache1', 'redis-cli ping')).toBe('PONG')
  })

  it('has a histogram of the buckets that were asked for', async () => {
    const query = `select json_unquote(json_extract(histogram, '$."number-of-buckets-specified"')) from information_schema.column_statistics`
    expect(await on('db1', 'mysql -BN', query)).toBe('100')
  })

  it('has the old index watched, and as visible as before', async () => {
    const query = `select distinct is_visible from information_schema.statistics where index_name = 'idx_legacy_meta_key'`
    expect(await on('db1', 'mysql -BN', query)).toBe('YES')
    expect(await on('db1', 'ls /var/lib/fleetplay/mysql-index | wc -l')).toBe('1')
  })

  it('sends 103 with every link before the page, which is of the theme, and both links lead somewhere', async () => {
    const [hints = '', head, body] = await page()
    expect(hints).toMatch(/^HTTP\/2 103/)
    const links = [...hints.matchAll(/^link: <\/(.*)>; rel=preload; as=(.*)$/gm)].map(([, path, as]) => [path, as])
    expect(links).toEqual([
      ['wp-content/themes/eistruttore/assets/css/critical-coach.min.css', 'style'],
      ['wp-content/themes/eistruttore/assets/js/calendar.min.js', 'script'],
    ])
    expect(head).toMatch(/^HTTP\/2 200/)
    expect(body).toContain('/themes/eistruttore/assets/css/critical-coach.min.css')
    for (const [path = ''] of links)
      expect(await on('cache1', curl(path, '-o /dev/null', "-w '%{http_code}'"))).toBe('200')
  })

  it('compiles PHP as the play says, in the master that runs', async () => {
    const said = await php("$s = opcache_get_status(false); echo json_encode([$s['opcache_enabled'], $s['jit']]);")
    expect(JSON.parse(said)).toMatchObject([true, { enabled: true, on: true, kind: 5, opt_level: 5 }])
  })

  it('keeps the sessions of visitors in Redis', async () => {
    const id = await php("session_start(); $_SESSION['who'] = 'anna'; echo session_id();")
    expect(await on('cache1', `redis-cli get coaching:${id}`)).toBe('who|s:4:"anna";')
    expect(await on('cache1', 'redis-cli hgetall rate:limits')).toBe('checkout\n20\nlogin\n5')
  })

  it('starts no scheduled event by a visit', async () => {
    await page()
    expect(await on('web1', 'grep -c wp-cron.php /var/log/nginx/access.log || true')).toBe('0')
  })

  it('lets no request fail while php-fpm is restarted', async () => {
    // A page that costs little, twenty times by one connection: WordPress's own takes a second on such hosts, and a login to TLS
    // half of that, so that few visitors would see the restarts.
    await on('web1', 'cat >/srv/wordpress/asked.php', '<?php usleep(20000); echo "made";')
    const visitors = `end=$(($(date +%s) + 12)); while [ $(date +%s) -lt $end ]; do
      ${curl("'asked.php?[1-20]'", '-o /dev/null', "-w '%{http_code}\\n'")}; done`
    const restarts = 'for i in 1 2 3; do sleep 3; systemctl restart php8.4-fpm; done'
    const [codes] = await Promise.all([on('cache1', visitors), on('web1', restarts)])
    await on('web1', 'rm /srv/wordpress/asked.php')
    const all = codes.split('\n')
    expect(all.length).toBeGreaterThan(30)
    expect(new Set(all)).toEqual(new Set(['200']))
  })

  const files = "find /etc /srv /var/lib/fleetplay -xdev -type f -printf '%p %i %T@\\n' | sort | cksum"

  it('has nothing to change the second time, in a greeting and one batch for each play, and rewrites nothing', async () => {
    const before = await on('web1', files)
    const { status, told, recap } = await play('run', 'coaching-fleet', '--limit', limit, '--skip-tags', 'watch')
    expect(status, told).toBe(0)
    expect(recap.hosts).toEqual({ ok: 4, changed: 0, failed: 0, unreachable: 0, skipped: 0 })
    expect(recap.tasks.changed).toBe(0)
    // Each host has two plays.
    expect(recap.trips).toBe(3)
    expect(await on('web1', files)).toBe(before)
  })

  it('has nothing to change the third time, and what is watched is as expected', async () => {
    const before = await on('db1', files)
    const { status, told, recap, seen } = await play('run', 'coaching-fleet', '--limit', limit)
    expect(status, told).toBe(0)
    expect(recap.tasks.changed).toBe(0)
    expect(seen['web1 http']).toMatch(/^HTTP\/2 200 after \d+ ms, 103 after \d+ ms with 2 links$/)
    expect(seen['web1 redisLatency']).toMatch(/^p50 /)
    // User-mode Linux has no counters of the processor, nor any perf events.
    expect(seen['web1 perfProfile']).toMatch(/^not available here, because this kernel has no perf events/)
    expect(seen['web1 qdiscStats']).toMatch(/^fq_codel: /)
    expect(seen['db1 mysqlPlan']).toMatch(/^reads about \d+ rows/)
    expect(seen['db1 udpDrops']).toMatch(/^0 datagrams were dropped/)
    expect(await on('db1', files)).toBe(before)
  })

  it('heals what was changed by hand, and nothing else', async () => {
    await on(
      'web1',
      'sysctl -qw net.core.rmem_max=300000; rm /etc/systemd/system/crm-sync.timer; tc qdisc del dev vec0 root',
    )
    await on('cache1', 'systemctl stop redis-server')
    const { status, told, changed } = await play('run', 'coaching-fleet', '--limit', limit)
    expect(status, told).toBe(0)
    expect(changed.map(({ host, task }) => `${host} ${task.module}`).toSorted()).toEqual([
      'cache1 service',
      'web1 sysctl',
      'web1 systemdTimer',
      'web1 tcQdisc',
    ])
    expect(await on('cache1', 'redis-cli ping')).toBe('PONG')
  })

  it('is still as desired after a power cut', async () => {
    // What the run before renamed is on the disk when the file system commits, which is within seconds.
    await on('web1', 'sync')
    await large.hosts.web1.powerCut()
    await large.hosts.web1.up()
    const { status, told, changed } = await play('run', 'coaching-fleet', '--limit', 'web1')
    expect(status, told).toBe(0)
    expect(changed.map(({ task }) => task.title)).toEqual([])
    expect((await page())[0]).toMatch(/^HTTP\/2 103/)
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
      /early-hints|fq_codel/,
    )
  })
})
