import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { file, shape, text, together } from '../../index.ts'
import { type Failure, Mistakes } from '../../errors/failure.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import type { Event } from '../../engine/events.ts'
import { inventory } from '../../dsl/inventory.ts'
import { aim } from '../../engine/aim.ts'
import '../../testing/vitest.ts'
import { cell, fill } from './cell.ts'

const four = shape({ vars: { domain: text }, groups: { web: { vars: { php: text } }, db: {} } })
const bare = shape({ groups: { web: {} } })
const five = ['web1', 'web2', 'web3', 'web4', 'web5']
const mistakes = async (work: Promise<unknown>): Promise<readonly Failure[]> => {
  const error: unknown = await work.then(
    () => undefined,
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(Mistakes)
  return (error as Mistakes).failures
}

describe('a play on many hosts', () => {
  const play = bare.play('web').hosts('web')

  it('fails on the host where it fails, and goes on with the others', async () => {
    const bad = fill('a', 'x')
    const hosts = [mockHost('web1'), mockHost('web2').fails(bad, { stderr: 'no' }), mockHost('web3').unreachable()]
    const result = await run(play.tasks([bad]), hosts)
    expect(result.hosts).toEqual({ web1: 'changed', web2: 'failed', web3: 'unreachable' })
    expect(result.recap.hosts).toEqual({ ok: 0, changed: 1, failed: 1, unreachable: 1, skipped: 0 })
  })

  it('works on as many hosts at a time as it says', async () => {
    const result = await run(
      play.serial(2).tasks([fill('a', 'x')]),
      five.map((name) => mockHost(name)),
    )
    const batches = result.events.filter((event) => event.type === 'batch-started').map(({ hosts }) => hosts)
    expect(batches).toEqual([['web1', 'web2'], ['web3', 'web4'], ['web5']])
  })

  it('takes a share of its hosts, one at least', async () => {
    const sizes = async (share: '25%' | '50%') =>
      (
        await run(
          play.serial(share).tasks([fill('a', 'x')]),
          five.map((name) => mockHost(name)),
        )
      ).events.flatMap((event) => (event.type === 'batch-started' ? [event.hosts.length] : []))
    expect(await sizes('25%')).toEqual([1, 1, 1, 1, 1])
    expect(await sizes('50%')).toEqual([2, 2, 1])
  })

  it('begins no further batch after a failure, and names the hosts that were not begun', async () => {
    const bad = fill('a', 'x')
    const hosts = five.map((name) => (name === 'web2' ? mockHost(name).unreachable() : mockHost(name)))
    const result = await run(play.serial(2).tasks([bad]), hosts)
    expect(result.events.find((event) => event.type === 'not-begun')).toMatchObject({
      hosts: ['web3', 'web4', 'web5'],
      reason: '1 of 5 hosts failed or were unreachable; the play allows 0',
    })
    expect(hosts[4]!.memory.trips).toBe(0)
  })

  it('goes on while no more hosts fail than the play allows', async () => {
    const hosts = five.map((name) => (name === 'web2' ? mockHost(name).unreachable() : mockHost(name)))
    const result = await run(
      play
        .serial(2)
        .maxFailures('25%')
        .tasks([fill('a', 'x')]),
      hosts,
    )
    expect(result.recap.hosts).toMatchObject({ changed: 4, unreachable: 1 })
  })

  it('leaves out hosts that an earlier play lost', async () => {
    const bad = fill('a', 'x')
    const hosts = [mockHost('web1').fails(bad, { stderr: 'no' }), mockHost('web2')]
    const result = await run(
      [
        play.tasks([bad]),
        bare
          .play('later')
          .hosts('web')
          .tasks([fill('b', 'y')]),
      ],
      hosts,
    )
    expect(hosts[0]!.holds(cell('b'))).toBeNull()
    expect(hosts[1]!.holds(cell('b'))).toBe('y')
    expect(result.hosts).toEqual({ web1: 'failed', web2: 'changed' })
  })

  it('runs plays side by side where they may', async () => {
    const slow = (name: string) =>
      bare
        .play(name)
        .hosts('web')
        .tasks([fill(name, 'x')])
    const result = await run(together(slow('a'), slow('b')), mockHost('web1'))
    expect(result.recap.tasks.changed).toBe(2)
  })
})

describe('what a play is made from', () => {
  it('has the variables of the host, and what the host is', async () => {
    const play = four
      .play('web')
      .hosts('web')
      .tasks(({ vars, facts, host }) => [
        fill('says', `${host.name} ${vars.domain} ${vars.php} ${facts.os.id} ${facts.need.defaultInterface}`),
      ])
    const result = await run(play, mockHost('web1', { vars: { domain: 'd.example', php: '8.2' } }))
    expect(result).toChange(cell('says'), { to: 'web1 d.example 8.2 debian eth0' })
  })

  it('refuses a fact that the host lacks, on that host alone', async () => {
    const play = bare
      .play('web')
      .hosts('web')
      .tasks(({ facts }) => [fill('a', facts.need.defaultInterface)])
    const result = await run(play, [mockHost('web1', { facts: { defaultInterface: undefined } }), mockHost('web2')])
    expect(result.hosts).toEqual({ web1: 'failed', web2: 'changed' })
    expect(result.tasks.find(({ host }) => host === 'web1')?.failure?.message).toMatch(/fact defaultInterface/)
  })

  it('sees other hosts of the inventory', async () => {
    const play = four
      .play('all')
      .hosts('all')
      .tasks(({ hosts }) => [
        fill(
          'dbs',
          hosts('db')
            .map(({ address }) => address)
            .join(),
        ),
      ])
    const mocks = [
      mockHost('web1', { groups: [], vars: { domain: 'd' } }),
      mockHost('db1', { groups: ['db'], vars: { domain: 'd' } }),
    ]
    expect(await run(play, mocks)).toChange(cell('dbs'), { to: 'db1' })
  })
})

describe('mistakes', () => {
  it('are told all at once, each with its line, before any host is touched', async () => {
    const host = mockHost('web1')
    const failures = await mistakes(
      run([file('relative').content('x'), file('/ok').content('x').mode('0999'), fill('a', 'x').retry(0)], host),
    )
    expect(failures.map(({ message }) => message)).toEqual([
      'file: the path "relative" must be absolute',
      '"0999" is not a mode such as 0644 (an octal text, in quotes)',
      'retry takes a whole number from 1, not 0',
    ])
    for (const { place } of failures) expect(place).toMatchObject({ file: import.meta.filename })
    expect(new Set(failures.map(({ place }) => place?.column)).size).toBe(3)
    expect(host.memory.trips).toBe(0)
  })

  it('include two tasks that disagree on a place, naming both lines', async () => {
    const one = file('/etc/motd').content('one')
    const two = file('/etc/motd').content('two')
    const [failure, ...others] = await mistakes(run([one, two], mockHost('web1')))
    expect(others).toEqual([])
    expect(failure).toMatchObject({ code: 'E_PLAY_CONFLICT', place: two.origin.place })
    expect(failure?.message).toContain(` (${basename(import.meta.filename)}:${one.origin.place?.line}) `)
    expect(failure?.message).toContain('disagree on /etc/motd: "two" against "one" in line 1.')
  })

  it('include two plays that disagree on a place of one host', async () => {
    const one = bare
      .play('one')
      .hosts('web')
      .tasks([file('/etc/motd').content('one')])
    const two = bare
      .play('two')
      .hosts('web')
      .tasks([file('/etc/motd').content('two')])
    const failures = await mistakes(run([one, two], mockHost('web1')))
    expect(failures.map(({ code }) => code)).toEqual(['E_PLAY_CONFLICT'])
  })

  it('include sizes of batches and limits that are none', async () => {
    const wrong = bare
      .play('web')
      .hosts('web')
      .serial('abc%' as '1%')
      .serial(0)
      .serial('200%')
      .maxFailures(-1)
      .maxFailures(2.5)
      .tasks([])
    const failures = await mistakes(run(wrong, mockHost('web1')))
    expect(failures.map(({ message }) => message)).toEqual([
      `serial takes a whole number from 1, or a share of up to '100%', not "abc%"`,
      `serial takes a whole number from 1, or a share of up to '100%', not 0`,
      `serial takes a whole number from 1, or a share of up to '100%', not "200%"`,
      `maxFailures takes a whole number from 0, or a share of up to '100%', not -1`,
      `maxFailures takes a whole number from 0, or a share of up to '100%', not 2.5`,
    ])
  })

  it('include what is no task, and a pause that is none, where no compiler looked', async () => {
    const [failure] = await mistakes(
      run(
        bare
          .play('web')
          .hosts('web')
          .tasks(['text' as never]),
        mockHost('web1'),
      ),
    )
    expect(failure?.message).toBe('A list of tasks holds what is no task: "text".')
    const [pause] = await mistakes(run([fill('a', 'x').retry(2, 'abc' as '1s')], mockHost('web1')))
    expect(pause?.message).toMatch(/^"abc" is not a duration/)
  })

  it('do not include the same wish twice, nor tasks of which one is not for this host', async () => {
    const here = file('/etc/motd').content('one')
    const elsewhere = file('/etc/motd')
      .content('two')
      .when(({ os }) => os.id === 'alpine')
    const result = await run([here, file('/etc/motd').content('one'), elsewhere], mockHost('web1'))
    expect(result.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'ok', 'skipped'])
  })

  it('include a play that throws', async () => {
    const play = bare
      .play('web')
      .hosts('web')
      .tasks(() => {
        throw new TypeError('x is not a function')
      })
    const [failure] = await mistakes(run(play, mockHost('web1')))
    expect(failure).toMatchObject({ code: 'E_PLAY_THREW', message: 'The play web threw: x is not a function' })
    // The line that threw, not the line of the play.
    expect(failure?.place?.line).toBeGreaterThan(play.origin.place!.line)
  })

  it('include a local file that is missing', async () => {
    const [failure] = await mistakes(run([file('/a').source('./no-such-file')], mockHost('web1')))
    expect(failure?.message).toMatch(/spec\/engine\/no-such-file does not exist/)
  })
})

