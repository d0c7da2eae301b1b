import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { AnyResource } from '../../dsl/resource.ts'
import type { Task } from '../../dsl/task.ts'
import { Failure } from '../../errors/failure.ts'
import { directory, file, line, sh, sysctl, user } from '../../index.ts'
import { contentsOf } from '../../modules/directory.ts'
import { directoryAt, fileAt, tellContent } from '../../modules/file.ts'
import { knownName } from '../../modules/owners.ts'
import type { FileState } from '../../probe/file.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { Real, realShells, seenMeanwhile } from './real.ts'

const isRoot = process.getuid?.() === 0
const rootWrites = isRoot ? ' (skipped: root may write everywhere)' : ''
const needsRoot = isRoot ? '' : ' (skipped: it needs root)'
const owned = { mode: '0644', owner: 'root', group: 'root' }
const problems = (task: Task) => task.problems.map(({ message }) => message)

describe('file()', () => {
  it('is no task before it says something', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = file('/etc/motd')
    await expect(run(unfinished, mockHost('web1'))).rejects.toMatchObject({
      failures: [
        {
          message: 'file /etc/motd says nothing: give it a content, a mode, an owner, or .absent()',
          place: { file: import.meta.filename },
        },
      ],
    })
  })

  it.each([
    ['etc/motd', 'file: the path "etc/motd" must be absolute'],
    ['/etc//motd', 'file: write the path "/etc//motd" as "/etc/motd"'],
    ['/etc/../motd', 'file: write the path "/etc/../motd" as "/motd"'],
    ['/etc/', 'file: write the path "/etc/" as "/etc"'],
    ['/', 'file: the path is the root directory'],
    ['/a\0b', 'file: the path "/a\\u0000b" holds a NUL byte'],
    [`/${'ü'.repeat(128)}`, `file: the name "${'ü'.repeat(128)}" is longer than 255 bytes`],
    [`/${'a/'.repeat(2100)}b`, 'file: the path is longer than 4095 bytes'],
  ])('refuses the path %#', (path, problem) => {
    expect(problems(file(path).absent())).toEqual([problem])
  })

  it('refuses what contradicts itself, a mode that is none and an owner that is none', () => {
    expect(problems(file('/a').absent().content('x'))).toEqual([
      'file /a cannot be absent and have a content, mode or owner',
    ])
    expect(problems(file('/a').content('x').absent())).toHaveLength(1)
    expect(problems(file('/a').mode('0888'))).toEqual(['"0888" is not a mode such as 0644 (an octal text, in quotes)'])
    expect(problems(file('/a').owner('a:b'))).toEqual(['"a:b" is not the name of a user or a group'])
    expect(problems(file('/a').owner('a', ''))).toEqual(['"" is not the name of a user or a group'])
    expect(problems(file('/a').content('x').mode('04755').owner('a', 'domain users'))).toEqual([])
  })

  it('keeps what is not said, and writes a new file with what a new file gets', async () => {
    const there: FileState = { type: 'file', content: { text: 'old\n' }, mode: '0600', owner: 'bob', group: 'staff' }
    const host = mockHost('web1').has(fileAt('/etc/a'), there)
    await run([file('/etc/a').content('new\n'), file('/etc/b').content('x').owner('bob')], host)
    expect(host.holds(fileAt('/etc/a'))).toEqual({ ...there, content: { text: 'new\n' } })
    expect(host.holds(fileAt('/etc/b'))).toEqual({
      type: 'file',
      content: { text: 'x' },
      mode: '0644',
      owner: 'bob',
      group: 'bob',
    })
  })

  const refused = async (task: Task, path: string, state: FileState) => {
    const { tasks } = await run(task, mockHost('web1').has(fileAt(path), state))
    return tasks[0]!.failure?.message
  }

  it('refuses in the plan what is in its place, and a directory above that is not there', async () => {
    const folder: FileState = { type: 'directory', ...owned }
    const socket: FileState = { type: 'other', ...owned }
    expect(await refused(file('/srv/a').content('x'), '/srv/a', folder)).toBe('/srv/a is a directory.')
    expect(await refused(file('/srv/a').absent(), '/srv/a', folder)).toBe('/srv/a is a directory.')
    expect(await refused(file('/srv/a').content('x'), '/srv/a', socket)).toBe('/srv/a is a socket, a pipe or a device.')
    expect(await refused(file('/srv/a').absent(), '/srv/a', socket)).toBe('/srv/a is a socket, a pipe or a device.')
    expect(await refused(file('/srv/a').content('x'), '/srv', { type: 'absent' })).toBe('/srv does not exist.')
    expect(await refused(file('/srv/a').content('x'), '/srv', socket)).toBe('/srv is no directory.')
    expect(await refused(file('/srv/a').mode('0600'), '/srv/a', { type: 'absent' })).toBe(
      '/srv/a does not exist, and the task does not say its content.',
    )
  })

  it('counts on a directory that an earlier task makes', async () => {
    const host = mockHost('web1').has(directoryAt('/srv/app'), { type: 'absent' })
    const { hosts, changes } = await run([directory('/srv/app'), file('/srv/app/a').content('x')], host)
    expect([hosts['web1'], changes.length]).toEqual(['changed', 2])
  })

  it('tells of a task below that makes what it lacks', async () => {
    const hints = async (first: Task, later: Task) => {
      const host = mockHost('web1')
        .has(directoryAt('/srv/app'), { type: 'absent' })
        .has(knownName('passwd', 'ordr'), { nearest: null })
      const { tasks } = await run([first, file('/etc/other').content('x'), later], host)
      return tasks[0]!.failure?.hint
    }
    const below = directory('/srv/app')
    expect(await hints(file('/srv/app/a').content('x'), below)).toBe(
      `directory /srv/app (file.spec.ts:${below.origin.place?.line}) makes it, below: move it up.`,
    )
    expect(await hints(file('/srv/app/a').content('x'), directory('/srv/app/b/c'))).toMatch(
      /^directory \/srv\/app\/b\/c /,
    )
    expect(await hints(file('/srv/app/a').content('x'), directory('/srv/b'))).toBe(
      "Make it before: directory('/srv/app')",
    )
    expect(await hints(file('/a').content('x').owner('ordr', 'root'), user('ordr'))).toMatch(
      /^user ordr .* move it up\.$/,
    )
  })

  it('can put back what is larger than 256 KiB: the host keeps it', async () => {
    const large: FileState = { type: 'file', content: tellContent(Buffer.alloc(300_000)), ...owned }
    const { tasks } = await run(file('/srv/a').content('x'), mockHost('web1').has(fileAt('/srv/a'), large))
    expect(tasks[0]!.irreversible).toEqual([])
  })

  it('is a conflict where two tasks wish different files, told in words', async () => {
    const told = async (one: Task, other: Task) => {
      const failure: unknown = await run([one, other], mockHost('web1')).catch((error: unknown) => error)
      return /disagree on .*/.exec((failure as Error).message)?.[0]
    }
    expect(await told(file('/srv/a').content('x'), file('/srv/a').absent())).toBe(
      'disagree on /srv/a: absent against 1 line 0644 root:root.',
    )
    expect(await told(file('/srv/a').content('a\none\n'), file('/srv/a').content('a\nother\n'))).toBe(
      'disagree on /srv/a: "other" against "one" in line 2.',
    )
    expect(await told(file('/srv/a').content('a'), file('/srv/a').content('a\n'))).toBe(
      'disagree on /srv/a: "" against its end in line 2.',
    )
    const moded = file('/srv/a').content('a').mode('0600')
    expect(await told(moded, file('/srv/a').content('a'))).toBe(
      'disagree on /srv/a: 1 line 0644 root:root against 1 line 0600 root:root.',
    )
    expect(await told(file('/srv/a').content('b'), line('/srv/a').present('a', { create: true }))).toBe(
      'disagree on /srv/a: a part of it against 1 line 0644 root:root.',
    )
    expect(await told(sysctl('a').set('vm.swappiness', 1), sysctl('a').set('vm.swappiness', 2))).toBe(
      'disagree on vm.swappiness: 2 against 1.',
    )
    expect(await told(sysctl('a').set('vm.swappiness', 1), sysctl('a').set('vm.panic_on_oom', 0))).toBe(
      'disagree on /etc/sysctl.d/a.conf: "vm.panic_on_oom = 0" against "vm.swappiness = 1" in line 2.',
    )
    expect(await told(user('a').absent(), user('a').shell('/bin/sh'))).toBe(
      'disagree on user a: a part of it against absent.',
    )
  })
})

