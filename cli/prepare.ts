/** A play and an inventory, loaded and checked against each other: every mistake at once, before any connection. */

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import type { InventoryHost } from '../dsl/inventory.ts'
import { select } from '../dsl/pattern.ts'
import type { CompiledTask } from '../engine/compile.ts'
import { aim, type Stages, unknownTerm } from '../engine/aim.ts'
import { Failure, Mistakes } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import { type LoadedInventory, type LoadedPlay, loadInventory, loadPlay, playsOf } from './load.ts'
import type { ChoiceOptions, InventoryOptions } from './options.ts'
import { shapeDifferences } from './shapes.ts'

export interface PreparedInventory extends LoadedInventory {
  readonly hosts: readonly InventoryHost[]
}

export interface Prepared {
  readonly play: LoadedPlay
  readonly inventory: PreparedInventory
  /** Hosts that the plays are for, in the inventory's order. */
  readonly aimed: readonly InventoryHost[]
  /** Tasks of one host, as far as they are known before its facts are. */
  readonly tasks: number
  readonly stages: Stages
}

/**
 * Loads an inventory alone.
 *
 * @throws Mistakes
 */
export async function prepareInventory(options: InventoryOptions): Promise<PreparedInventory> {
  const [loaded, problems] = await attempt(() => loadInventory(options.inventory))
  if (!loaded) throw new Mistakes(problems)
  const resolved = loaded.inventory.resolve(options.extraVars)
  if (resolved.problems.length > 0) throw new Mistakes(resolved.problems)
  return { ...loaded, hosts: resolved.hosts }
}

/**
 * Loads a play and an inventory, and looks for every mistake that can be seen without a host.
 *
 * @throws Mistakes
 */
export async function prepare(name: string, options: InventoryOptions & ChoiceOptions): Promise<Prepared> {
  const [[play, playProblems], [inventory, inventoryProblems]] = await Promise.all([
    attempt(() => loadPlay(name)),
    attempt(() => loadInventory(options.inventory)),
  ])
  const problems = [...playProblems, ...inventoryProblems]
  if (!play || !inventory) throw new Mistakes(problems)

  const different = playsOf(play.plays).flatMap(({ shape, origin }) =>
    shapeDifferences(shape, inventory.inventory.shape).map(
      (difference) =>
        new Failure(
          'E_INVENTORY_INVALID',
          `The play and ${inventory.path} are made for different shapes: ${difference}.`,
          {
            place: inventory.inventory.origin.place ?? origin.place,
            hint: 'Let both import one shape, such as that of inventory/shape.ts.',
          },
        ),
    ),
  )
  if (different.length > 0) throw new Mistakes(unique([...problems, ...different]))

  const { hosts, problems: unresolved } = inventory.inventory.resolve(options.extraVars)
  problems.push(...unresolved)
  const choice = { tags: options.tags, skipTags: options.skipTags }
  const [stages, aimProblems] = await attempt(async () =>
    aim({ plays: play.plays, hosts, limit: options.limit, ...choice }),
  )
  // What a play makes of variables that are wrong is no news.
  problems.push(...aimProblems.filter(({ code }) => unresolved.length === 0 || code !== 'E_PLAY_THREW'))
  problems.push(...misspeltTags(play, hosts, options))
  const meant = stages?.flat() ?? []
  const names = new Set(meant.flatMap((stage) => stage.hosts.map((host) => host.name)))
  const aimed = hosts.filter((host) => names.has(host.name))
  problems.push(...missingKeys(aimed).map((problem) => problem.at(inventory.inventory.origin.place)))
  if (!stages || problems.length > 0) throw new Mistakes(unique(problems))

  return {
    play,
    inventory: { ...inventory, hosts },
    aimed,
    tasks: meant.reduce((sum, { tasks }) => sum + tasks.length, 0),
    stages,
  }
}

/** Private keys that the inventory names and that are not there; one that ssh_config names may be missing. */
function missingKeys(hosts: readonly InventoryHost[]): readonly Failure[] {
  const named = new Set(
    hosts.flatMap(({ ssh, carrier }) => (carrier === 'ssh' && ssh.privateKey ? [ssh.privateKey] : [])),
  )
  return [...named]
    .filter((path) => !existsSync(path.replace(/^~(?=\/)/, homedir())))
    .map((path) => new Failure('E_INVENTORY_INVALID', `ssh.privateKey: there is no file ${path}.`))
}

/**
 * The hosts of an inventory that a pattern of the command line selects.
 *
 * @throws Mistakes E_PATTERN
 */
export function chosenHosts(pattern: string, { hosts, inventory }: PreparedInventory): readonly InventoryHost[] {
  const groups = Object.keys(inventory.shape.groups)
  const { hosts: chosen, unknown } = select(pattern, hosts, groups)
  if (unknown.length === 0 && chosen.length > 0) return chosen
  const names = [...groups, ...hosts.map(({ name }) => name)]
  const failures = unknown.map((term) => unknownTerm(term, term, names))
  throw new Mistakes(
    failures.length > 0 ? failures : [new Failure('E_PATTERN', `${pattern} leaves no host of the inventory.`)],
  )
}

/** The tasks of each play as its first host would have them; none where the play throws. */
export function typicalTasks(play: LoadedPlay, hosts: readonly InventoryHost[]): readonly CompiledTask[] {
  const stages = aim({ plays: play.plays, hosts, limit: undefined, tags: [], skipTags: [] })
  return stages.flat().flatMap(({ tasks }) => tasks)
}

/** A tag that no task has would quietly choose nothing. */
function misspeltTags(
  play: LoadedPlay,
  hosts: readonly InventoryHost[],
  { tags, skipTags }: ChoiceOptions,
): readonly Failure[] {
  if (tags.length + skipTags.length === 0) return []
  let known: readonly string[]
  try {
    known = [...new Set(['always', ...typicalTasks(play, hosts).flatMap(({ task }) => task.keywords.tags)])]
  } catch {
    // The play is wrong, which is told already.
    return []
  }
  const wrong = (option: string, tag: string) => {
    const close = nearest(tag, known)
    const hint = close
      ? `Did you mean ${close}?`
      : `There are: ${known.filter((word) => word !== 'always').join(', ') || 'none'}.`
    return new Failure('E_OPTION', `${option} ${tag}: no task of ${play.name} has this tag.`, { hint })
  }
  return [
    ...tags.filter((tag) => !known.includes(tag)).map((tag) => wrong('--tags', tag)),
    ...skipTags.filter((tag) => !known.includes(tag)).map((tag) => wrong('--skip-tags', tag)),
  ]
}

/** What something came to, or the mistakes that it threw. */
async function attempt<T>(make: () => Promise<T>): Promise<readonly [T | undefined, readonly Failure[]]> {
  try {
    return [await make(), []]
  } catch (error) {
    if (error instanceof Mistakes) return [undefined, error.failures]
    if (error instanceof Failure) return [undefined, [error]]
    throw error
  }
}

function unique(failures: readonly Failure[]): readonly Failure[] {
  return [...new Map(failures.map((failure) => [JSON.stringify([failure.message, failure.place]), failure])).values()]
}
