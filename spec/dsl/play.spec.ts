import { describe, expect, expectTypeOf, it } from 'vitest'
import { file, integer, match, shape, text } from '../../index.ts'
import type { Play } from '../../dsl/play.ts'
import { type Pattern, select } from '../../dsl/pattern.ts'
import { Task } from '../../dsl/task.ts'

const fleet = shape({
  vars: { domain: text },
  groups: { web: { vars: { php: text } }, edge: { vars: { port: integer } }, db: { vars: { schema: text } } },
})

describe('the types of a play', () => {
  it('know the variables of the hosts that it is for', () => {
    fleet
      .play('p')
      .hosts('web')
      .tasks(({ vars }) => {
        expectTypeOf(vars).toEqualTypeOf<{ readonly domain: string; readonly php: string }>()
        return []
      })
    fleet
      .play('p')
      .hosts('web:&edge')
      .tasks(({ vars }) => {
        expectTypeOf(vars.php).toEqualTypeOf<string>()
        expectTypeOf(vars.port).toEqualTypeOf<number>()
        return []
      })
    fleet
      .play('p')
      .hosts('web:!edge')
      .tasks(({ vars }) => {
        expectTypeOf(vars.php).toEqualTypeOf<string>()
        // @ts-expect-error hosts of web need not be in edge
        return [vars.port]
      })
    fleet
      .play('p')
      .hosts('web', 'db')
      .tasks(({ vars }) => {
        expectTypeOf(vars.domain).toEqualTypeOf<string>()
        // @ts-expect-error a host of db has no php
        return [vars.php]
      })
    fleet
      .play('p')
      .hosts('all')
      .tasks(({ vars }) => {
        // @ts-expect-error a host need not be in db
        return [vars.schema]
      })
    fleet
      .play('p')
      .hosts(match('web*'))
      .tasks(({ vars }) => {
        expectTypeOf(vars).toEqualTypeOf<{ readonly domain: string }>()
        return []
      })
  })

  it('refuse a misspelt group, and hosts of none', () => {
    // @ts-expect-error there is no such group
    fleet.play('p').hosts('wbe')
    // @ts-expect-error there is no such group
    fleet.play('p').hosts('web:&egde')
    // @ts-expect-error a play without a pattern is for nobody
    fleet.play('p').hosts()
    expectTypeOf<'wbe'>().not.toExtend<Pattern<(typeof fleet)['spec']>>()
  })

  it('refuse a chain that is not finished', () => {
    // A file whose content is not said is no task; a play without tasks is no play.
    expectTypeOf(file('/etc/motd')).not.toExtend<Task>()
    expectTypeOf(file('/etc/motd').content('')).toExtend<Task>()
    expectTypeOf(fleet.play('p').hosts('web')).not.toExtend<Play>()
    expectTypeOf(fleet.play('p').hosts('web').tasks([])).toExtend<Play>()
  })

  it('have a fact that may be missing not be a text; facts.need refuses in the plan instead', () => {
    fleet
      .play('p')
      .hosts('web')
      .tasks(({ facts }) => {
        expectTypeOf(facts.defaultInterface).toEqualTypeOf<string | undefined>()
        expectTypeOf(facts.need.defaultInterface).toEqualTypeOf<string>()
        return []
      })
  })
})

describe('a task', () => {
  const one = file('/etc/motd').content('x')

  it('is immutable: every keyword gives another', () => {
    const named = one.named('motd').tags('a').tags('b').become('deploy')
    expect(one.keywords).toMatchObject({ name: undefined, tags: [], become: undefined })
    expect(named.keywords).toMatchObject({ name: 'motd', tags: ['a', 'b'], become: 'deploy' })
    expect(Object.isFrozen(named)).toBe(true)
    expect(named).toBeInstanceOf(Task)
    expect(named.origin).toBe(one.origin)
  })

  it('knows the line that made it, through functions that helped', () => {
    const helper = () => file('/etc/motd').content('x')
    const task = helper()
    const lines = task.origin.places.filter(({ file }) => file === import.meta.filename).map(({ line }) => line)
    expect(lines.length).toBeGreaterThanOrEqual(2)
    expect(lines[1]).toBe(lines[0]! + 1)
  })
})

describe('a pattern', () => {
  const hosts = [
    { name: 'web1', groups: ['web', 'edge'] },
    { name: 'web2', groups: ['web'] },
    { name: 'db1', groups: ['db'] },
  ]
  const names = (pattern: string) =>
    select(pattern, hosts, ['web', 'edge', 'db', 'empty']).hosts.map(({ name }) => name)

  it.each([
    ['all', ['web1', 'web2', 'db1']],
    ['web', ['web1', 'web2']],
    ['db1', ['db1']],
    ['web:&edge', ['web1']],
    ['web:!edge', ['web2']],
    ['!web', ['db1']],
    ['edge,db', ['web1', 'db1']],
    ['web[12]', ['web1', 'web2']],
    ['*1', ['web1', 'db1']],
    ['w?b2', ['web2']],
    ['empty', []],
    ['web.', []],
  ])('%s selects %j', (pattern, expected) => expect(names(pattern)).toEqual(expected))

  it('names what it does not know, and not a group that is empty', () => {
    expect(select('web,nope,empty', hosts, ['web', 'empty']).unknown).toEqual(['nope'])
  })
})
