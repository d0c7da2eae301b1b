import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../../errors/failure.ts'
import { type Samples, samplesOf, type Target } from '../../../modules/perf/samples.ts'
import { Folder, type ShellName } from '../../connection/shells.ts'
import { answers, readScript } from '../answers.ts'
import { realShells } from '../real.ts'

const fixture = (name: string) => join(import.meta.dirname, '../../fixtures/perf', name)
const paranoid = '/proc/sys/kernel/perf_event_paranoid'

let temporary: string
beforeEach(() => (temporary = mkdtempSync(join(tmpdir(), 'fleetplay-perf-'))))
afterEach(() => rmSync(temporary, { recursive: true }))

/** A perf that answers with what the real one has printed, and notes how it was called. */
const recorded = `echo "$*" >>"$CALLS"
case $1 in
  record) : >"$HOME/data" ;;
  evlist) echo cpu-clock:ppp ;;
  script) cat ${fixture('script.out')} ;;
esac`

interface Asked {
  readonly shell?: ShellName
  readonly perf?: string | undefined
  readonly kernel?: boolean
  readonly programs?: Readonly<Record<string, string>>
}

/** What the real script makes of programs that stand in for those of a host. */
function ask(target: Target, { shell = 'dash', perf = recorded, kernel = true, programs = {} }: Asked = {}) {
  const place = samplesOf(target, 2)
  const folder = new Folder(shell)
  try {
    if (perf) folder.program('perf', perf)
    for (const [name, text] of Object.entries(programs)) folder.program(name, text)
    const [calls, setting] = [join(temporary, 'calls'), join(temporary, 'paranoid')]
    if (kernel) writeFileSync(setting, '2\n')
    // Without perf there is nothing beside the shell itself, wherever this machine has one.
    const path = perf ? `${folder.path}:${process.env['PATH']}` : folder.path
    const env = { LC_ALL: 'C', PATH: path, TMPDIR: temporary, CALLS: calls }
    const script = readScript([place]).text.replaceAll(paranoid, setting)
    const { status, stdout, stderr } = spawnSync(perf ? join(folder.path, 'sh') : '/bin/sh', ['-c', script], { env })
    const [answer] = answers([place], { status: status ?? -1, stdout, stderr: stderr.toString() })
    const left = readdirSync(temporary).filter((name) => name !== 'calls' && name !== 'paranoid')
    return {
      answer: answer as Samples,
      left,
      calls: existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [],
    }
  } finally {
    folder.remove()
  }
}

const self = { pid: process.pid }

describe.each(realShells)('samples by $title', ({ name: shell, there }) => {
  const awks = { awk: undefined, 'busybox awk': 'exec busybox awk "$@"' }

  it.for(Object.entries(awks))('are folded on the host with %s', ([, awk], { skip }) => {
    skip(!there)
    const { answer, calls, left } = ask(self, { shell, programs: awk ? { awk } : {} })
    expect(answer).toMatchObject({ event: 'cpu-clock:ppp', samples: 15 })
    const stacks = (answer as Samples & { stacks: readonly { frames: readonly string[]; samples: number }[] }).stacks
    const found = Object.fromEntries(stacks.map(({ frames, samples }) => [frames.join(';'), samples]))
    // A name with a blank, the kernel's frames, and what is innermost at the end.
    expect(found['php-fpm: pool w;__libc_start_call_main;main;hash_find']).toBe(1)
    expect(Object.keys(found)).toContain(
      'php-fpm: pool w;__libc_start_call_main;main;request;__close;entry_SYSCALL_64_after_hwframe_[k];do_syscall_64_[k];__x64_sys_close_[k];__fput_[k];dput_[k];lockref_put_return_[k]',
    )
    // A file that was removed, without symbols: two frames of it are one.
    expect(found['gone-dash;[gone-dash]']).toBe(3)
    expect(found['gone-dash;[unknown];[gone-dash]']).toBe(2)
    // Parentheses in a name of C++; a symbol of a map that a JIT has written; a name that is cut.
    const node = stacks.filter(({ frames }) => frames[0] === 'node')
    expect(node[0]!.frames).toContain('v8::internal::(anonymous namespace)::Invoke')
    expect(node[0]!.frames).toContain('JS:* /srv/worker/busy.js:1:1')
    expect(Math.max(...node.flatMap(({ frames }) => frames.map(({ length }) => length)))).toBe(160)
    expect(stacks.map(({ samples }) => samples)).toEqual(stacks.map(({ samples }) => samples).toSorted((a, b) => b - a))
    expect(left).toEqual([])
    expect(calls).toEqual([
      expect.stringMatching(`^record -N -q -F 99 -g -o \\S+/data -p ${process.pid} -- sleep 2$`),
      expect.stringMatching(/^evlist -i \S+\/data$/),
      expect.stringMatching(/^script -i \S+\/data --no-inline -F comm,ip,sym,dso$/),
    ])
  })
})

