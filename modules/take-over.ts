/** Shell that hands an address over between a service and its socket unit. */

import { lines, type Script, sh } from '../shell/script.ts'
import { control } from './unit-control.ts'
import type { SocketState } from './listening-socket.ts'

/**
 * Moves a socket unit. systemd refuses to start one while its service runs («already active, refusing»), so a service that
 * runs is stopped first and started afterwards: between the two, connections fail. Where the service does not come up with
 * the socket, the socket is taken away again, the service started as it was before, and the failure told in its words.
 */
export function takeOver(socket: string, service: string, to: SocketState, from: SocketState): Script {
  const isEnabled = from?.enabled === 'enabled'
  const enables = to?.enabled === 'enabled' && !isEnabled
  const disables = isEnabled && to?.enabled !== 'enabled'
  const was = from?.listening ?? {}
  const will = to?.listening ?? {}
  const moves = JSON.stringify(will) !== JSON.stringify(was)
  if (!moves) return enables ? sh`systemctl --quiet enable -- ${socket}` : sh`systemctl --quiet disable -- ${socket}`
  if (Object.keys(will).length === 0) {
    return lines(
      control,
      window(service),
      stopSocket(socket, disables),
      sh`[ -z "$back" ] || { go start ${service} && settle ${service}; } || words ${service}`,
    )
  }
  return lines(
    control,
    // Enabling makes systemd read its files again by itself; both are done before the window opens.
    enables
      ? sh`systemctl --quiet enable -- ${socket} && fresh ${socket} && fresh ${service} || exit`
      : sh`fresh ${socket} && fresh ${service} || exit`,
    ...(disables ? [sh`systemctl --quiet disable -- ${socket} || exit`] : []),
    window(service),
    sh`go restart ${socket} || {
  (words ${socket})
  [ -z "$back" ] || restore
  exit 1
}
[ -n "$back" ] || exit 0
go start ${service} && settle ${service} && exit 0
(words ${service})
systemctl ${enables ? ['disable', '--now'] : ['stop']} -- ${socket} 2>/dev/null
systemctl reset-failed -- ${[socket, service]} 2>/dev/null
restore
exit 1`,
  )
}

/** Stops the service where it runs. A script that is ended before its own end starts it again. */
function window(service: string): Script {
  return sh`restore() { systemctl start -- ${service} 2>/dev/null; }
back=
case $(systemctl show --property=ActiveState --value -- ${service}) in
  inactive | failed) ;;
  *)
    back=yes
    trap 'restore; exit 1' HUP INT TERM
    systemctl stop -- ${service} || exit ;;
esac`
}

function stopSocket(socket: string, disables: boolean): Script {
  return sh`systemctl ${disables ? ['disable', '--now'] : ['stop']} -- ${socket} || exit`
}
