/** Database servers on real hosts: what histograms change in their estimates, and the whole life of an index, with a clock that is moved. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import type { Step } from '../../engine/host.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { mysqlHistogram, mysqlIndex, mysqlPlan } from '../../index.ts'
import { play } from '../../testing/trial-run.ts'
import { connectLab } from '../laws/lab-ground.ts'
import { type Image, type Lab, labHosts } from './hosts.ts'

/** Ten thousand dates of which few are late, a status of which a fiftieth is open, and an index that nobody needs. */
const tables = `create database coaching;
use coaching;
/*!80000 set session cte_max_recursion_depth = 10000 */;
/*M! set session max_recursive_iterations = 10000 */;
create table coach (id int primary key, name varchar(20) not null);
insert into coach with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) select i, concat('coach ', i) from n;
create table schedule (
  id int auto_increment primary key, coach_id int not null, session_date date not null, status varchar(12) not null,
  code char(8) not null, notes json, ip varchar(15) not null, key idx_ip (ip), unique key uq_code (code)
);
insert into schedule (coach_id, session_date, status, code, notes, ip)
with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
select 1 + i % 500, date_add('2026-01-01', interval floor(300 * pow(i / 10000, 4)) day), if(i % 50 = 0, 'open', 'done'), lpad(i, 8, '0'), '{}',
  concat('10.0.', i % 7, '.', i % 200) from n;
analyze table schedule, coach;
`

const late = "session_date between '2026-08-01' and '2026-08-31'"
const open = "status = 'open'"
const byIp = "ip = '10.0.1.1'"

/** The rows of each table that are read, and the percentage of them that is thought to stay. */
interface Estimate {
  readonly table: string
  readonly key: string
  readonly rows: number
  readonly filtered: number
}

const brands = {
  sid: {
    service: 'mysql',
    version: '9.7.4',
    explain: 'explain format = traditional',
    /** What it guesses of a range and of an equality without a histogram. */
    guess: { range: 11.11, equality: 10 },
    left: 10,
    noAuto: undefined,
    buckets: `select concat(column_name, ' ', histogram->'$."number-of-buckets-specified"', ' ', histogram->>'$."histogram-type"')
      from information_schema.column_statistics where schema_name = 'coaching' and table_name = 'schedule'`,
    kinds: { session_date: 'equi-height', status: 'singleton' },
    made: `select histogram->>'$."last-updated"' from information_schema.column_statistics where column_name = 'session_date'`,
    /** A column of which there can be none, and what is said of it. */
    column: 'code',
    analyze: (column: string) => `analyze table schedule update histogram on ${column} with 10 buckets`,
    words: /^The column 'code' is covered by a single-part unique index\./,
    isVisible: "select distinct is_visible = 'YES'",
    uncounted:
      "update performance_schema.setup_instruments set enabled = 'NO' where name = 'wait/io/table/sql/handler'",
    counted: "update performance_schema.setup_instruments set enabled = 'YES' where name = 'wait/io/table/sql/handler'",
    hidden: ' /*!80000 INVISIBLE */',
  },
  bookworm: {
    service: 'mariadb',
    version: '10.11.18-MariaDB',
    explain: 'explain extended',
    guess: { range: 100, equality: 100 },
    /** It still knows how many values there are. */
    left: 50,
    noAuto: 'does not make histograms anew by itself',
    buckets: `select concat(column_name, ' ', json_value(histogram, '$.target_histogram_size'), ' ', hist_type) from mysql.column_stats
      where db_name = 'coaching' and table_name = 'schedule' and hist_size > 0`,
    kinds: { session_date: 'JSON_HB', status: 'JSON_HB' },
    made: `select json_value(histogram, '$.collected_at') from mysql.column_stats where column_name = 'session_date'`,
    column: 'notes',
    analyze: (column: string) =>
      `set histogram_size = 10; analyze table schedule persistent for columns (${column}) indexes ()`,
    words: /^Engine-independent statistics are not collected for column 'notes'/,
    isVisible: "select distinct ignored = 'NO'",
    uncounted: 'set global userstat = 0',
    counted: 'set global userstat = 1',
    hidden: ' IGNORED',
  },
} as const

