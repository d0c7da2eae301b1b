import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { afterAll, describe, expect, it } from 'vitest'
import type { TaskList } from '../../dsl/task.ts'
import { directory, file, group, user } from '../../index.ts'
import { type Known, knownName } from '../../modules/owners.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { Real, realShells } from './real.ts'

const unknown: Known = { nearest: null }

describe('the owner of a file or a directory', () => {
  const failures = async (tasks: TaskList) => {
    const host = mockHost('web1')
      .has(knownName('passwd', 'ordr'), unknown)
      .has(knownName('group', 'ordr'), unknown)
      .has(knownName('passwd', 'nobodyy'), { nearest: 'nobody' })
      .has(knownName('group', 'nogrp'), unknown)
    const { tasks: done } = await run(tasks, host)
    return done.flatMap(({ failure }) => (failure ? [`${failure.message} ${failure.hint}`] : []))
  }

  it('is refused in the plan where the host does not know it', async () => {
    expect(await failures([file('/etc/d').content('d').owner('nobodyy', 'root')])).toEqual([
      'There is no user nobodyy on this host. Did you mean nobody?',
    ])
    expect(await failures([directory('/etc/dd').owner('root', 'nogrp')])).toEqual([
      "There is no group nogrp on this host. Make it in an earlier task: group('nogrp')",
    ])
    expect(await failures([file('/etc/d').content('d').owner('ordr')])).toEqual([
      "There is no user ordr on this host. Make it in an earlier task: user('ordr')",
    ])
  })

  it('may be made by an earlier task', async () => {
    const host = mockHost('web1').has(knownName('passwd', 'ordr'), unknown).has(knownName('group', 'ordr'), unknown)
    const owned = file('/etc/d').content('d').owner('ordr')
    const { tasks } = await run([user('ordr'), owned], host, { check: true })
    expect(tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
    const { tasks: grouped } = await run(
      [group('nogrp'), directory('/etc/dd').owner('root', 'nogrp')],
      mockHost('web1').has(knownName('group', 'nogrp'), unknown),
      { check: true },
    )
    expect(grouped.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
  })

  it('is known on a mock host that does not say otherwise, and is not asked for where it is root or a number', async () => {
    expect(await failures([file('/a').content('a').owner('redis'), directory('/b').owner('deploy', 'web')])).toEqual([])
    const keys = [file('/a').content('a').owner('root'), directory('/b').owner('1000', '2000'), file('/c').content('c')]
      .flatMap(({ wishes }) => wishes)
      .map(({ resource }) => resource.key)
    expect(keys.filter((key) => key.startsWith('known:'))).toEqual([])
  })
})

describe.each(realShells)('owners by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())

  it.runIf(there)('are asked of the host in the trip that reads the files', async () => {
    const me = userInfo().username
    const tasks = [
      file(real.path('a')).content('a').owner(`no ${me}`, 'nogrroup'),
      directory(real.path('b')).owner('-x', 'nogroup'),
      directory(real.path('c')).owner('nobodyy', 'root'),
      file(real.path('d')).content('d').owner(me, String(process.getgid!())),
    ]
    const { told, trips } = await real.run(tasks)
    expect(told.map(({ failure }) => failure && [failure.message, failure.hint])).toEqual([
      [`There is no user no ${me} on this host.`, expect.any(String)],
      undefined,
      ['There is no user nobodyy on this host.', 'Did you mean nobody?'],
      undefined,
    ])
    expect([trips, existsSync(real.path('d'))]).toEqual([1, false])
  })

  it.runIf(there)('are left to chown where the host has no getent', async () => {
    const bare = new Real(shell)
    bare.tools.program('getent', 'exit 127')
    const { outcomes } = await bare.run([file(bare.path('a')).content('a').owner('nobodyy', 'nogrp')], { check: true })
    await bare.remove()
    expect(outcomes).toEqual(['changed'])
  })
})
