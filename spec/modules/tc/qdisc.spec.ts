import { describe, expect, it } from 'vitest'
import { knownAfterApply } from '../../../dsl/known-after.ts'
import type { Task } from '../../../dsl/task.ts'
import type { Failure } from '../../../errors/failure.ts'
import { command, sh, shape, tcQdisc } from '../../../index.ts'
import type { TcQdisc } from '../../../modules/tc/qdisc.ts'
import { fileAt } from '../../../modules/file.ts'
import { udev, unitFile, unitText, wantedLink } from '../../../modules/tc/boot-unit.ts'
import { cakeDefaults } from '../../../modules/tc/cake.ts'
import { type FqCodel, fqCodelDefaults, type FqCodelOptions } from '../../../modules/tc/fq-codel.ts'
import { htbDefaults } from '../../../modules/tc/htb.ts'
import { kernelQdiscs } from '../../../modules/tc/kernel-qdiscs.ts'
import { networkdQdiscs } from '../../../modules/tc/networkd-qdiscs.ts'
import { type PresentQdisc, rootQdisc } from '../../../modules/tc/root-qdisc.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

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
const unitOf = (task: TcQdisc) => unitText(task.id, task.wished!)
const smart = tcQdisc('eth0').tbf({ rate: '8mbit', burst: '32KiB', fqCodel: { target: '5ms' } })
const plan = async (task: Task, host = mockHost('web1')) => (await run(task, host, { check: true })).tasks[0]!

