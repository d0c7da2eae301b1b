/** Services and other units of systemd: what happens at boot, and what is now; and the handlers that restart or reload them. */

import { type Handler, needs } from '../dsl/handler.ts'
import { Origin } from '../dsl/origin.ts'
import { look, want } from '../dsl/resource.ts'
import { note, type Reading, type Refusal, refuse, Task, type Verdict } from '../dsl/task.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import { lines, sh } from '../shell/script.ts'
import { claimsOf, type Enablement, foundUnit, unit, unitDetails, unitName, type UnitState } from './unit.ts'
import { control } from './unit-control.ts'

/** A unit of which no state is said yet. */
export interface ServiceStart {
  /** It is started at boot. What is now stays as it is. A masked unit is unmasked. */
  enabled(): Service
  /** It is not started at boot. What is now stays as it is, and so does a mask. */
  disabled(): Service
  /** It is active now. What happens at boot stays as it is. */
  started(): Service
  /** It is not active now. What happens at boot stays as it is. */
  stopped(): Service
  /** It cannot be started, by nobody and nothing, and is not active now. A unit that is not installed yet can be masked too. */
  masked(): Service
}

/**
 * A unit of systemd: enabled or disabled at boot, started or stopped now. What is not said stays as it is.
 * A name without a suffix is a service; `service('logrotate.timer')` is a timer.
 *
 * A start that fails tells the unit's last lines in the journal and what systemctl said. A unit that was started too often is
 * forgiven and tried once more. A service that is «started» as soon as it has a process (`Type=simple`) must live for half a second.
 *
 * Refused in the plan: a unit that systemd does not know (with the nearest that the host has), enabling one that has no
 * `[Install]` section, starting one that is masked, or a oneshot that is never active once it has ended.
 *
 * @example
 * service('nginx').enabled().started()
 * service('apt-daily.timer').disabled().stopped()
 * @see systemctl(1), systemd.unit(5)
 */
export function service(name: string): ServiceStart {
  return new Service(name)
}

export class Service extends Task implements ServiceStart {
  readonly module = 'service'
  readonly id: string
  readonly enablement: 'enabled' | 'disabled' | 'masked' | undefined
  readonly active: boolean | undefined

  /** @internal Made by `service()`. */
  constructor(name: string) {
    super()
    const whole = unitName(name)
    this.id = isProblem(whole) ? name : whole
    this.enablement = undefined
    this.active = undefined
    if (isProblem(whole)) return this.wrong(whole.problem)
    if (/@\.\w+$/.test(whole))
      return this.wrong(`${whole} is a template; say an instance of it, such as ${whole.replace('@.', '@one.')}`)
  }

  enabled(): Service {
    return this.boot('enabled')
  }

  disabled(): Service {
    return this.boot('disabled')
  }

  started(): Service {
    return this.now(true)
  }

  stopped(): Service {
    return this.now(false)
  }

  masked(): Service {
    return this.boot('masked').now(false)
  }

  override get unfinished() {
    const isSaid = this.enablement !== undefined || this.active !== undefined
    return isSaid
      ? undefined
      : `service(${JSON.stringify(this.id)}) says no state: enabled(), disabled(), started(), stopped() or masked()`
  }

  get wishes() {
    const stays = this.active === false ? [claimsOf(this.id, 'stopped')] : []
    return [look(unitDetails(this.id)), ...stays, want(unit(this.id), (now) => this.desired(now))]
  }

  override judge({ now, desired, changes, certain }: Reading): readonly Verdict[] {
    const place = unit(this.id)
    const details = now(unitDetails(this.id))
    const [was, will] = [now(place), desired(place)!]
    if (was === null && this.enablement !== 'masked') {
      // An earlier task may yet bring it.
      if (!certain(place)) return []
      return [unknown(this.id, details.nearest)]
    }
    if (!changes(place) || !certain(place)) return []
    const verdicts: Verdict[] = []
    if (was && was.enabled !== will.enabled && details.id !== this.id) {
      verdicts.push(
        refuse(
          `${this.id} is an alias of ${details.id}, which systemctl does not enable or disable.`,
          `Say ${details.id}.`,
        ),
      )
    }
    if (this.enablement === 'enabled' && was && fixed.includes(was.enabled)) {
      const hint = 'Leave enabled() out, and enable what starts it: its timer, its socket, or a unit that wants it.'
      verdicts.push(refuse(`${this.id} is ${was.enabled}: it has nothing of its own to enable.`, hint))
    }
    if (will.active && !was?.active) {
      if (will.enabled.startsWith('masked')) {
        verdicts.push(refuse(`${this.id} is masked, and cannot be started.`, 'Say enabled() too, which unmasks it.'))
      }
      if (details.type === 'oneshot' && !details.remains) {
        const hint = 'Enable what starts it, or let it run once by notify(restart(…)).'
        verdicts.push(refuse(`${this.id} is a oneshot: it is never active once it has ended.`, hint))
      }
    }
    if (was?.active && !will.active && this.enablement !== 'masked' && details.triggeredBy.length > 0) {
      verdicts.push(note(`${details.triggeredBy.join(' and ')} may start ${this.id} again.`))
    }
    return verdicts
  }