describe('who is meant', () => {
  const { hosts } = inventory(four, {
    vars: { domain: 'd' },
    groups: { web: { vars: { php: '8' } } },
    hosts: { web1: { groups: ['web'] }, web2: { groups: ['web'] }, db1: { groups: ['db'] } },
  }).resolve()
  const plays = [four.play('web').hosts('web').tasks([]), four.play('db').hosts('db').tasks([])]
  const choice = { plays, hosts, tags: [], skipTags: [] }
  const names = (limit?: string) =>
    aim({ ...choice, limit })
      .flat()
      .map((aimed) => aimed.hosts.map(({ name }) => name))

  it('is narrowed by a limit', () => {
    expect(names()).toEqual([['web1', 'web2'], ['db1']])
    expect(names('web2,db')).toEqual([['web2'], ['db1']])
    expect(names('all:!web1')).toEqual([['web2'], ['db1']])
  })

  it.each([
    ['wbe1', 'wbe1 matches no host and no group of the inventory.', 'Did you mean web1?'],
    ['web:wrb', 'wrb matches no host and no group of the inventory.', 'Did you mean web?'],
  ])('refuses --limit %s with a suggestion', (limit, message, hint) => {
    expect(() => names(limit)).toThrowError(
      expect.objectContaining({ failures: [expect.objectContaining({ message, hint })] }) as Error,
    )
  })

  it('refuses a limit that leaves no host of these plays', () => {
    expect(() => aim({ ...choice, plays: plays[0]!, limit: 'db' })).toThrow(/db is no host that these plays are for/)
  })
})

it('tells the end of a run last, with the time and the trips of the host that needed most', async () => {
  const result = await run([fill('a', 'x')], [mockHost('web1'), mockHost('web2').has(cell('a'), 'x')])
  const last = result.events.at(-1) as Extract<Event, { type: 'run-finished' }>
  expect(last.recap).toMatchObject({ trips: 4, tasks: { ok: 1, changed: 1, skipped: 0, failed: 0 } })
})
