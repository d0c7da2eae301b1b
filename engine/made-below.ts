/** Tasks that stand in the wrong order: what one is refused for the lack of, a later one makes. */

import type { CompiledTask } from './compile.ts'
import { besideOf } from './conflicts.ts'
import type { Step } from './host.ts'
import type { TaskResult } from './task-result.ts'
import { isAbsent } from './touch.ts'

/** The refusal of a task, with the later task to move up where that makes what is not there. */
export function toldOfLater(
  refused: CompiledTask,
  result: TaskResult,
  later: readonly (readonly [CompiledTask, readonly Step[]])[],
): TaskResult {
  const { failure } = result
  if (failure?.code !== 'E_REFUSED') return result
  const looked = new Set(refused.wishes.filter(({ unclaimed }) => unclaimed).map(({ resource }) => resource.key))
  const maker = later.find(([, steps]) => steps.some((step) => makes(step, looked, failure.message)))?.[0]
  if (!maker) return result
  const hint = `${maker.info.title}${besideOf(maker.info, refused.info)} makes it, below: move it up.`
  return { ...result, failure: failure.hinting(hint) }
}

/** Whether a step makes what a task looked at, and its refusal names. */
function makes(step: Step, looked: ReadonlySet<string>, message: string): boolean {
  const { key } = step.resource
  const isLooked = looked.has(key) || (step.script.touched ?? []).some((touched) => looked.has(touched))
  const words = message.replace(/\.$/, '').split(' ')
  return isLooked && words.includes(key.slice(key.indexOf(':') + 1)) && isAbsent(step.from) && !isAbsent(step.to)
}
