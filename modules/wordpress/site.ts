/** What a WordPress has in its database of themes and plugins, asked and changed by its own PHP as the user of the site. */

import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { type Output, Probe, tail } from '../../probe/probe.ts'
import { type Script, sh } from '../../shell/script.ts'
import { phpLiteral } from './php-constants.ts'

export interface Site {
  /** The folder of wp-load.php. */
  readonly folder: string
  readonly user: string
  readonly host: string | undefined
}

/** The theme of a site: its folder, and that of the theme whose templates it takes, which is itself but for a child. */
export interface ActiveTheme {
  readonly stylesheet: string
  readonly template: string
}

/** Which theme the site has. */
export function activeTheme(site: Site): Resource<ActiveTheme> {
  return {
    key: `wp-theme:${site.folder}`,
    label: `theme of ${site.folder}`,
    read: options(site).map(({ stylesheet, template }) => ({ stylesheet, template })),
    write: (to, from) => activateTheme(site, to, from),
    show: ({ stylesheet, template }) => (stylesheet === template ? stylesheet : `${stylesheet} (of ${template})`),
    fresh: { stylesheet: 'twentytwentythree', template: 'twentytwentythree' },
  }
}

export type PluginState = 'active' | 'inactive'

/** Whether the site runs a plugin; it is named by its main file below the folder of plugins. */
export function activePlugin(site: Site, main: string): Resource<PluginState> {
  return {
    key: `wp-plugin:${site.folder} ${main}`,
    label: `plugin ${main} of ${site.folder}`,
    read: options(site).map(({ plugins }) => (plugins.includes(main) ? 'active' : 'inactive')),
    write: (to) => activatePlugin(site, main, to),
    fresh: 'inactive',
  }
}

/** Whether the folder is one of several sites of a network. It can only be looked at. */
export function isNetwork(site: Site): Resource<boolean> {
  return { key: `wp-network:${site.folder}`, read: options(site).map(({ network }) => network), fresh: false }
}

interface Options {
  readonly stylesheet: string
  readonly template: string
  readonly plugins: readonly string[]
  readonly network: boolean
}

const marker = 'fleetplay:'

/** With SHORTINIT no plugin and no theme is loaded: a question starts no event and runs nobody's code. */
function options(site: Site): Probe<Options> {
  const code = `<?php
define('SHORTINIT', true);
${load(site)}
$plugins = get_option('active_plugins');
echo "\\n${marker}", json_encode(['stylesheet' => get_option('stylesheet'), 'template' => get_option('template'),
  'plugins' => is_array($plugins) ? array_values($plugins) : [], 'network' => defined('MULTISITE') && MULTISITE]), "\\n";
`
  return Probe.script(php(site, code), (output) => parse(site, output), { aside: true })
}

function parse({ folder }: Site, output: Output): Options {
  const text = output.stdout.toString()
  const found = text.split('\n').find((line) => line.startsWith(marker))
  const said = tail(`${plain(text)}\n${output.stderr}`)
  const seen = { command: `php, with ${folder}/wp-load.php`, status: output.status, output: said }
  if (found === undefined) {
    const hint =
      output.status === 127
        ? "Install it before: aptPackage('php-cli')."
        : 'Its database must run, and its files be there, before this task.'
    throw new Failure('E_UNREADABLE', `The WordPress in ${folder} does not answer.`, { seen, hint })
  }
  const options = JSON.parse(found.slice(marker.length)) as Options | { readonly stylesheet: false }
  if (options.stylesheet === false) {
    throw new Failure('E_UNREADABLE', `The WordPress in ${folder} is not installed: its database has no options.`, {
      seen,
      hint: 'Install it before: `wp core install`, or /wp-admin/install.php.',
    })
  }
  return options
}

/** `doing_wp_cron` keeps this process from starting due events. */
function activateTheme(site: Site, to: ActiveTheme, from: ActiveTheme): Script {
  const code = (theme: ActiveTheme, mode = '') => `<?php
${mode}${prelude(site)}
$theme = wp_get_theme(${phpLiteral(theme.stylesheet)});
if ($theme->exists()) {
  if ($theme->errors()) fail($theme->errors()->get_error_message());
  $valid = function_exists('validate_theme_requirements') ? validate_theme_requirements(${phpLiteral(theme.stylesheet)}) : true;
  if (is_wp_error($valid)) fail($valid->get_error_message());
  switch_theme(${phpLiteral(theme.stylesheet)});
} else {
  // Only on the way back: what the site had before may have been the name of a theme that is not there.
  update_option('stylesheet', ${phpLiteral(theme.stylesheet)});
  update_option('template', ${phpLiteral(theme.template)});
}
`
  const check = `<?php
${prelude(site)}
`
  // While it is installing, WordPress loads neither theme nor plugins: the way out of one that does not load.
  const back = code(from, "define('WP_INSTALLING', true);\n")
  return sh`# switch_theme ${to.stylesheet}
${run(site, code(to), `The theme ${to.stylesheet} was not activated`)} || exit
${run(site, check, `WordPress does not load with the theme ${to.stylesheet}, and has the one before again`)} && exit
${run(site, back, `The theme ${from.stylesheet} was not activated again`)}
exit 1`
    .called(`activate the theme ${to.stylesheet}`)
    .touches()
}

function activatePlugin(site: Site, main: string, to: PluginState): Script {
  const call =
    to === 'active'
      ? `$result = activate_plugin(${phpLiteral(main)});\nif (is_wp_error($result)) fail($result->get_error_message());`
      : `deactivate_plugins(${phpLiteral(main)});`
  const code = `<?php
${prelude(site)}
require_once ABSPATH . 'wp-admin/includes/plugin.php';
${call}
`
  const word = to === 'active' ? 'activate' : 'deactivate'
  return sh`# ${word} ${main}
${run(site, code, `The plugin ${main} was not ${word}d`)}`
    .called(`${word} the plugin ${main}`)
    .touches()
}

/** All of WordPress, in a process that starts no due event; a message without marks. */
function prelude(site: Site): string {
  return `function fail($words) { file_put_contents('php://stderr', html_entity_decode(strip_tags($words)) . "\\n"); exit(1); }
$_GET['doing_wp_cron'] = '';
${load(site)}`
}

function load({ folder, host }: Site): string {
  const name = host === undefined ? '' : `$_SERVER['HTTP_HOST'] = ${phpLiteral(host)};\n`
  return `${name}require ${phpLiteral(`${folder}/wp-load.php`)};`
}

/**
 * The code travels over standard input. Errors of PHP go to standard error, from where WordPress cannot take them; a trace tells
 * no arguments, of which one may be the password of the database.
 */
function php({ user }: Site, code: string): Script {
  return sh`php=php
[ "$(id -un)" = ${user} ] || php=${`runuser -u ${user} -- php`}
printf %s ${code} | $php -d display_errors=0 -d log_errors=1 -d error_log= -d html_errors=0 -d zend.exception_ignore_args=1`
}

/** What it prints is WordPress's page for visitors; what is wrong is on standard error. */
function run(site: Site, code: string, what: string): Script {
  return sh`(
said=$(
${php(site, code)} 2>&1 >/dev/null ) && exit
printf '%s\n' "$said" >&2
words=$(printf '%s\n' "$said" | grep -m 1 -E 'PHP (Fatal|Parse) error: ' || printf '%s\n' "$said" | grep . | tail -n 1)
printf '%s: %s\n' ${what} "$words" >&2
exit 1
)`
}

function plain(text: string): string {
  return text
    .replace(/<(style|script|head)[^]*?<\/\1>/gi, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}
