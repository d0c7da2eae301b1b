/** What clients get from nginx and HAProxy, asked by curl: pages, hints before them, and the old ones where a new configuration is refused. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Task, TaskList } from '../../dsl/task.ts'
import {
  file,
  haproxyBackend,
  haproxyConfig,
  haproxyEarlyHints,
  haproxyFrontend,
  haproxyTest,
  http,
  nginxEarlyHints,
  nginxSite,
  nginxTest,
  preloadHeader,
  reload,
  service,
} from '../../index.ts'
import type { Listen } from '../../modules/listen-address.ts'
import { type Image, type Lab, type LabHost, labHosts } from './hosts.ts'
import { runOn } from './run-on.ts'

const name = 'site.example'
const tls = { certificate: '/etc/haproxy/lab.pem', key: '/etc/haproxy/lab.pem.key' }
const root = '/var/www/lab'
const css = '/assets/a%20b.css'
const font = '/assets/b.woff2'
const links = [`<${css}>; rel=preload; as=style`, `<${font}>; rel=preload; as=font; type="font/woff2"; crossorigin`]

/** How a page came: its heads as they followed each other, its body, and for how long it was silent after its first byte. */
interface Page {
  readonly statuses: readonly string[]
  readonly heads: readonly string[]
  readonly body: string
  readonly pause: number
}

/** A host whose php-fpm makes a page in 400 ms. */
class Ingress {
  readonly image: Image
  readonly php: string
  readonly lab: Lab<string>
  readonly host: LabHost

  private constructor(image: Image, php: string, lab: Lab<string>, host: LabHost) {
    this.image = image
    this.php = php
    this.lab = lab
    this.host = host
  }

  static async boot(image: Image, php: string): Promise<Ingress> {
    const called = `ingress-${image}`
    const lab = await labHosts(image, [called])
    const ingress = new Ingress(image, php, lab, lab.hosts[called]!)
    await ingress.on(
      `mkdir -p ${root}/assets && cd ${root} && cat >index.php && echo 'a {}' >'assets/a b.css' && echo hidden >.hidden &&
echo '<?php echo "run";' >picture.png &&
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=${name} -keyout ${tls.key} -out ${tls.certificate} 2>/dev/null &&
systemctl enable -q --now php${php}-fpm`,
      `<?php usleep(400000); http_response_code($_SERVER['REQUEST_URI'] === '/none' ? 404 : 200);
echo "page of {$_SERVER['REQUEST_SCHEME']} {$_SERVER['SERVER_PORT']} for {$_SERVER['REMOTE_ADDR']}";`,
    )
    return ingress
  }

  get socket(): string {
    return `/run/php/php${this.php}-fpm.sock`
  }

  get isOld(): boolean {
    return this.image === 'bookworm'
  }

