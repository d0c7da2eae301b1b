import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { typicalFacts } from '../../../dsl/play.ts'
import type { Failure } from '../../../errors/failure.ts'
import { mysqlPlan } from '../../../index.ts'
import { parsePlan, type QueryPlan, queryPlan } from '../../../modules/mysql/query-plan.ts'
import type { Output } from '../../../probe/probe.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { readScript } from '../answers.ts'

const output = (stdout: string | Buffer, more: Partial<Output> = {}): Output => ({
  status: 0,
  stdout: Buffer.from(stdout),
  stderr: '',
  ...more,
})
const explained = (name: string) =>
  parsePlan(output(readFileSync(new URL(`../../fixtures/mysql/explain-${name}.out`, import.meta.url))))
const problems = (task: unknown) => (task as { problems: readonly Failure[] }).problems.map(({ message }) => message)
const sql = "select * from bookings where session_date = '2026-02-02'"
const whole: QueryPlan = {
  steps: [{ table: 'bookings', access: 'ALL', key: null, rows: 900, filtered: 0.370370358 }],
  reads: 900,
  leaves: 3,
}
const found = (plan: QueryPlan, limit?: number) => {
  const task = mysqlPlan(sql).in('shop')
  return (limit === undefined ? task : task.rowsBelow(limit)).find({ now: plan, before: plan, facts: typicalFacts })
}

describe('mysqlPlan()', () => {
  it('tells the estimate, and how each table is reached', () => {
    expect(found(whole)).toEqual({
      says: 'reads about 900 rows, and leaves 3',
      table: ['bookings  ALL  no key  900 rows, of which 0.37 % stay'],
    })
  })

  it('fails where as many rows or more are read, and says which table is read whole', () => {
    expect(found(whole, 901).unexpected).toBeUndefined()
    expect(found(whole, 900).unexpected).toEqual({
      message: 'The query reads about 900 rows, not less than 900.',
      hint: 'No index answers the conditions on bookings, which is read whole.',
      seen: { command: 'explain', status: 0, output: 'bookings  ALL  no key  900 rows, of which 0.37 % stay' },
    })
  })

  it('is an observation: it changes nothing, and fails its host', async () => {
    const task = mysqlPlan(sql).in('shop').rowsBelow(10)
    const host = mockHost('db1').has(queryPlan(sql, 'shop'), whole)
    const result = await run(task, host)
    expect(result.changes).toEqual([])
    expect(result.hosts).toEqual({ db1: 'failed' })
    expect((await run(task.warn(), host)).hosts).toEqual({ db1: 'ok' })
  })

  it.each<[string, string]>([
    ['', 'there is no query'],
    ['delete from bookings', 'only a SELECT is explained, not "delete from bookings"'],
    ['explain analyze select 1', 'only a SELECT is explained, not "explain analyze select 1"'],
    ['/*!99999 */ drop table x', 'only a SELECT is explained, not "/*!99999 */ drop table x"'],
    ['select 1; drop table x', 'one query only, without a semicolon'],
    ['with x as (select 1) delete from bookings', 'the query must only read, and says DELETE'],
    ["select 1 into outfile '/tmp/x'", 'the query must only read, and says INTO'],
    ["select 1 /*! into outfile '/tmp/x' */", 'the query must only read, and says INTO'],
    ['select * from bookings for update', 'the query must only read, and says UPDATE'],
    ['select 1\0', 'the query holds a NUL byte'],
  ])('refuses %j before any connection', (query, problem) => {
    expect(problems(mysqlPlan(query).in('shop'))).toEqual([`mysqlPlan: ${problem}`])
  })

  it.each([
    'select \';delete\' from `in;to` where a = "x;" -- update; this',
    "(select replace(a, 'x', 'y') from t) union (select insert(b, 1, 2, 'z') from t)",
    'with x as (select 1 as y) select * from x /* delete */',
    "select 'it''s; into', \"a\\\"; into\" from t",
  ])('takes %j', (query) => {
    expect(problems(mysqlPlan(query).in('shop').rowsBelow(5))).toEqual([])
  })

  it('lacks a schema, and takes no limit that is none', async () => {
    await expect(run(mysqlPlan(sql) as never, mockHost('db1'))).rejects.toThrow('lacks .in(schema)')
    expect(problems(mysqlPlan(sql).in('shop').rowsBelow(0))).toEqual([
      `mysqlPlan ${sql}: rowsBelow takes a whole number from 1, not 0`,
    ])
    expect(problems(mysqlPlan('select 1').in('shop').defaultsFile('x'))).toEqual([
      'mysqlPlan select 1: "x" is not an absolute path',
    ])
  })
})

