/** `play history`: the runs of this project, the newest last. */

import { hostEnds, readRun, type RunRecord, runIds } from '../engine/history.ts'
import { Failure } from '../errors/failure.ts'
import { count, pad, width } from '../report/layout.ts'
import { paint } from '../report/paint.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import { nameOf } from './load.ts'
import { out, pageOptions } from './terminal.ts'

export function history({ last }: { readonly last: number }): ExitStatus {
  const { faint, bad, strong } = paint(pageOptions().color)
  const ids = runIds().slice(-last)
  if (ids.length === 0) out(`${faint('No run is on record: there is none in .play/runs of this folder.')}\n`)
  const resumed = new Map<string, string>()
  const rows = ids
    .toReversed()
    .map((id) => rowOf(id, resumed))
    .toReversed()
  const longest = Math.max(0, ...rows.map(({ what }) => width(what)))
  for (const { id, what, hosts, how, isBad } of rows)
    out(`  ${strong(pad(id, 23))}  ${pad(what, longest)}  ${pad(hosts, 9)}  ${isBad ? bad(how) : how}\n`)
  return exitStatus.fine
}

interface Row {
  readonly id: string
  readonly what: string
  readonly hosts: string
  readonly how: string
  readonly isBad: boolean
}

/** @param resumed by what runs were gone on with, which is known of this one when all later ones were looked at */
function rowOf(id: string, resumed: Map<string, string>): Row {
  let record: RunRecord
  try {
    record = readRun(id)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { id, what: '', hosts: '', how: error.message, isBad: true }
  }
  const { header, finished } = record
  const { kind, of, resumes, play, inventory } = header
  const words = [kind, kind === 'undo' ? `of ${of}` : '', nameOf(play), resumes === undefined ? '' : `after ${resumes}`]
  if (resumes !== undefined) resumed.set(resumes, id)
  const ends = [...hostEnds(record).values()]
  const told = (['ok', 'changed', 'failed', 'unreachable', 'unfinished', 'skipped'] as const).flatMap((end) => {
    const n = ends.filter((each) => each === end).length
    return n > 0 ? [`${end} ${n}`] : []
  })
  const isInterrupted = finished === undefined || finished.interrupted
  const next = resumed.get(id)
  const goOn = next === undefined ? `go on: play resume ${id}` : `gone on with by ${next}`
  return {
    id,
    what: [...words, inventory === undefined ? '' : `-i ${inventory}`].filter(Boolean).join(' '),
    hosts: count(ends.length, 'host'),
    how: [isInterrupted ? `interrupted; ${goOn}` : '', told.join(' · ')].filter(Boolean).join(' · '),
    isBad: (isInterrupted && next === undefined) || ends.includes('failed') || ends.includes('unreachable'),
  }
}
