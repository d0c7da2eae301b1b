/** What is at a path: one `stat` and one `cat` for all the files that are asked for. */

import { Failure } from '../errors/failure.ts'
import { sh } from '../shell/script.ts'
import { type Collector, type Output, Probe, tail, unparsable } from './probe.ts'

/** Contents up to this size travel as they are; larger ones as a digest. */
export const inlineLimit = 256 * 1024

/** The bytes of a file: text where they are UTF-8, base64 where not, a digest where they are more than 256 KiB. */
export type Content =
  | { readonly text: string }
  | { readonly base64: string }
  | { readonly sha256: string; readonly size: number }

export interface Owned {
  /** Permission bits, four octal digits: `0644`. */
  readonly mode: string
  /** User name, or the number of one that has no name. */
  readonly owner: string
  readonly group: string
}

export type FileState =
  | { readonly type: 'absent' }
  | ({ readonly type: 'file'; readonly content: Content } & Owned)
  | ({ readonly type: 'directory' } & Owned)
  | { readonly type: 'link'; readonly target: string }
  /** A socket, a pipe or a device. */
  | ({ readonly type: 'other' } & Owned)

/** What is at a path; a symbolic link is not followed. */
export function fileState(path: string): Probe<FileState> {
  return Probe.of(files, path)
}

const files: Collector<string, FileState> = {
  name: 'file',
  // The first line has a letter for each path: absent, closed (a directory above may not be searched), unreadable, or
  // there; the second is what stands between contents, which no file can know. Then a line of stat for each that is
  // there, the targets of links (NUL after each), a line for the digest of each large file, the contents of the others,
  // and the status of the cat that printed them. A file that went between two looks is looked for again.
  ask: (paths) => sh`left=3
while :; do
  kinds=
  set --
  for p in ${paths}; do
    k=t
    if [ -L "$p" ]; then :
    elif [ -e "$p" ]; then [ ! -f "$p" ] || [ -r "$p" ] || k=u
    else
      k=a d=$p
      while eval "d=\${d%/*}" && [ "$d" ] && [ ! -e "$d" ]; do :; done
      [ -z "$d" ] || [ ! -d "$d" ] || [ -x "$d" ] || k=c
    fi
    kinds=$kinds$k
    [ $k != t ] || set -- "$@" "$p"
  done
  [ $# -gt 0 ] || break
  st=$(stat -c '%f %s %u %g %a %U:%G' -- "$@") && break
  left=$((left - 1))
  [ $left -gt 0 ] || exit 1
done
between=$FLEETPLAY_TMP/between
printf '\n%s\n' "$between" >"$between" || exit
printf '%s\n' "$kinds" "$between"
[ $# -gt 0 ] || exit 0
printf '%s\n' "$st"
n=0 small=
while read -r m s rest; do
  n=$((n + 1))
  case $m in
    a*) eval "readlink -n -- \"\${$n}\""; printf '\0' ;;
    8*) if [ "$s" -le ${inlineLimit} ]; then small="$small \"\${$n}\" \"\$between\""
      else eval "sha256sum <\"\${$n}\"" || echo; fi ;;
  esac
done <<END
$st
END
[ -z "$small" ] || eval "cat -- $small"
echo $?`,
  answers(output, paths) {
    const reader = new Reader(output.stdout)
    const kinds = reader.line()
    const between = Buffer.from(`\n${reader.line()}\n`)
    if (output.status !== 0 || kinds?.length !== paths.length) throw unparsable('files', output)
    if (!kinds.includes('t')) return paths.map((path, i) => unseen(kinds[i]!, path))
    const stats = kinds.split('').map((kind) => (kind === 't' ? stat(reader.line(), output) : undefined))
    const found = stats.map((s) => {
      if (s?.type === 'link') return reader.until(0)
      return isLarge(s) ? reader.until(10) : undefined
    })
    const contents = stats.map((s) => (s?.type === 'file' && !isLarge(s) ? reader.upTo(between) : undefined))
    const status = reader.line()
    // Something stands where it should not: a file holds what stands between them, or the answer was cut.
    if (!/^\d+$/.test(status ?? '') || reader.left > 0) throw unparsable('files', output)
    return paths.map((path, i) => {
      const s = stats[i]
      if (!s) return unseen(kinds[i]!, path)
      if (s.type === 'link') return link(path, found[i])
      if (s.type !== 'file') return { type: s.type, ...s.owned }
      if (isLarge(s)) return large(path, s, found[i], output)
      const bytes = contents[i]!
      // Where all were printed, another length is no mistake: the file has grown, or its file system does not know sizes.
      if (status !== '0' && bytes.length !== s.size) return unread(path, output)
      return { type: 'file', content: contentOf(bytes), ...s.owned }
    })
  },
}

