import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { typicalFacts } from '../../dsl/play.ts'
import type { Task } from '../../dsl/task.ts'
import { compile } from '../../engine/compile.ts'
import { MemoryHost } from '../../engine/memory-host.ts'
import { Mistakes } from '../../errors/failure.ts'
import { block, directory, file, line, link } from '../../index.ts'
import { hostileTexts } from '../../testing/quoted.ts'
import { hostileTasks } from '../laws/hostile-tasks.ts'
import { tree } from '../laws/remote-ground.ts'
import { Real, realShells } from '../modules/real.ts'
import { only, play, runOn } from './only.ts'

const mebibyte = "it's 1 MiB; $(:) `:` ü\n".repeat(50_000).slice(0, 1024 * 1024)
const texts = [
  ...hostileTexts,
  mebibyte,
  '-',
  '--',
  '~',
  ' leading and trailing ',
  '\t',
  '$HOME ${IFS} \\n %n !!',
  'x'.repeat(300_000),
  '\ufeffbyte order mark',
  '\u0001\u001b[31m\u007f\u0085\u2028',
]

/** How a task takes a text, and what it leaves where it takes it. */
interface Case {
  readonly what: string
  readonly task: Task
  /** What is not as it was said. */
  readonly wrong: () => string | undefined
  /** The place, where nothing may be if it is refused. */
  readonly path: string
}

function cases(root: string): readonly Case[] {
  return texts.flatMap((text, i) => {
    const folder = join(root, String(i))
    const shown = JSON.stringify(text.slice(0, 30))
    const at = (name: string) => `${folder}/${name}`
    const holds = (path: string, bytes: Uint8Array | string) => () => {
      if (!existsSync(path)) return 'it is not there'
      return readFileSync(path).equals(Buffer.from(bytes)) ? undefined : 'it holds something else'
    }
    const bytes = Buffer.from([0, 255, 254, 10, ...Buffer.from(text.slice(0, 1000)), 0xc3])
    const own = `${folder}/own`
    const isThere = (path: string, is: 'isFile' | 'isDirectory') => () =>
      lstatSync(path)[is]() ? undefined : 'it is not there'
    return [
      { what: 'name of a file', task: file(at(text)).content('x'), path: at(text), wrong: isThere(at(text), 'isFile') },
      {
        what: 'name of a directory',
        task: directory(`${own}/${text}`),
        path: `${own}/${text}`,
        wrong: isThere(`${own}/${text}`, 'isDirectory'),
      },
      {
        what: 'name of a link',
        task: link(at(`links/${text}`)).to('x'),
        path: at(`links/${text}`),
        wrong: () => (readlinkSync(at(`links/${text}`)) === 'x' ? undefined : 'it leads elsewhere'),
      },
      {
        what: 'target of a link',
        task: link(at('link')).to(text),
        path: at('link'),
        wrong: () => (readlinkSync(at('link')) === text ? undefined : 'it leads elsewhere'),
      },
      {
        what: 'content',
        task: file(at('content')).content(text),
        path: at('content'),
        wrong: holds(at('content'), text),
      },
      { what: 'bytes', task: file(at('bytes')).content(bytes), path: at('bytes'), wrong: holds(at('bytes'), bytes) },
      {
        what: 'line',
        task: line(at('line')).present(text, { create: true }),
        path: at('line'),
        wrong: holds(at('line'), `${text}\n`),
      },
      {
        what: 'line beside others',
        task: line(at('lines')).present(text),
        path: at('lines'),
        wrong: holds(at('lines'), `a\r\n${text}\r\n`),
      },
      {
        what: 'block',
        task: block(at('block'), 'law').content(text, { create: true }),
        path: at('block'),
        wrong: () => {
          const content = readFileSync(at('block'), 'utf8').split('\n').slice(1, -2).join('\n')
          return content === text.replace(/\r?\n$/, '').replaceAll('\r\n', '\n') ? undefined : 'it holds something else'
        },
      },
      {
        what: 'name of a block',
        task: block(at('named'), text).content('x', { create: true }),
        path: at('named'),
        wrong: holds(at('named'), `# BEGIN fleetplay ${text}\nx\n# END fleetplay ${text}\n`),
      },
    ].map((each) => ({ ...each, what: `${each.what} ${shown}` }))
  })
}

