import { redisConfig } from '../../../modules/redis/config.ts'
import { redisConf } from '../../../modules/redis/config-file.ts'
import { localRedis } from '../../../modules/redis/endpoint.ts'
import { redisSettings } from '../../../modules/redis/settings.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const prepare = sh`systemctl start redis-server && cp /etc/redis/redis.conf /root/law-redis.conf`

/** What is not in the file, and what the running server was set to by hand. */
const before = sh`cat /root/law-redis.conf >/etc/redis/redis.conf
redis-cli -e CONFIG SET maxmemory 1gb maxmemory-policy noeviction save '3600 1' notify-keyspace-events KEA client-output-buffer-limit 'pubsub 32mb 8mb 60'`

const limits = { pubsub: { hard: '64mb', soft: '16mb', seconds: 30 } } as const
const task = () =>
  redisConfig({
    maxmemory: '256mb',
    'maxmemory-policy': 'allkeys-lru',
    save: [
      [900, 1],
      [300, 10],
    ],
    'notify-keyspace-events': 'ExK',
    'client-output-buffer-limit': limits,
    databases: 32,
  })

export const redisConfigExamples: readonly Example[] = [
  { name: 'redisConfig, new', task, before: () => before, prepare, proved: 'lab' },
  {
    name: 'redisConfig, drifted',
    task: () => redisConfig({ maxmemory: '256mb', save: '' }),
    values: () => [
      [
        redisConf('/etc/redis/redis.conf'),
        {
          type: 'file',
          content: { text: '# mine\nmaxmemory 256mb\nsave ""\n' },
          mode: '0640',
          owner: 'redis',
          group: 'redis',
        },
      ],
      [redisSettings(['maxmemory', 'save'], localRedis), { maxmemory: '0', save: '' }],
    ],
    before: () => sh`printf '%s\n' '# mine' 'maxmemory 256mb' 'save ""' >/etc/redis/redis.conf
redis-cli -e CONFIG SET maxmemory 0 save ''`,
    prepare,
    proved: 'lab',
  },
]
