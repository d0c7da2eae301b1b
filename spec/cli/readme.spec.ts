/** The first screen of the README, as its reader would type it. */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { filesOf, project } from './project.ts'

const root = join(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

const files = filesOf('README.md')
const [, command = '', output = ''] = /```\n\$ npx play (.*)\n([^]*?)```/.exec(readme) ?? []

it('shows a play and what a run of it prints', async () => {
  const { folder, play } = project(files)
  cpSync(join(root, 'inventory'), join(folder, 'inventory'), { recursive: true })
  const { status, stdout } = await play(command.split(' '))
  const timeless = (text: string) =>
    text
      .replace(/\d+\.\d s · /, '')
      .replace(/(play undo) \S+/, '$1 RUN')
      .trim()
  expect([status, timeless(stdout)]).toEqual([0, timeless(output)])
})

/** The test that the README shows, as one of ours: a vitest of its own would take seconds to start. */
describe('shows a test that passes on the fleet that it shows', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleetplay-readme-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  await import(join(folder, 'plays/resolver.spec.ts'))

  it('which is there', ({ task }) => {
    expect(task.suite?.tasks.map(({ name }) => name)).toEqual(['gives DNS room', 'which is there'])
  })
})
