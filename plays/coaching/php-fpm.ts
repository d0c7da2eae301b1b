/** php-fpm: restarted without a failed request, and compiled to machine code where that pays. */

import { opcache, perfProfile, phpFpm, type TaskList } from 'fleetplay'

export type Php = '8.2' | '8.3' | '8.4'

/** Where nginx finds php-fpm. */
export const phpSocket = (php: Php) => `/run/php/php${php}-fpm.sock`

/** systemd holds the socket: while php-fpm restarts, clients wait in its backlog, and none of them fail. */
export const phpBehindSocket = (php: Php) => phpFpm(php).socketActivation({ owner: 'www-data', backlog: 4096 })

/** The JIT is for loops such as those over time slots and zones; the profile shows whether there is any such loop. */
export const compiledPhp = (php: Php): TaskList => [
  opcache(php).set({
    jit: 1255,
    jitBuffer: '64MiB',
    memory: '256MiB',
    internedStrings: '32MiB',
    maxFiles: 50_000,
  }),
  perfProfile({ unit: `php${php}-fpm`, during: '2s' }).tags('watch'),
]
