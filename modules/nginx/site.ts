/** What a site with early hints is made of. */

/** A certificate and its private key: absolute paths on the host, PEM. The certificate's file holds the whole chain. */
export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

/** An HTTP server that nginx passes requests to: `http://127.0.0.1:3000`, `http://unix:/run/app.sock`. */
export type Upstream = `http://${string}` | `https://${string}`

/** A site as nginx serves it. */
export interface Site extends TlsFiles {
  readonly serverNames: readonly string[]
  readonly listen: readonly string[]
}

/** A site whose pages php-fpm makes. */
export interface PhpSite extends Site {
  readonly root: string
  readonly fastcgi: string
  /** Values of Link headers. */
  readonly links: readonly string[]
}

/** A site with the route by which its 103 is delivered. */
export type Delivery =
  | { readonly route: 'hop' | 'edge'; readonly site: PhpSite }
  | { readonly route: 'forward'; readonly site: Site; readonly upstream: string }

/** What is wrong with the name of a server, which is in lower case here. A regular expression is not taken. */
export function serverNameProblem(name: string): string | undefined {
  if (/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name)) return undefined
  const shown = JSON.stringify(name)
  // nginx compares bytes, and browsers send the name in ASCII.
  const ascii =
    /^[\p{L}\p{M}\p{N}.-]+$/u.test(name) && URL.canParse(`http://${name}/`) && new URL(`http://${name}/`).host
  return ascii
    ? `${shown} never comes so from a browser: say ${ascii}`
    : `${shown} is not the name of a host, such as coaching.example or *.coaching.example`
}

/** What is wrong with an upstream; a path would change what it is asked for. */
export function upstreamProblem(upstream: string): string | undefined {
  if (/^https?:\/\/(unix:\/[\w@%+=:,./-]+|[\w.-]+(:\d+)?|\[[0-9a-f:]+\](:\d+)?)$/i.test(upstream)) return undefined
  return `${JSON.stringify(upstream)} is not an upstream such as http://127.0.0.1:3000 or http://unix:/run/app.sock`
}
