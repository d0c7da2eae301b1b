/** What must be true of every plan and its run, whatever the play and the host. */

import type { Told } from './only.ts'

/** A note of a plan on what it cannot be sure of, which no run has. */
const unsure = /^(as far as is known before|known after) /

/** What is said of a change, but for how sure it was. */
const essence = ({ tasks }: Told) =>
  tasks.map(({ task, outcome, reason, changes, irreversible, notes, failure }) => ({
    task: `${task.index} ${task.title}`,
    outcome,
    reason,
    changes: changes.map(({ key, label, before, after, diff, unprovable }) => ({
      key,
      label,
      before,
      after,
      diff,
      unprovable,
    })),
    notes: notes.filter((note) => !unsure.test(note)),
    irreversible,
    failure: failure && `${failure.code} ${failure.message}`,
  }))

const reactionsOf = ({ reactions }: Told) => reactions.map(({ handler, because }) => ({ handler, because }))

/**
 * The task where the run failed, if it did, and the plan had not said so: it must be one of which the plan was not sure, because
 * an earlier one might have brought what it lacks.
 */
export function unforeseen(plan: Told, run: Told): number | undefined {
  const i = run.tasks.findIndex(({ outcome }, at) => outcome === 'failed' && plan.tasks[at]?.outcome !== 'failed')
  if (i < 0) return undefined
  const { task, changes, notes } = plan.tasks[i]!
  const isUnsure = changes.some(({ dependsOn }) => dependsOn.length > 0) || notes.some((note) => unsure.test(note))
  if (!isUnsure) throw new Error(`${task.title} failed, and the plan was sure: ${run.tasks[i]!.failure?.message}`)
  return i
}

/** What a plan foretold and what came of it, for an `expect` that shows where they differ. */
export function foretold(told: Told, upTo?: number): unknown {
  return upTo === undefined ? { tasks: essence(told), reactions: reactionsOf(told) } : essence(told).slice(0, upTo)
}

/** What cannot be true of any run. */
export function lies({ tasks, recap }: Told): readonly string[] {
  const found: string[] = []
  const counts = { ok: 0, changed: 0, skipped: 0, failed: 0 }
  for (const [i, { task, outcome, changes, failure, reason }] of tasks.entries()) {
    counts[outcome]++
    if (task.index !== i) found.push(`${task.title} has the number ${task.index} and is told as ${i}`)
    if ((failure !== undefined) !== (outcome === 'failed')) found.push(`${task.title}: ${outcome}, ${failure?.message}`)
    if (failure?.code === 'E_INTERNAL') found.push(`${task.title}: ${failure.message}\n${failure.stack}`)
    if ((reason !== undefined) !== (outcome === 'skipped')) found.push(`${task.title}: ${outcome}, ${reason}`)
    if ((outcome === 'ok' || outcome === 'skipped') && changes.length > 0)
      found.push(`${task.title}: ${outcome} with changes`)
    for (const { label, before, after, diff } of changes)
      if (before === after && diff?.before === diff?.after) found.push(`${task.title}: ${label} ${before} → ${after}`)
  }
  for (const [outcome, count] of Object.entries(counts)) {
    const told = recap.tasks[outcome as keyof typeof counts]
    if (told !== count) found.push(`the recap has ${told} ${outcome}, and there are ${count}`)
  }
  if (Object.values(recap.hosts).reduce((a, b) => a + b) !== 1)
    found.push(`the recap counts ${JSON.stringify(recap.hosts)}`)
  return found
}

/** Changes that may be left to a second run: those of which nothing can be seen, and of tasks that wait for them. */
export function left(again: Told): readonly string[] {
  return again.tasks.flatMap(({ task, changes }) =>
    changes
      .filter(({ unprovable }) => !unprovable)
      .map(({ label, before, after }) => `${task.title}: ${label} ${before} → ${after}`),
  )
}
