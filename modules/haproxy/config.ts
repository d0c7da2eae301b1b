/** HAProxy's configuration, whole: what it serves, and to whom. */

import { look, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import type { FileState } from '../../probe/file.ts'
import { haproxyFile } from '../haproxy-file.ts'
import { ipv6, listeners } from '../listeners.ts'
import { isIpv6, portOf } from '../listen-address.ts'
import { presence } from '../presence.ts'
import { reload } from '../service.ts'
import { haproxyVersion } from '../software-version.ts'
import type { HaproxyBackend } from './backend.ts'
import type { HaproxyFrontend } from './frontend.ts'
import {
  directiveLines,
  directivesProblem,
  type HaproxyMode,
  type HaproxySection,
  type HaproxyTimeouts,
  timeoutLines,
  timeoutProblem,
} from './section.ts'

export interface HaproxyGlobal {
  /** Connections at one time. @default by the memory and descriptors that it may have */
  readonly maxconn?: number
  /** More lines of the section, in HAProxy's own language. */
  readonly directives?: string
}

export interface HaproxyDefaults {
  /** @default 'http' */
  readonly mode?: HaproxyMode
  /** @default connect 5s, client 60s, server 60s, httpRequest 10s */
  readonly timeout?: HaproxyTimeouts
  /** More lines of the section, in HAProxy's own language. */
  readonly directives?: string
}

/** A configuration that listens nowhere yet. */
export interface HaproxyConfigStart {
  /** What concerns the process. Said again, it replaces what was said. */
  global(options: HaproxyGlobal): HaproxyConfigStart
  /** What frontends and backends do where they do not say. Said again, it replaces what was said. */
  defaults(options: HaproxyDefaults): HaproxyConfigStart
  /** Adds a backend. */
  backend(backend: HaproxyBackend): HaproxyConfigStart
  /** Adds a frontend. */
  frontend(frontend: HaproxyFrontend): HaproxyConfig
}

/**
 * HAProxy's configuration, `/etc/haproxy/haproxy.cfg`, whole: what is in the file and not said here goes. It begins with
 * Debian's process settings (log, chroot, admin socket, TLS from 1.2), and logs requests to the journal.
 *
 * HAProxy itself tests the new configuration beside the old one; one that it refuses is never put in place, and fails the
 * task in HAProxy's own words. HAProxy is reloaded at the end of the play where something changed; the service itself is
 * `service('haproxy')`'s.
 *
 * Told before any connection: two sections of one name, a frontend that leads nowhere or to a backend that is not there,
 * and what a section itself was given wrongly. Refused in the plan: no HAProxy on the host, and a port that belongs to another
 * daemon. A certificate that is not there is a note; HAProxy refuses the configuration without it.
 *
 * @example
 * haproxyConfig()
 *   .frontend(haproxyFrontend('http').bind('80').directives('http-request redirect scheme https code 301'))
 *   .frontend(haproxyFrontend('https').bind('443', { certificate: '/etc/haproxy/certs/coaching.pem' }).defaultBackend('web'))
 *   .backend(haproxyBackend('web').server('web1', '10.0.3.11:80', { check: true }))
 * @see https://docs.haproxy.org/3.2/configuration.html
 */
export function haproxyConfig(): HaproxyConfigStart {
  return new HaproxyConfig() as unknown as HaproxyConfigStart
}

/** Where Debian's unit reads it. */
export const haproxyConfigPath = '/etc/haproxy/haproxy.cfg'

export class HaproxyConfig extends Task {
  readonly module = 'haproxyConfig'
  readonly id = haproxyConfigPath
  readonly process: HaproxyGlobal = {}
  readonly common: HaproxyDefaults = {}
  readonly frontends: readonly HaproxyFrontend[] = []
  readonly backends: readonly HaproxyBackend[] = []

  /** @internal Made by `haproxyConfig()`. */
  constructor() {
    super()
    return this.notify(reload('haproxy.service'))
  }

  global(options: HaproxyGlobal): HaproxyConfig {
    const { maxconn, directives = '' } = options
    const wrong = directivesProblem(directives)
    const count = maxconn !== undefined && !(Number.isInteger(maxconn) && maxconn > 0)
    return this.with<HaproxyConfig>({ process: options })
      .wrong(count ? `haproxyConfig: ${maxconn} is not a number of connections` : undefined)
      .wrong(wrong && `haproxyConfig: ${wrong.problem}`, wrong?.hint)
  }

  defaults(options: HaproxyDefaults): HaproxyConfig {
    const { timeout = {}, directives = '' } = options
    const time = timeoutProblem(timeout)
    const wrong = directivesProblem(directives)
    return this.with<HaproxyConfig>({ common: options })
      .wrong(time && `haproxyConfig: ${time}`)
      .wrong(wrong && `haproxyConfig: ${wrong.problem}`, wrong?.hint)
  }

  frontend(frontend: HaproxyFrontend): HaproxyConfig {
    return this.with<HaproxyConfig>({ frontends: [...this.frontends, frontend] }).taking(this.frontends, frontend)
  }

  backend(backend: HaproxyBackend): HaproxyConfig {
    return this.with<HaproxyConfig>({ backends: [...this.backends, backend] }).taking(this.backends, backend)
  }

  override get unfinished(): string | undefined {
    if (this.frontends.length === 0) return 'haproxyConfig listens nowhere: give it a frontend'
    return this.frontends.map((frontend) => this.hinting(frontend) ?? this.leadingNowhere(frontend)).find(Boolean)
  }

  get wishes(): readonly Wish[] {
    return [
      look(haproxyVersion),
      look(ipv6),
      ...this.ports.map((port) => look(listeners(port))),
      ...this.certificates.map((path) => look(presence(path))),
      want(haproxyFile(haproxyConfigPath), textFile(this.text)),
    ]
  }

  override judge({ now, changes }: Reading): readonly Verdict[] {
    if (now(haproxyVersion) === null)
      return [refuse('HAProxy is not installed.', 'Install the package haproxy before this task.')]
    if (!now(ipv6) && this.frontends.some(({ binds }) => binds.some(({ address }) => isIpv6(address))))
      return [refuse('This host has no IPv6, so nothing can listen on [::].', 'Bind the port alone.')]
    const taken = this.ports.flatMap((port) => {
      const others = now(listeners(port)).filter((unit) => unit !== 'haproxy.service')
      return others.length === 0 ? [] : [{ port, others }]
    })
    const [first] = taken
    if (first && changes(haproxyFile(haproxyConfigPath))) {
      const { port, others } = first
      return [
        refuse(
          `Port ${port} belongs to ${others.join(' and ')}, and HAProxy could not listen on it.`,
          'Let it leave the port, or bind another.',
        ),
      ]
    }
    return this.certificates
      .filter((path) => !now(presence(path)))
      .map((path) => note(`${path} is not there now: HAProxy refuses the configuration without it.`))
  }

  private get ports(): readonly number[] {
    return [...new Set(this.frontends.flatMap(({ binds }) => binds.map(({ address }) => portOf(address))))]
  }

  private get certificates(): readonly string[] {
    const named = this.frontends.flatMap(({ binds }) => binds.flatMap(({ options }) => options.certificate ?? []))
    return [...new Set(named)]
  }

  private get text(): string {
    const { mode = 'http', timeout = {}, directives = '' } = this.common
    const { maxconn, directives: more = '' } = this.process
    const sections = [
      ['global', ...processLines, ...(maxconn === undefined ? [] : [`maxconn ${maxconn}`]), ...directiveLines(more)],
      [
        'defaults',
        `mode ${mode}`,
        ...loggingLines(mode),
        ...timeoutLines({ ...usualTimeouts, ...timeout }),
        ...directiveLines(directives),
      ],
      ...[...this.frontends, ...this.backends].map((section) => [
        `${section.kind} ${section.name}`,
        ...section.lines(mode),
      ]),
    ]
    const written = '# haproxyConfig() of fleetplay writes this file.\n'
    return written + sections.map((lines) => `\n${lines.join('\n    ')}\n`).join('')
  }

  private hinting({ name, links, mode = this.common.mode }: HaproxyFrontend): string | undefined {
    if (links.length === 0 || mode !== 'tcp') return undefined
    return `haproxyConfig: the frontend ${name} speaks tcp, and can send no early hints`
  }

  private leadingNowhere({ name, leadsTo, said }: HaproxyFrontend): string | undefined {
    const leads = said.some((line) => /^(?:use_backend|http-request (?:redirect|return|deny)|redirect)\b/.test(line))
    if (leadsTo === undefined) return leads ? undefined : `haproxyConfig: the frontend ${name} leads nowhere`
    return this.backends.some((backend) => backend.name === leadsTo)
      ? undefined
      : `haproxyConfig: the frontend ${name} leads to the backend ${leadsTo}, which is not there`
  }

  private taking(others: readonly HaproxySection[], section: HaproxySection): HaproxyConfig {
    const twice = others.some(({ name }) => name === section.name)
    const next = twice ? this.wrong(`haproxyConfig: the ${section.kind} ${section.name} is said twice`) : this
    return next.with<HaproxyConfig>({ problems: [...next.problems, ...section.problems] })
  }
}

/** Debian's, without what needs no saying. */
const processLines = [
  'log /dev/log local0',
  'log /dev/log local1 notice',
  'chroot /var/lib/haproxy',
  'stats socket /run/haproxy/admin.sock mode 660 level admin',
  'stats timeout 30s',
  'user haproxy',
  'group haproxy',
  'daemon',
  'ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets',
]

const usualTimeouts: HaproxyTimeouts = { connect: '5s', client: '60s', server: '60s', httpRequest: '10s' }

function loggingLines(mode: HaproxyMode): readonly string[] {
  return ['log global', `option ${mode}log`, 'option dontlognull']
}

function textFile(text: string): FileState {
  return { type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }
}
