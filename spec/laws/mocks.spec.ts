import { afterAll, describe, expect, it } from 'vitest'
import * as words from '../../index.ts'
import { Task } from '../../dsl/task.ts'
import { type Findings, tryLaws } from '../../testing/laws.ts'
import { examples, handlers, moduleOf, publicModules } from './shown.ts'
import { untold } from './told.ts'

/** Modules of which some changes have no return, and why that cannot be otherwise. */
const mayNotReturn: Readonly<Record<string, string>> = {
  aptPackage: 'configuration files are purged without a copy of them',
  command: 'what a command did is known to nobody',
  directory: 'a tree is removed without a copy of it',
  file: 'more than 256 KiB are not kept',
  user: 'a home is removed without a copy of it',
}

const found = new Map<string, Findings>()

describe('what modules show', () => {
  it('is something for every module that a play can call', () => {
    const shown = new Set(examples.map(moduleOf))
    expect(publicModules().length).toBeGreaterThan(8)
    expect(publicModules().filter((name) => !shown.has(name))).toEqual([])
  })

  it('is nothing for reactions, which are no tasks', () => {
    for (const name of handlers) {
      const made = (words as unknown as Record<string, (unit: string) => unknown>)[name]!('nginx')
      expect(made).not.toBeInstanceOf(Task)
      expect(made).toMatchObject({ key: expect.any(String), script: { text: expect.any(String) } })
    }
  })

  it('has a name of its own for each', () => {
    const names = examples.map(({ name }) => name)
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })
})

describe('the laws on a host in memory', () => {
  it.each(examples)('$name', async (example) => {
    const findings = await tryLaws(example)
    found.set(example.name, findings)
    expect(findings.breaches).toEqual([])
    expect(untold(findings.events)).toEqual([])
    expect(findings.twice).toEqual([])
    // A task that is alone depends on nothing, so the plan of it must be sure.
    expect(findings.conditional).toBe(0)
  })

  it('excuse only modules of which it is known from their return', () => {
    const excused = examples.filter(({ name }) => found.get(name)?.excused.some(({ law }) => law === 'return'))
    expect(excused.map(moduleOf).filter((module) => !(module in mayNotReturn))).toEqual([])
  })
})

afterAll(() => {
  const excused = [...found].flatMap(([name, { excused: all }]) => {
    const why = all.find(({ law }) => law === 'return')?.why
    return why === undefined ? [] : [`  ${name}: ${why}`]
  })
  const modules = new Set(examples.map(moduleOf))
  const lines = [`laws: ${found.size} examples of ${modules.size} modules; no return is asked of ${excused.length}:`]
  process.stdout.write(`${[...lines, ...excused].join('\n')}\n`)
})
