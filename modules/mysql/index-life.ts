/** The life of an index that is no longer wanted: watched while it is visible, invisible for a time, dropped. */

import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { type FileState, fileState } from '../../probe/file.ts'
import { Probe } from '../../probe/probe.ts'
import { lines, type Script } from '../../shell/script.ts'
import { type Answer, ask, type Brand, type Missing, type Row } from './ask.ts'
import { alteration, type Elsewhere, identifier, literal } from './client.ts'
import {
  type Begun,
  here,
  type IndexRecord,
  keepRecord,
  nameOf,
  parseRecord,
  recordPath,
  returnToRecord,
  type Stage,
} from './index-record.ts'
import { askElsewhere, type Counted, countOf, type Use, useQuery, useSince } from './index-use.ts'
import {
  type IndexName,
  type IndexPart,
  indexParts,
  indexPath,
  indexQueries,
  indexState,
  partsOf,
  visibility,
} from './table-index.ts'

/** When an index moves on. Times are seconds. */
export interface Retirement extends IndexName {
  readonly unusedFor: number
  readonly grace: number
  readonly on: readonly Elsewhere[]
  readonly defaultsFile: string | undefined
  /** The client's options for the servers of `on`. */
  readonly onDefaultsFile: string | undefined
}

/** How far it is. What changes by the minute is no part of it, so that it is equal to itself as long as nothing is to be done. */
export type IndexLife =
  | {
      readonly type: 'life'
      readonly server: Brand
      readonly index: 'visible' | 'invisible' | 'absent'
      /** What it is, or was, made of, as SHOW CREATE TABLE tells it; null where that is not known. */
      readonly definition: string | null
      /** What the host keeps of it. */
      readonly stage: Stage | null
      /** What is to be done now. */
      readonly due: Due | null
    }
  | Missing<'schema' | 'table'>

export interface Due {
  /** The stage to come. */
  readonly stage: Stage
  /** Servers that are counted anew for it. */
  readonly count: readonly string[]
  /** Whether the counts of the others stay. */
  readonly keeps: boolean
}

/** What a judge wants to know beside that. It is another at every reading. */
export interface IndexWatch {
  /** Each server with what is known of its use of the index. */
  readonly uses: readonly { readonly server: string; readonly source: string | undefined; readonly use: Use }[]
  /** Seconds for which it has been invisible. */
  readonly invisibleFor: number
  /** Foreign keys that could not do without it. */
  readonly neededBy: readonly string[]
  /** Servers that follow this one just now. */
  readonly followers: number
  /** Indexes of the table. */
  readonly names: readonly string[]
}

/** What the host and all servers said at one time. */
export interface LifeReading {
  readonly life: IndexLife
  readonly watch: IndexWatch
}

/** Seconds after which a use that was seen begins the watch anew: not at every run, since an index in use is used all the time. */
const anewAfter = 86_400

/**
 * How far the life of an index is.
 *
 * @example
 * mockHost('db1').has(indexLife(retirement), { type: 'life', server: 'mysql', index: 'visible', definition: 'KEY `i` (`a`)', stage: 'watched', due: null })
 */
export function indexLife(retirement: Retirement): Resource<IndexLife> {
  return {
    key: `mysql:index-life/${indexPath(retirement)}`,
    label: [retirement.schema, retirement.table, retirement.index].join('.'),
    read: readLife(retirement).map(({ life }) => life),
    write: (to, from) => write(retirement, to, from),
    show,
    fresh: {
      type: 'life',
      server: 'mysql',
      index: 'visible',
      definition: `KEY ${identifier(retirement.index)} (\`id\`)`,
      stage: null,
      due: { stage: 'watched', count: [here, ...retirement.on.map(nameOf)], keeps: false },
    },
  }
}

/** What is known of its use. It can only be looked at. */
export function indexWatch(retirement: Retirement): Resource<IndexWatch> {
  const servers = [here, ...retirement.on.map(nameOf)]
  return {
    key: `mysql:index-watch/${indexPath(retirement)}`,
    label: `use of ${[retirement.schema, retirement.table, retirement.index].join('.')}`,
    read: readLife(retirement).map(({ watch }) => watch),
    fresh: {
      uses: servers.map((server) => ({ server, source: 'performance_schema', use: { state: 'new' } })),
      invisibleFor: 0,
      neededBy: [],
      followers: 0,
      names: [],
    },
  }
}

