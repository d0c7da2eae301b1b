import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { nginxEarlyHints } from '../../../index.ts'
import { siteTest } from '../../../modules/nginx/configuration-test.ts'
import { placesOf } from '../../../modules/nginx/early-hints-config.ts'
import { nginxServers } from '../../../modules/nginx/servers.ts'
import { listeners } from '../../../modules/listeners.ts'
import { nginxUser } from '../../../modules/nginx/worker-user.ts'
import { presence } from '../../../modules/presence.ts'
import { haproxyVersion, nginxVersion } from '../../../modules/software-version.ts'
import { fileAt } from '../../../modules/file.ts'
import { unit, unitFrom } from '../../../modules/unit.ts'
import { type MockHost, mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const certificate = '/etc/ssl/coaching/fullchain.pem'
const key = '/etc/ssl/coaching/key.pem'
const socket = '/run/php/php8.4-fpm.sock'
const tls = () => nginxEarlyHints('coaching').serverName('coaching.example').tls({ certificate, key })
const site = () =>
  tls()
    .root('/var/www/coaching')
    .fastcgi(socket)
    .preload('/x.min.css', { as: 'style' })
    .preload('/f%20b.woff2', { as: 'font', type: 'font/woff2', crossorigin: true })

const places = placesOf('coaching')
const problems = (task: Pick<Task, 'problems'>) => task.problems.map(({ message }) => message)

/** Debian sid, on which every route is possible. */
const sid = () =>
  [certificate, key, socket].reduce(
    (host, path) => host.has(presence(path), true),
    mockHost('web1').has(nginxVersion, '1.30.6').has(haproxyVersion, '3.2.26'),
  )

function contentOf(host: MockHost, path: string): string {
  const state = host.holds(fileAt(path))
  return state.type === 'file' && 'text' in state.content ? state.content.text : state.type
}

/** Why a host refuses a task, and the remedy. */
async function refusal(task: Task, host: MockHost): Promise<readonly (string | undefined)[]> {
  const { tasks } = await run(task, host, { check: true })
  return [tasks[0]?.failure?.message, tasks[0]?.failure?.hint]
}

describe('the chain', () => {
  it('is no task without a route', async () => {
    // @ts-expect-error -- the route is missing
    const unfinished: Task = site()
    await expect(run(unfinished, sid())).rejects.toMatchObject({
      failures: [
        {
          message: 'nginxEarlyHints coaching says no route: .hop(), .edge() or .forward()',
          place: { file: import.meta.filename },
        },
      ],
    })
  })

  it('does not compile where a route lacks something', () => {
    // @ts-expect-error -- root, fastcgi and preload are missing
    const noPages = () => tls().hop()
    // @ts-expect-error -- preload is missing
    const noLinks = () => tls().root('/var/www').fastcgi(socket).edge()
    // @ts-expect-error -- preload is missing
    const noHints = () => tls().root('/var/www').fastcgi(socket).hop()
    // @ts-expect-error -- tls is missing
    const noTls = () => nginxEarlyHints('a').serverName('a').forward('http://127.0.0.1:3000')
    // @ts-expect-error -- no name
    const noName = () => nginxEarlyHints('a').serverName()
    // @ts-expect-error -- an upstream is a URL
    const noUrl = () => tls().forward('127.0.0.1:3000')
    expect([noPages, noLinks, noHints, noTls, noName, noUrl]).toHaveLength(6)
  })

  it('does not compile so in the declarations of the package either, which leave out what is internal', () => {
    const path = join(import.meta.dirname, '../../../modules/nginx/early-hints.ts')
    const { outputText } = ts.transpileDeclaration(readFileSync(path, 'utf8'), {
      fileName: path,
      compilerOptions: { stripInternal: true },
    })
    expect(outputText).toContain('readonly site: Pick<PhpSite, Said>')
  })

  it.each(['hop', 'edge'] as const)('has a preload before .%s(), where nobody compiles it too', async (route) => {
    const bare = tls().root('/var/www').fastcgi(socket) as unknown as ReturnType<typeof site>
    await expect(run(bare[route](), sid())).rejects.toMatchObject({
      failures: [{ message: 'nginxEarlyHints coaching has no .preload(): nothing to hint' }],
    })
  })

  it('takes its parts in any order, and again', () => {
    const task = nginxEarlyHints('coaching')
      .preload('/x.css', { as: 'style' })
      .fastcgi(socket)
      .root('/var/www/coaching')
      .tls({ certificate, key })
      .serverName('old.example')
      .serverName('Coaching.example', '*.coaching.example')
      .listen('8443')
      .hop()
    expect(problems(task)).toEqual([])
    expect(task.site.serverNames).toEqual(['coaching.example', '*.coaching.example'])
  })

  it.each<[string, () => Task, string]>([
    [
      'a name',
      () => nginxEarlyHints("it's; rm -rf /").serverName('a').tls({ certificate, key }).forward('http://a'),
      'the name takes up to 40 of a-z, 0-9 and -',
    ],
    [
      'a server name',
      () => tls().serverName('a;b').forward('http://a'),
      '"a;b" is not the name of a host, such as coaching.example or *.coaching.example',
    ],
    [
      'a regular expression',
      () => tls().serverName('~^www').forward('http://a'),
      '"~^www" is not the name of a host, such as coaching.example or *.coaching.example',
    ],
    [
      'a relative path',
      () => site().root('www').hop(),
      '"www" is not an absolute path of letters, digits and _@%+=:,.~-',
    ],
    [
      'a path with a brace',
      () => site().root('/var/{}').hop(),
      '"/var/{}" is not an absolute path of letters, digits and _@%+=:,.~-',
    ],
    [
      'a path that climbs',
      () => site().fastcgi('/run/../x').hop(),
      '"/run/../x" is not an absolute path of letters, digits and _@%+=:,.~-',
    ],
    [
      'a certificate',
      () => site().tls({ certificate: '/a b', key }).hop(),
      '"/a b" is not an absolute path of letters, digits and _@%+=:,.~-',
    ],
    [
      'a key',
      () => site().tls({ certificate, key: '' }).hop(),
      '"" is not an absolute path of letters, digits and _@%+=:,.~-',
    ],
    [
      'an address',
      () => site().listen('443', '0.0.0.0:99999').hop(),
      '"0.0.0.0:99999" is not a port or an address with a port, such as 443 or 10.0.3.11:443',
    ],
    [
      'an address of words',
      () => site().listen('localhost:443').hop(),
      '"localhost:443" is not a port or an address with a port, such as 443 or 10.0.3.11:443',
    ],
    ['two ports', () => site().listen('443', '8443').hop(), 'the addresses of a site must have one port'],
    [
      'a URL',
      () => site().preload('x.css', { as: 'style' }).hop(),
      '"x.css" is neither a path from the root of the site nor an https URL',
    ],
    ['a link twice', () => site().preload('/x.min.css', { as: 'fetch' }).hop(), '/x.min.css is preloaded already'],
    [
      'too many links',
      () =>
        site()
          .preload(`/${'x'.repeat(8192)}`, { as: 'style' })
          .hop(),
      "the links come to more than 8192 bytes, too many for a response's head",
    ],
    [
      'an upstream with a path',
      () => tls().forward('http://a/b'),
      '"http://a/b" is not an upstream such as http://127.0.0.1:3000 or http://unix:/run/app.sock',
    ],
    [
      'an upstream that ends the directive',
      () => tls().forward('http://a;'),
      '"http://a;" is not an upstream such as http://127.0.0.1:3000 or http://unix:/run/app.sock',
    ],
    [
      'links beside forward',
      () => site().forward('http://a'),
      'forward() passes on what the application sends; preload, root and fastcgi have no place beside it',
    ],
  ])('refuses %s before any connection', (_, make, problem) => {
    const task = make()
    expect(problems(task)).toHaveLength(1)
    expect(problems(task)[0]).toMatch(/^nginxEarlyHints .*: /)
    expect(problems(task)[0]).toContain(problem)
    expect(task.problems[0]!.place?.file).toBe(import.meta.filename)
  })

  it.each(['http://127.0.0.1:3000', 'https://app', 'http://[::1]:80', 'http://unix:/run/app.sock'] as const)(
    'takes the upstream %s',
    (upstream) => expect(problems(tls().forward(upstream))).toEqual([]),
  )
})

describe('what a host cannot give is refused in the plan', () => {
  it('early_hints before nginx 1.29, with the route that works', async () => {
    const bookworm = () => mockHost('web1').has(nginxVersion, '1.22.1').has(haproxyVersion, '2.6.12')
    expect(await refusal(site().hop(), bookworm())).toEqual([
      'nginx 1.22.1 does not know early_hints (1.29 and later do), so .hop() cannot send a 103.',
      '.edge() would work here.',
    ])
    expect(await refusal(site().hop(), bookworm().has(haproxyVersion, null))).toEqual([
      'nginx 1.22.1 does not know early_hints (1.29 and later do), so .hop() cannot send a 103.',
      '.edge() would work with this nginx, once HAProxy 2.6 or later is installed.',
    ])
    expect(await refusal(tls().forward('http://127.0.0.1:3000'), bookworm())).toEqual([
      'nginx 1.22.1 does not know early_hints (1.29 and later do), so .forward() cannot send a 103.',
      'For pages that php-fpm makes, .edge() works with any nginx; else nginx 1.29 is needed.',
    ])
    expect(await refusal(site().edge(), bookworm())).toEqual([undefined, undefined])
  })

  it.each<[string, (host: MockHost) => MockHost, 'hop' | 'edge', readonly string[]]>([
    [
      'no nginx',
      (host) => host.has(nginxVersion, null),
      'edge',
      ['nginx is not installed.', 'Install the package nginx before this task.'],
    ],
    [
      'no HAProxy',
      (host) => host.has(haproxyVersion, null),
      'hop',
      ['HAProxy is not installed, by which .hop() sends the 103.', 'Install the package haproxy before this task.'],
    ],
    [
      'an old HAProxy',
      (host) => host.has(haproxyVersion, '2.2.9'),
      'edge',
      ['HAProxy 2.2.9 is older than 2.6, the oldest on which .edge() is known to work.'],
    ],
    [
      'other workers',
      (host) => host.has(nginxUser, 'nginx'),
      'hop',
      ["nginx's workers run as nginx here, and could not pass to the sockets, which are for the group www-data."],
    ],
    [
      'no IPv6',
      (host) => host.has(presence('/proc/net/if_inet6', true), false),
      'hop',
      ['This host has no IPv6, so nothing can listen on [::].', "Say .listen('443')."],
    ],
    [
      'a port of another daemon',
      (host) => host.has(listeners(443), ['apache2.service']),
      'hop',
      ['Port 443 belongs to apache2.service, and nginx.service could not listen on it.'],
    ],
    [
      'a port of nginx',
      (host) => host.has(listeners(443), ['nginx.service']),
      'edge',
      [
        'Port 443 belongs to nginx.service, and early-hints-coaching.service could not listen on it.',
        'Let the TLS sites of nginx leave the port first, or choose .hop(), which leaves TLS to nginx.',
      ],
    ],
    [
      'a port of the stock HAProxy',
      (host) => host.has(listeners(443), ['haproxy.service']),
      'edge',
      ['Port 443 belongs to haproxy.service, and early-hints-coaching.service could not listen on it.'],
    ],
    [
      'the name on another server',
      (host) =>
        host.has(nginxServers(['coaching.example']), [
          { file: '/etc/nginx/sites-enabled/old', names: ['coaching.example'], ports: [443] },
        ]),
      'hop',
      [
        '/etc/nginx/sites-enabled/old has a server named coaching.example on port 443 already; nginx would ignore one of the two.',
        'Take the name from one of them.',
      ],
    ],
  ])('%s', async (_, change, route, expected) => {
    expect(await refusal(site()[route](), change(sid()))).toEqual(expect.arrayContaining([...expected]))
  })

  it('and nothing that is fine', async () => {
    const redirect = [{ file: '/etc/nginx/sites-enabled/redirect', names: ['coaching.example'], ports: [80] }]
    const own = [{ file: places.nginxConfig, names: ['coaching.example'], ports: [443] }]
    const other = [{ file: '/etc/nginx/sites-enabled/old', names: ['coaching.example'], ports: [443] }]
    const servers = nginxServers(['coaching.example'])
    const nothing = [undefined, undefined]
    expect(await refusal(site().hop(), sid().has(listeners(443), ['nginx.service']).has(servers, redirect))).toEqual(
      nothing,
    )
    expect(await refusal(site().hop(), sid().has(servers, own))).toEqual(nothing)
    expect(await refusal(site().edge(), sid().has(listeners(443), [places.unit]).has(servers, other))).toEqual(nothing)
    expect(await refusal(site().listen('443').hop(), sid().has(presence('/proc/net/if_inet6', true), false))).toEqual(
      nothing,
    )
    expect(await refusal(tls().forward('http://a'), sid().has(haproxyVersion, null).has(nginxUser, 'nginx'))).toEqual(
      nothing,
    )
  })

  it('a path that is not there yet is a note', async () => {
    const host = sid().has(presence(socket), false).has(presence(key), false)
    const { tasks } = await run(site().edge(), host, { check: true })
    expect(tasks[0]!.notes).toEqual([
      `${key} is not there now: HAProxy refuses the configuration without it.`,
      `${socket} is not there now: pages are answered 502 until php-fpm makes it.`,
    ])
    expect((await run(site().hop(), sid(), { check: true })).tasks[0]!.notes).toEqual([])
  })
})

describe('hop', () => {
  it('is nginx, HAProxy and nginx, and at rest the second time', async () => {
    const host = sid()
    const first = await run(site().hop(), host)
    expect(first.changes.map(({ label, after }) => `${label}: ${after}`)).toEqual([
      '/etc/tmpfiles.d/early-hints-coaching.conf: 2 lines 0644 root:root',
      '/run/early-hints-coaching: directory 0750 haproxy:www-data',
      '/etc/systemd/system/nginx.service.d/early-hints-coaching.conf: 3 lines 0644 root:root',
      '/etc/nginx/conf.d/early-hints-coaching.conf: 71 lines 0644 root:root',
      'nginx.service: enabled, active',
      '/etc/haproxy/early-hints-coaching.cfg: 20 lines 0644 root:root',
      '/etc/systemd/system/early-hints-coaching.service: 25 lines 0644 root:root',
      'early-hints-coaching.service: enabled, active',
    ])
    expect(first.reactions.map(({ handler, outcome }) => `${handler} ${outcome}`)).toEqual([
      'reload early-hints-coaching done',
      'reload nginx done',
    ])
    const second = await run(site().hop(), host)
    expect(second.changes).toEqual([])
    expect(second.reactions).toEqual([])
  })

  it('passes navigations by HTTP/2 through HAProxy, and straight to the origin where that is down', async () => {
    const host = sid()
    await run(site().hop(), host)
    const text = contentOf(host, places.nginxConfig)
    // `early_hints off` would switch it on: any text but 0 does.
    expect(text).toContain('    early_hints $early_hints_coaching;\n')
    expect(text).toContain(
      'map $http_sec_fetch_mode $early_hints_coaching {\n    default  "";\n    navigate $http2;\n}\n',
    )
    expect(text).toContain(`upstream early_hints_coaching_hints {
    server unix:/run/early-hints-coaching/hints.sock;
    server unix:/run/early-hints-coaching/origin.sock backup;
}`)
    expect(text).toContain(
      '    listen 443 ssl;\n    listen [::]:443 ssl;\n    http2 on;\n    server_name coaching.example;\n',
    )
    expect(text).toContain('fastcgi_pass unix:/run/php/php8.4-fpm.sock;')
    // nginx alone never sends a 103: a Link header of its own would only come with the page.
    expect(text).not.toContain('add_header')
  })

  it('gives HAProxy consecutive rules without a condition, which are one 103', async () => {
    const host = sid()
    await run(site().hop(), host)
    expect(contentOf(host, places.haproxyConfig)).toContain(`frontend early-hints
    bind unix@/run/early-hints-coaching/hints.sock mode 666
    http-request early-hint Link '</x.min.css>; rel=preload; as=style'
    http-request early-hint Link '</f%%20b.woff2>; rel=preload; as=font; type="font/woff2"; crossorigin'
    default_backend origin

backend origin
    server nginx unix@/run/early-hints-coaching/origin.sock
`)
    expect(contentOf(host, places.unitFile)).toContain('\nUser=haproxy\nGroup=haproxy\n')
  })

  it('lets others not pass to the sockets, and nginx start after it was killed', async () => {
    const host = sid()
    await run(site().hop(), host)
    expect(contentOf(host, places.tmpfiles)).toContain('\nd /run/early-hints-coaching 0750 haproxy www-data -\n')
    expect(host.holds(fileAt('/run/early-hints-coaching'))).toEqual({
      type: 'directory',
      mode: '0750',
      owner: 'haproxy',
      group: 'www-data',
    })
    expect(contentOf(host, places.nginxDropIn)).toContain(
      'ExecStartPre=-/bin/rm -f /run/early-hints-coaching/origin.sock\n',
    )
  })

  it('tells the application the port and the client', async () => {
    const host = sid()
    await run(site().listen('192.0.2.1:8443').hop(), host)
    const text = contentOf(host, places.nginxConfig)
    expect(text).toContain('    listen 192.0.2.1:8443 ssl;\n    http2 on;\n')
    expect(text).toContain('fastcgi_param SERVER_PORT 8443;')
    expect(text).toContain('proxy_set_header X-Real-IP $remote_addr;')
    expect(text).toContain('set_real_ip_from unix:;\n    real_ip_header X-Real-IP;')
  })
})

describe('edge', () => {
  it('is HAProxy with TLS before nginx', async () => {
    const host = sid().has(nginxVersion, '1.22.1').has(haproxyVersion, '2.6.12')
    const result = await run(site().edge(), host)
    expect(result.hosts).toEqual({ web1: 'changed' })
    expect(host.holds(fileAt(places.certificate))).toEqual({ type: 'link', target: certificate })
    expect(host.holds(fileAt(places.key))).toEqual({ type: 'link', target: key })
    expect(contentOf(host, places.haproxyConfig)).toContain(`frontend early-hints
    bind 0.0.0.0:443 ssl crt /etc/haproxy/early-hints-coaching.pem alpn h2,http/1.1
    bind [::]:443 v6only ssl crt /etc/haproxy/early-hints-coaching.pem alpn h2,http/1.1
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto https
    use_backend navigation if { fc_http_major 2 } { req.hdr(sec-fetch-mode) -m str navigate }
    default_backend origin

backend navigation
    http-request early-hint Link '</x.min.css>; rel=preload; as=style'
`)
    // nginx 1.22 would refuse its whole configuration for one word of it.
    expect(contentOf(host, places.nginxConfig)).not.toMatch(/early_hints |http2|listen (?!unix:)/)
    expect(contentOf(host, places.unitFile)).not.toContain('User=')
    expect((await run(site().edge(), host)).changes).toEqual([])
  })

  it('has nginx answer before HAProxy listens', async () => {
    const { changes } = await run(site().edge(), sid())
    const keys = changes.map((change) => change.key)
    expect(keys.indexOf(unit('nginx.service').key)).toBeLessThan(keys.indexOf(unit(places.unit).key))
  })
})

describe('forward', () => {
  it('is nginx alone', async () => {
    const host = sid()
    const result = await run(tls().forward('http://127.0.0.1:3000'), host)
    expect(result.changes.map(({ key }) => key)).toEqual([`file:${places.nginxConfig}`, 'unit:nginx.service'])
    expect(result.reactions.map(({ handler }) => handler)).toEqual(['reload nginx'])
    const text = contentOf(host, places.nginxConfig)
    expect(text).toContain('        proxy_pass http://127.0.0.1:3000;\n')
    expect(text).toContain('        proxy_http_version 1.1;\n')
    expect(text).not.toContain('unix:')
  })
})

describe('absent', () => {
  const absent = nginxEarlyHints('coaching').absent()

  it('takes the site from nginx before its HAProxy goes, so that nginx never points to nothing', async () => {
    const host = sid()
    await run(site().hop(), host)
    host.has(unitFrom(places.unit, places.unitFile), { enabled: 'enabled', active: true })
    const { changes, tasks, reactions } = await run(absent, host)
    expect(changes.map(({ label, after }) => `${label}: ${after}`)).toEqual([
      '/etc/nginx/conf.d/early-hints-coaching.conf: absent',
      'early-hints-coaching.service: stopped and disabled',
      '/etc/systemd/system/early-hints-coaching.service: absent',
      '/etc/haproxy/early-hints-coaching.cfg: absent',
      '/etc/systemd/system/nginx.service.d/early-hints-coaching.conf: absent',
      '/run/early-hints-coaching: absent',
      '/etc/tmpfiles.d/early-hints-coaching.conf: absent',
    ])
    expect(tasks[0]!.notes).toEqual([
      'Its requests fail from now on, some with a 502 until nginx is reloaded at the end of the play.',
    ])
    expect(reactions.map(({ handler }) => handler)).toEqual(['reload nginx'])
    expect((await run(absent, host)).changes).toEqual([])
  })

  it('goes by edge and by forward too, and is nothing where nothing is', async () => {
    const host = sid()
    await run(site().edge(), host)
    const gone = (await run(absent, host)).changes.map(({ label }) => label)
    expect(gone).toEqual(expect.arrayContaining([places.certificate, places.key, places.nginxConfig]))
    await run(tls().forward('http://a'), host)
    expect((await run(absent, host)).changes.map(({ label }) => label)).toEqual([places.nginxConfig])
    expect((await run(absent, mockHost('web1').has(nginxVersion, null))).changes).toEqual([])
  })

  it('cannot be something', () => {
    expect(tls().absent().unfinished).toBe('nginxEarlyHints coaching cannot be absent and be something')
    expect(problems(nginxEarlyHints('a b').absent())).toEqual([
      'nginxEarlyHints a b: the name takes up to 40 of a-z, 0-9 and -',
    ])
  })
})

it('is put back where nginx refuses it, in its words, and nothing is reloaded', async () => {
  const stderr = 'unknown directive "bogus" in /etc/nginx/conf.d/x.conf:1'
  const host = sid().fails(siteTest(['coaching.example']), { stderr })
  const { tasks, reactions } = await run(site().hop(), host)
  expect(tasks[0]).toMatchObject({
    outcome: 'failed',
    failure: {
      code: 'E_GUARD',
      message: `nginx -t failed after ${places.nginxConfig}, and it was put back: ${stderr}`,
    },
  })
  expect(host.holds(fileAt(places.nginxConfig))).toEqual({ type: 'absent' })
  expect(reactions).toEqual([])
})
