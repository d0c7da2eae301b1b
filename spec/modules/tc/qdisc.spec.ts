import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { knownAfterApply } from '../../../dsl/known-after.ts'
import type { Task } from '../../../dsl/task.ts'
import type { Failure } from '../../../errors/failure.ts'
import { command, sh, shape, tcQdisc } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { udev, unitFile, unitText, wantedLink } from '../../../modules/tc/boot-unit.ts'
import {
  type FqCodel,
  fqCodelDefaults,
  type FqCodelOptions,
  parseFqCodel,
  readFqCodel,
} from '../../../modules/tc/fq-codel.ts'
import { kernelModule } from '../../../modules/tc/kernel-module.ts'
import { type PresentQdisc, type RootQdisc, rootQdisc } from '../../../modules/tc/root-qdisc.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { shells } from '../../connection/shells.ts'
import { answers, inShell, readScript } from '../answers.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/tc/${name}`, import.meta.url))
const problems = (task: { problems: readonly Failure[] }) => task.problems.map(({ message }) => message)
const tuned = tcQdisc('eth0').fqCodel({ limit: 10_240, target: '5ms', interval: '100ms', ecn: true })
const eth0 = rootQdisc('eth0')
const unit = '/etc/systemd/system/tc-qdisc-eth0.service'
const wanted = '/etc/systemd/system/sys-subsystem-net-devices-eth0.device.wants/tc-qdisc-eth0.service'
const added = (options: Partial<FqCodel> = {}): PresentQdisc => ({
  type: 'added',
  kind: 'fq_codel',
  options: { ...fqCodelDefaults, quantum: 1514, ...options },
  children: 0,
})
const plan = async (task: Task, host = mockHost('web1')) => (await run(task, host, { check: true })).tasks[0]!

describe('tcQdisc()', () => {
  it('is no task before it says a qdisc', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = tcQdisc('eth0')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(
      'tcQdisc eth0 says no qdisc: .fqCodel(), or .absent()',
    )
  })

  it.each(['', 'a b', 'a/b', 'a:b', '.', '..', 'sixteen-chars-xx'])('refuses %j, as the kernel does', (device) => {
    expect(problems(tcQdisc(device).absent())).toEqual([
      `tcQdisc(${JSON.stringify(device)}): not the name of a network device`,
    ])
  })

  it.each<[FqCodelOptions, string]>([
    [{ limit: 0 }, 'limit: 0 is not a whole number from 1 to 4294967295'],
    [{ flows: 0 }, 'flows: 0 is not a whole number from 1 to 65536'],
    [{ flows: 65_537 }, 'flows: 65537 is not a whole number from 1 to 65536'],
    [{ quantum: 100 }, 'quantum: 100 is not a whole number from 256 to 1048576'],
    [{ memoryLimit: '4GiB' }, 'memoryLimit: 4294967296 is not a whole number from 1 to 2147483648'],
    [{ target: '1us' }, 'target: "1us" is not a time from 2us to 4294s'],
    [{ target: '2h' }, 'target: "2h" is not a time from 2us to 4294s'],
    [{ target: 5 as never }, 'target: 5 is not a duration such as 5ms, 90s or 1h'],
    [{ memoryLimit: '32Mb' as never }, 'memoryLimit: "32Mb" is not an amount such as 16MiB or 64KiB'],
    [{ ecn: 'yes' as never }, 'ecn: "yes" is neither true nor false'],
    [{ dropBatch: 0 }, 'dropBatch: 0 is not a whole number from 1 to 4294967295'],
  ])('refuses %j, which tc takes for something else or the kernel changes without a word', (options, problem) => {
    expect(problems(tcQdisc('eth0').fqCodel(options))).toEqual([`tcQdisc eth0: ${problem}`])
  })

  it('refuses a parameter that fq_codel does not have', () => {
    const typed = () => {
      // @ts-expect-error -- a number of microseconds is no time
      tcQdisc('eth0').fqCodel({ target: 5000 })
      // @ts-expect-error -- of another qdisc
      tcQdisc('eth0').fqCodel({ bandwidth: '1mbit' })
    }
    expect(typed).toBeTypeOf('function')
    expect(problems(tcQdisc('eth0').fqCodel({ rate: 1 } as never))[0]).toMatch(
      /rate: fq_codel has no such parameter \(it has limit, /,
    )
    expect(problems(tcQdisc('eth0').absent().atBoot())).toEqual(['tcQdisc eth0: no qdisc cannot be kept at boot'])
  })

  it('puts fq_codel in the place of the default, and a unit for every boot', async () => {
    const host = mockHost('web1')
    const result = await run(tuned, host)
    expect(result.changes.map(({ label, before, after }) => `${label}: ${before} → ${after}`)).toEqual([
      'eth0: pfifo_fast → fq_codel limit 10240 target 5ms interval 100ms ecn',
      `${wanted}: absent → link to ${unit}`,
      `${unit}: absent → 13 lines 0644 root:root`,
    ])
    expect(host.holds(eth0)).toEqual(added({ quantum: knownAfterApply }))
    expect((await run(tuned, host)).recap.hosts.changed).toBe(0)
  })

  it('takes a default fq_codel for done where its parameters are as said', async () => {
    const host = mockHost('web1').has(eth0, { ...added(), type: 'default' })
    expect((await run(tuned.atBoot(false), host)).recap.hosts.changed).toBe(0)
  })

  it('owns every parameter, since replace keeps those that are not named; only the quantum stays', async () => {
    const host = mockHost('web1').has(eth0, added({ limit: 1000, ecn: false, quantum: 300 }))
    await run(tuned.atBoot(false), host)
    expect(host.holds(eth0)).toEqual(added({ quantum: 300 }))
  })

  it('goes back to the default, whatever the kernel chooses', async () => {
    const host = mockHost('web1').has(eth0, added())
    const task = tcQdisc('eth0').absent()
    const result = await run(task, host)
    expect(result.changes.map(({ before, after }) => `${before} → ${after}`)).toEqual([
      "fq_codel limit 10240 target 5ms interval 100ms ecn → the kernel's default",
    ])
    expect((await run(task, host)).recap.hosts.changed).toBe(0)
    expect((await run(task, mockHost('web2').has(eth0, { type: 'absent', devices: ['lo'] }))).hosts).toEqual({
      web2: 'ok',
    })
  })

  it('takes the unit away with .atBoot(false)', async () => {
    const host = mockHost('web1')
    await run(tuned, host)
    await run(tuned.atBoot(false), host)
    expect([host.holds(fileAt(unit)), host.holds(fileAt(wanted))]).toEqual([{ type: 'absent' }, { type: 'absent' }])
  })
})

