/** `play check`: the mistakes of plays and inventories, by their types and by making every play for every host. No network. */

import { Failure, Mistakes } from '../errors/failure.ts'
import { count } from '../report/layout.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import { fileOf, namesIn } from './load.ts'
import type { InventoryOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { out } from './terminal.ts'

/**
 * Checks the named plays, or all of `plays/`.
 *
 * @throws Mistakes
 */
export async function check(names: readonly string[], options: InventoryOptions): Promise<ExitStatus> {
  const plays = names.length > 0 ? names : namesIn('plays')
  if (plays.length === 0) throw new Failure('E_PLAY_NOT_FOUND', 'There is no plays/NAME.ts here to check.')
  const files = plays.map((name) => fileOf('play', name))
  const inventories = (options.inventory === undefined ? namesIn('inventory') : [options.inventory]).map((name) =>
    fileOf('inventory', name),
  )
  const { SourceCheck } = await import('./source-check.ts')
  const source = new SourceCheck(process.cwd(), [...files, ...inventories])
  const missing = source.missingPackage()
  if (missing) throw missing
  const ofRuns: Failure[] = []
  for (const name of plays) {
    try {
      await prepare(name, { ...options, tags: [], skipTags: [] })
    } catch (error) {
      if (error instanceof Mistakes) ofRuns.push(...error.failures)
      else if (error instanceof Failure) ofRuns.push(error)
      else throw error
    }
  }
  // A module knows better than the compiler what a value of its own should be: `16MiB`, and not a template type.
  const ofModules = ofRuns.filter(({ code }) => code === 'E_PLAY_INVALID')
  const ofSource = [...source.types().filter((failure) => !isToldBy(ofModules, failure)), ...source.impurities(files)]
  const problems = [...ofSource, ...ofRuns.filter((failure) => !isToldBy(ofSource, failure))]
  if (problems.length > 0) throw new Mistakes(problems)
  out(`${count(plays.length, 'play')}, ${count(inventories.length, 'inventory', 'inventories')}: no mistakes\n`)
  return exitStatus.fine
}

/** What both find on one line is told once. */
function isToldBy(others: readonly Failure[], { place }: Failure): boolean {
  return others.some((other) => other.place?.file === place?.file && other.place?.line === place?.line)
}
