import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { fileAt } from '../../../modules/file.ts'
import { ipv6, listeners } from '../../../modules/listeners.ts'
import { siteTest } from '../../../modules/nginx/configuration-test.ts'
import { nginxSite } from '../../../modules/nginx/nginx-site.ts'
import { nginxServers } from '../../../modules/nginx/servers.ts'
import { presence } from '../../../modules/presence.ts'
import { nginxVersion } from '../../../modules/software-version.ts'
import { type MockHost, mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const files = { certificate: '/etc/ssl/c.pem', key: '/etc/ssl/k.pem' } as const
const socket = '/run/php/php8.4-fpm.sock'
const named = () => nginxSite('coaching').serverName('Coaching.example', '*.coaching.example')
const site = () => named().tls(files).root('/var/www').fastcgi(socket)
const host = (version = '1.30.6') =>
  [files.certificate, files.key, socket].reduce(
    (on, path) => on.has(presence(path), true),
    mockHost('web1').has(nginxVersion, version),
  )
const problems = (task: Pick<Task, 'problems'>) => task.problems.map(({ message }) => message)
const available = fileAt('/etc/nginx/sites-available/coaching')
const enabled = fileAt('/etc/nginx/sites-enabled/coaching')

async function textOf(task: Task, on: MockHost = host(), place = available): Promise<string> {
  const { tasks } = await run([task], on)
  expect(tasks[0]!.failure).toBeUndefined()
  const state = on.holds(place)
  return state.type === 'file' && 'text' in state.content ? state.content.text : state.type
}

describe('nginxSite()', () => {
  it('is a file, and the link that lets it count; and at rest the second time', async () => {
    const on = host()
    const first = await run([site()], on)
    expect(first.changes.map(({ key }) => key)).toEqual([available.key, enabled.key])
    expect(on.holds(enabled)).toEqual({ type: 'link', target: '../sites-available/coaching' })
    expect(first.reactions.map(({ handler }) => handler)).toEqual(['reload nginx'])
    expect((await run([site()], on)).changes).toEqual([])
  })

  it('goes link first, and leaves nothing', async () => {
    const on = host()
    await run([site()], on)
    const gone = await run([nginxSite('coaching').absent()], on)
    expect(gone.changes.map(({ key }) => key)).toEqual([enabled.key, available.key])
    expect((await run([nginxSite('coaching').absent()], on)).changes).toEqual([])
  })

  it('lets php-fpm make the pages, and tells it of TLS', async () => {
    expect(
      await textOf(site().directives('client_max_body_size 64m;')),
    ).toBe(`# nginxSite('coaching') of fleetplay writes this file.
server {
    listen 443 ssl;
    listen [::]:443 ssl;
    http2 on;
    server_name coaching.example *.coaching.example;

    ssl_certificate /etc/ssl/c.pem;
    ssl_certificate_key /etc/ssl/k.pem;
    ssl_protocols TLSv1.2 TLSv1.3;

    root /var/www;
    index index.php index.html;

    client_max_body_size 64m;

    location / {
        try_files $uri $uri/ /index.php$is_args$args;
    }

    location ~ /\\.(?!well-known/) {
        return 404;
    }

    location ~ \\.php$ {
        try_files $uri =404;
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
        fastcgi_param HTTPS on;
        fastcgi_param SERVER_PORT 443;
        fastcgi_pass unix:/run/php/php8.4-fpm.sock;
    }
}
`)
  })

  it.each([
    ['1.22.1', 'listen 443 ssl http2;', false],
    ['1.25.0', 'listen 443 ssl http2;', false],
    ['1.25.1', 'listen 443 ssl;', true],
    ['1.30.6', 'listen 443 ssl;', true],
  ])(
    'spells http2 as nginx %s knows it: an unknown word would block all sites, an old one warns',
    async (version, listen, word) => {
      const text = await textOf(site(), host(version))
      expect(text).toContain(`    ${listen}\n`)
      expect(text.includes('http2 on;')).toBe(word)
    },
  )

  it('takes braces and semicolons in quotes for what they are', async () => {
    const json = `add_header X-A ";";\nreturn 200 '}';`
    expect(await textOf(named().location('/a', { directives: json }))).toContain(`        return 200 '}';\n`)
  })

  it('hands on, sends elsewhere, and says what has no word here', async () => {
    const task = named()
      .listen('8080')
      .location('/', { proxy: 'http://127.0.0.1:3000' })
      .location('= /old', { redirect: 'https://$host/new' })
      .location('^~ /tmp/', { redirect: '/', status: 302 })
      .location('/status', { directives: 'stub_status;\ndeny all;' })
    const text = await textOf(task)
    expect(text).toContain('    listen 8080;\n    server_name')
    expect(text).not.toContain('root')
    expect(text).toContain(`    location / {
        proxy_pass http://127.0.0.1:3000;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
    }`)
    expect(text).toContain('    location = /old {\n        return 301 https://$host/new;\n    }')
    expect(text).toContain('    location ^~ /tmp/ {\n        return 302 /;\n    }')
    expect(text).toContain('    location /status {\n        stub_status;\n        deny all;\n    }')
  })

  it('is in conf.d where that is said, and plain files need no php-fpm', async () => {
    const on = host()
    const place = fileAt('/etc/nginx/conf.d/coaching.conf')
    const text = await textOf(named().inConfD().root('/var/www'), on, place)
    expect(text).toContain('    listen 80;\n    listen [::]:80;\n')
    expect(text).toContain('    index index.html;\n')
    expect(text).toContain('try_files $uri $uri/ =404;')
    expect(on.holds(enabled)).toEqual({ type: 'absent' })
    const gone = await run([nginxSite('coaching').inConfD().absent()], on)
    expect(gone.changes.map(({ key }) => key)).toEqual([place.key])
  })

  it('is put back whole where nginx refuses it, in its own words', async () => {
    const stderr = 'unknown directive "bogus" in /etc/nginx/sites-enabled/coaching:17'
    const on = host().fails(siteTest(['coaching.example', '*.coaching.example']), { stderr })
    const { tasks, reactions } = await run([site().directives('bogus on;')], on)
    expect(tasks[0]).toMatchObject({
      outcome: 'failed',
      failure: { code: 'E_GUARD', message: `nginx -t failed after 2 changes, and they were put back: ${stderr}` },
    })
    expect([on.holds(available), on.holds(enabled)]).toEqual([{ type: 'absent' }, { type: 'absent' }])
    expect(reactions).toEqual([])
  })
})

describe('what is told in the plan', () => {
  const told = async (on: MockHost, task: Task = site()) => {
    const { tasks } = await run([task], on, { check: true })
    return [tasks[0]!.failure?.message, ...tasks[0]!.notes]
  }

  it('is a host that cannot serve it', async () => {
    expect(await told(host().has(nginxVersion, null))).toEqual(['nginx is not installed.'])
    expect(await told(host().has(listeners(443), ['haproxy.service']))).toEqual([
      'Port 443 belongs to haproxy.service, and nginx could not listen on it.',
    ])
    // A program that somebody started: nginx -t would pass, and the reload would be lost in a log.
    expect(await told(host().has(listeners(443), ['session-3.scope']))).toEqual([
      'Port 443 belongs to session-3.scope, and nginx could not listen on it.',
    ])
    expect(await told(host().has(ipv6, false))).toEqual(['This host has no IPv6, so nothing can listen on [::].'])
    expect(await told(host().has(ipv6, false), site().listen('443'))).toEqual([undefined])
    const folder = fileAt('/etc/nginx/sites-available')
    expect(await told(host().has(folder, { type: 'absent' }))).toEqual([
      'This nginx has no sites-available, which is Debian’s.',
    ])
  })

  it('is a name that another file gives a server on the same port', async () => {
    const names = ['coaching.example', '*.coaching.example']
    const other = (file: string, port: number) =>
      host().has(nginxServers(names), [{ file, names: ['coaching.example'], ports: [port] }])
    expect(await told(other('/etc/nginx/conf.d/old.conf', 443))).toEqual([
      '/etc/nginx/conf.d/old.conf has a server named coaching.example on port 443 already; nginx would ignore one of the two.',
    ])
    expect(await told(other('/etc/nginx/conf.d/old.conf', 80))).toEqual([undefined])
    expect(await told(other('/etc/nginx/sites-enabled/coaching', 443))).toEqual([undefined])
  })

  it.each([
    ['early_hints $http2;', '1.22.1', 'nginx 1.22.1 does not know early_hints (1.29 and later do).'],
    ['http2 on;', '1.22.1', 'nginx 1.22.1 does not know http2 (1.25.1 and later do).'],
    ['add_header_inherit merge;', '1.29.2', 'nginx 1.29.2 does not know add_header_inherit (1.29.3 and later do).'],
    ['early_hints $http2;\nadd_header_inherit merge;', '1.30.6', undefined],
  ])('is that %s would block all sites on nginx %s', async (text, version, refusal) => {
    const task = named().root('/var/www').directives(text)
    expect((await told(host(version), task))[0]).toBe(refusal)
    const within = named().location('/', { directives: text })
    expect((await told(host(version), within))[0]).toBe(refusal)
  })

  it('is early_hints before php-fpm, which never sends a 103', async () => {
    const hints = 'early_hints $http2;'
    const idle = [
      'early_hints passes on what an HTTP server behind nginx sends, and php-fpm sends no 103: nginxEarlyHints() has routes that do.',
    ]
    const notes = async (task: Task) => (await told(host(), task)).slice(1)
    expect(await notes(site().directives(hints))).toEqual(idle)
    expect(await notes(site().directives(hints).location('/app/', { proxy: 'http://a' }))).toEqual([])
    expect(await notes(site().location('/app/', { directives: `${hints} proxy_pass http://a;` }))).toEqual([])
    expect(await notes(named().tls(files).directives(hints).location('/', { proxy: 'http://a' }))).toEqual([])
  })

  it('is http2_push, which newer ones ignore with a warning', async () => {
    const push = site().directives('http2_push /a.css;')
    expect(await told(host(), push)).toEqual([
      undefined,
      'nginx 1.30.6 ignores http2_push, and pushes nothing: nginxEarlyHints() tells browsers what to load.',
    ])
    expect(await told(host('1.22.1'), push)).toEqual([undefined])
  })

  it('is what others must make yet', async () => {
    expect(await told(host().has(presence(files.key), false).has(presence(socket), false))).toEqual([
      undefined,
      '/etc/ssl/k.pem is not there now: nginx refuses the configuration without it.',
      `${socket} is not there now: pages are answered 502 until php-fpm makes it.`,
    ])
  })

  it('is an add_header of a location, which drops the server’s', async () => {
    const dropping = (server: string, location: string) =>
      site().directives(server).location('/a', { directives: location })
    const lost =
      "The location /a has an add_header of its own, so nginx sends none of the server's there. Say them again in it"
    const own = 'add_header X-A a;'
    expect(await told(host('1.22.1'), dropping('add_header X-B b;', own))).toEqual([undefined, `${lost}.`])
    expect(await told(host(), dropping('add_header X-B b;', own))).toEqual([
      undefined,
      `${lost}, or add_header_inherit merge.`,
    ])
    const merged = `add_header_inherit merge; ${own}`
    expect(await told(host(), dropping('add_header X-B b;', merged))).toEqual([undefined])
    expect(await told(host(), dropping('add_header_inherit merge; add_header X-B b;', own))).toEqual([undefined])
    expect(await told(host(), dropping('gzip on;', own))).toEqual([undefined])
    // The snippet of preloadHeader() is an add_header too, and says «merge» where nginx knows it.
    const snippet = 'include snippets/preload-a.conf;'
    expect(await told(host('1.22.1'), dropping(snippet, own))).toEqual([undefined, `${lost}.`])
    expect(await told(host(), dropping(snippet, own))).toEqual([undefined])
  })
})

describe('what is told before any connection', () => {
  it('is a chain without an end', () => {
    // @ts-expect-error -- it has no name
    const nameless: Task = nginxSite('a')
    // @ts-expect-error -- it answers nothing
    const mute: Task = named().tls(files)
    expect([nameless.unfinished, mute.unfinished]).toEqual([
      'nginxSite a says nothing: .serverName() or .absent()',
      'nginxSite coaching answers nothing: .root() or .location()',
    ])
    expect(named().location('/', { directives: '' }).fastcgi(socket).unfinished).toBe(
      'nginxSite coaching: fastcgi needs the root of the pages',
    )
    expect(site().location('/', { proxy: 'http://a' }).unfinished).toBe(
      'nginxSite coaching: the location / is made by root() already',
    )
  })

  it.each<[string, Task, string]>([
    ['a name', nginxSite('a/b').absent(), 'the name takes letters, digits and _.-'],
    [
      'a server name',
      nginxSite('b').serverName('a;b').root('/a'),
      '"a;b" is not the name of a host, such as coaching.example or *.coaching.example',
    ],
    [
      'a URL for a server name',
      nginxSite('b').serverName('https://b.example/').root('/a'),
      '"https://b.example/" is not the name of a host, such as coaching.example or *.coaching.example',
    ],
    [
      'a server name that no browser sends so',
      nginxSite('b').serverName('Bücher.example').root('/a'),
      '"bücher.example" never comes so from a browser: say xn--bcher-kva.example',
    ],
    [
      'an address',
      named().listen('0').root('/a'),
      '"0" is not a port or an address with a port, such as 443 or 10.0.3.11:443',
    ],
    [
      'a certificate',
      named()
        .tls({ ...files, key: 'k' })
        .root('/a'),
      '"k" is not an absolute path of letters, digits and _@%+=:,.~-',
    ],
    ['a root', named().root('a'), '"a" is not an absolute path of letters, digits and _@%+=:,.~-'],
    ['a socket', named().root('/a').fastcgi('a'), '"a" is not an absolute path of letters, digits and _@%+=:,.~-'],
    [
      'a location',
      named().location('/{}', { redirect: '/' }),
      '"/{}" is not a location such as /api/, = /health or ~ \\.png$',
    ],
    [
      'a location twice',
      named().location('/a', { redirect: '/' }).location('/a', { redirect: '/' }),
      'the location /a is said twice',
    ],
    [
      'a redirect',
      named().location('/a', { redirect: '/; }' }),
      '"/; }" is not a URL to redirect to, such as https://$host$request_uri',
    ],
    [
      'an upstream',
      named().location('/a', { proxy: 'http://a/b' }),
      '"http://a/b" is not an upstream such as http://127.0.0.1:3000 or http://unix:/run/app.sock',
    ],
    [
      'a password',
      site().location('/a', { directives: 'proxy_set_header Authorization "Basic aG9yc2U=";' }),
      'the directives hold a password or token, in a file that all may read; put that line into a file of mode 0600 on the host, and say: include FILE;',
    ],
    ['a brace too many', site().directives('gzip on; }'), 'the directives close a block that they did not open'],
    ['a brace too few', site().directives('location /x { return 404;'), 'the directives leave a block open'],
    [
      'early_hints off, which switches them on,',
      site().directives('early_hints off;'),
      '"early_hints off" switches them on, since any text but 0 does: leave it out, or say "early_hints 0"',
    ],
    [
      'return 103, a final answer without a page,',
      site().location('/a', { directives: "return 103 '';" }),
      '"return 103" ends the answer with it, and no page follows: nginxEarlyHints() sends a 103 before the page',
    ],
    [
      'no semicolon',
      site().location('/a', { directives: 'gzip on' }),
      'the directives do not end with a semicolon: "on"',
    ],
  ])('is %s that it cannot take', (_, task, problem) => {
    expect(problems(task)).toEqual([`nginxSite ${task.id}: ${problem}`])
    expect(task.problems[0]!.place?.file).toBe(import.meta.filename)
  })
})
