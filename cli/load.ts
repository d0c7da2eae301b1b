/** Finds and loads plays and inventories by name or path. */

import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { Inventory } from '../dsl/inventory.ts'
import type { Play, Plays, Together } from '../dsl/play.ts'
import type { Code } from '../errors/codes.ts'
import { Failure } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import { importFile } from './module.ts'

export interface LoadedPlay {
  readonly name: string
  readonly file: string
  readonly plays: Plays
}

export interface LoadedInventory {
  /** `inventory/production.ts` */
  readonly path: string
  /** `production`: what its state is kept under. */
  readonly name: string
  readonly inventory: Inventory
}

const exampleInventory = `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'

export default inventory(fleet, {
  groups: { web: { vars: { php: '8.4' } } },
  hosts: { web1: { groups: ['web'], address: '192.0.2.11', ssh: { user: 'deploy' } } },
})`

const howTo = `An inventory looks like this:\n\n${exampleInventory}`

/**
 * Loads `plays/NAME.ts`, or the file of a path.
 *
 * @throws Failure E_PLAY_NOT_FOUND, E_PLAY_UNLOADABLE, E_PLAY_INVALID
 */
export async function loadPlay(name: string): Promise<LoadedPlay> {
  const file = fileOf('play', name)
  const plays = (await importFile(file)).default
  if (!isPlays(plays)) {
    throw new Failure('E_PLAY_INVALID', whatIsWrong(plays, 'a play, or a list of plays'), {
      place: { file, line: 1, column: 1 },
      hint: "End the file with: export default fleet.play('web').hosts('web').tasks(() => [ … ])",
    })
  }
  return { name: nameOf(file), file, plays }
}

/**
 * Loads `inventory/NAME.ts`, or the file of a path; `inventory/default.ts` where none is named.
 *
 * @throws Failure E_INVENTORY_NOT_FOUND, E_INVENTORY_INVALID, E_PLAY_UNLOADABLE
 */
export async function loadInventory(name: string | undefined): Promise<LoadedInventory> {
  if (name === undefined && !find('default', 'inventory')) {
    throw new Failure('E_INVENTORY_NOT_FOUND', 'There is no inventory/default.ts, and no other inventory was named.', {
      hint: `Choose one with -i NAME (inventory/NAME.ts), or write inventory/default.ts:\n\n${exampleInventory}`,
    })
  }
  const file = fileOf('inventory', name ?? 'default')
  const inventory = (await importFile(file)).default
  if (!(inventory instanceof Inventory)) {
    throw new Failure('E_INVENTORY_INVALID', whatIsWrong(inventory, 'an inventory'), {
      place: { file, line: 1, column: 1 },
      hint: inventory?.constructor?.name === 'Inventory' ? copyHint : howTo,
    })
  }
  return { path: relative(process.cwd(), file), name: nameOf(file), inventory }
}

/**
 * The path of a play or an inventory, by its name or path.
 *
 * @throws Failure E_PLAY_NOT_FOUND, E_INVENTORY_NOT_FOUND
 */
export function fileOf(what: 'play' | 'inventory', name: string): string {
  const folder = what === 'play' ? 'plays' : 'inventory'
  const file = find(name, folder)
  const code = what === 'play' ? 'E_PLAY_NOT_FOUND' : 'E_INVENTORY_NOT_FOUND'
  if (!file) throw notFound(code, what, name, folder)
  if (!isCode.test(file)) {
    const hint = `A ${what} is a file of TypeScript or JavaScript: ${folder}/NAME.ts.`
    throw new Failure(code, `${relative(process.cwd(), file)} is no ${what}.`, { hint })
  }
  return file
}

/** Names of all plays, or inventories, of the project. */
export function namesIn(folder: 'plays' | 'inventory'): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => isCode.test(file) && !/\.(spec|test|d|example)\.[cm]?[jt]s$/.test(file))
    .map(nameOf)
    .filter((name) => folder === 'plays' || name !== 'shape')
    .toSorted()
}

/** Every play of a file, in its order. */
export function playsOf(plays: Plays): readonly Play[] {
  const list: readonly (Play | Together)[] = Array.isArray(plays) ? plays : [plays as Play | Together]
  return list.flatMap((entry) => (entry.kind === 'together' ? entry.plays : [entry]))
}

const isCode = /\.[cm]?[jt]s$/

function find(name: string, folder: string): string | undefined {
  const candidates = [
    ...(/[/\\.]/.test(name) ? [name, `${name}.ts`] : []),
    ...['ts', 'mts', 'js', 'mjs'].map((extension) => join(folder, `${name}.${extension}`)),
  ]
  const found = candidates.find((path) => existsSync(path) && statSync(path).isFile())
  return found && resolve(found)
}

function notFound(code: Code, what: string, name: string, folder: 'plays' | 'inventory'): Failure {
  const all = namesIn(folder)
  const close = nearest(name, all)
  const listed =
    all.length > 0 ? `There are: ${all.join(', ')}.` : `There is nothing in ${folder}/ of ${process.cwd()}.`
  return new Failure(code, `There is no ${what} ${name}: neither ${folder}/${name}.ts nor a file of that path.`, {
    hint: close ? `Did you mean ${close}? ${listed}` : what === 'inventory' ? `${listed} ${howTo}` : listed,
  })
}

const copyHint = 'It was made by another copy of fleetplay than this command is. Run the one of your project: npx play'

function whatIsWrong(value: unknown, wanted: string): string {
  return value === undefined
    ? `The file has no default export; it should be ${wanted}.`
    : `Its default export is not ${wanted}.`
}

function isPlays(value: unknown): value is Plays {
  if (Array.isArray(value)) return value.length > 0 && value.every((entry) => isPlay(entry) || isTogether(entry))
  return isPlay(value) || isTogether(value)
}

function isPlay(value: unknown): value is Play {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as Play).kind === 'play' &&
    typeof (value as Play).tasks === 'function'
  )
}

function isTogether(value: unknown): value is Together {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as Together).kind === 'together' &&
    (value as Together).plays.every(isPlay)
  )
}

/** What a file of plays or an inventory is called. */
export function nameOf(file: string): string {
  return basename(file).replace(/\.[cm]?[jt]s$/, '')
}
