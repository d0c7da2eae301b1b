/** A site of nginx, as text. */

import { portOf } from '../listen-address.ts'
import { atLeast } from '../software-version.ts'
import { http2Nginx } from './directives.ts'
import type { TlsFiles, Upstream } from './site.ts'

/** What a location does with a request. */
export type Location =
  /** Hands it to another server, with who asked and how in `X-Forwarded-*`. */
  | { readonly proxy: Upstream }
  /** Sends the client elsewhere; 301 where no status is said. */
  | { readonly redirect: string; readonly status?: 301 | 302 | 307 | 308 }
  /** Directives of nginx's own language, each with its semicolon. */
  | { readonly directives: string }

export interface SiteWords {
  readonly serverNames: readonly string[]
  readonly listen: readonly string[] | undefined
  readonly tls: TlsFiles | undefined
  readonly root: string | undefined
  readonly fastcgi: string | undefined
  /** By what stands behind `location`. */
  readonly locations: readonly (readonly [string, Location])[]
  readonly directives: readonly string[]
}

/** Where the site listens: on every address of both families where it does not say. */
export function listenOf({ listen, tls }: Pick<SiteWords, 'listen' | 'tls'>): readonly string[] {
  if (listen) return listen
  return tls ? ['443', '[::]:443'] : ['80', '[::]:80']
}

/** The locations that `root` and `fastcgi` make by themselves. */
export function ownLocations({ root, fastcgi }: Pick<SiteWords, 'root' | 'fastcgi'>): readonly string[] {
  if (root === undefined) return []
  return fastcgi === undefined ? ['/', hidden] : ['/', hidden, php]
}

/** Hidden files are nobody's, but for what proves to whom a name belongs. */
const hidden = '~ /\\.(?!well-known/)'
const php = '~ \\.php$'

export function siteText(name: string, site: SiteWords, nginx: string): string {
  const { serverNames, tls, root, fastcgi } = site
  const parts = [
    [...listenLines(site, nginx), `server_name ${serverNames.join(' ')};`],
    ...(tls ? [tlsLines(tls)] : []),
    ...(root === undefined ? [] : [rootLines(root, fastcgi)]),
    ...(site.directives.length > 0 ? [site.directives] : []),
    ...ownParts(site),
    ...site.locations.map(([path, what]) => block(`location ${path}`, locationLines(what))),
  ]
  return `# nginxSite('${name}') of fleetplay writes this file.\n${block('server', parts.flatMap(spaced)).join('\n')}\n`
}

/** An empty line between two parts. */
function spaced(part: readonly string[], at: number): readonly string[] {
  return at === 0 ? part : ['', ...part]
}

/** Before `http2 on` it was a word of `listen`, of which later ones warn. */
function listenLines(site: SiteWords, nginx: string): readonly string[] {
  const hasWord = atLeast(nginx, http2Nginx)
  const words = site.tls ? (hasWord ? ' ssl' : ' ssl http2') : ''
  const lines = listenOf(site).map((address) => `listen ${address}${words};`)
  return site.tls && hasWord ? [...lines, 'http2 on;'] : lines
}

function tlsLines({ certificate, key }: TlsFiles): readonly string[] {
  return [`ssl_certificate ${certificate};`, `ssl_certificate_key ${key};`, 'ssl_protocols TLSv1.2 TLSv1.3;']
}

function rootLines(root: string, fastcgi: string | undefined): readonly string[] {
  return [`root ${root};`, `index ${fastcgi === undefined ? 'index.html' : 'index.php index.html'};`]
}

function ownParts(site: SiteWords): readonly (readonly string[])[] {
  const { root, fastcgi, tls } = site
  if (root === undefined) return []
  const files = fastcgi === undefined ? 'try_files $uri $uri/ =404;' : 'try_files $uri $uri/ /index.php$is_args$args;'
  const plain = [block('location /', [files]), block(`location ${hidden}`, ['return 404;'])]
  if (fastcgi === undefined) return plain
  const pages = [
    // Without it php-fpm would be asked for whatever ends so, and might run a picture.
    'try_files $uri =404;',
    'include fastcgi_params;',
    'fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;',
    ...(tls ? ['fastcgi_param HTTPS on;', `fastcgi_param SERVER_PORT ${portOf(listenOf(site)[0]!)};`] : []),
    `fastcgi_pass unix:${fastcgi};`,
  ]
  return [...plain, block(`location ${php}`, pages)]
}

function locationLines(what: Location): readonly string[] {
  if ('directives' in what) return linesOf(what.directives)
  if ('redirect' in what) return [`return ${what.status ?? 301} ${what.redirect};`]
  return [
    `proxy_pass ${what.proxy};`,
    'proxy_http_version 1.1;',
    'proxy_set_header Connection "";',
    'proxy_set_header Host $http_host;',
    'proxy_set_header X-Real-IP $remote_addr;',
    'proxy_set_header X-Forwarded-For $remote_addr;',
    'proxy_set_header X-Forwarded-Host $http_host;',
    'proxy_set_header X-Forwarded-Proto $scheme;',
  ]
}

function block(head: string, lines: readonly string[]): readonly string[] {
  return [`${head} {`, ...lines.map((line) => (line === '' ? '' : `    ${line}`)), '}']
}

/** Lines of a text, without empty ones at its ends. */
export function linesOf(text: string): readonly string[] {
  return text.replace(/^\s*\n|\s+$/g, '').split('\n')
}