describe('queryPlan()', () => {
  it('pins the version of the JSON, and sends the query as a value: MySQL 9 prints FORMAT=TREE unasked, and the client takes \\! for a command', () => {
    const script = readScript([queryPlan("select '\\! touch x; \\G' from t", 'sh`op', '/root/.my.cnf')])
    expect(script.text).toContain('--defaults-extra-file=/root/.my.cnf')
    expect(String(script.input).split('\n')).toEqual([
      'use `sh``op`;',
      '/*!80300 set session explain_json_format_version = 1 */;',
      `set @explain = concat('explain format=json ', _utf8mb4 x'${Buffer.from("select '\\! touch x; \\G' from t").toString('hex')}');`,
      'prepare explained from @explain;',
      'start transaction read only;',
      'execute explained;',
      'rollback;',
      '',
    ])
  })

  it('reads rows, shares and keys of both kinds of server alike', () => {
    const join = (name: string, key: string, filtered: number) => ({
      steps: [
        { table: 'b', access: 'ref', key, rows: 18, filtered: 100 },
        { table: 'c', access: 'eq_ref', key: 'PRIMARY', rows: 1, filtered },
      ],
      reads: 36,
      leaves: 5,
      name,
    })
    for (const { name, ...plan } of [
      join('join-mysql', 'we`ird, KEY (x)', 27.78),
      join('join-mariadb', 'idx_status', 27.77777863),
    ])
      expect(explained(name)).toEqual(plan)
  })

  it('reads what a condition without an index leaves, which a histogram tells', () => {
    expect(explained('single-mariadb')).toEqual(whole)
    expect(explained('single-mysql')).toMatchObject({ reads: 1, steps: [{ access: 'ref', key: 'idx_date' }] })
  })

  it.each([
    ['union-mysql', ['bookings const 1', 'bookings ALL 900'], 901],
    ['union-mariadb', ['bookings const 1', 'bookings ALL 900'], 901],
    ['derived-mysql', ['d ALL 900', 'bookings index 900'], 1800],
    ['derived-mariadb', ['<derived2> ALL 900', 'bookings index 900'], 1800],
    ['subquery-mysql', ['bookings index 900', '<materialized_subquery> eq_ref 1', 'bookings index 900'], 1801],
    ['subquery-mariadb', ['bookings index 900', '<subquery2> eq_ref 1', 'bookings index 900'], 2700],
    ['impossible-mysql', [], 0],
    ['impossible-mariadb', [], 0],
  ])('reads the parts of %s', (name, steps, reads) => {
    const plan = explained(name)
    expect(plan.steps.map(({ table, access, rows }) => `${table} ${access} ${rows}`)).toEqual(steps)
    expect(plan.reads).toBe(reads)
  })

  it.each([
    ["ERROR 1146 (42S02) at line 4: Table 'shop.booking' doesn't exist"],
    ["--------------\nuse `nope`\n--------------\n\nERROR 1049 (42000) at line 1: Unknown database 'nope'"],
  ])('fails in the words of the server: %j', (stderr) => {
    expect(() => parsePlan(output('', { status: 1, stderr }))).toThrow(/ERROR (1146|1049)/)
  })

  it('says what it did not understand: a plan as a tree', () => {
    expect(() => parsePlan(output('-> Table scan on bookings  (cost=93 rows=900)\n'))).toThrow('EXPLAIN FORMAT=JSON')
    expect(() => parsePlan(output('{"query_plan": {"estimated_rows": 18.0}}'))).toThrow('EXPLAIN FORMAT=JSON')
  })
})
