import { sh } from '../../../shell/script.ts'
import { columnHistogram } from '../../../modules/mysql/column-histogram.ts'
import { mysqlHistogram } from '../../../modules/mysql/histogram.ts'
import type { Example } from '../../../testing/example.ts'

/** Names that are a trouble to whoever does not quote. */
const column = { schema: 'law', table: "we`ird; ta'ble", column: 'co"l `$x' }

/** MySQL on sid, MariaDB on bookworm. */
const prepare = sh`systemctl start mysql 2>/dev/null || systemctl start mariadb || exit
mysql`.reading(
  [
    'create database if not exists law;',
    'create table if not exists law.`we``ird; ta\'ble` (`co"l ``$x` int);',
    "insert into law.`we``ird; ta'ble` select ordinal_position from information_schema.columns limit 300;",
  ].join('\n'),
)

const histogram = (buckets: number) => mysqlHistogram(column.table).on(column.column).buckets(buckets).in(column.schema)

const analyzed = (statement: string) => sh`mysql`.reading(statement)
const table = "law.`we``ird; ta'ble`"
const name = '`co"l ``$x`'

const none = analyzed(
  [
    `/*!80000 analyze table ${table} drop histogram on ${name} */;`,
    // Neither does it know anything else of the column.
    `/*M!100000 delete from mysql.column_stats where db_name = 'law' */;`,
    `/*M!100000 flush tables ${table} */;`,
  ].join('\n'),
)

const ofSeven = analyzed(
  [
    `/*!80000 analyze table ${table} update histogram on ${name} with 7 buckets */;`,
    `/*M!100000 set session histogram_size = 7, histogram_type = 'JSON_HB' */;`,
    `/*M!100000 analyze table ${table} persistent for columns (${name}) indexes () */;`,
  ].join('\n'),
)

const seven = { type: 'histogram', server: 'mysql', buckets: 7, form: 'JSON', auto: false } as const

export const mysqlHistogramExamples: readonly Example[] = [
  { name: 'mysqlHistogram, new', task: () => histogram(100), before: () => none, prepare, proved: 'lab' },
  {
    name: 'mysqlHistogram, drifted',
    task: () => histogram(100),
    values: () => [[columnHistogram(column), seven]],
    before: () => ofSeven,
    prepare,
    proved: 'lab',
  },
  {
    name: 'mysqlHistogram, absent',
    task: () => mysqlHistogram(column.table).on(column.column).absent().in(column.schema),
    values: () => [[columnHistogram(column), seven]],
    before: () => ofSeven,
    prepare,
    proved: 'lab',
  },
]