  /** What a command prints, asked by the OpenSSH client. */
  async on(command: string, input = ''): Promise<string> {
    const { status, stdout, stderr } = await this.host.ssh(command, { input })
    if (status !== 0) throw new Error(`${this.image}: ${command} ended with ${status}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  /** Opens a page as a browser does, which says that it navigates; HTTP/2 where TLS agrees on it. */
  async opens(url: string, options = "--http2 -H 'Sec-Fetch-Mode: navigate'"): Promise<Page> {
    const { port, protocol } = new URL(url)
    const to = `--resolve ${name}:${port || (protocol === 'https:' ? 443 : 80)}:127.0.0.1`
    const answer = await this.on(
      `curl -sk -m 20 -D /root/heads -o /root/body -w '%{time_total} %{time_starttransfer}' ${options} ${to} ${url}; echo; cat /root/heads; echo ==; cat /root/body`,
    )
    const [times = '', ...rest] = answer.split('\n')
    const [heads = '', body = ''] = rest.join('\n').split('==\n')
    const each = heads
      .split(/\r?\n\r?\n/)
      .map((head) => head.trim())
      .filter((head) => head !== '')
    const [total = 0, first = 0] = times.split(' ').map(Number)
    return { statuses: each.map((head) => head.split('\n')[0]!.trim()), heads: each, body, pause: total - first }
  }

  async run(tasks: TaskList, options: { readonly check?: boolean } = {}) {
    return await runOn(this.lab, this.host, tasks, options)
  }
}

let all: readonly Ingress[] = []

/** Both hosts side by side. */
async function both(check: (on: Ingress) => Promise<void>): Promise<void> {
  const ends = await Promise.allSettled(all.map(check))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

const sid = () => all.find(({ image }) => image === 'sid')!
const bookworm = () => all.find(({ image }) => image === 'bookworm')!

beforeAll(async () => {
  const ends = await Promise.allSettled([Ingress.boot('bookworm', '8.2'), Ingress.boot('sid', '8.4')])
  all = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
})
afterAll(async () => {
  for (const { lab } of all) await lab.close()
})

const nginx = service('nginx').enabled().started()
const plain = nginxSite('lab-http').serverName(name).location('/', { redirect: 'https://$host:8443$request_uri' })
const header = preloadHeader('lab').preload(css, { as: 'style' }).preload(font, {
  as: 'font',
  type: 'font/woff2',
  crossorigin: true,
})
const site = (on: Ingress) =>
  nginxSite('lab')
    .serverName(name)
    .listen('8443')
    .tls(tls)
    .root(root)
    .fastcgi(on.socket)
    .directives('include snippets/preload-lab.conf;\nadd_header X-Server here;')
    .location('= /own', { directives: 'add_header X-Own own;\nreturn 200 own;' })
const hinting = (on: Ingress, called: string, port: Listen) =>
  nginxEarlyHints(called)
    .serverName(name)
    .tls(tls)
    .listen(port)
    .root(root)
    .fastcgi(on.socket)
    .preload(css, { as: 'style' })
    .preload(font, { as: 'font', type: 'font/woff2', crossorigin: true })

/** Runs tasks that must succeed, and again, when nothing may be left to do. */
async function expectConverged(on: Ingress, tasks: readonly Task[]): Promise<void> {
  const { failures } = await on.run(tasks)
  expect([on.image, failures]).toEqual([on.image, []])
  const again = await on.run(tasks)
  expect([on.image, again.outcomes, again.failures]).toEqual([on.image, tasks.map(() => 'ok'), []])
}

/** 103 with every link, at once; then the page. */
function expectHints(on: Ingress, { statuses, heads, body, pause }: Page, protocol = 'HTTP/2'): void {
  expect([on.image, statuses]).toEqual([on.image, [expect.stringMatching(`^${protocol} 103`), `${protocol} 200`]])
  for (const link of links) expect(heads[0]).toContain(link)
  expect(heads[1]!.toLowerCase()).not.toContain('link:')
  expect(body).toContain('page of https')
  // PHP takes 400 ms for the page; curl counts the 103 as the first byte.
  expect(pause).toBeGreaterThan(0.3)
}

describe('nginxSite() and preloadHeader(), on nginx 1.22 and 1.30', () => {
  it('serves pages by TLS and HTTP/2, sends plain requests there, and keeps hidden files to itself', async () => {
    await both(async (on) => {
      await expectConverged(on, [header, plain, site(on), nginx])
      const page = await on.opens(`https://${name}:8443/a?b=c`)
      expect([on.image, page.statuses, page.body]).toEqual([
        on.image,
        ['HTTP/2 200'],
        'page of https 8443 for 127.0.0.1',
      ])
      const redirect = await on.opens(`http://${name}/a?b=c`)
      expect(redirect.statuses).toEqual(['HTTP/1.1 301 Moved Permanently'])
      expect(redirect.heads[0]).toContain(`Location: https://${name}:8443/a?b=c`)
      const { statuses, body } = await on.opens(`https://${name}:8443/.hidden`)
      expect([statuses, body]).toEqual([['HTTP/2 404'], expect.not.stringContaining('hidden')])
      expect((await on.opens(`https://${name}:8443/picture.png/x.php`)).body).not.toContain('run')
      expect(await on.on('nginx -t 2>&1 | grep -c warn || true')).toBe('0')
    })
  })

  it('gives Link to pages of status 200 alone, and never a 103', async () => {
    await both(async (on) => {
      const page = await on.opens(`https://${name}:8443/`)
      expect([on.image, page.statuses]).toEqual([on.image, ['HTTP/2 200']])
      expect(page.heads[0]).toContain(`link: ${links.join(', ')}`)
      for (const path of ['none', 'assets/a%20b.css']) {
        const { heads } = await on.opens(`https://${name}:8443/${path}`)
        expect(heads).toHaveLength(1)
        expect(heads[0]!.toLowerCase()).not.toContain('link:')
      }
    })
  })

  it('tells in the plan that an add_header in a location drops those of the server, where nginx has no merge', async () => {
    await both(async (on) => {
      const { notes } = await on.run([site(on).directives('gzip_vary on;')], { check: true })
      const lost = notes.filter((note) => note.startsWith('The location = /own has an add_header of its own'))
      expect([on.image, lost.length]).toEqual([on.image, on.isOld ? 1 : 0])
      const own = (await on.opens(`https://${name}:8443/own`)).heads[0]!
      expect(own).toContain('x-own: own')
      expect([on.image, own.includes('x-server: here')]).toEqual([on.image, !on.isOld])
    })
  })

  it('logs 499 for a client that goes away, which is nginx’s own word', async () => {
    await both(async (on) => {
      await on.on(`curl -sk -m 0.2 --http1.1 --resolve ${name}:8443:127.0.0.1 https://${name}:8443/gone || true`)
      await expect
        .poll(async () => await on.on('grep /gone /var/log/nginx/access.log || true'), { timeout: 5000 })
        .toMatch(/"GET \/gone HTTP\/1\.1" 499 /)
    })
  })
})

