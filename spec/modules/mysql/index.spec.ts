import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import type { Failure } from '../../../errors/failure.ts'
import { mysqlIndex } from '../../../index.ts'
import { answersOf, databaseServer } from '../../../modules/mysql/ask.ts'
import { alteration } from '../../../modules/mysql/client.ts'
import { span } from '../../../modules/mysql/index-judge.ts'
import {
  type IndexLife,
  indexLife,
  type IndexWatch,
  indexWatch,
  lifeOf,
  movedOn,
  type Retirement,
} from '../../../modules/mysql/index-life.ts'
import { here, type IndexRecord, parseRecord, recordPath } from '../../../modules/mysql/index-record.ts'
import { type Count, type Counted, countOf, useQuery, useSince } from '../../../modules/mysql/index-use.ts'
import { type IndexState, tableIndex } from '../../../modules/mysql/table-index.ts'
import { textReport } from '../../../report/text.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { shells } from '../../connection/shells.ts'
import { answers, inShell } from '../answers.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/mysql/${name}`, import.meta.url))
const problems = (task: unknown) => (task as { problems: readonly Failure[] }).problems.map(({ message }) => message)
const hour = 3600
const name = { schema: 'shop', table: 'bookings', index: 'idx_date' }
const place = tableIndex(name)
const index = mysqlIndex('bookings', 'idx_date').in('shop')
const policy = { unusedFor: '72h', grace: '48h', on: [] as readonly string[] } as const
const retire = index.retire(policy)
const retirement: Retirement = {
  ...name,
  unusedFor: 72 * hour,
  grace: 48 * hour,
  on: [],
  defaultsFile: undefined,
  onDefaultsFile: undefined,
}
const life = indexLife(retirement)
const watch = indexWatch(retirement)
const definition = 'KEY `idx_date` (`session_date`)'
const state = (more: Partial<IndexState & { type: 'index' }> = {}): IndexState => ({
  type: 'index',
  server: 'mysql',
  visible: true,
  unique: false,
  primary: false,
  ...more,
})
type Life = IndexLife & { type: 'life' }
const lifeIs = (more: Partial<Life> = {}): Life => ({
  type: 'life',
  server: 'mysql',
  index: 'visible',
  definition,
  stage: null,
  due: null,
  ...more,
})
const seen = (more: Partial<IndexWatch> = {}): IndexWatch => ({ ...watch.fresh!, ...more })
const unused = (seconds: number) =>
  ({ server: here, source: 'performance_schema', use: { state: 'unused', seconds, restarted: false } }) as const
const refusal = async (task: Task, host = mockHost('db1')) => (await run(task, host, { check: true })).tasks[0]!.failure
const notes = async (task: Task, host = mockHost('db1')) => (await run(task, host)).tasks[0]!.notes