describe('tcQdisc()', () => {
  it('is no task before it says a qdisc', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = tcQdisc('eth0')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(
      'tcQdisc eth0 says no qdisc: .fqCodel(), another kind, or .absent()',
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

  it.each<[FqCodelOptions, string]>([
    [{ target: '100ms', interval: '5ms' }, 'the target is 100ms, the interval is 5ms'],
    [{ target: '100ms' }, 'the target is 100ms, the interval is by default 100ms'],
    [{ interval: '5ms' }, 'the target is by default 5ms, the interval is 5ms'],
  ])('refuses %j, whose target is not below the interval', (options, seen) => {
    expect(problems(tcQdisc('eth0').fqCodel(options))).toEqual([
      `tcQdisc eth0: target: CoDel needs one below the interval, some 5 to 10 % of it: ${seen}`,
    ])
    expect(problems(tcQdisc('eth0').fqCodel({ target: '99ms' }))).toEqual([])
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

  it('does not touch the quantum, which follows the MTU when the qdisc is made, and never again', async () => {
    const jumbo = mockHost('web1').has(eth0, added({ quantum: 9014 }))
    expect((await run(tuned.atBoot(false), jumbo)).recap.hosts.changed).toBe(0)
    await run(tcQdisc('eth0').fqCodel({ limit: 5000 }).atBoot(false), jumbo)
    expect(jumbo.holds(eth0)).toEqual(added({ limit: 5000, quantum: 9014 }))
    expect(unitOf(tuned)).not.toContain('quantum')
  })

  it.each([
    'RTNETLINK answers: Operation not permitted',
    'Cannot find device "eth0"',
    'Error: Specified qdisc kind is unknown.',
  ])('leaves no unit of a qdisc that the kernel refused, and tells its words: %s', async (stderr) => {
    const host = mockHost('web1').fails(eth0, { stderr: `${stderr}\n` })
    const { tasks } = await run(tuned, host)
    expect(tasks[0]).toMatchObject({
      outcome: 'failed',
      changes: [],
      failure: { message: stderr, place: { file: import.meta.filename } },
    })
    expect([host.holds(fileAt(unit)), host.holds(fileAt(wanted))]).toEqual([{ type: 'absent' }, { type: 'absent' }])
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

  it.each<[string, Partial<PresentQdisc>, string]>([
    ['htb', { options: htbDefaults, children: 1 }, 'a class below it'],
    ['htb', { options: htbDefaults, children: 2 }, '2 classes below it'],
    ['tbf', { foreign: true }, 'parameters that a play cannot say'],
    ['tbf', { foreign: true, children: 1 }, 'a qdisc below it'],
    ['prio', {}, 'classes'],
    ['sfq', { children: 2 }, '2 qdiscs below it'],
    ['mq', { children: 4 }, '4 qdiscs below it'],
  ])('refuses to lose the classes of %s %j', async (kind, qdisc, has) => {
    const host = mockHost('web1').has(eth0, { type: 'added', kind, options: {}, children: 0, ...qdisc })
    const message = `eth0 has ${kind} at its root, whose classes and limits would be lost.`
    const hint = `It has ${has}. Take it away first where nobody needs it: tc qdisc del dev eth0 root`
    expect((await plan(smart, host)).failure).toMatchObject({ code: 'E_REFUSED', message, hint })
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
    const host = () => mockHost('web1').has(kernelQdiscs, ['cake', 'tbf'])
    expect((await plan(tuned, host())).failure).toMatchObject({
      message: 'The kernel of this host has no fq_codel.',
      hint: 'It has cake, tbf. The module is sch_fq_codel; cloud kernels may bring it in a package of their own.',
    })
    expect((await plan(tuned, host().has(eth0, added()))).failure).toBeUndefined()
    expect((await plan(smart, host())).failure?.message).toBe('The kernel of this host has no fq_codel.')
    expect((await plan(tcQdisc('eth0').htb(), host())).failure?.message).toBe('The kernel of this host has no htb.')
    expect((await plan(tuned, mockHost('web1').has(kernelQdiscs, 'unknown'))).failure).toBeUndefined()
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

  it('refuses to set what systemd-networkd sets at boot, but not what stays as it is, or is for now only', async () => {
    const file = '/etc/systemd/network/10-eth.network'
    const files = [{ file, devices: ['ens*', 'eth?'], sections: ['FairQueueingControlledDelay'] }]
    const host = () => mockHost('web1').has(networkdQdiscs, files)
    expect((await plan(tuned, host())).failure).toMatchObject({
      code: 'E_REFUSED',
      message: `systemd-networkd sets the qdisc of eth0 too, at boot and whenever it configures the link: [FairQueueingControlledDelay] in ${file}.`,
      hint: 'Take that section out, which leaves the qdisc as it is until then; or say `.atBoot(false)`.',
    })
    expect((await plan(tuned.atBoot(false), host())).failure).toBeUndefined()
    expect((await plan(tcQdisc('lan0').fqCodel(), host())).failure).toBeUndefined()
    const done = mockHost('web1')
    await run(tuned, done)
    expect((await run(tuned, done.has(networkdQdiscs, files))).recap.hosts).toMatchObject({ ok: 1, failed: 0 })
  })

  it('tells of a virtual device (noqueue) that nothing waits there, unless a shaper makes it', async () => {
    const host = () => mockHost('web1').has(eth0, { type: 'default', kind: 'noqueue', options: {}, children: 0 })
    expect((await plan(tuned, host())).notes).toEqual([
      'eth0 is virtual and has no queue of its own: fq_codel does nothing there until a shaper holds it back',
    ])
    expect((await plan(smart, host())).notes).toEqual([])
  })

  it('never takes a default away: «Cannot delete qdisc with handle of zero»', async () => {
    const host = mockHost('web1').has(eth0, { ...added(), type: 'default' })
    expect((await run(tcQdisc('eth0').absent(), host)).recap.hosts).toMatchObject({ ok: 1, changed: 0 })
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

describe('a shaper', () => {
  const htb = tcQdisc('eth0').htb({ default: '0x10' })
  const mq: PresentQdisc = { type: 'default', kind: 'mq', options: {}, children: 4 }

  it('is one value with the fq_codel behind it', async () => {
    const host = mockHost('web1')
    const result = await run(smart, host)
    expect(result.changes[0]).toMatchObject({
      before: 'pfifo_fast',
      after: 'tbf rate 8mbit burst 32KiB with fq_codel limit 10240 target 5ms interval 100ms ecn',
    })
    expect((await run(smart, host)).recap.hosts.changed).toBe(0)
    const rate = tcQdisc('eth0').tbf({ rate: '9mbit', burst: '32KiB', fqCodel: { target: '5ms' } })
    expect((await run(rate, host)).changes[0]).toMatchObject({
      after: 'tbf rate 9mbit burst 32KiB with fq_codel limit 10240 target 5ms interval 100ms ecn',
    })
  })

  it('gives way to another kind, and can be put back, where all of it is known', async () => {
    const host = mockHost('web1')
    await run(smart, host)
    const result = await plan(tuned, host)
    expect([result.failure, result.irreversible]).toEqual([undefined, []])
  })

  it('is told to put the queues of a multiqueue device behind one lock, which is what shaping does', async () => {
    for (const task of [smart, htb, tcQdisc('eth0').cake({ bandwidth: '1gbit' })]) {
      const result = await plan(task, mockHost('web1').has(eth0, mq))
      expect([result.failure, result.notes]).toEqual([undefined, ['all queues of eth0 (mq) come behind one lock']])
    }
    for (const task of [tcQdisc('eth0').cake(), tcQdisc('eth0').fq()]) {
      const { failure } = await plan(task, mockHost('web1').has(eth0, mq))
      expect(failure?.message).toMatch(/one (cake|fq) at the root would put them all behind one lock/)
    }
  })

  it('htb leaves the classes that others made, and refuses other parameters while there are any', async () => {
    const has = (options: object, children: number): PresentQdisc => ({
      type: 'added',
      kind: 'htb',
      options: { ...htbDefaults, directQlen: 1000, ...options },
      children,
    })
    const done = mockHost('web1').has(eth0, has({ default: 0x10 }, 3))
    expect((await run(htb.atBoot(false), done)).recap.hosts.changed).toBe(0)
    const other = mockHost('web1').has(eth0, has({ default: 0x20 }, 3))
    expect((await plan(htb, other)).failure?.hint).toMatch(/^It has 3 classes below it\./)
    const bare = mockHost('web1').has(eth0, has({ default: 0x20 }, 0))
    await run(htb, bare)
    expect(bare.holds(eth0)).toEqual(has({ default: 0x10 }, 0))
  })

  it('of cake owns every parameter', async () => {
    const options = { ...cakeDefaults, bandwidth: 1_000_000, nat: true, memoryLimit: 4_194_304, rest: 'fwmark 0xff' }
    const host = mockHost('web1').has(eth0, { type: 'added', kind: 'cake', options, children: 0 })
    await run(tcQdisc('eth0').cake({ bandwidth: '16mbit' }), host)
    expect(host.holds(eth0)).toMatchObject({ options: { ...cakeDefaults, bandwidth: 2_000_000 } })
  })
})

describe('the unit of tcQdisc()', () => {
  it('is bound to the device, and leaves to the kernel what the play does not say', () => {
    expect(
      unitOf(tcQdisc('eth0').fqCodel({ limit: 10_240, target: '5ms', ecn: true })),
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
    expect(unitOf(tcQdisc('eth0').fqCodel({ flows: 2048 }))).toContain(
      'ExecStartPre=-tc qdisc del dev eth0 root\nExecStart=tc qdisc replace dev eth0 root fq_codel flows 2048\n',
    )
  })

  it.each<[string, TcQdisc, readonly string[]]>([
    [
      'tbf with its queue, under a handle that both commands know',
      smart,
      [
        'ExecStart=tc qdisc replace dev eth0 root handle 1: tbf rate 1000000bps burst 32768 limit 32768',
        'ExecStart=tc qdisc replace dev eth0 parent 1: fq_codel target 5000us',
      ],
    ],
    [
      'flows of the queue, which only a new one takes',
      tcQdisc('eth0').tbf({ rate: '8mbit', burst: '32KiB', fqCodel: { flows: 64 } }),
      [
        'ExecStartPre=-tc qdisc del dev eth0 root',
        'ExecStart=tc qdisc replace dev eth0 root handle 1: tbf rate 1000000bps burst 32768 limit 32768',
        'ExecStart=tc qdisc replace dev eth0 parent 1: fq_codel flows 64',
      ],
    ],
    [
      'cake',
      tcQdisc('eth0').cake({ bandwidth: '8mbit', nat: true }),
      ['ExecStart=tc qdisc replace dev eth0 root cake bandwidth 1000000bps nat'],
    ],
    [
      'fq',
      tcQdisc('eth0').fq({ maxrate: '8mbit', pacing: false }),
      ['ExecStart=tc qdisc replace dev eth0 root fq maxrate 1000000bps nopacing'],
    ],
    [
      'htb, which is let be where it is there, for a new one has no classes',
      tcQdisc('eth0').htb({ default: '0x10' }),
      [
        `ExecCondition=sh -c "! tc qdisc show dev $$1 root | grep -q '^qdisc htb '" sh eth0`,
        'ExecStart=tc qdisc replace dev eth0 root htb default 0x10',
      ],
    ],
  ])('puts %s', (_, task, commands) => {
    expect(
      unitOf(task)
        .split('\n')
        .filter((line) => line.startsWith('Exec')),
    ).toEqual(commands)
  })

  it('escapes names as systemd does', () => {
    const text = unitOf(tcQdisc('br-a$%"').fqCodel())
    expect(text).toContain('BindsTo=sys-subsystem-net-devices-br\\x2da\\x24\\x25\\x22.device')
    expect(text).toContain('ExecStart=tc qdisc replace dev "br-a$$%%\\"" root fq_codel\n')
    expect(wantedLink('br-lan').key).toBe(
      'file:/etc/systemd/system/sys-subsystem-net-devices-br\\x2dlan.device.wants/tc-qdisc-br\\x2dlan.service',
    )
    expect(unitFile('eth0.100').key).toBe('file:/etc/systemd/system/tc-qdisc-eth0.100.service')
  })

  it('is never started by us: systemctl start waits 90 s for a device that is not there, and a change is live before', async () => {
    const steps = tuned.wishes.flatMap(({ resource }) =>
      resource.key.startsWith('file:')
        ? [resource.write!({ type: 'link', target: unit } as never, { type: 'absent' } as never).text]
        : [],
    )
    expect(steps).toHaveLength(2)
    expect(steps.join('\n')).toContain('systemctl daemon-reload')
    expect(steps.join('\n')).not.toMatch(/systemctl (?:re)?start|--now/)
  })

  it('is told to systemd, the link before the unit, so that one reading takes both', () => {
    expect(tuned.wishes.map(({ resource }) => resource.key)).toEqual([
      'module:sch_*',
      'udev:running',
      'networkd:qdiscs',
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
