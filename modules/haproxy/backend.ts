/** Backends of HAProxy: the servers that answer. */

import type { Duration } from '../../dsl/units.ts'
import { configPathProblem } from '../config-path.ts'
import {
  directiveLines,
  directivesProblem,
  haproxyTime,
  type HaproxyMode,
  HaproxySection,
  type HaproxyTimeouts,
  nameProblem,
  timeoutLines,
  timeoutProblem,
} from './section.ts'

/** How the next server is chosen. */
export type HaproxyBalance = 'roundrobin' | 'static-rr' | 'leastconn' | 'first' | 'source' | 'uri' | 'random'

/** Where a server is: an address or a name with a port, or a socket of the host. */
export type ServerAddress = `${string}:${number}` | `[${string}]:${number}` | `unix@/${string}`

export interface HaproxyServer {
  /** Asks it again and again whether it is well, and leaves it out while it is not. @default false */
  readonly check?: boolean | HaproxyCheck
  /** Its share, 0 to 256. @default 1 */
  readonly weight?: number
  /** Only where no other is well. @default false */
  readonly backup?: boolean
  /** Requests at one time; what is more waits. @default no limit */
  readonly maxconn?: number
  /** Speaks TLS with it: the authorities that its certificate must be from, an absolute path on the host; or `'unverified'`. */
  readonly tls?: { readonly authorities: string; readonly name?: string } | 'unverified'
}

export interface HealthCheck {
  readonly host?: string
  readonly status?: number
}

export interface HaproxyCheck {
  /** Pause between two. @default 2s */
  readonly every?: Duration
  /** So many good ones in a row, and it is well. @default 2 */
  readonly rise?: number
  /** So many bad ones in a row, and it is not. @default 3 */
  readonly fall?: number
}

/** A backend that has no server yet. */
export interface HaproxyBackendStart {
  /** How the next server is chosen. @default 'roundrobin' */
  balance(how: HaproxyBalance): HaproxyBackendStart
  /** Lets the checks of servers ask for a path, of a host, which must be answered with a status. @default any 2xx or 3xx */
  healthCheck(path: string, options?: HealthCheck): HaproxyBackendStart
  /**
   * A server, with a name of its own in the backend. A host's name is resolved when HAProxy starts, which fails where it is
   * not known; an address never does.
   *
   * @example
   * haproxyBackend('web').server('web1', '10.0.3.11:80', { check: true })
   */
  server(name: string, address: ServerAddress, options?: HaproxyServer): HaproxyBackend
  /**
   * A server for each host, all on one port: the hosts of a group.
   *
   * @example
   * haproxyBackend('web').servers(hosts('web'), 80, { check: true })
   */
  servers(
    hosts: readonly { readonly name: string; readonly address: string }[],
    port: number,
    options?: HaproxyServer,
  ): HaproxyBackend
}

/**
 * A backend for `haproxyConfig()`: the servers that answer, and how they are chosen. Names, addresses, paths and times that
 * are not valid are told before any connection, by the configuration that takes it.
 *
 * @example
 * haproxyBackend('web').balance('leastconn').healthCheck('/ping').servers(hosts('web'), 80, { check: true })
 * @see https://docs.haproxy.org/3.2/configuration.html#5.2
 */
export function haproxyBackend(name: string): HaproxyBackendStart {
  return new HaproxyBackend(name)
}

export class HaproxyBackend extends HaproxySection implements HaproxyBackendStart {
  readonly kind = 'backend'
  readonly chosen: HaproxyBalance | undefined
  readonly health: readonly string[] = []
  readonly pool: readonly { readonly name: string; readonly line: string }[] = []

  /** @internal Made by `haproxyBackend()`. */
  constructor(name: string) {
    super(name)
    this.chosen = undefined
    const problem = nameProblem(name)
    if (problem) return this.wrong(problem)
  }

  server(name: string, address: ServerAddress, options: HaproxyServer = {}): HaproxyBackend {
    const twice = this.pool.some((server) => server.name === name) ? `the server ${name} is said twice` : undefined
    const line = ['server', name, address, ...serverWords(options)].join(' ')
    return this.with<HaproxyBackend>({ pool: [...this.pool, { name, line }] }).wrong(
      twice ?? nameProblem(name) ?? addressProblem(address) ?? serverProblem(options),
    )
  }

  servers(
    hosts: readonly { readonly name: string; readonly address: string }[],
    port: number,
    options: HaproxyServer = {},
  ): HaproxyBackend {
    return hosts.reduce<HaproxyBackend>(
      (backend, { name, address }) =>
        backend.server(name, `${address.includes(':') ? `[${address}]` : address}:${port}`, options),
      hosts.length === 0 ? this.wrong('there is no host to be a server') : this,
    )
  }