/** Why a task is refused before any connection; undefined where it is not. */
function refusal(task: Task): string | undefined {
  return compile(play.tasks([task]), only, [only], typicalFacts, { tags: [], skipTags: [] }).problems[0]?.message
}

describe.each(realShells)('a text that a stranger chose, by $title', ({ name: shell, there }) => {
  const real = new Real(shell)
  afterAll(() => real.remove())

  it.runIf(there)('is refused before any connection, or written byte for byte', async () => {
    const host = real.host()
    const root = real.path("it's hostile")
    mkdirSync(root)
    for (const i of texts.keys()) {
      mkdirSync(join(root, String(i)))
      mkdirSync(join(root, String(i), 'links'))
      writeFileSync(join(root, String(i), 'lines'), 'a\r\n')
    }
    // Every start of a program counts: the shells differ in what they make of words, and not in what files hold.
    const all = cases(root).filter((_, i) => shell === 'dash' || i % 3 === 0)
    const refused = new Map<Case, string>()
    for (const each of all) {
      const why = refusal(each.task)
      if (why !== undefined) refused.set(each, why)
    }
    const taken = all.filter((each) => !refused.has(each))
    expect(refused.size).toBeGreaterThan(all.length / 8)
    expect(taken.length).toBeGreaterThan(all.length / 2)

    const found = [...tree(root)].map(([path]) => path)
    const plan = await runOn(
      host,
      taken.map(({ task }) => task),
      { check: true },
    )
    expect([...tree(root)].map(([path]) => path)).toEqual(found)
    // What is larger than can be edited is known when the file is, and refused then.
    const late = plan.tasks.flatMap(({ outcome, failure, task }) =>
      outcome === 'failed' ? [[task.index, failure!] as const] : [],
    )
    expect(late.map(([, { message }]) => message.replace(/^.* would/, 'would'))).toEqual(
      late.map(() => expect.stringMatching(/^would have \d+ bytes, more than can be edited/)),
    )
    const tooLarge = new Set(late.map(([index]) => taken[index]!))
    const done = taken.filter((each) => !tooLarge.has(each))
    const run = await runOn(
      host,
      done.map(({ task }) => task),
    )
    expect(
      run.tasks.flatMap(({ task, failure }) => (failure ? [`${task.title.slice(0, 80)}: ${failure.message}`] : [])),
    ).toEqual([])
    const again = await runOn(
      host,
      done.map(({ task }) => task),
    )
    expect(again.tasks.filter(({ outcome }) => outcome !== 'ok').map(({ task }) => task.title.slice(0, 80))).toEqual([])
    expect(done.flatMap(({ what, wrong }) => (wrong() ? [`${what}: ${wrong()}`] : []))).toEqual([])
    // Nothing beside what was asked for, in any of the folders and in none above.
    expect(readdirSync(real.root)).toEqual(["it's hostile"])
    const asked = new Set([...found, ...done.flatMap(({ path }) => above(root, path))])
    expect([...tree(root)].map(([path]) => path).filter((path) => !asked.has(path))).toEqual([])
    await host.close()
  })
})

/** A path, and what is made above it. */
function above(root: string, path: string): readonly string[] {
  const names = path.slice(root.length + 1).split('/')
  return names.map((_, i) => join(root, ...names.slice(0, i + 1)))
}

describe('1 MiB of text', () => {
  it('is refused or taken by every module, and breaks none', async () => {
    const told: string[] = []
    let count = 0
    for (const [module, tasks] of Object.entries(hostileTasks)) {
      for (const [i, make] of tasks(mebibyte).entries()) {
        count++
        try {
          const { tasks: ends } = await runOn(new MemoryHost('here', typicalFacts), [make()], { check: true })
          for (const { failure } of ends)
            if (failure?.code === 'E_INTERNAL') told.push(`${module} ${i}: ${failure.message.slice(0, 200)}`)
        } catch (error) {
          if (!(error instanceof Mistakes)) told.push(`${module} ${i}: ${String(error).slice(0, 200)}`)
        }
      }
    }
    expect(told).toEqual([])
    expect(count).toBeGreaterThan(100)
  })
})
