/**
 * What the platform has before its engineers come: the bookings and the content in MySQL, and WordPress on the web hosts.
 * `npx tsx spec/lab/coaching-site.ts` brings it to the hosts web1 and db1 of the lab.
 */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { wordpressInstall } from './wordpress-install.ts'

/** Runs a command on a host, as root, and gives what it prints. */
export type On = (host: string, command: string, input?: string) => Promise<string>

/** The first of the web hosts is where WordPress is installed; all of them find its database at an address. */
export async function coachingSite(on: On, webHosts: readonly [string, ...string[]], database: string): Promise<void> {
  await on(database, openServer)
  await on(database, 'mysql', bookings)
  const address = await on(database, "ip -4 -o addr show scope global | sed 's|.* inet \\([^/]*\\)/.*|\\1|'")
  await Promise.all(webHosts.map((host) => on(host, wordpress(address))))
  await on(
    webHosts[0],
    'runuser -u www-data -- php',
    wordpressInstall('/srv/wordpress', 'coaching.example', 'Coaching'),
  )
  await on(database, 'mysql', oldIndex)
}

/** What is in `conf.d` is read before Debian's own `bind-address`. */
const openServer =
  "printf '[mysqld]\\nbind-address = *\\n' >/etc/mysql/mysql.conf.d/zz-network.cnf && systemctl restart mysql"

export const bookings = `create database coaching; use coaching;
create user wordpress@'10.%' identified by 'lab-password'; grant all on coaching.* to wordpress@'10.%';
create table wp_eistruttore_schedule (id int auto_increment primary key, session_date date not null, status varchar(20) not null);
insert into wp_eistruttore_schedule (session_date, status)
  with recursive n(i) as (select 1 union all select i + 1 from n where i < 900)
  select date('2026-01-01') + interval (i * i % 365) day, if(i % 50, 'available', 'booked') from n;
`

/** An index that somebody once thought of, on a table that WordPress makes. */
const oldIndex = 'alter table coaching.wp_postmeta add index idx_legacy_meta_key (meta_key(50))'

/** Debian's WordPress in a folder of its own. */
export const wordpress = (database: string) => `set -e
cp -a /usr/share/wordpress /srv/wordpress
rm -f /srv/wordpress/wp-config.php /srv/wordpress/.htaccess
cat >/srv/wordpress/wp-config.php <<'PHP'
<?php
define( 'DB_NAME', 'coaching' );
define( 'DB_USER', 'wordpress' );
define( 'DB_PASSWORD', 'lab-password' );
define( 'DB_HOST', '${database}' );
define( 'WP_HOME', 'https://coaching.example' );
define( 'WP_SITEURL', 'https://coaching.example' );
$table_prefix = 'wp_';

/* That's all, stop editing! Happy publishing. */
require_once __DIR__ . '/wp-settings.php';
PHP
chgrp www-data /srv/wordpress/wp-config.php
chmod 640 /srv/wordpress/wp-config.php`

if (process.argv[1] === import.meta.filename) {
  const on: On = (host, command, input = '') =>
    new Promise((resolve, reject) => {
      const child = execFile(join(import.meta.dirname, 'lab'), ['ssh', host, command], (error, stdout) =>
        error ? reject(error) : resolve(stdout.trim()),
      )
      child.stdin?.end(input)
    })
  await coachingSite(on, ['web1'], 'db1')
}
