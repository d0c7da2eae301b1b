import { describe, expect, it } from 'vitest'
import { linkValue, type Preload } from '../../modules/link-header.ts'

describe('linkValue()', () => {
  it.each<[string, Preload, string]>([
    ['/x.css', { as: 'style' }, '</x.css>; rel=preload; as=style'],
    [
      '/x.css?v=1&a=%20',
      { as: 'style', type: 'text/css' },
      '</x.css?v=1&a=%20>; rel=preload; as=style; type="text/css"',
    ],
    ['/f.woff2', { as: 'font', crossorigin: true }, '</f.woff2>; rel=preload; as=font; crossorigin'],
    ['/f.woff2', { as: 'font', crossorigin: 'anonymous' }, '</f.woff2>; rel=preload; as=font; crossorigin'],
    [
      'https://cdn.example/a.js',
      { as: 'script', crossorigin: 'use-credentials' },
      '<https://cdn.example/a.js>; rel=preload; as=script; crossorigin=use-credentials',
    ],
  ])('writes %s', (target, options, value) => {
    expect(linkValue(target, options)).toBe(value)
  })

  it.each([
    ['x.css', '"x.css" is neither a path from the root of the site nor an https URL'],
    ['http://a/x', '"http://a/x" is neither a path from the root of the site nor an https URL'],
    ['', '"" is neither a path from the root of the site nor an https URL'],
    ['/a b', '"/a b" has " ", which a URL cannot have: write it as %20'],
    ['/a>; rel=x', '"/a>; rel=x" has ">", which a URL cannot have: write it as %3E'],
    ["/it's", `"/it's" has "'", which a URL cannot have: write it as %27`],
    ['/a"b', '"/a\\"b" has "\\"", which a URL cannot have: write it as %22'],
    ['/a\nSet-Cookie:x', '"/a\\nSet-Cookie:x" has "\\n", which a URL cannot have: write it as %0A'],
    ['/50%', '"/50%" has "%", which a URL cannot have: write it as %25'],
    ['/ü', '"/ü" has "ü", which a URL cannot have: write it as %C3%BC'],
    ['/a#b', '"/a#b" has a fragment, which a request never carries'],
  ])('refuses %j', (target, problem) => {
    expect(linkValue(target, { as: 'style' })).toEqual({ problem })
  })

  it('refuses what is no MIME type', () => {
    const problem = '"text/css; x=\\"" is not a MIME type such as font/woff2'
    expect(linkValue('/a', { as: 'style', type: 'text/css; x="' })).toEqual({ problem })
  })

  it('lets no font go without crossorigin, which a browser would load twice', () => {
    // @ts-expect-error -- a font must say crossorigin
    const font: Preload = { as: 'font' }
    expect(font).toEqual({ as: 'font' })
    // @ts-expect-error -- no destination of a preload
    const navigation: Preload = { as: 'document' }
    expect(navigation).toEqual({ as: 'document' })
  })
})
