import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import type { Failure } from '../../../errors/failure.ts'
import { mysqlHistogram, service } from '../../../index.ts'
import { identifier, literal, maintenance } from '../../../modules/mysql/client.ts'
import { databaseServer } from '../../../modules/mysql/ask.ts'
import { columnHistogram, type Histogram } from '../../../modules/mysql/column-histogram.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { shells } from '../../connection/shells.ts'
import { answers, inShell, readScript } from '../answers.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/mysql/${name}`, import.meta.url))
const problems = (task: unknown) => (task as { problems: readonly Failure[] }).problems.map(({ message }) => message)
const column = { schema: 'shop', table: 'bookings', column: 'session_date' }
const place = columnHistogram(column)
const onDate = mysqlHistogram('bookings').on('session_date')
const hundred = onDate.buckets(100).in('shop')
const histogram = (buckets: number, more: Partial<Histogram> = {}): Histogram =>
  ({ type: 'histogram', server: 'mysql', buckets, form: 'JSON', auto: false, ...more }) as Histogram
const absent: Histogram = { type: 'absent', server: 'mysql' }
const mariadb = { server: 'mariadb', version: '10.11.18-MariaDB-0+deb12u1', readOnly: false } as const
const refusal = async (task: Task, host = mockHost('db1')) => (await run(task, host, { check: true })).tasks[0]!.failure
const onMariadb = () => mockHost('db1').has(databaseServer(), mariadb).has(place, { type: 'absent', server: 'mariadb' })

