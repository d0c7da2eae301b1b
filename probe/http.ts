/** What is asked of a server over HTTP, and what a client gets for it; values only. */

export interface HttpRequest {
  readonly url: string
  readonly method: 'GET' | 'HEAD'
  readonly headers: Readonly<Record<string, string>>
  /** Where to connect instead of the URL's host and port: `10.0.3.11`, `10.0.3.11:8443`. */
  readonly via: string | undefined
  /** Whether the certificate must be valid for the URL's host. */
  readonly verify: boolean
  /** Seconds until it is given up. */
  readonly deadline: number
}

export interface HttpHead {
  readonly status: number
  /** Names in lower case; several of one name in their order. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  /** Milliseconds after the request was sent. */
  readonly after: number
}

export interface HttpAnswer {
  readonly protocol: 'HTTP/1.1' | 'HTTP/2'
  /** Informational answers (103 Early Hints) in their order, before the final one. */
  readonly informational: readonly HttpHead[]
  readonly final: HttpHead
  /** The body, as text; cut at 64 KiB. */
  readonly body: string
}
