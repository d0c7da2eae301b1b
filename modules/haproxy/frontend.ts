/** Frontends of HAProxy: where clients connect, and where they are led. */

import { configPathProblem } from '../config-path.ts'
import { type Preload, withLink } from '../link-header.ts'
import { isIpv6, type Listen, listenProblem } from '../listen-address.ts'
import { earlyHintRule } from './early-hint-rule.ts'
import {
  directiveLines,
  directivesProblem,
  type HaproxyMode,
  HaproxySection,
  type HaproxyTimeouts,
  nameProblem,
  timeoutLines,
  timeoutProblem,
} from './section.ts'

export interface HaproxyBind {
  /**
   * TLS with this certificate: an absolute path on the host, PEM, the whole chain and the private key in one file, or the key
   * beside it (`x.pem.key`). HTTP/2 is offered where the mode is `http`. Without it the address speaks no TLS.
   */
  readonly certificate?: string
}

/** A frontend of which no address is said yet. */
export interface HaproxyFrontendStart {
  /**
   * Listens on a port or an address; several calls add up. A port alone is IPv4's: `'443'` and `'[::]:443'` are both families.
   *
   * @example
   * haproxyFrontend('https').bind('443', { certificate: '/etc/haproxy/certs/coaching.pem' })
   */
  bind(address: Listen, options?: HaproxyBind): HaproxyFrontend
}

/**
 * A frontend for `haproxyConfig()`: where clients connect. Names, addresses, paths and times that are not valid are told before
 * any connection, by the configuration that takes it.
 *
 * @example
 * haproxyFrontend('https')
 *   .bind('443', { certificate: '/etc/haproxy/certs/coaching.pem' })
 *   .forwarded()
 *   .preload('/assets/css/x.min.css', { as: 'style' })
 *   .defaultBackend('web')
 * @see https://docs.haproxy.org/3.2/configuration.html#4
 */
export function haproxyFrontend(name: string): HaproxyFrontendStart {
  return new HaproxyFrontend(name)
}

export class HaproxyFrontend extends HaproxySection implements HaproxyFrontendStart {
  readonly kind = 'frontend'
  readonly binds: readonly { readonly address: string; readonly options: HaproxyBind }[] = []
  readonly links: readonly string[] = []
  readonly isForwarded: boolean = false
  readonly leadsTo: string | undefined

  /** @internal Made by `haproxyFrontend()`. */
  constructor(name: string) {
    super(name)
    this.leadsTo = undefined
    const problem = nameProblem(name)
    if (problem) return this.wrong(problem)
  }

  bind(address: Listen, options: HaproxyBind = {}): HaproxyFrontend {
    const { certificate } = options
    const problem = listenProblem(address) ?? (certificate === undefined ? undefined : configPathProblem(certificate))
    return this.with<HaproxyFrontend>({ binds: [...this.binds, { address, options }] }).wrong(problem)
  }

  /** How it speaks with clients. @default as the configuration's defaults, which is 'http' */
  speaks(mode: HaproxyMode): HaproxyFrontend {
    return this.with<HaproxyFrontend>({ mode })
  }

  /** The backend for what no other rule leads elsewhere. The configuration must have it. */
  defaultBackend(name: string): HaproxyFrontend {
    return this.with<HaproxyFrontend>({ leadsTo: name }).wrong(nameProblem(name))
  }

  /**
   * Tells the servers who asked, and how: `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Real-IP`. What a
   * client says of them itself is overwritten.
   */
  forwarded(): HaproxyFrontend {
    return this.with<HaproxyFrontend>({ isForwarded: true })
  }

  /**
   * Sends `103 Early Hints` with this link before the page is there, to navigations by HTTP/2 (`Sec-Fetch-Mode: navigate`):
   * a path of the site or an https URL, percent-encoded. Several calls are one 103, up to 8 KiB in all. It is sent before
   * whatever the answer will be, even a 404.
   *
   * @see https://docs.haproxy.org/3.2/configuration.html#http-request%20early-hint
   */
  preload(target: string, options: Preload): HaproxyFrontend {
    const links = withLink(this.links, target, options)
    return 'problem' in links ? this.wrong(links.problem) : this.with<HaproxyFrontend>({ links })
  }

  /** Timeouts of its own; several calls add up. @default those of the configuration's defaults */
  timeout(timeouts: Pick<HaproxyTimeouts, 'client' | 'httpRequest' | 'httpKeepAlive'>): HaproxyFrontend {
    return this.with<HaproxyFrontend>({ timeouts: { ...this.timeouts, ...timeouts } }).wrong(timeoutProblem(timeouts))
  }

  /**
   * Lines of HAProxy's own language, for what has no word here: `acl`, `http-request redirect`, `use_backend`. They stand
   * in front of the default backend; HAProxy tests them.
   *
   * @example
   * .directives('http-request redirect scheme https code 301')
   */
  directives(text: string): HaproxyFrontend {
    const wrong = directivesProblem(text)
    return this.with<HaproxyFrontend>({ said: [...this.said, ...directiveLines(text)] }).wrong(
      wrong?.problem,
      wrong?.hint,
    )
  }

  lines(mode: HaproxyMode): readonly string[] {
    const rules = this.said.filter(isHttpRequest)
    return [
      ...(this.mode ? [`mode ${this.mode}`] : []),
      ...this.binds.map((bind) => bindLine(bind, this.mode ?? mode)),
      ...timeoutLines(this.timeouts),
      // Rules in their order, and hints behind those that may answer by themselves; HAProxy warns of rules behind use_backend.
      ...this.said.filter((line) => !isHttpRequest(line) && !isUse(line)),
      ...(this.isForwarded ? forwardedRules : []),
      ...rules,
      ...(this.links.length > 0 ? [earlyHintRule(this.links)] : []),
      ...this.said.filter(isUse),
      ...(this.leadsTo === undefined ? [] : [`default_backend ${this.leadsTo}`]),
    ]
  }
}

const forwardedRules = [
  'http-request set-header X-Real-IP %[src]',
  'http-request set-header X-Forwarded-For %[src]',
  'http-request set-header X-Forwarded-Host %[req.hdr(host)]',
  'http-request set-header X-Forwarded-Proto https if { ssl_fc }',
  'http-request set-header X-Forwarded-Proto http unless { ssl_fc }',
]

function isHttpRequest(line: string): boolean {
  return line.startsWith('http-request ')
}

function isUse(line: string): boolean {
  return /^(?:redirect|use_backend) /.test(line)
}

function bindLine({ address, options }: HaproxyFrontend['binds'][number], mode: HaproxyMode): string {
  const { certificate } = options
  const at = address.includes(':') ? address : `0.0.0.0:${address}`
  return [
    `bind ${at}`,
    ...(isIpv6(address) ? ['v6only'] : []),
    ...(certificate === undefined ? [] : [`ssl crt ${certificate}`, ...(mode === 'http' ? ['alpn h2,http/1.1'] : [])]),
  ].join(' ')
}
