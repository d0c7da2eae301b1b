/** The files by which php-fpm takes a socket from systemd and gives it back, whole. */

import type { FileState } from '../../probe/file.ts'
import { lines, type Script, sh } from '../../shell/script.ts'
import { control } from '../unit-control.ts'
import { withSettings } from './ini-sections.ts'
import { fpmUnit } from './layout.ts'

/** How systemd holds the socket of a pool. */
export interface SocketFiles {
  /** `/run/php/php8.4-fpm.sock`, where clients find it as before. */
  readonly socket: string
  readonly owner: string
  readonly group: string
  readonly mode: string
  readonly backlog: number
}

export function socketUnitPath(version: string): string {
  return `/etc/systemd/system/php${version}-fpm.socket`
}

export function dropInPath(version: string): string {
  return `/etc/systemd/system/php${version}-fpm.service.d/socket-activation.conf`
}

/** What `listen` is: php-fpm removes what it listens on when it ends, so that it must be the name of nothing that is there. */
export function activated(socket: string): string {
  return `${socket}.activated`
}

export function socketUnit(version: string, { socket, owner, group, mode, backlog }: SocketFiles): FileState {
  return ownedByRoot(`[Unit]
Description=Socket of php${version}-fpm.service

[Socket]
ListenStream=${literal(socket)}
SocketUser=${owner}
SocketGroup=${group}
SocketMode=${mode}
Backlog=${backlog}

[Install]
WantedBy=sockets.target
`)
}

/**
 * A drop-in, so that all else stays as the package brings it. php-fpm knows nothing of LISTEN_FDS: it looks up what it
 * listens on in FPM_SOCKETS, whose keys are names and no paths. SIGQUIT lets workers end what they have in hand.
 */
export function dropIn(version: string, { socket }: SocketFiles): FileState {
  return ownedByRoot(`[Unit]
Requires=php${version}-fpm.socket
After=php${version}-fpm.socket

[Service]
Environment=FPM_SOCKETS=${literal(activated(socket))}=3
KillSignal=SIGQUIT
`)
}

/** The text of `php-fpm.conf` with which workers may end what they have in hand. */
export function patient(text: string, timeout: string): string {
  return withSettings(text, 'global', { process_control_timeout: timeout })
}

/**
 * Stops php-fpm and the socket, and starts php-fpm, which opens its own then. While the drop-in is there, which has systemd open
 * the socket for php-fpm again, it stays stopped: on the way back of a change, the drop-in goes after the socket, and then
 * php-fpm is restarted.
 */
export function giveBack(version: string): Script {
  const [service, socket] = [fpmUnit(version), `php${version}-fpm.socket`]
  return lines(
    control,
    sh`restore() { systemctl start -- ${service} 2>/dev/null; }
back=
look ${service}
case $active in
  inactive | failed) ;;
  *)
    back=yes
    trap 'restore; exit 1' HUP INT TERM
    systemctl stop -- ${service} || exit ;;
esac
systemctl disable --now -- ${socket} 2>/dev/null || systemctl stop -- ${socket} || exit
[ -n "$back" ] && [ ! -e ${dropInPath(version)} ] || exit 0
fresh ${service} && go start ${service} && settle ${service} || words ${service}`,
  )
    .called(`systemctl disable --now ${socket}`)
    .touches(`unit:${socket}`, `unit:${socket}/*`)
}

/**
 * Stops php-fpm where it has no drop-in yet, without which it would not start beside the socket: on the way back from a socket
 * that was given back, the drop-in comes after the socket, and then php-fpm is restarted.
 */
export function withoutDropIn(version: string): Script {
  return sh`[ -e ${dropInPath(version)} ] || systemctl stop -- ${fpmUnit(version)} || exit`.touches()
}

function ownedByRoot(text: string): FileState {
  return { type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }
}

/** systemd gives `%` a meaning. */
function literal(text: string): string {
  return text.replaceAll('%', '%%')
}
