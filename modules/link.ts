/** Symbolic links. */

import { pathProblem } from '../dsl/host-path.ts'
import { look, want, type Wish } from '../dsl/resource.ts'
import { type Reading, Task, type Verdict } from '../dsl/task.ts'
import { Failure } from '../errors/failure.ts'
import type { FileState } from '../probe/file.ts'
import { directoryOf, fileAt, needsDirectory } from './file.ts'

/** A link of which it is not said where it leads. */
export interface LinkStart {
  /**
   * Where it leads: any text that a link can hold, relative to the link's own directory or absolute.
   * Nothing needs to be there.
   */
  to(target: string): Link
  /** No link here. A file or directory is refused in the plan. */
  absent(): Link
}

/**
 * A symbolic link. One that leads elsewhere is replaced in one step: nobody ever finds no link.
 *
 * A path that is relative or not plain and an empty target are told before any connection. A file or directory in its
 * place and a directory above that does not exist are refused in the plan.
 *
 * @example
 * link('/etc/nginx/sites-enabled/coaching').to('../sites-available/coaching')
 * link('/etc/nginx/sites-enabled/default').absent()
 */
export function link(path: string): LinkStart {
  return new Link(path)
}

export class Link extends Task implements LinkStart {
  readonly module = 'link'
  readonly id: string
  /** What should be there, when it is said. */
  readonly wished: FileState | undefined

  /** @internal Made by `link()`. */
  constructor(path: string) {
    super()
    this.id = path
    const problem = pathProblem(path)
    if (problem) return this.wrong(`link: ${problem}`)
  }

  to(target: string): Link {
    return this.says({ type: 'link', target }).wrong(targetProblem(this.id, target))
  }

  absent(): Link {
    return this.says({ type: 'absent' })
  }

  override get unfinished() {
    return this.wished ? undefined : `link ${this.id} leads nowhere: end it with .to(target) or .absent()`
  }

  get wishes(): readonly Wish[] {
    const { wished } = this
    if (!wished) return []
    const place = want(fileAt(this.id), (now) => replaced(this.id, now, wished), { whole: wished })
    return wished.type === 'absent' ? [place] : [look(directoryOf(this.id)), place]
  }

  override judge(reading: Reading): readonly Verdict[] {
    return this.wished?.type === 'link' ? needsDirectory(this.id, reading) : []
  }

  private says(wished: FileState): Link {
    const next = this.with<Link>({ wished })
    return next.wrong(this.wished ? `link ${this.id} is said twice` : undefined)
  }
}

/** The longest text that Linux keeps in a link, in bytes. */
const longestTarget = 4095

function targetProblem(path: string, target: string): string | undefined {
  if (target === '' || target.includes('\0')) return `link ${path}: ${JSON.stringify(target)} is no target`
  if (Buffer.byteLength(target) > longestTarget) return `link ${path}: the target is longer than ${longestTarget} bytes`
  return undefined
}

function replaced(path: string, now: FileState, wished: FileState): FileState {
  if (now.type === 'link' || now.type === 'absent') return wished
  const what = { file: 'a file', directory: 'a directory', other: 'a socket, a pipe or a device' }[now.type]
  throw new Failure('E_REFUSED', `${path} is ${what}, and no link.`, { hint: 'Remove it first, if it may go.' })
}
