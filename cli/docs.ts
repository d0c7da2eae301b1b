/** `play docs`: reference pages of the modules, made from the comments in their sources. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure, Mistakes } from '../errors/failure.ts'
import { count } from '../report/layout.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import { out } from './terminal.ts'

export interface DocsOptions {
  /** Writes nothing, and fails where a page is not as it would be written. */
  readonly check?: boolean
  /** The folder of the pages. */
  readonly out: string
}

/** @throws Mistakes where a page is stale, with `--check` */
export async function docs({ check, out: folder }: DocsOptions): Promise<ExitStatus> {
  const { modulePages } = await import('./module-pages.ts')
  const pages = modulePages(publicWords())
  if (!check) {
    mkdirSync(folder, { recursive: true })
    for (const file of stray(folder, pages)) rmSync(join(folder, file))
    for (const [file, text] of pages) writeFileSync(join(folder, file), text)
    out(`${count(pages.size, 'page')} in ${folder}\n`)
    return exitStatus.fine
  }
  const stale = [...pages].filter(([file, text]) => read(join(folder, file)) !== text).map(([file]) => file)
  const wrong = [...stale, ...stray(folder, pages)]
  if (wrong.length > 0) {
    const hint = 'Make them anew: play docs'
    throw new Mistakes(
      wrong.map((file) => new Failure('E_OPTION', `${join(folder, file)} is not what the sources say.`, { hint })),
    )
  }
  out(`${count(pages.size, 'page')} in ${folder}, as the sources say\n`)
  return exitStatus.fine
}

/** The entry of the package: its source in a checkout, its declarations where it was built. */
function publicWords(): string {
  const candidates = ['../index.ts', '../index.d.ts'].map((path) => fileURLToPath(new URL(path, import.meta.url)))
  const found = candidates.find((path) => existsSync(path))
  if (!found) throw new Error(`none of ${candidates.join(', ')} is there`)
  return found
}

/** Pages of modules that are no more. */
function stray(folder: string, pages: ReadonlyMap<string, string>): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter((file) => file.endsWith('.md') && !pages.has(file))
}

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
