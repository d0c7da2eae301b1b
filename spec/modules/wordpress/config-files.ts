/** Configuration files of WordPress, odd and usual, and what they are with a constant: tried on text, and by PHP in the lab. */

export interface ConfigFile {
  readonly name: string
  readonly before: string
  /** With `DISABLE_WP_CRON` true. */
  readonly after: string
}

const settings = "require_once ABSPATH . 'wp-settings.php';\n"
const line = "define( 'DISABLE_WP_CRON', true );\n"

/** In each of them PHP finds the constant undefined, or not true, when it comes to wp-settings.php. */
export const edited: readonly ConfigFile[] = [
  {
    name: 'the sample: before «stop editing», not before the earlier comment that speaks of it',
    before: `<?php\n/* Add any custom values between this line and the "stop editing" line. */\n\n/* That's all, stop editing! Happy publishing. */\n\n${settings}`,
    after: `<?php\n/* Add any custom values between this line and the "stop editing" line. */\n\n${line}/* That's all, stop editing! Happy publishing. */\n\n${settings}`,
  },
  {
    name: 'localised, without the marker: before the require of wp-settings.php and its comment',
    before: `<?php\n/* C’est tout, ne touchez pas à ce qui suit ! */\n\n/** Réglage des variables. */\n${settings}`,
    after: `<?php\n/* C’est tout, ne touchez pas à ce qui suit ! */\n\n${line}/** Réglage des variables. */\n${settings}`,
  },
  {
    name: 'CRLF stays',
    before: `<?php\r\n$a = 1;\r\nrequire_once ABSPATH . 'wp-settings.php';\r\n`,
    after: `<?php\r\n$a = 1;\r\ndefine( 'DISABLE_WP_CRON', true );\r\nrequire_once ABSPATH . 'wp-settings.php';\r\n`,
  },
  {
    name: 'a define in comments of three kinds is none',
    before: `<?php\n// define('DISABLE_WP_CRON', true);\n# define('DISABLE_WP_CRON', true);\n/*\ndefine('DISABLE_WP_CRON', true);\n*/\n$a = 1;\n${settings}`,
    after: `<?php\n// define('DISABLE_WP_CRON', true);\n# define('DISABLE_WP_CRON', true);\n/*\ndefine('DISABLE_WP_CRON', true);\n*/\n$a = 1;\n${line}${settings}`,
  },
  {
    name: 'a define in a string, a heredoc and a nowdoc is none',
    before: `<?php\n$a = "define('DISABLE_WP_CRON', true);";\n$b = <<<X\ndefine('DISABLE_WP_CRON', true);\nX;\n$c = <<<'Y'\ndefine('DISABLE_WP_CRON', true);\nY;\n${settings}`,
    after: `<?php\n$a = "define('DISABLE_WP_CRON', true);";\n$b = <<<X\ndefine('DISABLE_WP_CRON', true);\nX;\n$c = <<<'Y'\ndefine('DISABLE_WP_CRON', true);\nY;\n${line}${settings}`,
  },
  {
    name: 'a define in a dead branch is none',
    before: `<?php\nif (false) { define('DISABLE_WP_CRON', true); }\nif (0): define('DISABLE_WP_CRON', 1); endif;\n${settings}`,
    after: `<?php\nif (false) { define('DISABLE_WP_CRON', true); }\nif (0): define('DISABLE_WP_CRON', 1); endif;\n${line}${settings}`,
  },
  {
    name: 'a define as text outside PHP is none',
    before: `<?php $a = 1; ?>define('DISABLE_WP_CRON', true);<?php\n${settings}`,
    after: `<?php $a = 1; ?>define('DISABLE_WP_CRON', true);<?php\n${line}${settings}`,
  },
  {
    name: 'a method and a class constant of that name are none',
    before: `<?php\nclass C { const DISABLE_WP_CRON = true; static function define($a, $b) {} }\nC::define('DISABLE_WP_CRON', true);\n${settings}`,
    after: `<?php\nclass C { const DISABLE_WP_CRON = true; static function define($a, $b) {} }\nC::define('DISABLE_WP_CRON', true);\n${line}${settings}`,
  },
  {
    name: 'a define behind the require has no effect, and moves',
    before: `<?php\n${settings}define('DISABLE_WP_CRON', true);\n`,
    after: `<?php\n${line}${settings}`,
  },
  {
    name: "'false' is a text, which is truthy, and another value",
    before: `<?php\ndefine('DISABLE_WP_CRON', 'false');\n${settings}`,
    after: `<?php\ndefine('DISABLE_WP_CRON', true);\n${settings}`,
  },
  {
    name: 'a define of several lines, in other letters, with comments in it',
    before: `<?php\n\\DEFINE(\n  "DISABLE_WP_CRON", // no cron\n  FALSE /* yet */\n);\n${settings}`,
    after: `<?php\n\\DEFINE(\n  "DISABLE_WP_CRON", // no cron\n  true /* yet */\n);\n${settings}`,
  },
  {
    name: 'const',
    before: `<?php\nconst A = 1, DISABLE_WP_CRON = false;\n${settings}`,
    after: `<?php\nconst A = 1, DISABLE_WP_CRON = true;\n${settings}`,
  },
  {
    name: 'guarded by an if',
    before: `<?php\nif ( ! defined( 'DISABLE_WP_CRON' ) ) {\n\tdefine( 'DISABLE_WP_CRON', false );\n}\n${settings}`,
    after: `<?php\nif ( ! defined( 'DISABLE_WP_CRON' ) ) {\n\tdefine( 'DISABLE_WP_CRON', true );\n}\n${settings}`,
  },
  {
    name: 'guarded by ||',
    before: `<?php\ndefined('DISABLE_WP_CRON') || define('DISABLE_WP_CRON', 0);\n${settings}`,
    after: `<?php\ndefined('DISABLE_WP_CRON') || define('DISABLE_WP_CRON', true);\n${settings}`,
  },
  {
    name: 'of two, PHP keeps the first',
    before: `<?php\n@define('DISABLE_WP_CRON', false);\n@define('DISABLE_WP_CRON', true);\n${settings}`,
    after: `<?php\n@define('DISABLE_WP_CRON', true);\n@define('DISABLE_WP_CRON', true);\n${settings}`,
  },
  {
    name: 'in front of another file that is included, which may define it first',
    before: `<?php\n$a = 1;\nif (is_file(__DIR__ . '/local.php')) {\n  include __DIR__ . '/local.php';\n}\n/* That's all, stop editing! */\n${settings}`,
    after: `<?php\n$a = 1;\n${line}if (is_file(__DIR__ . '/local.php')) {\n  include __DIR__ . '/local.php';\n}\n/* That's all, stop editing! */\n${settings}`,
  },
  {
    name: 'a marker in a string is none',
    before: `<?php\n$a = "/* That's all, stop editing! */";\n$b = 1;\n${settings}`,
    after: `<?php\n$a = "/* That's all, stop editing! */";\n$b = 1;\n${line}${settings}`,
  },
  {
    name: 'all on one line',
    before: `<?php $a = 1; require ABSPATH . "wp-settings.php";`,
    after: `<?php $a = 1; define( 'DISABLE_WP_CRON', true ); require ABSPATH . "wp-settings.php";`,
  },
]

