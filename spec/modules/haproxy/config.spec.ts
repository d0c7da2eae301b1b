import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { haproxyBackend } from '../../../modules/haproxy/backend.ts'
import { haproxyConfig } from '../../../modules/haproxy/config.ts'
import { haproxyFrontend } from '../../../modules/haproxy/frontend.ts'
import { fileAt } from '../../../modules/file.ts'
import { ipv6, listeners } from '../../../modules/listeners.ts'
import { presence } from '../../../modules/presence.ts'
import { haproxyVersion } from '../../../modules/software-version.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const path = '/etc/haproxy/haproxy.cfg'
const certificate = '/etc/haproxy/coaching.pem'
const web = () => haproxyBackend('web').server('web1', '10.0.3.11:80', { check: true })
const https = () => haproxyFrontend('https').bind('443', { certificate }).defaultBackend('web')
const config = () => haproxyConfig().frontend(https()).backend(web())
const host = () => mockHost('edge1').has(presence(certificate), true)
const problems = (task: Pick<Task, 'problems'>) => task.problems.map(({ message }) => message)

/** What a task would write. */
async function textOf(task: Task): Promise<string> {
  const on = host()
  const { tasks } = await run([task], on)
  expect(tasks[0]!.failure).toBeUndefined()
  const state = on.holds(fileAt(path))
  return state.type === 'file' && 'text' in state.content ? state.content.text : state.type
}

/** The lines below a section's own. */
async function section(task: Task, name: string): Promise<readonly string[]> {
  const found = (await textOf(task)).split('\n\n').find((part) => part.startsWith(`${name}\n`))
  return (found ?? '').trimEnd().split('\n    ').slice(1)
}

describe('haproxyConfig()', () => {
  it('is the whole file, and at rest the second time', async () => {
    const on = host()
    const first = await run([config()], on)
    expect(first.changes.map(({ key }) => key)).toEqual([`file:${path}`])
    expect(first.reactions.map(({ handler }) => handler)).toEqual(['reload haproxy'])
    expect(await textOf(config())).toBe(`# haproxyConfig() of fleetplay writes this file.

global
    log /dev/log local0
    log /dev/log local1 notice
    chroot /var/lib/haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin
    stats timeout 30s
    user haproxy
    group haproxy
    daemon
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets

defaults
    mode http
    log global
    option httplog
    option dontlognull
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s

frontend https
    bind 0.0.0.0:443 ssl crt /etc/haproxy/coaching.pem alpn h2,http/1.1
    default_backend web

backend web
    server web1 10.0.3.11:80 check
`)
    expect((await run([config()], on)).changes).toEqual([])
  })

  it('takes process settings and defaults', async () => {
    const task = haproxyConfig()
      .global({ maxconn: 4000, directives: 'nbthread 2\n\n  tune.bufsize 32768\n' })
      .defaults({ timeout: { server: '1.5s', tunnel: '1h', client: '5min' }, directives: 'retries 2' })
      .frontend(https())
      .backend(web())
    expect((await section(task, 'global')).slice(-3)).toEqual(['maxconn 4000', 'nbthread 2', 'tune.bufsize 32768'])
    expect((await section(task, 'defaults')).slice(4)).toEqual([
      'timeout connect 5s',
      'timeout client 300s',
      'timeout server 1500ms',
      'timeout http-request 10s',
      'timeout tunnel 3600s',
      'retries 2',
    ])
  })

  it('lets a frontend answer first, hint then, and lead on last', async () => {
    const task = haproxyConfig()
      .frontend(
        haproxyFrontend('https')
          .bind('443', { certificate })
          .preload('/a%20b.css', { as: 'style' })
          .bind('[::]:443', { certificate })
          .forwarded()
          .preload('/c.js', { as: 'script' })
          .timeout({ client: '5s' })
          .directives('acl api path_beg /api\nuse_backend web if api\nhttp-request deny if { path /private }')
          .defaultBackend('web'),
      )
      .backend(web())
    expect(await section(task, 'frontend https')).toEqual([
      'bind 0.0.0.0:443 ssl crt /etc/haproxy/coaching.pem alpn h2,http/1.1',
      'bind [::]:443 v6only ssl crt /etc/haproxy/coaching.pem alpn h2,http/1.1',
      'timeout client 5s',
      'acl api path_beg /api',
      'http-request set-header X-Real-IP %[src]',
      'http-request set-header X-Forwarded-For %[src]',
      'http-request set-header X-Forwarded-Host %[req.hdr(host)]',
      'http-request set-header X-Forwarded-Proto https if { ssl_fc }',
      'http-request set-header X-Forwarded-Proto http unless { ssl_fc }',
      'http-request deny if { path /private }',
      // One rule, so one 103; not to HTTP/1; a percent sign is doubled, which begins an expression.
      "http-request early-hint Link '</a%%20b.css>; rel=preload; as=style, </c.js>; rel=preload; as=script' if { fc_http_major ge 2 } { req.hdr(sec-fetch-mode) -m str navigate }",
      'use_backend web if api',
      'default_backend web',
    ])
  })

  it('gives a backend its servers, and how they are chosen and checked', async () => {
    const backend = haproxyBackend('web')
      .balance('leastconn')
      .healthCheck('/ping?a=b', { host: 'coaching.example', status: 204 })
      .servers(
        [
          { name: 'web1', address: '10.0.3.11' },
          { name: 'web2', address: '2001:db8::1' },
        ],
        8080,
        {
          check: { every: '500ms', rise: 1, fall: 5 },
        },
      )
      .server('tls', 'origin.internal:443', {
        tls: { authorities: '/etc/ssl/certs/ca-certificates.crt', name: 'origin.internal' },
        maxconn: 10,
        weight: 0,
      })
      .server('self', '127.0.0.1:8443', { tls: 'unverified' })
      .server('spare', 'unix@/run/spare.sock', { backup: true })
      .timeout({ connect: '1s' })
      .directives('option httpclose')
    expect(await section(haproxyConfig().frontend(https()).backend(backend), 'backend web')).toEqual([
      'balance leastconn',
      'option httpchk',
      "http-check send meth GET uri '/ping?a=b' hdr Host coaching.example",
      'http-check expect status 204',
      'timeout connect 1s',
      'option httpclose',
      'server web1 10.0.3.11:8080 check inter 500ms rise 1 fall 5',
      'server web2 [2001:db8::1]:8080 check inter 500ms rise 1 fall 5',
      'server tls origin.internal:443 weight 0 maxconn 10 ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt sni str(origin.internal) verifyhost origin.internal',
      'server self 127.0.0.1:8443 ssl verify none',
      'server spare unix@/run/spare.sock backup',
    ])
  })

  it('speaks tcp where that is said, without HTTP in it', async () => {
    const task = haproxyConfig()
      .defaults({ mode: 'tcp' })
      .frontend(haproxyFrontend('mysql').bind('3306').defaultBackend('db'))
      .frontend(haproxyFrontend('tls').bind('443', { certificate }).defaultBackend('db'))
      .frontend(haproxyFrontend('web').bind('444', { certificate }).speaks('http').defaultBackend('db'))
      .backend(haproxyBackend('db').server('db1', '10.0.3.21:3306'))
    expect(await section(task, 'frontend mysql')).toEqual(['bind 0.0.0.0:3306', 'default_backend db'])
    expect(await section(task, 'frontend tls')).toContain('bind 0.0.0.0:443 ssl crt /etc/haproxy/coaching.pem')
    expect((await section(task, 'frontend web')).slice(0, 2)).toEqual([
      'mode http',
      'bind 0.0.0.0:444 ssl crt /etc/haproxy/coaching.pem alpn h2,http/1.1',
    ])
    expect(await section(task, 'defaults')).toContain('option tcplog')
  })
})

