import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { aptPackage, file as fileTask, phpFpm, phpFpmPool, sysctl } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { kernelParameter } from '../../../modules/kernel-parameter.ts'
import { listeningSocket } from '../../../modules/listening-socket.ts'
import { settingOf } from '../../../modules/php/ini-sections.ts'
import { unit } from '../../../modules/unit.ts'
import { control } from '../../../modules/unit-control.ts'
import type { FileState } from '../../../probe/file.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/php-fpm/${name}`, import.meta.url), 'utf8')
const file = (text: string): FileState => ({
  type: 'file',
  content: { text },
  mode: '0644',
  owner: 'root',
  group: 'root',
})
const pool = fileAt('/etc/php/8.4/fpm/pool.d/www.conf')
const global = fileAt('/etc/php/8.4/fpm/php-fpm.conf')
const dropIn = fileAt('/etc/systemd/system/php8.4-fpm.service.d/socket-activation.conf')
const socketUnit = fileAt('/etc/systemd/system/php8.4-fpm.socket')
const socket = listeningSocket('php8.4-fpm.socket', 'php8.4-fpm.service')
const service = unit('php8.4-fpm.service')
const somaxconn = kernelParameter('net.core.somaxconn')
const path = '/run/php/php8.4-fpm.sock'

/** Debian's php-fpm, which runs. */
const web = (listen = path) =>
  mockHost('web1')
    .has(pool, file(fixture('www.conf').replace(`listen = ${path}\n`, `listen = ${listen}\n`)))
    .has(global, file(fixture('php-fpm.conf')))
    .has(service, { enabled: 'enabled', active: true })
    .has(somaxconn, '4096')
const text = (host: ReturnType<typeof web>, place: typeof pool) => {
  const state = host.holds(place)
  return state.type === 'file' && 'text' in state.content ? state.content.text : undefined
}
const problems = (task: Task) => task.problems.map(({ message }) => message)
const activation = phpFpm('8.4').socketActivation()
const plan = async (task: Task, host: ReturnType<typeof web>) => (await run(task, host, { check: true })).tasks[0]!

