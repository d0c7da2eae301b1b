import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { secret } from '../../../dsl/secret.ts'
import type { Task } from '../../../dsl/task.ts'
import { fileAt } from '../../../modules/file.ts'
import { wpConfig } from '../../../modules/wordpress/config.ts'
import { configFile } from '../../../modules/wordpress/config-file.ts'
import { contentOf, type FileState } from '../../../probe/file.ts'
import { reveal } from '../../../shell/secret.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { Real, realShells } from '../real.ts'

const path = '/srv/www/wp-config.php'
const sample = "<?php\ndefine( 'DB_PASSWORD', 'hush' );\nrequire_once ABSPATH . 'wp-settings.php';\n"
const file = (content: string): FileState => ({
  type: 'file',
  content: contentOf(Buffer.from(content)),
  mode: '0640',
  owner: 'root',
  group: 'www-data',
})
const site = (content = sample) => mockHost('web1').has(fileAt(path), file(content))
const problems = (task: Task) => task.problems.map(({ message }) => message)
const cron = wpConfig(path).define('DISABLE_WP_CRON', true)

describe('wpConfig', () => {
  it('keeps constants of one file side by side', async () => {
    const tasks = [cron, wpConfig(path).define('WP_POST_REVISIONS', 5), wpConfig(path).undefined('WP_DEBUG')]
    const host = site("<?php\ndefine('WP_DEBUG', true);\nrequire ABSPATH . 'wp-settings.php';\n")
    expect((await run(tasks, host)).recap.tasks).toMatchObject({ changed: 3, failed: 0 })
    const text =
      "<?php\ndefine( 'DISABLE_WP_CRON', true );\ndefine( 'WP_POST_REVISIONS', 5 );\nrequire ABSPATH . 'wp-settings.php';\n"
    expect(host.memory.values.get(`file:${path}`)).toEqual(file(text))
    expect((await run(tasks, host)).recap.tasks).toMatchObject({ changed: 0, ok: 3 })
  })

  it('is told before any connection where two tasks want different values of one constant', async () => {
    await expect(run([cron, wpConfig(path).define('DISABLE_WP_CRON', false)], site())).rejects.toThrow(
      `disagree on DISABLE_WP_CRON in ${path}: false against true.`,
    )
    await expect(run([cron, wpConfig(path).undefined('DISABLE_WP_CRON')], site())).rejects.toThrow(
      'not defined against true',
    )
    expect((await run([cron, cron], site())).recap.tasks).toMatchObject({ changed: 1, ok: 1 })
  })

  it('tells no password, key or salt, also not in the lines around a change', async () => {
    const secrets =
      "<?php\nconst AUTH_KEY = 'k1';\ndefine('NONCE_SALT', \"s1$x\"); $db_password = 'p1'; define('DB_NAME', 'shop');\n"
    expect(configFile(path).text!(file(secrets))).toBe(
      "<?php\nconst AUTH_KEY = '(secret)';\ndefine('NONCE_SALT', '(secret)'); $db_password = '(secret)'; define('DB_NAME', 'shop');\n",
    )
    expect(configFile(path).text!(file("<?php 'hush"))).toBe('')
    expect(JSON.stringify((await run(cron, site())).events)).not.toContain('hush')
  })

  it('notes that other files are included behind it', async () => {
    const result = await run(cron, site("<?php\nrequire 'local.php';\nrequire ABSPATH . 'wp-settings.php';\n"))
    expect(result.tasks[0]!.notes).toEqual([
      `It stands in front of the files that ${path} includes: where one defines DISABLE_WP_CRON too, PHP warns, and keeps this one.`,
    ])
    expect((await run(cron, site())).tasks[0]!.notes).toEqual([])
  })

  it('is refused with the line where the value is computed', async () => {
    const { tasks } = await run(cron, site("<?php\ndefine('DISABLE_WP_CRON', getenv('A'));\n"))
    expect(tasks[0]!.failure).toMatchObject({
      message: `${path}, line 2: DISABLE_WP_CRON is computed there: getenv('A').`,
    })
  })

  it('is refused where there is no file', async () => {
    const { tasks } = await run(cron, mockHost('web1'))
    expect(tasks[0]!.failure).toMatchObject({
      message: `${path} does not exist.`,
      hint: `Make it in an earlier task: file('${path}').content(…)`,
    })
  })

  it.each([
    [wpConfig(path).define('DB_PASSWORD', 'x'), 'DB_PASSWORD is a secret, which a play cannot hold'],
    [wpConfig(path).define('AUTH_KEY', 'x'), 'AUTH_KEY is a secret, which a play cannot hold'],
    [wpConfig(path).define('A-B', 1), '"A-B" is not the name of a constant'],
    [wpConfig(path).define('TRUE', 1), "TRUE is PHP's own"],
    [wpConfig(path).define('A', 2 ** 60), 'A takes a number that PHP holds exactly, not 1152921504606847000'],
    [wpConfig(path).define('A', [] as never), 'A takes a text, a number, true, false or null'],
    [wpConfig(path).define('A', 'a\0'), 'the value of A holds a NUL byte'],
  ])('is wrong before any connection: %#', (task, problem) => {
    expect(problems(task)).toEqual([`wpConfig ${path}: ${problem}`])
  })

  describe('of a secret', () => {
    const password = secret.env('WP_CONFIG_SPEC')
    const task = wpConfig(path).define('DB_PASSWORD', password)
    const closed = (text: string, mode = '0640') => ({ ...file(text), mode }) as FileState

    it('is written, and nothing of the file is told', async () => {
      const host = mockHost('web1').has(configFile(path), closed(sample))
      const { changes, tasks } = await run(task, host)
      expect(tasks[0]?.task.title).toBe(`wpConfig ${path}: DB_PASSWORD (secret)`)
      expect(changes).toMatchObject([{ diff: undefined, before: expect.stringMatching(/^secret [0-9a-f]{8} 0640/) }])
      expect(host.holds(configFile(path))).toEqual(closed(sample.replace('hush', reveal(password))))
      expect(JSON.stringify([changes, tasks])).not.toMatch(/hush|standin/)
    })

    it('is refused in the plan where others may read the file', async () => {
      const { tasks } = await run(task, mockHost('web1').has(configFile(path), closed(sample, '0644')))
      expect(tasks[0]?.failure).toMatchObject({ code: 'E_REFUSED', message: expect.stringContaining('0644') })
    })

    it('is refused without what stands there, where that is computed', async () => {
      const computed = sample.replace("'hush'", "'hu' . 'sh'")
      const { tasks } = await run(task, mockHost('web1').has(configFile(path), closed(computed)))
      expect(tasks[0]?.failure?.message).toBe(`${path}, line 2: DB_PASSWORD is computed there.`)
    })

    it('is one that two tasks may not disagree on, and they are told without it', async () => {
      const error = await run(
        [task, wpConfig(path).define('DB_PASSWORD', secret.env('WP_CONFIG_OTHER'))],
        mockHost('a'),
      ).catch((thrown: unknown) => thrown)
      expect((error as Error).message).toContain('one value, which is secret')
      expect((error as Error).message).not.toContain('standin')
    })
  })

  it("does not touch the file of Debian's package", () => {
    const task = wpConfig('/usr/share/wordpress/wp-config.php').define('A', 1)
    expect(task.problems[0]).toMatchObject({ hint: expect.stringContaining('/etc/wordpress/config-') })
  })

  it('is no task until it says a constant', () => {
    // @ts-expect-error a start is no task
    const task: Task = wpConfig(path)
    expect(task.unfinished).toContain('says nothing')
  })
})

