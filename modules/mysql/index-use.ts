/** Whether an index was read: what a server counts since its start, and what two readings apart in time say together. */

import { type Collector, Probe } from '../../probe/probe.ts'
import { type Answer, answersOf, type Row, withServer } from './ask.ts'
import { client, type Elsewhere, errorIn, literal, unanswered } from './client.ts'
import type { IndexName } from './table-index.ts'

/** What a server had counted at a time. */
export interface Count {
  /** Seconds since 1970, by the server's clock. */
  readonly clock: number
  /** Seconds since the server's start, when its counters were 0. */
  readonly uptime: number
  readonly source: 'performance_schema' | 'userstat'
  /** Uses of the index. */
  readonly reads: number
  /** Seconds since 1970 of the table's last ALTER; 0 where it does not matter. */
  readonly altered: number
  /** Uses of the table, by whatever index or none: where they are fewer than before, somebody has set the counters back. */
  readonly total: number
}

/** A count, or why there is none; `off` where the server counts nothing because it is configured so. */
export type Counted = Count | { readonly unknown: string; readonly off: boolean }

/** What is known of an index on one server, from the count that was kept and the one now. */
export type Use =
  /** Nothing was kept that the count now could be held against. */
  | { readonly state: 'new' }
  /** Used in so many seconds, which is so many times more than before where that is known. */
  | { readonly state: 'used'; readonly seconds: number; readonly reads: number }
  | { readonly state: 'unused'; readonly seconds: number; readonly restarted: boolean }
  /** Nobody knows. It never means unused. */
  | { readonly state: 'unknown'; readonly why: string; readonly off: boolean }

/**
 * One row with all counters. EXPLAIN does not count; an index that finds nothing counts in performance_schema, and not in
 * userstat of MariaDB, which counts rows. On MariaDB performance_schema is OFF as it is delivered, and its tables empty.
 */
export function useQuery({ schema, table, index }: IndexName): string {
  const [s, t, i] = [schema, table, index].map(literal)
  const status = '/*!50700 performance_schema */ /*M!100000 information_schema */ .global_status'
  const waits = `performance_schema.table_io_waits_summary_by_index_usage where object_type = 'TABLE' and object_schema = ${s} and object_name = ${t}`
  return `select json_object('ask', @ask, ${[
    "'clock', unix_timestamp()",
    `'uptime', (select variable_value from ${status} where variable_name = 'Uptime')`,
    `'altered', (select unix_timestamp(create_time) from information_schema.tables where table_schema = ${s} and table_name = ${t})`,
    `'found', (select count(*) from information_schema.statistics where table_schema = ${s} and table_name = ${t} and index_name = ${i})`,
    "'schema', @@global.performance_schema + 0",
    "'instrument', (select count(*) from performance_schema.setup_instruments where name = 'wait/io/table/sql/handler' and enabled = 'YES')",
    "'consumer', (select count(*) from performance_schema.setup_consumers where name = 'global_instrumentation' and enabled = 'YES')",
    `'object', (select enabled from performance_schema.setup_objects where object_type = 'TABLE' and object_schema in ('%', ${s}) and object_name in ('%', ${t}) order by object_schema = '%', object_name = '%' limit 1)`,
    `'lost', (select sum(variable_value) from ${status} where variable_name in ('Performance_schema_index_stat_lost', 'Performance_schema_table_instances_lost', 'Performance_schema_table_handles_lost'))`,
    `'reads', (select sum(count_star) from ${waits} and index_name = ${i})`,
    `'total', (select sum(count_star) from ${waits})`,
  ].join(', ')} /*M!100000 , ${[
    "'userstat', @@global.userstat + 0",
    `'rows', (select sum(rows_read) from information_schema.index_statistics where table_schema = ${s} and table_name = ${t} and index_name = ${i})`,
    `'tableRows', (select sum(rows_read + rows_changed) from information_schema.table_statistics where table_schema = ${s} and table_name = ${t})`,
  ].join(', ')} */)`
}

/** What such a row says. */
export function countOf(row: Row | undefined, { isHere }: { readonly isHere: boolean }): Counted {
  const number = (name: string) => Number(row?.[name] ?? 0)
  const unknown = (why: string, off = false) => ({ unknown: why, off })
  if (!row || number('clock') === 0 || row['uptime'] === null)
    return unknown('it does not tell its clock and its uptime')
  if (!isHere && number('found') === 0) return unknown('it has no such index, or does not show it to this user')
  const times = { clock: number('clock'), uptime: number('uptime') }
  const hasUserstat = number('userstat') === 1
  if (number('schema') === 1) {
    if (number('instrument') > 0 && number('consumer') > 0 && row['object'] === 'YES') {
      // A table that nobody has opened since the start has no rows, and neither has one for which there was no room.
      if (row['reads'] === null && number('lost') > 0) return unknown('performance_schema had no room for all tables')
      return {
        ...times,
        source: 'performance_schema',
        altered: number('altered'),
        reads: number('reads'),
        total: number('total'),
      }
    }
    if (!hasUserstat) return unknown(`performance_schema does not count it: ${disabled(row)}`, true)
  }
  if (hasUserstat)
    return { ...times, source: 'userstat', altered: 0, reads: number('rows'), total: number('tableRows') }
  return unknown(`performance_schema is OFF${'userstat' in row ? ', and so is userstat' : ''}`, true)
}

function disabled(row: Row): string {
  if (!row['instrument']) return 'the instrument wait/io/table/sql/handler is disabled'
  if (!row['consumer']) return 'the consumer global_instrumentation is disabled'
  return 'setup_objects leaves the table out'
}

/**
 * What the count now says, beside the one that was kept. A restart sets counters back: then the time since the start counts.
 * Where they were set back otherwise, or the clock was, what was kept is worth nothing: performance_schema begins at 0 silently when an index
 * is added or dropped, or the table is renamed.
 */
export function useSince(kept: Count | undefined, now: Counted): Use {
  if ('unknown' in now) return { state: 'unknown', why: now.unknown, off: now.off }
  if (!kept || kept.source !== now.source || kept.altered !== now.altered || now.clock < kept.clock)
    return { state: 'new' }
  const started = now.clock - now.uptime
  const restarted = started > kept.clock
  const seconds = now.clock - (restarted ? started : kept.clock)
  const base = restarted ? { reads: 0, total: 0 } : kept
  if (now.total < base.total || now.reads < base.reads) return { state: 'new' }
  const reads = now.reads - base.reads
  return reads > 0 ? { state: 'used', seconds: now.clock - kept.clock, reads } : { state: 'unused', seconds, restarted }
}

/** Asks a server elsewhere with this host's client. That it does not answer is an answer too. */
export function askElsewhere(
  statements: readonly string[],
  elsewhere: Elsewhere,
  defaultsFile: string | undefined,
): Probe<Answer | { readonly unanswered: string }> {
  return Probe.of(questions(elsewhere, defaultsFile), statements)
}

function questions(
  elsewhere: Elsewhere,
  defaultsFile: string | undefined,
): Collector<readonly string[], Answer | { readonly unanswered: string }> {
  return {
    name: `mysql ${elsewhere.host} ${elsewhere.port} ${defaultsFile ?? ''}`,
    aside: true,
    ask: (all) => client(withServer(all), defaultsFile, elsewhere),
    answers(output, all) {
      if (output.status === 0)
        return (
          answersOf(output.stdout.toString(), all.length) ?? all.map(() => ({ unanswered: 'it was not understood' }))
        )
      const why = errorIn(output.stderr) ?? unanswered(output).message
      return all.map(() => ({ unanswered: why }))
    },
  }
}