describe('mysqlIndex()', () => {
  it('is a task only where it is said what should become of the index', async () => {
    // @ts-expect-error -- no schema
    const start: Task = mysqlIndex('bookings', 'idx_date')
    // @ts-expect-error -- neither visible nor invisible nor retired
    const inSchema: Task = index
    // @ts-expect-error -- it must be said which other servers there are, if only that there are none
    const vague = index.retire({ unusedFor: '72h', grace: '72h' })
    expect(problems(vague)).toEqual([
      'mysqlIndex shop.bookings.idx_date: on: say which other servers have the table as a list, `on: []` where there is none',
    ])
    expect(problems(index.retire(undefined as never))).toEqual([
      "mysqlIndex shop.bookings.idx_date: unusedFor is not said, such as unusedFor: '72h'",
      "mysqlIndex shop.bookings.idx_date: grace is not said, such as grace: '72h'",
      expect.stringContaining('on: say which other servers have the table'),
    ])
    await expect(run(start, mockHost('db1'))).rejects.toThrow('mysqlIndex bookings.idx_date lacks .in(schema)')
    await expect(run(inSchema, mockHost('db1'))).rejects.toThrow(
      'mysqlIndex shop.bookings.idx_date lacks .visible(), invisible() or retire(…)',
    )
  })

  it.each<[string, unknown, string]>([
    ['an empty name', mysqlIndex('bookings', ''), 'mysqlIndex: index: a name is empty'],
    [
      'a relative file',
      index.visible().defaultsFile('my.cnf'),
      'mysqlIndex shop.bookings.idx_date: "my.cnf" is not an absolute path',
    ],
    [
      'a short time',
      index.retire({ ...policy, unusedFor: '5m' }),
      'mysqlIndex shop.bookings.idx_date: unusedFor is an hour at least, not 5m',
    ],
    [
      'no time',
      index.retire({ ...policy, grace: 'soon' as '1h' }),
      'mysqlIndex shop.bookings.idx_date: grace: "soon" is not a duration such as 5ms, 90s or 1h',
    ],
    [
      'an option for a server',
      index.retire({ ...policy, on: ['--init-command=x'] }),
      'mysqlIndex shop.bookings.idx_date: on: "--init-command=x" is not a server such as db2, db2:3307 or [fd00::2]:3306',
    ],
    [
      'a port that is none',
      index.retire({ ...policy, on: ['db2:99999'] }),
      'mysqlIndex shop.bookings.idx_date: on: "db2:99999" is not a server such as db2, db2:3307 or [fd00::2]:3306',
    ],
    [
      'a server twice',
      index.retire({ ...policy, on: ['db2', 'db2'] }),
      'mysqlIndex shop.bookings.idx_date: on: db2 is named twice',
    ],
    [
      'a relative file of others',
      index.retire({ ...policy, onDefaultsFile: 'x' }),
      'mysqlIndex shop.bookings.idx_date: "x" is not an absolute path',
    ],
  ])('refuses %s before any connection', (_, task, message) => {
    expect(problems(task)).toEqual([message])
  })

  it('lets no two tasks wish an index visible and retired', async () => {
    await expect(run([index.visible(), retire], mockHost('db1'))).rejects.toMatchObject({
      failures: [expect.objectContaining({ code: 'E_PLAY_CONFLICT' })],
    })
  })

  it('makes it invisible and visible; again is no change (the server would take it, with exit status 0)', async () => {
    const host = mockHost('db1')
    const said = async (task: Task) =>
      (await run(task, host)).changes.map(({ before, after }) => `${before} → ${after}`)
    expect(await said(index.invisible())).toEqual(['visible → invisible'])
    expect(await said(index.invisible())).toEqual([])
    expect(await said(index.visible())).toEqual(['invisible → visible'])
  })

  it('tells what breaks: FORCE INDEX (1176), while a unique one still refuses doubles (1062)', async () => {
    expect(await notes(index.invisible(), mockHost('db1').has(place, state({ unique: true })))).toEqual([
      'Statements that name the index in FORCE INDEX or USE INDEX fail as long as it is invisible (1176).',
      "One session tries it by optimizer_switch = 'use_invisible_indexes=on'.",
      'idx_date is unique: invisible, it still refuses what is there twice (1062).',
    ])
  })

  it.each<[string, Task, IndexState, string, string | undefined]>([
    [
      'a missing index',
      index.invisible(),
      { type: 'missing', what: 'index', nearest: 'idx_dates' },
      'The table shop.bookings has no index idx_date.',
      'Did you mean idx_dates?',
    ],
    [
      'a missing table',
      index.visible(),
      { type: 'missing', what: 'table' },
      'The schema shop has no table bookings, or does not show it to this user.',
      undefined,
    ],
    [
      'a primary key: 3522, unquoted 1064, on MariaDB 4174',
      index.invisible(),
      state({ primary: true, unique: true }),
      'idx_date is the primary key of its table, or taken for it, and cannot be made invisible.',
      undefined,
    ],
    [
      'to retire a primary key',
      retire,
      state({ primary: true, unique: true }),
      'idx_date is the primary key of its table, or taken for it, and cannot be made invisible.',
      undefined,
    ],
    [
      'to retire a unique index, which is enforced anyway',
      retire,
      state({ unique: true }),
      'idx_date is unique: it holds up a constraint, even if no query reads it.',
      'Drop it by a migration of the schema, where the constraint is not wanted.',
    ],
  ])('refuses %s', async (_, task, is, message, hint) => {
    expect(await refusal(task, mockHost('db1').has(place, is))).toMatchObject({ code: 'E_REFUSED', message, hint })
  })

  it.each([
    [
      { server: 'mysql', version: '5.7.44', readOnly: false } as const,
      'MySQL 5.7.44 has no invisible indexes; 8.0 has.',
    ],
    [
      { server: 'mariadb', version: '10.5.1-MariaDB', readOnly: false } as const,
      'MariaDB 10.5.1-MariaDB cannot ignore an index; 10.6 can.',
    ],
    [{ server: 'mysql', version: '9.7.4-2', readOnly: true } as const, 'The database server (9.7.4-2) is read-only.'],
  ])('refuses what the server cannot do: %j', async (server, message) => {
    const host = mockHost('db1').has(databaseServer(), server)
    expect(await refusal(index.invisible(), host)).toMatchObject({ message })
    expect(await refusal(retire, host)).toMatchObject({ message })
  })
})

