import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { phpIni, reload } from '../../../index.ts'
import { directoryAt, fileAt } from '../../../modules/file.ts'
import { knownSettings, otherSettings } from '../../../modules/php/settings-read.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { shells } from '../../connection/shells.ts'
import { answers, inShell, readScript } from '../answers.ts'

const path = '/etc/php/8.4/fpm/conf.d/99-coaching.ini'
const coaching = phpIni('8.4', 'coaching').set({ memory_limit: '256M', display_errors: false, user_agent: 'a;b' })
const problems = (task: Task) => task.problems.map(({ message, hint }) => (hint ? `${message} (${hint})` : message))

describe('phpIni()', () => {
  it('is no task before it says something', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = phpIni('8.4', 'coaching')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(/says nothing/)
    await expect(run(phpIni('8.4', 'coaching').set({}), mockHost('web1'))).rejects.toThrow(/says nothing/)
    await expect(run(coaching.absent(), mockHost('web1'))).rejects.toThrow(/absent and have settings/)
  })

  it('writes a file that is read after Debian’s, and is at rest then', async () => {
    const host = mockHost('web1')
    const task = coaching.notify(reload('php8.4-fpm'))
    const result = await run(task, host)
    expect(result.reactions.map(({ handler }) => handler)).toEqual(['reload php8.4-fpm'])
    expect(host.holds(fileAt(path))).toEqual({
      type: 'file',
      content: { text: 'memory_limit = 256M\ndisplay_errors = Off\nuser_agent = "a;b"\n' },
      mode: '0644',
      owner: 'root',
      group: 'root',
    })
    expect((await run(task, host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
    await run(phpIni('8.4', 'coaching').absent(), host)
    expect(host.holds(fileAt(path))).toEqual({ type: 'absent' })
  })

  it('has a folder for each PHP', () => {
    const cli = phpIni('8.2', 'x', { sapi: 'cli' }).set({ memory_limit: -1 })
    expect(cli.path).toBe('/etc/php/8.2/cli/conf.d/99-x.ini')
    expect(cli.id).toBe('8.2 cli x')
  })

  it('is tested by the PHP that reads it', () => {
    const guards = [coaching, phpIni('8.4', 'x', { sapi: 'cli' }).absent()].map(
      ({ wishes }) => wishes.at(-1)?.guard?.name,
    )
    expect(guards).toEqual(['php-fpm8.4 -t', 'php8.4'])
  })

  it('tells wrong input before any connection', () => {
    const set = (settings: Readonly<Record<string, string | number>>) => problems(phpIni('8.4', 'x').set(settings))
    expect(problems(phpIni('8' as never, 'x').absent())).toEqual([expect.stringContaining('"8" is not a version')])
    expect(problems(phpIni('8.4', 'x.ini').absent())).toEqual([expect.stringContaining('"x.ini" is not a name')])
    expect(problems(phpIni('8.4', 'x', { sapi: 'apache' as never }).absent())).toHaveLength(1)
    expect(set({ 'a b': 1 })).toEqual(['phpIni: "a b" is not the name of a setting'])
    expect(set({ user_agent: 'a\nb' })).toHaveLength(1)
    expect(set({ user_agent: '${HOME}' })).toHaveLength(1)
  })

  it('refuses 256MB, which PHP reads as 256 bytes', () => {
    expect(problems(phpIni('8.4', 'x').set({ memory_limit: '256MB' }))).toEqual([
      'phpIni: memory_limit: PHP takes an amount such as 256M or 1G, and would read "256MB" otherwise',
    ])
  })

  it.each([
    ['session.save_path', 'tcp://127.0.0.1:6379?auth=hunter2'],
    ['session.save_path', 'tcp://user:hunter2@redis:6379'],
    ['mysqli.default_pw', 'hunter2'],
    ['acme.api_key', 'hunter2'],
    ['acme.dsn', 'mysql://wp:hunter2@db1/wp'],
  ])('refuses a password in %s, without telling it', (key, value) => {
    const told = problems(phpIni('8.4', 'x').set({ [key]: value }))
    expect(told).toEqual([expect.stringContaining(`${key} holds a password`)])
    expect(told.join()).not.toContain('hunter2')
  })

  it('refuses a setting that PHP would take in silence, and says which was meant', async () => {
    const host = mockHost('web1').has(knownSettings('8.4', 'fpm'), ['memory_limit', 'opcache.jit'])
    const plan = async (key: string) =>
      (await run(phpIni('8.4', 'x').set({ [key]: 1 }), host, { check: true })).tasks[0]
    expect((await plan('memory_limt'))?.failure).toMatchObject({
      code: 'E_REFUSED',
      message: 'PHP 8.4 (fpm) knows no setting memory_limt: it would take it in silence.',
      hint: 'Did you mean memory_limit?',
    })
    expect((await plan('xdebug.mode'))?.failure?.hint).toMatch(/Install the extension/)
  })

  it('refuses what a later file says otherwise, and notes a pool that wins', async () => {
    const says = (file: string, value: string, pool = false) => {
      const setting = { file: `/etc/php/8.4/fpm/${file}`, line: 3, key: 'memory_limit', value, pool }
      return mockHost('web1').has(otherSettings('8.4', 'fpm'), [setting])
    }
    const plan = async (host: ReturnType<typeof says>) => (await run(coaching, host, { check: true })).tasks[0]!
    expect((await plan(says('conf.d/zz-late.ini', '1G'))).failure?.message).toBe(
      `/etc/php/8.4/fpm/conf.d/zz-late.ini:3 says memory_limit = 1G, and is read after ${path}.`,
    )
    expect((await plan(says('conf.d/zz-late.ini', '"256M"'))).failure).toBeUndefined()
    expect((await plan(says('conf.d/20-early.ini', '1G'))).failure).toBeUndefined()
    expect((await plan(says('pool.d/www.conf', '1G', true))).notes).toEqual([
      '/etc/php/8.4/fpm/pool.d/www.conf:3 says memory_limit = 1G, which wins in that pool.',
    ])
  })

  it('refuses a PHP that is not there, with the package that brings it', async () => {
    const host = mockHost('web1').has(directoryAt('/etc/php/8.4/fpm/conf.d'), { type: 'absent' })
    const [told] = (await run(coaching, host, { check: true })).tasks
    expect(told?.failure?.hint).toBe("Install it in an earlier task: aptPackage('php8.4-fpm')")
  })
})

describe('the settings that a PHP knows', () => {
  const place = knownSettings('8.4', 'fpm')
  const read = (stdout: string, status = 0) => answers([place], { stdout: Buffer.from(stdout), status })[0]

  it('are the names of what it prints', () => {
    const text = readFileSync(new URL('../../fixtures/php-fpm/settings-8.4.out', import.meta.url), 'utf8')
    const names = read(text)
    expect(names).toContain('opcache.jit_buffer_size')
    expect(names).toContain('memory_limit')
    expect(names).not.toContain('Directive')
  })

  it('are none where it is not installed, and not understood where it prints something else', () => {
    expect(read('')).toEqual([])
    expect(read('Segmentation fault\n', 139)).toMatchObject({ code: 'E_PROBE_UNPARSABLE' })
  })

  it.each(shells)('are asked of the program that is there, under $name', ({ name: shell }) => {
    expect(inShell(shell, readScript([place])).stdout.toString()).toBe('')
    const program = 'echo "memory_limit => 1 => 1"'
    expect(inShell(shell, readScript([place]), { 'php-fpm8.4': program }).stdout.toString()).toMatch(/^memory_limit/)
  })
})

it('reads what other files say', () => {
  const stdout = Buffer.from(`conf.d/10-opcache.ini:4:opcache.jit=off
conf.d/20-a.ini:2:  memory_limit = "1G" ; why
pool.d/www.conf:400:php_admin_value[opcache.jit] = 1205
`)
  expect(answers([otherSettings('8.4', 'fpm')], { stdout })[0]).toEqual([
    { file: '/etc/php/8.4/fpm/conf.d/10-opcache.ini', line: 4, key: 'opcache.jit', value: 'off', pool: false },
    { file: '/etc/php/8.4/fpm/conf.d/20-a.ini', line: 2, key: 'memory_limit', value: '"1G" ; why', pool: false },
    { file: '/etc/php/8.4/fpm/pool.d/www.conf', line: 400, key: 'opcache.jit', value: '1205', pool: true },
  ])
})
