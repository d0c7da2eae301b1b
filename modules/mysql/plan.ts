/** Observes how a server would answer a query, and whether it reads too much for it. */

import { type Finding, Observation, type Observed } from '../../dsl/observation.ts'
import { isProblem } from '../../dsl/variable.ts'
import { checked, defaultsFileProblem } from './client.ts'
import { count, type PlanStep, type QueryPlan, queryPlan } from './query-plan.ts'

/** A query of which is not said yet in what schema its tables are. */
export interface PlanOfQuery {
  /** The schema (the database) of its tables. */
  in(schema: string): MysqlPlan
}

/**
 * Asks a server by EXPLAIN how it would answer a query, and tells the estimate: rows that are read, and for each table how it is reached (`ALL` is
 * the whole table), by which index, and how many rows the conditions leave. The query is not run.
 *
 * What is told are estimates: run ANALYZE TABLE first where many rows came since, and see `mysqlHistogram()` for columns without an index. A subquery is
 * counted once, however often it is run.
 *
 * Only one SELECT is taken, also after WITH. Whatever else, and a SELECT that writes (INTO) or locks, is told before any connection. What the server does not
 * understand, such as a table that is not there, fails in its own words.
 *
 * @example
 * mysqlPlan("select * from wp_eistruttore_schedule where session_date = '2026-11-23'").in(vars.schema).rowsBelow(1000)
 * @see https://dev.mysql.com/doc/refman/en/explain-output.html
 */
export function mysqlPlan(sql: string): PlanOfQuery {
  return new MysqlPlan(sql)
}

export class MysqlPlan extends Observation<QueryPlan> implements PlanOfQuery {
  readonly module = 'mysqlPlan'
  readonly sql: string
  readonly schema: string = ''
  readonly limit: number | undefined
  readonly file: string | undefined

  /** @internal Made by `mysqlPlan()`. */
  constructor(sql: string) {
    super()
    this.sql = sql
    const problem = queryProblem(sql)
    if (problem !== undefined) return this.wrong(`mysqlPlan: ${problem}`)
  }

  /** The beginning of the query, on one line. */
  get id(): string {
    const line = String(this.sql).replace(/\s+/g, ' ').trim()
    return line.length > 72 ? `${line.slice(0, 71)}…` : line
  }

  in(schema: string): MysqlPlan {
    const result = checked(schema, 'schema')
    return this.with<MysqlPlan>({ schema }).wrong(isProblem(result) ? `mysqlPlan: ${result.problem}` : undefined)
  }

  /** Fewer rows than these must be read, by the server's estimate. */
  rowsBelow(rows: number): MysqlPlan {
    const problem =
      Number.isInteger(rows) && rows > 0 ? undefined : `rowsBelow takes a whole number from 1, not ${rows}`
    return this.with<MysqlPlan>({ limit: rows }).wrong(problem && `mysqlPlan ${this.id}: ${problem}`)
  }

  /**
   * A file on the host with the client's options, of a section `[client]`: user, password, socket. No password is ever an argument;
   * one that holds a password and that everybody may read is refused in the plan.
   * Without, the session's user logs in over the socket.
   */
  defaultsFile(path: string): MysqlPlan {
    const problem = defaultsFileProblem(path)
    return this.with<MysqlPlan>({ file: path }).wrong(problem && `mysqlPlan ${this.id}: ${problem}`)
  }

  override get unfinished() {
    return this.schema !== '' || this.problems.length > 0 ? undefined : `mysqlPlan ${this.id} lacks .in(schema)`
  }

  get view() {
    return queryPlan(this.sql, this.schema, this.file)
  }

  find({ now: { steps, reads, leaves } }: Observed<QueryPlan>): Finding {
    const says = `reads about ${count(reads)}, and leaves ${leaves}`
    const table = steps.map(
      ({ table: name, access, key, rows, filtered }) =>
        `${name}  ${access}  ${key ?? 'no key'}  ${count(rows)}, of which ${percent(filtered)} % stay`,
    )
    if (this.limit === undefined || reads < this.limit) return { says, table }
    const unexpected = {
      message: `The query reads about ${count(reads)}, not less than ${this.limit}.`,
      hint: hintOf(steps),
      seen: { command: 'explain', status: 0, output: table.join('\n') },
    }
    return { says, table, unexpected }
  }
}

function percent(filtered: number): string {
  return String(Math.round(filtered * 100) / 100)
}

function hintOf(steps: readonly PlanStep[]): string | undefined {
  const whole = steps.filter(({ access }) => access === 'ALL').map(({ table }) => table)
  return whole.length > 0
    ? `No index answers the conditions on ${whole.join(' and ')}, which is read whole.`
    : undefined
}

/** What is not one SELECT. Texts, names and comments are looked over. */
function queryProblem(sql: string): string | undefined {
  if (typeof sql !== 'string' || sql.trim() === '') return 'there is no query'
  if (sql.includes('\0')) return 'the query holds a NUL byte'
  const bare = sql.replace(
    /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`|\/\*[^]*?\*\/|(?:#|-- ).*$/gm,
    (part) => (/^\/\*M?!/.test(part) ? part.replace(/[*/!]/g, ' ') : ' x '),
  )
  if (!/^[\s(]*(?:select|with)\b/i.test(bare))
    return `only a SELECT is explained, not ${JSON.stringify(sql.trim().slice(0, 40))}`
  if (bare.includes(';')) return 'one query only, without a semicolon'
  const word = /\b(?:insert|replace|update|delete|into|lock in share mode|for share)\b(?!\s*\()/i.exec(bare)?.[0]
  return word === undefined ? undefined : `the query must only read, and says ${word.toUpperCase()}`
}
