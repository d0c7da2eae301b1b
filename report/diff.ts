/** Unified diffs, by the `diff` package; loaded where they are asked for. */

import { structuredPatch } from 'diff'
import type { DiffLine } from './text.ts'

/** Milliseconds after which two texts are too different to compare. */
const patience = 1000

/** The lines that differ, with three around them. Where it takes too long, the texts are told to differ as a whole. */
export function unifiedDiff(before: string, after: string): readonly DiffLine[] {
  const patch = structuredPatch('', '', before, after, '', '', { context: 3, timeout: patience })
  if (!patch) return [{ kind: 'range', text: '@@ too different to be compared line by line @@' }]
  return patch.hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    { kind: 'range' as const, text: `@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@` },
    ...lines.map((text): DiffLine => ({ kind: kindOf(text), text })),
  ])
}

/** As `diff -u` writes it: no lines come after the line before them. */
function range(start: number, lines: number): string {
  return `${lines === 0 ? start - 1 : start},${lines}`
}

function kindOf(line: string): DiffLine['kind'] {
  if (line.startsWith('+')) return 'added'
  return line.startsWith('-') ? 'removed' : 'context'
}
