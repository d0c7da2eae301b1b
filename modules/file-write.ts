/** Scripts that move a path from one state to another, so that nobody ever sees a half and nothing is left beside it. */

import { createHash } from 'node:crypto'
import { dirname } from 'node:path/posix'
import { Failure } from '../errors/failure.ts'
import { bytesOf, type FileState, type Owned } from '../probe/file.ts'
import { forgetKept, keptFolder, makeKeptFolder } from '../probe/kept-folder.ts'
import { lines, type Script, sh } from '../shell/script.ts'

/** What a path must become; `bytes` are those of a content that is told by its digest. */
export function writeFile(path: string, to: FileState, from: FileState, bytes?: Uint8Array): Script {
  const script = scriptFor(path, to, from, bytes)
  // What is in the directory is a place too. A mode or a content does not move it.
  return to.type === 'absent' || from.type === 'absent' ? script.touches(`file:${dirname(path)}/`) : script.touches()
}

/** Fails, and nothing is written, where the file is no longer as it was read: for files that others write too. */
export function unchanged(path: string, from: FileState): Script {
  const failed = sh`{ echo ${`${path} was changed by somebody else after it was read; nothing was written`} >&2; exit 1; }`
  if (from.type !== 'file') return sh`[ ! -e ${path} ] && [ ! -L ${path} ] || ${failed}`
  const bytes = bytesOf(from.content)
  if (!bytes) throw new Error(`${path} is known by its digest only`)
  const sum = createHash('sha256').update(bytes).digest('hex')
  return sh`[ "$(sha256sum <${path})" = ${`${sum}  -`} ] || ${failed}`
}

/** Bytes that never came to us stay on the host when they are replaced, so that they can be put back. */
function scriptFor(path: string, to: FileState, from: FileState, bytes: Uint8Array | undefined): Script {
  const isKept = from.type === 'file' && 'sha256' in from.content && !(to.type === 'file' && sameContent(from, to))
  const script = moveScript(path, to, from, bytes)
  return isKept ? lines(keep(path, from.content.sha256), script).called(script.brief) : script
}

/** By a link where that can be: it costs no room while the file is there, and none is torn by a power cut. */
function keep(path: string, sha256: string): Script {
  return sh`(
${makeKeptFolder}
ln -f -- ${path} "$kept"/${sha256} 2>/dev/null || { cp -- ${path} "$kept"/${`.${sha256}`} && mv -f -- "$kept"/${`.${sha256}`} "$kept"/${sha256}; } || exit
${forgetKept}
) || exit`
}

function moveScript(path: string, to: FileState, from: FileState, bytes: Uint8Array | undefined): Script {
  switch (to.type) {
    case 'absent':
      return from.type === 'directory' ? sh`rmdir -- ${path}` : sh`rm -f -- ${path}`
    case 'link':
      return sh`${aside(path)}
ln -sT -- ${to.target} "$t" && mv -fT -- "$t" ${path} && trap - EXIT`.called(`ln -s ${to.target} ${path}`)
    case 'directory':
      return makeDirectory(path, to, from)
    case 'other':
      throw new Failure('E_REFUSED', `${path} was a socket, a pipe or a device, which cannot be made again.`)
    case 'file': {
      if (from.type === 'file' && sameContent(from, to)) return chown(path, to, from)
      const { content } = to
      const data = 'sha256' in content ? withDigest(content.sha256, bytes) : bytesOf(content)
      if (data) return replaceFile(path, to).reading(data)
      return putBack(path, to, (content as { readonly sha256: string }).sha256)
    }
  }
}

/**
 * Writes beside the place and renames. Content, owner and mode go through the open descriptor: where the directory
 * belongs to somebody else, the name could be made to mean another file in the meantime.
 */
function replaceFile(path: string, { mode, owner, group }: Owned): Script {
  return sh`${aside(path)}
exec 4>"$t" || exit
dd bs=65536 conv=fsync status=none >&4 || exit
chown -- ${`${owner}:${group}`} /proc/self/fd/4 && chmod -- ${mode} /proc/self/fd/4 && mv -fT -- "$t" ${path} && trap - EXIT`.called(
    `write ${path}`,
  )
}

/** The bytes, where they are those of the digest: to put something back, others are wanted than the task brings. */
function withDigest(sha256: string, bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes && createHash('sha256').update(bytes).digest('hex') === sha256 ? bytes : undefined
}

/** Writes what a run kept on the host. */
function putBack(path: string, to: Owned, sha256: string): Script {
  const gone = `what ${path} held is not kept on the host any more`
  return sh`${keptFolder}
[ "$(sha256sum 2>/dev/null <"$kept"/${sha256})" = ${`${sha256}  -`} ] || { echo ${gone} >&2; exit 1; }
exec <"$kept"/${sha256}
${replaceFile(path, to)}`.called(`write ${path}`)
}

/**
 * A name beside the place that did not exist; it goes when the script ends, however it ends. One that an earlier script
 * left, because it was killed or the power failed, goes now: whoever was not finished will write the same place again.
 * The name is free of the place's own, which may be as long as a name can be.
 */
function aside(path: string): Script {
  const name = `.fleetplay.${createHash('sha256').update(path).digest('hex').slice(0, 12)}`
  return sh`n=${dirname(path)}/${name}
for t in "$n".*; do [ ! -L "$t" ] && [ ! -f "$t" ] || rm -f -- "$t" || exit; done
t=$n.$$
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
umask 077
set -C`
}

function makeDirectory(path: string, to: Owned, from: FileState): Script {
  if (from.type === 'directory') return chown(path, to, from, '0')
  // Closed until its owner is right.
  return lines(sh`mkdir -m 0700 -- ${path} || exit`.called(`mkdir ${path}`), chown(path, to, undefined, '0'))
}

/**
 * Owner first: a change of owner takes away setuid and setgid. Neither follows a link that came in the meantime
 * (chmod would). GNU chmod keeps setuid and setgid of a directory unless the mode has a digit more.
 */
function chown(path: string, { mode, owner, group }: Owned, from: Owned | undefined, digit = ''): Script {
  const chmod = sh`[ ! -L ${path} ] || { echo ${`${path} has become a link`} >&2; exit 1; }
chmod -- ${digit + mode} ${path}`.called(`chmod ${mode} ${path}`)
  if (from?.owner === owner && from.group === group) return chmod
  return lines(sh`chown -h -- ${`${owner}:${group}`} ${path} || exit`.called(`chown ${owner}:${group} ${path}`), chmod)
}

function sameContent(a: FileState & { type: 'file' }, b: FileState & { type: 'file' }): boolean {
  return JSON.stringify(a.content) === JSON.stringify(b.content)
}