describe('tcQdisc() in the plan', () => {
  it('refuses a device that the host does not have, and says which it has', async () => {
    const host = mockHost('web1').has(eth0, { type: 'absent', devices: ['lo', 'eth1'] })
    expect((await plan(tuned, host)).failure).toMatchObject({
      code: 'E_REFUSED',
      message: 'This host has no network device eth0.',
      hint: 'Did you mean eth1? The host has lo, eth1; facts.need.defaultInterface is the one of its default route.',
    })
  })

  it('leaves a missing device open where an earlier task may yet make it', async () => {
    const host = mockHost('web1').has(eth0, { type: 'absent', devices: ['lo'] })
    const result = await run([command('make eth0', sh`ip link add eth0 type dummy`).always(), tuned], host, {
      check: true,
    })
    expect(result.tasks[1]).toMatchObject({ outcome: 'changed', failure: undefined })
  })

  it.each<[string, number, string]>([
    ['htb', 1, 'It has a qdisc below it. Take it away first where nobody needs it: tc qdisc del dev eth0 root'],
    ['tbf', 0, 'It has classes. Take it away first where nobody needs it: tc qdisc del dev eth0 root'],
    ['sfq', 2, 'It has 2 qdiscs below it. Take it away first where nobody needs it: tc qdisc del dev eth0 root'],
  ])('refuses to lose the classes of %s', async (kind, children, hint) => {
    const host = mockHost('web1').has(eth0, { type: 'added', kind, options: {}, children })
    const message = `eth0 has ${kind} at its root, whose classes and limits would be lost.`
    expect((await plan(tuned, host)).failure).toMatchObject({ code: 'E_REFUSED', message, hint })
    expect((await plan(tcQdisc('eth0').absent(), host)).failure).toMatchObject({ message })
  })

  it.each(['default', 'added'] as const)('refuses to put the queues of a %s mq behind one lock', async (type) => {
    const host = mockHost('web1').has(eth0, { type, kind: 'mq', options: {}, children: 4 })
    expect((await plan(tuned, host)).failure).toMatchObject({
      message: 'eth0 has a queue for each processor (mq); one fq_codel at the root would put them all behind one lock.',
      hint: expect.stringContaining('net.core.default_qdisc'),
    })
  })

  it('refuses where the kernel has no such kind, which tc tells only afterwards', async () => {
    const host = mockHost('web1').has(kernelModule('sch_fq_codel'), 'missing')
    expect((await plan(tuned, host)).failure).toMatchObject({ message: 'The kernel of this host has no fq_codel.' })
    const done = mockHost('web1').has(kernelModule('sch_fq_codel'), 'missing').has(eth0, added())
    expect((await plan(tuned, done)).failure).toBeUndefined()
  })

  it('refuses a unit that would never start: without udev there are no device units', async () => {
    const message =
      'On this host udev, which announces devices to systemd, does not run, so nothing would put the qdisc back on eth0 at boot.'
    const host = mockHost('web1').has(udev, false)
    expect((await plan(tuned, host)).failure).toMatchObject({
      message,
      hint: 'Say `.atBoot(false)` to set it now only.',
    })
    expect((await plan(tuned.atBoot(false), host)).failure).toBeUndefined()
    const bare = mockHost('web1', { facts: { systemd: false } })
    expect((await plan(tuned, bare)).failure?.message).toMatch(/^On this host systemd does not run/)
  })

  it('refuses a user who may not', async () => {
    const play = shape({ groups: {} }).play('p').hosts('all').tasks([tuned])
    const result = await run(play, mockHost('web1', { facts: { user: 'deploy' } }))
    expect(result.tasks[0]!.failure).toMatchObject({ message: 'deploy may not change the qdisc of eth0.' })
  })

  it('tells what cannot be turned round: kinds of which tc does not show all', async () => {
    const other = (kind: string) =>
      mockHost('web1').has(eth0, { type: 'added', kind, options: { limit: 1 }, children: 0 })
    expect((await plan(tuned, other('sfq'))).irreversible).toEqual([
      'eth0 has sfq, of which tc does not show all that is needed to put it back',
    ])
    expect((await plan(tuned, other('pfifo'))).irreversible).toEqual([])
    expect(() => eth0.write!({ type: 'added', kind: 'sfq', options: {}, children: 0 }, added())).toThrow(
      'cannot be put back',
    )
  })
})

