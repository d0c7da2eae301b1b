/** Indexes that the optimizer may not choose, and the careful end of one that nobody uses. */

import { look, type Wish, want } from '../../dsl/resource.ts'
import { type Reading, Task, type Verdict } from '../../dsl/task.ts'
import { type Duration, type Parsed, seconds } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { databaseServer } from './ask.ts'
import { checked, defaultsFileProblem, type Elsewhere } from './client.ts'
import { judgeRetirement, judgeVisibility } from './index-judge.ts'
import { indexLife, indexWatch, movedOn, type Retirement } from './index-life.ts'
import { type IndexState, tableIndex } from './table-index.ts'

/** An index of which is not said yet in what schema its table is. */
export interface IndexStart {
  /** The schema (the database) of the table. */
  in(schema: string): IndexInSchema
}

/** An index of which is not said yet what should become of it. */
export interface IndexInSchema {
  /** The optimizer may choose it. */
  visible(): MysqlIndex
  /**
   * The optimizer may not choose it; it is kept up to date all the same. A primary key is refused (the server says 3522, MariaDB 4174).
   * Statements that name the index in FORCE INDEX fail then (1176); a unique one still refuses doubles (1062).
   */
  invisible(): MysqlIndex
  /**
   * Drops it in three stages, of which each run moves at most one, and says in a note when the next is possible.
   *
   * 1. While it is visible, its use is watched: kept on the host is what each server had counted, and when. It is unused where the
   *    counters of every server stood still for `unusedFor`, over two readings at least so far apart. A restart sets counters back: then the time
   *    since the start counts. A use that is seen begins it anew, at most once a day.
   * 2. Unused for so long, it becomes invisible. An invisible index is never chosen, so nothing is learned from its counters any more; who
   *    misses it speaks within `grace`, and `.visible()` is a moment's work, where making it again would take long.
   * 3. After `grace` it is dropped. Its definition is kept on the host, and undo makes it again.
   *
   * One that is invisible already, by `.invisible()` or by hand, is not watched: no counter can prove any more that it was unused for `unusedFor`,
   * and its `grace`, from the run that finds it so, is all that protects. Who wants the proof makes it `.visible()` first.
   *
   * Refused: unique indexes and primary keys, one that a foreign key needs (1553), and, as long as it is visible, servers that count nothing: MySQL
   * with performance_schema OFF or its instrument disabled, MariaDB without userstat. Of a visible one, a server that does not answer is unknown,
   * never unused: nothing moves.
   * EXPLAIN counts nowhere. What the optimizer only estimates by an index is no use of it, and a query that comes once a month needs a longer time than that.
   */
  retire(policy: RetirePolicy): MysqlIndex
}

export interface RetirePolicy {
  /** How long no server may have used it while it was visible: an hour at least. Nothing proves it of one that is invisible already. */
  readonly unusedFor: Duration
  /** How long it is invisible before it is dropped: an hour at least. */
  readonly grace: Duration
  /**
   * The other servers that have the table, as this host's client reaches them: `db2`, `db2:3307`, `[fd00::2]:3306`. Each is asked from this host, and its
   * counters count as much as those of the server here. An empty list says that there is none.
   */
  readonly on: readonly string[]
  /**
   * A file on the host with the client's options for those servers. The user needs to read performance_schema (MariaDB: PROCESS)
   * and the table. @default that of `.defaultsFile()`
   */
  readonly onDefaultsFile?: string
}

/**
 * An index of a table: visible, invisible (MariaDB: ignored), or on its way out.
 *
 * An ALTER TABLE waits 5 s for a transaction that holds the table, and gives up then: whoever comes after it would wait too.
 * Refused in the plan: a schema, table or index that is not there, with the nearest name.
 *
 * What `.retire()` keeps is in `/var/lib/fleetplay/mysql-index`, which root alone can read.
 *
 * @example
 * mysqlIndex('wp_bookings', 'idx_status').in('coaching').invisible()
 * mysqlIndex('wp_bookings', 'idx_old').in('coaching').retire({ unusedFor: '72h', grace: '72h', on: ['db2', 'db3'], onDefaultsFile: '/root/.replicas.cnf' })
 * @see https://dev.mysql.com/doc/refman/en/invisible-indexes.html
 * @see https://mariadb.com/kb/en/ignored-indexes/
 */
export function mysqlIndex(table: string, index: string): IndexStart {
  return new MysqlIndex(table, index)
}

interface Policy {
  readonly unusedFor: number
  readonly grace: number
  readonly on: readonly Elsewhere[]
  readonly onDefaultsFile: string | undefined
}

export class MysqlIndex extends Task implements IndexStart, IndexInSchema {
  readonly module = 'mysqlIndex'
  readonly schema: string = ''
  readonly table: string
  readonly index: string
  readonly goal: 'visible' | 'invisible' | Policy | undefined
  readonly file: string | undefined

  /** @internal Made by `mysqlIndex()`. */
  constructor(table: string, index: string) {
    super()
    this.table = table
    this.index = index
    return this.check(table, 'table').check(index, 'index')
  }

