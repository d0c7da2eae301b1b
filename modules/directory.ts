/** Directories: there, with a mode and an owner, or not there. */

import { parentsOf, pathProblem } from '../dsl/host-path.ts'
import { type Beside, type Identity, look, type Resource, want, type Wish } from '../dsl/resource.ts'
import { irreversible, type Reading, refuse, Task, type Verdict } from '../dsl/task.ts'
import { mode as parseMode, type Mode } from '../dsl/units.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import type { FileState, Owned } from '../probe/file.ts'
import { Probe } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'
import { directoryAt, fileAt, ownerProblem } from './file.ts'
import { ownersLooked, unknownOwners } from './owners.ts'

export interface RemovalOptions {
  /** Removes it with all that is in it. That cannot be turned round. @default false */
  readonly recursive?: boolean
}

/**
 * A directory. One that is there keeps its mode and owner, unless they are said; a new one is `0755` and belongs to the
 * user who makes it. Directories above that are missing are made too, `0755`; each is a change of its own in the plan,
 * and nothing is claimed of them.
 *
 * A path that is relative or not plain and a mode that is not octal are told before any connection. A file in its place
 * is refused in the plan, and so is a link: name the directory that it leads to; and an owner or a group that the host does
 * not know.
 *
 * @example
 * directory('/srv/www/coaching').mode('0750').owner('deploy', 'www-data')
 * directory('/srv/www/old').absent({ recursive: true })
 */
export function directory(path: string): Directory {
  return new Directory(path)
}

export class Directory extends Task {
  readonly module = 'directory'
  readonly id: string
  readonly owned: Partial<Owned> = {}
  readonly removal: 'none' | 'empty' | 'tree' = 'none'

  /** @internal Made by `directory()`. */
  constructor(path: string) {
    super()
    this.id = path
    const problem = pathProblem(path)
    if (problem) return this.wrong(`directory: ${problem}`)
  }

  /** Its permission bits: four octal digits in quotes, `'0755'`. */
  mode(mode: Mode): Directory {
    const parsed = parseMode(mode)
    return isProblem(parsed) ? this.wrong(parsed.problem) : this.says({ owned: { ...this.owned, mode: parsed } })
  }

  /** Its owner: names, or numbers of those that have no name. @default group user */
  owner(user: string, group = user): Directory {
    return this.says({ owned: { ...this.owned, owner: user, group } }).wrong(ownerProblem(user, group))
  }

  /**
   * No directory here. One that is not empty is refused in the plan, unless it is removed as a tree; a tree in which a
   * file system is mounted is refused always, and so is a directory that a system cannot be without, such as `/etc`.
   *
   * @example
   * directory('/var/cache/coaching').absent({ recursive: true })
   */
  absent({ recursive = false }: RemovalOptions = {}): Directory {
    const vital = recursive && /^\/(?:bin|boot|dev|etc|home|lib\w*|proc|root|run|sbin|sys|usr|var)$/.test(this.id)
    return this.says({ removal: recursive ? 'tree' : 'empty' }).wrong(
      vital ? `directory ${this.id}: the system cannot be without it` : undefined,
    )
  }

