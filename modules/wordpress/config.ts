/** Constants in a wp-config.php: read by PHP's own tokens, and tested by PHP before the file is in its place. */

import { pathProblem } from '../../dsl/host-path.ts'
import { type Resource, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, Task, type Verdict } from '../../dsl/task.ts'
import { Probe } from '../../probe/probe.ts'
import { isSecret, reveal, type Secret } from '../../shell/secret.ts'
import { covered } from '../../shell/secret-text.ts'
import { openToOthers } from '../file.ts'
import { edited, textIn } from '../text-file.ts'
import { configFile, secretName } from './config-file.ts'
import { includesBefore, phpLiteral, type PhpValue, withConstant, withoutConstant } from './php-constants.ts'
import { phpFile } from './php-statements.ts'

/** A wp-config.php of which nothing is said yet. */
export interface WpConfigStart {
  /**
   * The constant has this value when WordPress loads: the first definition that PHP comes to is changed in its place, or a
   * new one is put in front of «That's all, stop editing!», of the `require` of wp-settings.php, or at the end; and in
   * front of other files that are included, since PHP keeps the first. One behind the `require` has no effect, and goes.
   *
   * Refused in the plan are a value that is computed (`getenv`, another constant), a definition that runs or not (in a
   * condition, a function, a loop), and definitions whose names are computed, each with its line. Passwords, keys and
   * salts are taken as secrets, and refused before any connection where they stand in the play. With a secret nothing of the
   * file is told, before or after; a file that others may read is refused in the plan.
   *
   * @example
   * wpConfig('/srv/www/wp-config.php').define('WP_MEMORY_LIMIT', '256M')
   * wpConfig('/srv/www/wp-config.php').define('DB_PASSWORD', secret.env('DB_PASSWORD'))
   */
  define(name: string, value: PhpValue | Secret): WpConfig
  /** The constant is not defined: its live definitions go, with a guard that has nothing else in it. */
  undefined(name: string): WpConfig
}

/**
 * A constant in WordPress's configuration. Nothing else of the file is touched, neither its mode and owner nor `\r\n` at the
 * ends of its lines. What is live is decided by the tokens and statements of PHP, so what stands in comments, strings,
 * heredocs and dead branches counts for nothing. PHP tests the new text (`php -l`) before the file is in its place; it is
 * written only while it is as it was read. php-fpm sees it within `opcache.revalidate_freq`, without a reload.
 *
 * Several tasks may keep constants of one file; two that want different values for one are told before any connection.
 * Refused in the plan: a file that does not exist, a link, what is not UTF-8 text or larger than 256 KiB, and PHP that is
 * not understood: `<?` alone, a namespace, a `goto`. On Debian the place for a site's constants is
 * `/etc/wordpress/config-SITE.php`; the package's own file is refused.
 *
 * @example
 * wpConfig('/srv/www/wp-config.php').define('DISABLE_WP_CRON', true)
 * wpConfig('/srv/www/wp-config.php').undefined('WP_DEBUG')
 * @see https://developer.wordpress.org/advanced-administration/wordpress/wp-config/
 * @see https://www.php.net/manual/en/language.constants.syntax.php
 */
export function wpConfig(path: string): WpConfigStart {
  return new WpConfig(path)
}

/** Which constant, and its value; undefined where it should not be defined. */
interface Rule {
  readonly name: string
  readonly value: PhpValue | Secret | undefined
}

export class WpConfig extends Task implements WpConfigStart {
  readonly module = 'wpConfig'
  readonly path: string
  readonly rule: Rule | undefined

  /** @internal Made by `wpConfig()`. */
  constructor(path: string) {
    super()
    this.path = path
    this.rule = undefined
    const problem = pathProblem(path)
    if (problem) return this.wrong(`wpConfig: ${problem}`)
    if (path === packaged) {
      return this.wrong(
        `wpConfig: ${path} belongs to Debian's package, whose next version replaces it`,
        'Name the file of the site: /etc/wordpress/config-SITE.php, or config-default.php.',
      )
    }
  }

