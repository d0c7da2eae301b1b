/** Hosts in memory whose state is kept in a file, so that the second run of a play finds what the first one left. */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { InventoryHost, Simulated } from '../dsl/inventory.ts'
import { typicalFacts } from '../dsl/play.ts'
import { detailsOf, detailsPlace } from '../engine/lazy-facts.ts'
import { MemoryHost } from '../engine/memory-host.ts'
import { Failure } from '../errors/failure.ts'
import { withSome } from '../probe/facts.ts'

/** Where the state of the simulated hosts of an inventory is kept. */
export function sandboxFolder(inventory: string): string {
  return join('.play', 'sandbox', inventory)
}

/** A simulated host. What a run leaves in it is written when it is closed, where it is kept. */
export class SandboxHost extends MemoryHost {
  readonly #file: string
  readonly #keep: boolean
  readonly #before: string

  constructor({ name }: InventoryHost, { facts, has }: Simulated, folder: string, keep: boolean) {
    const file = join(folder, `${name}.json`)
    const all = withSome({ ...typicalFacts, hostname: name }, facts)
    const values = new Map([
      ...Object.entries(has ?? {}),
      ...Object.entries(kept(file)),
      [detailsPlace.key, detailsOf(all)],
    ])
    super(name, all, values)
    this.#file = file
    this.#keep = keep
    this.#before = this.#text()
  }

  override async close(): Promise<void> {
    const text = this.#text()
    if (!this.#keep || text === this.#before) return
    mkdirSync(dirname(this.#file), { recursive: true })
    // It may hold the secrets of a play.
    writeFileSync(`${this.#file}.new`, text, { mode: 0o600 })
    renameSync(`${this.#file}.new`, this.#file)
  }

  #text(): string {
    const sorted = [...this.values].toSorted(([a], [b]) => (a < b ? -1 : 1))
    return `${JSON.stringify(Object.fromEntries(sorted), undefined, 1)}\n`
  }
}

function kept(file: string): Readonly<Record<string, unknown>> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return {}
  }
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch (error) {
    throw new Failure('E_INVENTORY_INVALID', `The state of a simulated host, ${file}, is no JSON.`, {
      hint: `Remove it: rm ${file}`,
      cause: error,
    })
  }
}
