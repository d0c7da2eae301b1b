/** What systemd knows of units: one `systemctl show` for all the units of a play. */

import { type Resource, want, type Wish } from '../dsl/resource.ts'
import type { Parsed } from '../dsl/units.ts'
import { Failure } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import { type Collector, type Output, Probe, tail, unparsable } from '../probe/probe.ts'
import { type Script, sh } from '../shell/script.ts'
import { moveUnit } from './unit-control.ts'

/** How a unit file is installed, in the words of systemctl(1); `none` where a unit has no file. */
export type Enablement =
  | 'enabled'
  | 'enabled-runtime'
  | 'linked'
  | 'linked-runtime'
  | 'alias'
  | 'masked'
  | 'masked-runtime'
  | 'static'
  | 'disabled'
  | 'indirect'
  | 'generated'
  | 'transient'
  | 'bad'
  | 'none'

export interface UnitState {
  /** What happens at boot. */
  readonly enabled: Enablement
  /** What is now. A unit that is about to start, or waits to be started again after a crash, is not active. */
  readonly active: boolean
}

/** What is true of a unit beside its state, for judging. */
export interface UnitDetails {
  /** Its own name, where it was asked for by an alias. */
  readonly id: string
  /** Type of a service: `notify`, `oneshot`; null for other units. */
  readonly type: string | null
  /** Whether a oneshot service counts as active when it has ended. */
  readonly remains: boolean
  /** The file that it was loaded from. */
  readonly fragment: string | null
  readonly dropIns: readonly string[]
  /** Whether its files changed since systemd has read them. */
  readonly stale: boolean
  /** Units that start it when they are triggered. */
  readonly triggeredBy: readonly string[]
  /** For a unit that systemd does not know, the one of this host that was probably meant. */
  readonly nearest: string | null
}

/** @internal A unit as `systemctl show` prints it. */
export interface UnitRecord {
  readonly state: UnitState | null
  readonly details: UnitDetails
  /** What a socket unit listens on: streams, as systemd writes addresses. */
  readonly streams: readonly string[]
  /** `Backlog=` of a socket unit. */
  readonly backlog: number
}

/** A unit's state; null where systemd knows no such unit. The name is whole: `nginx.service`. */
export function unit(name: string): Resource<UnitState | null> {
  return {
    key: `unit:${name}`,
    read: unitRecord(name).map(({ state }) => state),
    write: (to, from) => moveUnit(name, to, from).touches(`unit:${name}/*`, ...served(name)),
    show: (value) => (value ? `${value.enabled}, ${value.active ? 'active' : 'inactive'}` : 'unknown'),
    fresh: { enabled: 'disabled', active: false },
  }
}

/** What runs, or is enabled, from a unit file; null where that is nothing, or where the unit comes from another file. */
export function unitFrom(name: string, path: string): Resource<UnitState | null> {
  return {
    key: `unit:${name}/own`,
    label: name,
    read: unitRecord(name).map(({ state, details }) => {
      const isAtRest = state === null || (!state.active && state.enabled !== 'enabled')
      return details.fragment !== path || isAtRest ? null : state
    }),
    write: (to, from) => moveUnit(name, to, from).touches(`unit:${name}`),
    show: (value) => (value ? `${value.enabled}, ${value.active ? 'active' : 'inactive'}` : 'stopped and disabled'),
    fresh: null,
  }
}

/** What is true of a unit beside its state. It can only be looked at. */
export function unitDetails(name: string): Resource<UnitDetails> {
  return {
    key: `unit:${name}/details`,
    read: unitRecord(name).map(({ details }) => details),
    fresh: {
      id: name,
      type: name.endsWith('.service') ? 'simple' : null,
      remains: false,
      fragment: null,
      dropIns: [],
      stale: false,
      triggeredBy: [],
      nearest: null,
    },
  }
}

/** Claims of a unit that it stays stopped, or that it is restarted at the end: both cannot be. Nothing is read or written for it. */
export function claimsOf(name: string, says: 'stopped' | 'restarted'): Wish {
  const place = { key: `unit-claim:${name}`, label: name, read: Probe.known(null), fresh: null }
  return want<null>(place, null, { whole: says })
}

/** What a handler of a unit must know of it. */
export interface FoundUnit {
  /** Null where systemd knows no such unit. */
  readonly enabled: Enablement | null
  /** The one of this host that was probably meant. */
  readonly nearest: string | null
}

/** Whether there is a unit to restart or reload. It can only be looked at. */
export function foundUnit(name: string): Resource<FoundUnit> {
  return {
    key: `unit:${name}/found`,
    read: unitRecord(name).map(({ state, details }) => ({ enabled: state && state.enabled, nearest: details.nearest })),
    fresh: { enabled: 'enabled', nearest: null },
  }
}

/** @internal Everything that is asked of a unit; the modules of this folder make their places from it. */
export function unitRecord(name: string): Probe<UnitRecord> {
  return Probe.of(units, name)
}

/**
 * The whole name of a unit: `nginx` is `nginx.service`. A suffix counts only where it is one of systemd's: `php8.2-fpm` has none.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html
 */
export function unitName(name: string, suffix = 'service'): Parsed<string> {
  const whole = suffixes.some((known) => name.endsWith(`.${known}`)) ? name : `${name}.${suffix}`
  if (/^[A-Za-z0-9:_.@\\-]+$/.test(whole) && whole.length <= 255 && !whole.startsWith('.')) return whole
  return { problem: `${JSON.stringify(name)} is not the name of a unit: letters, digits and :-_.\\@ make one` }
}

