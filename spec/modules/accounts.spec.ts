import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Resource } from '../../dsl/resource.ts'
import type { Task } from '../../dsl/task.ts'
import { authorizedKey, group, user } from '../../index.ts'
import { authorizedKeys } from '../../modules/authorized-key.ts'
import { groupDetails, localGroup } from '../../modules/group.ts'
import { account, type UserState } from '../../modules/user.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { answers, inShell, readScript } from './answers.ts'
import { realShells } from './real.ts'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/accounts', `${name}.out`))
const read = <T>(place: Resource<T>, stdout: Buffer | string) => answers([place], { stdout: Buffer.from(stdout) })[0]
const problems = (task: Task) => task.problems.map(({ message }) => message)

const deploy: UserState = {
  uid: 1000,
  group: 'deploy',
  groups: ['sudo'],
  home: '/home/deploy',
  shell: '/bin/bash',
  comment: '',
}

describe('what is read of accounts', () => {
  it.each(['bookworm', 'sid'])('is what Debian has: %s', (name) => {
    const stdout = fixture(name)
    expect(read(account('deploy'), stdout)).toEqual({ ...deploy, groups: [] })
    expect(read(account('www-data'), stdout)).toEqual(account('www-data').fresh)
    expect(read(account('nobody'), stdout)).toEqual(account('nobody').fresh)
    expect(read(localGroup('sudo'), stdout)).toEqual(localGroup('sudo').fresh)
    expect(read(account('nosuch'), stdout)).toBeNull()
    expect(read(groupDetails('sud'), stdout)).toEqual({ members: [], primaryOf: [], nearest: 'sudo' })
    expect(read(groupDetails('www-data'), stdout)).toMatchObject({ primaryOf: ['www-data'] })
  })

  it('is the same with members, numbers without a name, NIS lines and a passwd without an end', () => {
    const text =
      'a:x:1:9::/a:\nb:x:2:2:B,,,:/b:/bin/sh\na:x:7:7::/:/x\n+::::::\nbad\n# group\nz:x:3:a,b\nb:x:2:b\nc:x:4:a\n'
    expect(read(account('a'), text)).toEqual({
      uid: 1,
      group: '9',
      groups: ['c', 'z'],
      home: '/a',
      shell: '',
      comment: '',
    })
    // Being named in the primary group too says nothing.
    expect(read(account('b'), text)).toMatchObject({ group: 'b', groups: ['z'], comment: 'B,,,' })
    expect(read(account('+'), text)).toBeNull()
    expect(read(groupDetails('z'), text)).toMatchObject({ members: ['a', 'b'] })
  })

  it('says so where it cannot be read', () => {
    const [failure] = answers([account('a')], { status: 1, stderr: 'cat: /etc/group: Permission denied' })
    expect(failure).toMatchObject({ code: 'E_UNREADABLE', seen: { output: 'cat: /etc/group: Permission denied' } })
  })

  it('is one script for all accounts and groups', () => {
    const places = [account('root'), account('daemon'), localGroup('root')] as readonly Resource<unknown>[]
    const questions = places.flatMap((place) => place.read.questions)
    expect(new Set(questions.map(({ collector, asked }) => `${collector.name} ${String(asked)}`)).size).toBe(1)
  })

  for (const { name, there, title } of realShells) {
    it.runIf(there)(`is read from this machine, by ${title}`, () => {
      const { status, stdout } = inShell(name, readScript([account('root')]))
      expect(status).toBe(0)
      expect(read(account('root'), stdout)).toMatchObject({ uid: 0, group: 'root' })
    })
  }
})