describe('phpFpm().socketActivation()', () => {
  it('is what finishes the sentence', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = phpFpm('8.4')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(/says nothing/)
  })

  it('writes by the recipe that works, and is at rest then', async () => {
    const host = web()
    const result = await run(activation, host)
    // `listen` is a key of FPM_SOCKETS, and no path that is there: php-fpm removes that when it ends.
    expect(settingOf(text(host, pool)!, 'www', 'listen')).toBe(`${path}.activated`)
    expect(settingOf(text(host, global)!, 'global', 'process_control_timeout')).toBe('10s')
    // A drop-in: what the package brings in its unit stays.
    expect(text(host, dropIn)).toBe(`[Unit]
Requires=php8.4-fpm.socket
After=php8.4-fpm.socket

[Service]
Environment=FPM_SOCKETS=${path}.activated=3
KillSignal=SIGQUIT
`)
    expect(text(host, socketUnit)).toBe(`[Unit]
Description=Socket of php8.4-fpm.service

[Socket]
ListenStream=${path}
SocketUser=www-data
SocketGroup=www-data
SocketMode=0660
Backlog=4096

[Install]
WantedBy=sockets.target
`)
    expect(host.holds(socket)).toEqual({
      enabled: 'enabled',
      listening: { [path]: { backlog: 4096, file: { mode: '0660', owner: 'www-data', group: 'www-data' } } },
    })
    // What it was started with is what it was given: the first restart is the one that breaks the naive way.
    expect(result.reactions.map(({ handler }) => handler)).toContain('restart php8.4-fpm')
    expect((await run(activation, host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it('tests the files before the switch, and switches last', async () => {
    const result = await run(activation, web(), { check: true })
    expect(result.changes.map(({ label }) => label.replace(/^.*\//, ''))).toEqual([
      'php8.4-fpm.socket',
      'www.conf',
      'php-fpm.conf',
      'php8.4-fpm.service.d',
      'socket-activation.conf',
      'php8.4-fpm.socket',
    ])
    const tested = activation.wishes.flatMap(({ resource, guard }) => (guard ? [[resource.key, guard.name]] : []))
    expect(tested).toEqual([
      [socketUnit.key, 'test of php8.4-fpm.socket'],
      [pool.key, 'php-fpm8.4 -t'],
      [global.key, 'php-fpm8.4 -t'],
    ])
    // A socket is not started while its service runs («already active, refusing»): stop, start the one, start the other.
    const script = socket.write!(host().listening, null).text.replace(control.text, '')
    expect(script).toMatch(
      /systemctl stop -- php8\.4-fpm\.service[^]*go restart php8\.4-fpm\.socket[^]*go start php8\.4-fpm\.service/,
    )
    function host() {
      return { listening: { enabled: 'enabled' as const, listening: { [path]: { backlog: 1, file: null } } } }
    }
  })

  it('touches nothing of php-fpm where systemd could not have the socket', async () => {
    const { guard } = activation.wishes.find(({ resource }) => resource.key === socketUnit.key)!
    const said = 'There is no user www-data on this host, to own the socket.'
    const host = web().fails(guard!, { stderr: `${said}\n` })
    const result = await run(activation, host)
    expect(result.tasks[0]!.failure).toMatchObject({
      code: 'E_GUARD',
      message: expect.stringContaining(said) as string,
    })
    expect([text(host, pool), text(host, global)]).toEqual([fixture('www.conf'), fixture('php-fpm.conf')])
    expect([host.holds(socketUnit).type, host.holds(dropIn).type]).toEqual(['absent', 'absent'])
    expect(result.reactions).toEqual([])
  })

  it('announces the window only when it is about to happen', async () => {
    const host = web()
    const window = `php8.4-fpm is stopped once while ${path} changes hands: requests fail for a second or two.`
    expect((await plan(activation, host)).notes).toEqual([window])
    await run(activation, host)
    expect((await plan(activation, host)).notes).toEqual([])
    expect((await plan(phpFpm('8.4').socketActivation('off'), host)).notes).toEqual([window])
    const stopped = web().has(service, { enabled: 'enabled', active: false })
    expect((await plan(activation, stopped)).notes).toEqual([])
  })

  it('tells the backlog that the kernel lets be, which an earlier task may raise', async () => {
    const large = phpFpm('8.4').socketActivation({ backlog: 65_536 })
    expect((await plan(large, web())).notes).toContain(
      "The kernel lets 4096 connections wait, not 65536: it is this host's net.core.somaxconn.",
    )
    const raised = [sysctl('99-backlog').set('net.core.somaxconn', 65_536), large]
    expect((await run(raised, web(), { check: true })).tasks[1]!.notes).toHaveLength(1)
  })

  it('notes the link that the package keeps no longer', async () => {
    const host = web().has(fileAt('/run/php/php-fpm.sock'), { type: 'link', target: '/etc/alternatives/php-fpm.sock' })
    expect((await plan(activation, host)).notes.at(-1)).toMatch(
      /^The link \/run\/php\/php-fpm.sock is kept by the package only/,
    )
  })

  it('gives the socket back', async () => {
    const host = web()
    await run(activation, host)
    const off = phpFpm('8.4').socketActivation('off')
    expect((await run(off, host)).recap.tasks).toMatchObject({ changed: 1 })
    expect(text(host, pool)).toBe(fixture('www.conf'))
    expect([host.holds(dropIn).type, host.holds(socketUnit).type]).toEqual(['absent', 'absent'])
    expect(host.holds(socket)?.listening).toEqual({})
    // That workers may end what they have in hand stays.
    expect(settingOf(text(host, global)!, 'global', 'process_control_timeout')).toBe('10s')
    expect((await run(off, host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
    expect((await run(off, web('127.0.0.1:9000'))).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it('gets along with a task that wishes the same path for the pool, before it and after it', async () => {
    const host = web()
    const same = phpFpmPool('8.4', 'www').set({ listen: path, 'pm.max_children': 20 })
    await run([same, activation], host)
    expect((await run([same, activation, same], host)).recap.tasks).toMatchObject({ ok: 3, changed: 0 })
  })

  it('refuses a pool that listens elsewhere: its clients would find nobody', async () => {
    const told = await plan(activation, web('127.0.0.1:9000'))
    expect(told.failure).toMatchObject({
      code: 'E_REFUSED',
      message: `The pool www listens on 127.0.0.1:9000: its clients would not find it at ${path}.`,
    })
    expect((await plan(phpFpm('8.4').socketActivation({ socket: '/run/a.sock' }), web('/run/a.sock'))).outcome).toBe(
      'changed',
    )
  })

  it('is done on a host of which nothing is said, once php-fpm is installed', async () => {
    const host = mockHost('web1')
    const tasks = [aptPackage('php8.4-fpm'), activation]
    expect((await run(tasks, host)).hosts).toEqual({ web1: 'changed' })
    expect(settingOf(text(host, pool)!, 'www', 'listen')).toBe(`${path}.activated`)
    expect(text(host, global)).toContain('\nprocess_control_timeout = 10s\n')
    expect((await run(tasks, host)).recap.tasks).toMatchObject({ ok: 2, changed: 0 })
  })

  it('refuses a host without php-fpm, or without the pool', async () => {
    const none = web().has(service, null)
    expect((await plan(activation, none)).failure?.message).toBe('There is no php8.4-fpm on this host.')
    const bare = web().has(pool, { type: 'absent' })
    expect((await plan(activation, bare)).failure?.message).toBe('/etc/php/8.4/fpm/pool.d/www.conf does not exist.')
  })

  it('heals what was changed by hand, and starts php-fpm anew for it', async () => {
    const host = web()
    await run(activation, host)
    host.has(pool, file(fixture('www.conf')))
    const result = await run(activation, host)
    expect(result.changes.map(({ key }) => key)).toEqual([pool.key])
    expect(result.reactions.map(({ handler }) => handler)).toContain('restart php8.4-fpm')
  })

  it('tells wrong input before any connection', () => {
    const with_ = (how: object) => problems(phpFpm('8.4').socketActivation(how as never))
    expect(problems(phpFpm('8' as never).socketActivation())).toHaveLength(1)
    expect(with_({ socket: '127.0.0.1:9000' })).toEqual([expect.stringMatching(/not a plain path/)])
    expect(with_({ socket: '/run/a b' })).toHaveLength(1)
    expect(with_({ socket: `/${'a'.repeat(100)}` })).toEqual([expect.stringMatching(/longer than 97 bytes/)])
    expect(with_({ owner: 'www data' })).toHaveLength(1)
    expect(with_({ mode: '0999' })).toHaveLength(1)
    expect(with_({ backlog: 0 })).toHaveLength(1)
    expect(with_({ timeout: '500ms' })).toEqual(['timeout takes whole seconds from 1s, not 500ms'])
    expect(with_({ pool: 'a/b' })).toHaveLength(1)
    expect(problems(activation.socketActivation('off'))).toEqual(['phpFpm 8.4 has its socket said twice'])
  })

  it('has the test of php-fpm for other files', () => {
    const guarded = fileTask('/etc/php/8.4/fpm/pool.d/other.conf').content('[other]\n').guardedBy(phpFpm('8.4').test)
    expect(guarded.keywords.guard?.name).toBe('php-fpm8.4 -t')
  })
})
