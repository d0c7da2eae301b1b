/** 103 Early Hints in front of an application, by a route that is known to deliver them. */

import { want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, Task, type Verdict } from '../../dsl/task.ts'
import type { FileState } from '../../probe/file.ts'
import { configPathProblem } from '../config-path.ts'
import { fileAt } from '../file.ts'
import { haproxyFile } from '../haproxy-file.ts'
import { type Preload, withLink } from '../link-header.ts'
import { type Listen, listenProblem, portOf } from '../listen-address.ts'
import { reload } from '../service.ts'
import { unit, unitFrom } from '../unit.ts'
import { nginxTest, siteTest } from './configuration-test.ts'
import {
  dropInText,
  folderOwned,
  haproxyText,
  nginxText,
  type Places,
  placesOf,
  tmpfilesText,
  unitText,
} from './early-hints-config.ts'
import { looks, neededFiles, verdicts } from './early-hints-judge.ts'
import {
  type Delivery,
  type PhpSite,
  serverNameProblem,
  type TlsFiles,
  type Upstream,
  upstreamProblem,
} from './site.ts'
import { socketFolder } from './socket-folder.ts'
import { systemdFile } from './systemd-file.ts'

type Tls = 'serverNames' | 'certificate' | 'key'
type Php = Tls | 'root' | 'fastcgi' | 'links'

/**
 * An `nginxEarlyHints()` whose route is not said yet, so that it is no task. `Said` is what the chain has said so far:
 * a route that needs more does not compile, and the error names what is missing.
 */
export interface EarlyHintsStart<Said extends keyof PhpSite = never> {
  /** What the chain has said: it alone tells the compiler's forms of the chain apart. */
  readonly site: Pick<PhpSite, Said>

  /** The names of the site. `*.example.com` is one; a regular expression is not. */
  serverName(...names: readonly [string, ...string[]]): EarlyHintsStart<Said | 'serverNames'>

  /**
   * The certificate and its private key: absolute paths on the host. Where one is not there, the plan has a note, and the
   * daemon refuses its configuration. A renewed certificate needs a reload.
   */
  tls(files: TlsFiles): EarlyHintsStart<Said | 'certificate' | 'key'>

  /** Where the site listens. @default 443 on every address: `'443', '[::]:443'` */
  listen(...addresses: readonly [Listen, ...Listen[]]): EarlyHintsStart<Said>

  /** The folder that is served: an absolute path on the host. Files are sent as they are, all else goes to its `index.php`. */
  root(folder: string): EarlyHintsStart<Said | 'root'>

  /** The socket of php-fpm: an absolute path on the host. Where it is not there yet, the plan has a note. */
  fastcgi(socket: string): EarlyHintsStart<Said | 'fastcgi'>

  /**
   * What the pages need, told to browsers before the page is made: a path of the site or an https URL, percent-encoded.
   * It may be said several times, up to 8 KiB in all. A URL that is not valid is told before any connection.
   *
   * @example
   * .preload('/assets/css/critical-coach.min.css', { as: 'style' })
   * .preload('/assets/fonts/speaker-sans.woff2', { as: 'font', type: 'font/woff2', crossorigin: true })
   */
  preload(target: string, options: Preload): EarlyHintsStart<Said | 'links'>

  /**
   * nginx keeps TLS. It passes HTTP/2 navigations through an HAProxy of the site's own, which sends the 103, and all else
   * straight to the site; where that HAProxy is down, pages come without hints. Needs nginx ≥ 1.29 and HAProxy ≥ 2.6.
   */
  hop(this: EarlyHintsStart<Php>): NginxEarlyHints

  /**
   * An HAProxy of the site's own takes TLS and HTTP/2 and sends the 103, with nginx behind it. Any nginx will do, HAProxy
   * must be ≥ 2.6. Nothing else may listen on the port: the other TLS sites of the host must move.
   */
  edge(this: EarlyHintsStart<Php>): NginxEarlyHints

  /**
   * The application behind nginx sends the 103 itself (Node's `writeEarlyHints`, FrankenPHP); nginx passes it on. Needs
   * nginx ≥ 1.29. The links are the application's, so `preload`, `root` and `fastcgi` have no place beside it.
   *
   * @example
   * nginxEarlyHints('shop').serverName('shop.example').tls({ certificate, key }).forward('http://127.0.0.1:3000')
   */
  forward(this: EarlyHintsStart<Tls>, upstream: Upstream): NginxEarlyHints

