import { describe, expect, it } from 'vitest'
import { tcQdisc } from '../../../index.ts'
import { type Cake, type CakeOptions, cake, cakeDefaults, parseCake } from '../../../modules/tc/cake.ts'
import { type Fq, fq, fqDefaults, type FqOptions, parseFq } from '../../../modules/tc/fq.ts'
import { fqCodelWords, parseFqCodel, readFqCodel } from '../../../modules/tc/fq-codel.ts'
import { type HtbOptions, parseHtb } from '../../../modules/tc/htb.ts'
import { rate, showBytes, showRate } from '../../../modules/tc/parameters.ts'
import { parseTbf, type TbfOptions } from '../../../modules/tc/tbf.ts'
import { burstOf, ticksOf } from '../../../modules/tc/tbf-ticks.ts'

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

  it('are beside an ECN that is off where tc prints no such key (noecn), and parameters of newer kernels that are none', () => {
    expect(readFqCodel({ ...json, target: 4999 })).toMatchObject({ ecn: false, ceThreshold: null, ceSelector: null })
    expect(readFqCodel({ ...json, target: 4999, ecn: true }).ecn).toBe(true)
    expect(fqCodelWords({ ecn: false }, { flows: false })).toEqual(['noecn'])
  })

  it('never writes a print back, which would lose a step each time: 4999, 4998, 4997', () => {
    expect(readFqCodel({ ...json, target: 4999 }).target).toBe(5000)
    expect(readFqCodel({ ...json, target: 0 }).target).toBe(1)
  })
})

describe('rates', () => {
  it.each<[string, number]>([
    ['8bit', 1],
    ['8kbit', 1000],
    ['2.5mbit', 312_500],
    ['40gbit', 5_000_000_000],
    ['12345680bit', 1_543_210],
  ])('%s is %i bytes in a second', (text, count) => {
    expect(rate(Number.MAX_SAFE_INTEGER)(text as never)).toBe(count)
  })

  it.each([
    // tc makes 125 of it, and of 7bit it makes none, which is no limit.
    ['1001bit', '"1001bit" is not a whole number of bytes in a second, up to 8gbit'],
    ['7bit', '"7bit" is not a whole number of bytes in a second, up to 8gbit'],
    ['0mbit', '"0mbit" is not a whole number of bytes in a second, up to 8gbit'],
    ['9gbit', '"9gbit" is not a whole number of bytes in a second, up to 8gbit'],
    // In tc this is bytes.
    ['8mbps', '"8mbps" is not a rate such as 8mbit or 2.5gbit'],
    ['8Mbit', '"8Mbit" is not a rate such as 8mbit or 2.5gbit'],
    [8_000_000, '8000000 is not a rate such as 8mbit or 2.5gbit'],
  ])('refuses %j', (text, problem) => {
    expect(rate(1e9)(text as never)).toEqual({ problem })
  })

  it('are shown in the unit that reads best', () => {
    expect([1, 125, 68_750, 1_000_000, 1_543_209, 312_500_000].map(showRate)).toEqual([
      '8bit',
      '1kbit',
      '550kbit',
      '8mbit',
      '12345672bit',
      '2.5gbit',
    ])
    expect([1600, 32_768, 4_194_304].map(showBytes)).toEqual(['1600', '32KiB', '4MiB'])
  })
})

describe('the bucket of tbf', () => {
  // What kernels kept of 200000 bytes, as `tc -r` printed it.
  const kept: readonly (readonly [number, number])[] = [
    [1_000_000, 0x2faf08],
    [1_125_000, 0x2a62b1],
    [875_000, 0x367ee4],
    [1_543_209, 0x1ee629],
    [12_500_000, 0x3d090],
    [125_000_000, 0x61a8],
    [312_500_000, 0x270f],
    [1_250_000_000, 0x9c3],
    [5_000_000_000, 0x270],
  ]

  it.each(kept)('at %i bytes in a second is kept as %i ticks', (perSecond, ticks) => {
    expect(ticksOf(200_000, perSecond)).toBe(ticks)
    const least = burstOf(ticks, perSecond)
    expect(least).toBeLessThanOrEqual(200_000)
    expect([ticksOf(least, perSecond), ticksOf(least - 1, perSecond) < ticks]).toEqual([ticks, true])
  })

  it('is what was declared, whatever tc prints of it: 6.1 prints 195000 and 7.3 prints 199680 of 200000', () => {
    const declared = parseTbf({ rate: '40gbit', burst: 200_000, limit: '1MiB' }).wish.burst
    expect(declared).toBe(burstOf(0x270, 5_000_000_000))
  })
})