/** The definition is asked for only where the table is: for one that is not, SHOW CREATE TABLE would end the client. */
function readLife(retirement: Retirement): Probe<LifeReading> {
  const { schema, table, on, defaultsFile, onDefaultsFile } = retirement
  const [s, t] = [schema, table].map(literal)
  const path = recordPath(retirement)
  const create = literal(`show create table ${identifier(schema, table)}`)
  const keys = (side: string, where: string) =>
    `select json_object('ask', @ask, 'key', constraint_name, 'side', '${side}', 'of', concat(table_schema, '.', table_name), 'part', ${side === 'own' ? '' : 'referenced_'}column_name) from information_schema.key_column_usage where ${where} and referenced_table_name is not null order by constraint_name, ordinal_position`
  const answer = ask(
    [
      ...indexQueries(retirement),
      useQuery(retirement),
      keys('own', `table_schema = ${s} and table_name = ${t}`),
      keys('other', `referenced_table_schema = ${s} and referenced_table_name = ${t}`),
      `select json_object('ask', @ask, 'followers', count(*)) from information_schema.processlist where command like 'Binlog Dump%'`,
      "set session sql_mode = '', sql_quote_show_create = 1",
      `set @create = if(exists(select 1 from information_schema.tables where table_schema = ${s} and table_name = ${t}), ${create}, 'do 0')`,
      'prepare create_table from @create',
      "select json_object('ask', @ask, 'create', 1)",
      'execute create_table',
    ],
    defaultsFile,
  )
  const others = Object.fromEntries(
    on.map((elsewhere) => [
      nameOf(elsewhere),
      askElsewhere([useQuery(retirement)], elsewhere, onDefaultsFile ?? defaultsFile),
    ]),
  )
  return Probe.all({ answer, record: fileState(path), others: Probe.all(others) }).map((read) => {
    return lifeOf(retirement, { ...read, record: parseRecord(path, read.record as FileState) })
  })
}

interface Heard {
  readonly answer: Answer
  readonly record: IndexRecord | null
  readonly others: Readonly<Record<string, Answer | { readonly unanswered: string }>>
}

/** @internal How far it is, from what was heard; pure. */
export function lifeOf(retirement: Retirement, { answer, record, others }: Heard): LifeReading {
  const { rows } = answer
  const { server } = answer.server
  const state = indexState(retirement, answer)
  const parts = indexParts(rows)
  const mine = partsOf(parts, retirement.index)
  const ownRow = rows.find((row) => 'clock' in row)
  const own = countOf(ownRow, { isHere: true })
  const counted: readonly [string, Counted][] = [
    [here, own],
    ...Object.entries(others).map(([name, told]): [string, Counted] => [name, countElsewhere(told)]),
  ]
  const [name] = mine.map((part) => part.index)
  const index = state.type === 'missing' ? 'absent' : state.visible ? 'visible' : 'invisible'
  const definition = name === undefined ? (record?.definition ?? null) : definitionOf(rows, name)
  const isSame = record !== null && record.definition === definition
  const kept = isSame ? record : null
  const uses = counted.map(([each, now]) => ({
    server: each,
    source: 'source' in now ? now.source : undefined,
    use: useSince(kept?.stage === 'watched' ? kept.counts[each] : undefined, now),
  }))
  // A clock that was set back makes no time pass.
  const invisibleFor = kept?.stage === 'invisible' ? Math.max(0, Number(ownRow?.['clock'] ?? 0) - kept.since) : 0
  const watch: IndexWatch = {
    uses,
    invisibleFor,
    neededBy: neededBy(rows, parts, mine),
    followers: Number(rows.find((row) => 'followers' in row)?.['followers'] ?? 0),
    names: [...new Set(parts.map((part) => part.index))],
  }
  if (state.type === 'missing' && state.what !== 'index')
    return { life: { ...state, what: state.what } as Missing<'schema' | 'table'>, watch }
  const due = definition === null ? null : dueOf(retirement, index, kept, watch)
  return { life: { type: 'life', server, index, definition, stage: record?.stage ?? null, due }, watch }
}

function dueOf(
  { unusedFor, grace }: Retirement,
  index: Life['index'],
  kept: IndexRecord | null,
  { uses, invisibleFor }: IndexWatch,
): Due | null {
  // Dropped by us or by somebody else. One of which nothing is kept was never ours, and has no definition.
  if (index === 'absent') return kept?.stage === 'dropped' ? null : { stage: 'dropped', count: [here], keeps: false }
  if (index === 'invisible') {
    // By another task or by hand: then its grace begins when that is seen.
    if (kept?.stage !== 'invisible') return { stage: 'invisible', count: [here], keeps: false }
    return invisibleFor >= grace ? { stage: 'dropped', count: [here], keeps: false } : null
  }
  const anew = uses.flatMap(({ server, use }) => {
    return use.state === 'new' || (use.state === 'used' && use.seconds >= Math.min(anewAfter, unusedFor))
      ? [server]
      : []
  })
  if (anew.length > 0) return { stage: 'watched', count: anew, keeps: kept?.stage === 'watched' }
  const isUnused = uses.every(({ use }) => use.state === 'unused' && use.seconds >= unusedFor)
  return isUnused ? { stage: 'invisible', count: [here], keeps: false } : null
}

function countElsewhere(told: Answer | { readonly unanswered: string }): Counted {
  if ('unanswered' in told) return { unknown: told.unanswered, off: false }
  return countOf(
    told.rows.find((row) => 'clock' in row),
    { isHere: false },
  )
}

