/** Timers of your own: when systemd starts a service. */

import type { Duration } from '../../dsl/units.ts'
import type { FileState } from '../../probe/file.ts'
import { type Resource, look, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { isProblem } from '../../dsl/variable.ts'
import { fileAt } from '../file.ts'
import { unit, unitDetails, unitFrom, unitName, type UnitState } from '../unit.ts'
import { calendarProblem, calendarTimes } from './calendar.ts'
import { declaredUnit, unitPath } from './declared-unit.ts'
import { timeSpan } from './quantity.ts'
import { SystemdService } from './service.ts'
import { ownedByRoot } from './unit.ts'
import { literal, type Settings, unitFileText } from './unit-file.ts'

/** A timer that does not say yet when. */
export interface SystemdTimerStart {
  /** At times of the calendar, in the host's time zone where none is said: `*:0/5`, `Mon..Fri 08:00`, `daily UTC`. Several add up. */
  onCalendar(expression: string): SystemdTimer
  /** So long after the host has booted; at once where that has passed when the timer is started. */
  onBootSec(after: Duration): SystemdTimer
  /** So long after the service was last started; it begins with another time, such as `onBootSec()`. */
  onUnitActiveSec(after: Duration): SystemdTimer
  /** No such timer: it is stopped and disabled, and its file removed. The service that it starts stays as it is. */
  absent(): SystemdTimer
}

/**
 * A timer of your own, `/etc/systemd/system/NAME.timer`, enabled and waiting. It starts the service of the same name where
 * `starts()` names no other; a service that still runs is not started again.
 *
 * systemd only logs a wrong calendar expression, and goes on with the old times. So an expression is checked by its form before any
 * connection, and by the host's own systemd in the plan, which shows what it was understood as; one that never comes is refused.
 * Refused in the plan too is a service that systemd does not know. A timer whose times change waits for the new ones at once.
 *
 * @example
 * systemdTimer('crm-sync').onCalendar('*:0/5').randomizedDelay('30s').persistent()
 *   .starts(systemdService('crm-sync').runs(['/usr/bin/php', '/srv/crm/sync.php']).as('crm').oneshot())
 * systemdTimer('report').onCalendar('Mon..Fri 08:00').starts('crm-report.service')
 * @see systemd.timer(5), systemd.time(7)
 */
export function systemdTimer(name: string): SystemdTimerStart {
  return new SystemdTimer(name)
}

export class SystemdTimer extends Task implements SystemdTimerStart {
  readonly module = 'systemdTimer'
  readonly id: string
  readonly calendar: readonly string[] = []
  readonly settings: Settings = {}
  readonly started: string
  readonly service: SystemdService | undefined
  readonly isStopped: boolean = false
  readonly isAbsent: boolean = false

  /** @internal Made by `systemdTimer()`. */
  constructor(name: string) {
    super()
    const whole = unitName(name, 'timer')
    this.id = isProblem(whole) ? name : whole
    this.started = this.id.replace(/\.timer$/, '.service')
    this.service = undefined
    if (isProblem(whole)) return this.wrong(whole.problem)
    if (!whole.endsWith('.timer')) return this.wrong(`${whole} is not the name of a timer`)
    if (whole.endsWith('@.timer'))
      return this.wrong(`${whole} is a template, which cannot wait`, 'systemdUnit() writes templates.')
  }

  onCalendar(expression: string): SystemdTimer {
    const problem = calendarProblem(expression)
    const calendar = this.calendar.includes(expression) ? this.calendar : [...this.calendar, expression]
    return this.says(problem ? {} : { calendar }).wrong(problem && `onCalendar: ${problem}`)
  }

  onBootSec(after: Duration): SystemdTimer {
    return this.spans('onBootSec', 'OnBootSec', after)
  }

  onUnitActiveSec(after: Duration): SystemdTimer {
    return this.spans('onUnitActiveSec', 'OnUnitActiveSec', after)
  }

  absent(): SystemdTimer {
    return this.says({ isAbsent: true })
  }

  /** What it starts: a unit by its name, or a oneshot that is declared here and done before. @default the service of the same name */
  starts(what: string | SystemdService): SystemdTimer {
    if (what instanceof SystemdService) {
      const problem = what.isOneshot ? undefined : `starts: ${what.id} is not a oneshot, so it runs already`
      return this.says({ service: what, started: what.id }).wrong(problem, 'Say oneshot() of the service.')
    }
    const name = unitName(what)
    if (isProblem(name)) return this.wrong(`starts: ${name.problem}`)
    return this.says({ started: name, service: undefined }).wrong(
      name === this.id ? `starts: ${name} cannot start itself` : undefined,
    )
  }

  /** It waits up to so long more, each time another while, so that many hosts do not all begin at once. */
  randomizedDelay(most: Duration): SystemdTimer {
    return this.spans('randomizedDelay', 'RandomizedDelaySec', most)
  }

  /** How late it may be, since systemd wakes the processor for several timers at once. @default 1m */
  accuracy(within: Duration): SystemdTimer {
    return this.spans('accuracy', 'AccuracySec', within)
  }

  /** A time of the calendar that passed while the host was down is made up for when it is up again. */
  persistent(): SystemdTimer {
    return this.says({ settings: { ...this.settings, Persistent: true } })
  }

  /** It is there, but it does not wait, and is not started at boot. */
  stopped(): SystemdTimer {
    return this.says({ isStopped: true })
  }

  override get parts(): readonly Task[] {
    return this.service && !this.isAbsent ? [this.service] : []
  }

  override get unfinished() {
    if (this.isAbsent || this.problems.length > 0) return undefined
    const self = `systemdTimer(${JSON.stringify(this.id)})`
    const isOnCalendar = this.calendar.length > 0
    if (!isOnCalendar && this.settings['Persistent'])
      return `${self} has none: persistent() makes up for times of the calendar, onCalendar()`
    if (isOnCalendar || 'OnBootSec' in this.settings) return undefined
    if (!('OnUnitActiveSec' in this.settings)) return `${self} does not say when: onCalendar() or onBootSec()`
    return `${self} never begins: onUnitActiveSec() counts from a start that another time makes; say onBootSec() too`
  }

  get wishes(): readonly Wish[] {
    if (this.isAbsent)
      return [want(unitFrom(this.id, unitPath(this.id)), null), want<FileState>(this.file, { type: 'absent' })]
    const state = unit(this.id)
    return [
      look(unitDetails(this.id)),
      look(unitDetails(this.started)),
      look(unit(this.started)),
      ...this.calendar.map((expression) => look(calendarTimes(expression))),
      want(this.file, ownedByRoot(this.text)),
      want<UnitState | null>(
        state,
        this.isStopped ? { enabled: 'disabled', active: false } : { enabled: 'enabled', active: true },
      ),
    ]
  }

  override judge({ now, changes, certain }: Reading): readonly Verdict[] {
    if (this.isAbsent) return []
    const understood = this.calendar.map((expression) => ({ expression, times: now(calendarTimes(expression)) }))
    for (const { expression, times } of understood) {
      if ('problem' in times) return [refuse(times.problem, 'systemd.time(7) tells what a calendar expression is.')]
      if (!times.comes) return [refuse(`The time ${expression} (${times.normal}) never comes.`)]
    }
    const service = unit(this.started)
    if (now(service) === null && certain(service) && !this.service) {
      const { nearest } = now(unitDetails(this.started))
      const hint = nearest ? `Did you mean ${nearest}?` : 'Declare it: starts(systemdService(…).runs(…).oneshot())'
      return [refuse(`${this.id} would start ${this.started}, which systemd does not know on this host.`, hint)]
    }
    const is = unit(this.id)
    if (now(is)?.enabled === 'masked' && certain(is))
      return [refuse(`${this.id} is masked: somebody wants that nothing starts it.`, `systemctl unmask ${this.id}`)]
    if (!changes(fileAt(unitPath(this.id)))) return []
    const other = understood.flatMap(({ expression, times }) =>
      'normal' in times && times.normal !== expression ? [note(`${expression} is ${times.normal}.`)] : [],
    )
    return other
  }

  private get file(): Resource<FileState> {
    return declaredUnit(this.id, this.text, { restarts: false })
  }

  private get text(): string {
    const isNamedAlike = this.started === this.id.replace(/\.timer$/, '.service')
    const header = '# Managed by fleetplay: changes made here are overwritten.\n'
    return `${header}${unitFileText([
      { name: 'Unit', settings: { Description: `Starts ${this.started}` } },
      {
        name: 'Timer',
        settings: {
          ...(this.calendar.length > 0 ? { OnCalendar: this.calendar } : {}),
          ...this.settings,
          ...(isNamedAlike ? {} : { Unit: literal(this.started) }),
        },
      },
      { name: 'Install', settings: { WantedBy: 'timers.target' } },
    ])}`
  }

  private spans(word: string, key: string, duration: Duration): SystemdTimer {
    const span = timeSpan(duration)
    if (isProblem(span)) return this.wrong(`${word}: ${span.problem}`)
    return this.says({ settings: { ...this.settings, [key]: span } })
  }

  private says(fields: Partial<SystemdTimer>): SystemdTimer {
    const next = this.with<SystemdTimer>(fields)
    return contradiction(this) ? next : next.wrong(contradiction(next))
  }
}

function contradiction({ id, calendar, settings, isAbsent, isStopped }: SystemdTimer): string | undefined {
  if (isAbsent && (calendar.length > 0 || Object.keys(settings).length > 0 || isStopped))
    return `${id} cannot be absent and have times`
  return undefined
}