describe('mysqlIndex().retire()', () => {
  it('moves one stage at a run: watched, invisible, dropped', async () => {
    const host = mockHost('db1')
    const once = async () => (await run(retire, host)).changes.map(({ before, after }) => `${before} → ${after}`)
    expect(await once()).toEqual(['visible → visible and watched'])
    host.has(watch, seen({ uses: [unused(31 * hour)] }))
    expect(await once()).toEqual([])
    host.has(life, lifeIs({ stage: 'watched', due: { stage: 'invisible', count: [here], keeps: false } }))
    expect(await once()).toEqual(['visible and watched → invisible for a time of grace'])
    host.has(place, state({ visible: false }))
    expect(await once()).toEqual([])
    host.has(
      life,
      lifeIs({ index: 'invisible', stage: 'invisible', due: { stage: 'dropped', count: [here], keeps: false } }),
    )
    expect(await once()).toEqual(['invisible for a time of grace → dropped'])
    host.has(place, { type: 'missing', what: 'index' })
    expect(await once()).toEqual([])
  })

  it('says when the next stage is possible, also where it changes nothing', async () => {
    const watched = mockHost('db1').has(life, lifeIs({ stage: 'watched' }))
    const uses = (use: IndexWatch['uses'][number]['use'], server = here): IndexWatch['uses'] => [
      { server, source: 'performance_schema', use },
    ]
    expect(await notes(retire, watched.has(watch, seen({ uses: [unused(31 * hour + 40)] })))).toEqual([
      'Visible and unused for 31 h of 72 h. Invisible in 41 h at the earliest.',
    ])
    const restarted = uses({ state: 'unused', seconds: 2 * hour, restarted: true })
    expect(await notes(retire, watched.has(watch, seen({ uses: restarted })))).toEqual([
      'Visible and unused for 2 h of 72 h, since the server started. Invisible in 70 h at the earliest.',
    ])
    const used = uses({ state: 'used', reads: 12, seconds: 5 * hour })
    expect(await notes(retire, watched.has(watch, seen({ uses: used })))).toEqual([
      'Visible and in use: 12 times in 5 h. It stays.',
    ])
    const lost = uses({ state: 'unknown', why: 'ERROR 2003 (HY000): nobody', off: false }, 'db2:3306')
    expect(await notes(retire, watched.has(watch, seen({ uses: lost })))).toEqual([
      'Not known whether it is used on db2:3306: ERROR 2003 (HY000): nobody. Nothing is moved before that is known.',
    ])
    const hidden = mockHost('db1')
      .has(place, state({ visible: false }))
      .has(life, lifeIs({ index: 'invisible', stage: 'invisible' }))
      .has(watch, seen({ invisibleFor: 10 * hour }))
    expect(await notes(retire, hidden)).toEqual(['Invisible for 10 h of 48 h. Dropped in 38 h at the earliest.'])
    const { events } = await run(retire, hidden, { check: true })
    const text = textReport(events, { color: false, width: 120, folder: '/', diff: undefined, again: undefined })
    expect(text).toContain('note: Invisible for 10 h of 48 h. Dropped in 38 h at the earliest.')
  })

  it('says what it does not see: lookups without a row (userstat), and servers that `on` does not name', async () => {
    const host = mockHost('db1')
      .has(life, lifeIs({ stage: 'watched' }))
      .has(watch, seen({ uses: [{ ...unused(hour), source: 'userstat' }], followers: 2 }))
    expect((await notes(retire, host)).slice(1)).toEqual([
      'userstat counts the rows that were read: a query for which the index finds none is not seen.',
      '2 servers follow this one, and `on` names 0: a use that it does not name is not seen.',
    ])
  })

  it.each([
    ['that nothing is kept of', null],
    ['that was watched', 'watched'],
  ] as const)('says of an invisible index %s that its grace alone protects it, whatever counts', async (_, stage) => {
    const due = { stage: 'invisible', count: [here], keeps: false } as const
    const off = { state: 'unknown', why: 'performance_schema is OFF', off: true } as const
    const hidden = () =>
      mockHost('db1')
        .has(place, state({ visible: false }))
        .has(life, lifeIs({ index: 'invisible', stage, due }))
    const said = [
      'It is invisible already, since when is not known here: its 48 h of grace begin now.',
      'That it was unused before is not proved: counters say nothing of an invisible index. Its grace alone protects.',
    ]
    expect(await notes(retire, hidden())).toEqual(said)
    const uncounted = seen({ uses: [{ server: here, source: undefined, use: off }] })
    expect(await notes(retire, hidden().has(watch, uncounted))).toEqual(said)
  })

  it('keeps the definition of what it drops, and says where', async () => {
    const due = { stage: 'dropped', count: [here], keeps: false } as const
    const host = mockHost('db1')
      .has(place, state({ visible: false }))
      .has(life, lifeIs({ index: 'invisible', stage: 'invisible', due }))
    expect(await notes(retire, host)).toEqual([
      'It was KEY `idx_date` (`session_date`). That is kept in /var/lib/fleetplay/mysql-index/shop.bookings.idx_date, and undo makes it again.',
    ])
  })

  it.each([
    [
      'performance_schema is OFF, and so is userstat',
      'Set userstat = 1 in its configuration, and now by SET GLOBAL userstat = 1.',
    ],
    ['performance_schema is OFF', 'Enable it in its configuration, and restart it.'],
  ])('refuses where nothing is counted, which is unknown and never unused: %s', async (why, hint) => {
    const use = { state: 'unknown', why, off: true } as const
    const host = mockHost('db1').has(watch, seen({ uses: [{ server: here, source: undefined, use }] }))
    expect(await refusal(retire, host)).toMatchObject({
      code: 'E_REFUSED',
      message: `The database server does not count what indexes are used for: ${why}. That nothing was counted does not mean that it is unused.`,
      hint,
    })
    // Invisible, it is not counted any more, whoever counts.
    host.has(place, state({ visible: false })).has(life, lifeIs({ index: 'invisible', stage: 'invisible' }))
    expect(await refusal(retire, host)).toBeUndefined()
  })

  it('refuses what a foreign key needs, for which InnoDB reads without counting (1553)', async () => {
    const host = mockHost('db1').has(watch, seen({ neededBy: ['f of shop.child'] }))
    expect((await refusal(retire, host))?.message).toBe(
      'idx_date is needed by the foreign key f of shop.child (the server says 1553).',
    )
  })

  it('changes nothing where the index is not there and never was ours, and says so', async () => {
    const host = mockHost('db1')
      .has(place, { type: 'missing', what: 'index', nearest: 'idx_dates' })
      .has(life, lifeIs({ index: 'absent', definition: null }))
      .has(watch, seen({ names: ['PRIMARY', 'idx_dates'] }))
    expect(await notes(retire, host)).toEqual([
      'There is no index idx_date, and nothing is kept of it here. Did you mean idx_dates?',
    ])
  })

  it.each<[number, string, string]>([
    [59, '1 min', '1 min'],
    [3600, '1 h', '1 h'],
    [3601, '1 h', '2 h'],
    [72 * hour, '72 h', '72 h'],
    [30 * 86_400, '30 d', '30 d'],
  ])('says %i seconds as %s, and as %s where they are left', (seconds, gone, left) => {
    expect([span(seconds), span(seconds, Math.ceil)]).toEqual([gone, left])
  })
})