  balance(chosen: HaproxyBalance): HaproxyBackend {
    return this.with<HaproxyBackend>({ chosen })
  }

  healthCheck(path: string, options: HealthCheck = {}): HaproxyBackend {
    const { host, status } = options
    const problem = /^\/[\w.~:/?[\]@!$&()*+,;=%-]*$/.test(path)
      ? undefined
      : `${JSON.stringify(path)} is not a path to check`
    const send = `http-check send meth GET uri '${path}'${host === undefined ? '' : ` hdr Host ${host}`}`
    const expected = status === undefined ? [] : [`http-check expect status ${status}`]
    return this.with<HaproxyBackend>({ health: ['option httpchk', send, ...expected] }).wrong(
      problem ?? (host === undefined ? undefined : nameProblem(host)),
    )
  }

  /** How it speaks with servers. @default as the configuration's defaults, which is 'http' */
  speaks(mode: HaproxyMode): HaproxyBackend {
    return this.with<HaproxyBackend>({ mode })
  }

  /** Timeouts of its own; several calls add up. @default those of the configuration's defaults */
  timeout(timeouts: Pick<HaproxyTimeouts, 'connect' | 'server' | 'tunnel' | 'queue'>): HaproxyBackend {
    return this.with<HaproxyBackend>({ timeouts: { ...this.timeouts, ...timeouts } }).wrong(timeoutProblem(timeouts))
  }

  /** Lines of HAProxy's own language, for what has no word here: `cookie`, `http-response`, `option`. HAProxy tests them. */
  directives(text: string): HaproxyBackend {
    const wrong = directivesProblem(text)
    return this.with<HaproxyBackend>({ said: [...this.said, ...directiveLines(text)] }).wrong(
      wrong?.problem,
      wrong?.hint,
    )
  }

  lines(): readonly string[] {
    return [
      ...(this.mode ? [`mode ${this.mode}`] : []),
      ...(this.chosen ? [`balance ${this.chosen}`] : []),
      ...this.health,
      ...timeoutLines(this.timeouts),
      ...this.said,
      ...this.pool.map(({ line }) => line),
    ]
  }
}

function serverWords({ check = false, weight, backup = false, maxconn, tls }: HaproxyServer) {
  const { every, rise, fall } = check === true || check === false ? {} : check
  const pause = every === undefined ? undefined : haproxyTime(every)
  return [
    ...(check === false ? [] : ['check']),
    ...(typeof pause === 'string' ? [`inter ${pause}`] : []),
    ...(rise === undefined ? [] : [`rise ${rise}`]),
    ...(fall === undefined ? [] : [`fall ${fall}`]),
    ...(weight === undefined ? [] : [`weight ${weight}`]),
    ...(maxconn === undefined ? [] : [`maxconn ${maxconn}`]),
    ...(tls === undefined ? [] : tlsWords(tls)),
    ...(backup ? ['backup'] : []),
  ]
}

function tlsWords(tls: NonNullable<HaproxyServer['tls']>): readonly string[] {
  if (tls === 'unverified') return ['ssl verify none']
  const { authorities, name } = tls
  return [
    `ssl verify required ca-file ${authorities}`,
    ...(name === undefined ? [] : [`sni str(${name}) verifyhost ${name}`]),
  ]
}

function serverProblem({ check, weight, maxconn, tls }: HaproxyServer): string | undefined {
  const { every, rise, fall } = typeof check === 'object' ? check : {}
  const pause = every === undefined ? undefined : haproxyTime(every)
  if (pause !== undefined && typeof pause !== 'string') return pause.problem
  const counts = [rise, fall, maxconn].find((n) => n !== undefined && !(Number.isInteger(n) && n > 0))
  if (counts !== undefined) return `${counts} is not a whole number from 1`
  if (weight !== undefined && !(Number.isInteger(weight) && weight >= 0 && weight <= 256))
    return `the weight ${weight} is not a whole number from 0 to 256`
  if (typeof tls !== 'object') return undefined
  return configPathProblem(tls.authorities) ?? (tls.name === undefined ? undefined : nameProblem(tls.name))
}

function addressProblem(address: string): string | undefined {
  if (address.startsWith('unix@')) return configPathProblem(address.slice('unix@'.length))
  const port = Number(/^(?:[\w.-]+|\[[\da-fA-F:.]+\]):(\d{1,5})$/.exec(address)?.[1])
  if (port > 0 && port < 65536) return undefined
  return `${JSON.stringify(address)} is not an address such as 10.0.3.11:80 or unix@/run/app.sock`
}
