/** A folder of `/run` that holds the sockets of daemons. */

import type { Resource } from '../../dsl/resource.ts'
import type { FileState } from '../../probe/file.ts'
import { lines, sh } from '../../shell/script.ts'
import { fileAt } from '../file.ts'

/** The folder goes with its sockets: a daemon that gave up its rights cannot remove its own, and leaves it. */
export function socketFolder(path: string, sockets: readonly string[]): Resource<FileState> {
  const place = fileAt(path)
  return {
    ...place,
    write: (to, from) => {
      const change = place.write!(to, from)
      return to.type === 'absent' ? lines(sh`rm -f -- ${sockets}`.touches(), change) : change
    },
  }
}