  get wishes(): readonly Wish[] {
    if (this.removal !== 'none') {
      const [whole, contents] = [{ type: 'absent' }, contentsOf(this.id)]
      if (this.removal === 'tree') {
        return [look(contents), want(treeAt(this.id), (now) => removed(this.id, now), { whole })]
      }
      const emptied = (now: FileState, _: Identity, beside: Beside) => {
        // Whether it can go is as sure as that it is empty then.
        if (now.type === 'directory') beside(contents)
        return removed(this.id, now)
      }
      return [look(contents), want(fileAt(this.id), emptied, { whole })]
    }
    const above = parentsOf(this.id).map((path) => {
      return want(directoryAt(path), (now, as) => parent(path, now, as), { unclaimed: true })
    })
    const desired = (now: FileState, as: Identity) => asWished(this.id, this.owned, now, as)
    return [
      ...above,
      ...ownersLooked(this.owned),
      want(fileAt(this.id), desired, { whole: { type: 'directory', ...this.owned } }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const { now, certain } = reading
    if (this.removal === 'none') return unknownOwners(this.owned, reading)
    if (now(fileAt(this.id)).type !== 'directory') return []
    const contents = contentsOf(this.id)
    const { count, names, mounts } = now(contents)
    const sure = certain(contents)
    if (sure && mounts.length > 0) return [refuse(`A file system is mounted at ${mounts[0]}.`, 'Unmount it first.')]
    if (this.removal === 'tree') return [irreversible(`What is in ${this.id} is not kept.`)]
    if (!sure || count === 0) return []
    const more = count > names.length ? ' …' : ''
    return [refuse(`${this.id} is not empty: ${names.join(' ')}${more}`, 'Remove all: .absent({ recursive: true })')]
  }

  private says(fields: Partial<Directory>): Directory {
    const next = this.with<Directory>(fields)
    const both = next.removal !== 'none' && Object.keys(next.owned).length > 0
    return next.wrong(both ? `directory ${this.id} cannot be absent and have a mode or owner` : undefined)
  }
}

/** What is in a directory: how many entries, some names, and file systems that are mounted below. */
export interface Contents {
  readonly count: number
  readonly names: readonly string[]
  readonly mounts: readonly string[]
}

const shownNames = 5

/** What is in a directory; nothing where there is no directory. It can only be looked at. */
export function contentsOf(path: string): Resource<Contents> {
  const script = sh`p=${path}
if [ -L "$p" ] || [ ! -d "$p" ]; then printf '0\0\0'; exit; fi
[ -r "$p" ] && [ -x "$p" ] || exit 77
n=0 names=
for f in "$p"/* "$p"/.[!.]* "$p"/..?*; do
  [ -e "$f" ] || [ -L "$f" ] || continue
  n=$((n + 1))
  [ $n -gt ${shownNames} ] || { eval "f=\${f##*/}"; names="$names$f/"; }
done
printf '%s\0%s\0' $n "$names"
while read -r device m rest; do
  case $m in *\\*) m=$(printf %b. "$m"); eval "m=\${m%.}" ;; esac
  case $m in "$p" | "$p"/*) printf '%s\0' "$m" ;; esac
done </proc/self/mounts`
  return {
    key: `file:${path}/`,
    label: `contents of ${path}`,
    read: Probe.script(script, ({ status, stdout }) => {
      if (status === 77) {
        const hint = 'Let the play or the task become a user who may: .become()'
        throw new Failure('E_UNREADABLE', `This user may not look into ${path}.`, { hint })
      }
      const [count, names, ...mounts] = stdout.toString().split('\0').slice(0, -1)
      return { count: Number(count), names: names?.split('/').slice(0, -1) ?? [], mounts: mounts.filter(Boolean) }
    }),
    show: ({ count }) => `${count} ${count === 1 ? 'entry' : 'entries'}`,
    fresh: { count: 0, names: [], mounts: [] },
  }
}

/** What is at a path, where a directory is removed with all that is in it. */
function treeAt(path: string): Resource<FileState> {
  const place = fileAt(path)
  return {
    ...place,
    write: (to, from) => {
      if (to.type === 'absent') return sh`rm -rf -- ${path}`.touches(`file:${path}/*`)
      return place.write!(to, from)
    },
  }
}

function parent(path: string, now: FileState, { user, group }: Identity): FileState {
  if (now.type === 'directory' || now.type === 'link') return now
  if (now.type === 'absent') return { type: 'directory', mode: '0755', owner: user, group }
  throw inTheWay(path, now)
}

function asWished(path: string, owned: Partial<Owned>, now: FileState, { user, group }: Identity): FileState {
  if (now.type === 'directory') return { ...now, ...owned }
  if (now.type === 'absent') return { type: 'directory', mode: '0755', owner: user, group, ...owned }
  throw inTheWay(path, now)
}

function removed(path: string, now: FileState): FileState {
  if (now.type === 'directory' || now.type === 'absent') return { type: 'absent' }
  throw inTheWay(path, now)
}

function inTheWay(path: string, now: FileState): Failure {
  if (now.type === 'link') {
    const hint = 'Name the directory that it leads to, or remove the link: link(…).absent()'
    return new Failure('E_REFUSED', `${path} is a link to ${now.target}.`, { hint })
  }
  return new Failure('E_REFUSED', `${path} is a ${now.type === 'file' ? 'file' : 'socket, a pipe or a device'}.`)
}
