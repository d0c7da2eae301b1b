import { existsSync, readFileSync, rmSync } from 'node:fs'
import { afterAll, expect, it } from 'vitest'
import { directory, file } from '../../index.ts'
import { Real } from '../modules/real.ts'

const real = new Real('dash')
const noted = real.path('synced')
real.tools.program('sync', `printf '%s\\n' "$@" >>"${noted}"`)
afterAll(() => real.remove())

it('waits until the directories of what was written are on the disk, in one process, and only then calls it proved', async () => {
  const tasks = [
    directory(real.path('a')),
    file(real.path('a/one')).content('1'),
    file(real.path('a/two')).content('2'),
    file(real.path('three')).content('3'),
  ]
  expect((await real.run(tasks)).outcomes).toEqual(tasks.map(() => 'changed'))
  expect(readFileSync(noted, 'utf8').trim().split('\n').toSorted()).toEqual([real.root, real.path('a')])
  rmSync(noted)
  await real.run(tasks)
  expect(existsSync(noted)).toBe(false)
  const gone = [
    file(real.path('a/one')).absent(),
    file(real.path('a/two')).absent(),
    directory(real.path('a')).absent(),
  ]
  expect((await real.run(gone)).outcomes).toEqual(gone.map(() => 'changed'))
  expect(readFileSync(noted, 'utf8').trim()).toBe(real.root)
})