describe('tbf', () => {
  it('has a queue as long as its latency, as tc counts it', () => {
    // tc 6.1 and 7.3: latency 333333us at 100mbit is a limit of 4186662.
    const options: TbfOptions = { rate: '100mbit', burst: 20_000, latency: '333333us' }
    expect(parseTbf(options)).toEqual({
      wish: { rate: 12_500_000, burst: 20_000, limit: 4_186_662, child: null },
      problems: [],
    })
  })

  it.each<[unknown, readonly string[]]>([
    [{}, ['rate: tbf needs it', 'burst: tbf needs it', 'tbf takes one of latency, limit and fqCodel, not none']],
    [
      { rate: '8mbit', burst: '32KiB', latency: '1ms', limit: 9000 },
      ['tbf takes one of latency, limit and fqCodel, not latency and limit'],
    ],
    // The kernel takes it, and drops every full frame from then on.
    [{ rate: '8mbit', burst: 100, latency: '50ms' }, ['burst: 100 is not a whole number from 1514 to 4294967295']],
    [{ rate: '8mbit', burst: '32KiB', limit: 100 }, ['limit: 100 is not a whole number from 1514 to 4294967295']],
    // tc 6.1 makes a bucket of 28201 bytes of it.
    [
      { rate: '1kbit', burst: 200_000, limit: '1MiB' },
      ['burst: 200000 at 1kbit last longer than the 274s that the kernel keeps'],
    ],
    // tc makes 1430065408 of it.
    [
      { rate: '40gbit', burst: 20_000_000, latency: '2s' },
      ['latency: 10020000000 at 40gbit is more than the 4GiB that the kernel keeps'],
    ],
    [
      { rate: '8mbit', burst: '32KiB', fqCodel: { target: '1us', flow: 1 } },
      [
        'fqCodel: target: "1us" is not a time from 2us to 4294s',
        expect.stringMatching(/^fqCodel: flow: fq_codel has no such parameter/),
      ],
    ],
    [
      { rate: '8mbit', burst: '32KiB', latency: '50ms', peakrate: '9mbit' },
      ['peakrate: tbf has no such parameter (it has rate, burst, latency, limit)'],
    ],
  ])('refuses %j', (options, problems) => {
    expect(parseTbf(options as TbfOptions).problems).toEqual(problems)
  })

  it('is not typed without its queue, or with two', () => {
    const typed = () => {
      // @ts-expect-error -- no queue
      tcQdisc('eth0').tbf({ rate: '8mbit', burst: '32KiB' })
      // @ts-expect-error -- two queues
      tcQdisc('eth0').tbf({ rate: '8mbit', burst: '32KiB', latency: '5ms', limit: 9000 })
      // @ts-expect-error -- no rate
      tcQdisc('eth0').tbf({ burst: '32KiB', latency: '5ms' })
      // @ts-expect-error -- a number has no unit
      tcQdisc('eth0').tbf({ rate: 8_000_000, burst: '32KiB', latency: '5ms' })
    }
    expect(typed).toBeTypeOf('function')
  })
})

describe('fq', () => {
  it.each<[FqOptions, string]>([
    [{ limit: 0 }, 'limit: 0 is not a whole number from 1 to 4294967295'],
    // tc makes 1024 of it, and the kernel takes no more than 2 to the 18th.
    [{ buckets: 1000 }, 'buckets: 1000 is not a power of two from 2 to 262144'],
    [{ buckets: 524_288 }, 'buckets: 524288 is not a power of two from 2 to 262144'],
    [{ initialQuantum: '2MiB' }, 'initialQuantum: 2097152 is not a whole number from 256 to 262144'],
    [{ maxrate: '40gbit' }, 'maxrate: "40gbit" is not a whole number of bytes in a second, up to 34359738352bit'],
    // A kernel of 100 Hz keeps 5ms as 10ms, one of 250 Hz as 8ms.
    [{ refillDelay: '50ms' }, 'refillDelay: "50ms" is not a multiple of 20ms'],
    [{ refillDelay: '5ms' }, 'refillDelay: "5ms" is not a time from 20ms to 4294s'],
    [{ timerSlack: '10s' }, 'timerSlack: "10s" is more than 4s'],
    [{ pacing: 1 as never }, 'pacing: 1 is neither true nor false'],
    [{ beyondHorizon: 'keep' as never }, 'beyondHorizon: "keep" is not one of drop, cap'],
  ])('refuses %j', (options, problem) => {
    expect(parseFq(options).problems).toEqual([problem])
  })

  it('keeps what only tc sets, and is made anew without it', () => {
    const json = {
      limit: 1,
      flow_limit: 1,
      buckets: 2,
      quantum: 256,
      initial_quantum: 256,
      refill_delay: 20_000,
      'priomap ': [0],
      'weights ': [1, 2, 3],
      offload_horizon: 5,
      orphan_mask: 511,
    }
    const read = fq.read(json, [])!
    expect(read).toMatchObject({ rest: 'orphan_mask 511 bands 3 priomap 0 weights 1 2 3 offload_horizon 5us' })
    // What an older kernel does not print is its default; a threshold of none is not printed either.
    expect(read).toMatchObject({ horizon: 10_000_000, timerSlack: 10_000, lowRateThreshold: 0 })
    expect(fq.words(read, { making: true }).slice(-10).join(' ')).toBe(
      'orphan_mask 511 bands 3 priomap 0 weights 1 2 3 offload_horizon 5us'.split(' ').slice(-10).join(' '),
    )
    expect(fq.isChangeable(read, { ...read, rest: '' })).toBe(false)
    expect(fq.isChangeable(read, { ...read, limit: 5 })).toBe(true)
  })

  it('keeps its quanta, which are of the device', () => {
    const now: Fq = { ...fqDefaults, quantum: 3028, initialQuantum: 15_140, limit: 5 }
    expect(fq.complete({}, now)).toEqual({ ...fqDefaults, quantum: 3028, initialQuantum: 15_140 })
    expect(fq.complete({ quantum: 300 }, undefined)).toEqual({ ...fqDefaults, quantum: 300 })
  })
})

