import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TaskList } from '../../dsl/task.ts'
import { opcache, phpFpm, phpFpmPool, phpIni, reload } from '../../index.ts'
import type { PhpVersion } from '../../modules/php/layout.ts'
import { type Image, type Lab, type LabHost, labHosts } from './hosts.ts'
import { runOn } from './run-on.ts'

const port = 8080

/** A host with nginx in front of php-fpm, as its packages have it. */
class Web {
  readonly version: PhpVersion
  readonly lab: Lab<string>
  readonly host: LabHost

  private constructor(version: PhpVersion, lab: Lab<string>, host: LabHost) {
    this.version = version
    this.lab = lab
    this.host = host
  }

  static async boot(image: Image, version: PhpVersion): Promise<Web> {
    const name = `php${version.replace('.', '')}`
    const lab = await labHosts(image, [name])
    const web = new Web(version, lab, lab.hosts[name]!)
    await web.on(
      `mkdir -p /var/www/lab && cat >/etc/nginx/conf.d/lab.conf && cd /var/www/lab &&
echo '<?php usleep(20000); echo "hello";' >hello.php &&
echo '<?php header("Content-Type: application/json"); echo json_encode(opcache_get_status(false));' >status.php &&
echo '<?php echo ini_get("memory_limit");' >limit.php &&
systemctl enable --now nginx ${web.unit}`,
      `server {
  listen ${port};
  root /var/www/lab;
  location ~ [.]php$ { fastcgi_pass unix:${web.socket}; include fastcgi.conf; }
}
`,
    )
    return web
  }

  get unit(): string {
    return `php${this.version}-fpm`
  }

  get socket(): string {
    return `/run/php/${this.unit}.sock`
  }

  get pool(): string {
    return `/etc/php/${this.version}/fpm/pool.d/www.conf`
  }

  get confD(): string {
    return `/etc/php/${this.version}/fpm/conf.d`
  }

