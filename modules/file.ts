/** Files that are owned whole: content, mode, owner and group, written at once and never torn. */

import { createHash } from 'node:crypto'
import { dirname as localDirname, isAbsolute, join } from 'node:path'
import { dirname } from 'node:path/posix'
import { halfCharacter } from '../dsl/half-character.ts'
import { pathProblem } from '../dsl/host-path.ts'
import { Origin } from '../dsl/origin.ts'
import { type Identity, look, type Resource, want, type Wish } from '../dsl/resource.ts'
import { type Reading, refuse, Task, type Verdict } from '../dsl/task.ts'
import { mode as parseMode, type Mode } from '../dsl/units.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import { bytesOf, type Content, contentOf, type FileState, fileState, inlineLimit, type Owned } from '../probe/file.ts'
import { isSecret, reveal, type Secret } from '../shell/secret.ts'
import { writeFile } from './file-write.ts'
import { ownersLooked, unknownOwners } from './owners.ts'

/** A file whose content is not said yet. */
export interface FileStart {
  /**
   * The content, byte for byte. A file with a secret is `0600` where it is new; a mode by which others may read it is told before any
   * connection, and refused in the plan where the file has it already. Nothing of its content is told, before or after.
   *
   * @example
   * file('/root/.my.cnf').content(secret.text`[client]\npassword=${secret.env('DB_PASSWORD')}\n`)
   */
  content(content: string | Uint8Array | Secret): File
  /**
   * The content that a function makes of some data.
   *
   * @example
   * file('/etc/motd').template(motd, { domain: vars.domain })
   */
  template<D>(template: (data: D) => string, data: D): File
  /** The content of a local file; its path is relative to the file that says it. A missing one is told before any connection. */
  source(path: string): File
  /** No file and no link here. A directory, a socket, a pipe and a device are refused in the plan. */
  absent(): File
  /** Only the mode of a file that exists, or with a content the mode of it. Four octal digits in quotes: `'0644'`. */
  mode(mode: Mode): File
  /** Only the owner of a file that exists, or with a content the owner of it. Names, or numbers of those that have no name. @default group user */
  owner(user: string, group?: string): File
}

/**
 * A file with a content, a mode and an owner. It is written beside its place and renamed, so nobody ever reads half of it.
 * What is not said of mode and owner stays as it is; a new file is `0644` and belongs to the user who writes it.
 * A symbolic link in its place is replaced by the file. Hard links, ACLs and extended attributes of the file before are
 * not carried over.
 *
 * A path that is relative or not plain (`/etc//motd`) and a mode that is not octal are told before any connection.
 * A directory, socket, pipe or device in its place, a directory above that does not exist, and an owner or a group that the
 * host does not know are refused in the plan.
 * What was larger than 256 KiB stays on the host for `play undo`: for 30 days, and a GiB of all such contents.
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
  readonly said: Uint8Array | Secret | undefined
  readonly local: string | undefined
  readonly isAbsent: boolean = false
  readonly owned: Partial<Owned> = {}

  /** @internal Made by `file()`. */
  constructor(path: string) {
    super()
    this.id = path
    const problem = pathProblem(path)
    if (problem) return this.wrong(`file: ${problem}`)
  }

  content(content: string | Uint8Array | Secret): File {
    const problem = typeof content === 'string' ? halfCharacter(content) : undefined
    const said = isSecret(content) ? content : Buffer.from(content)
    return this.says({ said, local: undefined }).wrong(problem && `file ${this.id}: ${problem}`)
  }

  template<D>(template: (data: D) => string, data: D): File {
    return this.content(template(data))
  }

  source(path: string): File {
    const here = Origin.here().place?.file
    return this.says({ local: isAbsolute(path) || !here ? path : join(localDirname(here), path), said: undefined })
  }

  absent(): File {
    return this.says({ isAbsent: true })
  }

  mode(mode: Mode): File {
    const parsed = parseMode(mode)
    return isProblem(parsed) ? this.wrong(parsed.problem) : this.says({ owned: { ...this.owned, mode: parsed } })
  }

  owner(user: string, group = user): File {
    return this.says({ owned: { ...this.owned, owner: user, group } }).wrong(ownerProblem(user, group))
  }

  override get localFiles() {
    return this.local === undefined ? [] : [this.local]
  }

  override supplied(contents: ReadonlyMap<string, Uint8Array>): this {
    return this.with<File>({ said: contents.get(this.local!) })
  }

  override get unfinished() {
    const says = this.said || this.local !== undefined || this.isAbsent || Object.keys(this.owned).length > 0
    return says ? undefined : `file ${this.id} says nothing: give it a content, a mode, an owner, or .absent()`
  }

  get wishes(): readonly Wish[] {
    const bytes = isSecret(this.said) ? Buffer.from(reveal(this.said)) : this.said
    const place = fileAt(this.id, bytes, { sensitive: isSecret(this.said) })
    if (this.isAbsent) return [want(place, (now) => absentFile(this.id, now), { whole: { type: 'absent' } })]
    const content = bytes && tellContent(bytes)
    const whole = content && { content, ...this.owned }
    const mode = isSecret(this.said) ? '0600' : '0644'
    const desired = (now: FileState, as: Identity) => asWished(this.id, content, this.owned, now, as, mode)
    return [look(directoryOf(this.id)), ...ownersLooked(this.owned), want(place, desired, { whole })]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const needs = this.isAbsent ? [] : [...needsDirectory(this.id, reading), ...unknownOwners(this.owned, reading)]
    return isSecret(this.said) ? [...needs, ...openToOthers(this.id, reading.desired(fileAt(this.id)))] : needs
  }

  private says(fields: Partial<File>): File {
    const next = this.with<File>(fields)
    const both = next.isAbsent && (next.said || next.local !== undefined || Object.keys(next.owned).length > 0)
    const opened = opens(next) && !opens(this)
    return next
      .wrong(both ? `file ${this.id} cannot be absent and have a content, mode or owner` : undefined)
      .wrong(
        opened ? `file ${this.id} holds a secret, and its mode ${next.owned.mode} lets others read it` : undefined,
        closeHint,
      )
  }
}

