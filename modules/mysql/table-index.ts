/** Indexes of tables: whether the optimizer may choose them, and what they are made of. */

import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import type { Script } from '../../shell/script.ts'
import {
  type Answer,
  ask,
  type Brand,
  type Missing,
  missing,
  missingTable,
  missingTableQueries,
  type Row,
} from './ask.ts'
import { alteration, identifier, literal } from './client.ts'

export interface IndexName {
  readonly schema: string
  readonly table: string
  readonly index: string
}

export type IndexState =
  | {
      readonly type: 'index'
      readonly server: Brand
      /** The optimizer may choose it. MariaDB calls an invisible one ignored. */
      readonly visible: boolean
      /** It holds up a constraint, whether it is visible or not. */
      readonly unique: boolean
      /** The primary key, or the unique index that the server takes for one. */
      readonly primary: boolean
    }
  | Missing<'schema' | 'table' | 'index'>

/** A column of an index, in its order. */
export interface IndexPart {
  readonly index: string
  readonly column: string | undefined
  /** Only the beginning of the column is in the index. */
  readonly isPrefix: boolean
  readonly unique: boolean
  readonly nullable: boolean
  readonly visible: boolean
}

/**
 * Whether an index is visible.
 *
 * @example
 * mockHost('db1').has(tableIndex({ schema: 'shop', table: 'bookings', index: 'idx_status' }), { type: 'index', server: 'mysql', visible: true, unique: false, primary: false })
 */
export function tableIndex(name: IndexName, defaultsFile?: string): Resource<IndexState> {
  return {
    key: `mysql:index/${indexPath(name)}`,
    label: [name.schema, name.table, name.index].join('.'),
    read: ask(indexQueries(name), defaultsFile).map((answer) => indexState(name, answer)),
    write: (to, from) => write(name, to, from, defaultsFile),
    show: (value) => (value.type === 'missing' ? `no such ${value.what}` : value.visible ? 'visible' : 'invisible'),
    fresh: { type: 'index', server: 'mysql', visible: true, unique: false, primary: false },
  }
}

/** The names of an index as the end of a key. */
export function indexPath({ schema, table, index }: IndexName): string {
  return [schema, table, index].map(encodeURIComponent).join('/')
}

/** A row for each part of each index of the table: an index of two columns has two. */
export function indexQueries({ schema, table }: IndexName): readonly string[] {
  const [s, t] = [schema, table].map(literal)
  return [
    ...missingTableQueries(schema, table),
    `select json_object('ask', @ask, 'there', table_name) from information_schema.tables where table_schema = ${s} and table_name = ${t}`,
    `select json_object('ask', @ask, 'index', index_name, 'column', column_name, 'prefix', sub_part is not null, 'unique', non_unique = 0, 'nullable', nullable = 'YES', 'visible', 1 /*!80000 and is_visible = 'YES' */ /*M!100600 and ignored = 'NO' */) from information_schema.statistics where table_schema = ${s} and table_name = ${t} order by index_name, seq_in_index`,
  ]
}

/** All parts of all indexes of the table. */
export function indexParts(rows: readonly Row[]): readonly IndexPart[] {
  return rows.flatMap((row) => {
    const { index, column } = row
    if (typeof index !== 'string') return []
    const is = (name: string) => row[name] === true || row[name] === 1
    return [
      {
        index,
        column: typeof column === 'string' ? column : undefined,
        isPrefix: is('prefix'),
        unique: is('unique'),
        nullable: is('nullable'),
        visible: is('visible'),
      },
    ]
  })
}

/** The parts of one index; servers do not tell capitals in its name. */
export function partsOf(parts: readonly IndexPart[], index: string): readonly IndexPart[] {
  return parts.filter((part) => part.index.toLowerCase() === index.toLowerCase())
}

export function indexState({ schema, table, index }: IndexName, { server: { server }, rows }: Answer): IndexState {
  const lacks = missingTable(schema, table, rows, !rows.some((row) => 'there' in row))
  if (lacks) return lacks
  const all = indexParts(rows)
  const [part] = partsOf(all, index)
  if (!part) {
    const names = all.map((each) => each.index)
    return missing('index', index, [...new Set(names)])
  }
  return { type: 'index', server, visible: part.visible, unique: part.unique, primary: isPrimary(all, part.index) }
}

/**
 * A table without a primary key takes its first unique index without NULL for one. Where it has several such, only the
 * server knows which that is, and refuses by itself.
 */
function isPrimary(all: readonly IndexPart[], index: string): boolean {
  if (all.some((part) => part.index === 'PRIMARY')) return index === 'PRIMARY'
  const unique = [...new Set(all.filter((part) => part.unique).map((part) => part.index))]
  const firm = unique.filter((name) => partsOf(all, name).every((part) => !part.nullable))
  return firm.length === 1 && firm[0] === index
}

function write(name: IndexName, to: IndexState, from: IndexState, defaultsFile: string | undefined): Script {
  if (to.type === 'missing' || from.type === 'missing')
    throw new Failure('E_REFUSED', 'An index can be made visible or invisible here, and not be made or taken away.')
  return alteration(
    `alter table ${identifier(name.schema, name.table)} alter index ${identifier(name.index)} ${visibility(to.server, to.visible)}`,
    defaultsFile,
  ).touches(`mysql:index-life/${indexPath(name)}`)
}

/** What a statement calls it. */
export function visibility(server: Brand, visible: boolean): string {
  if (server === 'mariadb') return visible ? 'not ignored' : 'ignored'
  return visible ? 'visible' : 'invisible'
}
