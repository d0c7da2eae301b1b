/** A folder of code that is owned whole: its files as one digest, replaced by a rename, with the one before kept beside. */

import { createHash } from 'node:crypto'
import { basename, dirname } from 'node:path/posix'
import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { type Output, Probe, tail, unparsable } from '../../probe/probe.ts'
import { lines, type Script, sh } from '../../shell/script.ts'
import { tarOf } from './tar.ts'
import type { PackedFile } from './zip.ts'

export type FolderState =
  | { readonly type: 'absent' }
  | {
      readonly type: 'folder'
      /** SHA-256 over the sums and names of its files, and over what differs from `0644`, `0755` and its owner. */
      readonly digest: string
      readonly files: number
      /** Of the folder itself. */
      readonly mode: string
      readonly owner: string
      readonly group: string
    }

/** The digest that a folder with these files has. */
export function digestOf(files: readonly PackedFile[]): string {
  const sums = files.map(({ path, bytes }) => Buffer.from(`${sha256(bytes)}  ./${path}\n`))
  return sha256(Buffer.concat(sums.toSorted((a, b) => Buffer.compare(a, b))))
}

/**
 * What is in a folder. `files` are those that it may become; another content comes back only from the copy that was
 * kept when it was replaced: `.NAME.was.DIGEST` beside it, of root alone, one for each folder.
 */
export function codeFolder(path: string, files: readonly PackedFile[] = []): Resource<FolderState> {
  return {
    key: `folder:${path}`,
    read: Probe.script(readFolder(path), (output) => parse(path, output), { aside: true }),
    write: (to, from) => writeFolder(path, to, from, files),
    show: (value) => (value.type === 'absent' ? 'absent' : shown(value)),
    fresh: { type: 'absent' },
  }
}

function shown({ digest, files, mode, owner, group }: FolderState & { type: 'folder' }): string {
  return `${files} ${files === 1 ? 'file' : 'files'} (${digest.slice(0, 8)}) ${mode} ${owner}:${group}`
}

/**
 * The digest of the folder in which it runs. What is neither file nor directory, has another mode, or another owner than the
 * folder is named in it. `sort` compares bytes, since the locale is C.
 */
const digest = sh`digest() {
  u=$(stat -c %u .) g=$(stat -c %g .)
  {
    find . -type f -exec sha256sum -- {} + || echo unread
    find . -mindepth 1 '(' ! -type f ! -type d -o -type f ! -perm 644 -o -type d ! -perm 755 -o ! -user "$u" -o ! -group "$g" ')' | sed 's/^/odd /'
  } | sort | sha256sum | cut -d ' ' -f 1
}`

function readFolder(path: string): Script {
  return lines(
    digest,
    sh`p=${path}
if [ -L "$p" ]; then echo link; exit; fi
[ -e "$p" ] || { echo absent; exit; }
[ -d "$p" ] || { echo other; exit; }
cd -- "$p" || exit
stat -c 'folder %a %U %G' . && digest && find . -type f | wc -l`,
  )
}

function parse(path: string, output: Output): FolderState {
  const text = output.stdout.toString()
  if (output.status !== 0 || output.stderr !== '') {
    const seen = { command: 'find', status: output.status, output: tail(output.stderr) }
    throw new Failure('E_UNREADABLE', `${path} could not be read whole.`, {
      seen,
      hint: 'Let the play become a user who may: .become()',
    })
  }
  if (text === 'absent\n') return { type: 'absent' }
  if (text === 'link\n')
    throw new Failure('E_UNREADABLE', `${path} is a symbolic link.`, {
      hint: 'Remove it, or leave the folder to whoever made it.',
    })
  if (text === 'other\n') throw new Failure('E_UNREADABLE', `${path} is no directory.`)
  const [, mode, owner, group, sum, files] = /^folder (\d+) (\S+) (\S+)\n([0-9a-f]{64})\n *(\d+)\n$/.exec(text) ?? []
  if (!sum) throw unparsable('a folder', output)
  return {
    type: 'folder',
    digest: sum,
    files: Number(files),
    mode: mode!.padStart(4, '0'),
    owner: owner!,
    group: group!,
  }
}

function writeFolder(path: string, to: FolderState, from: FolderState, files: readonly PackedFile[]): Script {
  const [folder, name] = [dirname(path), basename(path)]
  const kept = (state: FolderState) =>
    state.type === 'absent' ? '' : `${folder}/.${name}.was.${state.digest.slice(0, 16)}`
  const isOurs = to.type === 'folder' && files.length > 0 && digestOf(files) === to.digest
  const fresh = `${folder}/.${name}.new`
  const head = sh`p=${path} d=${folder} new=${fresh} keep=${kept(from)}
# The one before is nobody's to run: it is of whoever writes, and closed.
away() { chown -- "$(id -u):$(id -g)" "$1" && chmod 0700 -- "$1"; }
forget() { for k in ${`${folder}/.${name}.was.`}*; do [ "$k" = "$keep" ] || [ ! -e "$k" ] || rm -rf -- "$k"; done; }
rm -rf -- "$new" || exit`
  if (to.type === 'absent') {
    return lines(
      head,
      sh`rm -rf -- "$keep" && away "$p" && mv -T -- "$p" "$keep" || exit
forget`,
    )
      .called(`remove ${path}`)
      .touches(`file:${path}/*`, `file:${folder}/`)
  }
  const made = isOurs ? unpacked(to) : restored(path, kept(to), to)
  const script = lines(
    head,
    digest,
    made,
    sh`[ "$(cd -- "$new" && digest)" = ${to.digest} ] || { echo ${`${fresh} does not have the files that it should have; ${path} was left as it is`} >&2; exit 1; }
chmod -- ${to.mode} "$new" || exit
sync -f "$new" 2>/dev/null
if [ ! -e "$p" ]; then mv -T -- "$new" "$p"; exit; fi
rm -rf -- "$keep" || exit
# In one step where coreutils 9.5 is there: no request finds nothing.
if mv --exchange -T -- "$new" "$p" 2>/dev/null; then away "$new" && mv -T -- "$new" "$keep" || exit
else
  mv -T -- "$p" "$keep" || exit
  mv -T -- "$new" "$p" || { mv -T -- "$keep" "$p"; exit 1; }
  away "$keep" || exit
fi
forget`,
  )
    .called(`unpack ${path}`)
    .touches(`file:${path}/*`, `file:${folder}/`)
  return isOurs ? script.reading(tarOf(files)) : script
}

/** `-m`: a web server tells files apart by size and time, so they are of now. */
function unpacked({ owner, group }: FolderState & { type: 'folder' }): Script {
  return sh`umask 077
mkdir -- "$new" || exit
umask 022
tar -xmf - -C "$new" || exit
chown -R -h -- ${`${owner}:${group}`} "$new" || exit`
}

function restored(path: string, kept: string, { owner, group }: FolderState & { type: 'folder' }): Script {
  return sh`[ -d ${kept} ] || { echo ${`What was in ${path} is no longer kept in ${kept}`} >&2; exit 1; }
mv -T -- ${kept} "$new" && chown -- ${`${owner}:${group}`} "$new" || exit`
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