/**
 * What is at a path: the whole of a file, directory or link. Contents of more than 256 KiB are told by their digest;
 * to write those, their bytes must be given. A sensitive one holds a secret: what is in it, or was, is told to nobody.
 */
export function fileAt(
  path: string,
  bytes?: Uint8Array,
  { sensitive = false }: { readonly sensitive?: boolean } = {},
): Resource<FileState> {
  return {
    key: `file:${path}`,
    ...(sensitive && { sensitive }),
    read: fileState(path),
    write: (to, from) => writeFile(path, to, from, bytes),
    show: showFile,
    showPlain: (value) => ('mode' in value ? `${value.mode} ${value.owner}:${value.group}` : undefined),
    text: (value) => (value.type === 'file' && 'text' in value.content ? value.content.text : undefined),
    fresh: { type: 'absent' },
  }
}

/** A directory that something else needs. On a mock host of which nothing is said it is there. */
export function directoryAt(path: string): Resource<FileState> {
  return { ...fileAt(path), fresh: { type: 'directory', mode: '0755', owner: 'root', group: 'root' } }
}

/** The directory that a path is in. */
export function directoryOf(path: string): Resource<FileState> {
  return directoryAt(dirname(path))
}

/** Refuses a new file or link in a directory that does not exist, for tasks that look at `directoryOf` it. */
export function needsDirectory(path: string, { now, certain }: Reading): readonly Verdict[] {
  const place = directoryOf(path)
  const { type } = now(place)
  if (type === 'directory' || type === 'link' || (type === 'absent' && !certain(place))) return []
  if (type !== 'absent') return [refuse(`${dirname(path)} is no directory.`)]
  return [refuse(`${dirname(path)} does not exist.`, `Make it before: directory('${dirname(path)}')`)]
}

/** How a content is told: as it is, or by its digest where it is large. */
export function tellContent(bytes: Uint8Array): Content {
  if (bytes.length <= inlineLimit) return contentOf(bytes)
  return { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length }
}

const closeHint = "Say '0600', or '0640' with a group."

function opens({ said, owned }: File): boolean {
  return isSecret(said) && owned.mode !== undefined && isOpen(owned.mode)
}

function isOpen(mode: string): boolean {
  return (Number.parseInt(mode, 8) & 0o4) !== 0
}

/** Refuses a file that holds a secret and that everybody may read. */
export function openToOthers(path: string, state: FileState): readonly Verdict[] {
  if (state.type !== 'file' || !isOpen(state.mode)) return []
  return [refuse(`${path} is to hold a secret, and its mode ${state.mode} lets others read it.`, closeHint)]
}

/** What cannot be the name of a user or a group. */
export function ownerProblem(...names: readonly string[]): string | undefined {
  // oxlint-disable-next-line no-control-regex -- they would end a line of the user database
  const wrong = names.find((name) => name === '' || /[:/\u0000-\u001f]/.test(name))
  return wrong === undefined ? undefined : `${JSON.stringify(wrong)} is not the name of a user or a group`
}

function asWished(
  path: string,
  content: Content | undefined,
  owned: Partial<Owned>,
  now: FileState,
  as: Identity,
  newMode: string,
): FileState {
  if (now.type === 'directory' || now.type === 'other') throw inTheWay(path, now)
  if (now.type === 'file') return { ...now, ...owned, content: content ?? now.content }
  if (!content) {
    const seen = now.type === 'link' ? `is a link to ${now.target}` : 'does not exist'
    throw new Failure('E_REFUSED', `${path} ${seen}, and the task does not say its content.`)
  }
  return { type: 'file', content, mode: newMode, owner: as.user, group: as.group, ...owned }
}

function absentFile(path: string, now: FileState): FileState {
  if (now.type === 'directory' || now.type === 'other') throw inTheWay(path, now)
  return { type: 'absent' }
}

function inTheWay(path: string, { type }: FileState): Failure {
  if (type === 'other') return new Failure('E_REFUSED', `${path} is a socket, a pipe or a device.`)
  return new Failure('E_REFUSED', `${path} is a directory.`, { hint: `directory('${path}').absent() removes one.` })
}

function showFile(value: FileState): string {
  switch (value.type) {
    case 'absent':
      return 'absent'
    case 'link':
      return `link to ${value.target}`
    case 'file':
      return `${size(value.content)} ${value.mode} ${value.owner}:${value.group}`
    case 'directory':
    case 'other':
      return `${value.type} ${value.mode} ${value.owner}:${value.group}`
  }
}

function size(content: Content): string {
  if ('size' in content) return `${content.size} bytes (${content.sha256.slice(0, 8)})`
  if ('base64' in content) return `${bytesOf(content)!.length} bytes`
  const count = content.text.split('\n').length - (content.text.endsWith('\n') || content.text === '' ? 1 : 0)
  return `${count} ${count === 1 ? 'line' : 'lines'}`
}
