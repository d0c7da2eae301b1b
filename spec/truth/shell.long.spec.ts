import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { deepEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { readRun } from '../../engine/history.ts'
import type { Host } from '../../engine/host.ts'
import { openJournal } from '../../engine/journal.ts'
import { Recorder } from '../../engine/recorded.ts'
import { undoing } from '../../engine/undo.ts'
import { fileAt, tellContent } from '../../modules/file.ts'
import { tree } from '../laws/remote-ground.ts'
import type { FileState } from '../../probe/file.ts'
import { Real, realShells } from '../modules/real.ts'
import { only, play, runOn, runPlays, type Told } from './only.ts'
import { inFolder, plays } from './random-play.ts'
import { foretold, left, lies, unforeseen } from './truths.ts'

/** What another hand has left at a path. */
type Thing =
  | { readonly is: 'file'; readonly content: string | Uint8Array; readonly mode: number }
  | { readonly is: 'directory'; readonly mode: number }
  | { readonly is: 'link'; readonly target: string }
  | { readonly is: 'pipe' }

const names = ['a', 'b', 'd', 'd/a', 'd/e', 'd/e/a', 'd/x']
const thing: fc.Arbitrary<Thing> = fc
  .oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(
        fc.constantFrom<string | Uint8Array>(
          '',
          'A=1\n',
          'B=2\nA=3',
          '# head\r\nA=1\r\n',
          '# BEGIN fleetplay one\nx\n# END fleetplay one\n',
          Uint8Array.of(0, 255, 10),
          'x'.repeat(300_000),
        ),
        fc.constantFrom(0o644, 0o600, 0o755),
      ),
    },
    { weight: 2, arbitrary: fc.constantFrom(0o755, 0o700) },
    { weight: 1, arbitrary: fc.constantFrom('elsewhere', 'otherwhere') },
    { weight: 1, arbitrary: fc.constant(undefined) },
  )
  .map((raw): Thing => {
    if (Array.isArray(raw)) return { is: 'file', content: raw[0], mode: raw[1] }
    if (typeof raw === 'number') return { is: 'directory', mode: raw }
    return typeof raw === 'string' ? { is: 'link', target: raw } : { is: 'pipe' }
  })
const things = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), thing), { maxLength: 6, selector: ([name]) => name })

function lay(root: string, all: readonly (readonly [string, Thing])[]): void {
  for (const [name, what] of all.toSorted(([a], [b]) => a.length - b.length)) {
    const path = join(root, name)
    if (!isIn(dirname(path))) continue
    if (what.is === 'directory') mkdirSync(path)
    else if (what.is === 'link') symlinkSync(join(root, what.target), path)
    else if (what.is === 'pipe') spawnSync('mkfifo', [path])
    else writeFileSync(path, what.content)
    if ('mode' in what) chmodSync(path, what.mode)
  }
}

function isIn(folder: string): boolean {
  return existsSync(folder) && statSync(folder).isDirectory()
}

/** What is at a path, as a reader of the plan would be told it, seen without any of our probes. */
function shown(path: string, owner: Owner): string {
  const place = fileAt(path)
  const state = stateOf(path, owner)
  return JSON.stringify([place.show!(state), place.text!(state) ?? ''])
}

interface Owner {
  readonly user: string
  readonly group: string
}

function stateOf(path: string, { user: owner, group }: Owner): FileState {
  const stat = isIn(dirname(path)) ? lstatSync(path, { throwIfNoEntry: false }) : undefined
  if (!stat) return { type: 'absent' }
  if (stat.isSymbolicLink()) return { type: 'link', target: readlinkSync(path) }
  const owned = { mode: (stat.mode & 0o7777).toString(8).padStart(4, '0'), owner, group }
  if (stat.isFile()) return { type: 'file', content: tellContent(readFileSync(path)), ...owned }
  return { type: stat.isDirectory() ? 'directory' : 'other', ...owned }
}

/** The tree as the plan foretells it, from the tree before. */
function predicted(root: string, before: ReadonlyMap<string, string>, plan: Told): ReadonlyMap<string, string> {
  const after = new Map(before)
  for (const { key, after: value, diff } of plan.tasks.flatMap(({ changes }) => changes)) {
    const path = key.slice('file:'.length)
    if (!after.has(path)) throw new Error(`${key} is none of the paths below ${root}`)
    after.set(path, JSON.stringify([value, diff?.after ?? '']))
    if (value !== 'absent') continue
    for (const below of after.keys()) if (below.startsWith(`${path}/`)) after.set(below, JSON.stringify(['absent', '']))
  }
  return after
}