describe('a configuration of nginx that is refused', () => {
  /** The files and the process that serves. */
  const state = (on: Ingress) =>
    on.on("find /etc/nginx -printf '%p %l\\n' -type f -exec cksum {} + | sort; systemctl show -P InvocationID nginx")

  it.each<[string, (on: Ingress) => Task, (on: Ingress) => string]>([
    [
      'with a word that nginx does not know',
      (on) => site(on).directives('bogus on;'),
      () => 'unknown directive "bogus" in /etc/nginx/sites-enabled/lab:',
    ],
    [
      'whose certificate is not there',
      (on) => site(on).tls({ ...tls, certificate: '/etc/ssl/none.pem' }),
      () => 'cannot load certificate "/etc/ssl/none.pem"',
    ],
    [
      'in a file of one’s own under nginxTest()',
      () => file('/etc/nginx/conf.d/zz.conf').content('server {\n').guardedBy(nginxTest()).notify(reload('nginx')),
      () => 'unexpected end of file, expecting "}" in /etc/nginx/conf.d/zz.conf:2',
    ],
  ])('%s is put back, in nginx’s own words, and the old one serves', async (_, task, words) => {
    await both(async (on) => {
      const before = await state(on)
      const { outcomes, failures } = await on.run([task(on)])
      expect([on.image, outcomes]).toEqual([on.image, ['failed']])
      expect(failures[0]).toMatchObject({ code: 'E_GUARD', place: { file: import.meta.filename } })
      expect(failures[0]!.message).toContain(`it was put back: ${words(on)}`)
      expect(await state(on)).toBe(before)
      expect((await on.opens(`https://${name}:8443/`)).statuses).toEqual(['HTTP/2 200'])
    })
  })

  it('by what somebody else wrote lets nothing be changed, and says so', async () => {
    await both(async (on) => {
      await on.on("echo 'broken by hand;' >/etc/nginx/conf.d/broken.conf")
      const before = await state(on)
      const { outcomes, failures } = await on.run([site(on).directives('gzip_vary on;')])
      expect([on.image, outcomes]).toEqual([on.image, ['failed']])
      expect(failures[0]!.message).toMatch(/nginx -t fails without/)
      expect(failures[0]!.message).toContain('unknown directive "broken" in /etc/nginx/conf.d/broken.conf:1')
      expect(await state(on)).toBe(before)
      await on.on('rm /etc/nginx/conf.d/broken.conf')
    })
  })
})