describe('rootQdisc()', () => {
  const default_ = { type: 'default', children: 0 } as const

  it('reads all devices from one answer of tc', () => {
    const devices = ['lo', 'vec0', 'd0', 't0', 'v0', 'p0', 'q0', 'f0', 'eth9']
    expect(answers(devices.map(rootQdisc), { stdout: fixture('read-bookworm.out') })).toEqual([
      { ...default_, kind: 'noqueue', options: {} },
      {
        ...default_,
        kind: 'pfifo_fast',
        options: { bands: 3, priomap: [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], multiqueue: false },
      },
      // clsact hangs at the device, not below the root.
      expect.objectContaining({ type: 'added', kind: 'htb', children: 1 }),
      { type: 'added', kind: 'tbf', options: { rate: 1_000_000, burst: 10_240, lat: 50_000 }, children: 0 },
      { type: 'added', kind: 'mq', options: {}, children: 4 },
      { type: 'added', kind: 'pfifo', options: { limit: 50 }, children: 0 },
      added({ flows: 2048, quantum: 300, target: 20_000, ecn: false, ceThreshold: 1000, ceSelector: '1/3' }),
      // A device that was never up.
      { ...default_, kind: 'noop', options: {} },
      { type: 'absent', devices: ['lo', 'vec0', 'd0', 'v1', 'v0', 'f0', 't0', 'p0', 'q0'] },
    ] satisfies RootQdisc[])
  })

  it('reads the same of a newer tc', () => {
    expect(answers([rootQdisc('vec0')], { stdout: fixture('read-sid.out') })).toEqual([added()])
  })

  it('says what is missing', () => {
    expect(answers([eth0], { status: 127, stderr: 'tc: not found\n' })).toEqual([
      expect.objectContaining({ code: 'E_UNREADABLE', message: 'tc is not installed on this host.' }),
    ])
    expect(answers([eth0], { stdout: Buffer.from('lo:\n?\nqdisc noqueue 0: dev lo') })).toEqual([
      expect.objectContaining({ code: 'E_PROBE_UNPARSABLE' }),
    ])
  })

  it('shows a qdisc as tc would', () => {
    expect(eth0.show!(added())).toBe('fq_codel limit 10240 target 5ms interval 100ms ecn')
    expect(
      eth0.show!(
        added({ flows: 2048, quantum: 300, target: 3333, interval: 10_000_000, memoryLimit: 1, dropBatch: 1 }),
      ),
    ).toBe('fq_codel limit 10240 flows 2048 target 3333us interval 10s quantum 300 memory_limit 1 drop_batch 1 ecn')
    expect(eth0.show!(added({ ecn: false, ceThreshold: 1000, ceSelector: '1/3' }))).toBe(
      'fq_codel limit 10240 target 5ms interval 100ms ce_threshold 1ms ce_threshold_selector 1/3 noecn',
    )
  })

  const all = 'limit 10240 target 5000us interval 100000us quantum 1514 memory_limit 33554432 drop_batch 64 ecn'

  it.each<[string, RootQdisc, RootQdisc, string]>([
    [
      'a new one, with flows',
      added({ quantum: knownAfterApply }),
      { type: 'default', kind: 'pfifo_fast', options: {}, children: 0 },
      'tc qdisc replace dev eth0 root fq_codel limit 10240 flows 1024 target 5000us interval 100000us memory_limit 33554432 drop_batch 64 ecn',
    ],
    [
      // The kernel refuses the word flows for one that is there, with the number that it has, too.
      'a change, without flows',
      added(),
      added({ limit: 1000 }),
      `tc qdisc replace dev eth0 root fq_codel ${all}`,
    ],
    [
      // «RTNETLINK answers: Invalid argument» without a new handle.
      'what is said at the making only, by a new handle in one step',
      added(),
      added({ flows: 2048 }),
      `set -- $(tc qdisc show dev eth0 root)
if [ "$3" = 1: ]; then h=2:; else h=1:; fi
tc qdisc replace dev eth0 root handle "$h" fq_codel ${all.replace('10240', '10240 flows 1024')}`,
    ],
    [
      'a threshold that goes, the same way',
      added(),
      added({ ceThreshold: 1000 }),
      `set -- $(tc qdisc show dev eth0 root)
if [ "$3" = 1: ]; then h=2:; else h=1:; fi
tc qdisc replace dev eth0 root handle "$h" fq_codel ${all.replace('10240', '10240 flows 1024')}`,
    ],
    [
      'the default, by taking away',
      { type: 'default', kind: 'pfifo_fast', options: {}, children: 0 },
      added(),
      'tc qdisc del dev eth0 root',
    ],
    [
      'a recorded kind',
      { type: 'added', kind: 'pfifo', options: { limit: 50 }, children: 0 },
      added(),
      'tc qdisc replace dev eth0 root pfifo limit 50',
    ],
  ])('writes %s', (_, to, from, text) => {
    const script = eth0.write!(to, from)
    expect(script.text).toBe(text)
    expect(script.touched).toEqual([])
  })

  it('quotes a device', () => {
    const { text } = rootQdisc("a'b;c").write!({ type: 'default', kind: '', options: {}, children: 0 }, added())
    expect(text).toBe(`tc qdisc del dev 'a'\\''b;c' root`)
  })

  describe.each(shells)('in $title', ({ name, there }) => {
    const tc = `case $* in
  '-j qdisc show') echo '[{"kind":"fq_codel","handle":"1:","dev":"lo","root":true,"options":{"limit":7}}]' ;;
  'qdisc show dev lo root') echo 'qdisc fq_codel 1: root refcnt 2 limit 10240p flows 2048' ;;
  *) echo "$*" ;;
esac`

    it.skipIf(!there)('reads the devices of this machine', () => {
      const output = inShell(name, readScript([eth0]), { tc })
      const [lo, none] = answers([rootQdisc('lo'), rootQdisc('nosuch')], output)
      expect(lo).toMatchObject({ type: 'added', kind: 'fq_codel', options: { limit: 7 } })
      expect(none).toMatchObject({ type: 'absent', devices: expect.arrayContaining(['lo']) })
    })

    it.skipIf(!there)('makes anew under a handle that is free', () => {
      const { stdout } = inShell(name, rootQdisc('lo').write!(added(), added({ flows: 2048 })), { tc })
      expect(stdout.toString()).toMatch(/^qdisc replace dev lo root handle 2: fq_codel limit 10240 flows 1024 /)
    })

    it.skipIf(!there)('tells whether the kernel has a module', () => {
      const [value] = answers(
        [kernelModule('nosuch_module')],
        inShell(name, readScript([kernelModule('nosuch_module')])),
      )
      expect(['missing', 'unknown']).toContain(value)
    })
  })
})

