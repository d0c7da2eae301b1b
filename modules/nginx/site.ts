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
