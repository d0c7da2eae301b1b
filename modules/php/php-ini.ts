/** Settings of PHP, in a file of their own that is read after Debian's. */

import { directoryOf, fileAt, needsDirectory } from '../file.ts'
import { look, type Resource, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { nearest } from '../../errors/suggest.ts'
import type { FileState } from '../../probe/file.ts'
import { holdsSecret } from '../../shell/secret-text.ts'
import { iniGuard } from './config-test.ts'
import { amountProblem, iniLine, iniText, type IniValue, isSame } from './ini-value.ts'
import { iniPath, nameProblem, type PhpSapi, type PhpVersion, versionProblem } from './layout.ts'
import { knownSettings, otherSettings } from './settings-read.ts'

/** Settings by name: `{ memory_limit: '256M', display_errors: false }`. */
export type IniSettings = Readonly<Record<string, IniValue>>

/** A file of settings that says nothing yet. */
export interface PhpIniStart {
  /**
   * Settings and their values. A boolean is `On` or `Off`; amounts of memory are PHP's own, `256M`, never `256MB`, which PHP
   * reads as 256 bytes. Texts may hold anything but `${`. Said again, settings are added.
   *
   * @example
   * phpIni('8.4', 'coaching').set({ memory_limit: '256M', 'date.timezone': 'Europe/Rome', display_errors: false })
   */
  set(settings: IniSettings): PhpIni
  /** No such file. */
  absent(): PhpIni
}

/**
 * Settings of a PHP, `/etc/php/VERSION/fpm/conf.d/99-NAME.ini`, `0644 root`: it is read after Debian's files, and the last
 * one counts. It is tested by `php-fpm -t` where that is the PHP, and put back where the test fails, where PHP drops a file for
 * its syntax, and where it warns that it takes another value for one of these settings, of which the test alone ends with 0. A master that runs reads it when it is reloaded: `.notify(reload(…))`.
 *
 * Told before any connection: a value that PHP would misread, and passwords, which have no place in a file that all may
 * read. Refused in the plan: a setting that no part of this PHP knows (it would be taken in silence), and one that a later
 * file says otherwise. A pool that says otherwise wins in that pool; the plan notes it.
 *
 * @example
 * phpIni('8.4', 'coaching').set({ memory_limit: '256M' }).notify(reload('php8.4-fpm'))
 * phpIni('8.4', 'coaching', { sapi: 'cli' }).set({ memory_limit: -1 })
 * @see https://www.php.net/manual/en/ini.list.php
 */
export function phpIni(
  version: PhpVersion,
  name: string,
  options: {
    /** Which PHP reads it: that of the web, or that of the command line. @default 'fpm' */
    readonly sapi?: PhpSapi
  } = {},
): PhpIniStart {
  return new PhpIni(version, name, options.sapi ?? 'fpm')
}

export class PhpIni extends Task implements PhpIniStart {
  readonly module = 'phpIni'
  readonly id: string
  readonly version: string
  readonly sapi: PhpSapi
  readonly path: string
  readonly settings: IniSettings = {}
  readonly isAbsent: boolean = false

  /** @internal Made by `phpIni()`. */
  constructor(version: string, name: string, sapi: PhpSapi) {
    super()
    this.id = `${version}${sapi === 'fpm' ? '' : ` ${sapi}`} ${name}`
    this.version = version
    this.sapi = sapi
    this.path = iniPath(version, sapi, name)
    const sapiProblem = ['fpm', 'cli'].includes(sapi) ? undefined : `${JSON.stringify(sapi)} is not fpm or cli`
    return this.wrong(versionProblem(version) ?? nameProblem('a file of settings', name) ?? sapiProblem)
  }

  set(settings: IniSettings): PhpIni {
    return Object.entries(settings).reduce<PhpIni>(
      (task, [key, value]) => {
        const [problem, hint] = iniProblem(key, value)
        return task.wrong(problem && `phpIni: ${problem}`, hint)
      },
      this.with<PhpIni>({ settings: { ...this.settings, ...settings } }),
    )
  }

  absent(): PhpIni {
    return this.with<PhpIni>({ isAbsent: true })
  }

  override get unfinished() {
    const isSaid = Object.keys(this.settings).length > 0
    if (isSaid && this.isAbsent) return `phpIni ${this.id} cannot be absent and have settings`
    return isSaid || this.isAbsent ? undefined : `phpIni ${this.id} says nothing: end it with .set({ … }) or .absent()`
  }

  get wishes(): readonly Wish[] {
    const guard = iniGuard(this.version, this.sapi, Object.keys(this.settings))
    if (this.isAbsent)
      return [want<FileState>(iniFile(this.version, this.sapi, this.path), { type: 'absent' }, { guard })]
    return [
      look(directoryOf(this.path)),
      look(knownSettings(this.version, this.sapi)),
      look(otherSettings(this.version, this.sapi)),
      want(iniFile(this.version, this.sapi, this.path), iniState(this.settings), { guard }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    if (this.isAbsent) return []
    const { version, sapi, path, settings } = this
    const missing = needsDirectory(path, reading).length > 0
    if (missing) return [notInstalled(version, sapi, path)]
    return [...unknownSettings(version, sapi, settings, reading), ...rivals(version, sapi, path, settings, reading)]
  }
}

/** A file of settings. Taking it away may let another one count. */
export function iniFile(version: string, sapi: PhpSapi, path: string): Resource<FileState> {
  const place = fileAt(path)
  return {
    ...place,
    write: (to, from) => {
      const script = place.write!(to, from)
      return to.type === 'absent' ? script.touches(otherSettings(version, sapi).key) : script
    },
  }
}

/** What a file of settings is: one line each, in the order in which they were said. */
export function iniState(settings: IniSettings): FileState {
  const text = Object.entries(settings).map(([key, value]) => `${iniLine(key, value)}\n`)
  return { type: 'file', content: { text: text.join('') }, mode: '0644', owner: 'root', group: 'root' }
}

/** Refuses a folder of settings that is not there. */
export function notInstalled(version: string, sapi: PhpSapi, path: string): Verdict {
  const folder = path.slice(0, path.lastIndexOf('/'))
  return refuse(
    `There is no PHP ${version} for ${sapi} on this host: ${folder} does not exist.`,
    `Install it in an earlier task: aptPackage('php${version}-${sapi}')`,
  )
}

/** Refuses settings that a later file says otherwise, and notes pools that do, besides a file that is looked at by itself. */
export function rivals(
  version: string,
  sapi: PhpSapi,
  path: string,
  settings: IniSettings,
  { now, certain }: Reading,
  besides?: string,
): readonly Verdict[] {
  const place = otherSettings(version, sapi)
  return now(place).flatMap(({ file, line, key, value, pool }): Verdict[] => {
    const wished = settings[key]
    if (wished === undefined || isSame(value, wished) || file === path || file === besides) return []
    const seen = `${file}:${line} says ${key} = ${value}`
    if (pool) return [note(`${seen}, which wins in that pool.`)]
    if (file < path || !certain(place)) return []
    return [refuse(`${seen}, and is read after ${path}.`, 'Take it out there, or say it in one place only.')]
  })
}

/** A setting that PHP does not know is taken in silence, and does nothing. */
function unknownSettings(
  version: string,
  sapi: PhpSapi,
  settings: IniSettings,
  { now, certain }: Reading,
): readonly Verdict[] {
  const place = knownSettings(version, sapi)
  const known = now(place)
  if (known.length === 0 || !certain(place)) return []
  const unknown = Object.keys(settings).find((key) => !known.includes(key))
  if (unknown === undefined) return []
  const near = nearest(unknown, known)
  const hint = near ? `Did you mean ${near}?` : 'Install the extension that brings it in an earlier task.'
  return [refuse(`PHP ${version} (${sapi}) knows no setting ${unknown}: it would take it in silence.`, hint)]
}

/** What is wrong with a setting, and what to do instead. */
function iniProblem(key: string, value: IniValue): readonly [string | undefined, string?] {
  if (!/^[A-Za-z_][\w.-]*$/.test(key)) return [`${JSON.stringify(key)} is not the name of a setting`]
  const text = iniText(value)
  if (typeof text !== 'string') return [`${key}: ${text.problem}`]
  const isKnown = typeof value === 'string' && /\bauth(?:\[|=|%5B)|:\/\/[^/@]*:[^/@]+@/i.test(value)
  if (secrets.test(key) || isKnown || holdsSecret(`${key} = ${value}`)) {
    const hint = 'Anybody on the host may read the file. Give the password to the program that needs it.'
    return [`${key} holds a password`, hint]
  }
  return [amountProblem(key, value)]
}

const secrets = /(?:_pw|passw(?:or)?d)$/i
