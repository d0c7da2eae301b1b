/** A WordPress of Debian behind nginx: what a visit starts, what runs its events, and which theme it shows. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { wpConfig } from '../../modules/wordpress/config.ts'
import { wpCron } from '../../modules/wordpress/cron.ts'
import { wpPlugin, wpTheme } from '../../modules/wordpress/extension.ts'
import { withConstant } from '../../modules/wordpress/php-constants.ts'
import { play } from '../../testing/trial-run.ts'
import { connectLab } from '../laws/lab-ground.ts'
import { runScript } from '../laws/remote-ground.ts'
import { site, wordpressSite } from '../laws/wordpress-site.ts'
import { edited } from '../modules/wordpress/config-files.ts'
import { type Lab, labHosts } from './hosts.ts'

/**
 * nginx and php-fpm in front of the site, and an event that leaves a mark in the database. As on a busy site, wp-cron.php takes
 * longer to answer than the ten milliseconds that WordPress waits for it.
 */
const web = `set -e
fpm=$(ls /usr/sbin | grep '^php-fpm')
rm -f /etc/nginx/sites-enabled/default
cat >/etc/nginx/conf.d/wordpress.conf <<CONF
server {
  listen 80 default_server;
  root ${site};
  index index.php;
  access_log /var/log/nginx/wordpress.log combined;
  location / { try_files \\$uri \\$uri/ /index.php?\\$args; }
  location ~ \\.php$ {
    include fastcgi_params;
    fastcgi_param SCRIPT_FILENAME \\$document_root\\$fastcgi_script_name;
    fastcgi_param PHP_VALUE auto_prepend_file=/srv/busy.php;
    fastcgi_pass unix:/run/php/$(echo $fpm | sed 's/php-fpm\\(.*\\)/php\\1-fpm/').sock;
  }
}
CONF
echo '<?php if (basename($_SERVER["SCRIPT_NAME"]) === "wp-cron.php") usleep(200000);' >/srv/busy.php
mkdir -p ${site}/wp-content/mu-plugins
echo '<?php add_action("lab_event", function () { update_option("lab_ran", (string) microtime(true)); });' >${site}/wp-content/mu-plugins/lab.php
systemctl start $(echo $fpm | sed 's/php-fpm\\(.*\\)/php\\1-fpm/') nginx`

/** An event that is due, and no earlier lock. */
const due = `<?php $_GET['doing_wp_cron'] = ''; require '${site}/wp-load.php';
delete_transient('doing_cron'); delete_option('lab_ran'); wp_schedule_single_event(time() - 10, 'lab_event', [microtime(true)]);`

const byTimer = wpCron(site).byTimer('*:*:0/10')
const byCron = wpCron(site).everyMinutes(1)

