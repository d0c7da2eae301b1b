import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostileTexts, quoted, type Quoted } from '../../testing/quoted.ts'
import { type ShellName, shells } from '../connection/shells.ts'
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

it('refuses half of a character wherever it stands, in words that say what it is', () => {
  const halves = tried.filter(({ what }) => what.includes('half '))
  expect(halves.length).toBeGreaterThan(100)
  const taken = halves.filter(({ refused }) => refused === undefined)
  expect(taken.map(({ what }) => what)).toEqual([])
  expect(halves.filter(({ refused }) => refused!.includes('half of a character')).length).toBeGreaterThan(40)
})

it('refuses some and takes some', () => {
  const refused = tried.filter((each) => each.refused !== undefined).length
  expect(refused).toBeGreaterThan(100)
  expect(tried.length - refused).toBeGreaterThan(100)
})

describe('every script is one, in every shell', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleetplay-laws-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  /**
   * What a shell says of scripts that it reads in one go: a start for each of them takes longer than all that they say.
   * One that is left open cannot be closed by the next: after a quote `))` is bare, after a here-document `)` is missing, and
   * elsewhere `)` ends what it must not.
   */
  const said = (shell: ShellName, scripts: readonly string[]) => {
    const file = join(folder, 'scripts')
    writeFileSync(file, scripts.map((script) => `(\n:\n${script}\n)\n: ' )) ' " )) "\nEND\n`).join(''))
    const { status, stdout, stderr } = spawnSync('sh', ['-c', `${commands[shell]} -n "$1"`, 'sh', file], {
      encoding: 'utf8',
    })
    return { status, output: `${stdout}${stderr}` }
  }
  const nothing = { status: 0, output: '' }

  it.for(shells)('$title', ({ name, there }, { skip }) => {
    skip(!there)
    const scripts = new Map(tried.flatMap(({ what, scripts: all }) => all.map((script) => [script, what] as const)))
    expect(scripts.size).toBeGreaterThan(200)
    const all = said(name, [...scripts.keys()])
    const broken = [...scripts].filter(([script]) => all.output !== '' && said(name, [script]).output !== '')
    expect({ ...all, broken: broken.map(([, what]) => what) }).toEqual({ ...nothing, broken: [] })
  })

  const whole = [`echo 'a' "b" $(c) \${d}`, 'if a; then (b) fi', "echo it\\'s"]
  const open = [
    "echo '",
    'echo "',
    'if a; then b',
    'fi',
    '{ a',
    '}',
    '( a',
    'a )',
    'echo $(a',
    'echo `a',
    'echo ${a',
    'cat <<END',
  ]

  it.for(shells)('would be seen by $title', ({ name, there }, { skip }) => {
    skip(!there)
    expect(said(name, whole)).toEqual(nothing)
    for (const script of open) expect(said(name, [...whole, script, ...whole]), script).not.toEqual(nothing)
  })
})
