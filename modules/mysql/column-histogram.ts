/** What the optimizer knows of how a column's values are spread: the histograms of MySQL 8 and MariaDB 10.8. */

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
  namesOf,
} from './ask.ts'
import { identifier, literal, lockWait, maintenance } from './client.ts'

/** A column of a table. */
export interface Column {
  readonly schema: string
  readonly table: string
  readonly column: string
}

/** A histogram by what was asked for, never by what came out: a column of two values has two buckets of a hundred. */
export type Histogram =
  | {
      readonly type: 'absent'
      readonly server: Brand
      /** MariaDB keeps other statistics of the column, such as how often a value comes, and guesses by them. */
      readonly others?: true
    }
  | {
      readonly type: 'histogram'
      readonly server: Brand
      /** Buckets that were asked for. */
      readonly buckets: number
      /** Of MariaDB `JSON_HB`, `DOUBLE_PREC_HB` or `SINGLE_PREC_HB`; of MySQL `JSON`. */
      readonly form: string
      /** Made anew by every ANALYZE TABLE. MariaDB and MySQL before 8.4 do not know it. */
      readonly auto: boolean
      /** Older than it may be, by the server's clock. */
      readonly stale?: true
    }
  | Missing<'schema' | 'table' | 'column'>

/**
 * The histogram of a column.
 *
 * @example
 * mockHost('db1').has(columnHistogram({ schema: 'shop', table: 'bookings', column: 'day' }), { type: 'absent', server: 'mariadb' })
 */
export function columnHistogram(column: Column, defaultsFile?: string, maxAge?: number): Resource<Histogram> {
  const names = [column.schema, column.table, column.column]
  return {
    key: `mysql:histogram/${names.map(encodeURIComponent).join('/')}`,
    label: names.join('.'),
    read: ask(queries(column), defaultsFile).map((answer) => histogramOf(column, answer, maxAge)),
    write: (to, from) => write(column, to, from, defaultsFile),
    show,
    fresh: { type: 'absent', server: 'mysql' },
  }
}

/**
 * The names of columns come always, those of schemas and tables only where they are needed. MySQL tells when it made a histogram in UTC,
 * MariaDB by the time zone of the session that made it: taken for the server's own.
 */
function queries({ schema, table, column }: Column): readonly string[] {
  const [s, t, c] = [schema, table, column].map(literal)
  return [
    ...missingTableQueries(schema, table),
    `select json_object('ask', @ask, 'column', column_name) from information_schema.columns where table_schema = ${s} and table_name = ${t}`,
    `/*!80000 select json_object('ask', @ask, 'form', 'JSON', 'auto', histogram->'$."auto-update"', 'buckets', histogram->'$."number-of-buckets-specified"', 'age', timestampdiff(second, cast(histogram->>'$."last-updated"' as datetime), utc_timestamp())) from information_schema.column_statistics where schema_name = ${s} and table_name = ${t} and column_name = ${c} */`,
    `/*M!100000 select json_object('ask', @ask, 'form', hist_type, 'buckets', coalesce(json_value(histogram, '$.target_histogram_size'), hist_size), 'age', timestampdiff(second, json_value(histogram, '$.collected_at'), now())) from mysql.column_stats where db_name = ${s} and table_name = ${t} and column_name = ${c} */`,
  ]
}

function histogramOf(
  { schema, table, column }: Column,
  { server: { server }, rows }: Answer,
  maxAge: number | undefined,
): Histogram {
  const columns = namesOf(rows, 'column')
  const lacks = missingTable(schema, table, rows, columns.length === 0)
  if (lacks) return lacks
  if (!columns.some((name) => name.toLowerCase() === column.toLowerCase())) return missing('column', column, columns)
  const row = rows.find((each) => 'form' in each)
  const buckets = Number(row?.['buckets'] ?? 0)
  if (!row) return { type: 'absent', server }
  // MariaDB keeps a row of other statistics, with a size of 0.
  if (buckets === 0) return { type: 'absent', server, others: true }
  const isStale = maxAge !== undefined && Number(row['age'] ?? Number.POSITIVE_INFINITY) > maxAge
  const histogram = {
    type: 'histogram',
    server,
    buckets,
    form: String(row['form']),
    auto: row['auto'] === true,
  } as const
  return isStale ? { ...histogram, stale: true } : histogram
}

function write(
  { schema, table, column }: Column,
  to: Histogram,
  from: Histogram,
  defaultsFile: string | undefined,
): Script {
  if (to.type === 'missing') throw new Failure('E_REFUSED', `The ${to.what} cannot be taken away here.`)
  const [place, name] = [identifier(schema, table), identifier(column)]
  return maintenance(to.server === 'mariadb' ? forMariadb() : [forMysql()], defaultsFile).touches()

  function forMysql(): string {
    if (to.type !== 'histogram') return `analyze table ${place} drop histogram on ${name}`
    const was = from.type === 'histogram' && from.auto
    // Servers before 8.4 do not know the words, and manual is what they and later ones do without.
    const update = to.auto ? ' auto update' : was ? ' manual update' : ''
    return `analyze table ${place} update histogram on ${name} with ${to.type === 'histogram' ? to.buckets : 0} buckets${update}`
  }

  function forMariadb(): readonly string[] {
    const analyze = `analyze table ${place} persistent for columns (${name}) indexes ()`
    const [s, t, c] = [schema, table, column].map(literal)
    const ofTable = `db_name = ${s} and table_name = ${t}`
    const ofColumn = `${ofTable} and column_name = ${c}`
    const kept = `select 1 from mysql.column_stats where ${ofColumn} and hist_size > 0`
    if (to.type === 'absent' && to.others) return ['set session histogram_size = 0', analyze]
    if (to.type !== 'histogram')
      return [
        `delete from mysql.column_stats where ${ofColumn}`,
        // With the first column the server counted the rows, and guesses by that number ever since. It locks its tables one by one (1428).
        `set @others = exists (select 1 from mysql.column_stats where ${ofTable}) or exists (select 1 from mysql.index_stats where ${ofTable})`,
        `delete from mysql.table_stats where ${ofTable} and not @others`,
        `set session lock_wait_timeout = ${lockWait}`,
        `flush tables ${place}`,
      ]
    return [
      `set session histogram_size = ${to.buckets}, histogram_type = ${quoted(to.form)}`,
      analyze,
      // Of a column without values it keeps none, and says nothing.
      `select '', '', 'Error', 'MariaDB made no histogram, since the column has no values.' from dual where not exists (${kept})`,
    ]
  }
}

/** A word of the server's own. */
function quoted(word: string): string {
  if (!/^\w+$/.test(word)) throw new Failure('E_REFUSED', `${JSON.stringify(word)} is no kind of histogram.`)
  return `'${word}'`
}

function show(value: Histogram): string {
  if (value.type === 'missing') return `no such ${value.what}`
  if (value.type === 'absent') return 'absent'
  const form = ['JSON', 'JSON_HB'].includes(value.form) ? '' : ` ${value.form}`
  return `${value.buckets} buckets${form}${value.auto ? ', auto update' : ''}${value.stale ? ', too old' : ''}`
}
