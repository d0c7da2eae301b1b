/** The files of a zip archive, as far as themes and plugins need it: nothing that could end outside of its folder. */

import { crc32, inflateRawSync } from 'node:zlib'
import { Failure } from '../../errors/failure.ts'

export interface PackedFile {
  /** Below the root of the archive, with `/` between its parts. */
  readonly path: string
  readonly bytes: Uint8Array
}

/** What an archive may hold: more of it is no theme and no plugin, and would travel in one piece. */
const longest = 64 * 1024 * 1024
const most = 20_000

/**
 * The files of an archive, whole and checked. Refused are names that are absolute or lead out of the folder, symbolic links,
 * two files of one name, encrypted entries, sums that do not fit, and more than 64 MiB or 20 000 entries.
 *
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export function unzipped(archive: Uint8Array): readonly PackedFile[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength)
  const entries = directory(bytes)
  const size = entries.reduce((sum, entry) => sum + entry.size, 0)
  if (size > longest) throw wrong(`it unpacks to ${size} bytes, more than ${longest}`)
  const names = new Set<string>()
  for (const { name } of entries) {
    const bare = name.replace(/\/$/, '')
    if (names.has(bare)) throw wrong(`it holds ${JSON.stringify(bare)} twice`)
    names.add(bare)
  }
  const files = entries.filter(({ name }) => !name.endsWith('/'))
  const inFile = files.find(({ name }) => parents(name).some((parent) => files.some((other) => other.name === parent)))
  if (inFile) throw wrong(`${JSON.stringify(inFile.name)} is in something that is a file`)
  return files.map((entry) => ({ path: entry.name, bytes: content(bytes, entry) }))
}

interface Entry {
  readonly name: string
  readonly method: number
  readonly sum: number
  readonly packed: number
  readonly size: number
  readonly at: number
}

/** The list at the end of the archive, which is the one that counts. */
function directory(bytes: Buffer): readonly Entry[] {
  const end = bytes.lastIndexOf(Buffer.from('PK\u0005\u0006', 'latin1'))
  if (end < 0 || end + 22 > bytes.length) throw wrong('it is no zip archive')
  const count = bytes.readUInt16LE(end + 10)
  let at = bytes.readUInt32LE(end + 16)
  if (count === 0xffff || at === 0xffffffff) throw wrong('it is in the Zip64 format, for archives of more than 4 GiB')
  if (count > most) throw wrong(`it has ${count} entries, more than ${most}`)
  return Array.from({ length: count }, () => {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== 0x02014b50) throw wrong('its directory is damaged')
    const [nameLength, extra, comment] = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field)) as [
      number,
      number,
      number,
    ]
    const name = decoded(bytes.subarray(at + 46, at + 46 + nameLength))
    const problem = nameProblem(name) ?? kindProblem(name, bytes.readUInt8(at + 5), bytes.readUInt32LE(at + 38))
    if (problem) throw wrong(problem)
    if ((bytes.readUInt16LE(at + 8) & 1) !== 0) throw wrong(`${JSON.stringify(name)} is encrypted`)
    const entry: Entry = {
      name,
      method: bytes.readUInt16LE(at + 10),
      sum: bytes.readUInt32LE(at + 16),
      packed: bytes.readUInt32LE(at + 20),
      size: bytes.readUInt32LE(at + 24),
      at: bytes.readUInt32LE(at + 42),
    }
    at += 46 + nameLength + extra + comment
    return entry
  })
}

function content(bytes: Buffer, { name, method, sum, packed, size, at }: Entry): Uint8Array {
  const damaged = wrong(`${JSON.stringify(name)} is damaged`)
  if (at + 30 > bytes.length || bytes.readUInt32LE(at) !== 0x04034b50) throw damaged
  const nameLength = bytes.readUInt16LE(at + 26)
  const from = at + 30 + nameLength + bytes.readUInt16LE(at + 28)
  if (decoded(bytes.subarray(at + 30, at + 30 + nameLength)) !== name || from + packed > bytes.length) throw damaged
  const data = bytes.subarray(from, from + packed)
  if (method !== 0 && method !== 8)
    throw wrong(`${JSON.stringify(name)} is packed by method ${method}; stored and deflated are known`)
  let plain: Buffer = data
  if (method === 8 && size > 0) {
    try {
      plain = inflateRawSync(data, { maxOutputLength: size })
    } catch {
      throw damaged
    }
  }
  if (method === 8 && size === 0) plain = Buffer.alloc(0)
  if (plain.length !== size || crc32(plain) !== sum) throw damaged
  return plain
}

function nameProblem(name: string): string | undefined {
  const shown = JSON.stringify(name)
  const parts = name.replace(/\/$/, '').split('/')
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) return `${shown} is an absolute name`
  if (parts.includes('..')) return `${shown} leads out of its folder`
  // oxlint-disable-next-line no-control-regex -- no file of a theme has them
  if (/[\\\u0000-\u001f\u007f]/.test(name) || parts.some((part) => part === '' || part === '.'))
    return `${shown} is no plain name`
  return parts.some((part) => Buffer.byteLength(part) > 255) || Buffer.byteLength(name) > 1024
    ? `${shown} is too long`
    : undefined
}

/** Where the archive was made on Unix, the upper half of the attributes is the mode of the file. */
function kindProblem(name: string, madeOn: number, attributes: number): string | undefined {
  if (madeOn !== 3) return undefined
  const kind = attributes >>> 28
  if (kind === 0o12) return `${JSON.stringify(name)} is a symbolic link`
  return kind === 0 || kind === 0o10 || kind === 0o4
    ? undefined
    : `${JSON.stringify(name)} is neither file nor directory`
}

function parents(name: string): readonly string[] {
  const parts = name.split('/')
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'))
}

function decoded(bytes: Buffer): string {
  const name = bytes.toString()
  if (!Buffer.from(name).equals(bytes)) throw wrong(`it has a name that is not UTF-8: ${JSON.stringify(name)}`)
  return name
}

function wrong(what: string): Failure {
  return new Failure('E_PLAY_INVALID', what)
}
