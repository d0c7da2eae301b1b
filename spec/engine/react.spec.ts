import { describe, expect, it } from 'vitest'
import { handler, needs } from '../../dsl/handler.ts'
import { refuse } from '../../dsl/task.ts'
import { reload, restart } from '../../modules/service.ts'
import { foundUnit } from '../../modules/unit.ts'
import { sh } from '../../shell/script.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import '../../testing/vitest.ts'
import { cell, fill } from './cell.ts'

const needing = {
  ...handler('reload nginx', sh`nginx -s reload`),
  needs: needs(cell('nginx'), (now) => (now === 'absent' ? refuse('There is no nginx.', 'Install it.') : undefined)),
}

describe('a handler that needs a place', () => {
  const without = () => mockHost('web1').has(cell('nginx'), 'absent')

  it('is refused in the plan where that is not there, before anything is touched', async () => {
    const host = without()
    const result = await run([fill('a', 'x').notify(needing)], host)
    expect(result.tasks[0]).toMatchObject({
      outcome: 'skipped',
      reason: 'nothing was touched, because the plan was refused',
    })
    expect(result.reactions).toMatchObject([
      {
        outcome: 'failed',
        because: ['fill a'],
        failure: { code: 'E_REFUSED', message: 'There is no nginx.', hint: 'Install it.' },
      },
    ])
    expect(result.reactions[0]?.failure?.place?.file).toBe(import.meta.filename)
    expect(result.hosts).toEqual({ web1: 'failed' })
    expect(host.holds(cell('a'))).toBeNull()
    // greeting and one batch
    expect(host.memory.trips).toBe(2)
  })

  it('is refused in check mode too, beside what the tasks would change', async () => {
    const result = await run([fill('a', 'x').notify(needing)], without(), { check: true })
    expect(result.tasks[0]?.outcome).toBe('changed')
    expect(result.reactions.map(({ outcome }) => outcome)).toEqual(['failed'])
    expect(result.hosts).toEqual({ web1: 'failed' })
  })

  it('is not asked where nothing would notify it', async () => {
    const result = await run([fill('a', 'x').notify(needing)], without().has(cell('a'), 'x'))
    expect(result).toBeConverged()
  })

  it('waits where a task of the play may yet bring what it needs', async () => {
    const host = without()
    const install = fill('b', 'y', { touches: ['cell:nginx'] })
    const result = await run([fill('a', 'x').notify(needing), install], host)
    expect(result.reactions.map(({ outcome }) => outcome)).toEqual(['done'])
    const brings = await run([fill('a', 'z').notify(needing), fill('nginx', 'there')], without())
    expect(brings.reactions.map(({ outcome }) => outcome)).toEqual(['done'])
  })

  it('is refused in the words of the host where that cannot be read', async () => {
    const host = mockHost('web1').cannotRead(cell('nginx'), 'systemd does not answer')
    const result = await run([fill('a', 'x').notify(needing)], host)
    expect(result.reactions[0]).toMatchObject({ outcome: 'failed', failure: { message: 'systemd does not answer' } })
  })
})

describe('a unit that is to be restarted or reloaded', () => {
  const found = (enabled: 'masked' | null) =>
    mockHost('web1').has(foundUnit('ngnix.service'), { enabled, nearest: 'nginx.service' })

  it.each([
    [
      'restart',
      restart('ngnix'),
      null,
      'systemd knows no unit ngnix.service on this host.',
      'Did you mean nginx.service?',
    ],
    [
      'reload',
      reload('ngnix'),
      null,
      'systemd knows no unit ngnix.service on this host.',
      'Did you mean nginx.service?',
    ],
    ['restart', restart('ngnix'), 'masked', 'ngnix.service is masked, and cannot be restarted.', undefined],
  ] as const)('is refused where %s cannot be: %#', async (_, unitHandler, enabled, message, hint) => {
    const result = await run([fill('a', 'x').notify(unitHandler)], found(enabled))
    expect(result.reactions[0]?.failure).toMatchObject({ code: 'E_REFUSED', message })
    expect(result.reactions[0]?.failure?.hint).toBe(hint)
  })

  it('is there on a host of which nothing is said', async () => {
    const result = await run([fill('a', 'x').notify(restart('nginx'))], mockHost('web1'))
    expect(result.reactions.map(({ outcome }) => outcome)).toEqual(['done'])
  })
})

it('shows on a live display that handlers run', async () => {
  const { events } = await run([fill('a', 'x').notify(needing)], mockHost('web1'))
  expect(events.filter((event) => event.type === 'progress').at(-1)).toMatchObject({
    phase: 'react',
    title: 'reload nginx',
    done: 1,
    of: 1,
  })
})
