/** The first screen of the README, as its reader would type it. */

import { execFile } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { project } from './project.ts'

const root = join(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

const files = Object.fromEntries(
  [...readme.matchAll(/```ts\n(\/\/ (plays\/\S+)\n[^]*?)```/g)].map(([, text = '', path = '']) => [path, text]),
)
const [, command = '', output = ''] = /```\n\$ npx play (.*)\n([^]*?)```/.exec(readme) ?? []

/** A project of its own with what the README has, and the inventories of this one. */
function typed() {
  const there = project(files)
  cpSync(join(root, 'inventory'), join(there.folder, 'inventory'), { recursive: true })
  return there
}

it('shows a play and what a run of it prints', async () => {
  const { status, stdout } = await typed().play(command.split(' '))
  const timeless = (text: string) => text.replace(/\d+\.\d s · /, '').trim()
  expect([status, timeless(stdout)]).toEqual([0, timeless(output)])
})

it('shows a test that passes', async () => {
  const { folder } = typed()
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder]
  const config = ['--config', join(root, 'vitest.config.ts'), '--reporter', 'tap']
  const { stdout } = await promisify(execFile)(process.execPath, [...vitest, ...config])
  expect(stdout).toMatch(/^ {4}ok 1 - gives DNS room/m)
})