describe('the scripts of a file', () => {
  const state = (text: string, mode = '0644') => ({ type: 'file', content: { text }, ...owned, mode }) as const
  const write = (to: FileState, from: FileState) => fileAt('/etc/mo td').write!(to, from)

  it('write aside through the descriptor, and rename', () => {
    const script = write(state('x'), { type: 'absent' })
    expect(script.text).toBe(String.raw`n=/etc/.fleetplay.bd151650f742
for t in "$n".*; do [ ! -L "$t" ] && [ ! -f "$t" ] || rm -f -- "$t" || exit; done
t=$n.$$
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
umask 077
set -C
exec 4>"$t" || exit
dd bs=65536 conv=fsync status=none >&4 || exit
chown -- root:root /proc/self/fd/4 && chmod -- 0644 /proc/self/fd/4 && mv -fT -- "$t" '/etc/mo td' && trap - EXIT`)
    expect(Buffer.from(script.input!).toString()).toBe('x')
    expect(script.touched).toEqual(['file:/etc/'])
    expect(write(state('x'), state('y')).touched).toEqual([])
  })

  it('change no more than mode or owner where the content stays', () => {
    expect(write(state('x', '0600'), state('x')).text).toBe(
      "[ ! -L '/etc/mo td' ] || { echo '/etc/mo td has become a link' >&2; exit 1; }\nchmod -- 0600 '/etc/mo td'",
    )
    expect(write({ ...state('x'), owner: 'bob' }, state('x')).text).toMatch(
      /^chown -h -- bob:root '\/etc\/mo td' \|\| exit\n/,
    )
  })

  it('are not there for what was a socket', () => {
    expect(() => write({ type: 'other', ...owned }, { type: 'absent' })).toThrow(Failure)
  })
})

