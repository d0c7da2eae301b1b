/** Storms of DNS queries: fewer of them, and room for those that come. */

import { restart, sysctl, type TaskList, udpDrops, wpCron } from 'fleetplay'

/**
 * Room for a burst of queries. A socket gets its buffer when it is opened, so the resolver is restarted once; it asks for no
 * size of its own, and gets `rmem_default`.
 */
export const udpBuffers = (): TaskList => [
  sysctl('99-udp-dns-tuning')
    .set('net.core.rmem_max', '16MiB')
    .set('net.core.rmem_default', '16MiB')
    .set('net.core.wmem_max', '16MiB')
    .set('net.core.wmem_default', '16MiB')
    .set('net.core.netdev_max_backlog', 65_536)
    .set('net.ipv4.udp_mem', [262_144, 524_288, 1_048_576])
    .notify(restart('systemd-resolved')),
  udpDrops({ during: '2s' }).expect(0).warn().tags('watch'),
]

/** No visit starts WordPress's scheduled events: without this each one asks the site for its own wp-cron.php, by name. */
export const quietCron = (site: string) => wpCron(site).byTimer('*:0/5')
