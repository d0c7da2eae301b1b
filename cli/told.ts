/** What has happened, told afterwards: in the form that was asked for. */

import { type Event, eventVersion } from '../engine/events.ts'
import { jsonLine } from '../report/json.ts'
import { textReport } from '../report/text.ts'
import type { OutputOptions } from './options.ts'
import { out, pageOptions } from './terminal.ts'

export interface ToldOptions extends OutputOptions {
  readonly diff?: boolean
  /** What stands before a report. */
  readonly head?: string
  /** The command that turns it round. */
  readonly undo?: string | undefined
}

export async function tellEvents(events: readonly Event[], options: ToldOptions): Promise<void> {
  const { output, head, undo } = options
  if (output === 'json') {
    for (const event of events) out(jsonLine(event, eventVersion))
    return
  }
  const diff = options.diff ? (await import('../report/diff.ts')).unifiedDiff : undefined
  if (head !== undefined) out(`${head}\n`)
  out(textReport(events, { ...pageOptions(), diff, again: undefined, undo }))
}
