/** A WordPress of a lab host, with a database of its own: installed once, from Debian's package. */

import { type Script, sh } from '../../shell/script.ts'
import { wordpressInstall } from '../lab/wordpress-install.ts'

/** Where it is; php-fpm and cron run it as www-data. */
export const site = '/srv/wordpress'

const config = `<?php
define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', 'wordpress' );
define( 'DB_PASSWORD', 'lab-password' );
define( 'DB_HOST', 'localhost' );
define( 'WP_HOME', 'http://127.0.0.1' );
define( 'WP_SITEURL', 'http://127.0.0.1' );
$table_prefix = 'wp_';

/* Add any custom values between this line and the "stop editing" line. */

/* That's all, stop editing! Happy publishing. */

if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
`

/** Brings it into being; what is there stays. MySQL on sid, MariaDB on bookworm. */
export const wordpressSite: Script = sh`[ ! -e ${`${site}/installed`} ] || exit 0
systemctl start mysql 2>/dev/null || systemctl start mariadb || exit
mysql -e "create database if not exists wordpress; create user if not exists wordpress@localhost identified by 'lab-password'; grant all on wordpress.* to wordpress@localhost" || exit
rm -rf ${site} && cp -a /usr/share/wordpress ${site} || exit
rm -f ${`${site}/wp-config.php`} ${`${site}/.htaccess`}
printf %s ${config} >${`${site}/wp-config.php`} && chmod 640 ${`${site}/wp-config.php`} && chgrp www-data ${`${site}/wp-config.php`} || exit
printf %s ${wordpressInstall(site, '127.0.0.1', 'Lab')} | runuser -u www-data -- php >/tmp/wordpress-install 2>&1 || { cat /tmp/wordpress-install >&2; exit 1; }
touch ${`${site}/installed`}`

/** Code of PHP in the site, as its user; it starts no due event. */
export function sitePhp(code: string): Script {
  const all = `<?php $_GET['doing_wp_cron'] = ''; require '${site}/wp-load.php'; ${code}`
  return sh`printf %s ${all} | runuser -u www-data -- php || exit`
}