describe.each<[Image & keyof typeof brands]>([['sid'], ['bookworm']])('on %s', (image) => {
  const name = `mysql-${image}`
  const brand = brands[image]
  const isMariadb = image === 'bookworm'
  let lab: Lab<string>
  let host: RemoteHost

  beforeAll(async () => {
    lab = await labHosts(image, [name], { memory: '768M' })
    host = new RemoteHost(name, () => connectLab(lab, lab.hosts[name]!), { become: 'sudo', becomePassword: undefined })
    await on(`systemctl start ${brand.service}`)
    await sql(tables)
  })
  afterAll(async () => {
    await host?.close()
    await lab?.close()
  })

  /** What a command prints on the host, asked by the OpenSSH client: the engine has no part in it. */
  async function on(command: string, input = ''): Promise<string> {
    const { status, stdout, stderr } = await lab.hosts[name]!.ssh(command, { input })
    if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  const sql = async (statements: string) => await on('mysql --batch --skip-column-names --raw', statements)

  /** Lets so many hours pass for the whole host: servers tell the time, and since when they run, by its clock. */
  const later = async (hours: number) => await on(`date -s '+${hours} hours' >/dev/null`)

  async function does(task: Task, options = {}) {
    const { failure, changes, events, steps } = await play(task, host, options)
    const told = events.flatMap((event) => (event.type === 'task' ? [event] : []))
    return {
      failure,
      notes: told.flatMap(({ notes }) => notes),
      irreversible: told.flatMap(({ irreversible }) => irreversible),
      changed: changes.map(({ label, before, after }) => `${label}: ${before} → ${after}`),
      findings: events.flatMap((event) => (event.type === 'observation' ? [event] : [])),
      steps,
    }
  }

  async function done(task: Task) {
    const { failure, changed } = await does(task)
    expect(failure).toBeUndefined()
    return changed
  }

  /** What undo does: the same changes from after to before, the last one first. */
  const turnedRound = async (steps: readonly Step[]) =>
    await host.apply(
      steps.toReversed().map(({ resource, from, to, deadline }) => {
        return { resource, from: to, to: from, script: resource.write!(from, to), deadline }
      }),
      undefined,
    )

  const unchanged = { failure: undefined, changed: [] }

  async function explained(...queries: readonly string[]): Promise<readonly Estimate[]> {
    const rows = (
      await on('mysql --batch coaching', queries.map((query) => `${brand.explain} ${query};\n`).join(''))
    ).split('\n')
    const names = rows[0]!.split('\t')
    const values = rows.filter((row) => row !== rows[0]).map((row) => row.split('\t'))
    return values.map((row) => {
      const told = (column: string) => row[names.indexOf(column)] ?? ''
      return {
        table: told('table'),
        key: told('key'),
        rows: Number(told('rows')),
        filtered: Number(told('filtered')),
      }
    })
  }
  const filtered = async (...conditions: readonly string[]) =>
    (await explained(...conditions.map((where) => `select * from schedule where ${where}`))).map(
      (each) => each.filtered,
    )
  const buckets = async () => (await sql(`${brand.buckets} order by 1`)).split('\n').filter(Boolean)
  const connections = async () => Number((await sql("show global status like 'Connections'")).split('\t')[1])

  describe('histograms', () => {
    const onDate = mysqlHistogram('schedule').on('session_date')
    const onStatus = mysqlHistogram('schedule').on('status')
    const hundred = onDate.buckets(100).in('coaching')
    const said = async () => await does(mysqlPlan(joined).in('coaching').rowsBelow(10_500))
    const joined = `select * from schedule join coach on coach.id = coach_id where ${open}`

    it('knows nothing of the spread of a column before, and guesses', async () => {
      expect(await sql('select version()')).toContain(brand.version)
      expect(await filtered(late, open)).toEqual([brand.guess.range, brand.guess.equality])
      expect(await buckets()).toEqual([])
    })

    it('has what was declared in its dictionary, and estimates what is really so', async () => {
      const before = await said()
      expect(before.failure).toMatch(/reads about \d+ rows, not less than 10500/)
      expect(await done(hundred)).toEqual(['coaching.schedule.session_date: absent → 100 buckets'])
      expect(await done(onStatus.buckets(100).in('coaching'))).toHaveLength(1)
      expect(await buckets()).toEqual([
        `session_date 100 ${brand.kinds.session_date}`,
        `status 100 ${brand.kinds.status}`,
      ])
      const [august, isOpen] = await filtered(late, open)
      process.stdout.write(`${image}: 3.18 % of the rows are of August; guessed ${brand.guess.range}, then ${august}\n`)
      expect(Math.abs(august! - 3.18)).toBeLessThan(1.2)
      expect(isOpen).toBe(2)
    })

    it('is turned round to the guess of before, on MariaDB with the other statistics that came with it', async () => {
      const one = mysqlHistogram('coach').on('name').buckets(10).in('coaching')
      const guess = async () => (await explained("select * from coach where name = 'coach 1'"))[0]!.filtered
      const before = await guess()
      const { steps } = await does(one)
      expect(await guess()).not.toBe(before)
      expect(await turnedRound(steps)).toEqual(['done'])
      expect(await guess()).toBe(before)
    })

    it('reads fewer rows of a join for mysqlPlan() since, as EXPLAIN says outside', async () => {
      const { failure, findings } = await said()
      expect(failure).toBeUndefined()
      const steps = await explained(joined)
      expect(steps.map(({ table }) => table)).toEqual(['schedule', 'coach'])
      const [first] = steps
      const reads = first!.rows + Math.round((first!.rows * first!.filtered) / 100)
      expect(findings).toMatchObject([{ says: expect.stringContaining(`reads about ${reads} rows`) }])
    })

    it('is at rest the second time, in one batch with one client', async () => {
      const [trips, clients] = [host.trips, await connections()]
      expect(await does(hundred, { check: true })).toMatchObject(unchanged)
      expect(host.trips - trips).toBe(1)
      // One of them asks for the number.
      expect((await connections()) - clients).toBe(2)
      expect(await does(hundred)).toMatchObject(unchanged)
    })

    it('fails in the words of the server where an error comes as a row, with exit status 0', async () => {
      const statement = brand.analyze(brand.column)
      expect(await on(`mysql --batch coaching; echo "exit $?"`, `${statement};\n`)).toMatch(/exit 0$/)
      const { failure, changed } = await does(mysqlHistogram('schedule').on(brand.column).buckets(10).in('coaching'))
      expect(failure).toMatch(brand.words)
      expect(changed).toEqual([])
      expect(await buckets()).toHaveLength(2)
    })

    it('makes again what is older than it may be, by the clock of the server', async () => {
      const aged = hundred.maxAge('7d')
      const made = await sql(brand.made)
      expect(await does(aged)).toMatchObject(unchanged)
      await later(8 * 24)
      expect(await does(aged)).toMatchObject({
        failure: undefined,
        changed: ['coaching.schedule.session_date: 100 buckets, too old → 100 buckets'],
        irreversible: ['What the older histogram said is not kept.'],
      })
      expect(await sql(brand.made)).not.toBe(made)
      expect(await does(aged)).toMatchObject(unchanged)
    })

    it('makes again what an ALTER TABLE of the column took away silently, and takes away what is not wanted', async () => {
      await sql('alter table coaching.schedule modify session_date datetime not null')
      expect(await buckets()).toEqual([`status 100 ${brand.kinds.status}`])
      expect(await done(hundred)).toEqual(['coaching.schedule.session_date: absent → 100 buckets'])
      expect(await done(onStatus.absent().in('coaching'))).toEqual(['coaching.schedule.status: 100 buckets → absent'])
      expect(await buckets()).toEqual([`session_date 100 ${brand.kinds.session_date}`])
      expect(await does(onStatus.absent().in('coaching'))).toMatchObject(unchanged)
      expect(await filtered(open)).toEqual([brand.left])
    })

    it('lets MySQL make it anew at every ANALYZE TABLE, and is refused by MariaDB, which does not', async () => {
      const auto = hundred.autoUpdate()
      expect(/does not make histograms anew by itself/.exec((await does(auto)).failure ?? '')?.[0]).toBe(brand.noAuto)
      const made = await sql(brand.made)
      await later(1)
      await sql('analyze table coaching.schedule')
      expect((await sql(brand.made)) === made).toBe(isMariadb)
      expect(await does(isMariadb ? hundred : auto)).toMatchObject(unchanged)
    })
  })

  describe('an index that nobody needs', () => {
    const index = mysqlIndex('schedule', 'idx_ip').in('coaching')
    const retire = index.retire({ unusedFor: '72h', grace: '48h', on: [] })
    const ofIp = `select * from schedule where ${byIp}`
    const record = '/var/lib/fleetplay/mysql-index/coaching.schedule.idx_ip'
    const definition = 'KEY `idx_ip` (`ip`)'
    /** `1` or `0` for each part; empty where there is none. */
    const visible = async () =>
      await sql(
        `${brand.isVisible} from information_schema.statistics where table_schema = 'coaching' and index_name = 'idx_ip'`,
      )
    let dropped: readonly Step[] = []
    const isKept = async () => await on(`stat -c '%a %U' ${record}; cut -f 1 ${record}; head -n 1 ${record}`)

    it('is invisible and visible again: EXPLAIN, mysqlPlan() and FORCE INDEX (1176) see it', async () => {
      const plan = mysqlPlan(ofIp).in('coaching').rowsBelow(100)
      expect((await does(plan)).failure).toBeUndefined()
      expect(await explained(ofIp)).toMatchObject([{ key: 'idx_ip' }])
      expect((await does(index.invisible())).changed).toEqual(['coaching.schedule.idx_ip: visible → invisible'])
      expect(await visible()).toBe('0')
      expect(await explained(ofIp)).toMatchObject([{ key: 'NULL' }])
      expect((await does(plan)).failure).toMatch(/The query reads about \d{4,} rows, not less than 100\./)
      await expect(sql(`select count(*) from coaching.schedule force index (idx_ip)`)).rejects.toThrow('ERROR 1176')
      expect(await does(index.invisible())).toMatchObject(unchanged)
      expect(await done(index.visible())).toHaveLength(1)
      expect(await visible()).toBe('1')
    })

    it('is not touched where the server counts nothing: empty counters are unknown, and not unused', async () => {
      await sql(brand.uncounted)
      expect((await does(retire)).failure).toMatch(
        /does not count what indexes are used for: .*That nothing was counted does not mean that it is unused\./,
      )
      expect(await on(`ls ${record} 2>&1 || :`)).toContain('No such file')
      await sql(brand.counted)
    })

    it('is watched from now on: the host keeps since when, and what it is made of', async () => {
      expect(await done(retire)).toEqual(['coaching.schedule.idx_ip: visible → visible and watched'])
      const [mode, stage, server, text] = (await isKept()).split('\n')
      expect([mode, stage, server]).toEqual(['600 root', 'stage', 'here'])
      expect(text).toContain(JSON.stringify(definition))
      expect(await does(retire)).toMatchObject(unchanged)
      expect(await visible()).toBe('1')
    })

    it('stays for a query that reads it; an EXPLAIN of one is none', async () => {
      await sql(`select count(*) from coaching.schedule where ${byIp}`)
      await later(73)
      const { failure, changed, notes } = await does(retire)
      expect(failure).toBeUndefined()
      // A use begins the watch anew.
      expect(changed).toEqual(['coaching.schedule.idx_ip: visible, to be watched anew on here → visible and watched'])
      expect(notes[0]).toMatch(/^Visible and in use: \d+ times in 73 h\. It stays\.$/)
      expect(await visible()).toBe('1')
      await explained(ofIp)
      await later(10)
      expect((await does(retire)).notes[0]).toBe(
        'Visible and unused for 10 h of 72 h. Invisible in 62 h at the earliest.',
      )
    })

    it('counts no time before the server was restarted, which sets its counters back', async () => {
      await later(60)
      await on(`systemctl restart ${brand.service}`)
      await sql(brand.counted)
      await later(71)
      const { changed, notes } = await does(retire)
      expect(changed).toEqual([])
      expect(notes[0]).toMatch(/^Visible and unused for 71 h of 72 h, since the server started\./)
    })

    it('stays where another server that has the table does not answer, or was asked for the first time just now', async () => {
      await on(`umask 077; cat >/root/elsewhere.cnf`, '[client]\nuser=watcher\npassword=correct horse\n')
      await sql(
        `create user watcher@'127.0.0.1' identified by 'correct horse'; grant select, process on *.* to watcher@'127.0.0.1'`,
      )
      const asking = (port: number) =>
        index.retire({
          unusedFor: '72h',
          grace: '48h',
          on: [`127.0.0.1:${port}`],
          onDefaultsFile: '/root/elsewhere.cnf',
        })
      await later(2)
      const lost = await does(asking(3399), { check: true })
      expect(lost.changed).toEqual([])
      expect(lost.notes.join()).toMatch(
        /Not known whether it is used on 127\.0\.0\.1:3399: ERROR 200[23] .*Nothing is moved/,
      )
      const there = await does(asking(3306), { check: true })
      expect(there.changed).toEqual([
        'coaching.schedule.idx_ip: visible, to be watched anew on 127.0.0.1:3306 → visible and watched',
      ])
      expect(await on('ps -eo args | grep -c "correct hors[e]" || :')).toBe('0')
    })

    it('is invisible after 72 hours without a use, and is not dropped in its time of grace', async () => {
      const { failure, changed, notes } = await does(retire)
      expect(failure).toBeUndefined()
      expect(changed).toEqual(['coaching.schedule.idx_ip: visible and watched → invisible for a time of grace'])
      expect(notes[0]).toBe('Unused for 72 h on every server. Dropped after 48 h of being invisible, at the earliest.')
      expect(await visible()).toBe('0')
      expect(await explained(ofIp)).toMatchObject([{ key: 'NULL' }])
      expect(await does(retire)).toMatchObject(unchanged)
      await later(47)
      expect(await does(retire)).toMatchObject({
        ...unchanged,
        notes: ['Invisible for 47 h of 48 h. Dropped in 60 min at the earliest.'],
      })
      expect(await visible()).toBe('0')
    })

    it('is dropped after it, and what it was made of is kept', async () => {
      await later(1)
      const { failure, changed, notes, steps } = await does(retire)
      expect(failure).toBeUndefined()
      expect(changed).toEqual(['coaching.schedule.idx_ip: invisible for a time of grace → dropped'])
      expect(notes).toEqual([`It was ${definition}. That is kept in ${record}, and undo makes it again.`])
      expect(await visible()).toBe('')
      const kept = await on(`head -n 1 ${record}`)
      expect(kept).toContain(`"stage":"dropped"`)
      expect(kept).toContain(JSON.stringify(definition))
      expect(await does(retire)).toMatchObject(unchanged)
      dropped = steps
    })

    it('is made again by the same change turned round, as it was: invisible, and with its definition', async () => {
      expect(dropped).toHaveLength(1)
      expect(await turnedRound(dropped)).toEqual(['done'])
      expect(await sql('show create table coaching.schedule')).toContain(`${definition}${brand.hidden}`)
      expect(await on(`head -n 1 ${record}`)).toContain(`"stage":"invisible"`)
      // Its time of grace is over still.
      expect(await done(retire)).toHaveLength(1)
      expect(await visible()).toBe('')
    })
  })

  it('says of a name that is misspelt which one is meant, and of a server that is down how it is started', async () => {
    const near = async (task: Task) => (await does(task, { check: true })).failure
    const onDate = mysqlHistogram('schedule').on('session_date').buckets(100)
    expect(await near(onDate.in('coachign'))).toBe('The database server has no schema coachign. Did you mean coaching?')
    expect(await near(mysqlIndex('schedul', 'uq_code').in('coaching').visible())).toBe(
      'The schema coaching has no table schedul. Did you mean schedule?',
    )
    expect(await near(mysqlIndex('schedule', 'uq_cod').in('coaching').visible())).toBe(
      'The table coaching.schedule has no index uq_cod. Did you mean uq_code?',
    )
    expect((await does(mysqlPlan('select 1 from coachs').in('coaching'))).failure).toMatch(
      /ERROR 1146 .*coaching\.coachs/,
    )
    await on(`systemctl stop ${isMariadb ? 'mariadb.socket' : ''} ${brand.service}`)
    expect(await near(onDate.in('coaching'))).toMatch(/^The database server does not answer\. .*Start it before/s)
  })

  it.runIf(isMariadb)('is started by being asked, where systemd listens for it (mariadb.socket)', async () => {
    await on('systemctl start mariadb.socket')
    expect(await on('systemctl is-active mariadb || :')).toBe('inactive')
    expect((await does(mysqlPlan('select 1').in('coaching'))).failure).toBeUndefined()
    expect(await on('systemctl is-active mariadb')).toBe('active')
  })
})
