import { sh } from '../../../shell/script.ts'
import { fileAt } from '../../../modules/file.ts'
import { unit } from '../../../modules/unit.ts'
import { codeFolder } from '../../../modules/wordpress/code-folder.ts'
import { wpConfig } from '../../../modules/wordpress/config.ts'
import { wpCron } from '../../../modules/wordpress/cron.ts'
import { wpPlugin, wpTheme } from '../../../modules/wordpress/extension.ts'
import { activePlugin } from '../../../modules/wordpress/site.ts'
import { jobName } from '../../../modules/wordpress/timer-files.ts'
import { contentOf } from '../../../probe/file.ts'
import type { Example } from '../../../testing/example.ts'
import { site, sitePhp, wordpressSite } from '../wordpress-site.ts'

/** Names that are a trouble to whoever does not quote. */
const folder = "/srv/law it's; wp"
const path = `${folder}/wp-config.php`

const settings = "require_once ABSPATH . 'wp-settings.php';\n"
const bare = `<?php\r\n/* That's all, stop editing! */\r\n${settings}`
const defined = `<?php\ndefined('DISABLE_WP_CRON') || define('DISABLE_WP_CRON', 'false');\n${settings}`

const there = (text: string) =>
  sh`mkdir -p ${folder} && cat >${path} && chmod 640 ${path} && chgrp www-data ${path}`.reading(text)
const state = (text: string) =>
  [
    fileAt(path),
    { type: 'file', content: contentOf(Buffer.from(text)), mode: '0640', owner: 'root', group: 'www-data' },
  ] as const

export const wpConfigExamples: readonly Example[] = [
  {
    name: 'wpConfig, new',
    task: () => wpConfig(path).define('DISABLE_WP_CRON', true),
    values: () => [state(bare)],
    before: () => there(bare),
    proved: 'lab',
  },
  {
    name: 'wpConfig, another value',
    task: () => wpConfig(path).define('DISABLE_WP_CRON', true),
    values: () => [state(defined)],
    before: () => there(defined),
    proved: 'lab',
  },
  {
    name: 'wpConfig, not defined',
    task: () => wpConfig(path).undefined('DISABLE_WP_CRON'),
    values: () => [state(defined)],
    before: () => there(defined),
    proved: 'lab',
  },
]

const job = jobName(folder)
const unitsPath = `/etc/systemd/system/${job}`
const noTimer = sh`systemctl disable -q --now ${`${job}.timer`} 2>/dev/null
rm -f ${`${unitsPath}.timer`} ${`${unitsPath}.service`} ${`/etc/cron.d/${job}`}
systemctl daemon-reload`
const oldTimer = '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n'
const timerThere = sh`${noTimer}
cat >${`${unitsPath}.timer`}
printf '[Service]\nType=oneshot\nExecStart=true\n' >${`${unitsPath}.service`}
echo '* * * * * root true' >${`/etc/cron.d/${job}`}
systemctl daemon-reload && systemctl enable -q --now ${`${job}.timer`}`.reading(oldTimer)
const rootFile = (text: string) =>
  ({ type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }) as const

export const wpCronExamples: readonly Example[] = [
  {
    name: 'wpCron, by cron, new',
    task: () => wpCron(folder).everyMinutes(5),
    values: () => [state(bare)],
    before: () => sh`${noTimer}
${there(bare)}`,
    proved: 'lab',
  },
  {
    name: 'wpCron, by a timer, new',
    task: () => wpCron(folder, { host: 'coaching.example' }).byTimer('*:0/5'),
    values: () => [state(bare)],
    before: () => sh`${noTimer}
${there(bare)}`,
    proved: 'lab',
  },
  {
    name: 'wpCron, by a timer that has other times, beside a job of cron',
    task: () => wpCron(folder).byTimer('*:0/5'),
    values: () => [
      state(bare),
      [fileAt(`${unitsPath}.timer`), rootFile(oldTimer)],
      [fileAt(`${unitsPath}.service`), rootFile('[Service]\n')],
      [fileAt(`/etc/cron.d/${job}`), rootFile('* * * * * root true\n')],
      [unit(`${job}.timer`), { enabled: 'enabled', active: true }],
    ],
    before: () => sh`mkdir -p ${folder} && printf %s ${bare} >${path} && chmod 640 ${path} && chgrp www-data ${path}
${timerThere}`,
    proved: 'lab',
  },
]

const content = `${site}/wp-content`
const themePath = `${content}/themes/law-theme`
const pluginPath = `${content}/plugins/law-plugin`
const noTheme = sh`rm -rf ${themePath} ${`${content}/themes/.law-theme.`}*
${sitePhp("switch_theme('twentytwentythree');")}`
const noPlugin = sh`${sitePhp("require_once ABSPATH . 'wp-admin/includes/plugin.php'; deactivate_plugins('law-plugin/law-plugin.php');")}
rm -rf ${pluginPath} ${`${content}/plugins/.law-plugin.`}*`
const folderState = {
  type: 'folder',
  digest: '0'.repeat(64),
  files: 2,
  mode: '0755',
  owner: 'root',
  group: 'root',
} as const

export const wpThemeExamples: readonly Example[] = [
  {
    name: 'wpTheme, new',
    task: () => wpTheme('law-theme').from('../../fixtures/wordpress/law-theme.zip').in(site),
    before: () => noTheme,
    prepare: wordpressSite,
    proved: 'lab',
  },
  {
    name: 'wpTheme, another version, changed by the site',
    task: () => wpTheme('law-theme').from('../../fixtures/wordpress/law-theme.zip').in(site),
    values: () => [[codeFolder(themePath), folderState]],
    before: () => sh`${noTheme}
cp -a ${`${content}/themes/twentytwentythree`} ${themePath} && touch ${`${themePath}/it's; new`} && chown www-data ${`${themePath}/style.css`} && chmod 600 ${`${themePath}/style.css`}`,
    prepare: wordpressSite,
    proved: 'lab',
  },
  {
    name: 'wpTheme, not activated',
    task: () => wpTheme('law-theme').from('../../fixtures/wordpress/law-theme.zip').in(site, { activate: false }),
    before: () => noTheme,
    prepare: wordpressSite,
    proved: 'lab',
  },
]

export const wpPluginExamples: readonly Example[] = [
  {
    name: 'wpPlugin, new',
    task: () => wpPlugin('law-plugin').from('../../fixtures/wordpress/law-plugin.zip').in(site),
    before: () => noPlugin,
    prepare: wordpressSite,
    proved: 'lab',
  },
  {
    name: 'wpPlugin, another version, active',
    task: () => wpPlugin('law-plugin').from('../../fixtures/wordpress/law-plugin.zip').in(site),
    values: () => [
      [codeFolder(pluginPath), folderState],
      [activePlugin({ folder: site, user: 'www-data', host: undefined }, 'law-plugin/law-plugin.php'), 'active'],
    ],
    before: () => sh`${noPlugin}
mkdir ${pluginPath} && printf '<?php /* Plugin Name: Old */' >${`${pluginPath}/law-plugin.php`} || exit
${sitePhp("require_once ABSPATH . 'wp-admin/includes/plugin.php'; activate_plugin('law-plugin/law-plugin.php');")}`,
    prepare: wordpressSite,
    proved: 'lab',
  },
]
