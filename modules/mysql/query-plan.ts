/** How a server would answer a query: what EXPLAIN tells of it, of MySQL and MariaDB alike. */

import type { Resource } from '../../dsl/resource.ts'
import { type Output, Probe, unparsable } from '../../probe/probe.ts'
import { client, identifier, literal, unanswered } from './client.ts'

/** A table that is read. */
export interface PlanStep {
  /** Its name in the query. */
  readonly table: string
  /** `ALL` is the whole table, `index` a whole index, `range`, `ref`, `eq_ref`, `const`. */
  readonly access: string
  readonly key: string | null
  /** Rows that are read each time. */
  readonly rows: number
  /** Percent of them that the conditions leave, as a histogram or a guess says. */
  readonly filtered: number
}

/** What the optimizer estimates. */
export interface QueryPlan {
  readonly steps: readonly PlanStep[]
  /** Rows that are read in all. */
  readonly reads: number
  /** Rows that the outermost tables leave. */
  readonly leaves: number
}

/** The plan of a query. It can only be looked at. */
export function queryPlan(sql: string, schema: string, defaultsFile?: string): Resource<QueryPlan> {
  return {
    key: `mysql:plan/${encodeURIComponent(schema)}/${encodeURIComponent(sql)}`,
    label: sql,
    read: Probe.script(client(explain(sql, schema), defaultsFile), parsePlan, { aside: true }),
    show: ({ reads }) => `reads about ${count(reads)}`,
  }
}

/**
 * The query goes as one value: the client would take a backslash in it for a command, and a semicolon for its end; PREPARE takes one
 * statement only. The version of the JSON is the first, which later ones of MySQL do not print unasked, nor FORMAT=TREE by mistake.
 */
function explain(sql: string, schema: string): readonly string[] {
  return [
    `use ${identifier(schema)}`,
    '/*!80300 set session explain_json_format_version = 1 */',
    `set @explain = concat('explain format=json ', ${literal(sql)})`,
    'prepare explained from @explain',
    // What the optimizer may compute beforehand, such as a function of one's own, must not write.
    'start transaction read only',
    'execute explained',
    'rollback',
  ]
}

/** @internal What EXPLAIN FORMAT=JSON printed. */
export function parsePlan(output: Output): QueryPlan {
  if (output.status !== 0) throw unanswered(output)
  const joins = joinsIn(parsed(output))
  const read = joins.map((steps) => {
    let [reads, leaves] = [0, 1]
    for (const { rows, filtered } of steps) {
      reads += leaves * rows
      leaves *= (rows * filtered) / 100
    }
    return { reads, leaves }
  })
  return {
    steps: joins.flat(),
    reads: Math.round(read.reduce((sum, { reads }) => sum + reads, 0)),
    leaves: Math.round(read[0]?.leaves ?? 0),
  }
}

type Node = Readonly<Record<string, unknown>>

function parsed(output: Output): Node {
  try {
    const node = JSON.parse(output.stdout.toString()) as unknown
    if (isNode(node) && isNode(node['query_block'])) return node
  } catch {
    // It is told below.
  }
  throw unparsable('EXPLAIN FORMAT=JSON', output)
}

/**
 * The tables that are joined, in their order, of each part of the query: the outermost first, then derived tables, unions and
 * subqueries, each once, however often it is run.
 */
function joinsIn(value: unknown): readonly (readonly PlanStep[])[] {
  if (Array.isArray(value)) return value.flatMap(joinsIn)
  if (!isNode(value)) return []
  const { nested_loop: loop, table, ...rest } = value
  const tables = Array.isArray(loop) ? loop.flatMap(tableIn) : isNode(table) ? [table] : []
  const steps = tables.flatMap(stepOf)
  return [
    ...(steps.length > 0 ? [steps] : []),
    ...tables.flatMap((each) => joinsIn(Object.values(each))),
    ...joinsIn(Object.values(rest)),
  ]
}

/** The table of an entry, which MariaDB wraps where it is sorted or buffered first. */
function tableIn(entry: unknown): readonly Node[] {
  if (!isNode(entry)) return []
  if (isNode(entry['table'])) return [entry['table']]
  return Object.values(entry).flatMap(tableIn)
}

function stepOf(table: Node): readonly PlanStep[] {
  const rows = table['rows_examined_per_scan'] ?? table['rows']
  // Where a condition can never hold, a message stands instead.
  if (typeof table['access_type'] !== 'string' || rows === undefined) return []
  return [
    {
      table: String(table['table_name']),
      access: table['access_type'],
      key: typeof table['key'] === 'string' ? table['key'] : null,
      rows: Number(rows),
      filtered: Number(table['filtered'] ?? 100),
    },
  ]
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function count(rows: number): string {
  return rows === 1 ? '1 row' : `${rows} rows`
}
