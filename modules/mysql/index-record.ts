/** What a host keeps of an index that is being retired: since when it is watched, and what it was made of. */

import { createHash } from 'node:crypto'
import { Failure } from '../../errors/failure.ts'
import { bytesOf, type FileState } from '../../probe/file.ts'
import { lines, type Script, sh } from '../../shell/script.ts'
import type { Row } from './ask.ts'
import { type Elsewhere, identifier, piped } from './client.ts'
import { type Count, countOf, useQuery } from './index-use.ts'
import type { IndexName } from './table-index.ts'

/** Watched while it is visible; invisible for a time of grace; dropped. */
export type Stage = 'watched' | 'invisible' | 'dropped'

export interface IndexRecord {
  readonly stage: Stage
  /** As SHOW CREATE TABLE tells it: `KEY idx_status (status)`. */
  readonly definition: string
  /** Seconds since 1970 by the clock of this host's server, when it was last written. */
  readonly since: number
  /** Counts at the time from which a server is watched, by its name. */
  readonly counts: Readonly<Record<string, Count>>
}

/** The name of this host's server among those that are watched; others are `db2:3306`. */
export const here = 'here'

export function nameOf({ host, port }: Elsewhere): string {
  return `${host}:${port}`
}

/** The folder that is root's alone. */
const root = '/var/lib/fleetplay'
const folder = `${root}/mysql-index`

/** The file of an index. Names that are not plain, or too long for a file, are told by their digest; the file says which they are. */
export function recordPath({ schema, table, index }: IndexName): string {
  const names = [schema, table, index]
  const isPlain = names.every((name) => /^\w+$/.test(name))
  return `${folder}/${isPlain ? names.join('.') : createHash('sha256').update(JSON.stringify(names)).digest('hex')}`
}

/** The record in a file: a line with the stage, and one with the counters of each server, as it told them. */
export function parseRecord(path: string, state: FileState): IndexRecord | null {
  if (state.type === 'absent') return null
  try {
    if (state.type !== 'file') throw new TypeError('no file')
    const text = bytesOf(state.content)?.toString() ?? ''
    const told = text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t') as [string, string])
    const { stage, definition } = JSON.parse(told.find(([name]) => name === 'stage')![1]) as IndexRecord
    if (!['watched', 'invisible', 'dropped'].includes(stage) || typeof definition !== 'string')
      throw new TypeError('no stage')
    const rows = told.flatMap(([name, row]): [string, Row][] =>
      name === 'stage' ? [] : [[name, JSON.parse(row) as Row]],
    )
    const since = Number((rows.find(([name]) => name === here) ?? rows[0])?.[1]['clock'])
    if (!(since > 0)) throw new TypeError('no time')
    const counts = rows.flatMap(([name, row]): [string, Count][] => {
      const count = countOf(row, { isHere: true })
      return 'unknown' in count ? [] : [[name, count]]
    })
    return { stage, definition, since, counts: Object.fromEntries(counts) }
  } catch (error) {
    throw new Failure('E_UNREADABLE', `What this host keeps of the index is not understood: ${path}`, {
      cause: error,
      hint: 'Look at it, and remove it: the index is watched anew then.',
    })
  }
}

/** A server that is counted anew from now on. */
export interface Begun {
  readonly name: string
  /** Undefined for this host's. */
  readonly elsewhere: Elsewhere | undefined
  readonly defaultsFile: string | undefined
}

/**
 * Keeps a stage, with the counters as they are when it is written. Of servers that are not counted anew the earlier ones stay,
 * where it is the same stage. The record before is kept beside it, for undo.
 */
export function keepRecord(
  name: IndexName,
  { stage, definition }: Pick<IndexRecord, 'stage' | 'definition'>,
  begun: readonly Begun[],
  keepsOthers: boolean,
): Script {
  const head = JSON.stringify({ stage, index: identifier(name.schema, name.table, name.index), definition })
  const replaced = begun.reduce((all, server) => sh`${all} | ${`${server.name}\t`}*`, sh`${'stage\t'}*`)
  return lines(
    sh`f=${recordPath(name)}
mkdir -p -m 0700 ${root} && mkdir -p -m 0700 ${folder} || exit
umask 077
printf '%s\n' ${`stage\t${head}`} >"$f.new" || exit`,
    ...(keepsOthers
      ? [
          sh`while IFS= read -r l; do
  case $l in ${replaced}) ;; *) printf '%s\n' "$l" ;; esac
done <"$f" >>"$f.new" || exit`,
        ]
      : []),
    ...begun.map(
      (server) =>
        sh`row=$(${piped(['set @ask = 0', useQuery(name)], server.defaultsFile, server.elsewhere)}) || exit
printf '%s\t%s\n' ${server.name} "$row" >>"$f.new" || exit`,
    ),
    sh`[ ! -f "$f" ] || cp -p -- "$f" "$f.before" || exit
sync "$f.new" && mv -fT -- "$f.new" "$f"`,
  )
}

/** Back to the record before, for undo. */
export function returnToRecord(name: IndexName, stage: Stage | null): Script {
  const path = recordPath(name)
  return stage === null
    ? sh`rm -f -- ${path} ${`${path}.before`} ${`${path}.new`}`
    : sh`mv -fT -- ${`${path}.before`} ${path}`
}