/** As PHP 8.2 and 8.4 print it; the status is 255. */
const refusal = `printf '\\nParse error: syntax error, unexpected token ";", expecting ")" in Standard input code on line 2\\nErrors parsing Standard input code\\n'; exit 255`

describe.each(realShells)('the test of PHP, by $title', ({ name: shell, there }) => {
  const real = there ? new Real(shell) : undefined
  afterAll(() => real?.remove())

  it.runIf(there)('takes the new text before it is in its place, with the mode of the file', async () => {
    const {
      path: at,
      run: go,
      tools,
    } = { path: real!.path('wp-config.php'), run: real!.run.bind(real), tools: real!.tools }
    tools.program(
      'php',
      `cat >${JSON.stringify(real!.path('seen'))}; echo 'No syntax errors detected in Standard input code'`,
    )
    writeFileSync(at, sample)
    chmodSync(at, 0o640)
    const { outcomes, failures } = await go([wpConfig(at).define('DISABLE_WP_CRON', true)])
    expect(failures).toEqual([])
    expect(outcomes).toEqual(['changed'])
    const text = sample.replace('require', "define( 'DISABLE_WP_CRON', true );\nrequire")
    expect([real!.text('wp-config.php'), real!.text('seen')]).toEqual([text, text])
    expect(statSync(at).mode & 0o777).toBe(0o640)
    expect(real!.entries()).toEqual(['seen', 'wp-config.php'])
  })

  it.runIf(there)('leaves all as it was where PHP refuses, and tells its words', async () => {
    const at = real!.path('broken.php')
    real!.tools.program('php', refusal)
    writeFileSync(at, sample)
    const before = real!.mark('broken.php')
    const { failures } = await real!.run([wpConfig(at).define('DISABLE_WP_CRON', true)])
    expect(failures).toEqual([
      'PHP refused the new text, and it was not put in place: Parse error: syntax error, unexpected token ";", expecting ")" on line 2',
    ])
    expect(real!.mark('broken.php')).toBe(before)
    expect(real!.entries().filter((name) => name.startsWith('.'))).toEqual([])
  })

  // As PHP 8.2 prints them of `define('DB_PASSWORD' 'correct horse');` and of two words without quotes.
  it.runIf(there).each([
    ['single-quoted string "correct horse", expecting ")"', 'single-quoted string "(secret)", expecting ")"'],
    ['identifier "correct"', 'identifier "(secret)"'],
    ['double-quoted string "correct...", expecting ")"', 'double-quoted string "(secret)", expecting ")"'],
    ['token ")"', 'token ")"'],
  ])('tells nothing of a password that PHP did not expect: %s', async (unexpected, told) => {
    const words = `Parse error: syntax error, unexpected ${unexpected} in Standard input code on line 2`
    real!.tools.program('php', `printf '%s\\n' '' '${words}' 'Errors parsing Standard input code'; exit 255`)
    writeFileSync(real!.path('hush.php'), sample)
    const { failures, events } = await real!.run([wpConfig(real!.path('hush.php')).define('DISABLE_WP_CRON', true)])
    expect(failures.join()).toContain(`unexpected ${told} on line 2`)
    expect(JSON.stringify(events)).not.toContain('correct')
  })
})