describe('what is told before any connection', () => {
  it('is a chain without an end', async () => {
    // @ts-expect-error -- it listens nowhere
    const nowhere: Task = haproxyConfig().backend(web())
    expect(nowhere.unfinished).toBe('haproxyConfig listens nowhere: give it a frontend')
    // @ts-expect-error -- the frontend has no address
    const deaf = () => haproxyConfig().frontend(haproxyFrontend('http'))
    // @ts-expect-error -- the backend has no server
    const empty = () => haproxyConfig().backend(haproxyBackend('web').balance('first'))
    expect([deaf, empty]).toHaveLength(2)
  })

  it.each<[Task, string | undefined]>([
    [haproxyConfig().frontend(https()), 'the frontend https leads to the backend web, which is not there'],
    [haproxyConfig().frontend(haproxyFrontend('http').bind('80')), 'the frontend http leads nowhere'],
    [
      haproxyConfig().frontend(haproxyFrontend('http').bind('80').directives('http-request redirect scheme https')),
      undefined,
    ],
    [
      config().frontend(
        haproxyFrontend('raw').bind('1').speaks('tcp').preload('/a', { as: 'style' }).defaultBackend('web'),
      ),
      'the frontend raw speaks tcp, and can send no early hints',
    ],
  ])('is a frontend that leads nowhere', (task, problem) => {
    expect(task.unfinished).toBe(problem && `haproxyConfig: ${problem}`)
  })

  const front = () => haproxyFrontend('http').bind('80')
  it.each<[string, Task, string]>([
    [
      'a name',
      config().frontend(haproxyFrontend('a b').bind('80')),
      'haproxyFrontend a b: "a b" is not a name of letters, digits and _.:-',
    ],
    ['a name twice', config().frontend(https()), 'haproxyConfig: the frontend https is said twice'],
    ['a backend twice', config().backend(web()), 'haproxyConfig: the backend web is said twice'],
    [
      'an address',
      config().frontend(haproxyFrontend('http').bind('0')),
      'haproxyFrontend http: "0" is not a port or an address with a port, such as 443 or 10.0.3.11:443',
    ],
    [
      'a certificate',
      config().frontend(haproxyFrontend('http').bind('80', { certificate: 'a.pem' })),
      'haproxyFrontend http: "a.pem" is not an absolute path of letters, digits and _@%+=:,.~-',
    ],
    [
      'a time',
      config().frontend(front().timeout({ client: '0s' })),
      'haproxyFrontend http: 0s is not a whole number of milliseconds from 1ms',
    ],
    [
      'a long time',
      config().frontend(front().timeout({ client: '25d' })),
      'haproxyFrontend http: 25d is longer than HAProxy can count (24 days)',
    ],
    [
      'an early hint of a response',
      config().frontend(front().directives('http-response early-hint Link </a>')),
      'haproxyFrontend http: a response is too late for early hints',
    ],
    [
      'a section in a section',
      config().frontend(front().directives('log global\n  backend web2')),
      'haproxyFrontend http: "backend web2" begins another section',
    ],
    [
      'a password',
      config().backend(haproxyBackend('b').server('a', 'a:1').directives('stats auth admin:s3cret')),
      'haproxyBackend b: a password would be in the configuration, and in every diff of it',
    ],
    [
      'a password that it sends',
      config().backend(
        haproxyBackend('b').server('a', 'a:1').directives('http-request set-header Authorization "Basic aG9yc2U="'),
      ),
      'haproxyBackend b: a password would be in the configuration, and in every diff of it',
    ],
    [
      'a server twice',
      config().backend(haproxyBackend('b').server('a', 'a:1').server('a', 'b:1')),
      'haproxyBackend b: the server a is said twice',
    ],
    [
      'a server',
      config().backend(haproxyBackend('b').server('a', 'a:99999')),
      'haproxyBackend b: "a:99999" is not an address such as 10.0.3.11:80 or unix@/run/app.sock',
    ],
    [
      'a weight',
      config().backend(haproxyBackend('b').server('a', 'a:1', { weight: 257 })),
      'haproxyBackend b: the weight 257 is not a whole number from 0 to 256',
    ],
    [
      'a count',
      config().backend(haproxyBackend('b').server('a', 'a:1', { check: { rise: 0 } })),
      'haproxyBackend b: 0 is not a whole number from 1',
    ],
    [
      'a path to check',
      config().backend(haproxyBackend('b').healthCheck("/it's").server('a', 'a:1')),
      'haproxyBackend b: "/it\'s" is not a path to check',
    ],
    [
      'no hosts',
      config().backend(haproxyBackend('b').servers([], 80)),
      'haproxyBackend b: there is no host to be a server',
    ],
    [
      'connections',
      haproxyConfig().global({ maxconn: 0 }).frontend(https()).backend(web()),
      'haproxyConfig: 0 is not a number of connections',
    ],
    [
      'a time of all',
      haproxyConfig()
        .defaults({ timeout: { queue: '1us' } })
        .frontend(https())
        .backend(web()),
      'haproxyConfig: 1us is not a whole number of milliseconds from 1ms',
    ],
  ])('is %s that it cannot take', (_, task, problem) => {
    expect(problems(task)).toEqual([problem])
    expect(task.problems[0]!.place?.file).toBe(import.meta.filename)
    expect(JSON.stringify(problems(task))).not.toContain('s3cret')
  })

  it('takes a password by its name in the environment', () => {
    const backend = haproxyBackend('b').server('a', 'a:1').directives('stats auth "admin:${STATS_PASSWORD}"')
    expect(problems(config().backend(backend))).toEqual([])
  })
})

