/** Files that are owned whole: content, mode, owner and group, written at once and never torn. */

import { createHash } from 'node:crypto'
import { dirname, isAbsolute, join } from 'node:path'
import { Origin } from '../dsl/origin.ts'
import { type Identity, type Resource, want } from '../dsl/resource.ts'
import { Task } from '../dsl/task.ts'
import { mode as parseMode, type Mode } from '../dsl/units.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import { bytesOf, type Content, contentOf, type FileState, fileState, inlineLimit, type Owned } from '../probe/file.ts'
import { lines, Script, sh } from '../shell/script.ts'

/** A file whose content is not said yet. */
export interface FileStart {
  /** The content, byte for byte. */
  content(content: string | Uint8Array): File
  /**
   * The content that a function makes of some data.
   *
   * @example
   * file('/etc/motd').template(motd, { domain: vars.domain })
   */
  template<D>(template: (data: D) => string, data: D): File
  /** The content of a local file; its path is relative to the file that says it. A missing one is told before any connection. */
  source(path: string): File
  /** No file here. A directory is refused. */
  absent(): File
  /** Only the mode of a file that exists. */
  mode(mode: Mode): File
  /** Only the owner of a file that exists. */
  owner(user: string, group?: string): File
}

/**
 * A file with a content, a mode and an owner. It is written beside its place and renamed, so nobody ever reads half of it.
 * What is not said of mode and owner stays as it is; a new file is `0644` and belongs to the user who writes it.
 *
 * A relative path and a mode that is not octal are told before any connection. A directory in its place is refused in the plan.
 *
 * @example
 * file('/etc/motd').content('Welcome.\n')
 * file('/etc/nginx/conf.d/site.conf').source('./files/site.conf').mode('0640').owner('root', 'www-data')
 */
export function file(path: string): FileStart {
  return new File(path)
}

export class File extends Task implements FileStart {
  readonly module = 'file'
  readonly id: string
  readonly bytes: Uint8Array | undefined
  readonly local: string | undefined
  readonly isAbsent: boolean = false
  readonly owned: Partial<Owned> = {}

  /** @internal Made by `file()`. */
  constructor(path: string) {
    super()
    this.id = path
    if (!isAbsolute(path)) return this.wrong(`file(${JSON.stringify(path)}): the path must be absolute`)
  }

  content(content: string | Uint8Array): File {
    return this.with<File>({ bytes: Buffer.from(content) })
  }

  template<D>(template: (data: D) => string, data: D): File {
    return this.content(template(data))
  }

  source(path: string): File {
    const here = Origin.here().place?.file
    return this.with<File>({ local: isAbsolute(path) || !here ? path : join(dirname(here), path) })
  }

  absent(): File {
    return this.with<File>({ isAbsent: true })
  }

  mode(mode: Mode): File {
    const parsed = parseMode(mode)
    return isProblem(parsed) ? this.wrong(parsed.problem) : this.with<File>({ owned: { ...this.owned, mode: parsed } })
  }

  owner(user: string, group = user): File {
    return this.with<File>({ owned: { ...this.owned, owner: user, group } })
  }

  override get localFiles() {
    return this.local === undefined ? [] : [this.local]
  }

  override supplied(contents: ReadonlyMap<string, Uint8Array>): this {
    return this.with<File>({ bytes: contents.get(this.local!) })
  }

  get wishes() {
    const place = fileAt(this.id, this.bytes)
    if (this.isAbsent) return [want(place, absentFile, { whole: 'absent' })]
    const content = this.bytes && tellContent(this.bytes)
    const whole = content && { content, ...this.owned }
    return [want(place, (now, as) => asWished(this.id, content, this.owned, now, as), { whole })]
  }
}

/**
 * What is at a path: the whole of a file, directory or link. Contents of more than 256 KiB are told by their digest;
 * to write those, their bytes must be given.
 */
