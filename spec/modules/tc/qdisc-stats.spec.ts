import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { typicalFacts } from '../../../dsl/play.ts'
import type { Task } from '../../../dsl/task.ts'
import { qdiscStats, shape } from '../../../index.ts'
import { type DeviceCounters, type QdiscCounters, qdiscCounters } from '../../../modules/tc/qdisc-counters.ts'
import type { QdiscStats } from '../../../modules/tc/qdisc-stats.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { shells } from '../../connection/shells.ts'
import { answers, inShell, readScript } from '../answers.ts'

const read = (name: string, device: string) => {
  const stdout = readFileSync(new URL(`../../fixtures/tc/${name}`, import.meta.url))
  return answers([qdiscCounters(device)], { stdout })[0] as DeviceCounters
}
const found = (task: QdiscStats, before: DeviceCounters, now: DeviceCounters) =>
  task.find({ before, now, facts: typicalFacts })
const problems = (task: Task) => task.problems.map(({ message }) => message)

const quiet: QdiscCounters = {
  kind: 'fq_codel',
  handle: '8001:',
  parent: null,
  bytes: 0,
  packets: 0,
  drops: 0,
  overlimits: 0,
  backlog: 0,
  ecnMarks: 0,
  newFlows: 0,
}
const has = (...qdiscs: readonly Partial<QdiscCounters>[]): DeviceCounters => ({
  type: 'present',
  qdiscs: qdiscs.map((qdisc) => ({ ...quiet, ...qdisc })),
})
const eth0 = qdiscStats('eth0')

