/** Whether the report tells each change of a plan on one line. */

import type { Event } from '../../engine/events.ts'
import { harmless } from '../../report/layout.ts'
import { textReport } from '../../report/text.ts'

/** Changes that the report does not tell on a line of their own, and signs in it that a terminal would act on. */
export function untold(events: readonly Event[]): readonly string[] {
  const options = { color: false, width: 100_000, folder: '/', diff: undefined, again: undefined }
  const text = textReport(events, options)
  const lines = text.split('\n')
  const changes = events.flatMap((event) => (event.type === 'task' ? event.changes : []))
  const missing = changes.filter(({ label, after }) => {
    return !lines.some((line) => line.includes(harmless(label)) && line.includes(harmless(after)))
  })
  const signs = text.match(/[^\P{Cc}\n]/gu) ?? []
  return [...missing.map(({ label, before, after }) => `${label} ${before} → ${after}`), ...signs]
}
