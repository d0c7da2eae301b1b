/** Tasks that hold text which cannot be sent: wherever a module keeps it, it would come to the host as another one. */

import { halfCharacter } from '../dsl/half-character.ts'
import { Origin } from '../dsl/origin.ts'
import { type Task, titleOf } from '../dsl/task.ts'
import { Failure } from '../errors/failure.ts'

/** What is wrong with the texts of a task; the modules need not look at each of theirs. */
export function halfTold(task: Task): readonly Failure[] {
  const problem = [...textsOf(task, new Set())].map(halfCharacter).find(Boolean)
  if (!problem) return []
  const hint = 'A text that was cut in the middle of a character? Cut it by characters: Array.from(text).'
  return [new Failure('E_PLAY_INVALID', `${titleOf(task)}: ${problem}.`, { hint })]
}

/** Names of fields are texts too: they may be directives. Patterns and bytes are none. */
function* textsOf(value: unknown, seen: Set<object>): Iterable<string> {
  if (typeof value === 'string') yield value
  if (typeof value !== 'object' || value === null || seen.has(value)) return
  if (value instanceof Uint8Array || value instanceof RegExp || value instanceof Origin || value instanceof Failure)
    return
  seen.add(value)
  for (const [name, each] of value instanceof Map ? value : Object.entries(value)) {
    yield* textsOf(name, seen)
    yield* textsOf(each, seen)
  }
}
