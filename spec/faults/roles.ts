/** The hosts of the fleet: what they are before the play, how they become that again, and which daemons have to be told. */

import { bookings, coachingSite } from '../lab/coaching-site.ts'
import type { Machine } from './machine.ts'

export interface Role {
  readonly groups: readonly string[]
  readonly memory?: string
  /** Makes the host what it is before its engineers come: its daemons run with what their packages brought. */
  readonly prepare: (machine: Machine) => Promise<unknown>
  /** Before the files become what they were: ends what only the play has started. */
  readonly end: string
  /** When they are: makes the daemons and the kernel forget what they were told. */
  readonly forget: string
  /** Daemons by unit, the files that they read, and a command that prints when they read them, in seconds since 1970. */
  readonly daemons: Readonly<Record<string, { readonly files: string; readonly read: string }>>
  /** Units that a drift stops now and then, so that the play has to start them. */
  readonly stopped: string
}

/** When processes that are listed on standard input started: the youngest, or the oldest. */
const youngest = 'started | sort -n | tail -n 1'
const oldest = 'started | sort -n | head -n 1'
const children = (unit: string) =>
  `cat "/proc/$(systemctl show -P MainPID ${unit})/task/"*/children 2>/dev/null | tr ' ' '\\n'`

const everywhere = `sysctl -qw net.core.rmem_max=212992 net.core.rmem_default=212992 net.core.wmem_max=212992 net.core.wmem_default=212992 net.core.netdev_max_backlog=1000 net.ipv4.udp_mem='8000 11000 16000'
systemctl restart systemd-resolved
`
/** Its socket is opened when it starts, with the size that is the default then. */
const resolver = {
  'systemd-resolved': {
    files: '/etc/sysctl.d/99-udp-dns-tuning.conf',
    read: `systemctl show -P MainPID systemd-resolved | started`,
  },
}

export const roles: Readonly<Record<string, Role>> = {
  front: {
    groups: ['edge', 'cache'],
    prepare: (machine) => machine.on('systemctl enable -q --now haproxy redis-server'),
    end: 'tc qdisc del dev vec0 root',
    forget: `${everywhere}
systemctl daemon-reload
sysctl -qw vm.overcommit_memory=0
systemctl reload haproxy || systemctl start haproxy
redis-cli del rate:limits site:timezone >/dev/null
systemctl restart redis-server`,
    daemons: {
      ...resolver,
      haproxy: { files: '/etc/haproxy/haproxy.cfg', read: `${children('haproxy')} | ${youngest}` },
    },
    stopped: 'haproxy redis-server',
  },
  web: {
    groups: ['web'],
    memory: '1024M',
    prepare: async (machine) => {
      await coachingSite((_, command, input) => machine.on(command, input), [machine.name], machine.name)
      await machine.on('systemctl enable -q --now mysql nginx php8.4-fpm')
    },
    end: `tc qdisc del dev vec0 root
for unit in php8.4-fpm.socket php8.4-fpm wp-cron-srv-wordpress.timer crm-sync.timer early-hints-coaching; do systemctl stop $unit; done`,
    forget: `${everywhere}
systemctl daemon-reload
systemctl reset-failed
systemctl start php8.4-fpm
systemctl reload nginx || systemctl start nginx`,
    daemons: {
      ...resolver,
      'early-hints-coaching': {
        files: '/etc/haproxy/early-hints-coaching.cfg',
        read: `${children('early-hints-coaching')} | ${youngest}`,
      },
      nginx: { files: '/etc/nginx/*.conf /etc/nginx/*/*', read: `${children('nginx')} | ${youngest}` },
      'php8.4-fpm': { files: '/etc/php/8.4/fpm/*/*.*', read: `${children('php8.4-fpm')} | ${oldest}` },
    },
    stopped: 'nginx',
  },
  db: {
    groups: ['db'],
    memory: '768M',
    prepare: async (machine) => {
      await machine.on('systemctl enable -q --now mysql')
      const table =
        'create table wp_postmeta (meta_id int primary key, meta_key varchar(255), index idx_legacy_meta_key (meta_key(50)));'
      await machine.on('mysql', `${bookings}${table}`)
    },
    end: '',
    forget: `${everywhere}
systemctl is-active -q mysql || systemctl start mysql
mysql -e 'analyze table coaching.wp_eistruttore_schedule drop histogram on session_date' >/dev/null`,
    daemons: resolver,
    stopped: '',
  },
}