describe('what is told in the plan', () => {
  const told = async (on: ReturnType<typeof host>) => {
    const { tasks } = await run([config()], on, { check: true })
    return [tasks[0]!.failure?.message, ...tasks[0]!.notes]
  }

  it('is a host that cannot do it', async () => {
    expect(await told(host().has(haproxyVersion, null))).toEqual(['HAProxy is not installed.'])
    expect(await told(host().has(listeners(443), ['nginx.service']))).toEqual([
      'Port 443 belongs to nginx.service, and HAProxy could not listen on it.',
    ])
    expect(await told(host().has(listeners(443), ['haproxy.service']))).toEqual([undefined])
    expect(await told(host().has(ipv6, false))).toEqual([undefined])
    const six = haproxyConfig().frontend(haproxyFrontend('h').bind('[::]:80').directives('redirect location /a'))
    const { tasks } = await run([six], host().has(ipv6, false), { check: true })
    expect(tasks[0]!.failure?.message).toBe('This host has no IPv6, so nothing can listen on [::].')
  })

  it('is a certificate that is not there yet', async () => {
    expect(await told(host().has(presence(certificate), false))).toEqual([
      undefined,
      `${certificate} is not there now: HAProxy refuses the configuration without it.`,
    ])
  })
})

it('fails in HAProxy’s own words, at the play’s line', async () => {
  const stderr =
    "HAProxy refused this configuration, and it was not put in place: parsing [/etc/haproxy/haproxy.cfg:18] : unknown keyword 'bogus' in 'backend' section"
  const { tasks, reactions } = await run([config()], host().fails(fileAt(path), { stderr }))
  expect(tasks[0]).toMatchObject({ outcome: 'failed', failure: { message: stderr } })
  expect(tasks[0]!.task.place?.file).toBe(import.meta.filename)
  expect(reactions).toEqual([])
})
