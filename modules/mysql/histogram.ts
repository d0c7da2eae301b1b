/** Histograms of columns, from which the optimizer guesses how many rows a condition leaves. */

import { look, type Wish, want } from '../../dsl/resource.ts'
import { irreversible, note, type Reading, refuse, standingNote, Task, type Verdict } from '../../dsl/task.ts'
import { type Duration, seconds } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { type DatabaseServer, databaseServer, missingWords } from './ask.ts'
import { checked, defaultsFileProblem } from './client.ts'
import { columnHistogram, type Histogram } from './column-histogram.ts'

/** A table of which no column is said yet. */
export interface HistogramOfTable {
  /** The column. */
  on(column: string): HistogramOfColumn
}

/** A column of which is not said yet what it should have. */
export interface HistogramOfColumn {
  /** A histogram of so many buckets: 1 to 1024 on MySQL, 1 to 255 on MariaDB. */
  buckets(count: number): HistogramIn
  /** No histogram. What else MariaDB knows of the column stays, such as how often a value comes: it guesses by that then. */
  absent(): HistogramIn
}

/** A histogram of which is not said yet in what schema. */
export interface HistogramIn {
  /** The schema (the database) of the table. */
  in(schema: string): MysqlHistogram
}

/**
 * A histogram on a column: of MySQL 8 in the data dictionary, of MariaDB 10.8 as `JSON_HB`.
 *
 * Compared is the number of buckets that was asked for, never what came out: a column of two values has two of a hundred. The
 * same number again is no change: the histogram of a table that has grown is made anew where it is older than `.maxAge()`, or by
 * the server with `.autoUpdate()`. An ALTER TABLE that renames the column or changes its type takes it away silently; the next run
 * makes it again.
 *
 * It changes what the optimizer guesses, for conditions on columns that no index answers. It makes no index. MariaDB counts the
 * rows of the table with it, and guesses by that number, however the table grows, until the histogram is made anew: `.maxAge()`.
 *
 * Refused in the plan: a schema, table or column that is not there (with the nearest name), and what the server cannot do.
 * What only the server knows, such as a column that a unique index covers, fails the task in the server's own words.
 *
 * @example
 * mysqlHistogram('wp_eistruttore_schedule').on('session_date').buckets(100).in(vars.schema)
 * @see https://dev.mysql.com/doc/refman/en/analyze-table.html
 * @see https://mariadb.com/kb/en/histogram-based-statistics/
 */
export function mysqlHistogram(table: string): HistogramOfTable {
  return new MysqlHistogram(table)
}

export class MysqlHistogram extends Task implements HistogramOfTable, HistogramOfColumn, HistogramIn {
  readonly module = 'mysqlHistogram'
  readonly schema: string = ''
  readonly table: string
  readonly column: string = ''
  /** Undefined for no histogram. */
  readonly count: number | undefined
  readonly isAbsent: boolean = false
  readonly isAuto: boolean | undefined
  /** Seconds. */
  readonly age: number | undefined
  readonly file: string | undefined

  /** @internal Made by `mysqlHistogram()`. */
  constructor(table: string) {
    super()
    this.table = table
    return this.check(table, 'table')
  }

  get id(): string {
    return [this.schema, this.table, this.column].filter(Boolean).join('.')
  }

  on(column: string): HistogramOfColumn {
    return this.with<MysqlHistogram>({ column }).check(column, 'column')
  }

  buckets(count: number): HistogramIn {
    const fits = Number.isInteger(count) && count >= 1 && count <= 1024
    return this.with<MysqlHistogram>({ count }).wrong(
      fits ? undefined : `mysqlHistogram ${this.id}: ${count} is not a number of buckets from 1 to 1024`,
    )
  }

  absent(): HistogramIn {
    return this.with<MysqlHistogram>({ isAbsent: true })
  }

  in(schema: string): MysqlHistogram {
    return this.with<MysqlHistogram>({ schema }).check(schema, 'schema')
  }

  /** Every ANALYZE TABLE makes it anew. MySQL from 8.4. Without this word and `.manualUpdate()` it stays as it is, and a new one is manual. */
  autoUpdate(): MysqlHistogram {
    return this.with<MysqlHistogram>({ isAuto: true }).contrary('updated')
  }

  /** No ANALYZE TABLE makes it anew, but for one that names it. */
  manualUpdate(): MysqlHistogram {
    return this.with<MysqlHistogram>({ isAuto: false }).contrary('updated')
  }

