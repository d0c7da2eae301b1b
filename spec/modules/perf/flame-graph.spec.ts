import { describe, expect, it } from 'vitest'
import { flameGraph, type Stack } from '../../../modules/perf/flame-graph.ts'

const stacks: readonly Stack[] = [
  { frames: ['php-fpm', 'main', 'render'], samples: 60 },
  { frames: ['php-fpm', 'main', 'render', 'read_[k]'], samples: 30 },
  { frames: ['php-fpm', 'main', 'a<b> && "c"\u0007'], samples: 10 },
]
const svg = flameGraph(stacks, { title: 'php <8.4>', subtitle: 'cycles:P' })

interface Box {
  readonly title: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly fill: string
}

const boxes = (text: string): readonly Box[] =>
  [...text.matchAll(/<g><title>(.*?)<\/title><rect x="(.*?)" y="(.*?)" width="(.*?)" .*?fill="(.*?)"/g)].map(
    ([, title, x, y, width, fill]) => ({
      title: title!,
      x: Number(x),
      y: Number(y),
      width: Number(width),
      fill: fill!,
    }),
  )
const box = (name: string) => boxes(svg).find(({ title }) => title.startsWith(`${name} (`))!

describe('a flame graph', () => {
  it('has a frame as wide as its share, above the one that called it', () => {
    expect(box('all')).toMatchObject({ title: 'all (100 samples, 100.00 %)', x: 10, width: 1180 })
    expect(box('main').width).toBe(1180)
    expect(box('render')).toMatchObject({ title: 'render (90 samples, 90.00 %)', width: 1062 })
    expect(box('read_[k]')).toMatchObject({ title: 'read_[k] (30 samples, 30.00 %)', width: 354 })
    expect(['all', 'php-fpm', 'main', 'render', 'read_[k]'].map((name) => box(name).y)).toEqual([124, 107, 90, 73, 56])
  })

  it('has those with one caller beside each other, by name', () => {
    const [first, second] = [box('a&lt;b&gt; &amp;&amp; &quot;c&quot;\ufffd'), box('render')]
    expect(first.x).toBe(10)
    expect(second.x).toBe(first.x + first.width)
    expect(box('read_[k]').x).toBe(second.x)
  })

  it('is one self-contained picture, in which names are no markup', () => {
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 1200 151" /)
    expect(svg).toContain('>php &lt;8.4&gt;</text>')
    expect(svg.trimEnd()).toMatch(/<\/svg>$/)
    expect(svg).not.toMatch(/<script|href|url\(/)
    expect(svg.match(/<g>/g)).toHaveLength(svg.match(/<\/g>/g)!.length)
  })

  it('has colours of the name alone, and other ones for the kernel', () => {
    const again = boxes(flameGraph([{ frames: ['sh', 'render'], samples: 1 }], { title: '', subtitle: '' }))
    expect(again.find(({ title }) => title.startsWith('render'))!.fill).toBe(box('render').fill)
    expect(box('read_[k]').fill).toMatch(/^hsl\((19[5-9]|20\d|21\d),/)
    expect(box('render').fill).toMatch(/^hsl\(([5-9]|[1-4]\d|5[0-4]),/)
  })

  it('leaves out what cannot be seen, and keeps its room', () => {
    const rare = flameGraph(
      [
        { frames: ['x', 'a'], samples: 1 },
        { frames: ['x', 'b'], samples: 9999 },
      ],
      { title: '', subtitle: '' },
    )
    expect(boxes(rare).map(({ title }) => title.split(' ')[0])).toEqual(['all', 'x', 'b'])
    expect(boxes(rare)[2]).toMatchObject({ x: 10.12, width: 1179.88 })
  })

  it('cuts a name that is longer than its frame', () => {
    const text = flameGraph(
      [
        { frames: ['a_rather_long_name_of_a_function'], samples: 1 },
        { frames: ['b'], samples: 9 },
      ],
      { title: '', subtitle: '' },
    )
    expect(text).toContain('>a_rather_long_…</text>')
    expect(text).toContain('<title>a_rather_long_name_of_a_function (1 sample, 10.00 %)</title>')
  })

  it('is empty where nothing was sampled', () => {
    expect(boxes(flameGraph([], { title: '', subtitle: '' }))).toMatchObject([
      { title: 'all (0 samples, 0.00 %)', width: 0 },
    ])
  })
})
