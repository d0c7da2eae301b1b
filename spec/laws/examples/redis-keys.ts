import { localRedis } from '../../../modules/redis/endpoint.ts'
import { type KeySet, redisKeySet } from '../../../modules/redis/key-set.ts'
import { redisKeys } from '../../../modules/redis/keys.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const prepare = sh`systemctl start redis-server`

/** Names that are a trouble to whoever does not quote. */
const odd = "it's; a $(key)\n"
const bytes = Buffer.from([0, 13, 10, 255])

const task = () =>
  redisKeys('law')
    .string(odd, bytes)
    .string('law:timed', 'until noon', { ttl: '1h' })
    .string('law:plain', '')
    .hash('law:hash', { a: '', b: 0, [odd]: 'x' }, { ttl: '2h', renewBelow: '1h' })
    .sortedSet('law:set', { a: 0.1, b: Number.POSITIVE_INFINITY, c: -3 })
    .absent('law:gone')

const drifted: KeySet = {
  [odd]: { type: 'hash', fields: [['a', 'b']], expires: null },
  'law:timed': { type: 'string', value: 'until noon', expires: null },
  'law:plain': { type: 'string', value: '0', expires: { at: 4_102_444_800_000 } },
  'law:hash': {
    type: 'hash',
    fields: [
      ['a', '0'],
      ['z', ''],
    ],
    expires: null,
  },
  'law:set': {
    type: 'sortedSet',
    members: [
      ['a', 0.2],
      ['z', '-inf'],
    ],
    expires: { at: 4_102_444_800_123 },
  },
  'law:gone': { type: 'string', value: { base64: '/w==' }, expires: null },
}

const names = new Map(Object.keys(drifted).map((key) => [key, undefined]))

export const redisKeysExamples: readonly Example[] = [
  { name: 'redisKeys, new', task, before: () => sh`redis-cli FLUSHALL`, prepare, proved: 'lab' },
  {
    name: 'redisKeys, drifted',
    task,
    values: () => [[redisKeySet('law', names, localRedis), drifted]],
    before: () =>
      sh`redis-cli`.reading(
        [
          'FLUSHALL',
          `HSET "it's; a $(key)\\n" a b`,
          'SET law:timed "until noon"',
          'SET law:plain 0 PXAT 4102444800000',
          'HSET law:hash a 0 z ""',
          'ZADD law:set 0.2 a -inf z',
          'PEXPIREAT law:set 4102444800123',
          'SET law:gone "\\xff"',
          '',
        ].join('\n'),
      ),
    prepare,
    proved: 'lab',
  },
  {
    name: 'redisKeys, removal',
    task: () => redisKeys('law').absent('law:gone').absent('law:never'),
    values: () => [[redisKeySet('law', names, localRedis), { 'law:gone': drifted['law:set']!, 'law:never': null }]],
    before: () => sh`redis-cli FLUSHALL; redis-cli ZADD law:gone 0.2 a -inf z`,
    prepare,
    proved: 'lab',
  },
]
