/** A site that nginx serves. */

import { look, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import type { FileState } from '../../probe/file.ts'
import { configPathProblem } from '../config-path.ts'
import { directoryOf, fileAt, needsDirectory } from '../file.ts'
import { isIpv6, type Listen, listenProblem, portOf } from '../listen-address.ts'
import { ipv6, listeners } from '../listeners.ts'
import { presence } from '../presence.ts'
import { reload } from '../service.ts'
import { atLeast, nginxVersion } from '../software-version.ts'
import { nginxTest, siteTest } from './configuration-test.ts'
import { directivesProblem, hasDirective, idleDirectives, mergingNginx, unknownDirective } from './directives.ts'
import { linesOf, listenOf, type Location, ownLocations, siteText, type SiteWords } from './nginx-site-config.ts'
import { nginxServers, sameName } from './servers.ts'
import { serverNameProblem, type TlsFiles, upstreamProblem } from './site.ts'

/** A site of which nothing is said yet. */
export interface NginxSiteStart {
  /** The names of the site. `*.example.com` is one; a regular expression is not. */
  serverName(...names: readonly [string, ...string[]]): NginxSiteNamed
  /** Has the site in `/etc/nginx/conf.d/NAME.conf`, as nginx's own packages do, and not in Debian's `sites-available`. */
  inConfD(): NginxSiteStart
  /** No such site: its link and its file go. */
  absent(): NginxSite
}

/** A site that answers nothing yet. */
export interface NginxSiteNamed {
  /** Where it listens. @default every address of both families: port 443 with TLS, else 80 */
  listen(...addresses: readonly [Listen, ...Listen[]]): NginxSiteNamed
  /**
   * TLS 1.2 and 1.3 with HTTP/2: the certificate with its whole chain, and its private key, absolute paths on the host. Where
   * one is not there the plan has a note, and nginx refuses the configuration.
   */
  tls(files: TlsFiles): NginxSiteNamed
  /** Directives of the server in nginx's own language, each with its semicolon, for what has no word here. Several calls add up. */
  directives(text: string): NginxSiteNamed
  /** Has the site in `/etc/nginx/conf.d/NAME.conf`, as nginx's own packages do, and not in Debian's `sites-available`. */
  inConfD(): NginxSiteNamed
  /** Serves the files of a folder: an absolute path on the host. Hidden files are answered 404. */
  root(folder: string): NginxSite
  /**
   * What is done with some requests. The path is what stands behind nginx's `location`: `/`, `/api/`, `= /health`, `~ \.png$`.
   *
   * @example
   * .location('/', { proxy: 'http://127.0.0.1:3000' })
   * .location('/', { redirect: 'https://$host$request_uri' })
   * .location('/status', { directives: 'stub_status;\nallow 127.0.0.1;\ndeny all;' })
   */
  location(path: string, what: Location): NginxSite
}

/**
 * A site of nginx: one server in a file of its own. It is written to `/etc/nginx/sites-available/NAME` with a link in
 * `sites-enabled`, as Debian has it. `http2` is spelt as the host's nginx knows it.
 *
 * nginx tests its configuration with the new site; one that it refuses is put back whole, and fails the task in nginx's own
 * words. So is one whose name another server has, which nginx would ignore. nginx is reloaded at the end of the play where
 * something changed; the service itself is `service('nginx')`'s.
 *
 * Names, paths, addresses and directives that are not valid are told before any connection. Refused in the plan: no nginx, a
 * port of another daemon, and a name that another file gives a server on the same port.
 *
 * @example
 * nginxSite('coaching')
 *   .serverName('coaching.example')
 *   .tls({ certificate: '/etc/ssl/coaching/fullchain.pem', key: '/etc/ssl/coaching/key.pem' })
 *   .root('/var/www/coaching')
 *   .fastcgi('/run/php/php8.4-fpm.sock')
 * nginxSite('coaching-http').serverName('coaching.example').location('/', { redirect: 'https://$host$request_uri' })
 * @see https://nginx.org/en/docs/http/ngx_http_core_module.html#server
 */
export function nginxSite(name: string): NginxSiteStart {
  return new NginxSite(name)
}

export class NginxSite extends Task implements NginxSiteStart, NginxSiteNamed {
  readonly module = 'nginxSite'
  readonly id: string
  readonly words: SiteWords = {
    serverNames: [],
    listen: undefined,
    tls: undefined,
    root: undefined,
    fastcgi: undefined,
    locations: [],
    directives: [],
  }
  readonly isAbsent: boolean = false
  readonly isInConfD: boolean = false

  /** @internal Made by `nginxSite()`. */
  constructor(name: string) {
    super()
    this.id = name
    const site = this.notify(reload('nginx.service'))
    return /^[\w][\w.-]{0,99}$/.test(name) ? site : site.saying({}, 'the name takes letters, digits and _.-')
  }

  serverName(...names: readonly [string, ...string[]]): NginxSite {
    const serverNames = [...new Set(names.map((name) => name.toLowerCase()))]
    return this.saying({ serverNames }, serverNames.map(serverNameProblem).find(Boolean))
  }

  listen(...addresses: readonly [Listen, ...Listen[]]): NginxSite {
    return this.saying({ listen: addresses }, addresses.map(listenProblem).find(Boolean))
  }

  tls({ certificate, key }: TlsFiles): NginxSite {
    return this.saying({ tls: { certificate, key } }, configPathProblem(certificate) ?? configPathProblem(key))
  }

  root(folder: string): NginxSite {
    return this.saying({ root: folder }, configPathProblem(folder))
  }

  /**
   * Lets php-fpm make the pages, by its socket: an absolute path on the host. What is no file goes to the `index.php` of the
   * root. With TLS, PHP is told `HTTPS` and the port.
   */
  fastcgi(socket: string): NginxSite {
    return this.saying({ fastcgi: socket }, configPathProblem(socket))
  }

  location(path: string, what: Location): NginxSite {
    const twice = this.words.locations.some(([other]) => other === path)
      ? `the location ${path} is said twice`
      : undefined
    return this.saying(
      { locations: [...this.words.locations, [path, what]] },
      twice ?? pathProblem(path) ?? locationProblem(what),
    )
  }

  directives(text: string): NginxSite {
    return this.saying({ directives: [...this.words.directives, ...linesOf(text)] }, directivesProblem(text))
  }

  inConfD(): NginxSite {
    return this.with<NginxSite>({ isInConfD: true })
  }

  absent(): NginxSite {
    return this.with<NginxSite>({ isAbsent: true })
  }

  override get unfinished(): string | undefined {
    const { serverNames, root, fastcgi, locations } = this.words
    if (this.isAbsent)
      return serverNames.length > 0 ? `nginxSite ${this.id} cannot be absent and have a name` : undefined
    if (serverNames.length === 0) return `nginxSite ${this.id} says nothing: .serverName() or .absent()`
    if (fastcgi !== undefined && root === undefined) return `nginxSite ${this.id}: fastcgi needs the root of the pages`
    if (root === undefined && locations.length === 0)
      return `nginxSite ${this.id} answers nothing: .root() or .location()`
    const double = locations.find(([path]) => ownLocations(this.words).includes(path))
    return double && `nginxSite ${this.id}: the location ${double[0]} is made by root() already`
  }

  get wishes(): readonly Wish[] {
    const { words, id } = this
    const [file, link] = [fileAt(this.places.file), fileAt(this.places.link ?? this.places.file)]
    const isLinked = this.places.link !== undefined
    if (this.isAbsent) {
      const absent = { type: 'absent' } as const
      const guard = nginxTest()
      return [...(isLinked ? [want(link, absent, { guard })] : []), want(file, absent, { guard })]
    }
    const guard = siteTest(words.serverNames)
    const target = `../sites-available/${id}`
    return [
      look(nginxVersion),
      look(directoryOf(this.places.file)),
      look(nginxServers(words.serverNames)),
      look(ipv6),
      ...this.ports.map((port) => look(listeners(port))),
      ...Object.keys(this.needs).map((path) => look(presence(path))),
      want(file, (_, __, beside) => textFile(siteText(id, words, beside(nginxVersion) ?? '')), {
        whole: `nginxSite ${JSON.stringify(words)}`,
        guard,
      }),
      ...(isLinked ? [want(link, { type: 'link', target }, { guard })] : []),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    if (this.isAbsent) return []
    const { now } = reading
    const version = now(nginxVersion)
    if (version === null) return [refuse('nginx is not installed.', 'Install the package nginx before this task.')]
    const refusal =
      this.missingFolder(reading) ??
      unknownDirective(this.said, version) ??
      this.unheard(reading) ??
      this.takenName(reading)
    if (refusal) return [refusal]
    const missing = Object.entries(this.needs).filter(([path]) => !now(presence(path)))
    return [
      ...missing.map(([path, without]) => note(`${path} is not there now: ${without}`)),
      ...this.lostHeaders(version),
      ...idleDirectives(this.said, version, this.passesOn),
    ]
  }

  private missingFolder(reading: Reading): Verdict | undefined {
    const [missing] = needsDirectory(this.places.file, reading)
    if (!missing || this.isInConfD) return missing
    return refuse('This nginx has no sites-available, which is Debian’s.', 'Say .inConfD().')
  }

  /** Why nginx could not listen there; its own test finds no port taken. */
  private unheard({ now }: Reading): Verdict | undefined {
    if (!now(ipv6) && listenOf(this.words).some(isIpv6))
      return refuse('This host has no IPv6, so nothing can listen on [::].', `Say .listen('${this.ports[0]}').`)
    for (const port of this.ports) {
      const others = now(listeners(port)).filter((unit) => unit !== 'nginx.service')
      if (others.length > 0)
        return refuse(
          `Port ${port} belongs to ${others.join(' and ')}, and nginx could not listen on it.`,
          'Let it leave the port, or give this site another with .listen().',
        )
    }
    return undefined
  }

  private takenName({ now }: Reading): Verdict | undefined {
    const { serverNames } = this.words
    const { file, link } = this.places
    return sameName(now(nginxServers(serverNames)), serverNames, this.ports, [file, link ?? file])
  }

  /** An `add_header` of a location drops all those of its server. */
  private lostHeaders(version: string): readonly Verdict[] {
    const server = this.words.directives.join('\n')
    const includesHeader = /(^|\s)include\s+snippets\/preload-/.test(server)
    if (!hasDirective(server, 'add_header') && !includesHeader) return []
    if (hasDirective(server, 'add_header_inherit') || (includesHeader && atLeast(version, mergingNginx))) return []
    const dropping = this.words.locations.filter(
      ([, what]) =>
        'directives' in what &&
        hasDirective(what.directives, 'add_header') &&
        !hasDirective(what.directives, 'add_header_inherit'),
    )
    const remedy = `Say them again in it${atLeast(version, mergingNginx) ? ', or add_header_inherit merge' : ''}.`
    return dropping.map(([path]) =>
      note(`The location ${path} has an add_header of its own, so nginx sends none of the server's there. ${remedy}`),
    )
  }

  private get places(): { readonly file: string; readonly link: string | undefined } {
    if (this.isInConfD) return { file: `/etc/nginx/conf.d/${this.id}.conf`, link: undefined }
    return { file: `/etc/nginx/sites-available/${this.id}`, link: `/etc/nginx/sites-enabled/${this.id}` }
  }

  /** All that was said in nginx's own language. */
  private get said(): string {
    const { directives, locations } = this.words
    const within = locations.flatMap(([, what]) => ('directives' in what ? [what.directives] : []))
    return [...directives, ...within].join('\n')
  }

  /** Whether something but php-fpm may answer. */
  private get passesOn(): boolean {
    const { fastcgi, locations } = this.words
    return (
      fastcgi === undefined || locations.some(([, what]) => 'proxy' in what) || hasDirective(this.said, 'proxy_pass')
    )
  }

  private get ports(): readonly number[] {
    return [...new Set(listenOf(this.words).map(portOf))]
  }

  /** Paths that others must make, and what is without them. */
  private get needs(): Readonly<Record<string, string>> {
    const { tls, fastcgi } = this.words
    const refused = 'nginx refuses the configuration without it.'
    return {
      ...(tls && { [tls.certificate]: refused, [tls.key]: refused }),
      ...(fastcgi !== undefined && { [fastcgi]: 'pages are answered 502 until php-fpm makes it.' }),
    }
  }

  private saying(said: Partial<SiteWords>, problem: string | undefined): this {
    return this.with<NginxSite>({ words: { ...this.words, ...said } }).wrong(
      problem && `nginxSite ${this.id}: ${problem}`,
    )
  }
}

function pathProblem(path: string): string | undefined {
  if (/^(?:(?:=|~\*?|\^~) )?[^\s{};"'#]+$/.test(path) || /^@\w+$/.test(path)) return undefined
  return `${JSON.stringify(path)} is not a location such as /api/, = /health or ~ \\.png$`
}

function locationProblem(what: Location): string | undefined {
  if ('proxy' in what) return upstreamProblem(what.proxy)
  if ('directives' in what) return directivesProblem(what.directives)
  return /^[^\s{};"'#\\]+$/.test(what.redirect)
    ? undefined
    : `${JSON.stringify(what.redirect)} is not a URL to redirect to, such as https://$host$request_uri`
}

function textFile(text: string): FileState {
  return { type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }
}
