/** What was sent to a host for its tasks, and how it ended: from this is told what a task has changed. */

import { isDeepStrictEqual } from 'node:util'
import type { CompiledTask } from './compile.ts'
import type { Change } from './events.ts'
import type { Step } from './host.ts'

export interface StepRecord {
  readonly by: CompiledTask
  readonly step: Step
  /** What a reader is told of it; undefined of a configuration test. */
  readonly change: Change | undefined
  /** The reaction that moves it, where it is not the task itself. */
  readonly reaction?: string
  /** Open until the host has said how it ended; done until it was read again. */
  end: 'open' | 'done' | 'proved' | 'disproved' | 'failed' | 'not run' | 'put back'
}

/** What a task that is as desired has changed in all its attempts: one change for each place, from its first value. */
export function changesOf(records: readonly StepRecord[]): readonly Change[] {
  const moved = records.filter(({ end }) => end !== 'not run' && end !== 'put back')
  return byPlace(moved).flatMap((mine) => {
    const [first, last] = [mine[0]!, mine.at(-1)!]
    if (!first.change || !last.change || isDeepStrictEqual(first.step.from, last.step.to)) return []
    return [joined(first.change, last.change)]
  })
}

/** What a task that has failed did change before. */
export function doneOf(records: readonly StepRecord[]): readonly Change[] {
  return changesOf(records.filter(({ end }) => end === 'done' || end === 'proved'))
}

/** What is not known of a task's changes where the host was lost. */
export function unknownOf(records: readonly StepRecord[]): string | undefined {
  if (records.some(({ end }) => end === 'open'))
    return 'the host was lost in the middle: it is not known whether this was done'
  const unseen = records.some(({ end, step }) => end === 'done' && !step.resource.unprovable)
  return unseen ? 'done, but not read again: the host was lost before' : undefined
}

function byPlace(records: readonly StepRecord[]): readonly (readonly StepRecord[])[] {
  const places = new Map<string, StepRecord[]>()
  for (const record of records) {
    const { key } = record.step.resource
    places.set(key, [...(places.get(key) ?? []), record])
  }
  return [...places.values()]
}

function joined(first: Change, last: Change): Change {
  if (first === last) return first
  const diff = first.diff && last.diff && { before: first.diff.before, after: last.diff.after }
  return { ...last, before: first.before, diff }
}