  /**
   * No such site, by whatever route it was: its HAProxy is stopped, and all its files go; nginx itself stays as it is.
   * Where pages came by a socket, the plan notes that they fail until nginx is reloaded at the end of the play.
   *
   * @example
   * nginxEarlyHints('coaching').absent()
   */
  absent(): NginxEarlyHints
}

/**
 * A TLS site that answers navigations with `103 Early Hints` before its page is made, so that the browser loads what the
 * page needs in the meantime. The chain ends with the route by which the 103 is delivered.
 *
 * nginx never sends a 103 of its own: `early_hints` (1.29 and later) only passes on what an HTTP upstream sends, and php-fpm
 * cannot send one. So there is `.hop()`, `.edge()` or `.forward()`; a route that the host cannot give is refused in the plan,
 * with the one that it can. A 103 goes to HTTP/2 navigations only (`Sec-Fetch-Mode: navigate`).
 *
 * Configurations are tested by the daemons themselves before they count; a refused one is put back, and fails the task in
 * the daemon's words. Both daemons are enabled and running, and are reloaded at the end of the play where something changed.
 * What already listens on the port or bears the name is refused in the plan; so are names, paths and URLs that are not
 * valid, before any connection.
 *
 * @example
 * nginxEarlyHints('coaching')
 *   .serverName('coaching.example')
 *   .tls({ certificate: '/etc/ssl/coaching/fullchain.pem', key: '/etc/ssl/coaching/key.pem' })
 *   .root('/var/www/coaching')
 *   .fastcgi('/run/php/php8.4-fpm.sock')
 *   .preload('/assets/css/x.min.css', { as: 'style' })
 *   .hop()
 *
 * @see https://nginx.org/en/docs/http/ngx_http_core_module.html#early_hints
 * @see https://docs.haproxy.org/3.2/configuration.html#http-request%20early-hint
 */
export function nginxEarlyHints(name: string): EarlyHintsStart {
  return new NginxEarlyHints(name) as unknown as EarlyHintsStart
}

export class NginxEarlyHints extends Task {
  readonly module = 'nginxEarlyHints'
  readonly id: string
  readonly site: Partial<PhpSite> & Pick<PhpSite, 'listen' | 'links'> = { listen: ['443', '[::]:443'], links: [] }
  readonly route: Delivery['route'] | undefined
  readonly upstream: string | undefined
  readonly isAbsent: boolean = false

  /** @internal Made by `nginxEarlyHints()`. */
  constructor(name: string) {
    super()
    this.id = name
    this.route = undefined
    this.upstream = undefined
    // It becomes part of file names, of a unit's name, and of sockets' paths, which are 97 bytes at most for HAProxy.
    if (!/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(name))
      return this.saying({}, 'the name takes up to 40 of a-z, 0-9 and -')
  }

  serverName(...names: readonly string[]): this {
    const serverNames = [...new Set(names.map((name) => name.toLowerCase()))]
    return this.saying({ serverNames }, serverNames.map(serverNameProblem).find(Boolean))
  }

  tls({ certificate, key }: TlsFiles): this {
    return this.saying({ certificate, key }, configPathProblem(certificate) ?? configPathProblem(key))
  }

  listen(...addresses: readonly Listen[]): this {
    const bad = addresses.map(listenProblem).find(Boolean)
    if (bad) return this.saying({}, bad)
    const several = new Set(addresses.map(portOf)).size > 1
    return this.saying({ listen: addresses }, several ? 'the addresses of a site must have one port' : undefined)
  }

  root(folder: string): this {
    return this.saying({ root: folder }, configPathProblem(folder))
  }

  fastcgi(socket: string): this {
    return this.saying({ fastcgi: socket }, configPathProblem(socket))
  }

  preload(target: string, options: Preload): this {
    const links = withLink(this.site.links, target, options)
    return 'problem' in links ? this.saying({}, links.problem) : this.saying({ links }, undefined)
  }

  hop(): NginxEarlyHints {
    return this.by('hop')
  }

  edge(): NginxEarlyHints {
    return this.by('edge')
  }

  forward(upstream: Upstream): NginxEarlyHints {
    const { root, fastcgi, links } = this.site
    const spare = root !== undefined || fastcgi !== undefined || links.length > 0
    return this.with<NginxEarlyHints>({ upstream })
      .by('forward')
      .saying({}, upstreamProblem(upstream))
      .saying(
        {},
        spare
          ? 'forward() passes on what the application sends; preload, root and fastcgi have no place beside it'
          : undefined,
      )
  }