  get id(): string {
    if (!this.rule) return this.path
    const { name, value } = this.rule
    if (value === undefined) return `${this.path}: no ${name}`
    return `${this.path}: ${name} ${isSecret(value) ? covered : phpLiteral(value)}`
  }

  define(name: string, value: PhpValue | Secret): WpConfig {
    if (isSecret(value)) return this.says({ name, value }, nameProblem(name))
    return this.says({ name, value }, nameProblem(name) ?? openSecret(name) ?? valueProblem(name, value))
  }

  undefined(name: string): WpConfig {
    return this.says({ name, value: undefined }, nameProblem(name))
  }

  override get unfinished() {
    return this.rule ? undefined : `wpConfig ${this.path} says nothing: end it with .define(name, value)`
  }

  get wishes(): readonly Wish[] {
    const { path, rule } = this
    if (!rule) return []
    const { name, value: said } = rule
    const sensitive = isSecret(said)
    const value = isSecret(said) ? reveal(said) : said
    const edit = (text: string) => {
      return value === undefined ? withoutConstant(path, text, name) : withConstant(path, text, name, value)
    }
    const claimed = value === undefined ? 'not defined' : phpLiteral(value)
    return [
      want(configFile(path, { sensitive }), (now, as) => edited(path, now, as, false, edit)),
      want({ ...claim(path, name), sensitive }, (now) => now, { whole: claimed }),
    ]
  }

  override judge({ now, desired, changes }: Reading): readonly Verdict[] {
    const place = configFile(this.path)
    const open = isSecret(this.rule?.value) ? openToOthers(this.path, desired(place)) : []
    if (open.length > 0) return open
    if (this.rule?.value === undefined || !changes(place)) return []
    const text = textIn(this.path, now(place))
    const file = phpFile(text)
    const isNew = withoutConstant(this.path, text, this.rule.name) === text
    if (!isNew || includesBefore(file).length === 0) return []
    return [
      note(
        `It stands in front of the files that ${this.path} includes: where one defines ${this.rule.name} too, PHP warns, and keeps this one.`,
      ),
    ]
  }

  private says(rule: Rule, problem: string | undefined): WpConfig {
    const twice = this.rule ? `wpConfig ${this.path} is said twice: write two tasks` : undefined
    return this.with<WpConfig>({ rule })
      .wrong(problem && `wpConfig ${this.path}: ${problem}`, problem?.includes(secret) ? secretHint : undefined)
      .wrong(twice)
  }
}

/** What Debian's package brings, and says not to edit. */
const packaged = '/usr/share/wordpress/wp-config.php'

/** A constant of a file, of which only one value can be wished: nothing is read for it. */
function claim(path: string, name: string): Resource<null> {
  return { key: `wp-constant:${path} ${name}`, label: `${name} in ${path}`, read: Probe.known(null), fresh: null }
}

const secret = 'is a secret'
const secretHint = "Say where it is kept: secret.env('NAME'), secret.file(path) or secret.command(words)."

function nameProblem(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return `${JSON.stringify(name)} is not the name of a constant`
  if (/^(?:true|false|null|__.*__)$/i.test(name)) return `${name} is PHP's own`
  return undefined
}

function openSecret(name: string): string | undefined {
  return secretName.test(name) ? `${name} ${secret}, which a play cannot hold` : undefined
}

function valueProblem(name: string, value: unknown): string | undefined {
  if (typeof value === 'boolean' || value === null) return undefined
  if (typeof value === 'number') {
    const isExact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
    return isExact ? undefined : `${name} takes a number that PHP holds exactly, not ${value}`
  }
  if (typeof value !== 'string') return `${name} takes a text, a number, true, false or null`
  return value.includes('\0') ? `the value of ${name} holds a NUL byte` : undefined
}
