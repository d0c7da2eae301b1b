import { describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { file, reload, restart, service } from '../../index.ts'
import { unit, unitDetails, type UnitState } from '../../modules/unit.ts'
import { control } from '../../modules/unit-control.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'

const problems = (task: Task) => task.problems.map(({ message }) => message)
const details = unitDetails('nginx.service').fresh!
const off: UnitState = { enabled: 'disabled', active: false }
const on: UnitState = { enabled: 'enabled', active: true }

function text(to: UnitState | null, from: UnitState | null): string {
  return unit('nginx.service').write!(to, from).text.replace(`${control.text}\n`, '')
}

describe('service()', () => {
  it('is no task before it says a state', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = service('nginx')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(/service\("nginx.service"\) says no state/)
  })

  it('tells wrong names and contradictions before any connection', () => {
    expect(problems(service('ngin x').started())).toEqual([expect.stringMatching(/"ngin x" is not the name of a unit/)])
    expect(problems(service('getty@').started())).toEqual([
      expect.stringMatching(/template; say an instance .* getty@one.service/),
    ])
    expect(problems(service('a').enabled().disabled())).toEqual(['a.service cannot be both enabled and disabled'])
    expect(problems(service('a').started().stopped())).toEqual(['a.service cannot be both started and stopped'])
    expect(problems(service('a').masked().started())).toHaveLength(1)
    expect(problems(service('a').disabled().stopped())).toEqual([])
  })

  it.each([
    ['enabled alone does not start', service('nginx').enabled(), off, { enabled: 'enabled', active: false }],
    ['started alone does not enable', service('nginx').started(), off, { enabled: 'disabled', active: true }],
    ['disabled alone does not stop', service('nginx').disabled(), on, { enabled: 'disabled', active: true }],
    ['stopped alone does not disable', service('nginx').stopped(), on, { enabled: 'enabled', active: false }],
    ['masked stops', service('nginx').masked(), on, { enabled: 'masked', active: false }],
    [
      'enabled unmasks',
      service('nginx').enabled(),
      { enabled: 'masked', active: false },
      { enabled: 'enabled', active: false },
    ],
  ] as const)('%s', async (_, task, before, after) => {
    const host = mockHost('web1').has(unit('nginx.service'), before)
    expect((await run(task, host)).recap.tasks).toMatchObject({ changed: 1, failed: 0 })
    expect(host.holds(unit('nginx.service'))).toEqual(after)
    expect((await run(task, host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it.each([
    ['a static unit, disabled', service('nginx').disabled(), { enabled: 'static', active: true }],
    ['a masked unit, disabled', service('nginx').disabled(), { enabled: 'masked', active: false }],
    ['an active unit, started', service('nginx').started(), { enabled: 'generated', active: true }],
  ] as const)('changes nothing for %s', async (_, task, now) => {
    const result = await run(task, mockHost('web1').has(unit('nginx.service'), now))
    expect(result.recap.tasks).toMatchObject({ ok: 1, changed: 0 })
  })

  it.each([
    [
      'an unknown unit',
      service('nginx').started(),
      null,
      { nearest: 'ngnix.service' },
      /knows no unit nginx.service/,
      /ngnix/,
    ],
    ['an unknown unit, stopped', service('nginx').stopped(), null, {}, /knows no unit/, /Install the package/],
    ['enabling a static unit', service('nginx').enabled(), { enabled: 'static', active: false }, {}, /static/, /timer/],
    [
      'enabling an alias',
      service('nginx').enabled(),
      off,
      { id: 'real.service' },
      /alias of real.service/,
      /Say real.service/,
    ],
    [
      'starting a masked unit',
      service('nginx').started(),
      { enabled: 'masked', active: false },
      {},
      /masked/,
      /enabled\(\)/,
    ],
    ['starting a oneshot', service('nginx').started(), off, { type: 'oneshot' }, /never active/, /restart/],
  ] as const)('refuses %s in the plan', async (_, task, now, more, reason, hint) => {
    const host = mockHost('web1')
      .has(unit('nginx.service'), now)
      .has(unitDetails('nginx.service'), { ...details, ...more })
    const [told] = (await run(task, host, { check: true })).tasks
    expect(told).toMatchObject({ outcome: 'failed', failure: { code: 'E_REFUSED' } })
    expect(told!.failure!.message).toMatch(reason)
    expect(told!.failure!.hint).toMatch(hint)
  })

  it('masks a unit that is not there yet', async () => {
    const host = mockHost('web1').has(unit('apache2.service'), null)
    expect((await run(service('apache2').masked(), host)).recap.tasks).toMatchObject({ changed: 1, failed: 0 })
  })

  it('notes that a socket may start again what is stopped', async () => {
    const host = mockHost('web1')
      .has(unit('nginx.service'), on)
      .has(unitDetails('nginx.service'), { ...details, triggeredBy: ['nginx.socket'] })
    const [told] = (await run(service('nginx').stopped(), host, { check: true })).tasks
    expect(told!.notes).toEqual(['nginx.socket may start nginx.service again.'])
  })

  it('waits for an earlier task that may bring the unit', async () => {
    const host = mockHost('web1').has(unit('worker.service'), null)
    const tasks = [file('/etc/systemd/system/worker.service').content('[Service]\n'), service('worker').started()]
    const told = (await run(tasks, host, { check: true })).tasks[1]
    expect(told).toMatchObject({ outcome: 'changed', changes: [{ after: 'disabled, active' }] })
    expect(told!.changes[0]!.dependsOn).toHaveLength(1)
  })

  it('stays certain of a unit where the file of another one appears', async () => {
    const host = mockHost('web1').has(unit('nginx.service'), off)
    const tasks = [file('/etc/systemd/system/worker.service').content('[Service]\n'), service('nginx').started()]
    const told = (await run(tasks, host, { check: true })).tasks[1]
    expect(told!.changes).toMatchObject([{ dependsOn: [] }])
  })
})

describe('moving a unit', () => {
  it.each([
    [
      on,
      off,
      `look nginx.service
forgive nginx.service
said=$(systemctl enable --now -- nginx.service 2>&1) || {
  systemctl --quiet is-enabled -- nginx.service || { printf '%s\\n' "$said" >&2; exit 1; }
  go start nginx.service || words nginx.service
}
settle nginx.service || words nginx.service`,
    ],
    [
      { enabled: 'static', active: true },
      { enabled: 'static', active: false },
      'fresh nginx.service || exit\ngo start nginx.service || words nginx.service\nsettle nginx.service || words nginx.service',
    ],
    [off, on, 'systemctl disable --now -- nginx.service || exit'],
    [{ enabled: 'enabled', active: false }, off, 'systemctl enable -- nginx.service || exit'],
    [{ enabled: 'enabled', active: false }, on, 'systemctl stop -- nginx.service || exit'],
    [{ enabled: 'masked', active: false }, on, 'systemctl mask --now -- nginx.service || exit'],
    [
      { enabled: 'enabled', active: false },
      { enabled: 'masked', active: false },
      'systemctl unmask -- nginx.service || exit\nsystemctl enable -- nginx.service || exit',
    ],
    [null, on, 'systemctl disable --now -- nginx.service || exit'],
    [null, { enabled: 'masked', active: false }, 'systemctl unmask -- nginx.service || exit'],
  ] as const)('to %j from %j', (to, from, script) => {
    expect(text(to, from)).toBe(script)
  })

  it('keeps a name one word', () => {
    expect(unit("it's; rm -rf /").write!(off, on).text).toBe(`systemctl disable --now -- 'it'\\''s; rm -rf /' || exit`)
  })
})

describe('handlers', () => {
  it('restart absorbs reload and the reading of unit files', async () => {
    const host = mockHost('web1')
    const result = await run(
      file('/etc/x').content('x').notify(reload('nginx'), restart('nginx.service'), restart('nginx')),
      host,
    )
    expect(result.reactions.map(({ handler }) => handler)).toEqual(['restart nginx'])
  })

  it('prove themselves', () => {
    expect(restart('nginx').script.text).toContain(`fresh nginx.service || exit
before=$id
go restart nginx.service || words nginx.service
settle nginx.service || words nginx.service
[ -z "$id" ] || [ "$id" != "$before" ]`)
    expect(reload('nginx').script.text).toContain(`[ "$reloaded" = success ] || words nginx.service`)
  })

  it('refuse a wrong name where it is said', () => {
    expect(() => restart('a b')).toThrow(expect.objectContaining({ code: 'E_PLAY_INVALID', place: expect.anything() }))
  })
})
