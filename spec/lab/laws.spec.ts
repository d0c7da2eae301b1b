/** The laws on real hosts: every example of every module that can be had there, over ssh. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Findings, tryLaws } from '../../testing/laws.ts'
import { hostileTexts, quoted } from '../../testing/quoted.ts'
import { play } from '../../testing/trial-run.ts'
import { hostileTasks } from '../laws/hostile-tasks.ts'
import { harmless } from '../../report/layout.ts'
import { connectLab, LabGround } from '../laws/lab-ground.ts'
import { shared } from '../laws/shared-host.ts'
import { examples, moduleOf, publicModules } from '../laws/shown.ts'
import { untold } from '../laws/told.ts'
import { type Image, type Lab, labHosts } from './hosts.ts'

const minutes = 60_000

/** Places that are made from others of the same task, which come back after them. */
const movedTwice: Readonly<Record<string, RegExp>> = {
  opcache: /^opcache:/,
  phpFpm: /^socket:/,
  systemdSocket: /^socket:/,
}

/** Names of examples, or of modules, to try no others: for whoever works on one. */
const only = process.env['LAWS']?.split(',')

const meant = examples.filter((example) => {
  return !only || only.some((name) => name === moduleOf(example) || name === example.name)
})

const images = ['bookworm', 'sid'] as const
const on = (image: Image) => meant.filter((example) => example.images?.includes(image) ?? true)

/** A host with the examples that are tried on it: one after another, since many have the same daemons. */
class Bench {
  readonly ground: LabGround
  readonly found = new Map<string, Promise<Findings>>()
  readonly #image: Image
  readonly #lab: Lab<string>

  private constructor(image: Image, lab: Lab<string>, ground: LabGround) {
    this.#image = image
    this.#lab = lab
    this.ground = ground
    let last: Promise<unknown> = Promise.resolve()
    for (const example of on(image)) {
      const trial = last.then(() => tryLaws(example, ground))
      last = trial.catch(() => {})
      this.found.set(example.name, trial)
    }
  }

  static async on(image: Image): Promise<Bench> {
    const name = `laws-${image}`
    const lab = await labHosts(image, [name], { memory: '768M' })
    const ground = await LabGround.on(name, () => connectLab(lab, lab.hosts[name]!))
    return new Bench(image, lab, ground)
  }

  async close(): Promise<void> {
    const trials = await Promise.allSettled(this.found.values())
    await this.ground.host.close()
    await this.#lab.close()
    const excused = [...this.found.keys()].flatMap((name, i) => {
      const trial = trials[i]!
      const laws = trial.status === 'fulfilled' ? trial.value.excused : []
      return laws.flatMap(({ law, why }) => (law === 'return' ? [`  ${name}: ${harmless(why)}`] : []))
    })
    const modules = new Set(on(this.#image).map(moduleOf))
    const count = `${trials.length} examples of ${modules.size} modules`
    const head = `laws on ${this.#image}: ${count}; no return is asked of ${excused.length}:`
    process.stdout.write(`${[head, ...excused].join('\n')}\n`)
  }
}

const benches = new Map<Image, Bench>()

// Both at once: each test waits for its own example.
beforeAll(async () => {
  const all = await Promise.allSettled(images.map(async (image) => void benches.set(image, await Bench.on(image))))
  for (const bench of all) if (bench.status === 'rejected') throw bench.reason
})
afterAll(async () => void (await Promise.all([...benches.values()].map((bench) => bench.close()))))

describe.each(images)('the laws on %s', (image) => {
  it.each(on(image))('$name', { timeout: 30 * minutes }, async (example) => {
    const findings = await benches.get(image)!.found.get(example.name)!
    expect(findings.breaches).toEqual([])
    expect(findings.twice.filter((key) => !movedTwice[moduleOf(example)]?.test(key))).toEqual([])
    expect(untold(findings.events)).toEqual([])
  })

  it('hostile texts run nothing, whatever becomes of the task', { timeout: 30 * minutes }, async () => {
    const { found, ground } = benches.get(image)!
    await Promise.allSettled(found.values())
    const host = shared(ground.host)
    const modules = Object.keys(hostileTasks).filter((module) => !only || only.includes(module))
    const all = modules.flatMap((module) => hostileTexts.flatMap((text) => hostileTasks[module]!(text)))
    const taken = []
    for (const make of all) if ((await quoted(make)).refused === undefined) taken.push(make())
    const became = await Promise.all(taken.map((task) => play(task, host)))
    expect(became.length).toBeGreaterThan(only ? 0 : 100)
    expect(await ground.canaries()).toEqual([])
  })
})

it('every module is tried on some host', () => {
  const tried = new Set([...on('bookworm'), ...on('sid')].map(moduleOf))
  expect(only ? [] : publicModules().filter((name) => !tried.has(name))).toEqual([])
})
