import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { Failure } from '../../../errors/failure.ts'
import { redisKeys, service } from '../../../index.ts'
import { localRedis } from '../../../modules/redis/endpoint.ts'
import { type Expiry, type KeySet, type KeyState, type Lifetime, redisKeySet } from '../../../modules/redis/key-set.ts'
import { encode } from '../../../modules/redis/resp.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { answers, readScript } from '../answers.ts'

const problems = (task: unknown) => (task as { problems: readonly Failure[] }).problems.map(({ message }) => message)
const start = () => redisKeys('coaching')
const hour = { ttl: 3_600_000, renewBelow: 0 }
const at = 4_102_444_800_000

/** What a server says of one key: the replies to TIME, TYPE, PTTL, PEXPIRETIME, GET, HGETALL, ZRANGE and QUIT. */
function told(
  { type, left = -1, expires = -1, value = wrongType, fields = wrongType, members = wrongType }: Told,
  lifetime?: Lifetime,
): KeyState | Failure {
  const time = '*2\r\n$10\r\n1795408231\r\n$6\r\n386655\r\n'
  const expiry = typeof expires === 'string' ? expires : `:${expires}\r\n`
  const text = `${time}+${type}\r\n:${left}\r\n${expiry}${value}${fields}${members}+OK\r\n`
  const place = redisKeySet('x', new Map([['k', lifetime]]), localRedis)
  const [answer] = answers([place], { stdout: Buffer.from(text, 'latin1') })
  return answer instanceof Failure ? answer : answer!['k']!
}

interface Told {
  readonly type: string
  readonly left?: number
  readonly expires?: number | string
  readonly value?: string
  readonly fields?: string
  readonly members?: string
}

const wrongType = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
const list = (...texts: readonly string[]) => `*${texts.length}\r\n${texts.map(bulk).join('')}`

/** The commands between MULTI and EXEC that move a key. */
function moved(to: KeyState, from: KeyState): readonly (readonly string[])[] {
  const place = redisKeySet('x', new Map([['k', undefined]]), localRedis)
  const script = place.write!({ k: to }, { k: from })
  expect(script.touched).toEqual([])
  const text = Buffer.from(script.input as Uint8Array).toString('latin1')
  const commands = text.split(/^\*\d+\r\n/m).slice(1)
  const words = commands.map((each) => [...each.matchAll(/\$(\d+)\r\n([^]*?)\r\n(?=\$|$)/g)].map(([, , word]) => word!))
  expect([words[0], words.at(-1)]).toEqual([['MULTI'], ['EXEC']])
  return words.slice(1, -1)
}

const text = (value: string, expires: Expiry = null) => ({ type: 'string', value, expires }) as const
const hash = (fields: readonly (readonly [string, string])[], expires: null | { within: number } = null) =>
  ({ type: 'hash', fields, expires }) as const
const set = (members: readonly (readonly [string, number | 'inf' | '-inf'])[]) =>
  ({ type: 'sortedSet', members, expires: null }) as const