/** How bytes up to the limit are told. The law is that equal bytes are told equally, wherever they come from. */
export function contentOf(bytes: Uint8Array): Content {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = buffer.toString()
  return Buffer.from(text).equals(buffer) ? { text } : { base64: buffer.toString('base64') }
}

/** The bytes of a content; undefined where only a digest is known. */
export function bytesOf(content: Content): Uint8Array | undefined {
  if ('text' in content) return Buffer.from(content.text)
  if ('base64' in content) return Buffer.from(content.base64, 'base64')
  return undefined
}

interface Stat {
  readonly type: 'file' | 'directory' | 'link' | 'other'
  readonly size: number
  readonly owned: Owned
}

/** Names are told after all numbers: there may be spaces in them, though no colon. */
function stat(line: string | undefined, output: Output): Stat {
  const [, raw, size, uid, gid, mode, user, group] =
    /^([0-9a-f]+) (\d+) (\d+) (\d+) ([0-7]+) ([^:]*):([^:]*)$/.exec(line ?? '') ?? []
  if (!raw) throw unparsable('files', output)
  const type = ({ '8': 'file', '4': 'directory', a: 'link' } as const)[raw.slice(0, -3)] ?? 'other'
  const named = (name: string, id: string) => (name === 'UNKNOWN' ? id : name)
  return {
    type,
    size: Number(size),
    owned: { mode: mode!.padStart(4, '0'), owner: named(user!, uid!), group: named(group!, gid!) },
  }
}

function isLarge(s: Stat | undefined): boolean {
  return s?.type === 'file' && s.size > inlineLimit
}

function unseen(kind: string, path: string): FileState | Failure {
  if (kind === 'a') return { type: 'absent' }
  const message =
    kind === 'u'
      ? `${path} is there, but may not be read by this user.`
      : `${path} cannot be looked at: a directory above it is closed to this user.`
  return new Failure('E_UNREADABLE', message, { hint: 'Let the play or the task become a user who may: .become()' })
}

function link(path: string, target: Buffer | undefined): FileState | Failure {
  const text = target?.toString() ?? ''
  if (text !== '' && Buffer.from(text).equals(target!)) return { type: 'link', target: text }
  return new Failure('E_UNREADABLE', `${path} is a link to a name that is not UTF-8.`)
}

function large(path: string, { size, owned }: Stat, line: Buffer | undefined, output: Output): FileState | Failure {
  const [, sha256] = /^([0-9a-f]{64})\b/.exec(line?.toString() ?? '') ?? []
  return sha256 ? { type: 'file', content: { sha256, size }, ...owned } : unread(path, output)
}

function unread(path: string, output: Output): Failure {
  return new Failure('E_UNREADABLE', `${path} could not be read.`, {
    seen: { command: 'cat', status: output.status, output: tail(output.stderr) },
  })
}

class Reader {
  #at = 0
  readonly #bytes: Buffer
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }
  get left(): number {
    return this.#bytes.length - this.#at
  }
  /** What stands before the next such byte or bytes; undefined where there are none. */
  upTo(end: Buffer): Buffer | undefined {
    const at = this.#bytes.indexOf(end, this.#at)
    if (at < 0) return undefined
    const bytes = this.#bytes.subarray(this.#at, at)
    this.#at = at + end.length
    return bytes
  }
  until(byte: number): Buffer | undefined {
    return this.upTo(Buffer.of(byte))
  }
  line(): string | undefined {
    return this.until(10)?.toString()
  }
}
