/** Sentences about a run, for any test runner whose `expect` can be extended. */

import { type AnyResource, labelOf, type Resource, showValue } from '../dsl/resource.ts'
import { type Task, titleOf } from '../dsl/task.ts'
import type { RunResult } from './run.ts'

interface Verdict {
  readonly pass: boolean
  readonly message: () => string
}

export const matchers = {
  /** The run changed a place; from and to certain values, where they are given. */
  toChange<T>(result: RunResult, place: Resource<T>, values: { readonly from?: T; readonly to?: T } = {}): Verdict {
    const change = result.changes.find(({ key }) => key === place.key)
    const says = (name: 'from' | 'to') => (name in values ? showValue(place, values[name] as T) : undefined)
    const fits = (wanted: string | undefined, is: string) => wanted === undefined || wanted === is
    const pass = change !== undefined && fits(says('from'), change.before) && fits(says('to'), change.after)
    const wished = [says('from') && ` from ${says('from')}`, says('to') && ` to ${says('to')}`].filter(Boolean).join('')
    const did = change ? `it was changed from ${change.before} to ${change.after}` : told(result)
    return {
      pass,
      message: () => `${labelOf(place as AnyResource)} should${pass ? ' not' : ''} be changed${wished}; ${did}`,
    }
  },

  /** The run found everything as desired. */
  toBeConverged(result: RunResult): Verdict {
    const pass = result.tasks.every(({ outcome }) => outcome === 'ok' || outcome === 'skipped') && !hasLost(result)
    return {
      pass,
      message: () => (pass ? 'something should be changed; nothing was' : `nothing should be changed; ${told(result)}`),
    }
  },

  /** The run failed at a task or an observation, with a message that holds the words. */
  toFailAt(result: RunResult, task: Task | string, words: string | RegExp = ''): Verdict {
    const title = typeof task === 'string' ? task : titleOf(task)
    const ends = [...result.tasks, ...result.observations]
    const failed = ends.find((event) => event.task.title === title && event.outcome === 'failed')
    const { message = '', seen, hint } = failed?.failure ?? {}
    const said = [message, seen?.output, hint].filter(Boolean).join('\n')
    const pass = failed !== undefined && (typeof words === 'string' ? said.includes(words) : words.test(said))
    const instead = failed ? `it said: ${said}` : told(result)
    return {
      pass,
      message: () =>
        `the run should${pass ? ' not' : ''} fail at ${title}${words ? ` with ${String(words)}` : ''}; ${instead}`,
    }
  },
}

function hasLost({ hosts }: RunResult): boolean {
  return Object.values(hosts).some((outcome) => outcome === 'unreachable' || outcome === 'failed')
}

/** What became of the run, in a few lines. */
function told(result: RunResult): string {
  const lines = result.tasks
    .filter(({ outcome }) => outcome === 'changed' || outcome === 'failed')
    .flatMap(({ host, task, outcome, changes, failure }) => [
      `  ${host}  ${task.title}  ${outcome}${failure ? `: ${failure.message}` : ''}`,
      ...changes.map(({ label, before, after }) => `    ${label}  ${before} → ${after}`),
    ])
  const unexpected = result.observations.flatMap(({ host, task, failure }) =>
    failure ? [`  ${host}  ${task.title}  ${failure.message}`] : [],
  )
  const lost = Object.entries(result.hosts).filter(([, outcome]) => outcome === 'unreachable')
  const all = [...lines, ...unexpected, ...lost.map(([host]) => `  ${host}  unreachable`)]
  return all.length > 0 ? `what happened:\n${all.join('\n')}` : 'nothing was changed'
}
