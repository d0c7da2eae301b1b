/** Blocks of lines between two markers, in files that others write too. */

import { pathProblem } from '../dsl/host-path.ts'
import { look, want, type Wish } from '../dsl/resource.ts'
import { type Reading, Task, type Verdict } from '../dsl/task.ts'
import { Failure } from '../errors/failure.ts'
import { directoryOf, needsDirectory } from './file.ts'
import {
  edited,
  editedFile,
  endOf,
  linesOf,
  mayCreate,
  type Placement,
  placementProblem,
  type TextLine,
  textOf,
  withInserted,
} from './text-file.ts'

/** How a line of the file is made a comment. */
export type CommentStyle = '#' | ';' | '//' | '--' | '"' | '%' | '!' | '/* */' | '<!-- -->'

export interface BlockOptions extends Placement {
  /** Makes the file where there is none: `0644`, of the user who writes. @default false */
  readonly create?: boolean
}

/** A block of which it is not said what is in it. */
export interface BlockStart {
  /** How the file writes comments. @default '#' */
  comment(style: CommentStyle): BlockStart
  /**
   * The lines of the block. A new block goes to the end of the file, or where `after` or `before` say; one that is there
   * stays where it is.
   *
   * @example
   * block('/etc/hosts', 'cluster').content(hosts('db').map((h) => `${h.address} ${h.name}`).join('\n'))
   */
  content(text: string, options?: BlockOptions): Block
  /** No such block in the file, and no markers. A file that does not exist has none. */
  absent(): Block
}

/**
 * Lines that we own in a file that others write too, between `# BEGIN fleetplay NAME` and `# END fleetplay NAME`.
 * Nothing else of the file is touched; the lines get the ends that the file has. It is written only while it is as it was read.
 *
 * A name of several words or lines and a content that holds its own markers are told before any connection. Refused in
 * the plan: a file that does not exist (unless `create`), a link, what is not UTF-8 text or larger than 256 KiB, markers
 * that are no pair, and an `after` or `before` that no line has.
 *
 * @example
 * block('/etc/ssh/sshd_config', 'sftp').content('Match Group sftp\n  ForceCommand internal-sftp\n')
 * block('/etc/php/8.2/fpm/php.ini', 'limits').comment(';').content('memory_limit = 512M')
 * block('/etc/hosts', 'old-cluster').absent()
 */
export function block(path: string, name: string): BlockStart {
  return new Block(path, name)
}

export class Block extends Task implements BlockStart {
  readonly module = 'block'
  readonly id: string
  readonly path: string
  readonly name: string
  readonly style: CommentStyle = '#'
  /** The lines that should stand between the markers; `absent` for no block. */
  readonly wished: readonly string[] | 'absent' | undefined
  readonly options: BlockOptions = {}

  /** @internal Made by `block()`. */
  constructor(path: string, name: string) {
    super()
    this.id = `${path}: ${name}`
    this.path = path
    this.name = name
    const problem =
      pathProblem(path) ??
      (/^[\w.@-]+$/.test(name) ? undefined : `the name ${JSON.stringify(name)} is not one plain word`)
    if (problem) return this.wrong(`block: ${problem}`)
  }

  comment(style: CommentStyle): Block {
    return this.with<Block>({ style })
  }

  content(text: string, options: BlockOptions = {}): Block {
    const wished = text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r?\n/)
    return this.says(wished, contentProblem(text, this.name) ?? placementProblem(options), options)
  }

  absent(): Block {
    return this.says('absent')
  }

  override get unfinished() {
    return this.wished ? undefined : `block ${this.id} says nothing: end it with .content(text) or .absent()`
  }

  get wishes(): readonly Wish[] {
    const { path, name, style, wished, options } = this
    const place = editedFile(path)
    if (!wished) return []
    if (wished === 'absent') {
      const without = (text: string) => withoutBlock(text, name)
      return [want(place, (now, as) => (now.type === 'absent' ? now : edited(path, now, as, false, without)))]
    }
    const { create = false } = options
    const withIt = (text: string) => withBlock(text, name, wished, { style, ...options })
    const present = want(place, (now, as) => edited(path, now, as, create, withIt, mayCreate))
    return create ? [look(directoryOf(path)), present] : [present]
  }

  override judge(reading: Reading): readonly Verdict[] {
    return this.options.create ? needsDirectory(this.path, reading) : []
  }

  private says(wished: readonly string[] | 'absent', problem?: string, options: BlockOptions = {}): Block {
    const twice = this.wished ? `block ${this.id} is said twice` : undefined
    return this.with<Block>({ wished, options })
      .wrong(problem && `block ${this.id}: ${problem}`)
      .wrong(twice)
  }
}

/** The text with the block in it. At rest on its own result. */
export function withBlock(
  text: string,
  name: string,
  content: readonly string[],
  { style = '#', ...placement }: Placement & { readonly style?: CommentStyle } = {},
): string {
  const all = linesOf(text)
  const wished = [marker('BEGIN', name, style), ...content, marker('END', name, style)]
  const found = find(all, name)
  if (!found) return textOf(withInserted(all, wished, placement))
  const block = all.slice(found.from, found.to)
  if (block.length === wished.length && block.every((each, i) => each.text === wished[i])) return text
  const end = endOf(all)
  return textOf([...all.slice(0, found.from), ...wished.map((each) => ({ text: each, end })), ...all.slice(found.to)])
}

/** The text without the block. */
export function withoutBlock(text: string, name: string): string {
  const all = linesOf(text)
  const found = find(all, name)
  return found ? textOf([...all.slice(0, found.from), ...all.slice(found.to)]) : text
}

const styles: readonly CommentStyle[] = ['#', ';', '//', '--', '"', '%', '!', '/* */', '<!-- -->']

function marker(word: 'BEGIN' | 'END', name: string, style: CommentStyle): string {
  const [open, close] = style.split(' ')
  return `${open} ${word} fleetplay ${name}${close ? ` ${close}` : ''}`
}

/** Where the block is, whatever its comments look like; its last marker is the line before `to`. */
function find(all: readonly TextLine[], name: string): { readonly from: number; readonly to: number } | undefined {
  const at = (word: 'BEGIN' | 'END') => {
    const markers = styles.map((style) => marker(word, name, style))
    return all.flatMap(({ text }, i) => (markers.includes(text.trim()) ? [i] : []))
  }
  const [begins, ends] = [at('BEGIN'), at('END')]
  const [from, to] = [begins[0], ends[0]]
  if (from === undefined && to === undefined) return undefined
  if (begins.length === 1 && ends.length === 1 && from! < to!) return { from: from!, to: to! + 1 }
  const seen = [...begins.map((i) => `BEGIN in line ${i + 1}`), ...ends.map((i) => `END in line ${i + 1}`)]
  throw new Failure('E_REFUSED', `The markers of the block ${name} are no pair: ${seen.join(', ')}.`, {
    hint: 'Put the markers right, or remove them with what was between them.',
  })
}

function contentProblem(text: string, name: string): string | undefined {
  if (text.includes('\0')) return 'the content holds a NUL byte'
  const own = ['BEGIN', 'END'].find((word) => text.includes(`${word} fleetplay ${name}`))
  return own && `the content holds its own marker, ${own} fleetplay ${name}`
}
