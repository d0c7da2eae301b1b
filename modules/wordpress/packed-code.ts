/** What is in the archive of a theme or a plugin: its files, and what its head says. */

import { Failure } from '../../errors/failure.ts'
import { type PackedFile, unzipped } from './zip.ts'

export interface PackedTheme {
  readonly files: readonly PackedFile[]
  /** The folder of the theme whose templates a child takes. */
  readonly parent: string | undefined
}

export interface PackedPlugin {
  readonly files: readonly PackedFile[]
  /** The name of the file that WordPress loads. */
  readonly main: string
}

/** A theme has a `style.css` whose head names it. */
export function packedTheme(archive: Uint8Array): PackedTheme {
  const files = ownFiles(archive)
  const style = files.find(({ path }) => path === 'style.css')
  if (!style || header(style, 'Theme Name') === undefined) throw noCode(files, 'no style.css that names a theme')
  const parent = header(style, 'Template')
  if (parent !== undefined && !/^[\w.-]+$/.test(parent))
    throw new Failure('E_PLAY_INVALID', `its style.css has a strange Template: ${JSON.stringify(parent)}`)
  return { files, parent }
}

/** A plugin has one PHP file in its folder whose head names it. */
export function packedPlugin(archive: Uint8Array): PackedPlugin {
  const files = ownFiles(archive)
  const mains = files.filter((file) => /^[^/]+\.php$/.test(file.path) && header(file, 'Plugin Name') !== undefined)
  if (mains.length === 0) throw noCode(files, 'no PHP file that names a plugin')
  if (mains.length > 1)
    throw new Failure('E_PLAY_INVALID', `it has several plugins: ${mains.map(({ path }) => path).join(', ')}`)
  return { files, main: mains[0]!.path }
}

/** Without the folder that all are in, and without what macOS adds. */
function ownFiles(archive: Uint8Array): readonly PackedFile[] {
  const files = unzipped(archive).filter(({ path }) => !/(^|\/)(__MACOSX\/|\.DS_Store$)/.test(path))
  const [top] = files[0]?.path.split('/') ?? []
  const isOne = files.length > 0 && files.every(({ path }) => path.startsWith(`${top}/`))
  return isOne ? files.map(({ path, bytes }) => ({ path: path.slice(top!.length + 1), bytes })) : files
}

/** As WordPress reads it: in the first 8 KiB, on a line of its own. */
function header({ bytes }: PackedFile, name: string): string | undefined {
  const head = Buffer.from(bytes.subarray(0, 8192)).toString().replaceAll('\r', '\n')
  const found = new RegExp(`^(?:[ \\t]*<\\?php)?[ \\t/*#@]*${name}:(.*)$`, 'im').exec(head)?.[1]
  return found?.replace(/\s*(?:\*\/|\?>).*/, '').trim() || undefined
}

function noCode(files: readonly PackedFile[], lacks: string): Failure {
  const inner = files.find(({ path }) => path.endsWith('.zip'))
  const hint = inner && `It holds ${inner.path}: unpack it, and name that one.`
  return new Failure('E_PLAY_INVALID', `it has ${lacks}`, { hint })
}
