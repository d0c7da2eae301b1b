import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Connection, Session } from '../../connection/connection.ts'
import { frame } from '../../connection/frames.ts'
import { programCommand } from '../../connection/program.ts'
import { ask, Folder, processes, shells, told } from './shells.ts'

const everyByte = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256))
const megabyte = Buffer.alloc(2 ** 20, 'x\n')

/** Scripts that would disturb whoever shares a shell with them, and what comes of each. */
const hostile = {
  'exits at once': [ask('exit 7; echo never'), { status: 7 }],
  'goes elsewhere': [ask('cd /tmp; pwd'), { stdout: '/tmp\n' }],
  'reads standard input that it was not given': [ask('cat; read x; echo "[$x]"'), { stdout: '[]\n' }],
  'leaves a megabyte unread': [ask('read -r x; echo "$x"', megabyte), { stdout: 'x\n' }],
  'leaves several megabytes unread': [ask('echo', Buffer.alloc(3 * 2 ** 20 + 17)), { stdout: '\n' }],
  'writes megabytes': [ask('cat', Buffer.concat([megabyte, megabyte, megabyte])), {}],
  'is a megabyte of script': [ask(`${'# a comment\n'.repeat(90_000)}echo end`), { stdout: 'end\n' }],
  'is empty': [ask(''), { status: 0, stdout: '' }],
  'ends without a newline': [ask('echo a;echo b'), { stdout: 'a\nb\n' }],
  'ends in a comment': [ask('echo a # go 1'), { stdout: 'a\n' }],
  'is no script': [ask('if then ( fi'), { status: 2, stdout: '' }],
  'replaces itself': [ask('exec env echo replaced'), { stdout: 'replaced\n' }],
  'closes its descriptors': [ask('exec 0<&- 1>&- 2>&-; cat; exit 3'), { status: 3, stdout: '' }],
  'stops at the first failure': [ask('set -e; false; echo never'), { status: 1, stdout: '' }],
  'has traps': [ask("trap 'echo trapped' EXIT; trap '' TERM; exit 4"), { status: 4, stdout: 'trapped\n' }],
  'kills itself': [ask('kill -9 $$'), { status: 137 }],
  'kills its own group': [ask('sleep 54 & kill -9 0'), { status: 137 }],
  'ends its own group': [ask('kill 0; sleep 54'), { status: 143 }],
  'writes every byte': [ask('cat', everyByte), {}],
  'is told every byte in its text': [ask("printf '%s' '\u00ff\ud83d\ude00\\0'"), { stdout: '\u00ff\ud83d\ude00\\0' }],
  'sets a mask for files': [ask('umask 777; umask 077'), { status: 0 }],
  'uses up the directory': [ask('mkdir -p $FLEETPLAY_TMP/a/b; echo >$FLEETPLAY_TMP/.x; echo >$FLEETPLAY_TMP/..y'), {}],
  'locks the directory': [ask('mkdir -p $FLEETPLAY_TMP/a/b; chmod 0 $FLEETPLAY_TMP/a $FLEETPLAY_TMP'), { status: 0 }],
  'removes the directory': [ask('rm -rf "$FLEETPLAY_TMP"'), { status: 0 }],
  'leaves a process behind that holds its output': [ask('sleep 0.4 & echo gone'), { stdout: 'gone\n' }],
  'leaves a process behind that writes later': [ask('(sleep 0.1; echo late) & echo gone'), { stdout: 'gone\n' }],
  'looks for the protocol': [
    ask('for n in 3 4 5 6 7 8 9; do (echo "1 0 0 9 0" >&$n) 2>/dev/null && echo "$n is open"; done'),
    { stdout: '' },
  ],
  'speaks the protocol': [ask('echo "1 0 0 5 0"; echo "2 0 0 5 0"'), { stdout: '1 0 0 5 0\n2 0 0 5 0\n' }],
} as const