  /**
   * Makes it anew where it was made longer ago than this, by the server's clock. What it said before is not kept, which the plan
   * tells as irreversible. MariaDB notes that time by the time zone of the session that made it.
   *
   * @example
   * mysqlHistogram('wp_eistruttore_schedule').on('session_date').buckets(100).in('coaching').maxAge('7d')
   */
  maxAge(age: Duration): MysqlHistogram {
    const parsed = seconds(age)
    if (isProblem(parsed)) return this.wrong(`mysqlHistogram ${this.id}: maxAge: ${parsed.problem}`)
    const isShort = parsed < 60 ? `mysqlHistogram ${this.id}: maxAge is at least a minute, not ${age}` : undefined
    return this.with<MysqlHistogram>({ age: parsed }).contrary('old').wrong(isShort)
  }

  /**
   * A file on the host with the client's options, of a section `[client]`: user, password, socket. No password is ever an argument;
   * one that holds a password and that everybody may read is refused in the plan.
   * Without, the session's user logs in over the socket.
   */
  defaultsFile(path: string): MysqlHistogram {
    const problem = defaultsFileProblem(path)
    return this.with<MysqlHistogram>({ file: path }).wrong(problem && `mysqlHistogram ${this.id}: ${problem}`)
  }

  override get unfinished() {
    const lacks =
      this.column === ''
        ? 'on(column)'
        : this.count === undefined && !this.isAbsent
          ? 'buckets(count) or absent()'
          : 'in(schema)'
    const isFinished = this.column !== '' && (this.count !== undefined || this.isAbsent) && this.schema !== ''
    return isFinished || this.problems.length > 0 ? undefined : `mysqlHistogram ${this.id} lacks .${lacks}`
  }

  get wishes(): readonly Wish[] {
    const { count, isAuto } = this
    const whole = count === undefined ? 'absent' : { buckets: count, auto: isAuto ?? null, maxAge: this.age ?? null }
    return [look(databaseServer(this.file)), want(this.place, (now) => asWished(now, count, isAuto), { whole })]
  }

  override judge({ now, changes }: Reading): readonly Verdict[] {
    const is = now(this.place)
    if (is.type === 'missing') {
      const words = missingWords(is, this, this.column)
      return [this.count === undefined ? standingNote(words.join(' ')) : refuse(...words)]
    }
    const reason =
      this.count === undefined ? undefined : cannot(now(databaseServer(this.file)), this.count, this.isAuto)
    if (reason) return [refuse(...reason)]
    if (is.type === 'histogram' && is.stale && changes(this.place))
      return [irreversible('What the older histogram said is not kept.')]
    const isFrozen = is.server === 'mariadb' && this.count !== undefined && this.age === undefined
    return isFrozen && changes(this.place) ? [note(frozen)] : []
  }

  private get place() {
    return columnHistogram({ schema: this.schema, table: this.table, column: this.column }, this.file, this.age)
  }

  private contrary(done: 'updated' | 'old'): this {
    const problem = this.count === undefined ? `mysqlHistogram ${this.id}: no histogram cannot be ${done}` : undefined
    return this.wrong(problem)
  }

  private check(name: string, what: string): this {
    const result = checked(name, what)
    return this.wrong(isProblem(result) ? `mysqlHistogram: ${result.problem}` : undefined)
  }
}

const frozen =
  'MariaDB counts the rows of the table with it, and guesses by that number until it is made anew: give it a .maxAge() where the table grows.'

function asWished(now: Histogram, buckets: number | undefined, auto: boolean | undefined): Histogram {
  if (now.type === 'missing') return now
  const { server } = now
  if (buckets === undefined) {
    if (now.type === 'absent') return now
    // Those are other statistics' own business.
    return server === 'mariadb' ? { type: 'absent', server, others: true } : { type: 'absent', server }
  }
  const was = now.type === 'histogram' && now.auto
  return { type: 'histogram', server, buckets, form: server === 'mariadb' ? 'JSON_HB' : 'JSON', auto: auto ?? was }
}

/** What the server cannot do. */
function cannot(
  { server, version, readOnly }: DatabaseServer,
  buckets: number,
  auto: boolean | undefined,
): [string, string?] | undefined {
  const before = (major: number, minor: number) => {
    const [a = 0, b = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
    return a < major || (a === major && b < minor)
  }
  if (readOnly)
    return [
      `The database server (${version}) is read-only.`,
      'A replica gets its histograms from the server that it follows.',
    ]
  if (server === 'mariadb') {
    if (before(10, 8)) return [`MariaDB ${version} does not keep how many buckets were asked for; 10.8 does.`]
    if (buckets > 255) return [`MariaDB keeps at most 255 buckets, and would take 255 for ${buckets}.`]
    return auto ? [`MariaDB ${version} does not make histograms anew by itself.`] : undefined
  }
  if (before(8, 0)) return [`MySQL ${version} has no histograms; 8.0 has.`]
  return auto && before(8, 4) ? [`MySQL ${version} does not make histograms anew by itself; 8.4 does.`] : undefined
}