  get id(): string {
    return [this.schema, this.table, this.index].filter(Boolean).join('.')
  }

  in(schema: string): IndexInSchema {
    return this.with<MysqlIndex>({ schema }).check(schema, 'schema')
  }

  visible(): MysqlIndex {
    return this.with<MysqlIndex>({ goal: 'visible' })
  }

  invisible(): MysqlIndex {
    return this.with<MysqlIndex>({ goal: 'invisible' })
  }

  retire(policy: RetirePolicy): MysqlIndex {
    const { unusedFor, grace, on, onDefaultsFile } = read(policy ?? {})
    const problems = [
      ...[unusedFor, grace, ...on].filter(isProblem).map(({ problem }) => problem),
      twice(policy?.on),
      onDefaultsFile === undefined ? undefined : defaultsFileProblem(onDefaultsFile),
    ]
    const goal: Policy = {
      unusedFor: Number(unusedFor),
      grace: Number(grace),
      on: on.filter((each): each is Elsewhere => !isProblem(each)),
      onDefaultsFile,
    }
    return problems.reduce<MysqlIndex>(
      (task, problem) => task.wrong(problem && `mysqlIndex ${this.id}: ${problem}`),
      this.with<MysqlIndex>({ goal }),
    )
  }

  /**
   * A file on the host with the client's options, of a section `[client]`: user, password, socket. No password is ever an argument;
   * one that holds a password and that everybody may read is refused in the plan.
   * Without, the session's user logs in over the socket.
   */
  defaultsFile(path: string): MysqlIndex {
    const problem = defaultsFileProblem(path)
    return this.with<MysqlIndex>({ file: path }).wrong(problem && `mysqlIndex ${this.id}: ${problem}`)
  }

  override get unfinished() {
    const lacks =
      this.schema === '' ? 'in(schema)' : this.goal === undefined ? 'visible(), invisible() or retire(…)' : ''
    return lacks === '' || this.problems.length > 0 ? undefined : `mysqlIndex ${this.id} lacks .${lacks}`
  }

  get wishes(): readonly Wish[] {
    const { goal, retirement } = this
    const place = tableIndex(this, this.file)
    const server = look(databaseServer(this.file))
    if (!retirement) {
      const visible = goal === 'visible'
      return [server, want(place, (now) => shown(now, visible), { whole: { visible } })]
    }
    const { unusedFor, grace, on } = retirement
    return [
      server,
      // It owns the index, so that no other task may wish it visible or invisible.
      want(place, (now) => now, { whole: { retired: true } }),
      look(indexWatch(retirement)),
      want(indexLife(retirement), movedOn, { whole: { unusedFor, grace, on } }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const { retirement } = this
    if (retirement) return judgeRetirement(retirement, reading)
    return judgeVisibility(this, this.file, this.goal === 'visible', reading)
  }

  private get retirement(): Retirement | undefined {
    const { schema, table, index, goal, file } = this
    return typeof goal === 'object' ? { schema, table, index, ...goal, defaultsFile: file } : undefined
  }

  private check(name: string, what: string): this {
    const result = checked(name, what)
    return this.wrong(isProblem(result) ? `mysqlIndex: ${result.problem}` : undefined)
  }
}

function shown(now: IndexState, visible: boolean): IndexState {
  return now.type === 'missing' ? now : { ...now, visible }
}

/** The policy, or what is wrong with each part of it. */
function read({ unusedFor, grace, on, onDefaultsFile }: Partial<RetirePolicy>) {
  return {
    unusedFor: atLeastAnHour('unusedFor', unusedFor),
    grace: atLeastAnHour('grace', grace),
    on: Array.isArray(on) ? (on as readonly string[]).map(elsewhere) : [unsaid],
    onDefaultsFile,
  }
}

function atLeastAnHour(name: string, duration: Duration | undefined): Parsed<number> {
  if (duration === undefined) return { problem: `${name} is not said, such as ${name}: '72h'` }
  const parsed = seconds(duration)
  if (isProblem(parsed)) return { problem: `${name}: ${parsed.problem}` }
  return parsed >= 3600 ? parsed : { problem: `${name} is an hour at least, not ${duration}` }
}

const unsaid = { problem: 'on: say which other servers have the table as a list, `on: []` where there is none' }

/** A name or an address, and a port. Nothing of it can be taken for an option. */
function elsewhere(text: string): Parsed<Elsewhere> {
  const [, name, address, port = '3306'] =
    /^(?:([A-Za-z0-9](?:[\w.-]*\w)?)|\[([\dA-Fa-f:.]+)\])(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = name ?? address
  if (host === undefined || Number(port) > 65_535)
    return { problem: `on: ${JSON.stringify(text)} is not a server such as db2, db2:3307 or [fd00::2]:3306` }
  return { host, port: Number(port) }
}

function twice(names: unknown): string | undefined {
  const name = Array.isArray(names) ? names.find((each, i) => names.indexOf(each) !== i) : undefined
  return name === undefined ? undefined : `on: ${name} is named twice`
}
