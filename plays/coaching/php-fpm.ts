/** php-fpm behind a socket that systemd holds: a restart makes clients wait, and none of them fail. */

import { line, restart, systemdDropIn, systemdSocket, type TaskList } from 'fleetplay'

/** Where nginx finds php-fpm. */
export const phpSocket = (php: string) => `/run/php/php${php}-fpm.sock`

/**
 * php-fpm takes a socket that it is told of in FPM_SOCKETS, by the name that its pool listens on. That name must not be
 * the path itself: php-fpm removes what it listens on when it ends, and systemd's socket would be gone.
 */
export function socketActivatedPhp(php: string): TaskList {
  const path = phpSocket(php)
  const unit = `php${php}-fpm`
  const again = restart(unit)
  return [
    line(`/etc/php/${php}/fpm/pool.d/www.conf`)
      .present(`listen = ${path}.activated`, { matching: /^listen\s*=/ })
      .notify(again),
    line(`/etc/php/${php}/fpm/php-fpm.conf`)
      .present('process_control_timeout = 10s', { matching: /^;?\s*process_control_timeout\s*=/ })
      .notify(again),
    systemdDropIn(`${unit}.service`, 'socket-activation')
      .section('Unit', { Requires: `${unit}.socket`, After: `${unit}.socket` })
      .section('Service', { Environment: `FPM_SOCKETS=${path}.activated=3`, KillSignal: 'SIGQUIT' })
      .notify(again),
    systemdSocket(unit).listenStream(path).owner('www-data').mode('0660').backlog(4096),
  ]
}