export function fileAt(path: string, bytes?: Uint8Array): Resource<FileState> {
  return {
    key: `file:${path}`,
    read: fileState(path),
    write: (to, from) => writeFile(path, to, from, bytes),
    show: showFile,
    text: (value) => (value.type === 'file' && 'text' in value.content ? value.content.text : undefined),
    fresh: { type: 'absent' },
  }
}

/** How a content is told: as it is, or by its digest where it is large. */
export function tellContent(bytes: Uint8Array): Content {
  if (bytes.length <= inlineLimit) return contentOf(bytes)
  return { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length }
}

function asWished(path: string, content: Content | undefined, owned: Partial<Owned>, now: FileState, as: Identity): FileState {
  if (now.type === 'directory') throw new Failure('E_REFUSED', `${path} is a directory.`)
  if (now.type === 'file') return { ...now, ...owned, content: content ?? now.content }
  if (!content) throw new Failure('E_REFUSED', `${path} is no file, and the task does not say its content.`)
  return { type: 'file', content, mode: '0644', owner: as.user, group: as.group, ...owned }
}

function absentFile(now: FileState): FileState {
  if (now.type === 'directory') throw new Failure('E_REFUSED', 'A directory is there; directory().absent() removes one.')
  return { type: 'absent' }
}

function writeFile(path: string, to: FileState, from: FileState, bytes: Uint8Array | undefined): Script {
  switch (to.type) {
    case 'absent':
      return (from.type === 'directory' ? sh`rmdir -- ${path}` : sh`rm -f -- ${path}`).touches()
    case 'link':
      return sh`ln -sfn -- ${to.target} ${path}`.touches()
    case 'directory':
      return lines(...(from.type === 'directory' ? [] : [sh`mkdir -- ${path}`]), ownership(path, to)).touches()
    case 'other':
      throw new Failure('E_REFUSED', `${path} is a socket, a pipe or a device, which cannot be written.`)
    case 'file':
      if (from.type === 'file' && sameContent(from.content, to.content)) return ownership(path, to).touches()
      return replace(path, to, to.content, bytes).touches()
  }
}

function ownership(path: string, { mode, owner, group }: Owned): Script {
  // Ownership first: a change of owner takes away setuid and setgid.
  return lines(sh`chown -- ${`${owner}:${group}`} ${path} || exit`, sh`chmod -- ${mode} ${path}`)
}

/** Writes beside the place and renames. The name is free of the file's own, which may be as long as a name can be. */
function replace(path: string, owned: Owned, content: Content, bytes: Uint8Array | undefined): Script {
  const data = bytesOf(content) ?? bytes
  if (!data) throw new Failure('E_REFUSED', `The content of ${path} is known by its digest only.`)
  return sh`t=${dirname(path)}/.fleetplay.$$
trap 'rm -f -- "$t"' EXIT
umask 077
set -C
: >"$t" || exit
dd of="$t" bs=65536 conv=notrunc,fsync status=none || exit
chown -- ${`${owned.owner}:${owned.group}`} "$t" && chmod -- ${owned.mode} "$t" && mv -fT -- "$t" ${path}`.reading(data)
}

function sameContent(a: Content, b: Content): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function showFile(value: FileState): string {
  switch (value.type) {
    case 'absent':
      return 'absent'
    case 'link':
      return `link to ${value.target}`
    case 'file':
      return `${size(value.content)} ${value.mode} ${value.owner}:${value.group}`
    default:
      return `${value.type} ${value.mode} ${value.owner}:${value.group}`
  }
}

function size(content: Content): string {
  if ('size' in content) return `${content.size} bytes (${content.sha256.slice(0, 8)})`
  if ('base64' in content) return `${bytesOf(content)!.length} bytes`
  const count = content.text.split('\n').length - (content.text.endsWith('\n') || content.text === '' ? 1 : 0)
  return `${count} ${count === 1 ? 'line' : 'lines'}`
}