describe('of a unit', () => {
  it('are of all processes in its control group', () => {
    const group = readFileSync('/proc/self/cgroup', 'utf8').split('\n')[0]!.split(':').slice(2).join(':')
    const { calls } = ask({ unit: 'worker.service' }, { programs: { systemctl: `echo '${group}'` } })
    const pids = /-p (\S+)/.exec(calls[0]!)![1]!.split(',')
    expect(pids).toContain(String(process.pid))
  })

  it('are none where it has no process', () => {
    const none = { lacks: 'unit', said: '' }
    expect(ask({ unit: 'worker.service' }, { programs: { systemctl: 'echo' } }).answer).toEqual(none)
    expect(ask({ unit: 'worker.service' }, { programs: { systemctl: 'echo /no/such.slice' } }).answer).toEqual(none)
  })
})

describe('where there are none to be had', () => {
  it('is a kernel without perf_event_open, such as user-mode Linux', () => {
    const { answer, calls } = ask(self, { kernel: false })
    expect(answer).toEqual({ lacks: 'kernel', said: '' })
    expect(calls).toEqual([])
  })

  it('is a host without perf', () => {
    expect(ask(self, { perf: '' }).answer).toEqual({ lacks: 'perf', said: '' })
  })

  it('is a process that does not exist', () => {
    expect(ask({ pid: 2 ** 22 + 1 }).answer).toEqual({ lacks: 'process', said: '' })
  })

  it('is a user who may not: perf is heard, and its data removed', () => {
    const { answer, left, calls } = ask(self, {
      perf: `echo "$*" >>"$CALLS"; cat ${fixture('forbidden.out')} >&2; exit 255`,
    })
    expect(answer).toMatchObject({
      lacks: 'permission',
      said: expect.stringMatching(
        /^Error:\nAccess to performance monitoring[^]*perf_event_paranoid setting is 2/,
      ) as string,
    })
    expect(left).toEqual([])
    // Both clocks were tried after what it takes by itself.
    expect(calls.map((call) => / -e (\S+)/.exec(call)?.[1])).toEqual([undefined, 'cpu-clock', 'task-clock'])
  })

  it('is none where a clock can be had though the counter cannot', () => {
    const perf = `case "$*" in record*-e\\ cpu-clock*) ;; record*) echo 'The sys_perf_event_open() syscall returned with 95 (Operation not supported)' >&2; exit 255 ;; esac\n${recorded}`
    expect(ask(self, { perf }).answer).toMatchObject({ event: 'cpu-clock:ppp', samples: 15 })
  })

  it('is nothing to complain of where it was idle', () => {
    const perf = recorded.replace('cat', ': cat')
    expect(ask(self, { perf }).answer).toEqual({ event: 'cpu-clock:ppp', samples: 0, stacks: [] })
  })

  it('is told where perf says something that is not understood', () => {
    const [answer] = answers([samplesOf(self, 2)], { stdout: Buffer.from('event \n') })
    expect(answer).toBeInstanceOf(Failure)
    expect(answer).toMatchObject({ code: 'E_PROBE_UNPARSABLE' })
  })
})

it('lets no more travel than can be drawn', () => {
  const long = Array.from({ length: 90 }, (_, i) => `\t abc f${i}_${'x'.repeat(140)} (/usr/bin/x)`).join('\n')
  const perf = `${recorded.replace(/ script\) .*/, ` script) i=0; while [ $i -lt 100 ]; do i=$((i+1)); printf 'x \\n\\t ab g%s (/usr/bin/x)\\n' $i; cat "$LONG"; echo; done ;;`)}`
  const file = join(temporary, 'calls.long')
  writeFileSync(file, `${long}\n`)
  const { answer } = ask(self, { perf: perf.replace('"$LONG"', file) })
  const { samples, stacks } = answer as Samples & { samples: number; stacks: readonly unknown[] }
  expect(samples).toBe(100)
  expect(stacks.length).toBeGreaterThan(10)
  expect(stacks.length).toBeLessThan(40)
})