describe.each(realShells)('files by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())

  it.runIf(there)('keep what came as a digest on the host, and are put back from there', async () => {
    const path = real.path('kept')
    const bytes = Buffer.alloc(300_000, 'x')
    const me = real.host()
    const { user: owner, group } = await me.facts(undefined)
    const large: FileState = { type: 'file', content: tellContent(bytes), mode: '0644', owner, group }
    const small: FileState = { ...large, content: { text: 'small' } }
    // The task brings other bytes than those that were there.
    const place = fileAt(path, Buffer.alloc(300_000, 'y')) as AnyResource
    const move = async (to: FileState, from: FileState) => {
      const script = place.write!(to, from)
      const [end] = await me.apply([{ resource: place, from, to, script, deadline: 60 }], undefined)
      return end instanceof Failure ? end.message : end
    }
    writeFileSync(path, bytes)
    expect(await move(small, large)).toBe('done')
    expect(real.text('kept')).toBe('small')
    expect(await move(large, small)).toBe('done')
    expect(readFileSync(path).equals(bytes)).toBe(true)
    expect(await move({ type: 'absent' }, large)).toBe('done')
    expect(await move(large, { type: 'absent' })).toBe('done')
    expect(readFileSync(path).equals(bytes)).toBe(true)
    rmSync(join(real.tools.state, 'fleetplay', 'kept'), { recursive: true })
    expect(await move(large, small)).toBe(`what ${path} held is not kept on the host any more`)
    rmSync(path)
    await me.close()
  })

  it.runIf(there)('are written as wished, in three trips, and left alone the second time, in one', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    const large = Buffer.alloc(3_000_000, 'large ')
    const tasks = [
      file(real.path('new')).content('one\ntwo\n'),
      file(real.path('empty')).content('').mode('0600'),
      file(real.path('bytes')).content(bytes).mode('04750'),
      file(real.path('large')).content(large),
      file(real.path("it's; $(odd)\nname")).content('odd'),
      file(real.path('x'.repeat(255))).content('long'),
      file(real.path('gone')).absent(),
    ]
    writeFileSync(real.path('gone'), 'x')
    const first = await real.run(tasks)
    expect(first.failures).toEqual([])
    expect(first.outcomes).toEqual(tasks.map(() => 'changed'))
    expect(first.trips).toBe(3)
    expect(real.text('new')).toBe('one\ntwo\n')
    expect(readFileSync(real.path('bytes'))).toEqual(Buffer.from(bytes))
    expect(readFileSync(real.path('large')).equals(large)).toBe(true)
    expect(real.entries()).toEqual(['bytes', 'empty', "it's; $(odd)\nname", 'large', 'new', 'x'.repeat(255)].toSorted())
    expect(['new', 'empty', 'bytes'].map((name) => (lstatSync(real.path(name)).mode & 0o7777).toString(8))).toEqual([
      '644',
      '600',
      '4750',
    ])
    const marks = real.entries().map((name) => real.mark(name))
    const second = await real.run(tasks)
    expect([second.outcomes, second.trips]).toEqual([tasks.map(() => 'ok'), 1])
    expect(real.entries().map((name) => real.mark(name))).toEqual(marks)
  })

  it.runIf(there)('keep their inode where only the mode changes', async () => {
    writeFileSync(real.path('log'), 'x')
    chmodSync(real.path('log'), 0o644)
    const { ino } = lstatSync(real.path('log'))
    expect((await real.run([file(real.path('log')).mode('0600')])).outcomes).toEqual(['changed'])
    expect(lstatSync(real.path('log'))).toMatchObject({ ino, mode: 0o100600 })
  })

  it.runIf(there && isRoot)(`get mode and owner together${needsRoot}`, async () => {
    const tasks = [file(real.path('owned')).content('x').mode('06755').owner('nobody', 'nogroup')]
    expect((await real.run(tasks)).failures).toEqual([])
    const { uid, gid, mode } = lstatSync(real.path('owned'))
    expect([uid, gid, mode & 0o7777]).toEqual([65534, 65534, 0o6755])
    expect((await real.run([file(real.path('owned')).owner('root')])).failures).toEqual([])
    expect(lstatSync(real.path('owned'))).toMatchObject({ uid: 0, gid: 0, mode: 0o106755 })
  })

  it.runIf(there)('replace a link and not what it leads to', async () => {
    writeFileSync(real.path('target'), 'kept')
    symlinkSync(real.path('target'), real.path('link'))
    linkSync(real.path('target'), real.path('hard'))
    await real.run([file(real.path('link')).content('new'), file(real.path('hard')).content('new')])
    expect([real.text('target'), real.text('link'), real.text('hard')]).toEqual(['kept', 'new', 'new'])
    expect(lstatSync(real.path('link')).isFile()).toBe(true)
  })

  it.runIf(there)('never show a half to a reader', async () => {
    const texts = ['a', 'b'].map((letter) => letter.repeat(200_000))
    writeFileSync(real.path('read'), texts[0]!)
    linkSync(real.path('read'), real.path('read before'))
    const seen = await seenMeanwhile(
      () => real.text('read'),
      () => real.run([file(real.path('read')).content(texts[1]!)]),
    )
    expect(seen).toEqual(texts)
    // Who had it open goes on to read what it was.
    expect(real.text('read before')).toBe(texts[0])
  })

  /** Starts the script that writes a file, as a section of a batch would, and gives it half of its input. */
  const begin = (name: string) => {
    const to: FileState = { type: 'file', content: { text: 'x' }, mode: '0644', owner: 'root', group: 'root' }
    const { text } = fileAt(real.path(name)).write!(to, { type: 'absent' })
    const child = spawn(`${real.tools.path}/sh`, ['-c', `(eval ${sh`${text}`.text})`], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    child.stdin.write('half')
    return child
  }
  const litter = () => real.entries().filter((name) => name.startsWith('.fleetplay'))
  const until = async (holds: () => boolean) => {
    for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25))
    expect(holds()).toBe(true)
  }

  it.runIf(there)('leave the old file and nothing beside it where the script is ended in the middle', async () => {
    writeFileSync(real.path('ended'), 'old')
    const child = begin('ended')
    await until(() => litter().length === 1)
    const ended = once(child, 'exit')
    process.kill(-child.pid!, 'SIGTERM')
    // A signal that comes between fork and exec of `cat` is lost for it, and the shell waits for `cat` before its trap.
    child.stdin.destroy()
    await ended
    await until(() => litter().length === 0)
    expect(real.text('ended')).toBe('old')
  })

  it.runIf(there)(
    'clear, when they are written again, what a script left that was killed or lost its power',
    async () => {
      writeFileSync(real.path('killed'), 'old')
      const child = begin('killed')
      await until(() => litter().length === 1)
      process.kill(-child.pid!, 'SIGKILL')
      await once(child, 'exit')
      expect([real.text('killed'), litter().length]).toEqual(['old', 1])
      await real.run([file(real.path('killed')).content('new')])
      expect([real.text('killed'), litter()]).toEqual(['new', []])
    },
  )

  it.runIf(there)('leave the old file where the disk is full', async () => {
    writeFileSync(real.path('full'), 'old')
    const to: FileState = {
      type: 'file',
      content: { text: 'x'.repeat(200_000) },
      mode: '0644',
      owner: 'root',
      group: 'root',
    }
    const script = fileAt(real.path('full')).write!(to, { type: 'absent' })
    // A limit on the size of files stands for a full disk: a mount would need root.
    const { status } = spawnSync(`${real.tools.path}/sh`, ['-c', `ulimit -f 64; (eval ${sh`${script.text}`.text})`], {
      input: script.input as Buffer,
    })
    expect(status).not.toBe(0)
    expect([real.text('full'), litter()]).toEqual(['old', []])
  })

  it.runIf(there)('do not write through a link that a stranger lays, be it beside or in their place', async () => {
    const victim = real.path('victim')
    writeFileSync(victim, 'kept')
    chmodSync(victim, 0o600)
    mkdirSync(real.path('open'), { recursive: true })
    chmodSync(real.path('open'), 0o777)
    const strangers = new Real(shell)
    // As soon as the file beside is open, its name is made to lead to another file: what dd, chown and chmod do must not reach that.
    for (const name of ['dd', 'chown', 'chmod']) {
      const command = spawnSync('sh', ['-c', `command -v ${name}`])
        .stdout.toString()
        .trim()
      const swap = `for f in ${sh`${real.path('open')}`.text}/.fleetplay.*; do [ -f "$f" ] && rm -f "$f" && ln -s ${sh`${victim}`.text} "$f"; done`
      strangers.tools.program(name, `${swap} 2>/dev/null; exec ${command} "$@"`)
    }
    const host = strangers.host()
    const place = fileAt(real.path('open/new'))
    const to: FileState = {
      type: 'file',
      content: { text: 'x' },
      mode: '0666',
      owner: String(process.getuid!()),
      group: String(process.getgid!()),
    }
    await host.apply(
      [
        {
          resource: place as never,
          from: { type: 'absent' },
          to,
          script: place.write!(to, { type: 'absent' }),
          deadline: 10,
        },
      ],
      undefined,
    )
    await host.close()
    await strangers.remove()
    expect(real.text('victim')).toBe('kept')
    expect((lstatSync(victim).mode & 0o777).toString(8)).toBe('600')
    // The stranger's directory holds what the stranger put there.
    expect(readlinkSync(real.path('open/new'))).toBe(victim)
  })

  it.runIf(there)('say why where nothing can be written', async () => {
    const { failures } = await real.run([file('/proc/sys/fleetplay').content('x')])
    expect(failures).toHaveLength(1)
    expect(failures[0]).toMatch(/(cannot|can't) create \/proc\/sys\/\.fleetplay\.|\/proc\/sys\/\.fleetplay\.\S+: /i)
  })

  it.runIf(there && !isRoot)(`say why in a directory that is not theirs${rootWrites}`, async () => {
    const { failures } = await real.run([file('/etc/fleetplay-spec').content('x')])
    expect(failures[0]).toMatch(/\/etc\/\.fleetplay\.\S+: Permission denied/)
  })

  it.runIf(there)('come and go in their directory: what is in it is a place too', async () => {
    expect(
      fileAt(real.path('a')).write!({ type: 'absent' }, { type: 'file', content: { text: '' }, ...owned }).touched,
    ).toEqual([contentsOf(real.root).key])
  })
})