describe('cake', () => {
  it.each<[CakeOptions, string]>([
    [{ bandwidth: '7bit' }, expect.stringContaining('bandwidth: "7bit" is not a whole number of bytes')],
    // tc keeps 705 seconds of it.
    [{ rtt: '5000s' }, 'rtt: "5000s" is not a time from 1us to 4294s'],
    // tc takes it for not said.
    [{ rtt: '0s' }, 'rtt: "0s" is not a time from 1us to 4294s'],
    [{ overhead: -65 }, 'overhead: -65 is not a whole number from -64 to 256'],
    [{ mpu: 300 }, 'mpu: 300 is not a whole number from 0 to 256'],
    [{ diffserv: 'diffserv5' as never }, expect.stringContaining('diffserv: "diffserv5" is not one of besteffort, ')],
    [{ ackFilter: 'on' as never }, 'ackFilter: "on" is neither true nor false'],
    [{ memoryLimit: '5GiB' }, 'memoryLimit: 5368709120 is not a whole number from 1 to 4294967295'],
  ])('refuses %j', (options, problem) => {
    expect(parseCake(options).problems).toEqual([problem])
  })

  const changes: readonly (readonly [Partial<Cake>, Partial<Cake>, boolean])[] = [
    [{ bandwidth: 1 }, { bandwidth: null }, true],
    [{ overhead: 18, cells: 'atm' }, { overhead: null, cells: 'noatm' }, true],
    [{ mpu: 64 }, { mpu: 0 }, false],
    [{ mpu: 64 }, { mpu: 32 }, true],
    [{ memoryLimit: 1 }, { memoryLimit: null }, false],
    [{ rest: 'fwmark 0xff' }, { rest: '' }, false],
  ]

  it.each(changes)('from %j to %j by a change: %s', (from, to, changeable) => {
    expect(cake.isChangeable({ ...cakeDefaults, ...from }, { ...cakeDefaults, ...to })).toBe(changeable)
  })

  it('says the overhead before the cells, which raw takes away', () => {
    expect(cake.words({ overhead: null, cells: 'ptm' }, { making: false })).toEqual(['raw', 'ptm'])
    expect(cake.words({ overhead: -4, cells: 'ptm', mpu: 64 }, { making: false }).join(' ')).toBe(
      'overhead -4 ptm mpu 64',
    )
  })
})

describe('htb', () => {
  it.each<[HtbOptions, string]>([
    // tc takes it for 16.
    [{ default: '10' as never }, 'default: "10" is not a minor number in hexadecimal, from 0x1 to 0xffff'],
    // tc and the kernel take it, and no class has that number.
    [{ default: '0x10000' }, 'default: "0x10000" is not a minor number in hexadecimal, from 0x1 to 0xffff'],
    [{ default: '0x0' }, 'default: "0x0" is not a minor number in hexadecimal, from 0x1 to 0xffff'],
    // The kernel makes 1 of both.
    [{ r2q: 0 }, 'r2q: 0 is not a whole number from 1 to 2147483647'],
    [{ r2q: 4_294_967_295 }, 'r2q: 4294967295 is not a whole number from 1 to 2147483647'],
    [{ directQlen: -1 }, 'directQlen: -1 is not a whole number from 0 to 4294967294'],
  ])('refuses %j', (options, problem) => {
    expect(parseHtb(options).problems).toEqual([problem])
  })
})
