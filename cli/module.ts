/** Loads a file of the user's as a module, and tells what is wrong with it in its own lines. */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Failure, type Place } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import { sourceLine } from './terminal.ts'

let registered: Promise<void> | undefined

/**
 * Imports a file of TypeScript or JavaScript.
 *
 * @throws Failure E_PLAY_UNLOADABLE with file, line and column where they are known
 */
export async function importFile(file: string): Promise<Readonly<Record<string, unknown>>> {
  const manifest = commonJs(file)
  if (manifest !== undefined) {
    throw new Failure('E_PLAY_UNLOADABLE', `${file} would be loaded as CommonJS, and plays are ES modules.`, {
      hint: `Put "type": "module" into ${manifest}.`,
    })
  }
  registered ??= registerTypeScript()
  await registered
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (error) {
    throw await unloadable(file, error)
  }
}

/** In a checkout the bin has done it before us, so that all of it is one copy. */
async function registerTypeScript(): Promise<void> {
  if (import.meta.url.endsWith('.ts')) return
  // What every play imports: without hooks, which are asked for each module of it, it is there in half the time.
  await import('fleetplay')
  const { register } = await import('tsx/esm/api')
  register()
}

/** The package.json that makes a file CommonJS, if one does. */
function commonJs(file: string): string | undefined {
  if (!/\.[jt]s$/.test(file)) return undefined
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest)) {
      const { type } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly type?: unknown }
      return type === 'module' ? undefined : manifest
    }
    if (folder === dirname(folder)) return manifest
  }
}

async function unloadable(file: string, error: unknown): Promise<Failure> {
  if (error instanceof Failure) return error
  if (!(error instanceof Error)) return new Failure('E_PLAY_UNLOADABLE', `${file} threw ${JSON.stringify(error)}.`)
  const syntax = /^(?<file>\/.*?):(?<line>\d+):(?<column>\d+): ERROR: (?<message>.*)$/m.exec(error.message)?.groups
  if (syntax) {
    // esbuild counts columns from 0.
    const place = { file: syntax.file!, line: Number(syntax.line), column: Number(syntax.column) + 1 }
    return new Failure('E_PLAY_UNLOADABLE', `This is not TypeScript: ${syntax.message}`, { place, cause: error })
  }
  const [, wanted, importer] = /^Cannot find (?:module|package) '(.*?)' imported from (.*)$/s.exec(error.message) ?? []
  if (wanted && importer) {
    const hint = wanted.startsWith('/') ? 'Is the path right, with its extension?' : `npm install ${wanted}`
    const place = importPlace(importer, wanted)
    return new Failure('E_PLAY_UNLOADABLE', `There is no ${wanted.startsWith('/') ? 'file' : 'package'} ${wanted}.`, {
      place,
      hint,
      cause: error,
    })
  }
  const place = placeOf(error)
  const [, from, name] = /module '(.*?)' does not provide an export named '(.*?)'/.exec(error.message) ?? []
  if (from && name) {
    return new Failure('E_PLAY_UNLOADABLE', `${from} has nothing that is called ${name}.`, {
      place: place && columnOf(name, place),
      hint: await exportLike(name, from),
      cause: error,
    })
  }
  return new Failure('E_PLAY_UNLOADABLE', `${error.name}: ${error.message}`, { place, cause: error })
}

async function exportLike(name: string, from: string): Promise<string | undefined> {
  // Of the user's own modules we do not know how they are resolved.
  if (from !== 'fleetplay') return undefined
  const close = nearest(name, Object.keys(await import('fleetplay')))
  return close && `Did you mean ${close}?`
}

/** The line that imports something: what it names is the end of a resolved path. */
function importPlace(file: string, wanted: string): Place | undefined {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    const last = wanted
      .split('/')
      .at(-1)!
      .replace(/\.\w+$/, '')
    const line = lines.findIndex((text) => /\bfrom\b|\bimport\b/.test(text) && text.includes(last))
    return line < 0 ? undefined : { file, line: line + 1, column: lines[line]!.search(/['"]/) + 1 }
  } catch {
    return undefined
  }
}

/** The place of a name in its line: what links modules knows the line only. */
function columnOf(name: string, { file, line }: Place): Place {
  const text = sourceLine({ file, line, column: 1 }) ?? ''
  const at = text.search(new RegExp(`(?<![\\w$])${name.replaceAll('$', '\\$')}(?![\\w$])`))
  return { file, line, column: Math.max(0, at) + 1 }
}

/** The first line of the user's own that an error went through; a module that does not link names its line first of all. */
function placeOf({ stack = '' }: Error): Place | undefined {
  const [, linked, at] = /^(?:file:\/\/)?(\/.*?):(\d+)\n/.exec(stack) ?? []
  if (linked) return { file: linked, line: Number(at), column: 1 }
  for (const frame of stack.split('\n')) {
    const [, file, line, column] = /\(?(?:file:\/\/)?(\/[^()]*?):(\d+):(\d+)\)?$/.exec(frame) ?? []
    if (file && !file.includes('/node_modules/')) return { file, line: Number(line), column: Number(column) }
  }
  return undefined
}
