/** What two tasks may disagree on inside of places that each of them reads and writes in one go. */

import { type Resource, want, type Wish } from '../../dsl/resource.ts'
import { Probe } from '../../probe/probe.ts'

/**
 * Claims a name for one task, with what it says of it. Directives and keys are read and written together, as one place for
 * each task; so that two tasks that mean the same one are found before any connection. Nothing is read for it.
 */
export function claim(key: string, label: string, says: string): Wish {
  const resource: Resource<string | null> = {
    key,
    label,
    read: Probe.known(null),
    show: (value) => value ?? 'unclaimed',
    fresh: null,
  }
  return want(resource, (now) => now, { whole: says })
}
