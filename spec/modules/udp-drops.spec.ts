import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { typicalFacts } from '../../dsl/play.ts'
import { udpDrops } from '../../index.ts'
import { type UdpCounters, udpCounters } from '../../modules/udp-drops.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { shells } from '../connection/shells.ts'
import { answers, inShell, readScript } from './answers.ts'

const fixture = readFileSync(new URL('../fixtures/proc/udp-sid.txt', import.meta.url), 'utf8')
const read = (text: string) => answers([udpCounters], { stdout: Buffer.from(text) })[0]
const stub = { address: '127.0.0.53:53', inode: 3097, unit: 'systemd-resolved.service', drops: 1763 }
const quiet: UdpCounters = { inDatagrams: 100, rcvbufErrors: 7, memErrors: 1, sockets: [] }
const find = (now: Partial<UdpCounters>, task = udpDrops({ during: '30s' }), before = quiet) =>
  task.find({ before, now: { ...before, ...now }, facts: typicalFacts })

describe('udpCounters', () => {
  it('are of a kernel with nine counters of UDP, with the socket that dropped and its unit', () => {
    expect(read(fixture)).toEqual({ inDatagrams: 489 + 15, rcvbufErrors: 1763, memErrors: 0, sockets: [stub] })
  })

  it('are matched by name: an older kernel has no MemErrors, a newer one may have others in between', () => {
    const snmp = (names: string, values: string) =>
      `Ip: Forwarding\nIp: 1\nUdp: ${names}\nUdp: ${values}\nUdpLite: InDatagrams\nUdpLite: 9\n`
    expect(read(snmp('InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors', '5 1 3 2 3'))).toMatchObject({
      inDatagrams: 5,
      rcvbufErrors: 3,
      memErrors: 0,
    })
    expect(read(snmp('NewOnes MemErrors RcvbufErrors InDatagrams', '9 4 3 5'))).toMatchObject({
      inDatagrams: 5,
      rcvbufErrors: 3,
      memErrors: 4,
    })
  })

  it('add those of IPv6', () => {
    const six = fixture
      .replace(/(Udp6InDatagrams\s+)\d+/, '$11000')
      .replace(/(Udp6RcvbufErrors\s+)\d+/, '$120')
      .replace(/(Udp6MemErrors\s+)\d+/, '$13')
    expect(read(six)).toMatchObject({ inDatagrams: 1489, rcvbufErrors: 1783, memErrors: 3 })
  })

  it('have addresses of IPv6 as they are written, and no unit where ss is not there', () => {
    const line =
      '  152: B80D01200000000067452301EFCDAB89:14E9 00000000:0000 07 0:0 00:0 0   988        0 42 2 00000000eb4fa9fe 5'
    const [before] = fixture.split('# sockets')
    expect(read(`${before}# sockets\n${line}\n# units\n`)).toMatchObject({
      sockets: [{ address: '[2001:db8::123:4567:89ab:cdef]:5353', inode: 42, unit: null, drops: 5 }],
    })
  })

  it('say what was not understood', () => {
    expect(answers([udpCounters], { status: 1, stderr: 'cat: /proc/net/snmp: No such file or directory\n' })).toEqual([
      expect.objectContaining({ code: 'E_PROBE_UNPARSABLE' }),
    ])
  })

  it.each(shells.filter(({ there }) => there))('are read in $title', ({ name }) => {
    expect(answers([udpCounters], inShell(name, readScript([udpCounters])))[0]).toMatchObject({
      inDatagrams: expect.any(Number),
      sockets: expect.any(Array),
    })
  })
})

