import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { Resource } from '../../../dsl/resource.ts'
import { Failure } from '../../../errors/failure.ts'
import { serversOf } from '../../../modules/nginx/servers.ts'
import {
  atLeast,
  haproxyVersion,
  listeners,
  nginxUser,
  nginxVersion,
  presence,
} from '../../../modules/nginx/software.ts'
import { Real, realShells } from '../real.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/nginx/${name}.out`, import.meta.url), 'utf8')

/** What a place is told to be from an answer of a host. */
function told<T>({ read }: Resource<T>, stdout: string, status = 0): unknown {
  const output = { status, stdout: Buffer.from(stdout), stderr: '' }
  try {
    const answers = read.questions.flatMap(({ collector, asked }) => collector.answers(output, [asked]))
    return answers[0] instanceof Failure ? answers[0].code : read.parse(answers)
  } catch (error) {
    return (error as Failure).code
  }
}

describe('versions', () => {
  it.each(['bookworm', 'sid'])('reads those of %s', (image) => {
    const [nginx, haproxy] = { bookworm: ['1.22.1', '2.6.12'], sid: ['1.30.6', '3.2.26'] }[image]!
    expect(told(nginxVersion, `# nginx\n${fixture(`${image}-nginx`)}`)).toBe(nginx)
    expect(told(haproxyVersion, `# haproxy\n${fixture(`${image}-haproxy`)}`)).toBe(haproxy)
  })

  it('tells what is not installed from what is not understood', () => {
    expect(told(nginxVersion, '# nginx\n')).toBeNull()
    expect(told(nginxVersion, '# nginx\nSegmentation fault\n')).toBe('E_PROBE_UNPARSABLE')
    expect(told(nginxVersion, '')).toBe('E_PROBE_UNPARSABLE')
  })

  it.each([
    ['1.30.6', '1.29', true],
    ['1.29.0', '1.29', true],
    ['1.22.1', '1.29', false],
    ['2.0', '1.29', true],
    ['2.6', '2.6', true],
    ['2.6.12', '2.6', true],
    ['2.10', '2.6', true],
    ['1.3', '1.29', false],
  ])('knows whether %s is at least %s', (version, least, is) => {
    expect(atLeast(version, least)).toBe(is)
  })
})

describe('listeners()', () => {
  it('names the units on a port, each once', () => {
    expect(told(listeners(443), fixture('sid-ss'))).toEqual(['nginx.service'])
    expect(told(listeners(443), fixture('bookworm-ss'))).toEqual(['early-hints-coaching.service'])
    expect(told(listeners(3306), fixture('bookworm-ss'))).toEqual(['mariadb.socket'])
    expect(told(listeners(43), fixture('sid-ss'))).toEqual([])
  })

  it('knows no unit where the kernel does not tell, and none where ss is missing', () => {
    expect(told(listeners(443), 'LISTEN 0 511 0.0.0.0:443 0.0.0.0:* cgroup:unreachable:1\n')).toEqual([])
    expect(told(listeners(443), 'LISTEN 0 511 0.0.0.0:443 0.0.0.0:*\n')).toEqual([])
    expect(told(listeners(443), '', 127)).toEqual([])
    expect(told(listeners(443), '', 1)).toBe('E_PROBE_UNPARSABLE')
  })
})

it('reads the user of the workers', () => {
  expect(told(nginxUser, 'www-data;\n')).toBe('www-data')
  expect(told(nginxUser, 'nginx\n')).toBe('nginx')
  expect(told(nginxUser, '\n')).toBe('www-data')
})

describe('serversOf()', () => {
  it('reads names and ports through comments, quotes and blocks', () => {
    const text = `# server { server_name commented; }
upstream php { server unix:/run/php.sock; server 10.0.0.1:9000; }
server {
  listen 443 ssl; listen [::]:443 ssl; # server_name not.this;
  server_name Coaching.example "www.coaching.example";
  location ~ "^/a{2};}$" { return 200 'server { listen 1; }'; }
  if ($host = x) { return 301 https://\${host}/; }
}
server { listen 10.0.0.1; server_name a; }
server { listen 10.0.0.1:8080 default_server; listen unix:/run/x.sock; server_name b; }
server { listen unix:/run/x.sock; server_name c; }
server { server_name d; }`
    expect(serversOf('/f', text)).toEqual([
      { file: '/f', names: ['coaching.example', 'www.coaching.example'], ports: [443] },
      { file: '/f', names: ['a'], ports: [80] },
      { file: '/f', names: ['b'], ports: [8080] },
      { file: '/f', names: ['c'], ports: [] },
      { file: '/f', names: ['d'], ports: [80] },
    ])
  })

  it('makes nothing of what is torn', () => {
    expect(serversOf('/f', 'server { listen 443; server_name a')).toEqual([])
    expect(serversOf('/f', '} } "')).toEqual([])
  })
})

describe.each(realShells)('asked by $title', ({ name, there }) => {
  const real = there ? new Real(name) : undefined
  afterAll(() => real?.remove())

  it.skipIf(!there)('finds programs and paths, in one batch', async () => {
    real!.tools.program('nginx', 'echo nginx version: nginx/1.30.6 >&2')
    real!.tools.program('haproxy', 'echo HAProxy version 3.2.26-1 2026/10/14')
    const host = real!.host()
    const places = [nginxVersion, haproxyVersion, presence(real!.root), presence(real!.path("no'such"))]
    await host.facts(undefined)
    const before = host.trips
    const results = await host.read(places as readonly Resource<unknown>[], undefined)
    expect(results.map((result) => ('value' in result ? result.value : result.failure))).toEqual([
      '1.30.6',
      '3.2.26',
      true,
      false,
    ])
    expect(host.trips - before).toBe(1)
    await host.close()
  })
})