describe('what two counts say together', () => {
  const now = {
    clock: 1_000_000,
    uptime: 900_000,
    source: 'performance_schema',
    altered: 5,
    reads: 3,
    total: 50,
  } as const
  const kept = (more: Partial<Count> = {}): Count => ({ ...now, clock: now.clock - 80 * hour, ...more })
  it.each<[string, Count | undefined, Counted, ReturnType<typeof useSince>]>([
    ['nothing was kept', undefined, now, { state: 'new' }],
    ['the counters stand', kept(), now, { state: 'unused', seconds: 80 * hour, restarted: false }],
    ['it was used', kept({ reads: 1 }), now, { state: 'used', seconds: 80 * hour, reads: 2 }],
    [
      'a restart set it back: what was read before it is not known',
      kept({ reads: 9 }),
      { ...now, uptime: 2 * hour, reads: 0, total: 1 },
      { state: 'unused', seconds: 2 * hour, restarted: true },
    ],
    [
      'it was used after a restart',
      kept({ reads: 9 }),
      { ...now, uptime: 2 * hour, reads: 1 },
      { state: 'used', seconds: 80 * hour, reads: 1 },
    ],
    ['the counters were truncated', kept({ total: 60 }), now, { state: 'new' }],
    ['an index was added or dropped, so that all begin at 0', kept({ altered: 4 }), now, { state: 'new' }],
    ['another way of counting', kept({ source: 'userstat' }), now, { state: 'new' }],
    ['the clock was set back', kept({ clock: now.clock + 1 }), now, { state: 'new' }],
    ['nobody knows', kept(), { unknown: 'x', off: true }, { state: 'unknown', why: 'x', off: true }],
  ])('%s', (_, before, after, use) => {
    expect(useSince(before, after)).toEqual(use)
  })

  const row = {
    clock: 9,
    uptime: '8',
    found: 1,
    schema: 1,
    instrument: 1,
    consumer: 1,
    object: 'YES',
    lost: 0,
    reads: 2,
    total: 4,
    altered: 7,
  }
  const times = { clock: 9, uptime: 8 }
  it.each<[string, Record<string, unknown> | undefined, Counted]>([
    ['performance_schema', row, { ...times, source: 'performance_schema', altered: 7, reads: 2, total: 4 }],
    [
      'a table that nobody has opened',
      { ...row, reads: null, total: null },
      { ...times, source: 'performance_schema', altered: 7, reads: 0, total: 0 },
    ],
    [
      'no room for the table',
      { ...row, reads: null, lost: 3 },
      { unknown: 'performance_schema had no room for all tables', off: false },
    ],
    ['OFF', { ...row, schema: 0 }, { unknown: 'performance_schema is OFF', off: true }],
    [
      'OFF on MariaDB, where its tables are empty',
      { ...row, schema: 0, userstat: 0, rows: null },
      { unknown: 'performance_schema is OFF, and so is userstat', off: true },
    ],
    [
      'userstat',
      { ...row, schema: 0, userstat: 1, rows: 5, tableRows: 6 },
      { ...times, source: 'userstat', altered: 0, reads: 5, total: 6 },
    ],
    [
      'userstat, and no row for what was not used',
      { ...row, schema: 0, userstat: 1, rows: null, tableRows: null },
      { ...times, source: 'userstat', altered: 0, reads: 0, total: 0 },
    ],
    [
      'a disabled instrument',
      { ...row, instrument: 0 },
      {
        unknown: 'performance_schema does not count it: the instrument wait/io/table/sql/handler is disabled',
        off: true,
      },
    ],
    [
      'a disabled consumer',
      { ...row, consumer: 0 },
      { unknown: 'performance_schema does not count it: the consumer global_instrumentation is disabled', off: true },
    ],
    [
      'a table that is left out',
      { ...row, object: 'NO' },
      { unknown: 'performance_schema does not count it: setup_objects leaves the table out', off: true },
    ],
    [
      'a server elsewhere without the index',
      { ...row, found: 0 },
      { unknown: 'it has no such index, or does not show it to this user', off: false },
    ],
    ['no answer', undefined, { unknown: 'it does not tell its clock and its uptime', off: false }],
  ])('a row of %s', (_, told, counted) => {
    expect(countOf(told, { isHere: false })).toEqual(counted)
  })

  it('is one row of counters that both kinds of server print', () => {
    expect(useQuery(name)).not.toContain('idx_date')
    expect(useQuery(name)).toContain('/*!50700 performance_schema */ /*M!100000 information_schema */')
  })
})