describe('qdiscStats()', () => {
  it('looks for a while, and is a task that wishes nothing', () => {
    expect([eth0.window, qdiscStats('eth0', { during: '2m' }).window]).toEqual([10, 120])
    expect([eth0.view.key, eth0.wishes]).toEqual(['qdisc-stats:eth0', []])
  })

  it('tells what a shaper and the queue behind it did', () => {
    const [before, now] = [read('counters-sid-1.out', 'v0'), read('counters-sid-2.out', 'v0')]
    expect(found(qdiscStats('v0', { during: '4s' }), before, now)).toEqual({
      says: 'tbf: 2721 packets in 4 s, 121 dropped, 3462 held back for a rate, 81 new flows in a queue, 21196 bytes waiting',
      table: [
        'tbf 1: root  packets 3922  dropped 172  overlimits 4261  backlog 21196',
        'fq_codel 80c3: parent 1:  packets 3926  dropped 172  overlimits 0  backlog 18168  ECN marks 0  new flows 131',
      ],
    })
  })

  it('says when the device is not the bottleneck: fq_codel on an unshaped link does nothing at all', () => {
    expect(found(eth0, has({}), has({ packets: 485_723 })).says).toBe(
      'fq_codel: 485723 packets in 10 s, not the bottleneck: nothing was queued',
    )
  })

  it('does not say so of a kind that does not count what was queued, but only what it saw', () => {
    const [before, now] = [read('counters-bookworm.out', 'vec0'), read('counters-sid-1.out', 'vec0')]
    expect(found(qdiscStats('vec0'), before, now).says).toMatch(
      /^pfifo_fast: \d+ packets in 10 s, not the bottleneck: nothing was dropped, and nothing waited at the end$/,
    )
    expect(found(qdiscStats('m0'), read('counters-sid-1.out', 'm0'), read('counters-sid-2.out', 'm0')).says).toMatch(
      /^mq: 1 packet in 10 s, not the bottleneck/,
    )
  })

  it('says when nothing was sent, which shows nothing either way', () => {
    expect(found(eth0, has({ packets: 5 }), has({ packets: 5 })).says).toBe('fq_codel: nothing was sent in 10 s')
  })

  it('says when a virtual device has no queue (noqueue), which counts nothing', () => {
    const lo = read('counters-sid-1.out', 'lo')
    expect(found(qdiscStats('lo'), lo, lo).says).toBe('noqueue: the device has no queue, and counts nothing')
  })

  it('takes the marks of cake from its tins, and those of fq by their name', () => {
    const cake = read('counters-bookworm.out', 'v0')
    expect(cake).toMatchObject({
      type: 'present',
      qdiscs: [{ kind: 'cake', parent: null, ecnMarks: 0, newFlows: null }],
    })
    const rows = [
      { kind: 'cake', handle: '1:', dev: 'a', root: true, tins: [{ ecn_mark: 1 }, { ecn_mark: 2 }, {}] },
      { kind: 'fq', handle: '1:', dev: 'b', root: true, ce_mark: 4 },
      { kind: 'fq', handle: '1:', dev: 'c', root: true },
    ]
    const stdout = Buffer.from(`?\n${JSON.stringify(rows)}`)
    expect(
      answers(['a', 'b', 'c'].map(qdiscCounters), { stdout }).map((value) =>
        'qdiscs' in value ? value.qdiscs[0]!.ecnMarks : value,
      ),
    ).toEqual([3, 4, 0])
  })

  it('refuses to subtract from the counters of another qdisc', () => {
    const unexpected = { message: 'The qdisc of eth0 was replaced within the window, and counts anew.' }
    expect(found(eth0, has({}), has({ kind: 'cake' }))).toMatchObject({ unexpected })
    expect(found(eth0, has({}), has({ handle: '8002:' }))).toMatchObject({ unexpected })
    expect(found(eth0, has({ packets: 9 }), has({ packets: 3 }))).toMatchObject({ unexpected })
  })

  it('keeps the queues of mq apart, which have all the handle 0:', () => {
    const queues = (first: number, second: number) =>
      has(
        { kind: 'mq', handle: '0:', ecnMarks: null, newFlows: null, packets: first + second },
        { handle: '0:', parent: ':1', newFlows: first },
        { handle: '0:', parent: ':2', newFlows: second },
      )
    expect(found(eth0, queues(1, 10), queues(3, 40)).says).toBe('mq: 32 packets in 10 s, 32 new flows in a queue')
  })

  it.each<[Parameters<QdiscStats['expect']>[0], string | undefined]>([
    [{ drops: { below: 10 }, ecnMarks: 0 }, undefined],
    [{ overlimits: { atLeast: 1 }, newFlows: { atLeast: 1, below: 6 } }, undefined],
    [{ drops: 9 }, undefined],
    [{ drops: { below: 9 } }, 'eth0 (fq_codel): 9 dropped, not below 9.'],
    [
      { drops: 0, newFlows: { atLeast: 6, below: 9 } },
      'eth0 (fq_codel): 9 dropped, not 0; 5 new flows in a queue, not at least 6 and below 9.',
    ],
    [{ backlog: 0 }, 'eth0 (fq_codel): 3000 bytes waiting, not 0.'],
  ])('holds what it saw against %j', (expected, message) => {
    const now = has({ packets: 99, drops: 9, overlimits: 4, newFlows: 5, backlog: 3000 })
    expect(found(eth0.expect(expected), has({}), now).unexpected?.message).toBe(message)
  })

  it('does not take a counter that a kind does not keep for zero', () => {
    const plain = { kind: 'pfifo_fast', ecnMarks: null, newFlows: null }
    expect(found(eth0.expect({ ecnMarks: 0 }), has(plain), has({ ...plain, packets: 1 })).unexpected?.message).toBe(
      'eth0 (pfifo_fast): ecnMarks are expected, which this kind does not count.',
    )
  })

  it('fails where the host has no such device, or tc is missing', () => {
    expect(() => found(eth0, has({}), { type: 'absent', devices: ['lo', 'ens5'] })).toThrow(
      expect.objectContaining({ message: 'This host has no network device eth0.', hint: 'The host has lo, ens5.' }),
    )
    expect(read('counters-sid-1.out', 'eth9')).toEqual({
      type: 'absent',
      devices: ['lo', 'vec0', 'v0', 'a0', 'm1', 'm0'],
    })
    expect(answers([qdiscCounters('eth0')], { status: 127, stderr: 'tc: not found\n' })).toEqual([
      expect.objectContaining({ message: 'tc is not installed on this host.' }),
    ])
    // Never up: it has a qdisc that tc does not show.
    const never = { type: 'present', qdiscs: [] } as const
    expect(found(eth0, never, never).says).toBe('noop: nothing was sent in 10 s')
  })

  it.each<[Task, string]>([
    [qdiscStats('eth0', { during: '0s' }), 'qdiscStats eth0: during 0s: it looks for 1s at least'],
    [
      qdiscStats('eth0', { during: 'soon' as never }),
      'qdiscStats eth0: "soon" is not a duration such as 5ms, 90s or 1h',
    ],
    [eth0.expect({ drops: -1 }), expect.stringMatching(/^qdiscStats eth0: expect: drops: -1 is not a count, /)],
    [eth0.expect({ drops: {} }), expect.stringMatching(/^qdiscStats eth0: expect: drops: {} is not a count, /)],
    [
      eth0.expect({ losses: 0 } as never),
      expect.stringMatching(/^qdiscStats eth0: expect: losses: 0 is not a count, /),
    ],
  ])('refuses %# before any connection', (task, problem) => {
    expect(problems(task)).toEqual([problem])
  })

  it('runs when the play has reacted, and fails the host for what was not expected', async () => {
    const play = (task: Task) => shape({ groups: {} }).play('p').hosts('all').tasks([task])
    const host = () => mockHost('web1').has(qdiscCounters('eth0'), has({ drops: 9, packets: 9, backlog: 1 }))
    const calm = await run(play(eth0.expect({ drops: 0 })), host())
    expect(calm.observations).toMatchObject([{ says: 'fq_codel: nothing was sent in 10 s' }])
    const bad = await run(play(eth0.expect({ backlog: 0 })), host())
    expect(bad.observations).toMatchObject([{ failure: { message: 'eth0 (fq_codel): 1 bytes waiting, not 0.' } }])
    expect(bad.hosts).toEqual({ web1: 'failed' })
  })

  it.each(shells.filter(({ there }) => there))('reads the devices of this machine in $title', ({ name }) => {
    const tc = `[ "$*" = '-j -s qdisc show' ] && echo '[{"kind":"noqueue","handle":"0:","dev":"lo","root":true}]'`
    const output = inShell(name, readScript([qdiscCounters('lo')]), { tc })
    expect(answers([qdiscCounters('lo')], output)).toMatchObject([{ type: 'present', qdiscs: [{ kind: 'noqueue' }] }])
  })
})