describe.each([
  { image: 'sid', cron: byTimer, runner: 'the timer' },
  { image: 'bookworm', cron: byCron, runner: 'cron' },
] as const)('WordPress on $image', ({ image, cron, runner }) => {
  const name = `wp-${image}`
  let lab: Lab<string>
  let host: RemoteHost

  beforeAll(async () => {
    lab = await labHosts(image, [name], { memory: '768M' })
    host = new RemoteHost(name, () => connectLab(lab, lab.hosts[name]!), { become: 'sudo', becomePassword: undefined })
    await runScript(host, wordpressSite)
    await on(web)
  })
  afterAll(async () => {
    await host?.close()
    await lab?.close()
  })

  /** What a command prints on the host, asked by the OpenSSH client: the engine has no part in it. */
  async function on(command: string, input?: string): Promise<string> {
    const { status, stdout, stderr } = await lab.hosts[name]!.ssh(command, input === undefined ? {} : { input })
    if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  async function does(task: Task, options = {}) {
    const { failure, changes } = await play(task, host, options)
    return { failure, changed: changes.map(({ label, after }) => `${label}: ${after}`) }
  }

  const option = (key: string) =>
    on('mysql -BN wordpress', `select option_value from wp_options where option_name = '${key}'`)

  /** Asks until the answer is as expected, for what comes by itself; the last answer. */
  async function becomes(ask: () => Promise<string>, expected: RegExp, seconds: number): Promise<string> {
    let answer = await ask()
    for (let waited = 0; waited < seconds && !expected.test(answer); waited++) {
      await sleep(1000)
      answer = await ask()
    }
    return answer
  }

  /** The requests that nginx has seen because of one visit: method, path and status. */
  async function visit(): Promise<readonly string[]> {
    await on('runuser -u www-data -- php', due)
    await on(': >/var/log/nginx/wordpress.log; curl -sf -o /dev/null http://127.0.0.1/')
    await sleep(2000)
    const log = await on(`sed 's/.*"\\([A-Z]* [^? ]*\\)[^"]*" \\([0-9]*\\).*/\\1 \\2/' /var/log/nginx/wordpress.log`)
    return log.split('\n')
  }

  it('asks itself over HTTP on a visit, and nginx logs 499 for it', async () => {
    expect(await visit()).toEqual(
      expect.arrayContaining(['GET / 200', expect.stringMatching(/^POST \/wp-cron\.php 499$/)]),
    )
  })

  it('is planned without a change', async () => {
    const look = `cat ${site}/wp-config.php; ls /etc/cron.d /etc/systemd/system`
    const before = await on(look)
    expect((await does(cron, { check: true })).changed.length).toBeGreaterThan(1)
    expect(await on(look)).toBe(before)
  })

  it('makes no request of its own any more', async () => {
    const before = await on(`cat ${site}/wp-config.php; stat -c '%a %U:%G' ${site}/wp-config.php`)
    expect((await does(cron)).failure).toBeUndefined()
    const after = await on(`cat ${site}/wp-config.php; stat -c '%a %U:%G' ${site}/wp-config.php`)
    expect(after.split('\n').filter((line) => !before.split('\n').includes(line))).toEqual([
      "define( 'DISABLE_WP_CRON', true );",
    ])
    expect(after).toContain('\n640 root:www-data')
    await sleep(3000) // opcache looks at files every two seconds
    expect(await visit()).toEqual(['GET / 200'])
  })

  it(`has its due event run by ${runner}, as the user of the site`, async () => {
    await on('runuser -u www-data -- php', due)
    expect(await becomes(async () => await option('lab_ran'), /^\d+\./, 75)).toMatch(/^\d+\./)
  })

  it('has nothing to change the second time', async () => {
    expect(await does(cron)).toEqual({ failure: undefined, changed: [] })
  })

  it('takes an edited configuration as it was meant, whatever the file', async () => {
    const texts = edited.flatMap(({ before }) => [before, withConstant('/x', before, 'DISABLE_WP_CRON', true)])
    const code = `<?php
file_put_contents('/tmp/wp-settings.php', '<?php echo "=", json_encode(defined("DISABLE_WP_CRON") ? DISABLE_WP_CRON : null);');
foreach (json_decode(base64_decode('${Buffer.from(JSON.stringify(texts)).toString('base64')}')) as $text) {
  file_put_contents('/tmp/wp-config.php', $text);
  $said = shell_exec("php -d display_errors=1 -r 'define(\\"ABSPATH\\", \\"/tmp/\\"); require \\"/tmp/wp-config.php\\";' 2>&1");
  echo substr(strrchr($said, '='), 1), "\\n";
}`
    const values = (await on('php', code)).split('\n')
    expect(values.length).toBe(2 * edited.length)
    expect(values.filter((_, i) => i % 2 === 1)).toEqual(edited.map(() => 'true'))
    expect(values.filter((_, i) => i % 2 === 0)).not.toContain('true')
  })

  it('leaves a file as it was where PHP refuses the new text, and tells its words', async () => {
    const path = '/srv/half-edited.php'
    await on(`cat >${path} && chmod 640 ${path}`, "<?php\n$a = = 1;\nrequire_once ABSPATH . 'wp-settings.php';\n")
    const look = `cksum ${path}; stat -c '%i %a %Y' ${path}; ls -A /srv`
    const before = await on(look)
    expect((await does(wpConfig(path).define('DISABLE_WP_CRON', true))).failure).toContain(
      'PHP refused the new text, and it was not put in place: Parse error: syntax error, unexpected token "=" on line 2',
    )
    expect(await on(look)).toBe(before)
  })

  const theme = wpTheme('law-theme').from('../fixtures/wordpress/law-theme.zip').in(site)
  const shown = /<p>law-theme 1\.0<\/p>/
  const page = () => on('curl -s http://127.0.0.1/')

  it('shows a theme that was made for the test', async () => {
    const { failure, changed } = await does(theme)
    expect(failure).toBeUndefined()
    expect(changed).toEqual([
      expect.stringMatching(
        /^\/srv\/wordpress\/wp-content\/themes\/law-theme: 6 files \([0-9a-f]{8}\) 0755 root:root$/,
      ),
      'theme of /srv/wordpress: law-theme',
    ])
    expect(await option('stylesheet')).toBe('law-theme')
    expect(await becomes(page, shown, 5)).toMatch(shown)
    expect(await does(theme)).toEqual({ failure: undefined, changed: [] })
  })

  it('has a file of the theme that was changed by hand put back, with the folder before kept where nobody reads it', async () => {
    await on(`echo '<?php echo "hacked";' >${site}/wp-content/themes/law-theme/index.php`)
    expect((await does(theme)).changed.length).toBe(1)
    expect(await becomes(page, shown, 5)).toMatch(shown)
    const kept = await on(`stat -c '%n %a %U' ${site}/wp-content/themes/.law-theme.was.*`)
    expect(kept).toMatch(/^\S+\.law-theme\.was\.[0-9a-f]{16} 700 root$/)
    expect(await on(`find ${site}/wp-content/themes -name '*.new'`)).toBe('')
  })

  it('keeps its theme where WordPress does not load with another one, and tells why', async () => {
    const { failure } = await does(wpTheme('broken-theme').from('../fixtures/wordpress/broken-theme.zip').in(site))
    expect(failure).toContain('WordPress does not load with the theme broken-theme, and has the one before again')
    expect(failure).toContain('no_such_function_of_the_theme')
    expect(await option('stylesheet')).toBe('law-theme')
    expect(await page()).toContain('<p>law-theme 1.0</p>')
  })

  it('has a plugin active', async () => {
    const plugin = wpPlugin('law-plugin').from('../fixtures/wordpress/law-plugin.zip').in(site)
    expect((await does(plugin)).failure).toBeUndefined()
    expect(await option('active_plugins')).toContain('law-plugin/law-plugin.php')
    expect(await does(plugin)).toEqual({ failure: undefined, changed: [] })
  })
})