describe('times of fq_codel', () => {
  // What kernels printed for what they were given.
  const printed: readonly (readonly [number, number])[] = [
    [2, 1],
    [3, 2],
    [7, 6],
    [100, 99],
    [999, 998],
    [1000, 999],
    [1024, 1024],
    [1025, 1024],
    [4998, 4997],
    [4999, 4998],
    [5000, 4999],
    [5001, 5000],
    [20_000, 19_999],
    [33_333, 33_332],
    [123_456, 123_455],
    [1_000_000, 999_999],
    [10_000_000, 10_000_000],
  ]
  const json = { limit: 1, flows: 1, quantum: 256, interval: 99_999, memory_limit: 1, drop_batch: 1 }

  it.each(printed)('takes %i us, which the kernel prints as %i, for the same', (us, target) => {
    const declared = parseFqCodel({ target: `${us}us` }).wish.target
    expect(readFqCodel({ ...json, target }).target).toBe(declared)
  })

  it('never writes a print back, which would lose a step each time: 4999, 4998, 4997', () => {
    expect(readFqCodel({ ...json, target: 4999 }).target).toBe(5000)
    expect(readFqCodel({ ...json, target: 0 }).target).toBe(1)
  })
})

describe('the unit of tcQdisc()', () => {
  it('is bound to the device, and leaves to the kernel what the play does not say', () => {
    expect(
      unitText('eth0', { limit: 10_240, target: 5000, ecn: true }),
    ).toBe(`# Managed by fleetplay: changes made here are overwritten.
[Unit]
Description=fq_codel on eth0
BindsTo=sys-subsystem-net-devices-eth0.device
After=sys-subsystem-net-devices-eth0.device

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=tc qdisc replace dev eth0 root fq_codel limit 10240 target 5000us ecn

[Install]
WantedBy=sys-subsystem-net-devices-eth0.device
`)
  })

  it('can be started again, though flows are refused for a qdisc that is there', () => {
    expect(unitText('eth0', { flows: 2048 })).toContain(
      'ExecStartPre=-tc qdisc del dev eth0 root\nExecStart=tc qdisc replace dev eth0 root fq_codel flows 2048\n',
    )
  })

  it('escapes names as systemd does', () => {
    const text = unitText('br-a$%"', {})
    expect(text).toContain('BindsTo=sys-subsystem-net-devices-br\\x2da\\x24\\x25\\x22.device')
    expect(text).toContain('ExecStart=tc qdisc replace dev "br-a$$%%\\"" root fq_codel\n')
    expect(wantedLink('br-lan').key).toBe(
      'file:/etc/systemd/system/sys-subsystem-net-devices-br\\x2dlan.device.wants/tc-qdisc-br\\x2dlan.service',
    )
    expect(unitFile('eth0.100').key).toBe('file:/etc/systemd/system/tc-qdisc-eth0.100.service')
  })

  it('is told to systemd, the link before the unit, so that one reading takes both', () => {
    expect(tuned.wishes.map(({ resource }) => resource.key)).toEqual([
      'module:sch_fq_codel',
      'udev:running',
      'qdisc:eth0',
      `file:${wanted}`,
      `file:${unit}`,
    ])
    const link = wantedLink('eth0').write!({ type: 'link', target: unit }, { type: 'absent' })
    expect(link.text).toMatch(
      /^mkdir -p -- \/etc\/systemd\/system\/sys-subsystem-net-devices-eth0\.device\.wants \|\| exit\n/,
    )
    expect(link.text.endsWith(`[ ! -e ${unit} ] || systemctl daemon-reload`)).toBe(true)
    const owned = { mode: '0644', owner: 'root', group: 'root' }
    const written = unitFile('eth0').write!({ type: 'file', content: { text: 'x' }, ...owned }, { type: 'absent' })
    expect(written.text.endsWith('[ $? -eq 0 ] && systemctl daemon-reload')).toBe(true)
    expect(written.input).toEqual(Buffer.from('x'))
    expect(written.touched).toEqual(['file:/etc/systemd/system/'])
  })
})