const sure = 'Define DISABLE_WP_CRON on a line of its own, or remove the line; then the play can keep it.'
const computed = 'Write its value there, or remove the line; then the play can keep it.'

/** What is not guessed. */
export const refused: readonly {
  readonly name: string
  readonly text: string
  readonly reason: string
  readonly hint?: string
}[] = [
  {
    name: 'the environment',
    text: `<?php\n\ndefine('DISABLE_WP_CRON', getenv('NO_CRON') ?: true);\n${settings}`,
    reason: "line 3: DISABLE_WP_CRON is computed there: getenv('NO_CRON') ?: true.",
    hint: computed,
  },
  {
    name: 'another constant',
    text: `<?php\nconst DISABLE_WP_CRON = PHP_SAPI;\n${settings}`,
    reason: 'line 2: DISABLE_WP_CRON is computed there: PHP_SAPI.',
    hint: computed,
  },
  {
    name: 'a string with variables in it',
    text: `<?php\ndefine('DISABLE_WP_CRON', "$x");\n${settings}`,
    reason: 'line 2: DISABLE_WP_CRON is computed there: "$x".',
    hint: computed,
  },
  {
    name: 'a branch that is taken or not',
    text: `<?php\nif ($_SERVER['HTTP_HOST'] === 'a') {\n  define('DISABLE_WP_CRON', true);\n}\n${settings}`,
    reason: 'line 3: DISABLE_WP_CRON is defined in an if, so that it may be defined or not.',
    hint: sure,
  },
  {
    name: 'the guard of another constant',
    text: `<?php\nif (!defined('WP_DEBUG')) define('DISABLE_WP_CRON', true);\n${settings}`,
    reason: 'line 2: DISABLE_WP_CRON is defined in an if, so that it may be defined or not.',
    hint: sure,
  },
  {
    name: 'a function',
    text: `<?php\nfunction cron() { define('DISABLE_WP_CRON', true); }\n${settings}`,
    reason: 'line 2: DISABLE_WP_CRON is defined in a function, so that it may be defined or not.',
    hint: sure,
  },
  {
    name: 'a loop over names',
    text: `<?php\nforeach ($env as $name => $value) define($name, $value);\n${settings}`,
    reason: 'line 2: constants whose names are computed are defined, and DISABLE_WP_CRON may be one of them.',
    hint: sure,
  },
  {
    name: 'a larger expression',
    text: `<?php\n$x && define('DISABLE_WP_CRON', true);\n${settings}`,
    reason: 'line 2: DISABLE_WP_CRON is defined in a larger expression, so that it may be defined or not.',
    hint: sure,
  },
  {
    name: 'a file that ends before',
    text: `<?php\nreturn;\n/* That's all, stop editing! */\n${settings}`,
    reason: 'a definition of DISABLE_WP_CRON would have no effect there.',
    hint: 'The file ends before it: with exit, return or die.',
  },
]
