/** What is at a path: one `stat` and one `cat` for all the files that are asked for. */

import { Failure } from '../errors/failure.ts'
import { sh } from '../shell/script.ts'
import { type Collector, Probe, unparsable } from './probe.ts'

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
  // The first line has a letter for each path: absent, unreadable, or there. Then one line of stat for each that is there,
  // the targets of links (NUL after each), the digests of large files, and the contents of the others, one after another.
  ask: (paths) => sh`set --
for p in ${paths}; do
  if [ ! -L "$p" ] && [ ! -e "$p" ]; then k=a
  elif [ -f "$p" ] && [ ! -L "$p" ] && [ ! -r "$p" ]; then k=u; set -- "$@" "$p"
  else k=t; set -- "$@" "$p"; fi
  printf %s $k
done
echo
[ $# -gt 0 ] || exit 0
st=$(stat -c '%f %s %u %U %g %G %a' -- "$@") || exit
printf '%s\n' "$st"
n=0 small= large=
while read -r m s rest; do
  n=$((n + 1))
  case $m in
    a*) eval "readlink -n -- \"\${$n}\""; printf '\0' ;;
    8*) eval "[ -r \"\${$n}\" ]" || continue
      if [ "$s" -gt ${inlineLimit} ]; then large="$large \"\${$n}\""; elif [ "$s" -gt 0 ]; then small="$small \"\${$n}\""; fi ;;
  esac
done <<END
$st
END
[ -z "$large" ] || eval "sha256sum -b -- $large" | while read -r sum rest; do echo "$sum"; done
[ -z "$small" ] || eval "cat -- $small"`,
  answers(output, paths) {
    const reader = new Reader(output.stdout)
    const kinds = reader.line()
    if (output.status !== 0 || kinds?.length !== paths.length) throw unparsable('files', output)
    const stats = [...kinds].map((kind) => (kind === 'a' ? undefined : stat(reader.line())))
    const targets = stats.map((s) => (s?.type === 'link' ? reader.until(0) : undefined))
    const sums = stats.map((s, i) => (isLarge(s) && kinds[i] === 't' ? digest(reader.line()) : undefined))
    const small = stats.map((s, i) => (s?.type === 'file' && kinds[i] === 't' && !isLarge(s) ? s.size : 0))
    // A file that grew or shrank between the two looks.
    if (reader.left !== small.reduce((sum, n) => sum + n, 0)) throw unparsable('files', output)
    return paths.map((path, i) => {
      const s = stats[i]
      if (!s) return kinds[i] === 'a' ? { type: 'absent' } : unparsable(path, output)
      if (s.type === 'link') return { type: 'link', target: targets[i]! }
      if (s.type !== 'file') return { type: s.type, ...s.owned }
      if (kinds[i] === 'u') return unreadable(path)
      const sha256 = sums[i]
      const content = sha256 ? { sha256, size: s.size } : contentOf(reader.take(small[i]!))
      return { type: 'file', content, ...s.owned }
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

function stat(line: string | undefined): Stat | undefined {
  const [raw, size, uid, user, gid, group, mode] = line?.split(' ') ?? []
  if (!raw || !mode) return undefined
  const type = ({ '8': 'file', '4': 'directory', a: 'link' } as const)[raw.slice(0, -3)] ?? 'other'
  const named = (name: string, id: string) => (name === 'UNKNOWN' ? id : name)
  return {
    type,
    size: Number(size),
    owned: { mode: mode.padStart(4, '0'), owner: named(user!, uid!), group: named(group!, gid!) },
  }
}

function isLarge(s: Stat | undefined): boolean {
  return s?.type === 'file' && s.size > inlineLimit
}

/** sha256sum puts a backslash before the digest where the name has a backslash or a newline. */
function digest(line: string | undefined): string | undefined {
  return line?.slice(-64)
}

function unreadable(path: string): Failure {
  return new Failure('E_UNREADABLE', `${path} is there, but may not be read by this user.`, {
    hint: 'Let the play or the task become a user who may: `.become()`.',
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
  until(byte: number): string | undefined {
    const end = this.#bytes.indexOf(byte, this.#at)
    if (end < 0) return undefined
    const text = this.#bytes.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }
  line(): string | undefined {
    return this.until(10)
  }
  take(count: number): Buffer {
    return this.#bytes.subarray(this.#at, (this.#at += count))
  }
}
