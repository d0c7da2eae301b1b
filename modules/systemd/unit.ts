/** Unit files in /etc/systemd/system: whole units, and drop-ins that change single settings of another's. */

import { type Wish, look, want } from '../../dsl/resource.ts'
import { note, type Reading, Task, type Verdict } from '../../dsl/task.ts'
import { isProblem } from '../../dsl/variable.ts'
import type { FileState } from '../../probe/file.ts'
import { fileAt, tellContent } from '../file.ts'
import { daemonReload } from '../service.ts'
import { unitDetails, unitFrom, unitName } from '../unit.ts'
import { type Section, sectionProblem, type Settings, unitFileText } from './unit-file.ts'
import { unitTest } from './unit-test.ts'

const folder = '/etc/systemd/system'

/** A unit file that says nothing yet. */
export interface UnitFileStart<T> {
  /** Settings of a section, in order; a section that is said again goes on where it ended. systemd tests them. */
  section(name: string, settings: Settings): T
  /** The whole text, as it is. */
  content(text: string): T
  /** No such file. */
  absent(): T
}

/**
 * A unit of your own, `/etc/systemd/system/NAME`, `0644 root`. It is neither enabled nor started: `service()` does that.
 * Where the file changes, systemd reads it again at the end of the play, or before `service()` or `restart()` need it.
 *
 * A name without one of systemd's suffixes, a value of more than one line, and a wrong section or key are told before any
 * connection. A setting that systemd does not know, or would refuse or leave out for its value, is put back and told in its words
 * (`systemd-analyze verify`); a program need not be there yet. `absent()` stops and disables the unit first, where it runs from
 * this file.
 *
 * @example
 * systemdUnit('worker.service')
 *   .section('Unit', { Description: 'Sends what waits to be sent' })
 *   .section('Service', { ExecStart: '/usr/local/bin/worker --quiet', Environment: ['A=1', 'B=2'], Restart: 'on-failure' })
 *   .section('Install', { WantedBy: 'multi-user.target' })
 *   .notify(restart('worker'))
 * @see systemd.unit(5), systemd.syntax(7)
 */
export function systemdUnit(name: string): UnitFileStart<SystemdUnit> {
  return new SystemdUnit(name)
}

/**
 * Single settings of a unit that a package or somebody else brings: `/etc/systemd/system/UNIT.d/NAME.conf`, `0644 root`.
 * A setting that may be said several times is added to; say it empty first to replace it: `ExecStart: ['', '/usr/bin/mine']`.
 * What systemd would refuse or leave out is put back, as for `systemdUnit()`.
 *
 * @example
 * systemdDropIn('php8.2-fpm.service', 'limits').section('Service', { LimitNOFILE: 65536 }).notify(restart('php8.2-fpm'))
 * @see systemd.unit(5)
 */
export function systemdDropIn(unit: string, name: string): UnitFileStart<SystemdDropIn> {
  return new SystemdDropIn(unit, name)
}

abstract class UnitFile extends Task {
  readonly sections: readonly Section[] = []
  readonly text: string | undefined
  readonly isAbsent: boolean = false
  abstract readonly path: string

  section(name: string, settings: Settings): this {
    const before = this.sections.find((section) => section.name === name)
    const section = { name, settings: { ...before?.settings, ...settings } }
    const sections = before ? this.sections.map((s) => (s === before ? section : s)) : [...this.sections, section]
    const mixed = this.text === undefined ? undefined : `${this.id} has its whole content, and takes no section`
    return this.with<UnitFile>({ sections }).wrong(mixed ?? sectionProblem({ name, settings }))
  }

  content(text: string): this {
    const mixed = this.sections.length === 0 ? undefined : `${this.id} has sections, and takes no whole content`
    return this.with<UnitFile>({ text }).wrong(mixed)
  }

  absent(): this {
    return this.with<UnitFile>({ isAbsent: true })
  }

  override get unfinished() {
    const isSaid = this.isAbsent || this.text !== undefined || this.sections.length > 0
    return isSaid ? undefined : `${this.module}(${JSON.stringify(this.id)}) says no section(), content() or absent()`
  }

  /** The file, tested as a part of a unit. */
  protected fileOf(unit: string): Wish {
    const file = fileAt(this.path)
    if (this.isAbsent) return want<FileState>(file, { type: 'absent' })
    const guard = unitTest(unit, this.path)
    return want(file, ownedByRoot(this.text ?? unitFileText(this.sections)), { guard })
  }
}

export class SystemdUnit extends UnitFile implements UnitFileStart<SystemdUnit> {
  readonly module = 'systemdUnit'
  readonly id: string
  readonly path: string

  /** @internal Made by `systemdUnit()`. */
  constructor(name: string) {
    super()
    this.id = name
    this.path = `${folder}/${name}`
    const whole = unitName(name)
    if (isProblem(whole)) return this.wrong(whole.problem)
    if (whole !== name) return this.wrong(`${JSON.stringify(name)} says no kind of unit`, `Did you mean ${whole}?`)
    return this.notify(daemonReload(name))
  }

  get wishes() {
    return [this.isAbsent ? want(unitFrom(this.id, this.path), null) : look(unitDetails(this.id)), this.fileOf(this.id)]
  }

  override judge({ now, changes }: Reading): readonly Verdict[] {
    const file = fileAt(this.path)
    if (this.isAbsent || !changes(file) || now(file).type !== 'absent') return []
    const { fragment } = now(unitDetails(this.id))
    if (!fragment || fragment === this.path) return []
    return [note(`It hides all of ${fragment}; systemdDropIn() changes single settings of it.`)]
  }
}

export class SystemdDropIn extends UnitFile implements UnitFileStart<SystemdDropIn> {
  readonly module = 'systemdDropIn'
  readonly id: string
  readonly unit: string
  readonly path: string

  /** @internal Made by `systemdDropIn()`. */
  constructor(unit: string, name: string) {
    super()
    const whole = unitName(unit)
    const target = isProblem(whole) ? unit : whole
    this.id = `${target} ${name}`
    this.unit = target
    this.path = `${folder}/${target}.d/${name}.conf`
    if (isProblem(whole)) return this.wrong(whole.problem)
    if (!/^[A-Za-z0-9_][\w.@:-]*$/.test(name) || name.endsWith('.conf')) {
      return this.wrong(
        `${JSON.stringify(name)} is not a name for a drop-in`,
        'It is the name of a file without its `.conf`: limits.',
      )
    }
    return this.notify(daemonReload(target))
  }

  get wishes() {
    if (this.isAbsent) return [this.fileOf(this.unit)]
    const parent = fileAt(this.path.slice(0, this.path.lastIndexOf('/')))
    return [want(parent, (now) => (now.type === 'directory' ? now : directory)), this.fileOf(this.unit)]
  }
}

const directory: FileState = { type: 'directory', mode: '0755', owner: 'root', group: 'root' }

/** @internal A file of a unit, as all of them are. */
export function ownedByRoot(text: string): FileState {
  return { type: 'file', content: tellContent(Buffer.from(text)), mode: '0644', owner: 'root', group: 'root' }
}
