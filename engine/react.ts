/** Which handlers are due on a host, once each, in the play's order. */

import type { Handler } from '../dsl/handler.ts'
import type { CompiledTask } from './compile.ts'
import type { As } from './host.ts'

export interface Due {
  readonly handler: Handler
  /** Titles of the tasks that notified it. */
  readonly because: readonly string[]
  readonly as: As
}

/** The handlers that changed tasks notify: equal ones are one, and one that another absorbs is left out. */
export function dueHandlers(changed: readonly CompiledTask[]): readonly Due[] {
  const due = new Map<string, Due>()
  for (const { handlers, info, as } of changed) {
    for (const handler of handlers) {
      const known = due.get(handler.key)
      due.set(
        handler.key,
        known
          ? { ...known, because: [...new Set([...known.because, info.title])] }
          : { handler, because: [info.title], as },
      )
    }
  }
  const absorbed = new Set([...due.values()].flatMap(({ handler }) => handler.absorbs))
  return [...due.values()].filter(({ handler }) => !absorbed.has(handler.key))
}
