import { describe, expect, it } from 'vitest'
import { boolean, integer, inventory, list, oneOf, optional, shape, text } from '../../index.ts'

const fleet = shape({
  vars: { domain: text, workers: optional(integer) },
  groups: {
    web: { vars: { php: oneOf('8.2', '8.4') } },
    edge: { vars: { tls: boolean } },
    db: { vars: { replicas: list(text) } },
  },
})

const base = { vars: { domain: 'd.example' }, groups: { web: { vars: { php: '8.2' } } } } as const
const messages = (inv: ReturnType<typeof inventory>) =>
  inv.resolve().problems.map(({ message, hint }) => [message, hint])

describe('an inventory', () => {
  it('gives each host the variables of the fleet, of its groups and its own, the nearest first', () => {
    const { hosts, problems } = inventory(fleet, {
      ...base,
      hosts: {
        web1: { groups: ['web'], address: '10.0.0.1' },
        web2: { groups: ['web'], vars: { php: '8.4', domain: 'other' } },
      },
    }).resolve()
    expect(problems).toEqual([])
    expect(hosts.map(({ name, address, vars }) => [name, address, vars])).toEqual([
      ['web1', '10.0.0.1', { domain: 'd.example', workers: undefined, php: '8.2' }],
      ['web2', 'web2', { domain: 'other', workers: undefined, php: '8.4' }],
    ])
  })

  it('takes connection options of its own for every host, and of a host before those', () => {
    const { hosts } = inventory(fleet, {
      ...base,
      ssh: { user: 'deploy', port: 22 },
      hosts: { a: { ssh: { port: 2222 } } },
    }).resolve()
    expect(hosts[0]).toMatchObject({ carrier: 'ssh', become: 'sudo', ssh: { user: 'deploy', port: 2222 } })
  })

  it('lets the command line override, by the types of the shape', () => {
    const inv = inventory(fleet, { ...base, hosts: { web1: { groups: ['web'] } } })
    expect(inv.resolve({ workers: '4', php: '8.4' }).hosts[0]!.vars).toEqual({
      domain: 'd.example',
      workers: 4,
      php: '8.4',
    })
    expect(inv.resolve({ workers: 'four' }).problems.map(({ message }) => message)).toEqual([
      '-e workers: "four" is not a whole number',
    ])
    expect(inv.resolve({ domian: 'x' }).problems[0]).toMatchObject({ code: 'E_OPTION', hint: 'Did you mean domain?' })
  })

  it('tells every mistake at once, with the line of the inventory', () => {
    const inv = inventory(fleet, {
      // @ts-expect-error a misspelt group
      groups: { wbe: {} },
      hosts: {
        // @ts-expect-error a group that the shape does not have
        web1: { groups: ['web', 'weeb'] },
        // @ts-expect-error a variable that the shape does not have
        db1: { groups: ['db'], vars: { replicas: ['a'], replcas: 1 } },
        '-x': {},
      },
    })
    expect(messages(inv)).toEqual([
      ['Group wbe is not in the shape.', 'Did you mean web?'],
      ['web1: group weeb is not in the shape.', 'Did you mean web?'],
      ['web1: variable domain (text) has no value.', undefined],
      ['web1: variable php (one of 8.2, 8.4) has no value.', undefined],
      ['db1: the shape has no variable replcas for it.', 'Did you mean replicas?'],
      ['db1: variable domain (text) has no value.', undefined],
      ['"-x" is not a host name.', 'Letters, digits, dots and hyphens.'],
      ['-x: variable domain (text) has no value.', undefined],
    ])
    expect(inv.resolve().problems[0]?.place).toMatchObject({ file: import.meta.filename })
  })

  it('refuses a carrier that there is not', () => {
    const told = (carrier: unknown) =>
      messages(inventory(shape({ groups: {} }), { hosts: { here: { carrier: carrier as 'local' } } }))
    const hint = "There are: 'ssh', 'local', { exec: ['docker', 'exec', '-i', 'web1'] }, { simulated: {} }."
    expect(told('lcal')).toEqual([['here: "lcal" is not a carrier.', hint]])
    expect(told({ exec: [] })).toEqual([['here: {"exec":[]} is not a carrier.', hint]])
    expect(told({ exec: 'sh' })).toEqual([['here: {"exec":"sh"} is not a carrier.', hint]])
    for (const right of ['ssh', 'local', { exec: ['sh'] }, { simulated: {} }]) expect(told(right)).toEqual([])
  })

  it('refuses two groups that disagree, unless the host decides', () => {
    const both = (vars: object) =>
      inventory(shape({ groups: { a: { vars: { x: integer } }, b: { vars: { x: integer } } } }), {
        groups: { a: { vars: { x: 1 } }, b: { vars: { x: 2 } } },
        hosts: { h: { groups: ['a', 'b'], vars } },
      })
    expect(messages(both({}))).toEqual([['h: groups a and b disagree on x.', 'Give h a value of its own.']])
    expect(both({ x: 3 }).resolve()).toMatchObject({ problems: [], hosts: [{ vars: { x: 3 } }] })
  })

  it.each([
    ['text', text, ''],
    ['integer', integer, 1.5],
    ['boolean', boolean, 'true'],
    ['oneOf', oneOf('a', 'b'), 'c'],
    ['list', list(integer), [1, 'x']],
  ])('refuses what is not a %s', (_, type, value) => {
    expect(type.parse(value)).toHaveProperty('problem')
  })

  it('refuses to be empty', () => {
    expect(messages(inventory(fleet, { hosts: {} }))).toEqual([['The inventory has no hosts.', undefined]])
  })
})