describe('udpDrops()', () => {
  it('tells what was read where nothing was dropped', () => {
    expect(find({ inDatagrams: 12_500 }, udpDrops({ during: '30s' }).expect(0))).toEqual({
      says: '0 datagrams were dropped in 30 s, 12400 were read',
      table: [],
    })
  })

  it('tells full buffers and used-up memory apart, and names the sockets that dropped most', () => {
    const mdns = { address: '[::]:5353', inode: 5, unit: null, drops: 12 }
    const before = { ...quiet, sockets: [{ ...stub, drops: 63 }, mdns] }
    const now = { inDatagrams: 337, rcvbufErrors: 1707, memErrors: 21, sockets: [{ ...mdns, drops: 32 }, stub] }
    expect(find(now, udpDrops({ during: '30s' }).expect(0), before)).toEqual({
      says: '1720 datagrams were dropped in 30 s (RcvbufErrors 1700, MemErrors 20), 237 were read',
      table: ['1700  127.0.0.53:53  systemd-resolved.service', '  20  [::]:5353'],
      unexpected: {
        message: '1720 datagrams were dropped in 30 s (RcvbufErrors 1700, MemErrors 20); expected were none.',
        hint: 'Buffers are full: raise net.core.rmem_default by sysctl(), and restart the daemon whose sockets drop.',
      },
    })
  })

  it('knows the memory of all sockets for the cause where that dropped more', () => {
    const { unexpected } = find({ memErrors: 5001 }, udpDrops({ during: '1m' }).expect(10))
    expect(unexpected).toEqual({
      message: '5000 datagrams were dropped in 60 s (RcvbufErrors 0, MemErrors 5000); expected were at most 10.',
      hint: 'The memory of all UDP sockets is used up: raise net.ipv4.udp_mem by sysctl(), or find who does not read.',
    })
  })

  it('expects nothing where nothing is said, and not more than what is', () => {
    expect(find({ rcvbufErrors: 8 })).not.toHaveProperty('unexpected')
    expect(find({ rcvbufErrors: 8 }).says).toBe(
      '1 datagram was dropped in 30 s (RcvbufErrors 1, MemErrors 0), 0 were read',
    )
    expect(find({ rcvbufErrors: 10 }, udpDrops({ during: '30s' }).expect(3))).not.toHaveProperty('unexpected')
    expect(find({ rcvbufErrors: 11 }, udpDrops({ during: '30s' }).expect(3))).toHaveProperty('unexpected')
  })

  it('shows ten sockets, and says how many more there are', () => {
    const sockets = Array.from({ length: 12 }, (_, i) => ({
      address: `10.0.0.1:${i}`,
      inode: i,
      unit: null,
      drops: i + 1,
    }))
    const { table } = find({ rcvbufErrors: 85, sockets })
    expect(table).toHaveLength(11)
    expect(table!.slice(0, 1).concat(table!.slice(-2))).toEqual(['12  10.0.0.1:11', ' 3  10.0.0.1:2', '… and 2 more'])
  })

  it('knows that counters which went back are no answer', () => {
    expect(() => find({ rcvbufErrors: 0 })).toThrow('The counters went back while they were watched')
  })

  it('waits for its span, and refuses one that is none before any connection', () => {
    expect(udpDrops({ during: '1500ms' }).window).toBe(1.5)
    const problems = (task: ReturnType<typeof udpDrops>) => task.problems.map(({ message }) => message)
    expect(problems(udpDrops({ during: '0s' }))).toEqual(['udpDrops: 0s is no span to wait'])
    expect(problems(udpDrops({ during: 'x' as '1s' }))).toEqual([
      'udpDrops: "x" is not a duration such as 5ms, 90s or 1h',
    ])
    expect(problems(udpDrops({ during: '1s' }).expect(-1))).toEqual([
      'udpDrops: expect takes a number of datagrams, not -1',
    ])
    expect(problems(udpDrops({ during: '1s' }).expect(0.5))).toHaveLength(1)
  })

  it('is told of a mock host that says what it has, and skipped on one that does not', async () => {
    const task = udpDrops({ during: '1ms' }).expect(0)
    const seen = async (host = mockHost('web1')) =>
      (await run([task], host)).events.filter(({ type }) => type === 'observation')
    expect(await seen(mockHost('web1').has(udpCounters, quiet))).toMatchObject([
      { outcome: 'ok', says: '0 datagrams were dropped in 0.001 s, 0 were read' },
    ])
    expect(await seen()).toMatchObject([{ outcome: 'skipped' }])
  })
})
