import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import type { Failure } from '../../../errors/failure.ts'
import { opcache, service } from '../../../index.ts'
import { directoryAt, fileAt } from '../../../modules/file.ts'
import { jitDigits, keysFor, type OpcacheState, runningOpcache } from '../../../modules/php/opcache-read.ts'
import type { JitMode, OpcacheSettings } from '../../../modules/php/opcache-settings.ts'
import { otherSettings } from '../../../modules/php/settings-read.ts'
import type { FileState } from '../../../probe/file.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { shells } from '../../connection/shells.ts'
import { answers, inShell, readScript } from '../answers.ts'

const mib = 1024 ** 2
const path = '/etc/php/8.4/fpm/conf.d/99-opcache.ini'
const place = runningOpcache('8.4')
const debian: NonNullable<OpcacheState> = {
  enabled: true,
  jit: 'off',
  jitBuffer: 64 * mib,
  memory: 128 * mib,
  internedStrings: 8 * mib,
  keys: 16_229,
  validateTimestamps: true,
  revalidate: 2,
}
const file = (text: string): FileState => ({
  type: 'file',
  content: { text },
  mode: '0644',
  owner: 'root',
  group: 'root',
})
const problems = (task: Task) => task.problems.map(({ message, hint }) => (hint ? `${message} (${hint})` : message))
const wrong = (version: '7.4' | '8.2' | '8.4', settings: OpcacheSettings) => problems(opcache(version).set(settings))

/** What masters really answered, by what an ini file said. */
function fixture(version: string): Readonly<Record<string, string>> {
  const text = readFileSync(new URL(`../../fixtures/php-fpm/opcache-${version}.out`, import.meta.url), 'utf8')
  const cases = text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ (.*)/s) as [string, string])
  return Object.fromEntries(cases)
}

describe.each(['8.2', '8.4'] as const)('the running master of %s', (version) => {
  const said = fixture(version)
  const read = (name: string) =>
    answers([runningOpcache(version)], { stdout: Buffer.from(`${said[name]}\n`) })[0] as NonNullable<OpcacheState>
  const fresh = { ...debian, jitBuffer: version === '8.2' ? 0 : 64 * mib }

  it('has what Debian’s files say, and mock hosts the same', () => {
    expect(read('default')).toEqual(fresh)
    expect(runningOpcache(version).fresh).toEqual(fresh)
  })

  it('has a JIT by what it does: without a buffer it stays off on 8.2, whatever its mode', () => {
    expect(read('1255')).toMatchObject(version === '8.2' ? { jit: 'off', jitBuffer: 0 } : { jit: '1255' })
    expect(read('1255-64M')).toMatchObject({ jit: '1255', jitBuffer: 64 * mib })
    expect(read('tracing-32M')).toMatchObject({ jit: '1254', jitBuffer: 32 * mib })
    expect(read('function-64M').jit).toBe('1205')
    expect(read('off-64M')).toMatchObject({ jit: 'off', jitBuffer: 64 * mib })
    expect(read('disable-64M')).toMatchObject({ jit: 'disable', jitBuffer: 0 })
  })

  it('has fallen back where a mode was none: to tracing on 8.2, to no JIT on 8.4', () => {
    expect(read('turbo-64M').jit).toBe(version === '8.2' ? '1254' : 'disable')
  })

  it('has its sizes in bytes, and the keys of its prime table', () => {
    expect(read('table')).toEqual({
      ...fresh,
      memory: 64 * mib,
      internedStrings: 16 * mib,
      keys: 65_407,
      validateTimestamps: false,
      revalidate: 60,
    })
  })

  it('has kept its defaults where values were too small, in silence', () => {
    expect(read('too-small')).toEqual(fresh)
    expect(read('strings-0').internedStrings).toBe(0)
  })

  it('is off where it was disabled, and tells its settings all the same', () => {
    expect(read('disabled')).toEqual({ ...fresh, enabled: false })
  })
})

