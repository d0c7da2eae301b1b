import { sh } from '../../../shell/script.ts'
import { fileAt } from '../../../modules/file.ts'
import { wpConfig } from '../../../modules/wordpress/config.ts'
import { contentOf } from '../../../probe/file.ts'
import type { Example } from '../../../testing/example.ts'

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
