/** Pools of php-fpm: single settings of a file that is Debian's and others' too. */

import { look, want, type Wish } from '../../dsl/resource.ts'
import { type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import type { FileState } from '../../probe/file.ts'
import { directoryOf, needsDirectory } from '../file.ts'
import { edited } from '../text-file.ts'
import { fpmGuard } from './config-test.ts'
import { poolFile } from './fpm-files.ts'
import { settingOf, withSettings } from './ini-sections.ts'
import type { IniValue } from './ini-value.ts'
import { nameProblem, type PhpVersion, poolPath, versionProblem } from './layout.ts'
import {
  type BracketedSetting,
  type PoolSetting,
  type PoolSettings,
  settingNameProblem,
  settingValueProblem,
} from './pool-settings.ts'
import { notInstalled } from './php-ini.ts'
import { activated } from './socket-activation.ts'

/** A pool of which nothing is said yet. */
export interface PhpFpmPoolStart {
  /**
   * Settings of the pool; all others stay as they are. Said again, settings are added.
   *
   * @example
   * phpFpmPool('8.4', 'www').set({ pm: 'dynamic', 'pm.max_children': 20, 'php_admin_value[memory_limit]': '256M' })
   */
  set(settings: PoolSettings): PhpFpmPool
  /** Settings that the pool does not say, so that php-fpm's defaults hold. Comments that show them stay. */
  without(...names: readonly (PoolSetting | BracketedSetting)[]): PhpFpmPool
  /** No such pool: its file goes. A master needs one at least. */
  absent(): PhpFpmPool
}

/**
 * A pool of php-fpm, in `/etc/php/VERSION/fpm/pool.d/POOL.conf`. Only the settings that are said are written, where they stand or
 * below the comment that shows them; comments, order and everything else stay. A pool that is not there is made, and
 * needs `user`, `listen`, `pm` and `pm.max_children`.
 *
 * php-fpm tests the file (`php-fpm -t`), and where it refuses it, it is put back. The master that runs reads it when it is
 * restarted, or reloaded: `.notify(reload('php8.4-fpm'))`. Where systemd holds the socket, `listen` has the name of the path with
 * `.activated`, and a wish for the path leaves that as it is: see `phpFpm()`.
 *
 * Told before any connection: a setting that php-fpm does not know (it would not start), and passwords, since anybody may read
 * the file.
 *
 * @example
 * phpFpmPool('8.4', 'www').set({ pm: 'static', 'pm.max_children': 20 }).notify(reload('php8.4-fpm'))
 * @see https://www.php.net/manual/en/install.fpm.configuration.php
 */
export function phpFpmPool(version: PhpVersion, pool: string): PhpFpmPoolStart {
  return new PhpFpmPool(version, pool)
}

export class PhpFpmPool extends Task implements PhpFpmPoolStart {
  readonly module = 'phpFpmPool'
  readonly id: string
  readonly version: string
  readonly pool: string
  readonly path: string
  /** Undefined for one that is taken out. */
  readonly settings: Readonly<Record<string, IniValue | undefined>> = {}
  readonly isAbsent: boolean = false

  /** @internal Made by `phpFpmPool()`. */
  constructor(version: string, pool: string) {
    super()
    this.id = `${version} ${pool}`
    this.version = version
    this.pool = pool
    this.path = poolPath(version, pool)
    return this.wrong(versionProblem(version) ?? nameProblem('a pool', pool))
  }

  set(settings: PoolSettings): PhpFpmPool {
    const values = settings as Readonly<Record<string, IniValue>>
    const problems = Object.entries(values).map(
      ([name, value]) => settingNameProblem(name) ?? settingValueProblem(name, value),
    )
    return this.says(values, problems)
  }

  without(...names: readonly (PoolSetting | BracketedSetting)[]): PhpFpmPool {
    return this.says(Object.fromEntries(names.map((name) => [name, undefined])), names.map(settingNameProblem))
  }

  absent(): PhpFpmPool {
    return this.with<PhpFpmPool>({ isAbsent: true })
  }

  override get unfinished() {
    const isSaid = Object.keys(this.settings).length > 0
    if (isSaid && this.isAbsent) return `phpFpmPool ${this.id} cannot be absent and have settings`
    return isSaid || this.isAbsent
      ? undefined
      : `phpFpmPool ${this.id} says nothing: end it with .set({ … }) or .absent()`
  }

  get wishes(): readonly Wish[] {
    const place = poolFile(this.version, this.pool, this.path)
    const guard = fpmGuard(this.version)
    if (this.isAbsent) return [want<FileState>(place, { type: 'absent' }, { guard })]
    return [
      look(directoryOf(this.path)),
      want(place, (now, as) => edited(this.path, now, as, true, (text) => withPool(text, this.pool, this.settings)), {
        guard,
      }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    if (this.isAbsent) return []
    if (needsDirectory(this.path, reading).length > 0) return [notInstalled(this.version, 'fpm', this.path)]
    const desired = reading.desired(poolFile(this.version, this.pool, this.path))
    const text = desired.type === 'file' && 'text' in desired.content ? desired.content.text : ''
    const missing = ['user', 'listen', 'pm', 'pm.max_children'].filter((name) => !settingOf(text, this.pool, name))
    if (missing.length === 0) return []
    return [refuse(`The pool ${this.pool} would have no ${missing.join(', no ')}, and php-fpm would not start.`)]
  }

  private says(
    settings: PhpFpmPool['settings'],
    problems: readonly (readonly [string, string?] | undefined)[],
  ): PhpFpmPool {
    const task = this.with<PhpFpmPool>({ settings: { ...this.settings, ...settings } })
    return problems.reduce<PhpFpmPool>((said, problem) => {
      return problem ? said.wrong(`phpFpmPool: ${problem[0]}`, problem[1]) : said
    }, task)
  }
}

/** The text of a pool with settings. A socket that systemd holds is the one that is wished, under another name. */
function withPool(text: string, pool: string, settings: PhpFpmPool['settings']): string {
  const { listen, ...others } = settings
  const isHeld = listen !== undefined && settingOf(text, pool, 'listen') === activated(String(listen))
  return withSettings(text, pool, isHeld || !('listen' in settings) ? others : settings)
}
