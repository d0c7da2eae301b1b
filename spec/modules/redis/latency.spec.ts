import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { typicalFacts } from '../../../dsl/play.ts'
import type { Failure } from '../../../errors/failure.ts'
import { redisLatency } from '../../../index.ts'
import { type Endpoint, localRedis } from '../../../modules/redis/endpoint.ts'
import { redisRoundTrips } from '../../../modules/redis/latency.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { answers, readScript } from '../answers.ts'
import { here, Server } from './server.ts'

const watch = () => redisLatency({ during: '5s' })
const find = (task: ReturnType<typeof watch>, now: readonly number[]) =>
  task.find({ now, before: now, facts: typicalFacts })
const hundred = Array.from({ length: 100 }, (_, i) => (100 - i) * 100)

describe('redisLatency()', () => {
  it('tells the middle, the slow ones and the slowest, of how many', () => {
    expect(find(watch(), hundred)).toEqual({
      says: 'p50 5.00 ms, p95 9.50 ms, max 10.0 ms of 100 round trips to redis at 127.0.0.1:6379 in 5 s',
    })
    expect(find(watch(), [123]).says).toMatch(/^p50 0\.12 ms, p95 0\.12 ms, max 0\.12 ms of 1 round/)
  })

  it('expects 95 of 100 to be below, or what it is told to', () => {
    expect(find(watch().expect({ below: '9501us' }), hundred)).not.toHaveProperty('unexpected')
    expect(find(watch().expect({ below: '9500us' }), hundred).unexpected).toMatchObject({
      message: 'A round trip to redis at 127.0.0.1:6379 takes 9.50 ms (p95); expected was less than 9.50 ms.',
      hint: expect.stringContaining('SLOWLOG GET'),
    })
    expect(find(watch().expect({ below: '6ms', of: 'p50' }), hundred)).not.toHaveProperty('unexpected')
    expect(find(watch().expect({ below: '10ms', of: 'max' }), hundred)).toHaveProperty('unexpected')
  })

  it('says that it could not see, where nothing was answered', () => {
    expect(() => find(watch(), [])).toThrow('Redis at 127.0.0.1:6379 answered no PING in 5 s.')
  })

  it('refuses what cannot be before any connection', () => {
    const problems = (task: { readonly problems: readonly Failure[] }) => task.problems.map(({ message }) => message)
    expect(problems(redisLatency({ during: '0s' }))).toEqual(['redisLatency: 0s is no span of up to a minute'])
    expect(problems(redisLatency({ during: '61s' }))).toEqual(['redisLatency: 61s is no span of up to a minute'])
    expect(problems(redisLatency({ during: 'x' as '1s' }))).toHaveLength(1)
    expect(problems(redisLatency({ during: '1s', port: 0 }))).toEqual(['redisLatency: 0 is not a port'])
    expect(problems(redisLatency({ during: '1s', socket: 'a' }))).toEqual([
      'redisLatency: the path "a" must be absolute',
    ])
    expect(problems(watch().expect({ below: '0ms' }))).toEqual(['redisLatency: nothing is below 0ms'])
    expect(problems(watch().expect({ below: 'x' as '1s' }))).toHaveLength(1)
  })

  it('runs when a play has reacted, and fails the host where it is not as expected', async () => {
    const host = mockHost('web1').has(redisRoundTrips(localRedis, 5), [100, 200, 3000])
    expect((await run(watch(), host)).hosts).toEqual({ web1: 'ok' })
    const slow = await run(watch().expect({ below: '2ms' }), host)
    expect(slow.hosts).toEqual({ web1: 'failed' })
    expect((await run(watch().expect({ below: '2ms' }).warn(), host)).hosts).toEqual({ web1: 'ok' })
  })
})

describe('round trips', () => {
  const server = new Server(() => '+PONG\r\n')
  let endpoint: Endpoint
  beforeAll(async () => void (endpoint = await server.listen()))
  afterAll(() => server.close())

  it('are measured one by one, for as long as was said', async () => {
    const place = redisRoundTrips(endpoint, 0.2)
    const [trips] = answers([place], await here(readScript([place])))
    expect((trips as readonly number[]).length).toBeGreaterThan(2)
    expect((trips as readonly number[]).every((trip) => trip > 0 && trip < 1e6)).toBe(true)
  })

  it('are none where nobody answers, or the server refuses', () => {
    const place = redisRoundTrips(endpoint, 1)
    expect(
      answers([place], { status: 2, stderr: 'Could not connect to Redis at x: Connection refused\n' }),
    ).toMatchObject([{ code: 'E_UNREADABLE', message: `Redis does not answer at 127.0.0.1:${endpoint.port}.` }])
    expect(answers([place], { status: 3, stderr: 'NOAUTH Authentication required.\n' })).toMatchObject([
      { code: 'E_UNREADABLE', message: expect.stringContaining('did not let us in: NOAUTH') },
    ])
    const without = "Can't locate Time/HiRes.pm in @INC"
    expect(answers([place], { status: 2, stderr: without })).toMatchObject([{ code: 'E_UNREADABLE' }])
    expect(answers([place], { status: 255, stderr: without })).toMatchObject([
      { message: 'The perl of this host cannot measure time.', hint: expect.stringContaining("aptPackage('perl')") },
    ])
  })
})
