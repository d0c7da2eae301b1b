/** What the first visitor of a new WordPress is asked for, as PHP for www-data; it sends no mail. */
export const wordpressInstall = (folder: string, host: string, title: string) => `<?php
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = '${host}';
$_GET['doing_wp_cron'] = '';
require '${folder}/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
add_filter('pre_wp_mail', '__return_true');
wp_install('${title}', 'admin', 'admin@coaching.example', true, '', 'lab-password');
switch_theme('twentytwentythree');
`