/** The line of an index in what SHOW CREATE TABLE prints; null where there is not exactly one. */
function definitionOf(rows: readonly Row[], index: string): string | null {
  const found = (rows.find((row) => 'create' in row)?.lines ?? []).flatMap((line) => {
    const [, definition] = /^ {2}((?:[A-Z]+ )?KEY (`(?:[^`]|``)*`).*?),?$/.exec(line) ?? []
    const [, name] = /KEY (`(?:[^`]|``)*`)/.exec(line) ?? []
    return definition !== undefined && name === identifier(index) ? [definition] : []
  })
  const [line] = found
  return line !== undefined && found.length === 1 ? line.replace(/ (?:\/\*!80000 INVISIBLE \*\/|IGNORED)$/, '') : null
}

/** Foreign keys whose columns begin this index, and no other one. InnoDB reads for them without counting it. */
function neededBy(rows: readonly Row[], parts: readonly IndexPart[], mine: readonly IndexPart[]): readonly string[] {
  const keys = new Map<string, { readonly name: string; readonly columns: string[] }>()
  for (const { key, side, of, part } of rows) {
    if (typeof key !== 'string') continue
    const id = `${String(side)} ${String(of)} ${key}`
    const entry = keys.get(id) ?? { name: `${key} of ${String(of)}`, columns: [] }
    keys.set(id, { ...entry, columns: [...entry.columns, String(part)] })
  }
  const begins = (index: readonly IndexPart[], columns: readonly string[]) =>
    columns.every((column, i) => index[i]?.column === column && !index[i].isPrefix)
  const others = [...new Set(parts.map((part) => part.index))].filter((name) => name !== mine[0]?.index)
  return [...keys.values()]
    .filter(({ columns }) => begins(mine, columns) && !others.some((name) => begins(partsOf(parts, name), columns)))
    .map(({ name }) => name)
}

const indexAt = { watched: 'visible', invisible: 'invisible', dropped: 'absent' } as const

/** The life after what is due was done. */
export function movedOn(now: IndexLife): IndexLife {
  if (now.type === 'missing' || now.due === null) return now
  const { stage } = now.due
  return { ...now, index: indexAt[stage], stage, due: null }
}

function write(retirement: Retirement, to: IndexLife, from: IndexLife): Script {
  if (to.type === 'missing' || from.type === 'missing')
    throw new Failure('E_REFUSED', 'A table cannot be made or taken away here.')
  const alter = alterationFor(retirement, to, from)
  const record = recordFor(retirement, to, from)
  return lines(...(alter === undefined ? [] : [alteration(alter, retirement.defaultsFile)]), record)
    .touches(`mysql:index/${indexPath(retirement)}`, `mysql:index-watch/${indexPath(retirement)}`)
    .called(alter ?? `keep since when ${identifier(retirement.index)} is watched`)
}

type Life = IndexLife & { type: 'life' }

function alterationFor({ schema, table, index }: Retirement, to: Life, from: Life): string | undefined {
  if (to.index === from.index) return undefined
  const [alter, name] = [`alter table ${identifier(schema, table)}`, identifier(index)]
  if (to.index === 'absent') return `${alter} drop index ${name}`
  const isVisible = to.index === 'visible'
  if (from.index !== 'absent') return `${alter} alter index ${name} ${visibility(to.server, isVisible)}`
  if (to.definition === null)
    throw new Failure('E_REFUSED', `What ${index} was made of is not known, so that it cannot be made again.`)
  return `${alter} add ${to.definition}${isVisible ? '' : ` ${visibility(to.server, false)}`}`
}

/** Forth with the counters as they are then; back to what was kept before. */
function recordFor(retirement: Retirement, to: Life, from: Life): Script {
  if (to.stage === null || to.due !== null) return returnToRecord(retirement, to.stage)
  const { on, defaultsFile, onDefaultsFile } = retirement
  const all: readonly Begun[] = [
    { name: here, elsewhere: undefined, defaultsFile },
    ...on.map((elsewhere) => ({ name: nameOf(elsewhere), elsewhere, defaultsFile: onDefaultsFile ?? defaultsFile })),
  ]
  const count = from.due?.count ?? [here]
  return keepRecord(
    retirement,
    { stage: to.stage, definition: to.definition ?? '' },
    all.filter(({ name }) => count.includes(name)),
    from.due?.keeps ?? false,
  )
}

function show(value: IndexLife): string {
  if (value.type === 'missing') return `no such ${value.what}`
  const { index, stage, due } = value
  if (index === 'absent') return stage === 'dropped' ? 'dropped' : 'absent'
  if (index === 'invisible') return stage === 'invisible' ? 'invisible for a time of grace' : 'invisible'
  if (stage !== 'watched') return 'visible'
  return due?.stage === 'watched' ? `visible, to be watched anew on ${due.count.join(' and ')}` : 'visible and watched'
}
