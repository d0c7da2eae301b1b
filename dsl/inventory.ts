/** To whom plays are said: hosts, how they are reached, their groups and variables. */

import { Failure } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import type { SomeFacts } from '../probe/facts.ts'
import type { FleetVars, GroupName, GroupVars, ShapeSpec } from './groups.ts'
import { Origin } from './origin.ts'
import type { Shape } from './shape.ts'
import { isProblem, type Variable, type Variables } from './variable.ts'

/** How a host is logged in to. What is not said here comes from the user's ssh_config. */
export interface SshOptions {
  readonly user?: string
  readonly port?: number
  /** Path of a private key; `~` is the home of the user who runs. */
  readonly privateKey?: string
  /** Hosts to jump through, as ssh's ProxyJump: `bastion` or `user@bastion:2222,inner`. */
  readonly jump?: string
  /** A file of known host keys, read instead of the user's own. */
  readonly knownHosts?: string
}

/** How another user is become. The password comes from `--become-password-file` or `--ask-become-password`. @default sudo */
export type BecomeMethod = 'sudo' | 'su' | 'doas'

/** A host in memory: nothing is connected to, everything is remembered. */
export interface Simulated {
  readonly facts?: SomeFacts
  /** Values that places have at first, by key; for the others a fresh Debian's. */
  readonly has?: Readonly<Record<string, unknown>>
}

/**
 * What carries scripts to a host: ssh; this machine; a command that passes standard input and output to a command line on
 * the host (`['docker', 'exec', '-i', 'web1']`, `['ssh', 'web1']` for certificates and hardware keys); or a simulation.
 */
export type Carrier =
  | 'ssh'
  | 'local'
  | { readonly exec: readonly [string, ...string[]] }
  | { readonly simulated: Simulated }

export interface HostSpec<S extends ShapeSpec> {
  readonly groups?: readonly GroupName<S>[]
  /** Name or address to connect to. @default the host's name */
  readonly address?: string
  /** @default ssh */
  readonly carrier?: Carrier
  readonly ssh?: SshOptions
  readonly become?: BecomeMethod
  readonly vars?: Partial<FleetVars<S> & AnyGroupVars<S>>
}

export interface InventorySpec<S extends ShapeSpec> {
  readonly vars?: Partial<FleetVars<S>>
  readonly groups?: { readonly [G in GroupName<S>]?: { readonly vars?: Partial<FleetVars<S> & GroupVars<S, G>> } }
  readonly hosts: Readonly<Record<string, HostSpec<S>>>
  /** For every host that does not say otherwise. */
  readonly ssh?: SshOptions
  readonly become?: BecomeMethod
  readonly carrier?: Carrier
}

export interface InventoryHost {
  readonly name: string
  readonly address: string
  readonly groups: readonly string[]
  readonly carrier: Carrier
  readonly ssh: SshOptions
  readonly become: BecomeMethod
  readonly vars: Readonly<Record<string, unknown>>
}

/** The variables of all groups together; a group without any takes nothing away from the others. */
type AnyGroupVars<S extends ShapeSpec> = UnionToIntersection<
  { [G in GroupName<S>]: S['groups'][G]['vars'] extends Variables ? GroupVars<S, G> : never }[GroupName<S>]
>

type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never

/** A loaded inventory. */
export class Inventory {
  readonly shape: ShapeSpec
  readonly origin: Origin
  readonly #spec: InventorySpec<ShapeSpec>

  constructor(shape: ShapeSpec, spec: InventorySpec<ShapeSpec>, origin: Origin) {
    this.shape = shape
    this.origin = origin
    this.#spec = spec
  }

  /** Its hosts, with overriding variables (`-e name=value`) where there are any, and all that is wrong with it. */
  resolve(overrides: Readonly<Record<string, string>> = {}): {
    readonly hosts: readonly InventoryHost[]
    readonly problems: readonly Failure[]
  } {
    const problems: Failure[] = []
    const wrong = (code: 'E_INVENTORY_INVALID' | 'E_OPTION', message: string, hint?: string) =>
      problems.push(new Failure(code, message, { place: code === 'E_OPTION' ? undefined : this.origin.place, hint }))
    const groups = Object.keys(this.shape.groups)
    const misspelt = (what: string, name: string, names: readonly string[]) => {
      const close = nearest(name, names)
      const hint = close ? `Did you mean ${close}?` : `The shape has: ${names.join(', ') || 'none'}.`
      wrong('E_INVENTORY_INVALID', `${what} ${name} is not in the shape.`, hint)
    }
    for (const group of Object.keys(this.#spec.groups ?? {}))
      if (!groups.includes(group)) misspelt('Group', group, groups)

    const everyVariable: Variables = Object.assign(
      {},
      this.shape.vars,
      ...groups.map((g) => this.shape.groups[g]!.vars),
    )
    for (const name of Object.keys(overrides)) {
      if (name in everyVariable) continue
      const close = nearest(name, Object.keys(everyVariable))
      wrong(
        'E_OPTION',
        `-e ${name}: the shape has no such variable.`,
        close ? `Did you mean ${close}?` : `The shape has: ${Object.keys(everyVariable).join(', ') || 'none'}.`,
      )
    }

    const hosts = Object.entries(this.#spec.hosts).map(([name, host]): InventoryHost => {
      if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name)) {
        wrong(
          'E_INVENTORY_INVALID',
          `${JSON.stringify(name)} is not a host name.`,
          'Letters, digits, dots and hyphens.',
        )
      }
      for (const group of host.groups ?? []) if (!groups.includes(group)) misspelt(`${name}: group`, group, groups)
      const carrier = host.carrier ?? this.#spec.carrier ?? 'ssh'
      if (!isCarrier(carrier)) {
        wrong(
          'E_INVENTORY_INVALID',
          `${name}: ${JSON.stringify(carrier)} is not a carrier.`,
          "There are: 'ssh', 'local', { exec: ['docker', 'exec', '-i', 'web1'] }, { simulated: {} }.",
        )
      }
      const mine = (host.groups ?? []).filter((g) => groups.includes(g))
      return {
        name,
        address: host.address ?? name,
        groups: mine,
        carrier,
        ssh: { ...this.#spec.ssh, ...host.ssh },
        become: host.become ?? this.#spec.become ?? 'sudo',
        vars: this.#variables(name, host, mine, overrides, wrong),
      }
    })
    if (hosts.length === 0) wrong('E_INVENTORY_INVALID', 'The inventory has no hosts.')
    return { hosts, problems: unique(problems) }
  }

