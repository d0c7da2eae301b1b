import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import type { Failure } from '../../../errors/failure.ts'
import { aptPackage, phpIni, phpSession } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { knownSettings } from '../../../modules/php/settings-read.ts'
import type { RedisSessions } from '../../../modules/php/session.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const start = () => phpSession('8.4')
const place = fileAt('/etc/php/8.4/fpm/conf.d/99-session.ini')
const problems = (task: { readonly problems: readonly Failure[] }) => task.problems.map(({ message }) => message)

async function written(server?: RedisSessions): Promise<string> {
  const host = mockHost('web1')
  await run(start().redis(server), host)
  const state = host.holds(place)
  return state.type === 'file' && 'text' in state.content ? state.content.text : state.type
}

describe('phpSession()', () => {
  it('is a task only where it is said where sessions are kept', async () => {
    // @ts-expect-error -- no server
    const none: Task = phpSession('8.4')
    await expect(run(none, mockHost('web1'))).rejects.toThrow('phpSession 8.4 says nothing')
  })

  it.each<[RedisSessions | undefined, string]>([
    [undefined, 'session.save_path = tcp://127.0.0.1:6379\n'],
    [{ host: 'cache1', port: 6380, database: 2 }, 'session.save_path = "tcp://cache1:6380?database=2"\n'],
    [
      { host: '::1', prefix: "it's a&b, c:" },
      `session.save_path = "tcp://[::1]:6379?prefix=it%27s%20a%26b%2C%20c%3A"\n`,
    ],
    [{ socket: '/run/redis/r.sock', timeout: '500ms' }, 'session.save_path = "unix:///run/redis/r.sock?timeout=0.5"\n'],
    [{ lifetime: '2h', locking: true }, 'session.gc_maxlifetime = 7200\nredis.session.locking_enabled = On\n'],
  ])('writes %j', async (server, lines) => {
    const text = await written(server)
    expect(text).toMatch(/^session\.save_handler = redis\n/)
    expect(text).toContain(lines)
  })

  it('is at rest, and goes', async () => {
    const host = mockHost('web1')
    await run(start().redis(), host)
    expect((await run(start().redis(), host)).hosts).toEqual({ web1: 'ok' })
    expect((await run(start().absent(), host)).changes.map(({ after }) => after)).toEqual(['absent'])
  })

  it.each<[RedisSessions, string]>([
    [{ host: 'a b' }, '"a b" is not a host name or an address'],
    [{ port: 0 }, '0 is not a port'],
    [{ socket: 'r.sock' }, 'the path "r.sock" must be absolute'],
    [{ socket: '/run/a?b' }, 'the path "/run/a?b" cannot stand in session.save_path'],
    [{ socket: '/run/a', host: 'b' }, 'say a socket, or a host and a port'],
    [{ database: -1 }, '-1 is not the number of a database'],
    [{ timeout: 'soon' as never }, 'timeout: "soon" is not a duration such as 5ms, 90s or 1h'],
    [{ lifetime: '500ms' }, 'lifetime: 500ms is not a whole number of seconds'],
    [{ auth: 'correct horse' } as RedisSessions, 'a password would stand in a file that all may read'],
    [{ password: 'correct horse' } as RedisSessions, 'a password would stand in a file that all may read'],
  ])('refuses %j before any connection', (server, problem) => {
    expect(problems(start().redis(server))).toEqual([`phpSession 8.4: ${problem}`])
  })

  it('is refused where PHP does not say that it has phpredis, unless an earlier task may bring it', async () => {
    const host = mockHost('web1').has(knownSettings('8.4', 'fpm'), [
      'memory_limit',
      'session.save_handler',
      'session.save_path',
    ])
    const { tasks } = await run(start().redis(), host, { check: true })
    expect(tasks[0]!.failure).toMatchObject({
      message: 'The php-fpm of PHP 8.4 has no phpredis, so it would start no session.',
      hint: "Install it in an earlier task: aptPackage('php-redis')",
    })
    const later = await run([aptPackage('php-redis'), start().redis()], host, { check: true })
    expect(later.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
  })

  it('finds another task that writes the same file', async () => {
    const other = phpIni('8.4', 'session').set({ 'session.save_handler': 'files' })
    await expect(run([start().redis(), other], mockHost('web1'))).rejects.toThrow(/disagree on/)
  })
})
