/** The rule by which HAProxy sends a 103. */

/**
 * One rule with all links: each conditional rule would be a 103 of its own, and browsers act on the first only. HTTP/1
 * clients get none: old ones take it for the answer.
 */
export function earlyHintRule(links: readonly string[]): string {
  // A percent sign begins an expression.
  const value = links.join(', ').replaceAll('%', '%%')
  return `http-request early-hint Link '${value}' if { fc_http_major ge 2 } { req.hdr(sec-fetch-mode) -m str navigate }`
}