describe('tableIndex()', () => {
  const read = (file: string, wanted: string) =>
    answers([tableIndex({ ...name, index: wanted })], { stdout: fixture(file) })[0]
  it('reads an index of several parts as one, and does not tell capitals', () => {
    expect(read('life-mysql.out', 'we`ird, KEY (x)')).toEqual(state())
    expect(read('life-mysql.out', 'IDX_Date')).toEqual(state())
    expect(read('life-mysql.out', 'PRIMARY')).toEqual(state({ unique: true, primary: true }))
    expect(read('life-mysql.out', 'uq')).toEqual(state({ unique: true }))
    expect(read('life-mysql.out', 'idx_dat')).toEqual({ type: 'missing', what: 'index', nearest: 'idx_date' })
  })

  it('reads what MariaDB ignores', () => {
    expect(read('life-mariadb.out', 'idx_date')).toEqual(state({ server: 'mariadb', visible: false }))
    expect(read('life-mariadb.out', 'idx_status')).toEqual(state({ server: 'mariadb' }))
  })

  it('takes the only unique index without NULL for the primary key, where there is none (3522)', () => {
    const rows = (...all: object[]) =>
      Buffer.from(
        [
          '{"version": "9.7.4-2", "readOnly": 0}',
          ...all.map((row) => JSON.stringify({ ask: 0, there: 'np', ...row })),
        ].join('\n'),
      )
    const part = (of: string, nullable: boolean) => ({ index: of, column: 'a', unique: true, nullable, visible: true })
    const primary = (stdout: Buffer) => answers([tableIndex({ ...name, index: 'ua' })], { stdout })[0]
    expect(primary(rows(part('ua', false)))).toMatchObject({ primary: true })
    expect(primary(rows(part('ua', true)))).toMatchObject({ primary: false })
    // Which of them it is only the server knows, and says so.
    expect(primary(rows(part('ua', false), part('ub', false)))).toMatchObject({ primary: false })
  })

  it.each<[IndexState, string]>([
    [state({ visible: false }), 'alter table `shop`.`bookings` alter index `idx_date` invisible'],
    [state(), 'alter table `shop`.`bookings` alter index `idx_date` visible'],
    [state({ server: 'mariadb', visible: false }), 'alter table `shop`.`bookings` alter index `idx_date` ignored'],
    [state({ server: 'mariadb' }), 'alter table `shop`.`bookings` alter index `idx_date` not ignored'],
  ])('writes %j', (to, statement) => {
    const script = place.write!(to, state({ server: to.type === 'index' ? to.server : 'mysql' }))
    expect(script.brief).toBe(statement)
    expect(script.text).toContain(`set session lock_wait_timeout = 5;\n${statement};\n`)
    expect(script.touched).toEqual(['mysql:index-life/shop/bookings/idx_date'])
  })

  describe.each(shells)('an ALTER TABLE in $title', ({ name: shell, there }) => {
    const script = alteration('alter table t alter index i invisible', undefined)
    it.skipIf(!there)('fails in the words of the server', () => {
      const mysql =
        "cat >/dev/null; echo 'ERROR 3522 (HY000) at line 2: A primary key index cannot be invisible' >&2; exit 1"
      expect(inShell(shell, script, { mysql })).toMatchObject({
        status: 1,
        stderr: 'ERROR 3522 (HY000) at line 2: A primary key index cannot be invisible\n',
      })
    })

    it.skipIf(!there)('does not hang behind a transaction, and says what held it (1205)', () => {
      const words = 'ERROR 1205 (HY000) at line 2: Lock wait timeout exceeded; try restarting transaction'
      const { status, stderr } = inShell(shell, script, { mysql: `cat >/dev/null; echo '${words}' >&2; exit 1` })
      expect(status).toBe(1)
      expect(stderr.split('\n')).toEqual([
        words,
        'A transaction has held the table for more than 5 s, and was not disturbed: nothing was altered. Try again when it has ended.',
        '',
      ])
    })
  })
})

