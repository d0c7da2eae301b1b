import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { presence } from '../../modules/presence.ts'
import { atLeast, haproxyVersion, nginxVersion } from '../../modules/software-version.ts'
import { answers } from './answers.ts'
import { Real, realShells } from './real.ts'

const fixture = (name: string) => readFileSync(new URL(`../fixtures/nginx/${name}.out`, import.meta.url), 'utf8')

/** What a place makes of what a host printed: a value, or the code of why there is none. */
function told<T>(place: Resource<T>, stdout: string, status = 0): T | string {
  const [answer] = answers([place], { status, stdout: Buffer.from(stdout) })
  return answer instanceof Failure ? answer.code : answer!
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

describe.each(realShells)('asked by $title', ({ name, there }) => {
  const real = there ? new Real(name) : undefined
  afterAll(() => real?.remove())

  it.skipIf(!there)(
    'finds programs and paths, in one batch, though nginx tells its version on standard error',
    async () => {
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
    },
  )
})
