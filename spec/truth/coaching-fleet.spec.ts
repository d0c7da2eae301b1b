import { describe, expect, it } from 'vitest'
import coachingFleet from '../../plays/coaching-fleet.ts'
import { fileAt, kernelParameter, nginxVersion, unit } from '../../places.ts'
import { type MockHost, mockHost } from '../../testing/mock-host.ts'
import { run, type RunResult } from '../../testing/run.ts'

const domain = 'coaching.example'
const web = { domain, php: '8.4', tls: '/etc/ssl/coaching' } as const
const packaged = (text: string) =>
  ({ type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }) as const

/** Hosts as Debian's packages leave them; the web host stands beside the edge host, which sends to it. */
function freshFleet(): Readonly<Record<'edge' | 'web' | 'db' | 'cache', MockHost>> {
  const host = (group: string, vars: Readonly<Record<string, unknown>>) =>
    mockHost(`${group}1`, { os: 'debian sid', groups: [group], vars }).has(
      fileAt('/etc/hosts'),
      packaged('127.0.0.1 localhost\n'),
    )
  return {
    edge: host('edge', { domain }),
    web: host('web', web)
      .has(nginxVersion, '1.30.6')
      .has(fileAt('/srv/wordpress/wp-config.php'), packaged("<?php\nrequire_once __DIR__ . '/wp-settings.php';\n")),
    db: host('db', { domain, schema: 'coaching' }),
    cache: host('cache', { domain }),
  }
}

/** Titles of the tasks of which the plan is not sure, by host. */
function conditional({ tasks }: RunResult): Readonly<Record<string, readonly string[]>> {
  const unsure = tasks.filter(
    ({ changes, notes }) =>
      changes.some(({ dependsOn }) => dependsOn.length > 0) || notes.some((note) => note.startsWith('known after ')),
  )
  const hosts = [...new Set(unsure.map(({ host }) => host))].toSorted()
  return Object.fromEntries(
    hosts.map((host) => [host, unsure.filter((one) => one.host === host).map(({ task }) => task.title)]),
  )
}

const foretold = ({ tasks, reactions }: RunResult) => ({
  tasks: tasks.map(({ host, task, outcome, reason, changes }) => ({
    host,
    task: task.title,
    outcome,
    reason,
    changes: changes.map(({ key, before, after, diff }) => ({ key, before, after, diff })),
  })),
  reactions: reactions.map(({ host, handler, because }) => ({ host, handler, because })),
})

describe('the coaching fleet', () => {
  it('is planned on fresh hosts with few entries that are not sure, and every estimate is what comes', async () => {
    const fleet = freshFleet()
    const hosts = Object.values(fleet)
    const plan = await run(coachingFleet, hosts, { check: true })
    expect(plan.tasks.flatMap(({ failure }) => failure?.message ?? [])).toEqual([])
    expect(conditional(plan)).toEqual({
      cache1: ['service redis-server.service', 'redisConfig 127.0.0.1:6379', 'redisKeys coaching'],
      db1: [
        'mysqlHistogram coaching.wp_eistruttore_schedule.session_date',
        'mysqlIndex coaching.wp_postmeta.idx_legacy_meta_key',
      ],
      web1: ['opcache 8.4', 'systemdTimer crm-sync.timer', 'nginxEarlyHints coaching'],
    })
    expect(foretold(await run(coachingFleet, hosts))).toEqual(foretold(plan))
  })

  it('has nothing that is not sure on converged hosts, nor on hosts that somebody changed by hand', async () => {
    const fleet = freshFleet()
    const hosts = Object.values(fleet)
    await run(coachingFleet, hosts)
    const converged = await run(coachingFleet, hosts, { check: true })
    expect(converged.changes).toEqual([])
    expect(conditional(converged)).toEqual({})

    for (const host of hosts) {
      host.has(fileAt('/etc/motd'), packaged('by hand\n')).has(kernelParameter('net.core.rmem_max'), '300000')
    }
    fleet.web.has(unit('nginx.service'), { enabled: 'enabled', active: false })
    const drifted = await run(coachingFleet, hosts, { check: true })
    expect(drifted.changes.length).toBeGreaterThanOrEqual(8)
    expect(conditional(drifted)).toEqual({})
    expect(foretold(await run(coachingFleet, hosts))).toEqual(foretold(drifted))
  })
})
