import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { phpFpmPool, reload } from '../../../index.ts'
import { directoryAt, fileAt } from '../../../modules/file.ts'
import { settingOf } from '../../../modules/php/ini-sections.ts'
import type { FileState } from '../../../probe/file.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { Real, realShells } from '../real.ts'

const path = '/etc/php/8.4/fpm/pool.d/www.conf'
const stock = readFileSync(new URL('../../fixtures/php-fpm/www.conf', import.meta.url), 'utf8')
const file = (text: string): FileState => ({
  type: 'file',
  content: { text },
  mode: '0644',
  owner: 'root',
  group: 'root',
})
const web = (text = stock) => mockHost('web1').has(fileAt(path), file(text))
const problems = (task: Task) => task.problems.map(({ message, hint }) => (hint ? `${message} (${hint})` : message))
const text = (host: ReturnType<typeof web>) => {
  const state = host.holds(fileAt(path))
  return state.type === 'file' && 'text' in state.content ? state.content.text : undefined
}

describe('phpFpmPool()', () => {
  it('is no task before it says something', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = phpFpmPool('8.4', 'www')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(/says nothing/)
  })

  it('writes the settings that are said, and nothing else', async () => {
    const host = web()
    const task = phpFpmPool('8.4', 'www')
      .set({ pm: 'static', 'pm.max_children': 20, 'pm.max_requests': 500, 'php_admin_value[memory_limit]': '256M' })
      .notify(reload('php8.4-fpm'))
    const result = await run(task, host)
    const [before, after] = [stock.split('\n'), text(host)!.split('\n')]
    expect(before.filter((line) => !after.includes(line))).toEqual(['pm = dynamic', 'pm.max_children = 5'])
    expect(after.filter((line) => !before.includes(line))).toEqual([
      'pm = static',
      'pm.max_children = 20',
      'pm.max_requests = 500',
      'php_admin_value[memory_limit] = 256M',
    ])
    expect(result.reactions.map(({ handler }) => handler)).toEqual(['reload php8.4-fpm'])
    expect((await run(task, host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it('finds the pool of Debian on a host of which nothing is said, and no other one', async () => {
    const bare = mockHost('web1')
    expect((await run(phpFpmPool('8.4', 'www').set({ 'pm.max_children': 9 }), bare)).hosts).toEqual({ web1: 'changed' })
    const written = text(bare)!
    expect(settingOf(written, 'www', 'pm.max_children')).toBe('9')
    // What it says beside that is what Debian's says.
    for (const name of ['user', 'group', 'listen', 'listen.owner', 'listen.group', 'pm', 'pm.max_spare_servers'])
      expect(settingOf(written, 'www', name), name).toBe(settingOf(stock, 'www', name))
  })

  it('takes settings out, and leaves the comments that show them', async () => {
    const host = web(`${stock}php_admin_value[memory_limit] = 1G\n`)
    await run(phpFpmPool('8.4', 'www').without('php_admin_value[memory_limit]', 'pm.max_requests'), host)
    expect(text(host)).toBe(stock)
  })

  it('shares the file with other tasks, each with its own settings', async () => {
    const host = web()
    await run(
      [phpFpmPool('8.4', 'www').set({ pm: 'static' }), phpFpmPool('8.4', 'www').set({ 'pm.max_children': 9 })],
      host,
    )
    expect([settingOf(text(host)!, 'www', 'pm'), settingOf(text(host)!, 'www', 'pm.max_children')]).toEqual([
      'static',
      '9',
    ])
  })

  it('leaves a socket that systemd holds as it is: the path is the same', async () => {
    const held = stock.replace('php8.4-fpm.sock', 'php8.4-fpm.sock.activated')
    const host = web(held)
    const result = await run(phpFpmPool('8.4', 'www').set({ listen: '/run/php/php8.4-fpm.sock' }), host)
    expect(result.recap.tasks).toMatchObject({ ok: 1, changed: 0 })
    await run(phpFpmPool('8.4', 'www').set({ listen: '/run/other.sock' }), host)
    expect(settingOf(text(host)!, 'www', 'listen')).toBe('/run/other.sock')
  })

  it('makes a pool that is not there, and refuses one without which php-fpm would not start', async () => {
    const bare = mockHost('web1').has(fileAt(path), { type: 'absent' })
    const made = phpFpmPool('8.4', 'www').set({
      user: 'www-data',
      listen: '/run/a',
      pm: 'ondemand',
      'pm.max_children': 4,
    })
    expect((await run(made, bare)).recap.tasks).toMatchObject({ changed: 1 })
    expect(text(bare)).toBe('[www]\nuser = www-data\nlisten = /run/a\npm = ondemand\npm.max_children = 4\n')
    const [told] = (await run(phpFpmPool('8.4', 'api').set({ pm: 'static' }), bare, { check: true })).tasks
    expect(told!.failure?.message).toMatch(/would have no user, no listen, no pm.max_children/)
    const [lost] = (await run(phpFpmPool('8.4', 'www').without('listen'), web(), { check: true })).tasks
    expect(lost!.failure?.message).toMatch(/would have no listen/)
    await run(phpFpmPool('8.4', 'www').absent(), bare)
    expect(text(bare)).toBeUndefined()
  })

  it('refuses a PHP that is not there', async () => {
    const bare = mockHost('web1').has(directoryAt('/etc/php/8.4/fpm/pool.d'), { type: 'absent' })
    const [told] = (await run(phpFpmPool('8.4', 'www').set({ pm: 'static' }), bare, { check: true })).tasks
    expect(told!.failure?.hint).toMatch(/aptPackage\('php8.4-fpm'\)/)
  })

  it('knows the settings of a pool, of which php-fpm refuses others', () => {
    // @ts-expect-error -- a misspelt setting does not compile
    const misspelt = phpFpmPool('8.4', 'www').set({ 'pm.max_childrn': 3 })
    expect(problems(misspelt)).toEqual([
      'phpFpmPool: php-fpm knows no setting "pm.max_childrn" of a pool (Did you mean pm.max_children?)',
    ])
    expect(problems(phpFpmPool('8.4', 'www').without('zzz' as never))).toHaveLength(1)
    expect(problems(phpFpmPool('8.4', 'www').set({ 'ini[a]': 1 } as never))).toEqual([
      'phpFpmPool: php-fpm knows no setting ini[…] of a pool',
    ])
    expect(problems(phpFpmPool('8.4', 'www').set({ 'env[a b]': 1 }))).toHaveLength(1)
  })

  it('refuses 256MB, which the workers of the pool would read as 256 bytes', () => {
    expect(problems(phpFpmPool('8.4', 'www').set({ 'php_admin_value[memory_limit]': '256MB' }))).toEqual([
      'phpFpmPool: memory_limit: PHP takes an amount such as 256M or 1G, and would read "256MB" otherwise',
    ])
    expect(problems(phpFpmPool('8.4', 'www').set({ 'php_value[memory_limit]': '256M' }))).toEqual([])
  })

  it('tells wrong input before any connection', () => {
    const set = (settings: object) => problems(phpFpmPool('8.4', 'www').set(settings as never))
    expect(problems(phpFpmPool('8' as never, 'www').absent())).toHaveLength(1)
    expect(problems(phpFpmPool('8.4', 'a/b').absent())).toHaveLength(1)
    expect(set({ listen: 'a\nb' })).toHaveLength(1)
    expect(set({ listen: '' })).toHaveLength(1)
    expect(set({ 'php_admin_flag[log_errors]': 'maybe' })).toEqual([
      'phpFpmPool: php_admin_flag[log_errors] takes true or false',
    ])
    expect(set({ 'php_admin_flag[log_errors]': true })).toEqual([])
  })

  it.each([
    ['env[DB_PASSWORD]', 'hunter2'],
    ['env[API_TOKEN]', 'hunter2'],
    ['env[CRM_API_KEY]', 'hunter2'],
    ['env[REDIS_URL]', 'redis://fleet:hunter2@cache1:6379'],
    ['php_admin_value[mysqli.default_pw]', 'hunter2'],
    ['php_admin_value[session.save_path]', 'tcp://cache1:6379?auth=hunter2'],
  ])('refuses a password in %s', (name, value) => {
    const told = problems(phpFpmPool('8.4', 'www').set({ [name]: value }))
    expect(told).toEqual([expect.stringContaining(`${name} holds a password`)])
    expect(told.join()).not.toContain('hunter2')
  })
})

describe.each(realShells)('a pool under $name', ({ name: shell }) => {
  let real: Real
  afterEach(() => real.remove())

  /** The task with its file below a temporary folder, and a php-fpm that refuses what the real one does. */
  const inFolder = (task: ReturnType<ReturnType<typeof phpFpmPool>['set']>) => {
    mkdirSync(real.path('pool.d'))
    writeFileSync(real.path('pool.d/www.conf'), stock)
    real.tools.program(
      'php-fpm8.4',
      `if grep -q '^pm.max_children = 1$' '${real.path('pool.d/www.conf').replaceAll("'", `'\\''`)}'; then
  echo '[23-Nov-2026 09:07:50] ALERT: [pool www] pm.min_spare_servers(1) and pm.max_spare_servers(3) cannot be greater than pm.max_children(1)' >&2
  echo '[23-Nov-2026 09:07:50] ERROR: failed to post process the configuration' >&2
  echo '[23-Nov-2026 09:07:50] ERROR: FPM initialization failed' >&2
  exit 78
fi`,
    )
    return Object.freeze(
      Object.assign(Object.create(Object.getPrototypeOf(task)), task, { path: real.path('pool.d/www.conf') }),
    )
  }

  it('is written, and put back where php-fpm refuses it, in its own words', async () => {
    real = new Real(shell)
    const good = inFolder(phpFpmPool('8.4', 'www').set({ 'pm.max_children': 20 }))
    expect((await real.run([good])).outcomes).toEqual(['changed'])
    const written = real.text('pool.d/www.conf')
    expect(settingOf(written, 'www', 'pm.max_children')).toBe('20')
    const bad = good.set({ 'pm.max_children': 1 })
    const { outcomes, failures } = await real.run([bad])
    expect(outcomes).toEqual(['failed'])
    expect(failures[0]).toMatch(
      /^php-fpm8.4 -t failed after .*, and it was put back: ALERT: \[pool www\] pm.min_spare_servers/,
    )
    expect(real.text('pool.d/www.conf')).toBe(written)
  })
})
