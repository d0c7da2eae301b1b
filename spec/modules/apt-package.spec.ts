import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { knownAfterApply } from '../../dsl/known-after.ts'
import type { Task } from '../../dsl/task.ts'
import { aptPackage } from '../../index.ts'
import { installMissing, installVersion, remove } from '../../modules/apt-run.ts'
import { type PackageDetails, packageRecord, type PackageQuestion } from '../../modules/apt-state.ts'
import { debianPackage, packageDetails, packageRemains, pendingUpgrade } from '../../modules/package-places.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import type { Failure } from '../../errors/failure.ts'
import { answers, inShell, readScript } from './answers.ts'
import { realShells } from './real.ts'

const problems = (task: Task) => task.problems.map(({ message }) => message)
const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/apt', name))
const place = (question: PackageQuestion) => ({ key: `x:${question.name}`, read: packageRecord(question) })

const questions: readonly PackageQuestion[] = [
  { name: 'fp-hello', wish: 'latest' },
  { name: 'fp-world', wish: 'installed' },
  { name: 'fp-greeter', wish: 'installed' },
  { name: 'fp-helo', wish: 'installed' },
  { name: 'cron', wish: 'absent' },
  { name: 'fp-broken', wish: 'nothing' },
  { name: 'redis-server', wish: 'nothing' },
  { name: 'nginx', wish: 'installed' },
  { name: 'nginx-common', wish: 'absent' },
]

describe.each(['bookworm', 'sid'])('what dpkg and apt say on %s', (image) => {
  const records = answers(questions.map(place), { stdout: fixture(`${image}.out`) })
  const of = (name: string) => {
    const record = records[questions.findIndex((question) => question.name === name)]!
    if (record instanceof Error) throw record
    return record
  }

  it('is what is installed, what was left behind and what is on its way', () => {
    expect(of('fp-hello')).toMatchObject({ state: { version: '1.0' }, remains: null })
    expect(of('fp-world')).toMatchObject({ state: null, remains: '1.1' })
    expect(of('fp-greeter')).toMatchObject({ state: null, remains: null })
    expect(of('fp-helo')).toMatchObject({ state: null, remains: null })
    expect(of('fp-broken')).toMatchObject({ state: { version: '1.0', state: 'half-configured' } })
    expect(of('redis-server').details.isHeld).toBe(true)
    expect(of('cron').details.isHeld).toBe(false)
  })

  it('is what apt would do, where there is something to do', () => {
    expect(of('fp-hello').details).toMatchObject({
      known: 'yes',
      candidate: '1.1',
      versions: ['1.1', '1.0'],
      problem: null,
    })
    expect(of('fp-world').details).toMatchObject({ known: 'yes', candidate: '1.1', removes: [] })
    expect(of('fp-greeter').details).toMatchObject({ known: 'virtual', providers: ['fp-hello'] })
    expect(of('fp-helo').details).toMatchObject({ known: 'no', alike: expect.arrayContaining(['fp-hello']) })
    expect(of('fp-helo').details.lists).toBeLessThan(60)
    expect(of('nginx').details.known).toBe('unasked')
  })

  it('is what else would be removed', () => {
    expect(of('cron').details.removes).toEqual(['nginx'])
  })

  it('is the upgrade that is pending', () => {
    const stdout = fixture(`${image}.out`)
    const how = { names: ['fp-hello'], recommends: true, refresh: undefined }
    const pending = (name: string, refresh?: number) =>
      answers([{ ...pendingUpgrade(name, { name, wish: 'latest' }, { ...how, refresh }) }], { stdout })[0]
    expect(pending('fp-hello')).toEqual({ installed: '1.0', candidate: '1.1' })
    expect(pending('fp-hello', 3600)).toEqual({ installed: '1.0', candidate: '1.1' })
    expect(pending('fp-hello', 1)).toEqual({ installed: '1.0', candidate: null })
    expect(pending('fp-world')).toBeNull()
  })
})

