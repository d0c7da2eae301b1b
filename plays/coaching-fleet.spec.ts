/** How an engineer tests a play: what would it do to such a host? No host, no shell; milliseconds. */

import {
  columnHistogram,
  fileAt,
  httpAnswer,
  httpPage,
  kernelParameter,
  nginxVersion,
  rootQdisc,
  runningOpcache,
  unit,
} from 'fleetplay/places'
import { mockHost, run } from 'fleetplay/testing'
import 'fleetplay/vitest'
import { describe, expect, it } from 'vitest'
import coachingFleet from './coaching-fleet.ts'

const packaged = (text: string) =>
  ({ type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }) as const

/** A web host as Debian's packages leave it, with an nginx that knows early hints. */
const web1 = () =>
  mockHost('web1', {
    os: 'debian sid',
    groups: ['web'],
    vars: {
      domain: 'coaching.example',
      php: '8.4',
      tls: '/etc/ssl/coaching',
    },
  })
    .has(nginxVersion, '1.30.6')
    .has(fileAt('/etc/hosts'), packaged('127.0.0.1 localhost\n'))
    .has(fileAt('/srv/wordpress/wp-config.php'), packaged("<?php\nrequire_once __DIR__ . '/wp-settings.php';\n"))

const db1 = () =>
  mockHost('db1', { groups: ['db'], vars: { domain: 'coaching.example', schema: 'coaching' } }).has(
    fileAt('/etc/hosts'),
    packaged('127.0.0.1 localhost\n'),
  )

const histogram = columnHistogram({ schema: 'coaching', table: 'wp_eistruttore_schedule', column: 'session_date' })

describe('a fresh web host', () => {
  it('gets the buffers, the queue, php-fpm and the site, and the daemons that must know are told once', async () => {
    const result = await run(coachingFleet, web1())
    expect(result.hosts).toEqual({ web1: 'changed' })
    expect(result).toChange(kernelParameter('net.core.rmem_default'), { from: '212992', to: '16777216' })
    expect(result).toChange(rootQdisc('eth0'))
    expect(result).toChange(runningOpcache('8.4'))
    expect(result).toChange(unit('nginx.service'))
    expect(result.reactions.map(({ handler }) => handler)).toContain('restart systemd-resolved')
    expect(result.reactions.filter(({ handler }) => handler === 'restart php8.4-fpm')).toHaveLength(1)
  })

  it('is planned as it is then done', async () => {
    const host = web1()
    const plan = await run(coachingFleet, host, { check: true })
    const real = await run(coachingFleet, host)
    expect(plan.changes.map(({ key, after }) => [key, after])).toEqual(
      real.changes.map(({ key, after }) => [key, after]),
    )
  })

  it('has nothing to change the second time', async () => {
    const host = web1()
    await run(coachingFleet, host)
    expect(await run(coachingFleet, host)).toBeConverged()
  })
})

describe('a web host that somebody changed by hand', () => {
  it('gets back what was changed, and nothing else', async () => {
    const host = web1()
    await run(coachingFleet, host)
    const result = await run(coachingFleet, host.has(kernelParameter('net.core.rmem_max'), '300000'))
    expect(result.changes.map(({ label }) => label)).toEqual(['net.core.rmem_max'])
    expect(result.reactions.map(({ handler }) => handler)).toEqual(['restart systemd-resolved'])
  })
})

describe('a web host with an nginx that is too old', () => {
  it('is refused in the plan, with what would work, and nothing of its play is begun', async () => {
    const host = web1().has(nginxVersion, '1.22.1')
    const result = await run(coachingFleet, host)
    expect(result).toFailAt('nginxEarlyHints coaching', '.edge() would work here.')
    expect(result).not.toChange(fileAt('/etc/nginx/conf.d/early-hints-coaching.conf'))
    expect(result).not.toChange(rootQdisc('eth0'))
  })
})

describe('the page of a web host, as a visitor gets it', () => {
  const page = httpAnswer('https://coaching.example/', { via: 'web1' })
  const assets = '/wp-content/themes/eistruttore/assets'
  const earlyHints = [`${assets}/css/critical-coach.min.css`, `${assets}/js/calendar.min.js`]
  const observed = async (host: ReturnType<typeof web1>) => await run(coachingFleet, host, { tags: ['watch'] })

  it('is as expected with its early hints', async () => {
    const { observations } = await observed(web1().has(page, httpPage(200, { earlyHints })))
    expect(observations.find(({ task }) => task.module === 'http')).toMatchObject({ outcome: 'ok' })
  })

  it('fails the run without them, and says what came instead', async () => {
    const result = await observed(web1().has(page, httpPage(200)))
    expect(result).toFailAt('http https://coaching.example/', 'no 103')
  })
})

describe('a database host', () => {
  it('gets its histogram, and its old index watched, once MySQL runs', async () => {
    const host = db1().cannotRead(histogram, 'mysql is not running')
    const plan = await run(coachingFleet, host, { check: true })
    expect(plan.changes.find(({ key }) => key === histogram.key)).toMatchObject({
      dependsOn: ['service mysql.service'],
    })
    expect(await run(coachingFleet, db1())).toChange(histogram)
  })

  it('fails in the words of MySQL where the table is missing, at the line of the play', async () => {
    const words = "ERROR 1146 (42S02): Table 'coaching.wp_eistruttore_schedule' doesn't exist"
    const result = await run(coachingFleet, db1().fails(histogram, { stderr: words }))
    expect(result).toFailAt('mysqlHistogram coaching.wp_eistruttore_schedule.session_date', words)
    const failed = result.tasks.find(({ outcome }) => outcome === 'failed')
    expect(failed?.failure?.place?.file).toMatch(/plays\/coaching-fleet\.ts$/)
  })
})