describe('nginxEarlyHints()', () => {
  it('is refused by hop and forward on nginx 1.22, in the plan, with what would work', async () => {
    const on = bookworm()
    const before = await on.on('find /etc -type f -exec cksum {} + | sort | cksum')
    const bare = await on.run([site(on).directives('early_hints $http2;')], { check: true })
    expect(bare.failures).toMatchObject([{ message: 'nginx 1.22.1 does not know early_hints (1.29 and later do).' }])
    for (const task of [
      hinting(on, 'lab', '443').hop(),
      nginxEarlyHints('lab').serverName(name).tls(tls).forward('http://127.0.0.1:3000'),
    ]) {
      const { failures } = await on.run([task], { check: true })
      const route = task.route!
      expect(failures).toMatchObject([
        {
          code: 'E_REFUSED',
          message: `nginx 1.22.1 does not know early_hints (1.29 and later do), so .${route}() cannot send a 103.`,
          hint: expect.stringContaining(
            route === 'hop' ? '.edge() would work here.' : '.edge() works with any nginx; else nginx 1.29 is needed.',
          ),
        },
      ])
    }
    expect(await on.on('find /etc -type f -exec cksum {} + | sort | cksum')).toBe(before)
  })

  it('by edge sends 103 with every link before the page, or a 404; none by HTTP/1 or to what is no navigation', async () => {
    await both(async (on) => {
      await expectConverged(on, [hinting(on, 'lab-edge', '9443').edge()])
      const url = `https://${name}:9443/`
      const page = await on.opens(url)
      expectHints(on, page)
      expect(page.body).toBe('page of https 9443 for 127.0.0.1')
      expect((await on.opens(url, '--http2')).statuses).toEqual(['HTTP/2 200'])
      expect((await on.opens(url, "--http1.1 -H 'Sec-Fetch-Mode: navigate'")).statuses).toEqual(['HTTP/1.1 200 OK'])
      // The hints come before anybody knows what the answer will be.
      expect((await on.opens(`${url}none`)).statuses).toEqual([expect.stringMatching(/^HTTP\/2 103/), 'HTTP/2 404'])
    })
  })

  it('by hop sends it through HAProxy, and pages without it where that is down', async () => {
    const on = sid()
    await expectConverged(on, [hinting(on, 'lab-hop', '443').hop()])
    const page = await on.opens(`https://${name}/`)
    expectHints(on, page)
    expect(page.body).toBe('page of https 443 for 127.0.0.1')
    expect((await on.opens(`https://${name}/`, '--http2')).statuses).toEqual(['HTTP/2 200'])
    await on.on('systemctl stop early-hints-lab-hop')
    expect((await on.opens(`https://${name}/`)).statuses).toEqual(['HTTP/2 200'])
    await on.on('systemctl start early-hints-lab-hop')
  })

  it('by forward passes on what the application sends', async () => {
    const on = sid()
    await on.on(
      'cat >/root/app.php; systemd-run -q --unit=app php /root/app.php',
      `<?php
$server = stream_socket_server('tcp://127.0.0.1:3000');
for ($end = time() + 600; time() < $end; ) {
  if (!$client = @stream_socket_accept($server, 1)) continue;
  for ($scheme = ''; ($line = trim(fgets($client))) !== ''; ) sscanf($line, 'X-Forwarded-Proto: %s', $scheme);
  fwrite($client, "HTTP/1.1 103 Early Hints\\r\\nLink: ${links.join(', ').replaceAll('"', '\\"')}\\r\\n\\r\\n");
  usleep(400000);
  fwrite($client, "HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nConnection: close\\r\\n\\r\\npage of $scheme");
  fclose($client);
}
`,
    )
    const url = `https://${name}:7443/`
    await expectConverged(on, [
      nginxEarlyHints('lab-app').serverName(name).tls(tls).listen('7443').forward('http://127.0.0.1:3000'),
    ])
    expectHints(on, await on.opens(url))
    expect((await on.opens(url, '--http2')).statuses).toEqual(['HTTP/2 200'])
  })

  it('goes, and leaves nothing behind', async () => {
    const on = sid()
    const left = async () => await on.on("find /etc /run -name '*lab-hop*' | wc -l")
    expect(Number(await left())).toBeGreaterThan(6)
    await expectConverged(on, [nginxEarlyHints('lab-hop').absent(), nginxEarlyHints('lab-app').absent()])
    expect(await left()).toBe('0')
    expect(await on.on('ss -Hlt sport = 443 or sport = 7443; systemctl is-active early-hints-lab-hop || true')).toBe(
      'inactive',
    )
    expect((await on.opens(`https://${name}:9443/`)).statuses).toContain('HTTP/2 200')
  })
})

