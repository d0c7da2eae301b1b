import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { knownAfterApply } from '../../../dsl/known-after.ts'
import { cakeDefaults } from '../../../modules/tc/cake.ts'
import type { Kind, Values } from '../../../modules/tc/discipline.ts'
import { fqDefaults } from '../../../modules/tc/fq.ts'
import { type FqCodel, fqCodelDefaults } from '../../../modules/tc/fq-codel.ts'
import { htbDefaults } from '../../../modules/tc/htb.ts'
import { kernelQdiscs } from '../../../modules/tc/kernel-qdiscs.ts'
import { networkdQdiscs, setsQdiscOf } from '../../../modules/tc/networkd-qdiscs.ts'
import { type PresentQdisc, type RootQdisc, rootQdisc } from '../../../modules/tc/root-qdisc.ts'
import type { Tbf } from '../../../modules/tc/tbf.ts'
import { shells } from '../../connection/shells.ts'
import { answers, inShell, readScript } from '../answers.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/tc/${name}`, import.meta.url))
const eth0 = rootQdisc('eth0')
const made = (kind: Kind, options: Values): PresentQdisc => ({ type: 'added', kind, options, children: 0 })
const added = (options: Partial<FqCodel> = {}) => made('fq_codel', { ...fqCodelDefaults, quantum: 1514, ...options })
const tbf = (options: Partial<Tbf>) =>
  made('tbf', { rate: 1_000_000, burst: 32_768, limit: null, child: null, ...options })

