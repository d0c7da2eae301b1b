/** A flame graph: folded stacks as one SVG picture, in which the width of a frame is its share of the samples. */

/** Frames from the outermost to the innermost, and how many samples had them. */
export interface Stack {
  readonly frames: readonly string[]
  readonly samples: number
}

/**
 * Draws stacks with the root at the bottom and callees above their callers, in alphabetical order, which merges what is alike.
 * A frame's title tells its whole name and share. Colours are of the name alone, so two pictures can be compared: warm for
 * programs, blue for the kernel (`_[k]`). Frames of less than a third of a pixel are left out.
 *
 * @see https://www.brendangregg.com/flamegraphs.html
 */
export function flameGraph(
  stacks: readonly Stack[],
  { title, subtitle }: { readonly title: string; readonly subtitle: string },
): string {
  const root = treeOf(stacks)
  const scale = root.samples > 0 ? (width - 2 * margin) / root.samples : 0
  const height = head + depthOf(root, scale) * row + margin
  const drawn = frames(root, margin, height - margin - row, scale, root.samples)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="ui-monospace, monospace" font-size="12">`,
    '<style>g:hover rect { stroke: #000; stroke-width: 1 } text { pointer-events: none; fill: #111 }</style>',
    `<rect width="${width}" height="${height}" fill="#fdfbf5"/>`,
    `<text x="${width / 2}" y="22" text-anchor="middle" font-size="16">${escaped(title)}</text>`,
    `<text x="${width / 2}" y="40" text-anchor="middle">${escaped(subtitle)}</text>`,
    ...drawn,
    '</svg>',
    '',
  ].join('\n')
}

/** The picture in pixels: its width and margins, the room for its titles, the height of a frame, and the width of a letter. */
const [width, margin, head, row, letter] = [1200, 10, 56, 17, 7.3]

/** The least width of a frame that is drawn, in pixels. */
const visible = 0.3

interface Frame {
  readonly name: string
  samples: number
  readonly callees: Map<string, Frame>
}

function treeOf(stacks: readonly Stack[]): Frame {
  const root: Frame = { name: 'all', samples: 0, callees: new Map() }
  for (const { frames, samples } of stacks) {
    let at = root
    at.samples += samples
    for (const name of frames) {
      const next: Frame = at.callees.get(name) ?? { name, samples: 0, callees: new Map() }
      at.callees.set(name, next)
      next.samples += samples
      at = next
    }
  }
  return root
}

function seen(frame: Frame, scale: number): readonly Frame[] {
  const all = [...frame.callees.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return all.filter(({ samples }) => samples * scale >= visible)
}

function depthOf(frame: Frame, scale: number): number {
  return 1 + Math.max(0, ...seen(frame, scale).map((callee) => depthOf(callee, scale)))
}

/** A frame and all above it. What is left out keeps its room, so that shares stay true. */
function frames(frame: Frame, x: number, y: number, scale: number, all: number): readonly string[] {
  const drawn = [draw(frame, x, y, frame.samples * scale, all)]
  let left = x
  const visibles = new Set(seen(frame, scale))
  for (const callee of [...frame.callees.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (visibles.has(callee)) drawn.push(...frames(callee, left, y - row, scale, all))
    left += callee.samples * scale
  }
  return drawn
}

function draw({ name, samples }: Frame, x: number, y: number, wide: number, all: number): string {
  const share = all > 0 ? (100 * samples) / all : 0
  const title = `${name} (${samples} ${samples === 1 ? 'sample' : 'samples'}, ${share.toFixed(2)} %)`
  const room = Math.floor((wide - 6) / letter)
  const shown = name.length <= room ? name : room >= 3 ? `${name.slice(0, room - 1)}…` : ''
  const rect = `<rect x="${px(x)}" y="${y}" width="${px(wide)}" height="${row - 1}" rx="1" fill="${colour(name)}"/>`
  const text = shown === '' ? '' : `<text x="${px(x + 3)}" y="${y + 12}">${escaped(shown)}</text>`
  return `<g><title>${escaped(title)}</title>${rect}${text}</g>`
}

function px(value: number): string {
  return String(Math.round(value * 100) / 100)
}

/** FNV-1a of the name chooses a shade. */
function colour(name: string): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  const [hue, light] = [hash % 50, 62 + ((hash >>> 8) % 14)]
  return name.endsWith('_[k]') ? `hsl(${195 + (hue % 25)},60%,${light}%)` : `hsl(${5 + hue},85%,${light}%)`
}

/** Text of XML, which cannot have most control characters at all. */
function escaped(text: string): string {
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // oxlint-disable-next-line no-control-regex -- those are meant
      .replace(/[\u0000-\u0008\u000b-\u001f\ufffe\uffff]/g, '\ufffd')
  )
}