describe('mysqlHistogram()', () => {
  it('is a task only where the schema is said', async () => {
    // @ts-expect-error -- no column
    const table: Task = mysqlHistogram('bookings')
    // @ts-expect-error -- no number of buckets
    const ofColumn: Task = onDate
    // @ts-expect-error -- no schema
    const sized: Task = onDate.buckets(100)
    await expect(run(table, mockHost('db1'))).rejects.toThrow('mysqlHistogram bookings lacks .on(column)')
    await expect(run(ofColumn, mockHost('db1'))).rejects.toThrow(
      'mysqlHistogram bookings.session_date lacks .buckets(count) or absent()',
    )
    await expect(run(sized, mockHost('db1'))).rejects.toThrow('mysqlHistogram bookings.session_date lacks .in(schema)')
  })

  it.each([0, 1025, -1, 1.5, Number.NaN])('refuses %d buckets before any connection (MySQL says 1690)', (count) => {
    expect(problems(onDate.buckets(count))).toEqual([
      `mysqlHistogram bookings.session_date: ${count} is not a number of buckets from 1 to 1024`,
    ])
  })

  it('refuses names that are none, and contradictions', () => {
    expect(problems(mysqlHistogram(''))).toEqual(['mysqlHistogram: table: a name is empty'])
    expect(problems(mysqlHistogram('a\tb'))).toEqual(['mysqlHistogram: table: "a\\tb" holds a control character'])
    expect(problems(mysqlHistogram('a').on('b '))).toEqual(['mysqlHistogram: column: "b " ends with a blank'])
    expect(problems(onDate.buckets(1).in('x'.repeat(65)))).toEqual([
      `mysqlHistogram: schema: "${'x'.repeat(65)}" is longer than 64 characters`,
    ])
    expect(problems(onDate.absent().in('shop').autoUpdate())).toEqual([
      'mysqlHistogram shop.bookings.session_date: no histogram cannot be updated',
    ])
    expect(problems(onDate.absent().in('shop').manualUpdate().maxAge('7d'))).toEqual([
      'mysqlHistogram shop.bookings.session_date: no histogram cannot be updated',
      'mysqlHistogram shop.bookings.session_date: no histogram cannot be old',
    ])
    expect(problems(hundred.maxAge('7 days' as '7d'))).toEqual([
      'mysqlHistogram shop.bookings.session_date: maxAge: "7 days" is not a duration such as 5ms, 90s or 1h',
    ])
    expect(problems(hundred.maxAge('5s'))).toEqual([
      'mysqlHistogram shop.bookings.session_date: maxAge is at least a minute, not 5s',
    ])
    expect(problems(hundred.defaultsFile('my.cnf'))).toEqual([
      'mysqlHistogram shop.bookings.session_date: "my.cnf" is not an absolute path',
    ])
  })

  it('makes, changes and drops a histogram; the same number again is no change', async () => {
    const host = mockHost('db1')
    const said = async (task: Task) =>
      (await run(task, host)).changes.map(({ label, before, after }) => `${label}: ${before} → ${after}`)
    expect(await said(hundred)).toEqual(['shop.bookings.session_date: absent → 100 buckets'])
    expect(await said(hundred)).toEqual([])
    expect(await said(onDate.buckets(50).in('shop').autoUpdate())).toEqual([
      'shop.bookings.session_date: 100 buckets → 50 buckets, auto update',
    ])
    // What is not said stays.
    expect(await said(onDate.buckets(50).in('shop'))).toEqual([])
    expect(await said(onDate.absent().in('shop'))).toEqual([
      'shop.bookings.session_date: 50 buckets, auto update → absent',
    ])
    expect(await said(onDate.absent().in('shop'))).toEqual([])
  })

  it('lets MySQL no longer make it anew', async () => {
    const host = mockHost('db1').has(place, histogram(100, { auto: true }))
    const said = (await run(hundred.manualUpdate(), host)).changes.map(({ before, after }) => `${before} → ${after}`)
    expect(said).toEqual(['100 buckets, auto update → 100 buckets'])
    expect((await run(hundred.manualUpdate(), host)).changes).toEqual([])
  })

  it('makes the same again only where it is older than it may be, which has no return', async () => {
    const aged = hundred.maxAge('7d')
    const host = mockHost('db1').has(place, histogram(100, { stale: true }))
    const { tasks } = await run(aged, host)
    expect(tasks[0]).toMatchObject({
      changes: [{ before: '100 buckets, too old', after: '100 buckets' }],
      irreversible: ['What the older histogram said is not kept.'],
    })
    expect((await run(aged, host)).changes).toEqual([])
  })

  it('is missing after an ALTER TABLE that renamed the column or changed its type, and is made again', async () => {
    const host = mockHost('db1').has(place, histogram(100))
    expect((await run(hundred, host)).changes).toEqual([])
    host.has(place, absent)
    expect((await run(hundred, host)).changes).toHaveLength(1)
  })

  it('makes of another form the one that keeps the number: DOUBLE_PREC_HB is what MariaDB makes by itself', async () => {
    const host = onMariadb().has(place, histogram(100, { server: 'mariadb', form: 'DOUBLE_PREC_HB' }))
    expect((await run(hundred, host)).changes.map(({ before, after }) => `${before} → ${after}`)).toEqual([
      '100 buckets DOUBLE_PREC_HB → 100 buckets',
    ])
  })

  it('tells that MariaDB guesses by the rows of today from now on, unless it may not grow old', async () => {
    const notes = async (task: Task, host = onMariadb()) => (await run(task, host)).tasks[0]!.notes
    const host = onMariadb()
    expect(await notes(hundred, host)).toEqual([
      'MariaDB counts the rows of the table with it, and guesses by that number until it is made anew: give it a .maxAge() where the table grows.',
    ])
    expect(await notes(hundred, host)).toEqual([])
    expect(await notes(hundred.maxAge('7d'))).toEqual([])
    expect(await notes(onDate.absent().in('shop'))).toEqual([])
    expect(await notes(hundred, mockHost('db1'))).toEqual([])
  })

  it('leaves to MariaDB what else it knows of the column, where no histogram is wanted', async () => {
    const host = onMariadb().has(place, histogram(100, { server: 'mariadb', form: 'JSON_HB' }))
    const none = onDate.absent().in('shop')
    expect((await run(none, host)).changes.map(({ before, after }) => `${before} → ${after}`)).toEqual([
      '100 buckets → absent',
    ])
    expect((await run(none, host)).changes).toEqual([])
    expect((await run(none, onMariadb())).changes).toEqual([])
  })

  it('waits for a server that an earlier task starts', async () => {
    const host = mockHost('db1').cannotRead(place, 'The database server does not answer.')
    const result = await run([service('mysql').started(), hundred], host, { check: true })
    expect(result.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
    expect((await run(hundred, host, { check: true })).tasks[0]!.failure).toMatchObject({ code: 'E_UNREADABLE' })
  })
})

describe('mysqlHistogram() in the plan', () => {
  it.each<[Histogram, string, string | undefined]>([
    [
      { type: 'missing', what: 'schema', nearest: 'shops' },
      'The database server has no schema shop.',
      'Did you mean shops?',
    ],
    [
      { type: 'missing', what: 'table', nearest: 'booking' },
      'The schema shop has no table bookings.',
      'Did you mean booking?',
    ],
    [{ type: 'missing', what: 'column' }, 'The table shop.bookings has no column session_date.', undefined],
  ])('refuses %j', async (now, message, hint) => {
    const host = mockHost('db1').has(place, now)
    expect(await refusal(hundred, host)).toMatchObject({ code: 'E_REFUSED', message, hint })
    // Nothing is there, as wished; but a slip of the keyboard is told.
    const none = await run(onDate.absent().in('shop'), host)
    expect(none.hosts).toEqual({ db1: 'ok' })
    expect(none.tasks[0]!.notes).toEqual([[message, hint].filter(Boolean).join(' ')])
  })

  it('refuses more than 255 buckets on MariaDB, which would cut them with a warning', async () => {
    const message = 'MariaDB keeps at most 255 buckets, and would take 255 for 300.'
    expect(await refusal(onDate.buckets(300).in('shop'), onMariadb())).toMatchObject({ code: 'E_REFUSED', message })
    expect(await refusal(onDate.buckets(255).in('shop'), onMariadb())).toBeUndefined()
    expect(await refusal(onDate.buckets(1024).in('shop'))).toBeUndefined()
  })

  it.each([
    [
      { ...mariadb, version: '10.6.1-MariaDB' },
      'MariaDB 10.6.1-MariaDB does not keep how many buckets were asked for; 10.8 does.',
    ],
    [{ server: 'mysql', version: '5.7.44', readOnly: false } as const, 'MySQL 5.7.44 has no histograms; 8.0 has.'],
    [{ server: 'mysql', version: '9.7.4-2', readOnly: true } as const, 'The database server (9.7.4-2) is read-only.'],
  ])('refuses what the server cannot do: %j', async (server, message) => {
    expect(await refusal(hundred, mockHost('db1').has(databaseServer(), server))).toMatchObject({ message })
  })

  it('refuses .autoUpdate() where the server does not know it', async () => {
    const auto = hundred.autoUpdate()
    expect((await refusal(auto, onMariadb()))?.message).toMatch(
      /^MariaDB .* does not make histograms anew by itself\.$/,
    )
    const old = mockHost('db1').has(databaseServer(), { server: 'mysql', version: '8.0.36', readOnly: false })
    expect((await refusal(auto, old))?.message).toBe('MySQL 8.0.36 does not make histograms anew by itself; 8.4 does.')
  })
})

describe('columnHistogram()', () => {
  const asked = [
    column,
    { ...column, column: 'status' },
    { ...column, column: 'sesion_date' },
    { schema: 'shop', table: 'booking', column: 'x' },
    { schema: 'shopp', table: 'bookings', column: 'x' },
    { schema: 'shop', table: 'we`ird ta;ble', column: 'co`l \'"x\\' },
    { ...column, column: 'note' },
  ]
  const read = (name: string) =>
    answers<unknown>([databaseServer(), ...asked.map((each) => columnHistogram(each))], { stdout: fixture(name) })
  const missing: Histogram[] = [
    { type: 'missing', what: 'column', nearest: 'session_date' },
    { type: 'missing', what: 'table', nearest: 'bookings' },
    { type: 'missing', what: 'schema', nearest: 'shop' },
  ]

  it('reads what was asked for, never what came out: status has two values, and a hundred buckets', () => {
    expect(read('read-mysql.out')).toEqual([
      { server: 'mysql', version: '9.7.4-2', readOnly: false },
      histogram(100, { auto: true }),
      histogram(100),
      ...missing,
      histogram(5),
      histogram(300),
    ])
  })

  it('reads JSON_HB by its target, and takes a row of size 0 for none', () => {
    const json = { server: 'mariadb', form: 'JSON_HB' } as const
    expect(read('read-mariadb.out')).toEqual([
      mariadb,
      histogram(9, json),
      histogram(100, json),
      ...missing,
      histogram(5, json),
      { type: 'absent', server: 'mariadb' },
    ])
    const rows = [
      '{"version": "10.11.18-MariaDB", "readOnly": 0}',
      '{"ask": 0, "column": "session_date"}',
      '{"ask": 0, "form": null, "buckets": "0"}',
    ]
    expect(answers([place], { stdout: Buffer.from(rows.join('\n')) })).toEqual([
      { type: 'absent', server: 'mariadb', others: true },
    ])
  })

  it('tells by the clock of the server whether it is too old: of MySQL in UTC, of MariaDB by JSON_HB alone', () => {
    const age = (form: string, seconds: number | null, maxAge?: number) => {
      const row = JSON.stringify({ ask: 0, form, buckets: 100, age: seconds })
      const stdout = Buffer.from(
        `{"version": "9.7.4-2", "readOnly": 0}\n{"ask": 0, "column": "session_date"}\n${row}\n`,
      )
      return answers([columnHistogram(column, undefined, maxAge)], { stdout })[0]
    }
    expect(age('JSON', 604_801)).toEqual(histogram(100))
    expect(age('JSON', 604_800, 604_800)).toEqual(histogram(100))
    expect(age('JSON', 604_801, 604_800)).toEqual(histogram(100, { stale: true }))
    // What does not say when it was made.
    expect(age('DOUBLE_PREC_HB', null, 604_800)).toEqual(histogram(100, { form: 'DOUBLE_PREC_HB', stale: true }))
    const { input } = readScript([place])
    expect(input).toContain('cast(histogram->>\'$."last-updated"\' as datetime), utc_timestamp()')
    expect(input).toContain("json_value(histogram, '$.collected_at'), now()")
  })

  it('understands MariaDB, which makes a text of @ask, and where it is null is no answer to the first question', () => {
    const rows = [
      '{"version": "10.11.18-MariaDB", "readOnly": 0}',
      '{"ask": null, "column": "x"}',
      '{"ask": "0", "column": "session_date"}',
      '{"ask": "0", "form": "JSON_HB", "buckets": "9", "age": 1}',
    ]
    expect(answers([place], { stdout: Buffer.from(rows.join('\n')) })).toEqual([
      histogram(9, { server: 'mariadb', form: 'JSON_HB' }),
    ])
  })

  it.each<[number, string, string, string | undefined]>([
    [
      127,
      'sh: mariadb: not found',
      'The client mysql is not installed on this host.',
      "Install it before: aptPackage('default-mysql-client').",
    ],
    [
      1,
      "ERROR 2002 (HY000): Can't connect to local server through socket '/run/mysqld/mysqld.sock' (2)",
      'The database server does not answer.',
      "Start it before: service('mysql').started(), or service('mariadb').",
    ],
    [
      1,
      "ERROR 1698 (28000): Access denied for user 'root'@'localhost'",
      'The database server does not let this user in.',
      'root gets in over the socket: `.become()`; or give a file of options with `.defaultsFile(path)`.',
    ],
    [
      1,
      '--------------\nselect 1\n--------------\n\nERROR 1142 (42000) at line 1: SELECT command denied',
      'ERROR 1142 (42000): SELECT command denied',
      'Grant its user that privilege; root has them all over the socket, without `.defaultsFile()`.',
    ],
    [
      1,
      "ERROR 1045 (28000): Access denied for user 'low'@'localhost' (using password: YES)",
      'The database server does not let this user in.',
      'It knows another password for the user in the file of options.',
    ],
    [
      1,
      'Could not open required defaults file: /root/x.cnf\nFatal error in defaults handling. Program aborted',
      'The file of options could not be read: /root/x.cnf',
      expect.stringContaining('[client]') as string,
    ],
    [
      1,
      'mysql: [ERROR] Failed to open required defaults file: /root/x.cnf\nmysql: [ERROR] Fatal error in defaults handling.',
      'The file of options could not be read: /root/x.cnf',
      expect.stringContaining('[client]') as string,
    ],
  ])('says why nobody answered: %i %s', (status, stderr, message, hint) => {
    expect(answers([place], { status, stderr })).toEqual([
      expect.objectContaining({ code: 'E_UNREADABLE', message, hint }),
    ])
  })

  it('says what it did not understand: of a boolean variable MariaDB makes JSON that is none', () => {
    const stdout = Buffer.from('{"version": "10.11.18-MariaDB", "readOnly": OFF}\n')
    expect(answers([place], { stdout })).toEqual([expect.objectContaining({ code: 'E_PROBE_UNPARSABLE' })])
  })

  it('asks for all columns with one client, whose statements are no arguments, and whose rows are raw JSON: -B escapes, and NULL looks like a text', () => {
    const script = readScript(asked.map((each) => columnHistogram(each, '/etc/mysql/fleet.cnf')))
    expect(
      script.text,
    ).toBe(`[ -z "$(find -L /etc/mysql/fleet.cnf -perm -004 2>/dev/null)" ] || ! grep -qi '^[[:space:]]*pass' /etc/mysql/fleet.cnf || { echo '/etc/mysql/fleet.cnf holds a password, and may be read by everybody on the host.' >&2; exit 1; }
if command -v mysql >/dev/null; then c=mysql; else c=mariadb; fi
$c --defaults-extra-file=/etc/mysql/fleet.cnf --batch --skip-column-names --raw --connect-timeout=10 --default-character-set=utf8mb4`)
    expect(String(script.input).split('\n')).toHaveLength(1 + 6 * asked.length + 1)
    expect(String(script.input)).not.toContain('ird')
  })

  it('asks each kind of server only for what it has: MariaDB has no COLUMN_STATISTICS (1109)', () => {
    const statements = String(readScript([place]).input).split('\n')
    const [mysql] = statements.filter((each) => each.includes('information_schema.column_statistics'))
    const [own] = statements.filter((each) => each.includes('mysql.column_stats'))
    expect(mysql).toMatch(/^\/\*!80000 .* \*\/;$/)
    expect(own).toMatch(/^\/\*M!100000 .* \*\/;$/)
  })

  it.each<[string, Histogram, Histogram, string]>([
    [
      'makes',
      histogram(100),
      absent,
      'analyze table `shop`.`bookings` update histogram on `session_date` with 100 buckets;\n',
    ],
    [
      'lets MySQL make it anew',
      histogram(100, { auto: true }),
      histogram(100),
      'analyze table `shop`.`bookings` update histogram on `session_date` with 100 buckets auto update;\n',
    ],
    [
      'turns that off',
      histogram(100),
      histogram(100, { auto: true }),
      'analyze table `shop`.`bookings` update histogram on `session_date` with 100 buckets manual update;\n',
    ],
    ['drops', absent, histogram(100), 'analyze table `shop`.`bookings` drop histogram on `session_date`;\n'],
    [
      'drops on MariaDB, which has no word for it, and keeps its other statistics',
      { type: 'absent', server: 'mariadb', others: true },
      histogram(100, { server: 'mariadb', form: 'JSON_HB' }),
      'set session histogram_size = 0;\nanalyze table `shop`.`bookings` persistent for columns (`session_date`) indexes ();\n',
    ],
  ])('%s', (_, to, from, input) => {
    const script = place.write!(to, from)
    expect(script.input).toBe(input)
    expect(script.touched).toEqual([])
  })

  it('is turned round on MariaDB by taking away all that it made: a histogram brings other statistics with it (no two system tables in one DELETE: 1428)', () => {
    const script = place.write!(
      { type: 'absent', server: 'mariadb' },
      histogram(100, { server: 'mariadb', form: 'JSON_HB' }),
    )
    expect(String(script.input).split('\n')).toEqual([
      expect.stringMatching(/^delete from mysql\.column_stats where db_name = _utf8mb4 x'.*column_name = /),
      expect.stringMatching(
        /^set @others = exists \(select 1 from mysql\.column_stats .* exists \(.* mysql\.index_stats /,
      ),
      expect.stringMatching(/^delete from mysql\.table_stats where .* and not @others;$/),
      'set session lock_wait_timeout = 5;',
      'flush tables `shop`.`bookings`;',
      '',
    ])
  })

  it('makes on MariaDB, and lets a column without values be an error, of which the server says nothing', () => {
    const script = place.write!(histogram(100, { server: 'mariadb', form: 'JSON_HB' }), {
      type: 'absent',
      server: 'mariadb',
    })
    expect(String(script.input).split('\n').slice(0, 2)).toEqual([
      "set session histogram_size = 100, histogram_type = 'JSON_HB';",
      'analyze table `shop`.`bookings` persistent for columns (`session_date`) indexes ();',
    ])
    expect(script.input).toContain("'Error', 'MariaDB made no histogram, since the column has no values.'")
  })

  it('quotes names and texts', () => {
    expect(identifier("we`ird; ta'ble", 'x')).toBe("`we``ird; ta'ble`.`x`")
    expect(literal("it's ü\\")).toBe("_utf8mb4 x'6974277320c3bc5c'")
    expect(columnHistogram({ schema: 'a/b', table: 'c', column: 'd' }).key).toBe('mysql:histogram/a%2Fb/c/d')
  })
})

describe('errors that come as rows, with exit status 0', () => {
  const row = (words: string, type = 'Error') => `shop.bookings\thistogram\t${type}\t${words}`
  const analyzed = (...rows: readonly string[]) => rows.map((each) => `shop.bookings\tanalyze\t${each}`).join('\n')
  const json = "Engine-independent statistics are not collected for column 'doc'"
  const wrong = [
    ['a column that is not there', row("The column 'x' does not exist."), "The column 'x' does not exist."],
    [
      'a column with a unique index of its own',
      row("The column 'x' is covered by a single-part unique index."),
      "The column 'x' is covered by a single-part unique index.",
    ],
    [
      'a column of JSON',
      row("The column 'x' has an unsupported data type."),
      "The column 'x' has an unsupported data type.",
    ],
    [
      'a histogram that was dropped before',
      row("No histogram statistics found for column 'x'."),
      "No histogram statistics found for column 'x'.",
    ],
    [
      'a server that is read-only, which leaves the name of the table empty',
      '\thistogram\tError\tThe server is in read-only mode.',
      'The server is in read-only mode.',
    ],
    [
      'one column of several, of which the others were done',
      `${row("Histogram statistics created for column 'a'.", 'status')}\n${row("The column 'x' does not exist.")}`,
      "The column 'x' does not exist.",
    ],
    [
      'a missing column on MariaDB: Invalid argument, after a status',
      analyzed('status\tEngine-independent statistics collected', 'error\tInvalid argument'),
      'Invalid argument',
    ],
    [
      'a text column on MariaDB: a warning between statuses',
      analyzed('status\tcollected', `Warning\t${json}`, 'status\tOK'),
      json,
    ],
    [
      'a column without values on MariaDB, whose own words come first',
      `${analyzed(`Warning\t${json}`)}\n\t\tError\tMariaDB made no histogram, since the column has no values.`,
      json,
    ],
  ] as const
  const fine = [
    "shop.bookings\thistogram\tstatus\tHistogram statistics created for column 'error'.",
    'shop.error\tanalyze\tstatus\tEngine-independent statistics collected\nshop.error\tanalyze\tstatus\tOK',
  ]
  const script = maintenance(['analyze table x'], undefined)
  const printing = (rows: string) => ({ mysql: `cat >/dev/null; cat <<'END'\n${rows}\nEND` })

  describe.each(shells)('in $title', ({ name, there }) => {
    it.skipIf(!there).each(wrong)('fail the script in the words of the server: %s', (_, rows, words) => {
      expect(inShell(name, script, printing(rows))).toMatchObject({ status: 1, stderr: `${words}\n` })
    })

    it.skipIf(!there)('are told from statuses', () => {
      for (const rows of fine) expect(inShell(name, script, printing(rows))).toMatchObject({ status: 0, stderr: '' })
    })

    it.skipIf(!there)('leave real errors as they are, and statements to standard input', () => {
      const mysql = 'read -r sql; echo "ERROR 1064 near $sql" >&2; exit 1'
      expect(inShell(name, script, { mysql })).toMatchObject({
        status: 1,
        stderr: 'ERROR 1064 near analyze table x;\n',
      })
    })
  })
})