  absent(): NginxEarlyHints {
    return this.with<NginxEarlyHints>({ isAbsent: true }).notify(reload('nginx.service'))
  }

  override get unfinished(): string | undefined {
    const { serverNames, certificate, root, fastcgi, links } = this.site
    const isSaid = links.length > 0 || [serverNames, certificate, root, fastcgi].some((each) => each !== undefined)
    if (this.isAbsent) return isSaid ? `nginxEarlyHints ${this.id} cannot be absent and be something` : undefined
    if (!this.route) return `nginxEarlyHints ${this.id} says no route: .hop(), .edge() or .forward()`
    return this.route !== 'forward' && links.length === 0
      ? `nginxEarlyHints ${this.id} has no .preload(): nothing to hint`
      : undefined
  }

  get wishes(): readonly Wish[] {
    const name = this.id
    const places = placesOf(name)
    if (this.isAbsent) return absence(places)
    const delivery = this.delivery
    if (!delivery) return []
    const nginx = [
      want(fileAt(places.nginxConfig), textFile(nginxText(name, delivery, places)), {
        guard: siteTest(delivery.site.serverNames),
      }),
      want(unit('nginx.service'), { enabled: 'enabled', active: true }, { unclaimed: true }),
    ]
    const seen = [...looks(delivery), ...neededFiles(delivery)]
    if (delivery.route === 'forward') return [...seen, ...nginx]
    const { route, site } = delivery
    return [
      ...seen,
      want(fileAt(places.tmpfiles), textFile(tmpfilesText(name, places))),
      want(socketsOf(places), { type: 'directory', ...folderOwned }),
      want(systemdFile(places.nginxDropIn), textFile(dropInText(name, places))),
      ...nginx,
      ...(route === 'edge'
        ? [
            // HAProxy finds the key of x.pem in x.pem.key; only since 3.0 can it be told another place.
            want(fileAt(places.certificate), { type: 'link', target: site.certificate }),
            want(fileAt(places.key), { type: 'link', target: site.key }),
          ]
        : []),
      want(haproxyFile(places.haproxyConfig), textFile(haproxyText(name, site, route, places))),
      want(systemdFile(places.unitFile, places.unit), textFile(unitText(name, route, places))),
      want(unit(places.unit), { enabled: 'enabled', active: true }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const places = placesOf(this.id)
    const { unit: name, nginxConfig: path } = places
    if (this.isAbsent && reading.changes(socketsOf(places)))
      return [note('Its requests fail from now on, some with a 502 until nginx is reloaded at the end of the play.')]
    return this.delivery ? verdicts(this.delivery, name, path, reading) : []
  }

  /** What was said, where it is enough; the types see to that. */
  private get delivery(): Delivery | undefined {
    const { site, route, upstream } = this
    if (!route) return undefined
    if (route === 'forward') return { route, site: site as PhpSite, upstream: upstream! }
    return { route, site: site as PhpSite }
  }

  private by(route: Delivery['route']): NginxEarlyHints {
    const { unit: own } = placesOf(this.id)
    return this.with<NginxEarlyHints>({ route }).notify(
      ...(route === 'forward' ? [] : [reload(own)]),
      reload('nginx.service'),
    )
  }

  private saying(said: Partial<PhpSite>, problem: string | undefined): this {
    return this.with<NginxEarlyHints>({ site: { ...this.site, ...said } }).wrong(
      problem && `nginxEarlyHints ${this.id}: ${problem}`,
    )
  }
}

/** nginx forgets the site first: it must not be left with an HAProxy that is gone. */
function absence(places: Places): readonly Wish[] {
  const absent: FileState = { type: 'absent' }
  return [
    want(fileAt(places.nginxConfig), absent, { guard: nginxTest() }),
    want(unitFrom(places.unit, places.unitFile), null),
    want(systemdFile(places.unitFile), absent),
    want(haproxyFile(places.haproxyConfig), absent),
    want(fileAt(places.certificate), absent),
    want(fileAt(places.key), absent),
    want(systemdFile(places.nginxDropIn), absent),
    want(socketsOf(places), absent),
    want(fileAt(places.tmpfiles), absent),
  ]
}

function socketsOf({ folder, hintsSocket, originSocket }: Places) {
  return socketFolder(folder, [hintsSocket, originSocket])
}

function textFile(text: string): FileState {
  return { type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }
}