describe.each(shells)('the program under $title', ({ name, there }) => {
  let folder: Folder
  let connection: Connection
  let session: Session
  beforeAll(async () => {
    folder = new Folder(name)
    connection = folder.connection()
    if (there) session = await connection.open()
  })
  afterAll(async () => {
    await connection.close()
    folder.remove()
  })

  it.runIf(there).each(Object.entries(hostile))('goes on after a script that %s', async (_, [request, expected]) => {
    const check = ask('pwd; umask; ls -A "$FLEETPLAY_TMP"; cat; echo fine', 'of the next\n')
    const [first, second] = await session.run([request, check])
    expect(told(first!)).toMatchObject({ timedOut: false, ...expected })
    expect(told(second!)).toEqual({
      status: 0,
      stdout: '/\n0022\nof the next\nfine\n',
      stderr: '',
      timedOut: false,
    })
  })

  it.runIf(there)('carries megabytes both ways unharmed', async () => {
    const bytes = Buffer.concat([everyByte, Buffer.alloc(3_000_001, 0), everyByte])
    const [answer] = await session.run([ask('tee /dev/stderr', bytes)])
    expect(answer!.stdout.equals(bytes)).toBe(true)
    expect(answer!.stderr.equals(bytes)).toBe(true)
  })

  it.runIf(there)('carries any bytes of any frames', async () => {
    const size = fc.nat({ max: 5000 })
    const one = fc.record({ input: fc.uint8Array({ maxLength: 5000 }), split: size, status: fc.nat({ max: 255 }) })
    const property = fc.asyncProperty(fc.array(one, { maxLength: 5 }), async (frames) => {
      const answers = await session.run(
        frames.map(({ input, split, status }) =>
          ask(
            `cat >$FLEETPLAY_TMP/x; head -c ${split} $FLEETPLAY_TMP/x; tail -c +${split + 1} $FLEETPLAY_TMP/x >&2; exit ${status}`,
            input,
          ),
        ),
      )
      expect(answers).toEqual(
        frames.map(({ input, split, status }) => ({
          status,
          timedOut: false,
          stdout: Buffer.from(input.subarray(0, split)),
          stderr: Buffer.from(input.subarray(split)),
        })),
      )
    })
    await fc.assert(property, { numRuns: 8 })
  })

  it.runIf(there)('gives scripts a known ground', async () => {
    const script =
      'echo $LC_ALL; pwd; umask; case :$PATH: in *:/usr/sbin:*) echo sbin;; esac; stat -c %a "$FLEETPLAY_TMP"'
    const [answer] = await session.run([ask(script)])
    expect(told(answer!).stdout).toBe('C\n/\n0022\nsbin\n700\n')
  })

  it.runIf(there)('does not make scripts deaf to signals, as background jobs of a shell are', async () => {
    const [answer] = await session.run([ask('sed -n "s/^SigIgn:\t0*//p" /proc/self/status; kill -INT $$; echo never')])
    expect(told(answer!)).toMatchObject({ status: 130, stdout: '\n' })
  })

  it.runIf(there)('leaves no watchdog behind', async () => {
    await session.run(Array.from({ length: 20 }, () => ask(':', undefined, 4973)))
    expect(processes('sleep', '4973')).toEqual([])
  })

  it.runIf(there)('removes its directory when it is closed', async () => {
    const before = folder.left()
    const other = await connection.open({ greet: 'echo $FLEETPLAY_TMP' })
    const directory = other.greeting.toString().trim()
    expect(directory.startsWith(folder.path)).toBe(true)
    expect(existsSync(directory)).toBe(true)
    await other.close()
    expect(folder.left()).toEqual(before)
  })

  it.runIf(there)('never runs a part of a script, wherever the link breaks', async () => {
    const proof = join(folder.path, 'ran')
    const script = `echo a >>${proof}\necho b >>${proof}`
    const head = programCommand({ marker: 'aabb', directory: 'cut', deadline: 5 })
    const bytes = frame(1, ask(script, 'some input'))
    // In the head, at its end, in both bodies and at their ends, in the last line and one byte before its end.
    const last = bytes.lastIndexOf('go 1\n')
    const cuts = [
      0,
      3,
      bytes.indexOf('\n'),
      bytes.indexOf('echo b'),
      last - 11,
      last - 10,
      last - 4,
      last,
      last + 2,
      last + 4,
      bytes.length,
    ]
    const environment = { ...process.env, PATH: `${folder.path}:${process.env['PATH']}`, XDG_RUNTIME_DIR: folder.path }
    for (const cut of cuts) {
      const child = spawn('sh', ['-c', head], { env: environment, stdio: ['pipe', 'ignore', 'ignore'] })
      child.stdin.end(bytes.subarray(0, cut))
      await once(child, 'exit')
      expect(existsSync(proof), `${cut} of ${bytes.length} bytes`).toBe(cut === bytes.length)
      expect(existsSync(join(folder.path, 'fleetplay.cut'))).toBe(false)
    }
    expect(readFileSync(proof, 'utf8')).toBe('a\nb\n')
  })
})

describe('the cost of a frame', () => {
  const folder = new Folder()
  afterAll(() => folder.remove())

  // Beside them are the watchdog, a subshell, and its sleep, which may be ended before it could be written down. What the
  // script itself starts is not counted: behind setsid the folder is not in its PATH any more.
  it.each([
    ['writes nothing', ask(':'), 'dd setsid rm'],
    ['writes', ask('echo a'), 'dd setsid wc head rm'],
    [
      'does all there is to do',
      ask('cat; echo >&2; : >$FLEETPLAY_TMP/x', 'input'),
      'dd dd setsid wc head head rm mkdir',
    ],
  ])('of a script that %s is these processes', async (_, request, expected) => {
    const log = join(folder.path, 'log')
    for (const name of ['dd', 'setsid', 'wc', 'head', 'rm', 'mkdir', 'cat', 'kill', 'chmod', 'df']) {
      folder.program(name, `echo ${name} >>${log}; PATH=\${PATH#*:}; exec ${name} "$@"`)
    }
    const connection = folder.connection()
    const session = await connection.open()
    writeFileSync(log, '')
    // The second frame waits until the first is cleaned up.
    await session.run([request, ask('exec >&-; exit')])
    await connection.close()
    const started = readFileSync(log, 'utf8').trim().split('\n')
    const first = started.slice(0, started.indexOf('dd', started.indexOf('rm')))
    expect(first.toSorted()).toEqual(expected.split(' ').toSorted())
  })
})

describe.each(shells)('a session under $title that was killed', ({ name, there }) => {
  it.runIf(there)('leaves its folder to the next one, which removes it, and none that is in use', async () => {
    const folder = new Folder(name)
    const connection = folder.connection()
    const [killed, stays] = [await connection.open(), await connection.open()]
    // The parent of a script is the program.
    await expect(killed.run([ask('kill -9 $PPID')])).rejects.toThrow('ended the session')
    const left = folder.left().length
    await new Promise((resolve) => setTimeout(resolve, 200)) // the script itself ends
    await (await connection.open()).close()
    const after = folder.left().length
    const answers = await stays.run([ask('echo "$FLEETPLAY_TMP"; echo here')])
    await connection.close()
    const told = answers.map(({ stdout }) => stdout.toString().split('\n')[1])
    expect({ left, after, told, end: folder.left() }).toEqual({ left: 2, after: 1, told: ['here'], end: [] })
    folder.remove()
  })
})
