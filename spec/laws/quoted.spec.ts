import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostileTexts, quoted, type Quoted } from '../../testing/quoted.ts'
import { shells } from '../connection/shells.ts'
import { hostileTasks } from './hostile-tasks.ts'
import { publicModules } from './shown.ts'

const commands = { dash: 'dash', bash: 'bash', 'bash --posix': 'bash --posix', 'busybox ash': 'busybox sh' }

interface Tried extends Quoted {
  readonly module: string
  readonly what: string
}

const tried: Tried[] = []

beforeAll(async () => {
  for (const [module, tasks] of Object.entries(hostileTasks)) {
    for (const text of hostileTexts) {
      for (const [i, make] of tasks(text).entries()) {
        tried.push({ module, what: `${module} ${i} ${JSON.stringify(text.slice(0, 40))}`, ...(await quoted(make)) })
      }
    }
  }
})

it('knows where every module takes a text', () => {
  expect(Object.keys(hostileTasks).toSorted()).toEqual(publicModules().toSorted())
})

describe.each(Object.keys(hostileTasks))('%s', (name) => {
  it('keeps a hostile text one word, or refuses it before any connection', () => {
    const mine = tried.filter(({ module }) => module === name)
    expect(mine.length).toBeGreaterThanOrEqual(hostileTexts.length * 2)
    expect(mine.flatMap(({ what, breaches }) => breaches.map((script) => `${what}: ${script}`))).toEqual([])
    for (const { what, refused, scripts } of mine) expect(refused ?? scripts.length, what).toBeTruthy()
  })
})

it('refuses some and takes some', () => {
  const refused = tried.filter((each) => each.refused !== undefined).length
  expect(refused).toBeGreaterThan(100)
  expect(tried.length - refused).toBeGreaterThan(100)
})

describe('every script is one, in every shell', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleetplay-laws-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  let scripts: ReadonlyMap<string, string>
  beforeAll(() => {
    scripts = new Map(tried.flatMap(({ what, scripts: all }) => all.map((script) => [script, what] as const)))
    for (const [i, script] of [...scripts.keys()].entries()) writeFileSync(join(folder, String(i)), script)
  })

  it.for(shells)('$title', ({ name, there }, { skip }) => {
    skip(!there)
    const each = `for f in *; do ${commands[name]} -n "$f" 2>&1 || echo "$f"; done; echo end`
    const { stdout } = spawnSync('sh', ['-c', each], { cwd: folder, encoding: 'utf8' })
    expect(scripts.size).toBeGreaterThan(200)
    expect(stdout).toBe('end\n')
  })
})