  #variables(
    name: string,
    host: HostSpec<ShapeSpec>,
    groups: readonly string[],
    overrides: Readonly<Record<string, string>>,
    wrong: (code: 'E_INVENTORY_INVALID' | 'E_OPTION', message: string, hint?: string) => void,
  ): Record<string, unknown> {
    const types: Variables = Object.assign({}, this.shape.vars, ...groups.map((g) => this.shape.groups[g]!.vars))
    const own = (host.vars ?? {}) as Record<string, unknown>
    const byGroup = groups.map((g) => [g, (this.#spec.groups?.[g]?.vars ?? {}) as Record<string, unknown>] as const)
    const given = [own, this.#spec.vars ?? {}, ...byGroup.map(([, vars]) => vars)]
    for (const variable of new Set(given.flatMap((vars) => Object.keys(vars)))) {
      if (variable in types) continue
      const close = nearest(variable, Object.keys(types))
      const hint = close ? `Did you mean ${close}?` : `It may have: ${Object.keys(types).join(', ') || 'none'}.`
      wrong('E_INVENTORY_INVALID', `${name}: the shape has no variable ${variable} for it.`, hint)
    }
    return Object.fromEntries(
      Object.entries(types).map(([variable, type]) => {
        if (variable in overrides) {
          return [
            variable,
            taken(type.parseText(overrides[variable]!), (p) => wrong('E_OPTION', `-e ${variable}: ${p}`)),
          ]
        }
        const value = this.#value(name, variable, own, byGroup, wrong)
        if (value === undefined && !type.optional) {
          wrong('E_INVENTORY_INVALID', `${name}: variable ${variable} (${type.kind}) has no value.`)
          return [variable, undefined]
        }
        const tell = (p: string) => wrong('E_INVENTORY_INVALID', `${name}: variable ${variable}: ${p}`)
        return [variable, taken((type as Variable<unknown>).parse(value), tell)]
      }),
    )
  }

  #value(
    name: string,
    variable: string,
    own: Record<string, unknown>,
    byGroup: readonly (readonly [string, Record<string, unknown>])[],
    wrong: (code: 'E_INVENTORY_INVALID', message: string, hint?: string) => void,
  ): unknown {
    if (variable in own) return own[variable]
    const having = byGroup.filter(([, vars]) => variable in vars)
    const [first, second] = having.filter(([, vars], i) => i === 0 || !same(vars[variable], having[0]![1][variable]))
    if (first && second) {
      const hint = `Give ${name} a value of its own.`
      wrong('E_INVENTORY_INVALID', `${name}: groups ${first[0]} and ${second[0]} disagree on ${variable}.`, hint)
    }
    if (first) return first[1][variable]
    return (this.#spec.vars as Record<string, unknown> | undefined)?.[variable]
  }
}

/**
 * Declares the hosts of a fleet. What does not fit the shape is told when it is loaded, all at once.
 *
 * @example
 * export default inventory(fleet, {
 *   vars: { domain: 'coaching.example' },
 *   groups: { web: { vars: { php: '8.4' } } },
 *   hosts: { web1: { groups: ['web'], address: '10.0.3.11' } },
 * })
 */
export function inventory<S extends ShapeSpec>(fleet: Shape<S>, spec: InventorySpec<S>): Inventory {
  return new Inventory(fleet.spec, spec as unknown as InventorySpec<ShapeSpec>, Origin.here())
}

function taken(value: unknown, tell: (problem: string) => void): unknown {
  if (!isProblem(value)) return value
  tell(value.problem)
  return undefined
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** A mistake in what all hosts share is told once. */
function unique(problems: readonly Failure[]): readonly Failure[] {
  return [...new Map(problems.map((problem) => [problem.message, problem])).values()]
}

/** Inventories run without having been compiled. */
function isCarrier(carrier: unknown): carrier is Carrier {
  if (carrier === 'ssh' || carrier === 'local') return true
  if (typeof carrier !== 'object' || carrier === null) return false
  if ('exec' in carrier) {
    const { exec } = carrier
    return Array.isArray(exec) && exec.length > 0 && exec.every((word) => typeof word === 'string')
  }
  return 'simulated' in carrier
}
