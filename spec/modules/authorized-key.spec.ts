import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Failure } from '../../errors/failure.ts'
import type { Task } from '../../dsl/task.ts'
import { authorizedKey } from '../../index.ts'
import { authorizedKeys } from '../../modules/authorized-key.ts'
import type { KeysState } from '../../modules/authorized-keys-file.ts'
import { keyLine, readKey } from '../../modules/public-key.ts'
import type { Script } from '../../shell/script.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { Folder } from '../connection/shells.ts'
import { answers, readScript } from './answers.ts'
import { realShells } from './real.ts'

const problems = (task: Task) => task.problems.map(({ message }) => message)

/** The blob of a key: its type and so many fields of so many bytes. */
function blob(type: string, ...sizes: readonly number[]): string {
  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, bytes.length >> 8, bytes.length & 255]), bytes])
  return Buffer.concat([
    field(Buffer.from(type)),
    ...sizes.map((size, i) => field(Buffer.alloc(size, i + 65))),
  ]).toString('base64')
}

const a = `ssh-ed25519 ${blob('ssh-ed25519', 32)}`
const b = `ssh-rsa ${blob('ssh-rsa', 3, 257)}`
const c = `ecdsa-sha2-nistp256 ${blob('ecdsa-sha2-nistp256', 8, 65)}`
const state = (...lines: readonly string[]): KeysState => ({ lines, mode: '0600', directory: '0700' })