describe('rootQdisc()', () => {
  const default_ = { type: 'default', children: 0 } as const

  it('reads all devices from one answer of tc', () => {
    const devices = ['lo', 'vec0', 'd0', 'v0', 'p0', 'q0', 'f0', 'eth9']
    const names = 'lo vec0 d0 t0 t1 t2 t3 f0 p0 q0 a0 a1 c0 c1 v1 v0'.split(' ')
    expect(answers(devices.map(rootQdisc), { stdout: fixture('read-bookworm.out') })).toEqual([
      { ...default_, kind: 'noqueue', options: {} },
      {
        ...default_,
        kind: 'pfifo_fast',
        options: { bands: 3, priomap: [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], multiqueue: false },
      },
      // clsact hangs at the device, not below the root.
      { type: 'added', kind: 'htb', options: { default: 0x10, r2q: 20, directQlen: 1000 }, children: 2 },
      { type: 'added', kind: 'mq', options: {}, children: 4 },
      { type: 'added', kind: 'pfifo', options: { limit: 50 }, children: 0 },
      added({ flows: 2048, quantum: 300, target: 20_000, ecn: false, ceThreshold: 1000, ceSelector: '1/3' }),
      // A device that was never up.
      { ...default_, kind: 'noop', options: {} },
      { type: 'absent', devices: names },
    ] satisfies RootQdisc[])
  })

  it('reads the same of a newer tc, which prints other numbers for the same bucket', () => {
    const all = 'd0 t0 t1 t2 t3 p0 q0 a0 a1 c0 c1 v0'.split(' ').map(rootQdisc)
    const [old, young] = (['read-bookworm.out', 'read-sid.out'] as const).map((name) =>
      answers(all, { stdout: fixture(name) }).map((value) => ('foreign' in value ? value.kind : value)),
    )
    expect(young).toEqual(old)
    expect(old).toContain('tbf')
  })

  it('takes tbf with the fq_codel below it for one value, and what it does not know for foreign', () => {
    const [plain, smart, peak, fast] = answers(['t0', 't1', 't2', 't3'].map(rootQdisc), {
      stdout: fixture('read-sid.out'),
    })
    expect(plain).toEqual(tbf({ limit: 82_768 }))
    const child = { ...fqCodelDefaults, quantum: 1514, flows: 64, target: 2000 }
    expect(smart).toEqual(tbf({ rate: 1_125_000, limit: null, child }))
    expect(peak).toMatchObject({ kind: 'tbf', foreign: true, children: 0 })
    // Declared with 200000, of which tc 6.1 prints 199687 and tc 7.3 prints 199980.
    expect(fast).toEqual(tbf({ rate: 312_500_000, burst: 199_981, limit: 1_000_000 }))
  })

  it('takes tbf with another qdisc below it, or of an older tc, for foreign', () => {
    const row = (options: object) => ({ kind: 'tbf', handle: '1:', dev: 'eth0', root: true, options })
    const read = (...rows: object[]) => answers([eth0], { stdout: Buffer.from(`eth0:\n?\n${JSON.stringify(rows)}`) })[0]
    const options = { rate: 1_000_000, burst_raw: '7d000', limit: 82_768 }
    expect(read(row(options))).toEqual(tbf({ limit: 82_768 }))
    expect(read(row(options), { kind: 'pfifo', handle: '2:', parent: '1:1', dev: 'eth0' })).toMatchObject({
      foreign: true,
      children: 1,
    })
    expect(read(row({ ...options, overhead: 18 }))).toMatchObject({ foreign: true })
    expect(read(row({ ...options, mpu: 64 }))).toMatchObject({ foreign: true })
    expect(read(row({ rate: 1_000_000, burst: 32_768, lat: 50_000 }))).toMatchObject({ foreign: true })
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

  it.each<[string, PresentQdisc]>([
    ['fq limit 10000 flow_limit 100', made('fq', fqDefaults)],
    [
      'fq limit 10000 flow_limit 100 maxrate 10mbit refill_delay 60ms timer_slack 20us horizon_cap nopacing orphan_mask 511',
      made('fq', {
        ...fqDefaults,
        maxrate: 1_250_000,
        refillDelay: 60_000,
        timerSlack: 20_000,
        beyondHorizon: 'cap',
        pacing: false,
        rest: 'orphan_mask 511',
      }),
    ],
    ['cake unlimited', made('cake', cakeDefaults)],
    [
      'cake bandwidth 95mbit diffserv4 nat ack-filter no-split-gso atm rtt 50ms overhead 18 mpu 64 memlimit 4MiB fwmark 0xff',
      made('cake', {
        ...cakeDefaults,
        bandwidth: 11_875_000,
        diffserv: 'diffserv4',
        nat: true,
        ackFilter: true,
        splitGso: false,
        cells: 'atm',
        rtt: 50_000,
        overhead: 18,
        mpu: 64,
        memoryLimit: 4 * 1024 ** 2,
        rest: 'fwmark 0xff',
      }),
    ],
    ['tbf rate 8mbit burst 32KiB limit 82768', tbf({ limit: 82_768 })],
    [
      'tbf rate 8mbit burst 32KiB with fq_codel limit 10240 target 5ms interval 100ms ecn',
      tbf({ limit: null, child: fqCodelDefaults }),
    ],
    ['htb default none', made('htb', htbDefaults)],
    ['htb default 0x1f r2q 100 direct_qlen 5', made('htb', { default: 31, r2q: 100, directQlen: 5 })],
    ['tbf', { type: 'added', kind: 'tbf', options: { burst: {} }, children: 0, foreign: true }],
  ])('shows %s', (text, qdisc) => {
    expect(eth0.show!(qdisc)).toBe(text)
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
      'flows, which a qdisc that is there does not change («RTNETLINK answers: Invalid argument»), by a new handle in one step',
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
      'a smart queue, in a step that leaves no device without one',
      tbf({ limit: null, child: fqCodelDefaults }),
      { type: 'default', kind: 'pfifo_fast', options: {}, children: 0 },
      `set -- $(tc qdisc show dev eth0 root)
if [ "$3" = 1: ]; then h=2:; else h=1:; fi
tc qdisc replace dev eth0 root handle "$h" tbf rate 1000000bps burst 32768 limit 32768
[ $? -eq 0 ] && tc qdisc replace dev eth0 parent "$h" fq_codel ${all.replace('quantum 1514 ', '').replace('10240', '10240 flows 1024')}`,
    ],
    [
      'another rate of a smart queue, whose packets stay',
      tbf({ rate: 1_125_000, limit: null, child: fqCodelDefaults }),
      tbf({ limit: null, child: fqCodelDefaults }),
      `set -- $(tc qdisc show dev eth0 root)
tc qdisc replace dev eth0 root tbf rate 1125000bps burst 32768 limit 32768
[ $? -eq 0 ] && tc qdisc replace dev eth0 parent "$3" fq_codel ${all.replace('quantum 1514 ', '')}`,
    ],
    [
      // A child that is taken away leaves «noop», which drops everything.
      'tbf without the fq_codel, by a new one',
      tbf({ limit: 82_768 }),
      tbf({ limit: null, child: fqCodelDefaults }),
      `set -- $(tc qdisc show dev eth0 root)
if [ "$3" = 1: ]; then h=2:; else h=1:; fi
tc qdisc replace dev eth0 root handle "$h" tbf rate 1000000bps burst 32768 limit 82768`,
    ],
    [
      'another limit of tbf, with all that it must have',
      tbf({ limit: 82_768 }),
      tbf({ limit: 50_000 }),
      'tc qdisc replace dev eth0 root tbf rate 1000000bps burst 32768 limit 82768',
    ],
    [
      // «Change operation not supported by specified qdisc», even with what it has.
      'other parameters of htb, by a new one',
      made('htb', { ...htbDefaults, default: 0x10 }),
      made('htb', { ...htbDefaults, directQlen: 1000 }),
      `set -- $(tc qdisc show dev eth0 root)
if [ "$3" = 1: ]; then h=2:; else h=1:; fi
tc qdisc replace dev eth0 root handle "$h" htb default 0x10 r2q 10`,
    ],
    [
      'fq without a limit that it had, by the number that the kernel takes for none',
      made('fq', fqDefaults),
      made('fq', { ...fqDefaults, maxrate: 1_250_000 }),
      'tc qdisc replace dev eth0 root fq limit 10000 flow_limit 100 buckets 1024 maxrate 4294967295bps low_rate_threshold 68750bps refill_delay 40000us ce_threshold 4294967295us timer_slack 10000ns horizon 10000000us horizon_drop pacing',
    ],
    [
      'cake by a change, where a word says each',
      made('cake', { ...cakeDefaults, bandwidth: 1_000_000 }),
      made('cake', { ...cakeDefaults, nat: true, overhead: 18 }),
      'tc qdisc replace dev eth0 root cake bandwidth 1000000bps diffserv3 triple-isolate nonat nowash no-ack-filter split-gso egress rtt 100000us raw noatm',
    ],
    [
      // «mpu 0», «memlimit 0» and «fwmark 0» change nothing.
      'cake anew, where no word would say it',
      made('cake', cakeDefaults),
      made('cake', { ...cakeDefaults, mpu: 64 }),
      `set -- $(tc qdisc show dev eth0 root)
if [ "$3" = 1: ]; then h=2:; else h=1:; fi
tc qdisc replace dev eth0 root handle "$h" cake unlimited diffserv3 triple-isolate nonat nowash no-ack-filter split-gso egress rtt 100000us raw noatm`,
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
  '-j -d -r qdisc show') echo '[{"kind":"htb","handle":"1:","dev":"lo","root":true,"options":{"default":"0x10","r2q":7}}]' ;;
  'class show dev lo') echo 'class htb 1:10 root prio 0'; echo 'class fq_codel 2:1 parent 2:' ;;
  'class show dev nosuch') echo 'Cannot find device "nosuch"' >&2; exit 1 ;;
  'qdisc show dev lo root') echo 'qdisc fq_codel 1: root refcnt 2 limit 10240p flows 2048' ;;
  *) echo "$*" ;;
esac`

    it.skipIf(!there)('reads the devices of this machine', () => {
      const output = inShell(name, readScript([rootQdisc('lo'), rootQdisc('nosuch')]), { tc })
      const [lo, none] = answers([rootQdisc('lo'), rootQdisc('nosuch')], output)
      expect(lo).toMatchObject({ type: 'added', kind: 'htb', options: { default: 16, r2q: 7 }, children: 1 })
      expect(none).toMatchObject({ type: 'absent', devices: expect.arrayContaining(['lo']) })
    })

    it.skipIf(!there)('makes anew under a handle that is free', () => {
      const { stdout } = inShell(name, rootQdisc('lo').write!(added(), added({ flows: 2048 })), { tc })
      expect(stdout.toString()).toMatch(/^qdisc replace dev lo root handle 2: fq_codel limit 10240 flows 1024 /)
    })

    it.skipIf(!there)('puts a qdisc below only where the root could be put', () => {
      const smart = eth0.write!(tbf({ limit: null, child: fqCodelDefaults }), tbf({ limit: 82_768 }))
      const fails = 'case $* in *root\\ handle*) echo "Error: no." >&2; exit 2 ;; *) echo "$*" ;; esac'
      expect(inShell(name, smart, { tc: fails })).toMatchObject({ status: 1, stderr: 'Error: no.\n' })
      expect(inShell(name, smart, { tc: 'echo "$*"' }).stdout.toString()).toMatch(/ parent 1: fq_codel limit 10240 /)
    })

    it.skipIf(!there)('tells the kinds of this kernel', () => {
      const [value] = answers([kernelQdiscs], inShell(name, readScript([kernelQdiscs])))
      expect(value === 'unknown' || Array.isArray(value)).toBe(true)
    })
  })
})

describe('the words of every kind', () => {
  const all = [
    added({ ceThreshold: 5 }),
    made('fq', { ...fqDefaults, maxrate: 1, ceThreshold: 1 }),
    made('cake', { ...cakeDefaults, bandwidth: 1, memoryLimit: 1 }),
    tbf({ limit: 1 }),
    made('htb', { ...htbDefaults, directQlen: 1 }),
  ]
  const pfifo: RootQdisc = { type: 'added', kind: 'pfifo', options: { limit: 1 }, children: 0 }
  const texts = all.flatMap((to) => [eth0.write!(to, pfifo).text, eth0.write!(to, to).text])

  it('are of replace: add fails on a root («Exclusivity flag on»), change without one («Qdisc not found»)', () => {
    for (const text of texts) expect(text).toMatch(/tc qdisc replace dev eth0 root /)
    expect(texts.join('\n')).not.toMatch(/qdisc (add|change)/)
  })

  it('have a unit behind each time and rate, since a bare 5 is 5 us, and none behind packets and bytes («10240p» is illegal)', () => {
    const words = texts.join('\n')
    expect(words).not.toMatch(/(target|interval|refill_delay|horizon|ce_threshold|timer_slack|rtt) \d+( |$)/m)
    expect(words).not.toMatch(/(rate|threshold|bandwidth) \d+( |$)/m)
    expect(words).not.toMatch(/(limit|quantum|burst|memlimit|memory_limit) \d+[a-z]/)
  })
})

describe('networkdQdiscs', () => {
  const read = (text: string) => answers([networkdQdiscs], { stdout: Buffer.from(text) })[0]

  it('are the sections of files that match devices by name', () => {
    const [a, b, c] = ['10-a', '20-b', '30-c'].map((name) => `/etc/systemd/network/${name}.network`)
    const text = `${a}:[Match]
${a}:Name = eth0 en*
${a}:[Network]
${a}:[FairQueueingControlledDelay]
${b}:[Match]
${b}:Name=lan0
${b}:[QDisc]
${c}:[Match]
${c}:[CAKE]
`
    expect(read(text)).toEqual([{ file: a, devices: ['eth0', 'en*'], sections: ['FairQueueingControlledDelay'] }])
    expect(read('')).toEqual([])
    expect(answers([networkdQdiscs], { status: 1 })).toEqual([expect.objectContaining({ code: 'E_PROBE_UNPARSABLE' })])
  })

  it.each([
    ['eth0', ['eth0'], true],
    ['eth0', ['en*', 'eth?'], true],
    ['eth0', ['eth[12]'], false],
    ['eth0', ['eth[!12]'], true],
    ['eth0', ['eth'], false],
    ['eth0.5', ['eth0*5'], true],
    ['ethX5', ['eth.5'], false],
    ['eth0', ['!lo', 'docker*'], true],
    ['docker0', ['!lo', 'docker*'], false],
  ])('on %s by %j: %s', (device, devices, expected) => {
    expect(setsQdiscOf(device, { file: '', devices, sections: [] })).toBe(expected)
  })
})

describe('kernelQdiscs', () => {
  it('are those that are loaded, built in or in a module', () => {
    const stdout = Buffer.from(
      '/sys/module/sch_fq_codel.ko\nkernel/net/sched/sch_tbf.ko\nkernel/net/sched/sch_fq_codel.ko\nkernel/net/sched/sch_cake.ko\n',
    )
    expect(answers([kernelQdiscs], { stdout })).toEqual([['cake', 'fq_codel', 'tbf']])
    expect(answers([kernelQdiscs], { stdout: Buffer.from('/sys/module/sch_tbf.ko\n?\n') })).toEqual(['unknown'])
    expect(answers([kernelQdiscs], { stdout: Buffer.from('') })).toEqual([[]])
    expect(answers([kernelQdiscs], { status: 2 })).toEqual([expect.objectContaining({ code: 'E_PROBE_UNPARSABLE' })])
  })
})