describe('indexLife()', () => {
  const read = (
    file: string,
    of: Partial<Retirement> = {},
    record: IndexRecord | null = null,
    others: Parameters<typeof lifeOf>[1]['others'] = {},
  ) => lifeOf({ ...retirement, ...of }, { answer: answersOf(fixture(file).toString(), 1)![0]!, record, others })
  const record = (more: Partial<IndexRecord> = {}, age = 0): IndexRecord => {
    const text = fixture('life-mysql.out').toString()
    const own = countOf(JSON.parse(/^.*"clock".*$/m.exec(text)![0]) as Record<string, unknown>, {
      isHere: true,
    }) as Count
    return {
      stage: 'watched',
      definition,
      since: own.clock - age,
      counts: { [here]: { ...own, clock: own.clock - age } },
      ...more,
    }
  }
  const uptime = () => Number(/"uptime": "(\d+)"/.exec(fixture('life-mysql.out').toString())![1])

  it('begins by watching, with the line of SHOW CREATE TABLE, though another index has its name in its own', () => {
    expect(read('life-mysql.out').life).toEqual(lifeIs({ due: { stage: 'watched', count: [here], keeps: false } }))
    expect(read('life-mysql.out', { index: 'we`ird, KEY (x)' }).life).toMatchObject({
      definition: 'KEY `we``ird, KEY (x)` (`status`,`session_date` DESC)',
    })
  })

  it('leaves IGNORED and INVISIBLE out of the definition; what somebody else made invisible gets its grace', () => {
    const due = { stage: 'invisible', count: [here], keeps: false } as const
    expect(read('life-mariadb.out').life).toEqual(lifeIs({ server: 'mariadb', index: 'invisible', due }))
  })

  it('waits until it was unused for long enough, and counts no time before the server started', () => {
    expect(read('life-mysql.out', {}, record({}, 71 * hour)).life).toEqual(lifeIs({ stage: 'watched' }))
    const restarted = read('life-mysql.out', {}, record({}, uptime() + hour))
    expect(restarted.watch.uses[0]!.use).toMatchObject({ state: 'used', reads: 900 })
    expect(read('life-mysql.out', {}, record({}, 72 * hour)).life).toEqual(
      lifeIs({ stage: 'watched', due: { stage: 'invisible', count: [here], keeps: false } }),
    )
  })

  it('watches anew what was used, at most once a day, so that a second run changes nothing', () => {
    const used = (age: number) => {
      const { counts, ...rest } = record({}, age)
      return { ...rest, counts: { [here]: { ...counts[here]!, reads: 1 } } }
    }
    expect(read('life-mysql.out', {}, used(23 * hour)).life).toEqual(lifeIs({ stage: 'watched' }))
    expect(read('life-mysql.out', {}, used(24 * hour)).life).toEqual(
      lifeIs({ stage: 'watched', due: { stage: 'watched', count: [here], keeps: true } }),
    )
  })

  it('watches anew where somebody made it visible again, or made another one of that name', () => {
    const due = { stage: 'watched', count: [here], keeps: false } as const
    const old = 100 * hour
    expect(read('life-mysql.out', {}, record({ stage: 'invisible' }, old)).life).toEqual(
      lifeIs({ stage: 'invisible', due }),
    )
    expect(read('life-mysql.out', {}, record({ stage: 'dropped' }, old)).life).toEqual(
      lifeIs({ stage: 'dropped', due }),
    )
    expect(read('life-mysql.out', {}, record({ definition: 'KEY `idx_date` (`code`)' }, old)).life).toEqual(
      lifeIs({ stage: 'watched', due }),
    )
  })

  it('moves nothing where a server elsewhere does not answer, and counts those anew that do for the first time', () => {
    const on = [{ host: 'db2', port: 3306 }]
    const lost = { 'db2:3306': { unanswered: "ERROR 2003 (HY000): Can't connect" } }
    const { life: now, watch: told } = read('life-mysql.out', { on }, record({}, 72 * hour), lost)
    expect(now).toEqual(lifeIs({ stage: 'watched' }))
    expect(told.uses[1]).toEqual({
      server: 'db2:3306',
      source: undefined,
      use: { state: 'unknown', why: "ERROR 2003 (HY000): Can't connect", off: false },
    })
    const there = { 'db2:3306': answersOf(fixture('life-mysql.out').toString(), 1)![0]! }
    expect(read('life-mysql.out', { on }, record({}, 72 * hour), there).life).toEqual(
      lifeIs({ stage: 'watched', due: { stage: 'watched', count: ['db2:3306'], keeps: true } }),
    )
  })

  it('drops after its grace, by the clock of the server; one that was set back makes no time pass', () => {
    const mariadbClock = Number(/"clock": (\d+)/.exec(fixture('life-mariadb.out').toString())![1])
    const hidden = (age: number): IndexRecord => ({
      stage: 'invisible',
      definition,
      since: mariadbClock - age,
      counts: {},
    })
    const now = (age: number) => (read('life-mariadb.out', {}, hidden(age)).life as Life).due
    expect(now(48 * hour - 1)).toBeNull()
    expect(now(48 * hour)).toEqual({ stage: 'dropped', count: [here], keeps: false })
    expect(now(-hour)).toBeNull()
  })

  it('finds the foreign keys that need it', () => {
    expect(read('life-foreign-key-mysql.out', { table: 'child', index: 'ip' }).watch.neededBy).toEqual([
      'f of shop.child',
    ])
    expect(read('life-foreign-key-mysql.out', { table: 'child', index: 'PRIMARY' }).watch.neededBy).toEqual([])
  })

  it('is at rest on what it moves to', () => {
    const due = { stage: 'invisible', count: [here], keeps: false } as const
    const moved = movedOn(lifeIs({ stage: 'watched', due }))
    expect(moved).toEqual(lifeIs({ index: 'invisible', stage: 'invisible' }))
    expect(movedOn(moved)).toEqual(moved)
  })

  it.each<[string, Life, Life, string | undefined]>([
    [
      'watches without an ALTER',
      lifeIs({ stage: 'watched' }),
      lifeIs({ due: { stage: 'watched', count: [here], keeps: false } }),
      undefined,
    ],
    [
      'makes invisible',
      lifeIs({ index: 'invisible', stage: 'invisible' }),
      lifeIs({ stage: 'watched' }),
      'alter table `shop`.`bookings` alter index `idx_date` invisible',
    ],
    [
      'drops',
      lifeIs({ index: 'absent', stage: 'dropped' }),
      lifeIs({ index: 'invisible', stage: 'invisible' }),
      'alter table `shop`.`bookings` drop index `idx_date`',
    ],
    [
      'is turned round by the definition that was kept',
      lifeIs({ index: 'invisible', stage: 'invisible', due: { stage: 'dropped', count: [here], keeps: false } }),
      lifeIs({ index: 'absent', stage: 'dropped' }),
      'alter table `shop`.`bookings` add KEY `idx_date` (`session_date`) invisible',
    ],
    [
      'on MariaDB too',
      lifeIs({
        server: 'mariadb',
        index: 'invisible',
        stage: 'invisible',
        due: { stage: 'dropped', count: [here], keeps: false },
      }),
      lifeIs({ server: 'mariadb', index: 'absent', stage: 'dropped' }),
      'alter table `shop`.`bookings` add KEY `idx_date` (`session_date`) ignored',
    ],
  ])('%s', (_, to, from, statement) => {
    const script = life.write!(to, from)
    expect(/alter table.*/.exec(script.brief)?.[0]).toBe(statement)
    expect(script.touched).toEqual(['mysql:index/shop/bookings/idx_date', 'mysql:index-watch/shop/bookings/idx_date'])
  })

  it('goes back to what was kept before, for undo', () => {
    const path = '/var/lib/fleetplay/mysql-index/shop.bookings.idx_date'
    const due = { stage: 'watched', count: [here], keeps: false } as const
    expect(life.write!(lifeIs({ due }), lifeIs({ stage: 'watched' })).text).toBe(
      `rm -f -- ${path} ${path}.before ${path}.new`,
    )
    const again = life.write!(lifeIs({ stage: 'watched', due }), lifeIs({ stage: 'watched' }))
    expect(again.text).toBe(`mv -fT -- ${path}.before ${path}`)
  })
})

