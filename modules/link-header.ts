/** What a page will need, and the Link header that tells a browser so. */

import type { Parsed } from '../dsl/units.ts'

/** How the browser asks for it: `true` and `anonymous` without, `use-credentials` with cookies. */
export type Crossorigin = true | 'anonymous' | 'use-credentials'

/**
 * What is preloaded. A browser uses a preloaded thing only where it asks for it in the same way later, so `as` must be
 * right; and fonts are always asked for across origins, so a font must say `crossorigin` or it is loaded twice.
 *
 * @see https://html.spec.whatwg.org/multipage/links.html#link-type-preload
 */
export type Preload =
  | {
      readonly as: 'fetch' | 'image' | 'script' | 'style' | 'track'
      /** The MIME type, so that a browser that does not know it does not load it: `image/avif`. */
      readonly type?: `${string}/${string}`
      readonly crossorigin?: Crossorigin
    }
  | { readonly as: 'font'; readonly type?: `${string}/${string}`; readonly crossorigin: Crossorigin }

/**
 * The value of a Link header: `</x.css>; rel=preload; as=style; type="text/css"`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8288#section-3
 */
export function linkValue(target: string, { as, type, crossorigin }: Preload): Parsed<string> {
  const problem = wrongTarget(target)
  if (problem !== undefined) return { problem }
  if (type !== undefined && !mimeType.test(type))
    return { problem: `${JSON.stringify(type)} is not a MIME type such as font/woff2` }
  return [
    `<${target}>; rel=preload; as=${as}`,
    // A slash cannot stand in a bare value.
    ...(type === undefined ? [] : [`type="${type}"`]),
    ...(crossorigin === undefined
      ? []
      : [crossorigin === 'use-credentials' ? 'crossorigin=use-credentials' : 'crossorigin']),
  ].join('; ')
}

/**
 * Values of Link headers with one more; what is wrong with it where it cannot be added. HAProxy builds a head in 16 KiB, and
 * nginx is given as much for a 103 and the head of the page together.
 */
export function withLink(links: readonly string[], target: string, options: Preload): Parsed<readonly string[]> {
  const value = linkValue(target, options)
  if (typeof value !== 'string') return value
  if (links.some((link) => link.startsWith(`<${target}>`))) return { problem: `${target} is preloaded already` }
  const size = [...links, value].reduce((sum, link) => sum + 'link: \r\n'.length + link.length, 0)
  if (size > linksLimit)
    return { problem: `the links come to more than ${linksLimit} bytes, too many for a response's head` }
  return [...links, value]
}

const linksLimit = 8192

const mimeType = /^[\w.+-]+\/[\w.+-]+$/

function wrongTarget(target: string): string | undefined {
  const shown = JSON.stringify(target)
  if (!/^(\/|https:\/\/[^/])/.test(target))
    return `${shown} is neither a path from the root of the site nor an https URL`
  if (target.includes('#')) return `${shown} has a fragment, which a request never carries`
  // What RFC 3986 lets stand in a path and a query, without the apostrophe: it ends a quoted word of HAProxy.
  const strange = /[^\w.~:/?[\]@!$&()*+,;=%-]|%(?![0-9A-Fa-f]{2})/u.exec(target)?.[0]
  return strange && `${shown} has ${JSON.stringify(strange)}, which a URL cannot have: write it as ${encoded(strange)}`
}

function encoded(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}
