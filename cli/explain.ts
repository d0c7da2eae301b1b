/** `play explain PLAY HOST`: the exact shell text that would run, in the order of its trips. The host is asked, and not changed. */

import type { Handler } from '../dsl/handler.ts'
import { labelOf, type AnyResource } from '../dsl/resource.ts'
import { fleet } from '../engine/fleet.ts'
import { type As, type Host, isMove, type Step, type StepEnd } from '../engine/host.ts'
import { batch, type Result } from '../probe/batch.ts'
import type { BaseFacts } from '../probe/facts.ts'
import { failureOn } from '../report/failure.ts'
import { count, harmless, told } from '../report/layout.ts'
import { Page } from '../report/page.ts'
import { Story } from '../report/story.ts'
import { covered, withoutSecrets } from '../shell/secret-text.ts'
import type { Script } from '../shell/script.ts'
import { connector } from './connect.ts'
import { type ExitStatus, statusOf } from './exit.ts'
import type { ConnectionOptions, InventoryOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { fetchSecrets } from './secrets.ts'
import { out, pageOptions } from './terminal.ts'

export type ExplainOptions = InventoryOptions & ConnectionOptions

/** @throws Mistakes before any connection */
export async function explain(name: string, host: string, options: ExplainOptions): Promise<ExitStatus> {
  const { play, inventory, aimed, stages } = await prepare(name, { ...options, limit: host, tags: [], skipTags: [] })
  await fetchSecrets(aimed)
  const connect = await connector({ connection: options, inventory: inventory.name, keep: false })
  const listeners: Listener[] = []
  const story = new Story(false)
  const recap = await fleet({
    plays: play.plays,
    hosts: inventory.hosts,
    limit: host,
    stages,
    tags: [],
    skipTags: [],
    forks: 1,
    check: false,
    connect: (each) => {
      const listener = new Listener(connect.host(each))
      listeners.push(listener)
      return listener
    },
    emit: (event) => story.add(event),
    stopping: () => false,
  })
  const page = new Page(pageOptions())
  const { faint, strong, advice } = page.paint
  page.line(`${strong(harmless(play.name))}${faint(` · ${inventory.path}`)}`)
  page.prose('Only questions were asked. What follows a change is shown by what is there now.', 0, advice)
  for (const listener of listeners) {
    page.section(strong(listener.name))
    const due = tasksByPlace(story)
    for (const trip of listener.heard) tripOn(page, trip, due, story)
  }
  for (const { title, failure } of [...story.failed, ...story.unreachable]) {
    page.section(page.paint.bad(harmless(title) || 'unreachable'))
    failureOn(page, failure, 2)
  }
  out(page.text)
  return statusOf(recap, false)
}

type Trip =
  | { readonly kind: 'ask'; readonly as: As; readonly resources: readonly AnyResource[] }
  | { readonly kind: 'write'; readonly as: As; readonly steps: readonly Step[]; readonly anew?: true }
  | { readonly kind: 'react'; readonly as: As; readonly handlers: readonly Handler[] }

/** Answers questions by the host behind it, and takes every change for done: the engine goes on as if it were. */
class Listener implements Host {
  readonly heard: Trip[] = []
  readonly #host: Host
  readonly #written = new Map<string, unknown>()

  constructor(host: Host) {
    this.#host = host
  }

  get name(): string {
    return this.#host.name
  }

  get trips(): number {
    return this.#host.trips
  }

  facts(as: As): Promise<BaseFacts> {
    return this.#host.facts(as)
  }

  async read(resources: readonly AnyResource[], as: As): Promise<readonly Result<unknown>[]> {
    this.heard.push({ kind: 'ask', as, resources })
    const results = await this.#host.read(resources, as)
    return results.map((result, i) => {
      const { key } = resources[i]!
      return this.#written.has(key) ? { value: this.#written.get(key) } : result
    })
  }

  async apply(steps: readonly Step[], as: As): Promise<readonly StepEnd[]> {
    this.heard.push({ kind: 'write', as, steps })
    for (const step of steps)
      if (isMove(step) && !step.resource.unprovable) this.#written.set(step.resource.key, step.to)
    return steps.map(() => 'done')
  }

  async anew(steps: readonly Step[], as: As): Promise<readonly StepEnd[]> {
    this.heard.push({ kind: 'write', as, steps, anew: true })
    return steps.map(() => 'done')
  }

  /** What the play observes is asked after its changes, and nothing was changed. */
  async ask(): Promise<undefined> {}

  async pause(): Promise<void> {}

  async react(handlers: readonly Handler[], as: As): Promise<readonly StepEnd[]> {
    this.heard.push({ kind: 'react', as, handlers })
    return handlers.map(() => 'done')
  }

  close(): Promise<void> {
    return this.#host.close()
  }
}

interface Told {
  readonly title: string
  readonly where: string
}

/** The tasks that change each place, in their order: steps of one place come in the same. */
function tasksByPlace(story: Story): Map<string, Told[]> {
  const tasks = new Map<string, Told[]>()
  for (const { title, place, changes } of story.changed) {
    for (const { key } of changes) {
      const where = place ? told(place, process.cwd()) : ''
      tasks.set(key, [...(tasks.get(key) ?? []), { title, where }])
    }
  }
  return tasks
}

function tripOn(page: Page, trip: Trip, due: Map<string, Told[]>, story: Story): void {
  const { strong, faint, changed, good } = page.paint
  const who = trip.as === undefined ? '' : ` as ${trip.as}`
  page.line()
  switch (trip.kind) {
    case 'ask': {
      page.line(`  ${good(`ask${who}`)}  ${faint(count(trip.resources.length, 'place'))}`)
      const { script } = batch(trip.resources.map(({ read }) => read))
      return textOn(page, script.text, script.input)
    }
    case 'write': {
      page.line(`  ${changed(`write${who}${trip.anew ? ', over a new login' : ''}`)}`)
      let last: Told | undefined
      for (const { resource, script } of trip.steps) {
        const tasks = due.get(resource.key) ?? []
        const task = tasks.length > 1 ? tasks.shift()! : tasks[0]
        if (task && task !== last) page.line(`    ${strong(harmless(task.title))}  ${faint(task.where)}`)
        last = task
        page.line(`      ${faint(`# ${harmless(labelOf(resource))}`)}`)
        scriptOn(page, resource.sensitive ? withoutDigests(script) : script)
      }
      return
    }
    case 'react': {
      page.line(`  ${changed(`react${who}`)}`)
      for (const { name, script } of trip.handlers) {
        const because = story.reacted.find(({ title }) => title === name)?.because ?? []
        page.line(`    ${strong(harmless(name))}  ${faint(`because of ${because.join(', ')}`)}`)
        scriptOn(page, script)
      }
      return
    }
  }
}

/** By the digest of a file its content can be guessed, where there is little else in it than a secret. */
function withoutDigests({ text, input }: Script): Pick<Script, 'text' | 'input'> {
  return { text: text.replaceAll(/\b[0-9a-f]{64}\b/g, covered), input }
}

function scriptOn(page: Page, { text, input }: Pick<Script, 'text' | 'input'>): void {
  textOn(page, text, input)
}

function textOn(page: Page, text: string, input: string | Uint8Array | undefined): void {
  for (const line of withoutSecrets(text).split('\n')) page.line(`      ${harmless(line, '\t')}`)
  if (input !== undefined)
    page.line(`      ${page.paint.faint(`# on its standard input: ${count(Buffer.byteLength(input), 'byte')}`)}`)
}
