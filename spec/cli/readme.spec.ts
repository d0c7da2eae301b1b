/** The first screen of the README, as its reader would type it. */

import { execFile } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
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

it('shows a test that passes on the fleet that it shows', async () => {
  const { folder } = project({ 'plays/hello.ts': '', ...files })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder]
  const config = ['--config', join(root, 'vitest.config.ts'), '--reporter', 'tap']
  const { stdout } = await promisify(execFile)(process.execPath, [...vitest, ...config])
  expect(stdout).toMatch(/^ {4}ok 1 - gives DNS room/m)
})