describe('redisKeys()', () => {
  it('is a task only where a key is declared', async () => {
    // @ts-expect-error -- no key
    const none: Task = redisKeys('coaching').host('cache1')
    await expect(run(none, mockHost('web1'))).rejects.toThrow('redisKeys coaching declares nothing')
  })

  it.each<[string, unknown, string]>([
    ['a hash without a field', start().hash('k', {}), '"k": a hash without a field is no key'],
    ['a set without a member', start().sortedSet('k', {}), '"k": a set without a member is no key'],
    ['a score that is none', start().sortedSet('k', { a: Number.NaN }), '"k": NaN is not a score of "a"'],
    ['a value that is none', start().string('k', Number.POSITIVE_INFINITY), '"k": Infinity is not a value'],
    ['a field without a value', start().hash('k', { a: undefined as never }), '"k": the field "a" has no value'],
    ['a key twice', start().absent('k').string('k', ''), '"k": it is declared twice'],
    ['a key without a name', start().absent(''), '"": a key has a name'],
    ['a time that a run outlives', start().string('k', '', { ttl: '9s' }), '"k": 9s is less than 10 s'],
    [
      'a time that is none',
      start().string('k', '', { ttl: 'soon' as never }),
      '"k": "soon" is not a duration such as 5ms, 90s or 1h',
    ],
    [
      'more to renew than there is',
      start().string('k', '', { ttl: '1h', renewBelow: '1h' }),
      '"k": renewBelow 1h must be less than its ttl',
    ],
    [
      'a renewal of nothing',
      start().string('k', '', { renewBelow: '1h' }),
      '"k": renewBelow 1h must be less than its ttl',
    ],
    ['a server that is none', start().host('a b').absent('k'), '"a b" is not a host name or an address'],
    ['a socket that is none', start().socket('r.sock').absent('k'), 'the path "r.sock" must be absolute'],
    ['a database that is none', start().database(1.5).absent('k'), '1.5 is not the number of a database'],
  ])('refuses %s before any connection', (_, task, problem) => {
    expect(problems(task)).toEqual([`redisKeys coaching: ${problem}`])
  })

  it('writes what differs, and is at rest', async () => {
    const host = mockHost('web1')
    const task = start().string('tz', 'UTC').hash('limits', { login: 5, empty: '' }).sortedSet('coaches', { anna: 1.5 })
    const told = async (what: Task) =>
      (await run(what, host)).changes.map(({ before, after }) => `${before} → ${after}`)
    expect(await told(task)).toEqual([
      'tz absent, limits absent, coaches absent → tz UTC, limits { empty: "", login: 5 }, coaches sorted set { anna: 1.5 }',
    ])
    expect(await told(task)).toEqual([])
    const gone = start().absent('tz')
    expect(await told(gone)).toEqual([
      'tz UTC, limits { empty: "", login: 5 }, coaches sorted set { anna: 1.5 } → tz absent',
    ])
  })

  it('tells many keys by how many there are, and in the diff one by one', async () => {
    const task = start()
      .string('a', '1')
      .string('b', "it's\u2028")
      .string('c', 'x'.repeat(300), { ttl: '1h' })
      .absent('d')
    const [change] = (await run(task, mockHost('web1'), { check: true })).tasks[0]!.changes
    expect(change).toMatchObject({ before: '0 of 4 keys', after: '3 of 4 keys' })
    expect(change!.diff!.after.split('\n')).toEqual([
      'a 1',
      'b "it\'s\\u2028"',
      expect.stringMatching(/^c "x{119}… \(302 characters, [0-9a-f]{8}\) for 3600 s$/),
      '',
    ])
  })

  it('tells nothing of a key or a field that is named like a secret', async () => {
    const task = start().string('smtp:password', 'correct horse').hash('crm', { url: 'a', api_key: 'correct horse' })
    const { events, changes } = await run(task, mockHost('a'))
    expect(changes).toMatchObject([{ after: 'smtp:password (secret), crm { api_key: (secret), url: a }' }])
    expect(JSON.stringify(events)).not.toContain('correct')
    await expect(run([task, redisKeys('other').string('smtp:password', 'correct')], mockHost('a'))).rejects.toThrow(
      /disagree on smtp:password: \(secret\) in other against \(secret\) in coaching/,
    )
  })

  it('finds two tasks that declare one key', async () => {
    const other = redisKeys('other').string('tz', 'CET')
    await expect(run([start().string('tz', 'UTC'), other], mockHost('a'))).rejects.toThrow(
      /redisKeys other and redisKeys coaching .* disagree on tz: CET in other against UTC in coaching/,
    )
    // With one value too: both would write it.
    const same = redisKeys('other').string('tz', 'UTC')
    await expect(run([start().string('tz', 'UTC'), same], mockHost('a'))).rejects.toThrow(/disagree on tz/)
    expect((await run([start().string('tz', 'UTC'), other.database(1)], mockHost('a'))).hosts).toEqual({ a: 'changed' })
    expect((await run([start().string('tz', 'UTC'), redisKeys('b').absent('x')], mockHost('a'))).hosts).toEqual({
      a: 'changed',
    })
  })

  it('says that what it does not read cannot be brought back', async () => {
    const place = redisKeySet('coaching', new Map([['k', undefined]]), localRedis)
    const host = mockHost('a').has(place, { k: { type: 'other', kind: 'list', expires: null } })
    const { tasks } = await run(start().string('k', 'x'), host, { check: true })
    expect(tasks[0]!.irreversible).toEqual(['k is a list, of which no copy is kept.'])
    expect(() => place.write!({ k: { type: 'other', kind: 'list', expires: null } }, { k: null })).toThrow(
      'k was a list, of which there is no copy.',
    )
  })

  it('waits for a server that an earlier task starts', async () => {
    const place = redisKeySet('coaching', new Map([['k', undefined]]), localRedis)
    const host = mockHost('a').cannotRead(place, 'Redis does not answer.')
    const result = await run([service('redis-server').started(), start().absent('x').string('k', 'v')], host, {
      check: true,
    })
    expect(result.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
  })
})

describe('reading', () => {
  it('asks for all keys of all tasks in one pipeline', () => {
    const places = ['a', 'b'].map((name) =>
      redisKeySet(
        name,
        new Map([
          [`${name}1`, undefined],
          [`${name}2`, hour],
        ]),
        localRedis,
      ),
    )
    const key = (name: string) => [
      ['TYPE', name],
      ['PTTL', name],
      ['PEXPIRETIME', name],
      ['GET', name],
      ['HGETALL', name],
      ['ZRANGE', name, 0, -1, 'WITHSCORES'],
    ]
    expect(readScript(places).input).toEqual(
      encode([['TIME'], ...key('a1'), ...key('a2'), ['TIME'], ...key('b1'), ...key('b2')]),
    )
  })

  it('takes the answer that counts, and WRONGTYPE for none', () => {
    expect(told({ type: 'none', left: -2, value: '$-1\r\n', fields: '*0\r\n', members: '*0\r\n' })).toBeNull()
    expect(told({ type: 'string', value: bulk('') })).toEqual(text(''))
    expect(told({ type: 'hash', fields: list('b', '', 'a', '0') })).toEqual(
      hash([
        ['a', '0'],
        ['b', ''],
      ]),
    )
    expect(told({ type: 'list' })).toEqual({ type: 'other', kind: 'list', expires: null })
  })

  it('keeps every byte', () => {
    expect(told({ type: 'string', value: bulk('\xff\r\n\0') })).toMatchObject({ value: { base64: '/w0KAA==' } })
    expect(told({ type: 'hash', fields: list('\xc3\xa9', '\xff') })).toMatchObject({
      fields: [['é', { base64: '/w==' }]],
    })
  })

  it.each<[string, number | string]>([
    // As Redis 7.0 tells it, and 8.0.
    ['0.10000000000000001', 0.1],
    ['0.1', 0.1],
    ['inf', 'inf'],
    ['-inf', '-inf'],
    ['-0', 0],
    ['3', 3],
    ['1.7976931348623157e+308', Number.MAX_VALUE],
  ])('has the score %s as %s', (score, value) => {
    expect(told({ type: 'zset', members: list('m', score) })).toEqual({
      type: 'sortedSet',
      members: [['m', value]],
      expires: null,
    })
  })

  it.each<[string, number, Lifetime | undefined, unknown]>([
    ['no time', -1, hour, null],
    ['all of the time', 3_600_000, hour, { within: 3_600_000 }],
    ['a little of it, which is drift', 1, hour, { within: 3_600_000 }],
    ['less than is to be renewed', 599_999, { ttl: 3_600_000, renewBelow: 600_000 }, { at }],
    ['more than was declared', 3_700_000, hour, { at }],
    ['a time where none was declared', 5, undefined, { at }],
  ])('has %s as %d of %j', (_, left, lifetime, expires) => {
    expect(told({ type: 'string', value: bulk('x'), left, expires: left < 0 ? -1 : at }, lifetime)).toMatchObject({
      expires,
    })
  })

  it('counts from the clock of a server before 7.0, which has no PEXPIRETIME', () => {
    const unknown = "-ERR unknown command 'PEXPIRETIME'\r\n"
    expect(told({ type: 'string', value: bulk('x'), left: 1000, expires: unknown })).toMatchObject({
      expires: { at: 1_795_408_231_386 + 1000 },
    })
  })

  it('fails where the server refuses to say, which comes with status 0', () => {
    const place = redisKeySet('x', new Map([['k', undefined]]), localRedis)
    const noauth = Buffer.from('-NOAUTH Authentication required.\r\n'.repeat(7) + '+OK\r\n')
    expect(answers([place], { stdout: noauth })).toMatchObject([
      { code: 'E_UNREADABLE', message: 'Redis at 127.0.0.1:6379 refused TYPE k: NOAUTH Authentication required.' },
    ])
    expect(told({ type: 'string', value: '-NOPERM no\r\n' })).toMatchObject({
      message: 'Redis at 127.0.0.1:6379 refused GET k: NOPERM no',
    })
  })
})

describe('writing', () => {
  it.each<[string, KeyState, KeyState, readonly (readonly string[])[]]>([
    ['a new text', text('v'), null, [['SET', 'k', 'v']]],
    [
      'a text that lives for an hour',
      text('v', { within: 3_600_000 }),
      null,
      [
        ['SET', 'k', 'v'],
        ['PEXPIRE', 'k', '3600000'],
      ],
    ],
    // SET takes the time away, so it is given again.
    [
      'another text, with its time',
      text('w', { within: 3_600_000 }),
      text('v', { within: 3_600_000 }),
      [
        ['SET', 'k', 'w'],
        ['PEXPIRE', 'k', '3600000'],
      ],
    ],
    ['another text whose time was not declared', text('w'), text('v', { at }), [['SET', 'k', 'w']]],
    ['a time that was not declared', text('v'), text('v', { at }), [['PERSIST', 'k']]],
    ['a time that has not the text', text('v', { within: 3_600_000 }), text('v'), [['PEXPIRE', 'k', '3600000']]],
    ['the way back to a time', text('v', { at }), text('v', { within: 3_600_000 }), [['PEXPIREAT', 'k', String(at)]]],
    ['no key', null, text('v'), [['DEL', 'k']]],
    [
      'a text in the place of a hash',
      text('v'),
      hash([['a', 'b']]),
      [
        ['DEL', 'k'],
        ['SET', 'k', 'v'],
      ],
    ],
    [
      'fields that differ, and no others; first those that come',
      hash([
        ['a', '1'],
        ['b', ''],
      ]),
      hash([
        ['a', '1'],
        ['b', '0'],
        ['c', 'x'],
      ]),
      [
        ['HSET', 'k', 'b', ''],
        ['HDEL', 'k', 'c'],
      ],
    ],
    [
      'a hash in the place of a list',
      hash([['a', '1']], { within: 10_000 }),
      { type: 'other', kind: 'list', expires: null },
      [
        ['DEL', 'k'],
        ['HSET', 'k', 'a', '1'],
        ['PEXPIRE', 'k', '10000'],
      ],
    ],
    ['a hash without its time', hash([['a', '1']]), hash([['a', '1']], { within: 10_000 }), [['PERSIST', 'k']]],
    [
      'members and their scores',
      set([
        ['a', 0.1],
        ['b', 'inf'],
        ['c', 1e21],
      ]),
      set([
        ['a', 0.1],
        ['b', 1],
        ['d', 2],
      ]),
      [
        ['ZADD', 'k', 'inf', 'b', '1e+21', 'c'],
        ['ZREM', 'k', 'd'],
      ],
    ],
  ])('%s', (_, to, from, commands) => {
    expect(moved(to, from)).toEqual(commands)
  })

  it('sends the differences of all keys at once, as a transaction, and nothing of the others', () => {
    const place = redisKeySet('x', new Map(), localRedis)
    const from: KeySet = { a: text('1'), b: text('2'), c: null }
    const script = place.write!(
      { a: text('1'), b: text('3'), c: { type: 'string', value: { base64: '/w==' }, expires: null } },
      from,
    )
    expect(script.input).toEqual(encode([['MULTI'], ['SET', 'b', '3'], ['SET', 'c', Buffer.from([255])], ['EXEC']]))
    expect(script.brief).toBe('2 commands to redis at 127.0.0.1:6379')
  })
})
