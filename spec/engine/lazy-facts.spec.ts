import { describe, expect, it } from 'vitest'
import { type Finding, Observation } from '../../dsl/observation.ts'
import type { Resource } from '../../dsl/resource.ts'
import { type Reading, refuse, Task } from '../../dsl/task.ts'
import { detailsPlace } from '../../engine/lazy-facts.ts'
import { file, shape } from '../../index.ts'
import { fileAt } from '../../modules/file.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'

const fleet = shape({ groups: { web: {} } })
const motd = (text: string) => file('/etc/motd').content(text)
const web = fleet.play('web').hosts('web')
/** A greeting, the places, the change, its proof. */
const tripsOfOneChange = 4

/** Looks at a detailed fact when it is judged, and at none before. */
class Judged extends Task {
  readonly module = 'judged'
  readonly id = 'by facts'
  get wishes() {
    return []
  }
  override judge({ facts }: Reading) {
    return facts.software.nginx === undefined ? [refuse('It needs nginx.')] : []
  }
}

const place: Resource<number> = { key: 'test:place', read: detailsPlace.read.map(() => 1), fresh: 1 }

class Seen extends Observation<number> {
  readonly module = 'seen'
  readonly id = 'by facts'
  get view() {
    return place
  }
  find({ facts }: { readonly facts: { readonly virtualization: string | undefined } }): Finding {
    return { says: `runs in ${facts.virtualization}` }
  }
}

describe('detailed facts', () => {
  it('cost nothing where a play does not look at them', async () => {
    const result = await run(
      web.tasks(({ facts }) => [motd(facts.os.id)]),
      mockHost('web1'),
    )
    expect(result.recap.trips).toBe(tripsOfOneChange)
  })

  it('are read in one trip for a play that looks at several, and the play is made again', async () => {
    let made = 0
    const play = web.tasks(({ facts }) => {
      made++
      return [motd(`${facts.virtualization} ${facts.software.php.join()} ${facts.interfaces.length}\n`)]
    })
    const host = mockHost('web1', { facts: { virtualization: 'lxc', software: { php: ['8.2', '8.4'] } } })
    const result = await run(play, host)
    expect(host.holds(fileAt('/etc/motd'))).toMatchObject({ content: { text: 'lxc 8.2,8.4 2\n' } })
    expect(result.recap.trips).toBe(tripsOfOneChange + 1)
    // Once before any connection, by the facts of a plain host; on the host once in vain.
    expect(made).toBe(3)
  })

  it('are read for a condition', async () => {
    const tasks = [motd('old\n').when(({ software }) => software.nginx === '1.22.1')]
    const outcomes = async (nginx: string | undefined) => {
      const { tasks: told, recap } = await run(tasks, mockHost('web1', { facts: { software: { nginx } } }))
      return [told[0]!.outcome, recap.trips]
    }
    expect(await outcomes('1.22.1')).toEqual(['changed', tripsOfOneChange + 1])
    expect(await outcomes(undefined)).toEqual(['skipped', expect.any(Number)])
  })

  it.each([true, false])('are read for a judgement, in a plan and in a run (%j)', async (check) => {
    const outcome = async (nginx: string | undefined) => {
      const host = mockHost('web1', { facts: { software: { nginx } } })
      const { tasks } = await run([new Judged(), motd('x\n')], host, { check })
      return tasks.map((told) => told.failure?.message ?? told.outcome)
    }
    expect(await outcome('1.30.6')).toEqual(['ok', 'changed'])
    expect((await outcome(undefined))[0]).toBe('It needs nginx.')
  })

  it('are read for an observation', async () => {
    const { events } = await run([new Seen()], mockHost('web1', { facts: { virtualization: 'kvm' } }))
    expect(events.find(({ type }) => type === 'observation')).toMatchObject({ outcome: 'ok', says: 'runs in kvm' })
  })

  it('are refused in the plan where the play needs one that the host lacks, and not before', async () => {
    const play = web.tasks(({ facts }) => [motd(`${facts.need.software.nginx} ${facts.need.software.php[0]}\n`)])
    const { hosts, tasks } = await run(play, [
      mockHost('web1', { facts: { software: { nginx: '1.22.1', php: ['8.2'] } } }),
      mockHost('web2', { facts: { software: { nginx: '1.22.1' } } }),
      mockHost('web3'),
    ])
    expect(hosts).toEqual({ web1: 'changed', web2: 'failed', web3: 'failed' })
    expect(tasks.flatMap(({ failure }) => failure?.message ?? [])).toEqual([
      'The play needs the fact software.php, which this host does not have.',
      'The play needs the fact software.nginx, which this host does not have.',
    ])
  })

  it('say why they could not be read', async () => {
    const host = mockHost('web1').cannotRead(detailsPlace, 'The host is odd.')
    const { hosts, tasks } = await run(
      web.tasks(({ facts }) => [motd(`${facts.virtualization}\n`)]),
      host,
    )
    expect(hosts).toEqual({ web1: 'failed' })
    expect(tasks[0]!.failure).toMatchObject({ code: 'E_UNREADABLE', message: 'The host is odd.' })
  })

  it('may be spread and listed like the others', async () => {
    const host = mockHost('web1', { facts: { virtualization: 'uml' } })
    await run(
      web.tasks(({ facts }) => [motd(JSON.stringify({ ...facts }.virtualization))]),
      host,
    )
    expect(host.holds(fileAt('/etc/motd'))).toMatchObject({ content: { text: '"uml"' } })
  })

  it('have on a mock host what a plain host of its system has', async () => {
    const seen = async (...[options]: Parameters<typeof mockHost> extends [string, ...infer O] ? O : never) => {
      const host = mockHost('web1', options)
      await run(
        web.tasks(({ facts }) => [motd(JSON.stringify(facts.software))]),
        host,
      )
      return JSON.parse((host.holds(fileAt('/etc/motd')) as { content: { text: string } }).content.text) as object
    }
    expect(await seen()).toEqual({ php: [], systemd: '252' })
    expect(await seen({ os: 'debian sid', facts: { software: { redis: '8.0.6' } } })).toEqual({
      php: [],
      systemd: '262',
      redis: '8.0.6',
    })
  })
})
