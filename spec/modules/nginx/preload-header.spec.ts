import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { fileAt } from '../../../modules/file.ts'
import { includers, preloadHeader } from '../../../modules/nginx/preload-header.ts'
import { nginxVersion } from '../../../modules/software-version.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { answers } from '../answers.ts'

const map = fileAt('/etc/nginx/conf.d/preload-coaching.conf')
const snippet = fileAt('/etc/nginx/snippets/preload-coaching.conf')
const header = () =>
  preloadHeader('coaching')
    .preload('/a.css', { as: 'style' })
    .preload('/b%20c.woff2', { as: 'font', type: 'font/woff2', crossorigin: true })
const host = (version: string | null, includedBy: readonly string[] = ['/etc/nginx/sites-enabled/coaching']) =>
  mockHost('web1').has(nginxVersion, version).has(includers('/etc/nginx/snippets/preload-coaching.conf'), includedBy)

const texts = async (version: string) => {
  const on = host(version)
  await run([header()], on)
  return [map, snippet].map((place) => {
    const state = on.holds(place)
    return state.type === 'file' && 'text' in state.content ? state.content.text : state.type
  })
}

describe('preloadHeader()', () => {
  it('is a header of pages alone: an empty one is not sent', async () => {
    expect((await texts('1.30.6'))[0]).toBe(`# preloadHeader('coaching') of fleetplay writes this file.
map "$status $sent_http_content_type" $preload_coaching {
    default "";
    "~^200 text/html" '</a.css>; rel=preload; as=style, </b%20c.woff2>; rel=preload; as=font; type="font/woff2"; crossorigin';
}
`)
  })

  it.each([
    ['1.22.1', ''],
    ['1.29.2', ''],
    ['1.29.3', 'add_header_inherit merge;\n'],
    ['1.30.6', 'add_header_inherit merge;\n'],
  ])('keeps the headers around it where nginx %s can', async (version, merge) => {
    expect((await texts(version))[1]).toBe(
      `# preloadHeader('coaching') of fleetplay writes this file.\n${merge}add_header Link $preload_coaching;\n`,
    )
  })

  it('is at rest the second time, and goes without a trace', async () => {
    const on = host('1.30.6')
    const first = await run([header()], on)
    expect(first.changes.map(({ key }) => key)).toEqual([map.key, snippet.key])
    expect(first.reactions.map(({ handler }) => handler)).toEqual(['reload nginx'])
    expect((await run([header()], on)).changes).toEqual([])
    await run([preloadHeader('coaching').absent()], on)
    expect([on.holds(map).type, on.holds(snippet).type]).toEqual(['absent', 'absent'])
  })

  it('tells where it does not count', async () => {
    const notes = async (on: ReturnType<typeof host>) => (await run([header()], on, { check: true })).tasks[0]!.notes
    expect(await notes(host('1.30.6'))).toEqual([])
    expect(await notes(host('1.30.6', []))).toEqual([
      'Nothing includes snippets/preload-coaching.conf now, so no page has the header.',
    ])
    expect(await notes(host('1.22.1'))).toEqual([
      'nginx 1.22.1 sends only the add_header of the innermost block that has any: where /etc/nginx/sites-enabled/coaching includes the snippet beside others, or in a block around them, some are not sent.',
    ])
    const { tasks } = await run([header()], host(null), { check: true })
    expect(tasks[0]!.failure?.message).toBe('nginx is not installed.')
  })

  it('reads who includes it', () => {
    const place = includers('/etc/nginx/snippets/preload-coaching.conf')
    expect(answers([place], { stdout: Buffer.from('conf.d/a.conf\nsites-enabled/b\n') })).toEqual([
      ['/etc/nginx/conf.d/a.conf', '/etc/nginx/sites-enabled/b'],
    ])
    expect(answers([place], {})).toEqual([[]])
  })

  it('is no task where it links to nothing', () => {
    // @ts-expect-error -- nothing is linked to
    const nothing: Task = preloadHeader('a')
    expect(nothing.unfinished).toBe('preloadHeader a links to nothing: .preload() something, or .absent()')
  })

  it.each<[Task, string]>([
    [preloadHeader('a b').absent(), 'the name takes up to 60 of a-z, 0-9 and -'],
    [header().preload('/a$b.css', { as: 'style' }), '"/a$b.css" has a "$": write it as %24'],
    [header().preload('/a.css', { as: 'style' }), '/a.css is preloaded already'],
    [
      preloadHeader('a')
        .preload('/a', { as: 'style' })
        .preload(`/${'x'.repeat(4000)}`, { as: 'style' }),
      'the links come to 4055 bytes, and nginx takes 4000 in one word',
    ],
    [header().absent(), 'it cannot be absent and link to something'],
  ])('refuses before any connection what it cannot take', (task, problem) => {
    expect(task.problems.map(({ message }) => message)).toEqual([`preloadHeader ${task.id}: ${problem}`])
    expect(task.problems[0]!.place?.file).toBe(import.meta.filename)
  })
})
