/** What the kernel does with packets. */

import { restart, sysctl, tcQdisc } from 'fleetplay'

/** Room for a burst of DNS answers; a socket gets it when it is opened, so the resolver must be restarted once. */
export const udpBuffers = () =>
  sysctl('99-udp-dns-tuning')
    .set('net.core.rmem_max', '16MiB')
    .set('net.core.rmem_default', '16MiB', 'systemd-resolved asks for no size of its own: it gets this one')
    .set('net.core.wmem_max', '16MiB')
    .set('net.core.wmem_default', '16MiB')
    .set('net.core.netdev_max_backlog', 65_536)
    .set('net.ipv4.udp_mem', [262_144, 524_288, 1_048_576])

/** Restarts what has UDP sockets open with the old buffers. */
export const reopenResolver = restart('systemd-resolved')

/** Calls and downloads side by side on the way out: thin flows do not wait behind thick ones. */
export const fairQueue = (device: string) =>
  tcQdisc(device).fqCodel({ limit: 10_240, target: '5ms', interval: '100ms', ecn: true })
