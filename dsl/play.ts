/** Tasks for hosts: who, as whom, how many at a time, and what. */

import { Failure } from '../errors/failure.ts'
import type { Facts, FactsWithNeed } from '../probe/facts.ts'
import type { ShapeSpec } from './groups.ts'
import { Origin } from './origin.ts'
import type { Match, Pattern, VarsOf } from './pattern.ts'
import type { TaskList } from './task.ts'

/** How many hosts at a time: a number, or a share of the play's hosts. */
export type Serial = number | `${number}%`

/** Another host, as a play may look at it: from the inventory alone, never from the host itself. */
export interface HostView<V = unknown> {
  readonly name: string
  readonly address: string
  readonly groups: readonly string[]
  readonly vars: V
}

/** What the tasks of a play are made from, for each host. */
export interface PlayContext<S extends ShapeSpec = ShapeSpec, V = unknown> {
  /** The variables of the host: of the fleet, its groups and its own. */
  readonly vars: V
  /**
   * What the host is, as it was before the play. `facts.need.x` refuses in the plan where the host has no x.
   * Looking at `virtualization`, `interfaces` or `software` costs one trip more.
   */
  readonly facts: FactsWithNeed
  readonly host: HostView<V>
  /** Hosts of the inventory that a pattern selects, for addresses in templates. */
  readonly hosts: <const P extends Pattern<S>>(pattern: P) => readonly HostView<VarsOf<S, P>>[]
}

export interface Play {
  readonly kind: 'play'
  readonly name: string
  readonly shape: ShapeSpec
  /** Terms as `select` takes them. */
  readonly pattern: string
  /** The user to become for every task that does not say another; undefined for the user who logs in. */
  readonly become: string | undefined
  readonly serial: Serial | undefined
  /** Failed and unreachable hosts after which no further batch is begun. */
  readonly maxFailures: Serial
  readonly tasks: (context: PlayContext) => TaskList
  readonly origin: Origin
  /** What is wrong with how it was made. */
  readonly problems: readonly Failure[]
}

/** A play without hosts and tasks yet. */
export interface PlayStart<S extends ShapeSpec> {
  /** The hosts of the play: one or several patterns, of which a host must match one. */
  hosts<const P extends Pattern<S> | Match>(...patterns: readonly [P, ...P[]]): PlayDraft<S, Simple<VarsOf<S, P>>>
}

/** One flat type, for the editor and for messages. */
type Simple<T> = { readonly [K in keyof T]: T[K] }

/** A play without tasks yet. */
export interface PlayDraft<S extends ShapeSpec, V> {
  /** Does every task as another user. @default root */
  become(user?: string): PlayDraft<S, V>
  /** Works on so many hosts at a time; the next batch begins where the one before went well. */
  serial(size: Serial): PlayDraft<S, V>
  /** Goes on with the next batch while no more hosts than these have failed or were unreachable. @default 0 */
  maxFailures(limit: Serial): PlayDraft<S, V>
  /** The tasks, in the order in which they are done: a list, or a function that makes it for each host. It must be pure. */
  tasks(tasks: TaskList | ((context: PlayContext<S, V>) => TaskList)): Play
}

/** Plays that may run side by side. */
export interface Together {
  readonly kind: 'together'
  readonly plays: readonly Play[]
}

/** Plays that do not wait for each other. */
export function together(...plays: readonly Play[]): Together {
  return { kind: 'together', plays }
}

/** What a file of plays exports by default: they run in this order. */
export type Plays = Play | Together | readonly (Play | Together)[]

/** @internal Begins a play; users write `shape().play()`. */
export function play<S extends ShapeSpec>(shape: S, name: string): PlayStart<S> {
  const origin = Origin.here()
  return {
    hosts: ((...patterns: readonly (string | Match)[]) => {
      const pattern = patterns.map((p) => (typeof p === 'string' ? p : p.glob)).join(',')
      return draft({
        kind: 'play',
        name,
        shape,
        pattern,
        become: undefined,
        serial: undefined,
        maxFailures: 0,
        origin,
        problems: [],
      })
    }) as unknown as PlayStart<S>['hosts'],
  }
}

function draft<S extends ShapeSpec, V>(fields: Omit<Play, 'tasks'>): PlayDraft<S, V> {
  return {
    become: (user = 'root') => draft({ ...fields, become: user }),
    serial: (serial) => draft({ ...fields, serial, problems: [...fields.problems, ...wrongSize('serial', serial, 1)] }),
    maxFailures: (maxFailures) =>
      draft({ ...fields, maxFailures, problems: [...fields.problems, ...wrongSize('maxFailures', maxFailures, 0)] }),
    tasks: (tasks) => ({
      ...fields,
      tasks: typeof tasks === 'function' ? (tasks as unknown as Play['tasks']) : () => tasks as TaskList,
    }),
  }
}

function wrongSize(word: string, size: Serial, least: number): readonly Failure[] {
  const share = typeof size === 'string' ? /^(\d+(?:\.\d+)?)%$/.exec(size)?.[1] : undefined
  const fits =
    typeof size === 'number' ? Number.isInteger(size) && size >= least : share !== undefined && Number(share) <= 100
  if (fits) return []
  const message = `${word} takes a whole number from ${least}, or a share of up to '100%', not ${JSON.stringify(size)}`
  return [new Failure('E_PLAY_INVALID', message, { place: Origin.here().place })]
}

/** Facts of a plain host, by which the tasks of a play are made once before any connection, to find mistakes early. */
export const typicalFacts: Facts = {
  hostname: 'typical',
  os: { id: 'debian', version: '12', codename: 'bookworm', name: 'Debian GNU/Linux 12 (bookworm)' },
  kernel: '6.1.0-28-amd64',
  architecture: 'x86_64',
  processors: 2,
  memory: 4 * 1024 ** 3,
  systemd: true,
  defaultInterface: 'eth0',
  user: 'root',
  group: 'root',
  virtualization: 'kvm',
  interfaces: [
    { name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1500, state: 'up', addresses: ['192.0.2.1/24'] },
    { name: 'lo', mac: undefined, mtu: 65_536, state: 'unknown', addresses: ['127.0.0.1/8', '::1/128'] },
  ],
  software: {
    nginx: undefined,
    php: [],
    mysql: undefined,
    mariadb: undefined,
    redis: undefined,
    haproxy: undefined,
    systemd: '252',
  },
}