describe('a line of a key', () => {
  it('is read with options, quotes and blanks in them, and a comment', () => {
    const options = 'from="10.0.0.0/8,!10.1.0.0/16",command="echo \\"a b\\" # c",no-pty'
    expect(readKey(`${options} ${a} someone at home`)).toEqual({ options, type: 'ssh-ed25519', blob: a.split(' ')[1] })
    expect(readKey(`  ${b}`)).toMatchObject({ options: '', type: 'ssh-rsa' })
    expect([readKey(''), readKey('# x'), readKey('nonsense'), readKey('ssh-ed25519')]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  it.each([
    ['ed25519', a],
    ['rsa', b],
    ['ecdsa', `${c} me@home`],
    ['sk', `sk-ssh-ed25519@openssh.com ${blob('sk-ssh-ed25519@openssh.com', 32, 4)}`],
    ['options', `no-pty ${a}`],
  ])('is taken: %s', (_, line) => {
    expect(keyLine(`${line}\n`)).toBe(line)
  })

  it.each([
    ['nothing', '', 'not a public key such as `ssh-ed25519 AAAA… comment`'],
    ['a word', 'secret-password', 'not a public key such as `ssh-ed25519 AAAA… comment`'],
    ['two keys', `${a}\n${b}`, 'one key at a time, on one line'],
    ['no base64', 'ssh-ed25519 AAAA!!!', 'what follows ssh-ed25519 is not base64'],
    ['cut', a.slice(0, -8), 'the ssh-ed25519 key is not whole: perhaps it was cut when it was copied'],
    [
      'cut between its fields',
      `ssh-rsa ${blob('ssh-rsa', 3)}`,
      'the ssh-rsa key is not whole: perhaps it was cut when it was copied',
    ],
    ['another type', `ssh-rsa ${a.split(' ')[1]}`, 'it says ssh-rsa, and holds a key of ssh-ed25519'],
  ])('is refused: %s', (_, line, problem) => {
    expect(keyLine(line)).toEqual({ problem })
  })

  it.each([
    [
      'OpenSSH',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUsecret\n-----END OPENSSH PRIVATE KEY-----',
    ],
    ['PEM', '-----BEGIN RSA PRIVATE KEY-----\nMIIEsecret\n-----END RSA PRIVATE KEY-----\n'],
    ['without its frame', 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUsecret'],
    ['PuTTY', 'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nsecret'],
  ])('that is a private key is refused, and neither printed nor kept: %s', (_, text) => {
    for (const task of [
      authorizedKey('deploy').add(text),
      authorizedKey('deploy').only(a, text),
      authorizedKey('deploy').remove(text),
    ]) {
      expect(problems(task)[0]).toMatch(/^authorizedKey deploy: this is a private key/)
      expect(JSON.stringify([task, task.problems, problems(task), task.unfinished])).not.toContain('secret')
    }
  })

  it('is never printed when it is wrong', () => {
    expect(problems(authorizedKey('deploy').add('hunter2')).join()).not.toContain('hunter2')
  })
})

describe('keys of a user', () => {
  const after = async (task: Task, now: KeysState | null) => {
    const host = mockHost('web1').has(authorizedKeys('deploy'), now)
    const first = await run(task, host)
    expect(await run(task, host)).toMatchObject({ changes: [] })
    return { value: host.holds(authorizedKeys('deploy')), notes: first.tasks[0]?.notes, changes: first.changes.length }
  }

  it.each([
    ['the first', authorizedKey('deploy').add(a), null, state(a)],
    ['one more, after the lines of others', authorizedKey('deploy').add(a), state('# note', b), state('# note', b, a)],
    [
      'one that is there with another comment',
      authorizedKey('deploy').add(`${a} me`),
      state(`${a} you`),
      state(`${a} you`),
    ],
    [
      'one with other options, in its place',
      authorizedKey('deploy').add(`no-pty ${a} me`),
      state(`${a} you`, b),
      state(`no-pty ${a} me`, b),
    ],
    ['one that is there twice', authorizedKey('deploy').add(a), state(a, b, `no-pty ${a}`), state(a, b)],
    [
      'removed, whatever its options',
      authorizedKey('deploy').remove(`${a} x`),
      state('# note', `no-pty ${a}`, b),
      state('# note', b),
    ],
    ['removed where there is no file', authorizedKey('deploy').remove(a), null, null],
    ['one added and one removed', authorizedKey('deploy').add(c).remove(a), state(a, b), state(b, c)],
    ['these only', authorizedKey('deploy').only(a, b), state('# note', c), state(a, b)],
    ['none', authorizedKey('deploy').only(), state(a), state()],
    ['none where there is no file', authorizedKey('deploy').only(), null, null],
  ])('%s', async (_, task, now, then) => {
    expect((await after(task, now)).value).toEqual(then)
  })

  it('keep modes that only the owner writes by, and lose those by which others could write', async () => {
    const open = { lines: [a], mode: '0666', directory: '0775' }
    expect((await after(authorizedKey('deploy').add(a), open)).value).toEqual(state(a))
    const read = { lines: [a], mode: '0644', directory: '0755' }
    expect(await after(authorizedKey('deploy').add(a), read)).toMatchObject({ value: read, changes: 0 })
  })

  it('are told when none is left', async () => {
    expect((await after(authorizedKey('deploy').remove(a), state(a, '# x'))).notes).toEqual([
      'Nobody can log in as deploy by a key any more.',
    ])
  })

  it('cannot be both, nor be those of nobody', () => {
    expect(problems(authorizedKey('deploy').add(a).remove(`${a} x`))).toEqual([
      'authorizedKey deploy: one key is added and removed',
    ])
    expect(problems(authorizedKey('deploy').only(a).add(b))).toHaveLength(1)
    expect(problems(authorizedKey('a b').add(a))).toHaveLength(1)
  })

  it('unfinished is no task', () => {
    // @ts-expect-error -- it says no key
    const task: Task = authorizedKey('deploy')
    expect(task.unfinished).toBe('authorizedKey deploy says no key: add(), remove() or only()')
  })
})

describe.each(realShells)('the file, by $title', ({ name, there }) => {
  const folder = new Folder(name)
  afterAll(() => folder.remove())
  const home = join(folder.path, "ho me's")
  const file = join(home, '.ssh/authorized_keys')
  const passwd = join(folder.path, 'passwd')

  /** The script, with accounts of our own instead of this machine's. */
  const go = (script: Script) => {
    const text = script.text.replaceAll('/etc/passwd', passwd)
    expect(text).not.toBe(script.text)
    const env = { ...process.env, LC_ALL: 'C', PATH: `${folder.path}:${process.env['PATH']}` }
    const { status, stdout, stderr } = spawnSync('sh', ['-c', text], { env, input: script.input ?? '' })
    return { status: status ?? -1, stdout, stderr: stderr.toString() }
  }
  const read = (user = 'me') => answers([authorizedKeys(user)], go(readScript([authorizedKeys(user)])))[0]
  const write = (to: KeysState | null, from: KeysState | null) => go(authorizedKeys('me').write!(to, from))
  const mode = (path: string) => (lstatSync(path).mode & 0o7777).toString(8)
  const begin = () => {
    mkdirSync(home)
    writeFileSync(
      passwd,
      `root2:x:4294967290:1::/:/bin/sh\nme:x:${process.getuid!()}:${process.getgid!()}::${home}:/usr/sbin/nologin\n`,
    )
  }

  it.runIf(there)('is made, read, moved and removed', () => {
    begin()
    expect(read()).toBeNull()
    expect(write(state(a, '# it\'s "x"'), null)).toMatchObject({ status: 0, stderr: '' })
    expect(readFileSync(file, 'utf8')).toBe(`${a}\n# it's "x"\n`)
    expect([mode(file), mode(join(home, '.ssh'))]).toEqual(['600', '700'])
    expect(read()).toEqual(state(a, '# it\'s "x"'))

    chmodSync(file, 0o666)
    chmodSync(join(home, '.ssh'), 0o777)
    const open = { ...state(a, '# it\'s "x"'), mode: '0666', directory: '0777' }
    expect(read()).toEqual(open)
    expect(write(state(b), open).status).toBe(0)
    expect(read()).toEqual(state(b))
    expect(write(open, state(b)).status).toBe(0)
    expect(read()).toEqual(open)

    writeFileSync(file, a)
    expect(read()).toMatchObject({ lines: [a] })
    writeFileSync(file, '')
    expect(read()).toMatchObject({ lines: [] })

    expect(write(null, open)).toMatchObject({ status: 0, stderr: '' })
    expect(read()).toBeNull()
    expect(existsSync(join(home, '.ssh'))).toBe(false)
  })

  it.runIf(there)('in the place of a link replaces the link, and leaves what it led to', () => {
    mkdirSync(join(home, '.ssh'))
    const elsewhere = join(folder.path, 'elsewhere')
    writeFileSync(elsewhere, 'precious\n')
    symlinkSync(elsewhere, file)
    expect(write(state(a), state()).status).toBe(0)
    expect(readFileSync(elsewhere, 'utf8')).toBe('precious\n')
    expect(lstatSync(file).isFile()).toBe(true)
  })

  it.runIf(there)('that cannot be read says why', () => {
    const message = (user?: string) => (read(user) as Failure).message
    expect(message('nobody-here')).toBe('There is no account nobody-here on this host.')
    writeFileSync(file, 'x'.repeat(300_000))
    expect(message()).toBe('The authorized_keys of me is larger than 256 KiB.')
    writeFileSync(passwd, `me:x:${process.getuid!()}:0::${home}/gone:/bin/sh\n`)
    expect(write(state(a), null)).toMatchObject({ status: 1, stderr: `The home of me does not exist: ${home}/gone\n` })
  })
})

describe('as root', () => {
  it('everything in a home is done with the rights of its owner', () => {
    for (const script of [authorizedKeys('deploy').write!(state(a), null), readScript([authorizedKeys('deploy')])]) {
      expect(script.text).toContain('as="setpriv --reuid=$uid --regid=$gid --clear-groups --"')
      expect(script.text).toMatch(/^\$as sh -c /m)
    }
  })
})
