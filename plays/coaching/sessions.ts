/** Sessions in Redis, near enough that a page can ask for all it needs in one pipeline. */

import {
  phpSession,
  redisConfig,
  redisKeys,
  redisLatency,
  reload,
  service,
  sysctl,
  systemdDropIn,
  type TaskList,
} from 'fleetplay'
import type { Php } from './php-fpm.ts'

/** `address` is that of the private network: whoever reaches it may read every session. */
export const sessionStore = (address: string): TaskList => [
  sysctl('90-redis').set('vm.overcommit_memory', 1, 'a fork for a snapshot must not fail'),
  systemdDropIn('redis-server.service', 'limits').section('Service', { LimitNOFILE: 65_536 }),
  service('redis-server').enabled().started(),
  redisConfig({
    bind: ['127.0.0.1', address],
    'protected-mode': false,
    maxmemory: '128mb',
    'maxmemory-policy': 'volatile-lru',
    maxclients: 10_000,
  }),
  redisKeys('coaching').hash('rate:limits', { login: 5, checkout: 20 }).string('site:timezone', 'Europe/Rome'),
]

export const sessionsInRedis = (php: Php, cache: string): TaskList => [
  phpSession(php)
    .redis({ host: cache, prefix: 'coaching:', lifetime: '2h', locking: true })
    .notify(reload(`php${php}-fpm`)),
  redisLatency({ host: cache, during: '2s' }).expect({ below: '5ms' }).warn().tags('watch'),
]