describe('what a host keeps of an index', () => {
  const path = recordPath(name)
  const file = (text: string) =>
    ({ type: 'file', content: { text }, mode: '0600', owner: 'root', group: 'root' }) as const
  const row =
    '{"clock": 9, "uptime": "8", "schema": 1, "instrument": 1, "consumer": 1, "object": "YES", "reads": 2, "total": 4, "altered": 7}'
  const head = `stage\t${JSON.stringify({ stage: 'watched', definition })}`

  it('is read as it was written', () => {
    expect(parseRecord(path, file(`${head}\nhere\t${row}\ndb2:3306\t{"clock": 5}\n`))).toEqual({
      stage: 'watched',
      definition,
      since: 9,
      counts: { here: { clock: 9, uptime: 8, source: 'performance_schema', altered: 7, reads: 2, total: 4 } },
    })
    expect(parseRecord(path, { type: 'absent' })).toBeNull()
  })

  it.each(['', 'stage\t{}\n', `${head}\n`, 'stage\t{"stage":"gone","definition":""}\nhere\t{"clock":1}\n', 'x'])(
    'is told where it is not understood: %j',
    (text) => {
      expect(() => parseRecord(path, file(text))).toThrow(
        `What this host keeps of the index is not understood: ${path}`,
      )
    },
  )

  it('is below the one folder of root, by a plain name or its digest', () => {
    expect(path).toBe('/var/lib/fleetplay/mysql-index/shop.bookings.idx_date')
    expect(recordPath({ ...name, index: '../../x' })).toMatch(/^\/var\/lib\/fleetplay\/mysql-index\/[0-9a-f]{64}$/)
  })

  it('asks servers elsewhere over TCP, with a file of options, and no password among the arguments', () => {
    const on = [{ host: 'db2', port: 3307 }]
    const there = indexLife({ ...retirement, on, onDefaultsFile: '/root/.replicas.cnf' })
    const due = { stage: 'watched', count: ['db2:3307'], keeps: true } as const
    const { text } = there.write!(lifeIs({ stage: 'watched' }), lifeIs({ stage: 'watched', due }))
    expect(text).toContain('--defaults-extra-file=/root/.replicas.cnf --protocol=tcp --host=db2 --port=3307')
    expect(text).toContain("'stage\t'* | 'db2:3307\t'*) ;;")
  })
})