const frontend = haproxyFrontend('https').bind('6443', { certificate: tls.certificate }).forwarded()
const backend = haproxyBackend('web').server('nginx', '127.0.0.1:8443', { tls: 'unverified' })
const ingress = haproxyConfig()
  .frontend(
    frontend
      .preload(css, { as: 'style' })
      .preload(font, { as: 'font', type: 'font/woff2', crossorigin: true })
      .defaultBackend('web'),
  )
  .backend(backend)

describe('HAProxy 2.6 and 3.2', () => {
  const url = `https://${name}:6443/assets/a%20b.css`
  const hints = haproxyEarlyHints('https')
    .preload(css, { as: 'style' })
    .preload(font, { as: 'font', type: 'font/woff2', crossorigin: true })
  const haproxy = service('haproxy').enabled().started()

  /** One 103 with all links, since browsers act on the first only. */
  const expectOne = async (on: Ingress) => {
    const { statuses, heads } = await on.opens(url)
    expect([on.image, statuses]).toEqual([on.image, [expect.stringMatching(/^HTTP\/2 103/), 'HTTP/2 200']])
    expect(heads[0]).toContain(`link: ${links.join(', ')}`)
    expect((await on.opens(url, '--http2')).statuses).toEqual(['HTTP/2 200'])
  }

  it('gets one line of haproxyEarlyHints() in a frontend of somebody else, and sends one 103', async () => {
    await both(async (on) => {
      await on.on(
        'cat >>/etc/haproxy/haproxy.cfg',
        `
frontend https
	bind :6443 ssl crt ${tls.certificate} alpn h2,http/1.1
	default_backend web

backend web
	server nginx 127.0.0.1:8443 ssl verify none
`,
      )
      const before = await on.on('cat /etc/haproxy/haproxy.cfg')
      await expectConverged(on, [hints, haproxy])
      await expectOne(on)
      const now = (await on.on('cat /etc/haproxy/haproxy.cfg')).split('\n')
      expect(now.filter((line) => !line.includes('early-hint')).join('\n')).toBe(before)
      expect((await on.run([haproxyEarlyHints('https').absent()])).failures).toEqual([])
      expect(await on.on('cat /etc/haproxy/haproxy.cfg')).toBe(before)
    })
  })

  it('is whole by haproxyConfig(), with the same hints', async () => {
    await both(async (on) => {
      await expectConverged(on, [ingress, haproxy])
      expect(await on.on('head -n 1 /etc/haproxy/haproxy.cfg')).toContain('haproxyConfig()')
      await expectOne(on)
    })
  })

  it('logs 200 for a client that goes away, since it lets the request end: 499 is no word of its own', async () => {
    await both(async (on) => {
      await on.on(`curl -sk -m 0.2 --http1.1 --resolve ${name}:6443:127.0.0.1 https://${name}:6443/left || true`)
      await expect
        .poll(async () => await on.on('journalctl -u haproxy -o cat | grep /left || true'), { timeout: 5000 })
        .toMatch(/ 200 \d+ .* "GET .*\/left/)
    })
  })

  it('keeps serving with its old configuration where a new one is refused, in its own words', async () => {
    await both(async (on) => {
      const state = 'cksum /etc/haproxy/*; systemctl show -P InvocationID haproxy'
      const before = await on.on(state)
      const broken = [
        haproxyConfig().frontend(frontend.directives('bogus on').defaultBackend('web')).backend(backend),
        haproxyConfig()
          .frontend(frontend.bind('6444', { certificate: '/etc/ssl/none.pem' }).defaultBackend('web'))
          .backend(backend),
      ]
      const words = [/unknown keyword 'bogus' in 'frontend' section/, /\/etc\/ssl\/none\.pem/]
      for (const [i, task] of broken.entries()) {
        const { outcomes, failures } = await on.run([task])
        expect([on.image, outcomes]).toEqual([on.image, ['failed']])
        expect(failures[0]!.place?.file).toBe(import.meta.filename)
        expect(failures[0]!.message).toMatch(/^HAProxy refused this configuration, and it was not put in place: /)
        expect(failures[0]!.message).toMatch(words[i]!)
      }
      const own = file('/etc/haproxy/haproxy.cfg').content('bogus\n').guardedBy(haproxyTest()).notify(reload('haproxy'))
      const { failures } = await on.run([own])
      expect(failures[0]).toMatchObject({ code: 'E_GUARD' })
      expect(failures[0]!.message).toContain('it was put back: parsing [/etc/haproxy/haproxy.cfg:1]')
      expect(await on.on(state)).toBe(before)
      await expectOne(on)
    })
  })
})

describe('http()', () => {
  const expected = { status: 200, protocol: 'HTTP/2', earlyHints: [css, font] } as const
  const asked = (on: Ingress, port: number) => http(`https://${name}:${port}/`).via(on.host.address).insecure()

  it('sees from outside what was promised', async () => {
    await both(async (on) => {
      const { failures, sights } = await on.run([asked(on, 9443).expect(expected)])
      expect([on.image, failures]).toEqual([on.image, []])
      expect(sights).toMatchObject([
        { says: expect.stringMatching(/^HTTP\/2 200 after \d+ ms, 103 after \d+ ms with 2 links$/) },
      ])
    })
  })

  it('fails where a preload header was taken for a hint, with what came', async () => {
    await both(async (on) => {
      const { failures } = await on.run([asked(on, 8443).expect(expected)])
      expect(failures).toMatchObject([
        {
          message: `https://${name}:8443/: no 103 Early Hints came.`,
          hint: 'The final answer does: that is a preload header, which comes too late to be a hint.',
        },
      ])
      const wrong = await on.run([asked(on, 8443).expect({ status: 404, header: { 'X-Server': 'there' } })])
      expect(wrong.failures[0]!.message).toBe(
        `https://${name}:8443/: the status is 200, not 404; the header X-Server is "here", not "there".`,
      )
    })
  })
})

it('has nothing left to change after all that', async () => {
  await both(async (on) => {
    const tasks = [header, plain, site(on), nginx, hinting(on, 'lab-edge', '9443').edge(), ingress]
    const { outcomes, failures } = await on.run(tasks)
    expect([on.image, outcomes, failures]).toEqual([on.image, tasks.map(() => 'ok'), []])
  })
})