  /** What a command prints, asked by the OpenSSH client. */
  async on(command: string, input = ''): Promise<string> {
    const { status, stdout, stderr } = await this.host.ssh(command, { input })
    if (status !== 0) throw new Error(`${this.version}: ${command} ended with ${status}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  /** A page, asked from another machine. */
  async page(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`http://${this.host.address}:${port}${path}`, { signal: AbortSignal.timeout(20_000) })
    return { status: answer.status, text: await answer.text() }
  }

  /** What opcache of the running master says, to whoever asks for a page. */
  async jit(): Promise<{
    readonly on: boolean
    readonly kind: number
    readonly opt_level: number
    readonly buffer_size: number
  }> {
    const { text } = await this.page('/status.php')
    return (JSON.parse(text) as { jit: Awaited<ReturnType<Web['jit']>> }).jit
  }

  /**
   * Clients that ask one request after another while something is done five times: how often each answer came. systemd starts
   * a unit five times in ten seconds and no more.
   */
  async clientsDuring(command: string): Promise<Readonly<Record<string, number>>> {
    const counted = await this.on(`rm -f /run/lab-stop /run/lab-codes
systemctl reset-failed ${this.unit}
for client in 1 2 3 4; do
  (n=0; while [ ! -e /run/lab-stop ] && [ $n -lt 500 ]; do n=$((n + 1)); curl -s -m 20 -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:${port}/hello.php; done) &
done >>/run/lab-codes
sleep 0.5
for time in 1 2 3 4 5; do ${command} || echo failed >>/run/lab-codes; sleep 2; done
touch /run/lab-stop
wait
sort /run/lab-codes | uniq -c`)
    const lines = counted.split('\n').map((line) => line.trim().split(' '))
    return Object.fromEntries(lines.map(([count, code]) => [code, Number(count)]))
  }

  async run(tasks: TaskList, options: { readonly check?: boolean } = {}) {
    return await runOn(this.lab, this.host, tasks, options)
  }

  /** The host with its power cut, and up again. */
  async reboot(): Promise<void> {
    await this.on('sync')
    await this.host.powerCut()
    await this.host.up()
  }
}

let webs: readonly Web[] = []

/** Both hosts side by side. */
async function both(check: (web: Web) => Promise<void>): Promise<void> {
  const ends = await Promise.allSettled(webs.map(check))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

beforeAll(async () => {
  const ends = await Promise.allSettled([Web.boot('bookworm', '8.2'), Web.boot('sid', '8.4')])
  webs = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
})
afterAll(async () => {
  for (const web of webs) await web.lab.close()
})

const activated = (web: Web) => [phpFpm(web.version).socketActivation({ backlog: 65_536, owner: 'www-data' })]
const jit = (web: Web) => [opcache(web.version).set({ jit: 'tracing', jitBuffer: '32MiB' })]

describe('php-fpm 8.2 of Debian 12 and 8.4 of sid, behind nginx', () => {
  it('loses requests when it restarts with a socket of its own', async () => {
    await both(async (web) => {
      const codes = await web.clientsDuring(`systemctl restart ${web.unit}`)
      expect(codes['502'] ?? 0, web.version).toBeGreaterThan(0)
    })
  })

  it('gives its socket to systemd, of which the plan tells the window and the backlog that the kernel lets be', async () => {
    await both(async (web) => {
      const plan = await web.run(activated(web), { check: true })
      expect(plan.notes, web.version).toEqual(
        expect.arrayContaining([
          `${web.unit} is stopped once while ${web.socket} changes hands: requests fail for a second or two.`,
          "The kernel lets 4096 connections wait, not 65536: it is this host's net.core.somaxconn.",
        ]),
      )
      const { outcomes, failures } = await web.run(activated(web))
      expect([web.version, outcomes, failures]).toEqual([web.version, ['changed'], []])
      expect(await web.run(activated(web))).toMatchObject({ outcomes: ['ok'], notes: [] })
      const holders = await web.on(`ss -Hlxp src ${web.socket}`)
      expect(holders, web.version).toMatch(/LISTEN 0 +4096/)
      expect(holders).toContain('"systemd",pid=1,')
      expect(holders).toContain(`"php-fpm${web.version}"`)
    })
  })

  it('loses no request in five restarts', async () => {
    await both(async (web) => {
      const codes = await web.clientsDuring(`systemctl restart ${web.unit}`)
      expect(Object.keys(codes), `${web.version}: ${JSON.stringify(codes)}`).toEqual(['200'])
      expect(codes['200']).toBeGreaterThan(20)
    })
  })

  it('serves on after its master was killed', async () => {
    await both(async (web) => {
      await web.on(`kill -9 $(systemctl show --property=MainPID --value ${web.unit})`)
      expect((await web.page('/hello.php')).text, web.version).toBe('hello')
      // Now it is active again on both, and was as desired all the time.
      expect((await web.run(activated(web))).outcomes).toEqual(['ok'])
    })
  })

  it('has the JIT that was wished, as a page of the running master tells', async () => {
    await both(async (web) => {
      expect((await web.jit()).on, web.version).toBe(false)
      const { failures, changed } = await web.run(jit(web))
      expect([failures, changed]).toEqual([[], [`file:${web.confD}/99-opcache.ini`, `opcache:${web.version}`]])
      expect(await web.jit()).toMatchObject({ on: true, kind: 5, opt_level: 4, buffer_size: 32 * 1024 ** 2 - 16 })
      expect((await web.run(jit(web))).outcomes).toEqual(['ok'])
      expect(await web.on('ls -d /run/fleetplay.* 2>/dev/null || true')).toBe('')
    })
  })

  it('is healed where somebody reloaded it with another file, though the file is as it was', async () => {
    await both(async (web) => {
      const file = `${web.confD}/99-opcache.ini`
      await web.on(
        `cp -p ${file} /root/kept && echo opcache.jit=off >${file} && systemctl reload ${web.unit} && sleep 2 && mv /root/kept ${file}`,
      )
      expect((await web.jit()).on, web.version).toBe(false)
      expect((await web.run(jit(web))).changed).toEqual([`opcache:${web.version}`])
      expect((await web.jit()).on).toBe(true)
    })
  })

  it('keeps serving with its old pool where a new one is refused, in its own words', async () => {
    await both(async (web) => {
      const state = `cksum ${web.pool}; systemctl show --property=InvocationID ${web.unit}`
      const before = await web.on(state)
      const bad = phpFpmPool(web.version, 'www').set({ 'pm.max_children': 1 }).notify(reload(web.unit))
      const { outcomes, failures } = await web.run([bad])
      expect([web.version, outcomes]).toEqual([web.version, ['failed']])
      expect(failures[0]).toMatchObject({
        code: 'E_GUARD',
        message: expect.stringMatching(/it was put back: ALERT: \[pool www\].*max_children/),
      })
      expect(await web.on(state)).toBe(before)
      expect((await web.page('/hello.php')).text).toBe('hello')
    })
  })

  it('does not take a file of settings while another one has a syntax error, which php-fpm -t passes', async () => {
    await both(async (web) => {
      const task = phpIni(web.version, 'lab').set({ memory_limit: '96M' }).notify(reload(web.unit))
      await web.on(`echo 'a = (((' >${web.confD}/50-broken.ini; php-fpm${web.version} -t`)
      const { failures } = await web.run([task])
      expect(failures[0]?.message, web.version).toMatch(/PHP: {2}syntax error.*50-broken.ini on line/)
      await web.on(`rm ${web.confD}/50-broken.ini; [ ! -e ${web.confD}/99-lab.ini ]`)
      expect((await web.run([task])).outcomes).toEqual(['changed'])
      await expect.poll(async () => (await web.page('/limit.php')).text, { timeout: 15_000, interval: 200 }).toBe('96M')
    })
  })

  it('is as desired after a power cut, and loses no request in five restarts', async () => {
    await both(async (web) => {
      await web.reboot()
      expect((await web.page('/hello.php')).text, web.version).toBe('hello')
      expect(await web.run([...activated(web), ...jit(web)])).toMatchObject({ outcomes: ['ok', 'ok'], failures: [] })
      const codes = await web.clientsDuring(`systemctl restart ${web.unit}`)
      expect(Object.keys(codes), `${web.version}: ${JSON.stringify(codes)}`).toEqual(['200'])
    })
  })

  it('takes its socket back', async () => {
    await both(async (web) => {
      const off = [phpFpm(web.version).socketActivation('off')]
      expect((await web.run(off)).failures, web.version).toEqual([])
      expect((await web.run(off)).outcomes).toEqual(['ok'])
      expect((await web.page('/hello.php')).text).toBe('hello')
      expect(await web.on(`ss -Hlxp src ${web.socket}`)).not.toContain('"systemd"')
      expect(await web.on(`ls /etc/systemd/system | grep '${web.unit}.socket' || true`)).toBe('')
      await web.on(`systemctl restart ${web.unit}`)
      expect((await web.page('/hello.php')).text).toBe('hello')
    })
  })
})
