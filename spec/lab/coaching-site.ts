/** What the platform has before its engineers come: the bookings and the content in MySQL, and WordPress on a web host. */

/** For the client of MySQL, as root. */
export const content = `create database coaching; use coaching;
create user wordpress@'10.%' identified by 'lab-password'; grant all on coaching.* to wordpress@'10.%';
create table wp_eistruttore_schedule (id int auto_increment primary key, session_date date not null, status varchar(20) not null);
insert into wp_eistruttore_schedule (session_date, status)
  with recursive n(i) as (select 1 union all select i + 1 from n where i < 900)
  select date('2026-01-01') + interval (i * i % 365) day, if(i % 50, 'available', 'booked') from n;
`

/** A server that web hosts reach. What is in \`conf.d\` is read before Debian's own \`bind-address\`. */
export const openServer = `printf '[mysqld]\\nbind-address = *\\n' >/etc/mysql/mysql.conf.d/zz-network.cnf && systemctl restart mysql`

/** After WordPress has made its tables: an index that somebody once thought of. */
export const oldIndex = 'alter table coaching.wp_postmeta add index idx_legacy_meta_key (meta_key(50))'

/** Debian's WordPress in a folder of its own, which finds the database at an address. */
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

/** For PHP, as www-data: what the first visitor of a new WordPress is asked for. */
export const install = `<?php
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'coaching.example';
$_GET['doing_wp_cron'] = '';
require '/srv/wordpress/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
add_filter('pre_wp_mail', '__return_true');
wp_install('Coaching', 'admin', 'admin@coaching.example', true, '', 'lab-password');
switch_theme('twentytwentythree');
`