describe('a master that does not tell', () => {
  const read = (line: string) => answers([place], { stdout: Buffer.from(`${line}\n`) })[0] as Failure
  it('because it is stopped is null: it is not started to be asked', () => {
    expect(read('{"inactive":true}')).toBeNull()
  })

  it.each([
    ['{"missing":true}', 'There is no php8.4-fpm on this host.', /aptPackage/],
    [
      '{"problem":"nobody answers at /run/x: Permission denied"}',
      /does not tell of its opcache: nobody answers/,
      /become/,
    ],
    ['{"problem":"the pool www ran no script from /run: open_basedir"}', /open_basedir/, /Name a pool/],
    ['{"problem":null,"directives":null,"status":null}', /without its settings/, /^$/],
  ])('%s is unreadable', (line, message, hint) => {
    const failure = read(line)
    expect(failure.code).toBe('E_UNREADABLE')
    expect(failure.message).toMatch(message)
    expect(failure.hint ?? '').toMatch(hint)
  })

  it('in a form that is understood is told so', () => {
    expect(read('Segmentation fault')).toMatchObject({ code: 'E_PROBE_UNPARSABLE' })
  })

  describe.each(shells)('under $name', ({ name: shell }) => {
    const ask = (active: string) =>
      inShell(shell, readScript([place]), {
        systemctl: `printf 'LoadState=loaded\\nActiveState=${active}\\n'`,
        'php8.4': 'echo asked',
      })
        .stdout.toString()
        .trim()

    it('is not asked while it is stopped, since a connection would start it', () => {
      expect(ask('inactive')).toBe('{"inactive":true}')
      expect(ask('failed')).toBe('{"inactive":true}')
    })

    it('is asked by the php of its version, with a script that is gone afterwards', () => {
      const php = 'shift 4; for f; do :; done; [ -s "$f" ] && ls -l "$f" | cut -c1-10 && echo "$2 ${f%/*}"'
      const said = inShell(shell, readScript([place]), {
        systemctl: `printf 'LoadState=loaded\\nActiveState=active\\n'`,
        mktemp: `exec /usr/bin/mktemp -d "$TMPDIR/fleetplay.XXXXXX"`,
        'php8.4': php,
      })
      const [mode, rest = ''] = said.stdout.toString().trim().split('\n')
      expect([mode, said.stderr]).toEqual(['-rw-r--r--', ''])
      const [pool, folder] = rest.split(' ')
      expect(pool).toBe('www')
      expect(() => readFileSync(`${folder}/ask.php`)).toThrow(/ENOENT/)
    })
  })
})

