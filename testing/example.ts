/** What a module shows of itself, so that the laws can be tried on it. */

import type { AnyResource } from '../dsl/resource.ts'
import type { Task } from '../dsl/task.ts'
import type { Script } from '../shell/script.ts'

export interface Example {
  /** `file, new`, `file, other mode`. */
  readonly name: string
  /** A task that has something to change on a host as `before` leaves it. On a real file system it writes below `root` only. */
  readonly task: (root: string) => Task
  /** Values on a mock host, where a fresh Debian's will not do. */
  readonly values?: (root: string) => readonly (readonly [AnyResource, unknown])[]
  /** Brings a real host into a state that the task has to change. */
  readonly before?: (root: string) => Script
  /** Where it may be proved beside mocks: below a temporary folder in any shell, or on a lab host only. */
  readonly proved: 'folder' | 'lab'
  /** Lab images that have what it needs. @default both */
  readonly images?: readonly ('bookworm' | 'sid')[]
  /** Makes a lab host ready, once: starts a daemon, loads a schema. */
  readonly prepare?: Script
}