describe('what dpkg says', () => {
  const read = (text: string, ...asked: readonly PackageQuestion[]) =>
    answers(asked.map(place), { stdout: Buffer.from(text) })
  const installed = (name: string) => ({ name, wish: 'installed' }) as const

  it('is of the own architecture where there are several', () => {
    const text =
      '# dpkg amd64\nlibc6 amd64 install installed 2.41\nlibc6 i386 install installed 2.40\nwine i386 install installed 9\n'
    expect(read(text, installed('libc6'), installed('wine'))).toMatchObject([
      { state: { version: '2.41' } },
      { state: null },
    ])
  })

  it('is why apt cannot do it', () => {
    const text = `# dpkg \n\n# lists 5\n# policy\na:\n  Installed: (none)\n  Candidate: 1\n  Version table:\n     1 500\n# install
Some packages could not be installed.\nThe following packages have unmet dependencies:\n a : Depends: b but it is not installable
E: Unable to correct problems, you have held broken packages.\n`
    expect(read(text, installed('a'))).toMatchObject([
      { details: { problem: expect.stringMatching(/Depends: b.*\nE: Unable to correct/) } },
    ])
  })

  it('is nothing where there is no dpkg, or where it breaks', () => {
    const [none] = answers([place(installed('a'))], { status: 127, stderr: 'sh: 4: dpkg-query: not found' })
    expect(none).toMatchObject({ code: 'E_UNREADABLE', hint: 'This module is for Debian and its children.' })
    const [odd] = answers([place(installed('a'))], { stdout: Buffer.from('what\n') })
    expect(odd).toMatchObject({ code: 'E_PROBE_UNPARSABLE' })
  })
})

/** dpkg-query, apt-get and apt-cache of a host that has some packages, in a folder that notes what apt-get was asked to do. */
const folder = mkdtempSync(join(tmpdir(), 'fleetplay-apt-'))
const calls = join(folder, 'calls')
afterAll(() => rmSync(folder, { recursive: true }))

const programs = (has: Readonly<Record<string, string>>, aptGet = 'exit 0') => ({
  // Options, `-W -f FORMAT --`, stand before the names; the format is recognised by its first field.
  'dpkg-query': `f=$3; shift 4; r=0
for p; do case $p in ${Object.entries(has)
    .map(
      ([name, status]) =>
        `${name}) case $f in *Package*) echo '${name} all install ${status}' ;; *) echo '${status} ' ;; esac ;;`,
    )
    .join(' ')} *) r=1 ;; esac; done; exit $r`,
  'apt-get': `echo "$@" | sed 's/.*force-confold //' >>${calls}; ${aptGet}`,
  'apt-cache': `echo "apt-cache $*" >>${calls}`,
})
const called = () => {
  const text = existsSync(calls) ? readFileSync(calls, 'utf8') : ''
  rmSync(calls, { force: true })
  return text.split('\n').slice(0, -1)
}
const how = { names: ['one', 'two', 'three'], recommends: true, refresh: undefined }

for (const { name: shell, there, title } of realShells) {
  describe.runIf(there)(`apt-get by ${title}`, () => {
    it('installs what is missing of all the packages of a task, once', () => {
      const has = { two: 'installed 1.0', three: 'config-files 1.0' }
      expect(inShell(shell, installMissing('one', how), programs(has))).toMatchObject({ status: 0, stderr: '' })
      expect(called()).toEqual(['install one three'])
      inShell(shell, installMissing('two', { ...how, recommends: false }), programs(has))
      expect(called()).toEqual([])
      inShell(shell, installMissing('one', { ...how, recommends: false }), programs({}))
      expect(called()).toEqual(['install --no-install-recommends one two three'])
    })

    it('installs a version, also an older one', () => {
      inShell(shell, installVersion('one', '1:2~rc1', how), programs({}))
      expect(called()).toEqual(['install --allow-downgrades one=1:2~rc1'])
    })

    it('removes what is there, and purges what is left', () => {
      const has = { one: 'installed 1', two: 'config-files 1', three: 'half-configured 1' }
      inShell(shell, remove('one', how.names, false), programs(has))
      expect(called()).toEqual(['remove one three'])
      inShell(shell, remove('two', how.names, true), programs(has))
      expect(called()).toEqual(['purge one two three'])
      inShell(shell, remove('two', how.names, false), programs(has))
      inShell(shell, remove('one', how.names, true), programs({ two: 'installed 1', one: 'not-installed' }))
      expect(called()).toEqual([])
    })

    it.each(['bookworm', 'sid'])('tells last what dpkg said of the package: %s', (image) => {
      const said = join(import.meta.dirname, '../fixtures/apt', `broken-${image}.err`)
      const { status, stderr } = inShell(shell, installMissing('one', how), programs({}, `cat '${said}'; exit 100`))
      called()
      expect(status).toBe(100)
      expect(stderr).toContain('fp-broken: the moon is not full\n')
      expect(stderr).not.toMatch(/Reading database|debconf:/)
      expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^package fp-broken \(--configure\): .* exit status 3$/)
    })

    it("fails in apt's last words where dpkg said nothing", () => {
      const { status, stderr } = inShell(
        shell,
        installMissing('one', how),
        programs({}, "echo 'E: Unable to locate package one'; exit 100"),
      )
      called()
      expect({ status, stderr }).toEqual({ status: 100, stderr: 'E: Unable to locate package one\n' })
    })

    it('does not ask apt where all is as wished', () => {
      process.env['FLEETPLAY_TMP'] = folder
      const wished = (['one', 'two'] as const).map((name) => debianPackage(name, { name, wish: 'installed' }))
      const output = inShell(shell, readScript(wished), programs({ one: 'installed 1', two: 'installed 2' }))
      expect(answers(wished, output)).toEqual([{ version: '1' }, { version: '2' }])
      expect(called()).toEqual([])
      const removed = (['one', 'three'] as const).map((name) => debianPackage(name, { name, wish: 'absent' }))
      expect(answers(removed, inShell(shell, readScript(removed), programs({ one: 'installed 1' })))).toEqual([
        { version: '1' },
        null,
      ])
      expect(called()).toEqual(['-s -qq -y remove one'])
      const exact = debianPackage('one', { name: 'one', wish: 'installed', version: '2' })
      inShell(shell, readScript([exact]), programs({ one: 'installed 1' }))
      expect(called()[0]).toBe('apt-cache policy one')
      delete process.env['FLEETPLAY_TMP']
    })
  })
}