describe('opcache()', () => {
  const wished = opcache('8.4').set({ jit: 'tracing', memory: '96MiB', internedStrings: '16MiB', maxFiles: 50_000 })

  it('is no task before it says something', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = opcache('8.4')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(/says nothing/)
  })

  it('writes the file and moves the master, and is at rest then', async () => {
    const host = mockHost('web1')
    const result = await run(wished, host)
    expect(result.changes.map(({ label, before, after }) => [label, before, after])).toEqual([
      [path, 'absent', '6 lines 0644 root:root'],
      [
        'opcache of the running php8.4-fpm',
        'jit off, jit buffer 64 MiB, memory 128 MiB, strings 8 MiB, keys 16229, timestamps on, revalidate 2 s',
        'jit 1254, jit buffer 64 MiB, memory 96 MiB, strings 16 MiB, keys 65407',
      ],
    ])
    expect(host.holds(fileAt(path))).toEqual(
      file(`opcache.enable = On
opcache.jit = tracing
opcache.jit_buffer_size = 67108864
opcache.memory_consumption = 96
opcache.interned_strings_buffer = 16
opcache.max_accelerated_files = 50000
`),
    )
    expect((await run(wished, host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it('is decided by what the running master says, not by the file', async () => {
    const host = mockHost('web1')
    await run(wished, host)
    host.has(place, debian)
    const result = await run(wished, host)
    expect(result.changes.map(({ key }) => key)).toEqual([place.key])
    expect(place.write!(null, null).text).toContain('systemctl reload -- php8.4-fpm.service')
  })

  it('leaves a master stopped, of which the plan tells', async () => {
    const host = mockHost('web1').has(place, null)
    const result = await run(wished, host)
    expect(result.changes.map(({ key }) => key)).toEqual([`file:${path}`])
    expect(result.tasks[0]!.notes).toEqual(['php8.4-fpm is stopped: what it has is seen when it runs.'])
  })

  it('waits for a php-fpm that an earlier task starts', async () => {
    const host = mockHost('web1').has(place, null)
    const plan = await run([service('php8.4-fpm').started(), wished], host, { check: true })
    expect(plan.changes.find(({ key }) => key === `file:${path}`)?.dependsOn).toEqual([])
    expect(plan.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
  })

  it('reloads at the end where the file goes', async () => {
    const host = mockHost('web1').has(fileAt(path), file('opcache.jit = tracing\n'))
    const result = await run(opcache('8.4').absent(), host)
    expect(host.holds(fileAt(path)).type).toBe('absent')
    expect(result.reactions.map(({ handler }) => handler)).toEqual(['reload php8.4-fpm'])
  })

  it('notes what a master keeps that the file says no longer', async () => {
    const host = mockHost('web1')
    await run(wished, host)
    const [told] = (await run(opcache('8.4').set({ jit: 'tracing', memory: '96MiB' }), host, { check: true })).tasks
    expect(told!.notes).toEqual([
      'The running master keeps opcache.interned_strings_buffer, opcache.max_accelerated_files until it is reloaded.',
    ])
  })

  it('notes that a reload cuts requests off, and not where workers may end them', async () => {
    const global = fileAt('/etc/php/8.4/fpm/php-fpm.conf')
    const notes = async (text: string) => {
      const host = mockHost('web1').has(global, file(text))
      return (await run(wished, host, { check: true })).tasks[0]!.notes
    }
    expect(await notes('[global]\n;process_control_timeout = 0\n')).toEqual([
      expect.stringMatching(/cuts requests off/),
    ])
    expect(await notes('[global]\nprocess_control_timeout = 10s\n')).toEqual([])
  })

  it('refuses what a pool says for itself, with its line: it wins over every file', async () => {
    const pool = fileAt('/etc/php/8.4/fpm/pool.d/www.conf')
    const host = mockHost('web1').has(pool, file('[www]\nphp_admin_value[opcache.jit] = 1205\n'))
    const [told] = (await run(wished, host, { check: true })).tasks
    expect(told!.failure).toMatchObject({
      message:
        '/etc/php/8.4/fpm/pool.d/www.conf:2 says php_admin_value[opcache.jit] = 1205, which wins over every file of settings.',
      hint: "Take it out of the pool: phpFpmPool('8.4', 'www').without('php_admin_value[opcache.jit]')",
    })
    host.has(pool, file('[www]\nphp_admin_value[opcache.jit] = tracing\n'))
    expect((await run(wished, host, { check: true })).tasks[0]!.outcome).toBe('changed')
  })

  it('refuses what a later file says; one before, such as Debian’s opcache.jit=off, loses', async () => {
    const says = (name: string) =>
      mockHost('web1').has(otherSettings('8.4', 'fpm'), [
        { file: `/etc/php/8.4/fpm/conf.d/${name}`, line: 4, key: 'opcache.jit', value: 'off', pool: false },
      ])
    expect((await run(wished, says('99-z.ini'), { check: true })).tasks[0]!.failure?.message).toMatch(
      /99-z.ini:4 says opcache.jit = off, and is read after/,
    )
    expect((await run(wished, says('10-opcache.ini'), { check: true })).tasks[0]!.outcome).toBe('changed')
  })

  it('refuses a memory that does not hold texts and table: php-fpm would not start', async () => {
    const plan = async (settings: OpcacheSettings, now: OpcacheState = debian) => {
      const [told] = (await run(opcache('8.4').set(settings), mockHost('web1').has(place, now), { check: true })).tasks
      return told!.failure?.hint
    }
    // Memory of 8 with texts of 8, their default: «Insufficient shared memory for interned strings buffer!»
    expect(await plan({ memory: '8MiB' })).toBe("Say memory: '9MiB' or more, or less of the others.")
    expect(await plan({ internedStrings: '128MiB' })).toMatch(/129MiB/)
    // 56 MB did not start with a table of a million, 57 did.
    expect(await plan({ memory: '56MiB', maxFiles: 1_000_000 })).toMatch(/57MiB/)
    expect(await plan({ memory: '57MiB', maxFiles: 1_000_000 })).toBeUndefined()
    expect(await plan({ memory: '8MiB' }, null)).toMatch(/9MiB/)
  })

  it('refuses a JIT that PHP has none of, and a PHP that is not there', async () => {
    const none = mockHost('web1').has(place, { ...debian, jit: 'none', jitBuffer: 0 })
    expect((await run(wished, none, { check: true })).tasks[0]!.failure?.message).toMatch(/built without a JIT/)
    const bare = mockHost('web1').has(directoryAt('/etc/php/8.4/fpm/conf.d'), { type: 'absent' })
    expect((await run(wished, bare, { check: true })).tasks[0]!.failure?.hint).toMatch(/php8.4-fpm/)
  })

  it('needs a JIT buffer before 8.4, where it is nothing by default', () => {
    expect(wrong('8.2', { jit: 1255 })).toEqual([expect.stringMatching(/PHP 8.2 has a JIT buffer of nothing.*64MiB/)])
    expect(wrong('8.2', { jit: 1255, jitBuffer: '64MiB' })).toEqual([])
    expect(wrong('8.2', { jit: 'off' })).toEqual([])
    expect(wrong('8.4', { jit: 1255 })).toEqual([])
    expect(wrong('8.4', { jit: 1255, jitBuffer: 0 })).toHaveLength(1)
    expect(wrong('8.4', { jit: 'disable', jitBuffer: '1MiB' })).toHaveLength(1)
    expect(wrong('7.4', { jit: 'off' })).toEqual(['opcache: PHP 7.4 has no JIT; 8.0 was the first'])
  })

  it('says what a version would make of a mode that is none', () => {
    expect(wrong('8.2', { jit: 9999, jitBuffer: '1MiB' }).join()).toMatch(/would take tracing/)
    expect(wrong('8.4', { jit: 9999 }).join()).toMatch(/would turn the JIT off/)
  })

  it.each<JitMode>([1255, 1254, 1205, 5, 205, 1235, 'tracing', 'function', 'off', 'disable', 0])(
    'takes jit %s',
    (jit) => {
      expect(wrong('8.4', { jit })).toEqual([])
    },
  )

  // 1245 and 1250: a trigger and a level that PHP 8.4 calls invalid.
  it.each<JitMode>([1245, 1250, 2255, 1355, 1256, 12_555, -5, 1.5, 'turbo' as never])('refuses jit %s', (jit) => {
    expect(wrong('8.4', { jit })).toHaveLength(1)
  })

  it.each<OpcacheSettings>([
    { memory: '7MiB' },
    { memory: 100 },
    { memory: '64M' as never },
    { internedStrings: 0 },
    { maxFiles: 100 },
    { maxFiles: 1_000_001 },
    { jitBuffer: 5_000_000 },
    { revalidate: '500ms' },
    { revalidate: 'soon' as never },
  ])('refuses %j, which PHP would not take as it is', (settings) => {
    expect(wrong('8.4', settings)).toHaveLength(1)
  })

  it('reads modes and numbers of files as PHP does', () => {
    expect(['on', '1', 'tracing', 'function', '', '0', 'off', 'disable', '5', '1255'].map(jitDigits)).toEqual(
      '1254 1254 1254 1205 off off off disable 0005 1255'.split(' '),
    )
    expect([200, 10_000, 50_000, 1_000_000].map(keysFor)).toEqual([223, 16_229, 65_407, 1_048_793])
  })
})
