/** Ctrl-C: the first one lets the tasks in hand come to their end, the second one ends us. */

import { exitStatus } from './exit.ts'

export interface Stopping {
  /** Whether a first Ctrl-C came. */
  readonly asked: () => boolean
  /** Signals have their usual meaning again. */
  readonly forget: () => void
}

/** @param told what the user is told, when it is asked for and before it is done by force */
export function stopping(told: { readonly first: () => void; readonly second: () => void }): Stopping {
  let asked = false
  const listener = () => {
    if (asked) {
      told.second()
      process.exit(exitStatus.interrupted)
    }
    asked = true
    told.first()
  }
  process.on('SIGINT', listener)
  process.on('SIGTERM', listener)
  return {
    asked: () => asked,
    forget: () => {
      process.off('SIGINT', listener)
      process.off('SIGTERM', listener)
    },
  }
}