describe('a user', () => {
  it.each([
    [null, deploy, 'userdel -- deploy'],
    [
      { ...deploy, uid: '(known after apply)' },
      null,
      "useradd $own -m -G sudo -d /home/deploy -s /bin/bash -c '' -- deploy",
    ],
    [
      { ...deploy, group: 'web', comment: "it's" },
      null,
      "useradd -m -u 1000 -G sudo -d /home/deploy -s /bin/bash -c 'it'\\''s' -g web -- deploy",
    ],
    [{ ...deploy, shell: '/bin/sh', uid: 5 }, deploy, 'usermod -u 5 -s /bin/sh -- deploy'],
    [{ ...deploy, groups: [] }, deploy, "usermod -G '' -- deploy"],
    [{ ...deploy, group: 'web' }, deploy, 'usermod -g web -G sudo -- deploy'],
    [{ ...deploy, home: '/srv/d', comment: 'C' }, deploy, 'usermod -d /srv/d -c C -- deploy'],
  ] as const)('moves in one call: %#', (to, from, script) => {
    expect(
      account('deploy').write!(to as UserState | null, from as UserState | null)
        .text.split('\n')
        .at(-1),
    ).toContain(script)
  })

  it('gets a group of its name, or the one that is there', () => {
    const { text } = account('deploy').write!({ ...deploy, uid: 7 }, null)
    expect(text).toContain(`own=-U
while IFS=: read -r n _; do [ "$n" != deploy ] || own='-g deploy'; done </etc/group`)
  })

  it('of the system gets no home, and loses a home only where that is said', () => {
    const { text } = account('exporter', { system: true }).write!({ ...deploy, groups: [] }, null)
    expect(text).toContain('useradd -r -M -u 1000')
    expect(account('deploy').write!(null, deploy).text).toBe('userdel -- deploy')
    expect(account('deploy', { home: true }).write!(null, deploy).text).toContain('userdel $r -- deploy')
  })

  it('names what it disturbs, and no more', () => {
    const touched = (to: UserState | null, from: UserState | null) => account('deploy').write!(to, from).touched
    expect(touched({ ...deploy, shell: '/bin/sh' }, deploy)).not.toContain('authorized-keys:deploy')
    expect(touched({ ...deploy, home: '/srv' }, deploy)).toContain('authorized-keys:deploy')
    expect(touched(deploy, null)).toContain('group:deploy')
  })

  it('new: has what Debian gives, and its number is known after apply', async () => {
    const { changes } = await run([user('deploy').groups('sudo', 'adm'), user('exporter').system()], mockHost('web1'))
    expect(changes.map(({ after }) => after)).toEqual([
      'uid (known after apply), group deploy, in adm sudo, home /home/deploy, shell /bin/sh',
      'uid (known after apply), group exporter, home /nonexistent, shell /usr/sbin/nologin',
    ])
  })

  it('there: keeps what is not said', async () => {
    const host = mockHost('web1').has(account('deploy'), deploy)
    const { changes } = await run(user('deploy').groups('adm').comment('D'), host)
    expect(changes).toHaveLength(1)
    expect(host.holds(account('deploy'))).toEqual({ ...deploy, groups: ['adm', 'sudo'], comment: 'D' })
    expect(await run(user('deploy').groups('adm').comment('D'), host)).toMatchObject({ changes: [] })
    await run(user('deploy').onlyGroups('adm'), host)
    expect(host.holds(account('deploy'))).toMatchObject({ groups: ['adm'] })
    await run(user('deploy').onlyGroups(), host)
    expect(host.holds(account('deploy'))).toMatchObject({ groups: [] })
  })

  it('in a group that does not exist is refused, unless an earlier task makes it', async () => {
    const refused = await run(user('deploy').groups('docker'), mockHost('web1'))
    expect(refused.tasks[0]?.failure).toMatchObject({
      code: 'E_REFUSED',
      message: 'There is no group docker on this host.',
      hint: "Make it before: group('docker')",
    })
    const made = await run([group('docker'), user('deploy').groups('docker')], mockHost('web1'))
    expect(made.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
  })

  it('absent: says what is lost', async () => {
    const host = () => mockHost('web1').has(account('deploy'), deploy)
    const kept = await run(user('deploy').absent(), host(), { check: true })
    expect(kept.tasks[0]).toMatchObject({
      irreversible: [],
      notes: ['A password of deploy is not kept; files of it in /home/deploy stay.'],
    })
    const gone = await run(user('deploy').absent({ home: true }), host(), { check: true })
    expect(gone.tasks[0]?.irreversible).toEqual(['The home of deploy is removed: /home/deploy.'])
  })

  it('is never removed with a home that is not its alone', async () => {
    const { tasks } = await run(user('www-data').absent({ home: true }), mockHost('web1'))
    expect(tasks[0]?.failure?.message).toBe('The home of www-data is /var/www, which is not its alone.')
  })

  it('with a wrong name, home, shell, number or comment is told before any connection', () => {
    for (const name of ['', 'a b', 'a:b', '-a', '1abc', '12345', 'é', 'a'.repeat(33), 'a\nb']) {
      expect(problems(user(name)), name).toHaveLength(1)
      expect(problems(group(name)), name).toHaveLength(1)
    }
    expect(problems(user('a.b-c_D$'))).toEqual([])
    expect(problems(user('a').home('home'))).toEqual(['user a: the path "home" must be absolute'])
    expect(problems(user('a').home('/a:b'))).toEqual(['user a: a home has no colon and no newline'])
    expect(problems(user('a').shell('/bin/s\nh'))).toEqual(['user a: a shell has no colon and no newline'])
    expect(problems(user('a').comment('x:y'))).toEqual(['user a: a comment has no colon and no newline'])
    expect(problems(user('a').uid(-1))).toHaveLength(1)
    expect(problems(user('a').uid(65_535))).toHaveLength(1)
    expect(problems(user('a').groups('x:y'))).toHaveLength(1)
    expect(problems(user('a').groups('x').onlyGroups('y'))).toHaveLength(1)
    expect(problems(user('a').absent().shell('/bin/sh'))).toHaveLength(1)
  })
})

describe('a group', () => {
  it.each([
    [{ gid: '(known after apply)' }, null, 'groupadd -- web'],
    [{ gid: 5 }, null, 'groupadd -g 5 -- web'],
    [{ gid: 6 }, { gid: 5 }, 'groupmod -g 6 -- web'],
    [null, { gid: 5 }, 'groupdel -- web'],
  ] as const)('moves by one call: %#', (to, from, script) => {
    expect(
      localGroup('web').write!(to as never, from)
        .text.trim()
        .replaceAll(/ +/g, ' '),
    ).toBe(script)
  })

  it('keeps its number unless one is said, and says what a new number leaves behind', async () => {
    const host = mockHost('web1').has(localGroup('web'), { gid: 5 })
    expect(await run(group('web'), host)).toMatchObject({ changes: [] })
    const { tasks } = await run(group('web').gid(6), host)
    expect(tasks[0]?.notes).toEqual(["Files of the group web keep the number 5, which will be nobody's, and not 6."])
  })

  it('that is the primary group of an account is not removed', async () => {
    const host = mockHost('web1').has(groupDetails('www-data'), { members: [], primaryOf: ['www-data'], nearest: null })
    const { tasks } = await run(group('www-data').absent(), host)
    expect(tasks[0]?.failure?.message).toBe('www-data is the primary group of www-data.')
  })
})

describe('keys of a user whom an earlier task makes', () => {
  it('are conditional, and estimated as those of a new user', async () => {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOuB3xXnTgpTAjrQUNOZ4FR4KTWqVvbWLg5S6Ze4cWpJ'
    const host = mockHost('web1').cannotRead(authorizedKeys('deploy'), 'There is no account deploy on this host.')
    const { changes } = await run([user('deploy'), authorizedKey('deploy').add(key)], host, { check: true })
    expect(changes.at(-1)).toMatchObject({ before: 'absent', after: '1 key 0600', dependsOn: ['user deploy'] })
  })
})