describe('a task of packages', () => {
  const details = (more: Partial<PackageDetails>): PackageDetails => ({
    ...packageDetails({ name: 'x', wish: 'installed' }).fresh!,
    lists: 90_000,
    ...more,
  })
  const failure = async (
    task: Task,
    question: PackageQuestion,
    more: Partial<PackageDetails>,
    state: { version: string } | null = null,
  ) => {
    const host = mockHost('web1').has(packageDetails(question), details(more)).has(debianPackage(question.name), state)
    const [told] = (await run(task, host, { check: true })).tasks
    return { ...told!, message: told!.failure?.message, hint: told!.failure?.hint }
  }
  const nginx: PackageQuestion = { name: 'nginx', wish: 'installed' }

  it('installs what is missing, and leaves versions as they are', async () => {
    const host = mockHost('web1').has(debianPackage('curl'), { version: '7' })
    const { changes } = await run(aptPackage('nginx', 'curl'), host)
    expect(changes).toMatchObject([{ label: 'nginx', before: 'absent', after: knownAfterApply }])
    expect(await run(aptPackage('nginx', 'curl'), host)).toMatchObject({ changes: [] })
  })

  it('that is half installed is installed', async () => {
    const host = mockHost('web1').has(debianPackage('nginx'), { version: '1', state: 'half-configured' })
    expect((await run(aptPackage('nginx'), host)).changes).toMatchObject([{ before: '1 (half-configured)' }])
  })

  it('moves to a version, to the latest, away, and away with all', async () => {
    const host = mockHost('web1').has(debianPackage('nginx'), { version: '2' })
    expect((await run(aptPackage('nginx').version('1.0-1'), host)).changes).toMatchObject([
      { before: '2', after: '1.0-1' },
    ])
    host.has(pendingUpgrade('nginx'), { installed: '1.0-1', candidate: '2' })
    expect((await run(aptPackage('nginx').latest(), host)).changes).toMatchObject([
      { label: 'upgrade of nginx', before: '1.0-1 → 2 pending', after: 'none pending' },
    ])
    expect((await run(aptPackage('nginx').absent(), host)).changes).toHaveLength(1)
    host.has(packageRemains('nginx'), '2')
    expect(await run(aptPackage('nginx').absent(), host)).toMatchObject({ changes: [] })
    const purged = await run(aptPackage('nginx').purged(), host)
    expect(purged.changes).toMatchObject([{ label: 'configuration files of nginx', before: 'of 2', after: 'none' }])
    expect(purged.tasks[0]?.irreversible).toEqual(['Configuration files that are purged are not kept.'])
  })

  it('turned round brings the version back, and takes along no other package', () => {
    const absent = debianPackage('one', { name: 'one', wish: 'absent' }, how)
    expect(absent.write!({ version: '1.0' }, null).text).toContain('one=1.0')
    expect(absent.write!(null, { version: '1.0' }).text).toContain('for p in one two three')
    const made = debianPackage('one', { name: 'one', wish: 'installed' }, how)
    expect(made.write!(null, { version: '1.0' }).text).toContain('for p in one;')
    expect(() => packageRemains('one').write!('1.0', null)).toThrow('cannot be brought back')
  })

  it('may disturb anything', () => {
    expect(debianPackage('one').write!({ version: knownAfterApply }, null).touched).toBeUndefined()
  })

  it.each<readonly [string, Task, PackageQuestion, Partial<PackageDetails>, string, string | RegExp]>([
    [
      'a slip',
      aptPackage('ngnix'),
      { name: 'ngnix', wish: 'installed' },
      { known: 'no', alike: ['nginx'] },
      'apt knows no package ngnix on this host.',
      'Did you mean nginx?',
    ],
    [
      'an unknown one',
      aptPackage('nginx'),
      nginx,
      { known: 'no' },
      'apt knows no package nginx on this host.',
      "Its lists are 25 hours old; .refresh('1d') fetches new ones.",
    ],
    [
      'one unknown to new lists',
      aptPackage('nginx').refresh('2d'),
      nginx,
      { known: 'no' },
      'apt knows no package nginx on this host.',
      'Its lists of packages are 25 hours old, and so they are not refreshed.',
    ],
    [
      'no lists',
      aptPackage('nginx'),
      nginx,
      { known: 'no', lists: 'none' },
      'This host has no lists of packages.',
      "Let apt fetch them: .refresh('1d')",
    ],
    [
      'a virtual one',
      aptPackage('nginx').refresh('1h'),
      nginx,
      { known: 'virtual', providers: ['a', 'b'] },
      'nginx is a virtual package.',
      'Name one that provides it: a, b',
    ],
    ['one on hold', aptPackage('nginx'), nginx, { isHeld: true }, 'nginx is on hold.', /apt-mark unhold nginx/],
    [
      'a version',
      aptPackage('nginx').version('9'),
      { ...nginx, version: '9' },
      { known: 'yes', versions: ['2', '1'] },
      'apt has no version 9 of nginx.',
      'It has 2, 1.',
    ],
    [
      'what apt cannot do',
      aptPackage('nginx'),
      nginx,
      { known: 'yes', problem: ' a : Depends: b\nE: Unable to correct problems.' },
      'apt cannot do it: Unable to correct problems.',
      /Depends: b/,
    ],
  ])('is refused in the plan: %s', async (_, task, question, more, message, hint) => {
    const seen = await failure(task, question, more)
    expect(seen).toMatchObject({ outcome: 'failed', message })
    expect(seen.hint).toMatch(hint)
  })

  it('is not refused by lists that are refreshed first', async () => {
    const seen = await failure(aptPackage('nginx').refresh('1d'), nginx, { known: 'no' })
    expect(seen).toMatchObject({
      outcome: 'changed',
      notes: ['The lists of packages are 25 hours old, and are refreshed first.'],
    })
  })

  it('tells what apt would install, and what it would remove beside', async () => {
    const seen = await failure(aptPackage('nginx'), nginx, { known: 'yes', candidate: '1.22', removes: ['apache2'] })
    expect(seen.notes).toEqual(['apt would install nginx 1.22.', 'apt also removes apache2.'])
  })

  it.each([
    ['no package', aptPackage()],
    ['upper case', aptPackage('Nginx')],
    ['a version in the name', aptPackage('nginx=1.0')],
    // apt-get takes it for «remove nginx».
    ['a minus at the end', aptPackage('nginx-')],
    ['an option', aptPackage('--purge')],
    ['a pattern', aptPackage('php*')],
    ['a pattern of versions', aptPackage('nginx').version('1.24*')],
    ['one version of two', aptPackage('a1', 'b1').version('1')],
    ['two versions', aptPackage('nginx').version('1').latest()],
    ['two ends', aptPackage('nginx').absent().purged()],
    ['no duration', aptPackage('nginx').refresh('soon' as '1h')],
  ])('is told before any connection: %s', (_, task) => {
    expect(problems(task)).toHaveLength(1)
  })
})

describe('a failure to read', () => {
  it('is a failure of each package', () => {
    const [failure] = answers([debianPackage('a1')], { status: 2, stderr: 'dpkg-query: error: parsing file status' })
    expect((failure as Failure).seen?.output).toBe('dpkg-query: error: parsing file status')
  })
})
