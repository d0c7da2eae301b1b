/** Questions to a database server: all of a play go to it with one client. */

import type { Resource } from '../../dsl/resource.ts'
import { nearest } from '../../errors/suggest.ts'
import { type Collector, Probe, unparsable } from '../../probe/probe.ts'
import { client, literal, unanswered } from './client.ts'

export type Brand = 'mysql' | 'mariadb'

export interface DatabaseServer {
  readonly server: Brand
  /** `9.7.4-2`, `10.11.18-MariaDB-0+deb12u1`. */
  readonly version: string
  /** Refuses histograms even from an administrator. */
  readonly readOnly: boolean
}

/** A JSON object that a statement made, as `json_object('ask', @ask, …)`. */
export interface Row {
  readonly [name: string]: unknown
  /** Lines that follow the object and are none: what SHOW CREATE TABLE prints. */
  readonly lines?: readonly string[]
}

export interface Answer {
  readonly server: DatabaseServer
  readonly rows: readonly Row[]
}

/** Which server answers. It can only be looked at. */
export function databaseServer(defaultsFile?: string): Resource<DatabaseServer> {
  return {
    key: 'mysql:server',
    label: 'database server',
    read: ask([], defaultsFile).map(({ server }) => server),
    fresh: { server: 'mysql', version: '8.4.0', readOnly: false },
  }
}

/** Asks this host's server. A statement that is for one kind of server stands in a comment that only that one reads. */
export function ask(statements: readonly string[], defaultsFile: string | undefined): Probe<Answer> {
  return Probe.of(questions(defaultsFile), statements)
}

/** One client for all: what a session knows as @ask tells whose rows they are. */
function questions(defaultsFile: string | undefined): Collector<readonly string[], Answer> {
  return {
    name: `mysql ${defaultsFile ?? ''}`,
    aside: true,
    ask: (all) => client(withServer(all), defaultsFile),
    answers(output, all) {
      if (output.status !== 0) throw unanswered(output)
      const result = answersOf(output.stdout.toString(), all.length)
      if (!result) throw unparsable('mysql', output)
      return result
    },
  }
}

/** The statements of all questions, of which each begins by saying which it is. */
export function withServer(all: readonly (readonly string[])[]): readonly string[] {
  return [serverQuery, ...all.flatMap((each, i) => (each.length === 0 ? [] : [`set @ask = ${i}`, ...each]))]
}

/** MariaDB lets an administrator write where it is read-only, MySQL does not; and as itself its variable makes JSON that is none. */
const serverQuery = "select json_object('version', version(), 'readOnly', 0 /*!80000 + @@global.read_only */)"

/** What was printed, for each question; undefined where it is not understood. */
export function answersOf(text: string, count: number): readonly Answer[] | undefined {
  const rows = parseRows(text)
  const version = rows?.find((row) => typeof row['version'] === 'string' && !('ask' in row))
  if (!rows || !version) return undefined
  const server: DatabaseServer = {
    server: /mariadb/i.test(String(version['version'])) ? 'mariadb' : 'mysql',
    version: String(version['version']),
    readOnly: version['readOnly'] === 1,
  }
  // MariaDB makes a text of the number.
  return Array.from({ length: count }, (_, i) => ({
    server,
    rows: rows.filter((row) => String(row['ask']) === `${i}`),
  }))
}

/** One JSON object a line; JSON itself holds no line end. */
function parseRows(text: string): readonly Row[] | undefined {
  const rows: { readonly row: Row; readonly lines: string[] }[] = []
  try {
    for (const line of text.split('\n')) {
      if (line.startsWith('{')) rows.push({ row: JSON.parse(line) as Row, lines: [] })
      else if (line !== '' && rows.length > 0) rows.at(-1)!.lines.push(line)
      else if (line !== '') return undefined
    }
    return rows.map(({ row, lines }) => (lines.length > 0 ? { ...row, lines } : row))
  } catch {
    return undefined
  }
}

/** Something that the server does not have, and the name that was probably meant. */
export interface Missing<What extends string> {
  readonly type: 'missing'
  readonly what: What
  readonly nearest?: string
}

/** Rows with the names of schemas or tables, which come only where the one that is asked for is not there. */
export function missingTableQueries(schema: string, table: string): readonly string[] {
  const [s, t] = [schema, table].map(literal)
  const one = (what: string, name: string) =>
    `select json_object('ask', @ask, '${what}', ${name}) from information_schema.`
  return [
    `${one('schema', 'schema_name')}schemata where not exists (select 1 from information_schema.schemata where schema_name = ${s})`,
    `${one('table', 'table_name')}tables where table_schema = ${s} and not exists (select 1 from information_schema.tables where table_schema = ${s} and table_name = ${t})`,
  ]
}

/** The missing schema or table, from such rows; `isEmpty` where nothing of the table was read. */
export function missingTable(
  schema: string,
  table: string,
  rows: readonly Row[],
  isEmpty: boolean,
): Missing<'schema' | 'table'> | undefined {
  if (namesOf(rows, 'schema').length > 0) return missing('schema', schema, namesOf(rows, 'schema'))
  return isEmpty ? missing('table', table, namesOf(rows, 'table')) : undefined
}

export function missing<What extends string>(what: What, name: string, names: readonly string[]): Missing<What> {
  const near = nearest(name, names)
  return near === undefined ? { type: 'missing', what } : { type: 'missing', what, nearest: near }
}

export function namesOf(rows: readonly Row[], what: string): readonly string[] {
  return rows.flatMap((row) => (typeof row[what] === 'string' ? row[what] : []))
}

/** What a plan says of what is not there, and what was meant. A server does not show what its user may not touch. */
export function missingWords(
  { what, nearest: near }: Missing<'schema' | 'table' | 'column' | 'index'>,
  { schema, table }: { readonly schema: string; readonly table: string },
  name: string,
): readonly [message: string, hint?: string] {
  const hidden = near === undefined ? ', or does not show it to this user' : ''
  const place = `${schema}.${table}`
  const message = {
    schema: `The database server has no schema ${schema}${hidden}.`,
    table: `The schema ${schema} has no table ${table}${hidden}.`,
    column: `The table ${place} has no column ${name}.`,
    index: `The table ${place} has no index ${name}.`,
  }[what]
  return near === undefined ? [message] : [message, `Did you mean ${near}?`]
}
