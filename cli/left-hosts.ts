/** `--only failed,unreached`: the hosts that the last run of a play did not bring to its end. */

import { relative } from 'node:path'
import { type HostEnd, hostEnds, readRun, type RunRecord, runIds } from '../engine/history.ts'
import { Failure } from '../errors/failure.ts'
import { fileOf } from './load.ts'
import type { LeftKind } from './options.ts'

const kinds: Readonly<Record<LeftKind, readonly HostEnd[]>> = {
  failed: ['failed'],
  unreached: ['unreachable', 'unfinished'],
}

interface LeftOptions {
  readonly inventory?: string | undefined
  readonly limit?: string | undefined
  readonly only?: readonly LeftKind[]
}

/**
 * The hosts of the last run of the play on that inventory.
 *
 * @throws Failure E_OPTION where there was none, or none is left
 */
export function leftHosts(name: string, { inventory, limit, only = [] }: LeftOptions): readonly string[] {
  if (limit !== undefined) throw new Failure('E_OPTION', '--only and --limit both say which hosts: say one of them.')
  const file = relative(process.cwd(), fileOf('play', name))
  const last = lastRun(
    ({ header }) => header.play === file && isSame(header.inventory, inventory) && header.kind !== 'undo',
  )
  if (!last) throw new Failure('E_OPTION', `--only: no run of ${name} on this inventory is on record.`)
  const wanted = new Set(only.flatMap((kind) => kinds[kind]))
  const hosts = [...hostEnds(last)].flatMap(([host, end]) => (wanted.has(end) ? [host] : []))
  if (hosts.length > 0) return hosts
  throw new Failure('E_OPTION', `--only ${only.join(',')}: the last run, ${last.header.id}, left no such host.`, {
    hint: `play show ${last.header.id} tells what became of it.`,
  })
}

/** One that cannot be read is told, for it may be the one that is meant. */
function lastRun(isMeant: (record: RunRecord) => boolean): RunRecord | undefined {
  for (const id of runIds().toReversed()) {
    const record = readRun(id)
    if (isMeant(record)) return record
  }
  return undefined
}

/** An inventory is named by its name, or by its path. */
function isSame(then: string | undefined, now: string | undefined): boolean {
  if (then === now) return true
  try {
    return fileOf('inventory', then ?? 'default') === fileOf('inventory', now ?? 'default')
  } catch {
    return false
  }
}