const state = (root: string) => new Map(tree(root).map(([path, { state: is }]) => [path, is]))
const trace = (root: string) => new Map(tree(root).map(([path, { trace: is }]) => [path, is]))
const waits = ({ keywords }: Task) => keywords.when.some((condition) => typeof condition !== 'function')

describe.each(realShells)('a random play below a folder, by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  const runs = mkdtempSync(join(tmpdir(), 'fleetplay-truth-'))
  const root = real.path("it's truth")
  const host: Host = real.host()
  const recorder = new Recorder(() => {
    throw new Error('nothing here is secret')
  })
  const seen = { plays: 0, refused: 0, open: 0, certain: 0, turned: 0 }
  let number = 0
  afterAll(async () => {
    await host.close()
    await real.remove()
    rmSync(runs, { recursive: true })
  })

  it.runIf(there)(
    'is done as it was planned, twice is once, and it can be turned round',
    { timeout: 120_000 },
    async () => {
      const { user, group } = await host.facts(undefined)
      const look = () => new Map(names.map((name) => [join(root, name), shown(join(root, name), { user, group })]))
      await fc.assert(
        fc.asyncProperty(plays(inFolder(root), { reacts: false }), things, async ({ tasks: said }, all) => {
          rmSync(root, { recursive: true, force: true })
          mkdirSync(root)
          for (const name of ['elsewhere', 'otherwhere']) mkdirSync(join(root, name))
          lay(root, all)
          const [found, was, before] = [trace(root), state(root), look()]
          const first = await runOn(host, said, { check: true })
          deepEqual(trace(root), found)
          deepEqual(lies(first), [])
          seen.plays++
          const refused = new Set(
            first.tasks.flatMap(({ outcome, task }) => (outcome === 'failed' ? [task.index] : [])),
          )
          const tasks = said.filter((_, i) => !refused.has(i))
          const plan = refused.size === 0 ? first : await runOn(host, tasks, { check: true })
          const stillRefused = plan.tasks.some(({ outcome }) => outcome === 'failed')

          const id = String(number++).padStart(5, '0')
          const options = { limit: undefined, tags: [], skipTags: [], extraVars: {} }
          const header = { id, kind: 'run', play: 'p', inventory: undefined, options, started: '2026' } as const
          const run = await runOn(host, tasks, { journal: openJournal(header, recorder, runs) })
          deepEqual(lies(run), [])
          if (stillRefused) {
            seen.refused++
            deepEqual(trace(root), found)
            return
          }
          const unsure = plan.tasks.findIndex(({ changes, task }) => changes.length > 0 && task.module === 'command')
          const sure = unsure < 0 ? undefined : unsure + 1
          const end = unforeseen(plan, run)
          const upTo = Math.min(end ?? tasks.length, sure ?? tasks.length)
          deepEqual(foretold(run, upTo), foretold(plan, upTo))
          if (end === undefined && sure === undefined) {
            seen.certain++
            deepEqual(look(), predicted(root, before, plan))
          }
          if (end === undefined) {
            const done = trace(root)
            const again = await runOn(host, tasks)
            deepEqual(lies(again), [])
            if (sure === undefined || !tasks.some(waits)) {
              deepEqual(left(again), [])
              deepEqual(trace(root), done)
            }
          } else seen.open++

          const record = readRun(id, runs)
          if (
            record.moves.some(({ irreversible }) => irreversible.length > 0) ||
            (end === undefined && sure !== undefined)
          )
            return
          const chooses = () => true
          const back = undoing(record, { plays: [play.tasks(tasks)], fleet: [only], chooses, recorder })
          const undone = await runPlays(host, [...back.plays, ...back.onceMore])
          deepEqual(
            undone.tasks.flatMap(({ failure }) => failure?.message ?? []),
            [],
          )
          deepEqual(state(root), was)
          seen.turned++
        }),
        // Most of what is random is not the shell's.
        { numRuns: shell === 'dash' ? 12 : 6 },
      )
      expect(seen.plays).toBeGreaterThan(0)
    },
  )

  it.runIf(there)('was mostly one that is done', () => {
    expect(seen.certain).toBeGreaterThan(seen.plays / 4)
    expect(seen.turned).toBeGreaterThan(seen.plays / 4)
  })
})