  private desired(now: UnitState | null): UnitState {
    const { enabled, active } = now ?? { enabled: 'disabled' as const, active: false }
    return { enabled: this.enablementOf(enabled), active: this.active ?? active }
  }

  private enablementOf(now: Enablement): Enablement {
    if (this.enablement !== 'disabled') return this.enablement ?? now
    return ['enabled', 'enabled-runtime', 'linked', 'linked-runtime'].includes(now) ? 'disabled' : now
  }

  private boot(enablement: 'enabled' | 'disabled' | 'masked'): Service {
    const twice =
      this.enablement && this.enablement !== enablement
        ? `${this.id} cannot be both ${this.enablement} and ${enablement}`
        : undefined
    return this.with<Service>({ enablement }).wrong(twice)
  }

  private now(active: boolean): Service {
    const twice =
      this.active !== undefined && this.active !== active ? `${this.id} cannot be both started and stopped` : undefined
    const masked = active && this.enablement === 'masked' ? `${this.id} cannot be both masked and started` : undefined
    return this.with<Service>({ active }).wrong(twice ?? masked)
  }
}

/** What enabling does not change. */
const fixed: readonly Enablement[] = ['static', 'indirect', 'generated', 'transient', 'none']

/**
 * Restarts a unit at the end of the play, once, where a task that notifies it has changed something. It is done when systemd shows
 * a new invocation of the unit, and the unit is active (a oneshot: has ended well); else the host fails, in the unit's own words.
 * systemd reads the unit's files again first, where they changed. A reload of the same unit is not needed then.
 * A plan that would restart a unit which the host does not have, or which is masked, is refused.
 *
 * @example
 * file('/etc/nginx/nginx.conf').source('./nginx.conf').notify(restart('nginx'))
 */
export function restart(name: string): Handler {
  const whole = known(name)
  return {
    key: `restart ${whole}`,
    name: `restart ${spoken(whole)}`,
    absorbs: [`reload ${whole}`, daemonReload(whole).key],
    needs: needs(foundUnit(whole), ({ enabled, nearest }) => {
      if (enabled === null) return unknown(whole, nearest)
      if (enabled.startsWith('masked')) return refuse(`${whole} is masked, and cannot be restarted.`)
      return undefined
    }),
    claims: claimsOf(whole, 'restarted'),
    moves: want(unit(whole), (now) => now && { ...now, active: true }),
    origin: Origin.here(),
    script: lines(
      control,
      sh`fresh ${whole} || exit
before=$id
go restart ${whole} || words ${whole}
settle ${whole} || words ${whole}
[ -z "$id" ] || [ "$id" != "$before" ] || { said='systemctl restart ended without an error, yet the unit runs as before.'; words ${whole}; }`,
    ).called(`systemctl restart ${whole}`),
  }
}

/**
 * Reloads a unit at the end of the play, once, where a task that notifies it has changed something. It is done when systemd shows
 * that the reload went well and the unit is still active. A unit that is not running has nothing to reload: it reads its
 * configuration when it starts. Many daemons take a wrong configuration in silence and keep the old one.
 *
 * @example
 * file('/etc/nginx/conf.d/site.conf').source('./site.conf').notify(reload('nginx'))
 */
export function reload(name: string): Handler {
  const whole = known(name)
  return {
    key: `reload ${whole}`,
    name: `reload ${spoken(whole)}`,
    absorbs: [],
    needs: needs(foundUnit(whole), ({ enabled, nearest }) => (enabled === null ? unknown(whole, nearest) : undefined)),
    origin: Origin.here(),
    script: lines(
      control,
      sh`fresh ${whole} || exit
[ "$active" != inactive ] || exit 0
before=$id
said=$(systemctl reload -- ${whole} 2>&1) || words ${whole}
settle ${whole} || words ${whole}
said="The reload ended with $reloaded."
[ "$reloaded" = success ] || words ${whole}
said='It did not live through the reload: systemd had to start it anew.'
[ "$id" = "$before" ] || words ${whole}`,
    ).called(`systemctl reload ${whole}`),
  }
}

/** Has systemd read its files again, where it holds old ones of the unit; for tasks that write them. Several need one reading. */
export function daemonReload(whole: string): Handler {
  return {
    key: `daemon-reload ${whole}`,
    name: `daemon-reload for ${spoken(whole)}`,
    absorbs: [],
    origin: Origin.here(),
    script: lines(control, sh`current ${whole}`).called('systemctl daemon-reload'),
  }
}

function known(name: string): string {
  const whole = unitName(name)
  if (isProblem(whole)) throw new Failure('E_PLAY_INVALID', whole.problem, { place: Origin.here().place })
  return whole
}

function unknown(whole: string, nearest: string | null): Refusal {
  const hint = nearest ? `Did you mean ${nearest}?` : 'Install the package that brings it in an earlier task.'
  return refuse(`systemd knows no unit ${whole} on this host.`, hint)
}

function spoken(whole: string): string {
  return whole.replace(/\.service$/, '')
}
