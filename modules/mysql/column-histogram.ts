/** What the optimizer knows of how a column's values are spread: the histograms of MySQL 8 and MariaDB 10.8. */

import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { nearest } from '../../errors/suggest.ts'
import { type Collector, Probe, unparsable } from '../../probe/probe.ts'
import type { Script } from '../../shell/script.ts'
import { client, identifier, literal, maintenance, unanswered } from './client.ts'

/** A column of a table. */
export interface Column {
  readonly schema: string
  readonly table: string
  readonly column: string
}

export type Brand = 'mysql' | 'mariadb'

/** A histogram by what was asked for, never by what came out: a column of two values has two buckets of a hundred. */
export type Histogram =
  | { readonly type: 'absent'; readonly server: Brand }
  | {
      readonly type: 'histogram'
      readonly server: Brand
      /** Buckets that were asked for. */
      readonly buckets: number
      /** Of MariaDB `JSON_HB`, `DOUBLE_PREC_HB` or `SINGLE_PREC_HB`; of MySQL `JSON`. */
      readonly form: string
      /** Made anew by every ANALYZE TABLE. MariaDB and MySQL before 8.4 do not know it. */
      readonly auto: boolean
    }
  /** There is no such schema, table or column; the one that was probably meant. */
  | { readonly type: 'missing'; readonly what: 'schema' | 'table' | 'column'; readonly nearest?: string }

export interface DatabaseServer {
  readonly server: Brand
  /** `9.7.4-2`, `10.11.18-MariaDB-0+deb12u1`. */
  readonly version: string
  /** Refuses histograms even from an administrator. */
  readonly readOnly: boolean
}

/**
 * The histogram of a column.
 *
 * @example
 * mockHost('db1').has(columnHistogram({ schema: 'shop', table: 'bookings', column: 'day' }), { type: 'absent', server: 'mariadb' })
 */
export function columnHistogram(column: Column, defaultsFile?: string): Resource<Histogram> {
  const names = [column.schema, column.table, column.column]
  return {
    key: `mysql:histogram/${names.map(encodeURIComponent).join('/')}`,
    label: names.join('.'),
    read: Probe.of(histograms(defaultsFile), column) as Probe<Histogram>,
    write: (to, from) => write(column, to, from, defaultsFile),
    show,
    fresh: { type: 'absent', server: 'mysql' },
  }
}

/** Which server answers. It can only be looked at. */
export function databaseServer(defaultsFile?: string): Resource<DatabaseServer> {
  return {
    key: 'mysql:server',
    label: 'database server',
    read: Probe.of(histograms(defaultsFile), 'server') as Probe<DatabaseServer>,
    fresh: { server: 'mysql', version: '8.4.0', readOnly: false },
  }
}

/** Asks for all columns of a play with one client. Each statement is for one server: the other takes it for a comment. */
function histograms(defaultsFile: string | undefined): Collector<Column | 'server', Histogram | DatabaseServer> {
  return {
    name: `mysql ${defaultsFile ?? ''}`,
    aside: true,
    ask: (questions) =>
      client([serverQuery, ...questions.flatMap((q, i) => (q === 'server' ? [] : columnQueries(q, i)))], defaultsFile),
    answers(output, questions) {
      if (output.status !== 0) throw unanswered(output)
      const rows = parseRows(output.stdout.toString())
      const server = rows?.find((row) => row.version !== undefined)
      if (!rows || !server) throw unparsable('mysql', output)
      const brand = /mariadb/i.test(server.version!) ? 'mariadb' : 'mysql'
      return questions.map((question, i) => {
        if (question === 'server') return { server: brand, version: server.version!, readOnly: server.readOnly === 1 }
        return histogramOf(
          question,
          rows.filter((row) => row.ask === i),
          brand,
        )
      })
    },
  }
}

/** MariaDB lets an administrator write where it is read-only, MySQL does not; and as itself its variable makes JSON that is none. */
const serverQuery = "select json_object('version', version(), 'readOnly', 0 /*!80000 + @@global.read_only */)"

/** The names that are there come only where the one that is asked for is not. */
function columnQueries({ schema, table, column }: Column, ask: number): readonly string[] {
  const [s, t, c] = [schema, table, column].map(literal)
  const one = (what: string, name: string) =>
    `select json_object('ask', ${ask}, '${what}', ${name}) from information_schema.`
  return [
    `${one('schema', 'schema_name')}schemata where not exists (select 1 from information_schema.schemata where schema_name = ${s})`,
    `${one('table', 'table_name')}tables where table_schema = ${s} and not exists (select 1 from information_schema.tables where table_schema = ${s} and table_name = ${t})`,
    `${one('column', 'column_name')}columns where table_schema = ${s} and table_name = ${t}`,
    `/*!80000 select json_object('ask', ${ask}, 'form', 'JSON', 'auto', histogram->'$."auto-update"', 'buckets', histogram->'$."number-of-buckets-specified"') from information_schema.column_statistics where schema_name = ${s} and table_name = ${t} and column_name = ${c} */`,
    `/*M!100000 select json_object('ask', ${ask}, 'form', hist_type, 'buckets', coalesce(json_value(histogram, '$.target_histogram_size'), hist_size)) from mysql.column_stats where db_name = ${s} and table_name = ${t} and column_name = ${c} */`,
  ]
}

interface Row {
  readonly version?: string
  readonly readOnly?: number
  readonly ask?: number
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly form?: string | null
  readonly auto?: boolean | null
  readonly buckets?: number | string | null
}

/** One JSON object a line; JSON itself holds no line end. */
function parseRows(text: string): readonly Row[] | undefined {
  try {
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Row)
  } catch {
    return undefined
  }
}

function histogramOf({ schema, table, column }: Column, rows: readonly Row[], server: Brand): Histogram {
  const names = (what: 'schema' | 'table' | 'column') => rows.flatMap((row) => row[what] ?? [])
  const missing = (what: 'schema' | 'table' | 'column', name: string): Histogram => {
    const near = nearest(name, names(what))
    return near === undefined ? { type: 'missing', what } : { type: 'missing', what, nearest: near }
  }
  const columns = names('column')
  if (names('schema').length > 0) return missing('schema', schema)
  if (columns.length === 0) return missing('table', table)
  if (!columns.some((name) => name.toLowerCase() === column.toLowerCase())) return missing('column', column)
  const row = rows.find(({ form }) => typeof form === 'string')
  const buckets = Number(row?.buckets ?? 0)
  // MariaDB keeps a row of other statistics, with a size of 0.
  if (!row || buckets === 0) return { type: 'absent', server }
  return { type: 'histogram', server, buckets, form: row.form!, auto: row.auto ?? false }
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
    if (to.type !== 'histogram') return ['set session histogram_size = 0', analyze]
    const [s, t, c] = [schema, table, column].map(literal)
    const kept = `select 1 from mysql.column_stats where db_name = ${s} and table_name = ${t} and column_name = ${c} and hist_size > 0`
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
  return `${value.buckets} buckets${form}${value.auto ? ', auto update' : ''}`
}
