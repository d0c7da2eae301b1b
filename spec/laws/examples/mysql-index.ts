import { indexLife, type IndexLife } from '../../../modules/mysql/index-life.ts'
import { here, recordPath } from '../../../modules/mysql/index-record.ts'
import { mysqlIndex } from '../../../modules/mysql/mysql-index.ts'
import { tableIndex } from '../../../modules/mysql/table-index.ts'
import { type Script, sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

/** Names that are a trouble to whoever does not quote. */
const name = { schema: 'law', table: "indexed we`ird; ta'ble", index: 'i`dx; `$x' }
const table = "law.`indexed we``ird; ta'ble`"
const key = '`i``dx; ``$x` (`a`,`b` DESC)'
const retirement = {
  ...name,
  unusedFor: 72 * 3600,
  grace: 48 * 3600,
  on: [],
  defaultsFile: undefined,
  onDefaultsFile: undefined,
}
const path = recordPath(retirement)

/** MySQL on sid, MariaDB on bookworm, which counts the use of indexes only where it is told to. */
const prepare = sh`systemctl start mysql 2>/dev/null || systemctl start mariadb || exit
mysql`.reading('/*M!100600 set global userstat = 1 */;\ncreate database if not exists law;\n')

/** The table has its index, and the host keeps nothing of it. */
const indexed = (visible: boolean): Script =>
  sh`rm -f -- ${path} ${`${path}.before`}
mysql`.reading(
    [
      `drop table if exists ${table};`,
      `create table ${table} (id int primary key, a int, b int);`,
      `/*!80000 alter table ${table} add key ${key} ${visible ? '' : 'invisible'} */;`,
      `/*M!100600 alter table ${table} add key ${key} ${visible ? '' : 'ignored'} */;`,
    ].join('\n'),
  )

/** What the host keeps of an index that it made invisible so many hours ago. */
const invisibleFor = (hours: number): Script => sh`${indexed(false)} || exit
mkdir -p -m 0700 /var/lib/fleetplay && mkdir -p -m 0700 /var/lib/fleetplay/mysql-index || exit
{
  printf 'stage\t%s\n' ${JSON.stringify({ stage: 'invisible', definition: `KEY ${key}` })}
  printf 'here\t{"clock":%s}\n' $(($(date +%s) - 3600 * ${hours}))
} >${path}`

const life = (value: Partial<IndexLife & { type: 'life' }>): IndexLife => ({
  type: 'life',
  server: 'mysql',
  index: 'visible',
  definition: `KEY ${key}`,
  stage: null,
  due: null,
  ...value,
})

const state = (visible: boolean) =>
  [tableIndex(name), { type: 'index', server: 'mysql', visible, unique: false, primary: false }] as const

const index = () => mysqlIndex(name.table, name.index).in(name.schema)
const retired = () => index().retire({ unusedFor: '72h', grace: '48h', on: [] })

export const mysqlIndexExamples: readonly Example[] = [
  {
    name: 'mysqlIndex, invisible',
    task: () => index().invisible(),
    before: () => indexed(true),
    prepare,
    proved: 'lab',
  },
  {
    name: 'mysqlIndex, visible',
    task: () => index().visible(),
    values: () => [state(false)],
    before: () => indexed(false),
    prepare,
    proved: 'lab',
  },
  {
    name: 'mysqlIndex, watched from now on',
    task: retired,
    before: () => indexed(true),
    prepare,
    proved: 'lab',
  },
  {
    name: 'mysqlIndex, unused for long',
    task: retired,
    values: () => [
      [indexLife(retirement), life({ stage: 'watched', due: { stage: 'invisible', count: [here], keeps: false } })],
    ],
    proved: 'lab',
    // A server that has run for so long is made of a clock that is moved: spec/lab/mysql.spec.ts.
    images: [],
  },
  {
    name: 'mysqlIndex, after its time of grace',
    task: retired,
    values: () => [
      state(false),
      [
        indexLife(retirement),
        life({ index: 'invisible', stage: 'invisible', due: { stage: 'dropped', count: [here], keeps: false } }),
      ],
    ],
    before: () => invisibleFor(49),
    prepare,
    proved: 'lab',
  },
]
