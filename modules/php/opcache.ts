/** Opcache and its JIT, as the running master of php-fpm has them. */

import { look, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import type { FileState } from '../../probe/file.ts'
import { directoryOf, fileAt, needsDirectory } from '../file.ts'
import { reload } from '../service.ts'
import { iniGuard } from './config-test.ts'
import { globalFile, poolFile } from './fpm-files.ts'
import { settingOf, settingsOf } from './ini-sections.ts'
import { isSame } from './ini-value.ts'
import { iniPath, nameProblem, type PhpVersion, poolPath, versionProblem } from './layout.ts'
import { runningOpcache } from './opcache-read.ts'
import {
  iniOf,
  expected,
  type OpcacheSettings,
  settingProblems,
  startProblem,
  withOpcache,
} from './opcache-settings.ts'
import { iniFile, type IniSettings, iniState, notInstalled, rivals } from './php-ini.ts'
import { otherSettings } from './settings-read.ts'

/** Opcache of which nothing is said yet. */
export interface OpcacheStart {
  /**
   * Settings; those that are not said stay as other files have them. Said again, they are added.
   *
   * @example
   * opcache('8.4').set({ jit: 'tracing', memory: '256MiB', internedStrings: '16MiB', maxFiles: 20000 })
   * opcache('8.2').set({ jit: 1255, jitBuffer: '64MiB' })
   */
  set(settings: OpcacheSettings): Opcache
  /** No settings of this file. The master is reloaded at the end of the play. */
  absent(): Opcache
}

/**
 * Opcache of php-fpm: `/etc/php/VERSION/fpm/conf.d/99-opcache.ini`, which is read after Debian's files (`10-opcache.ini` turns
 * the JIT off), and the running master, which is reloaded where it has other values, whatever the file says. The master is asked
 * by FastCGI, through the socket of a pool, with a script that stands in a folder of `/run` while it is asked. A master that is
 * stopped is not started for it: it reads the file when it starts.
 *
 * PHP takes most impossible values in silence, or does not start with them. They are told before any connection (a JIT without a
 * buffer before 8.4, digits that are no mode, a memory below 8 MiB, too many files), or refused in the plan where they are so
 * on this host (texts and table that do not fit into the memory, a pool or a later file that says otherwise).
 *
 * A JIT makes loops that compute several times as fast, and pages that handle texts and arrays, or wait for a database, no faster.
 *
 * @example
 * opcache('8.4').set({ jit: 'tracing', memory: '256MiB', validateTimestamps: false })
 * @see https://www.php.net/manual/en/opcache.configuration.php
 */
export function opcache(
  version: PhpVersion,
  options: {
    /** The pool through which the master is asked. @default 'www' */
    readonly pool?: string
  } = {},
): OpcacheStart {
  return new Opcache(version, options.pool ?? 'www')
}

export class Opcache extends Task implements OpcacheStart {
  readonly module = 'opcache'
  readonly id: string
  readonly pool: string
  readonly path: string
  readonly settings: OpcacheSettings = {}
  readonly isAbsent: boolean = false

  /** @internal Made by `opcache()`. */
  constructor(version: string, pool: string) {
    super()
    this.id = version
    this.pool = pool
    this.path = iniPath(version, 'fpm', 'opcache')
    return this.wrong(versionProblem(version) ?? nameProblem('a pool', pool))
  }

  set(settings: OpcacheSettings): Opcache {
    const all = { ...this.settings, ...settings }
    return settingProblems(this.id, all).reduce<Opcache>(
      (task, [problem, hint]) => task.wrong(`opcache: ${problem}`, hint),
      this.with<Opcache>({ settings: all }),
    )
  }

  absent(): Opcache {
    const task = this.with<Opcache>({ isAbsent: true })
    return this.problems.length > 0 ? task : task.notify(reload(`php${this.id}-fpm`))
  }

  override get unfinished() {
    const isSaid = Object.keys(this.settings).length > 0
    if (isSaid && this.isAbsent) return `opcache ${this.id} cannot be absent and have settings`
    return isSaid || this.isAbsent ? undefined : `opcache ${this.id} says nothing: end it with .set({ … }) or .absent()`
  }

  get wishes(): readonly Wish[] {
    const { id: version, path, pool, settings } = this
    const guard = iniGuard(version, 'fpm', Object.keys(iniOf(version, settings)))
    const file = iniFile(version, 'fpm', path)
    if (this.isAbsent) return [want<FileState>(file, { type: 'absent' }, { guard })]
    return [
      look(directoryOf(path)),
      look(otherSettings(version, 'fpm')),
      look(poolFile(version, pool)),
      look(globalFile(version)),
      want(file, iniState(iniOf(version, settings)), { guard }),
      want(runningOpcache(version, pool), (now) => withOpcache(version, settings, now), {
        whole: iniOf(version, settings),
      }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    if (this.isAbsent) return []
    const { id: version, path, pool, settings } = this
    if (needsDirectory(path, reading).length > 0) return [notInstalled(version, 'fpm', path)]
    const place = runningOpcache(version, pool)
    const now = reading.now(place)
    const wished = iniOf(version, settings)
    const verdicts = [
      ...poolRivals(this, reading),
      ...rivals(version, 'fpm', path, wished, reading, poolPath(version, pool)),
    ]
    if (now?.jit === 'none' && settings.jit !== undefined && settings.jit !== 'disable') {
      verdicts.push(refuse(`php${version}-fpm was built without a JIT for this machine.`, 'Leave jit out here.'))
    }
    const impossible = startProblem(expected(version, settings, now ?? place.fresh!))
    if (impossible) verdicts.push(refuse(...impossible))
    if (now === null) verdicts.push(note(`php${version}-fpm is stopped: what it has is seen when it runs.`))
    else if (reading.changes(place)) {
      if (!waits(reading.now(globalFile(version))))
        verdicts.push(note('The reload cuts requests off that are in hand: php-fpm has no process_control_timeout.'))
    } else verdicts.push(...dropped(reading.now(fileAt(path)), wished))
    return verdicts
  }
}

/** What the pool says for itself wins over every file of settings, whatever the master has. */
function poolRivals({ id: version, pool, settings }: Opcache, { now }: Reading): readonly Verdict[] {
  const path = poolPath(version, pool)
  const file = now(poolFile(version, pool))
  if (file.type !== 'file' || !('text' in file.content)) return []
  const wished = iniOf(version, settings)
  return settingsOf(file.content.text, pool).flatMap(({ key, value, line }) => {
    const [, name] = /^php_(?:admin_)?(?:value|flag)\[(.+)\]$/.exec(key) ?? []
    const mine = name === undefined ? undefined : wished[name]
    if (mine === undefined || isSame(value, mine)) return []
    const hint = `Take it out of the pool: phpFpmPool('${version}', '${pool}').without('${key}')`
    return [refuse(`${path}:${line} says ${key} = ${value}, which wins over every file of settings.`, hint)]
  })
}

/** What the file says no longer stays in the master, and is no wish of this task. */
function dropped(file: FileState, wished: IniSettings): readonly Verdict[] {
  if (file.type !== 'file' || !('text' in file.content)) return []
  const names = [...file.content.text.matchAll(/^(opcache\.\w+) =/gm)].map(([, name]) => name!)
  const gone = names.filter((name) => !(name in wished))
  if (gone.length === 0) return []
  return [note(`The running master keeps ${gone.join(', ')} until it is reloaded.`)]
}

/** Whether workers may end what they have in hand before a reload. */
function waits(file: FileState): boolean {
  if (file.type !== 'file' || !('text' in file.content)) return false
  return /^[1-9]/.test(settingOf(file.content.text, 'global', 'process_control_timeout') ?? '')
}
