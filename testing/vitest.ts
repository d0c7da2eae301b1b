/** Gives vitest's `expect` the matchers: `import 'fleetplay/vitest'` once in a spec or a setup file. */

import { expect } from 'vitest'
import type { Resource } from '../dsl/resource.ts'
import type { Task } from '../dsl/task.ts'
import { matchers } from './matchers.ts'

expect.extend(matchers)

declare module 'vitest' {
  // The parameter must be declared just as vitest declares it, or the two are not one interface.
  // oxlint-disable-next-line typescript/no-explicit-any
  interface Matchers<T = any> {
    /** The run changed a place; from and to certain values, where they are given. */
    toChange<V>(place: Resource<V>, values?: { readonly from?: V; readonly to?: V }): void
    /** The run found everything as desired. */
    toBeConverged(): void
    /** The run failed at a task or an observation, with a message that holds the words. */
    toFailAt(task: Task | string, words?: string | RegExp): void
  }
}