const suffixes = [
  'service',
  'socket',
  'target',
  'timer',
  'path',
  'mount',
  'automount',
  'swap',
  'slice',
  'scope',
  'device',
]

/** Places that a unit's start or stop moves: what only a running daemon can tell of. */
function served(name: string): readonly string[] {
  if (name.endsWith('.socket')) return [`socket:${name}`]
  const [, php] = /^php([\d.]+)-fpm\.service$/.exec(name) ?? []
  if (php !== undefined) return [`opcache:${php}`]
  if (/^redis(-server)?(@.+)?\.service$/.test(name)) return ['redis:*']
  return /^(mysql|mysqld|mariadb)\.service$/.test(name) ? ['mysql:*'] : []
}

const properties = [
  'Id,Names,LoadState,UnitFileState,ActiveState,FragmentPath,DropInPaths,NeedDaemonReload',
  'TriggeredBy,Type,RemainAfterExit,Listen,Backlog',
].join(',')

const units: Collector<string, UnitRecord> = {
  name: 'unit',
  // systemd 252 does not see a drop-in in a folder that is new to it, so those that are there are listed beside.
  // Only where a unit is not known, the names of those that the host has, from its folders: no process is started for them.
  ask: (names): Script => sh`o=$(systemctl show --no-pager --property=${properties} -- ${names}) || exit
printf '%s\n' "$o"
echo '# drop-ins'
for n in ${names}; do
  for f in "/etc/systemd/system/$n.d"/*.conf; do [ ! -s "$f" ] || printf '%s\n' "$f"; done
done
case $o in
  *LoadState=not-found*)
    echo '# units'
    for d in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
      cd "$d" 2>/dev/null && printf '%s\n' *.*
    done ;;
esac
exit 0`,
  answers: (output, names) => {
    if (output.status !== 0) return names.map(() => unanswered(output))
    const [shown = '', dropIns = '', having = ''] = output.stdout.toString().split(/^# (?:drop-ins|units)\n/m)
    const records = shown.split(/\n\n+/).filter((text) => text.trim() !== '')
    const byName = new Map(
      records
        .map((text) => parse(text, dropIns.split('\n').filter(Boolean)))
        .flatMap((record) => record.names.map((name) => [name, record] as const)),
    )
    const known = [
      ...new Set(having.split('\n').filter((name) => suffixes.some((suffix) => name.endsWith(`.${suffix}`)))),
    ]
    return names.map((name) => {
      const record = byName.get(name)
      return record ? record.of(name, known) : unparsable(`the unit ${name}`, output)
    })
  },
}

/** Properties come in an order that differs between versions, so they are taken by name. */
function parse(
  text: string,
  written: readonly string[],
): { readonly names: readonly string[]; of(name: string, known: readonly string[]): UnitRecord } {
  const lines = text.split('\n').map((line): [string, string] => {
    const at = line.indexOf('=')
    return [line.slice(0, at), line.slice(at + 1)]
  })
  const values = new Map(lines)
  const words = (name: string) => (values.get(name) ?? '').split(' ').filter(Boolean)
  const state = stateOf(values)
  const seen = words('DropInPaths')
  const unseen = (name: string) =>
    written.some((path) => path.startsWith(`/etc/systemd/system/${name}.d/`) && !seen.includes(path))
  return {
    names: [...new Set([values.get('Id') ?? '', ...words('Names')])],
    of: (name, known) => ({
      state,
      details: {
        id: values.get('Id') ?? name,
        type: values.get('Type') || null,
        remains: values.get('RemainAfterExit') === 'yes',
        fragment: values.get('FragmentPath') || null,
        dropIns: seen,
        stale: values.get('NeedDaemonReload') === 'yes' || unseen(name),
        triggeredBy: words('TriggeredBy'),
        nearest: state ? null : (suggestion(name, known) ?? null),
      },
      streams: lines.flatMap(([key, value]) =>
        key === 'Listen' && value.endsWith(' (Stream)') ? [value.slice(0, -9)] : [],
      ),
      backlog: Number(values.get('Backlog') ?? 0),
    }),
  }
}

/** A unit whose file is gone while it runs is known all the same. */
function stateOf(values: ReadonlyMap<string, string>): UnitState | null {
  const active = ['active', 'reloading', 'refreshing'].includes(values.get('ActiveState') ?? '')
  if (values.get('LoadState') === 'not-found' && !active) return null
  return { enabled: (values.get('UnitFileState') || 'none') as Enablement, active }
}

/** An instance is made from its template, so `worker@1.service` is near to `worker@.service`. */
function suggestion(name: string, known: readonly string[]): string | undefined {
  const suffix = name.slice(name.lastIndexOf('.'))
  const bare = (whole: string) => whole.slice(0, -suffix.length)
  const alike = known.filter((candidate) => candidate.endsWith(suffix)).map(bare)
  const close = nearest(bare(name), alike)
  return close === undefined ? undefined : close + suffix
}

function unanswered({ status, stderr }: Output): Failure {
  const hint = status === 127 ? 'This module is for hosts with systemd.' : undefined
  return new Failure('E_UNREADABLE', 'systemd does not answer on this host.', {
    hint,
    seen: { command: 'systemctl show', status, output: tail(stderr) },
  })
}
