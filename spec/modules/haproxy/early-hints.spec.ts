import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { haproxyEarlyHints } from '../../../modules/haproxy/early-hints.ts'
import { fileAt } from '../../../modules/file.ts'
import { haproxyVersion } from '../../../modules/software-version.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const path = '/etc/haproxy/haproxy.cfg'
const debian = readFileSync(new URL('../../fixtures/haproxy/debian.cfg', import.meta.url), 'utf8')
const https = `
frontend https
	bind :443 ssl crt /etc/haproxy/site.pem alpn h2,http/1.1
	http-request deny if { path_beg /private }

	# Everything else.
	use_backend api if { path_beg /api }
	default_backend web

backend web
	server web1 10.0.3.11:80
`

const hints = () =>
  haproxyEarlyHints('https')
    .preload('/x.min.css', { as: 'style' })
    .preload('/f%20b.woff2', { as: 'font', type: 'font/woff2', crossorigin: true })
const rule =
  'http-request early-hint Link \'</x.min.css>; rel=preload; as=style, </f%%20b.woff2>; rel=preload; as=font; type="font/woff2"; crossorigin\' if { fc_http_major ge 2 } { req.hdr(sec-fetch-mode) -m str navigate } # haproxyEarlyHints() of fleetplay'

const host = (text = debian + https) =>
  mockHost('edge1').has(fileAt(path), { type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' })
const textOn = (on: ReturnType<typeof host>) => {
  const state = on.holds(fileAt(path))
  return state.type === 'file' && 'text' in state.content ? state.content.text : state.type
}
const after = async (task: Task, text: string) => {
  const on = host(text)
  const { tasks } = await run([task], on)
  return tasks[0]!.failure ? [tasks[0]!.failure.message, tasks[0]!.failure.hint] : textOn(on)
}

describe('haproxyEarlyHints()', () => {
  it('owns one line: a rule for each link would be a 103 for each, and browsers act on the first', async () => {
    const on = host()
    const first = await run([hints()], on)
    expect(first.changes.map(({ key }) => key)).toEqual([`file:${path}`])
    expect(first.reactions.map(({ handler }) => handler)).toEqual(['reload haproxy'])
    const line = '	http-request deny if { path_beg /private }\n'
    expect(textOn(on)).toBe((debian + https).replace(line, `${line}	${rule}\n`))
    expect((await run([hints()], on)).changes).toEqual([])
  })

  it('is said otherwise in its place, and goes without a trace', async () => {
    const on = host()
    await run([hints()], on)
    // Somebody has written a rule behind ours: it stays behind.
    const moved = textOn(on).replace(`${rule}\n`, `${rule}\n	http-request set-header X-A b\n`)
    const other = await after(haproxyEarlyHints('https').preload('/y.css', { as: 'style' }), moved)
    expect(other).toMatch(/Link '<\/y\.css>; rel=preload; as=style' if .*\n\thttp-request set-header X-A b\n/)
    expect(await after(haproxyEarlyHints('https').absent(), textOn(on))).toBe(debian + https)
  })

  it.each<[string, string, string]>([
    [
      'in front of what leads on',
      'frontend https\n  bind :80\n  use_backend a if { path / }\n',
      '  bind :80\n  RULE\n  use_backend',
    ],
    [
      'behind all else',
      'frontend https\n  bind :80\n  option httplog\n\n# end\nbackend b\n',
      'httplog\n  RULE\n\n# end',
    ],
    ['in a listen section', 'listen https\n  bind :80\n  server a 10.0.0.1:80\n', '  bind :80\n  RULE\n  server'],
    ['in a file without an end', 'frontend https\n  bind :80', 'frontend https\n  bind :80\n  RULE\n'],
    ['in an empty one', 'frontend https\n', 'frontend https\n    RULE\n'],
  ])('stands %s', async (_, section, expected) => {
    expect(await after(hints(), `defaults\n  mode http\n${section}`)).toContain(expected.replace('RULE', rule))
  })

  it('keeps the ends of lines that the file has', async () => {
    const text = await after(hints(), 'defaults\r\n  mode http\r\nfrontend https\r\n  bind :80\r\n')
    expect(text).toBe(`defaults\r\n  mode http\r\nfrontend https\r\n  bind :80\r\n  ${rule}\r\n`)
  })

  it.each<[string, string, readonly (string | undefined)[]]>([
    [
      'a frontend that is not there',
      `${debian}\nfrontend http\n  bind :80\nlisten stats\n  bind :81\n`,
      ['/etc/haproxy/haproxy.cfg has no frontend https.', 'It has http, stats.'],
    ],
    ['none at all', debian, ['/etc/haproxy/haproxy.cfg has no frontend https.', 'It has none at all.']],
    [
      'one that speaks tcp',
      `${debian}\nfrontend https\n  mode tcp\n  bind :443\n`,
      ['The frontend https speaks tcp, and can send no 103.', undefined],
    ],
    [
      'one whose defaults do not say: HAProxy speaks tcp then',
      'frontend https\n  bind :443\n',
      ['The frontend https speaks tcp, and can send no 103.', undefined],
    ],
    [
      'defaults by name',
      'defaults raw\n  mode tcp\ndefaults web\n  mode http\nfrontend https from raw\n  bind :443\n',
      ['The frontend https speaks tcp, and can send no 103.', undefined],
    ],
    [
      'hints of somebody else',
      `${debian}\nfrontend https\n  bind :443\n  http-request early-hint Link </a.css>\n`,
      [
        'The frontend https has early hints that somebody else wrote, and browsers act on the first 103 only.',
        'Take them out of /etc/haproxy/haproxy.cfg, and say them with .preload().',
      ],
    ],
  ])('refuses %s in the plan', async (_, text, failure) => {
    expect(await after(hints(), text)).toEqual(failure)
  })

  it('refuses a host without HAProxy, and one that is too old', async () => {
    const refusal = async (version: string | null) => {
      const { tasks } = await run([hints()], host().has(haproxyVersion, version), { check: true })
      return tasks[0]!.failure?.message
    }
    expect(await refusal(null)).toBe('HAProxy is not installed.')
    expect(await refusal('2.2.9')).toBe(
      'HAProxy 2.2.9 is older than 2.6, the oldest by which early hints are known to work.',
    )
    expect(await refusal('2.6.12')).toBeUndefined()
  })

  it.each<[string, string, boolean]>([
    ['bind :443 ssl crt /a.pem alpn h2,http/1.1', '2.6.12', true],
    ['bind :443 ssl crt /a.pem', '3.2.26', true],
    ['bind :443 ssl crt /a.pem', '2.6.12', false],
    ['bind :443 ssl crt /a.pem alpn http/1.1', '3.2.26', false],
    ['bind :80', '3.2.26', false],
  ])('notes where clients cannot speak HTTP/2: %s on %s', async (bind, version, fine) => {
    const text = `${debian}\nfrontend https\n  ${bind}\n  default_backend web\n`
    const { tasks } = await run([hints()], host(text).has(haproxyVersion, version), { check: true })
    expect(tasks[0]!.notes).toEqual(
      fine ? [] : ['The frontend https does not offer HTTP/2 everywhere (alpn h2): clients of HTTP/1.1 get no hints.'],
    )
  })

  it('leaves what is absent absent', async () => {
    const absent = haproxyEarlyHints('https').absent()
    expect(await after(absent, debian)).toBe(debian)
    expect((await run([absent], mockHost('edge1'))).changes).toEqual([])
  })

  it('is no task where nothing is said', () => {
    // @ts-expect-error -- nothing is hinted at
    const nothing: Task = haproxyEarlyHints('https')
    expect(nothing.unfinished).toBe('haproxyEarlyHints https hints at nothing: .preload() something, or .absent()')
  })

  it.each<[Task, string]>([
    [haproxyEarlyHints('a b').absent(), '"a b" is not a name of letters, digits and _.:-'],
    [hints().preload('x.css', { as: 'style' }), '"x.css" is neither a path from the root of the site nor an https URL'],
    [hints().preload('/x.min.css', { as: 'style' }), '/x.min.css is preloaded already'],
    [hints().absent(), 'it cannot be absent and hint at something'],
  ])('refuses before any connection what it cannot take', (task, problem) => {
    expect(task.problems.map(({ message }) => message)).toEqual([`haproxyEarlyHints ${task.id}: ${problem}`])
    expect(task.problems[0]!.place?.file).toBe(import.meta.filename)
  })
})
