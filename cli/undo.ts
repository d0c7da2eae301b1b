/** `play undo RUN`: turns a run round. It is planned first, and shown; what the world has moved on from is refused, each by itself. */

import type { InventoryHost } from '../dsl/inventory.ts'
import type { Event, TaskInfo } from '../engine/events.ts'
import { type RunRecord, readRun } from '../engine/history.ts'
import type { At } from '../engine/journal.ts'
import { type Done, type Undoing, undoing } from '../engine/undo.ts'
import { aim } from '../engine/aim.ts'
import { Failure } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import { agreed } from './consent.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import { playsOf } from './load.ts'
import { type PerformOptions, type Performance, perform } from './perform.ts'
import { prepare } from './prepare.ts'
import { runName } from './run-files.ts'
import { projectSeal } from './seal.ts'
import { Recorder } from '../engine/recorded.ts'

export interface UndoOptions extends PerformOptions {
  readonly limit?: string | undefined
  /** Titles of the tasks to turn round; all of them where none is named. */
  readonly task: readonly string[]
  /** Without asking. */
  readonly yes?: boolean
  /** All but what is refused. */
  readonly rest?: boolean
}

/**
 * @param resumes the undo that this one goes on with
 * @throws Failure E_RUN_NOT_FOUND; Mistakes before any connection
 */
export async function undo(name: string, options: UndoOptions, resumes?: string): Promise<ExitStatus> {
  const record = readRun(name)
  const { header } = record
  const { inventory, options: then } = header
  const prepared = await prepare(header.play, { inventory, extraVars: then.extraVars, tags: [], skipTags: [] })
  const chosen = chosenTasks(record, options.task)
  const said = playsOf(prepared.play.plays)
  const turn = (without: ReadonlySet<string>): Undoing =>
    undoing(record, {
      plays: said,
      fleet: prepared.inventory.hosts,
      chooses: (task) => chosen(task) && !without.has(nameOf(task, task.index)),
      recorder: new Recorder(projectSeal),
    })
  const performance = (turned: Undoing, first: readonly Event[], isPlan: boolean): Performance => {
    const plays = isPlan ? turned.plays : [...turned.plays, ...turned.onceMore]
    const stages = aim({ plays, hosts: prepared.inventory.hosts, limit: options.limit, ...all })
    const meant = new Set(stages.flat().flatMap(({ hosts }) => hosts))
    return {
      prepared: {
        inventory: prepared.inventory,
        aimed: prepared.inventory.hosts.filter((host) => meant.has(host)),
        tasks: stages.flat().reduce((sum, { tasks }) => sum + tasks.length, 0),
        stages,
        plays,
      },
      title: `undo of ${header.id}, ${prepared.play.name}`,
      header: isPlan
        ? undefined
        : {
            ...header,
            id: runName(),
            kind: 'undo',
            of: header.id,
            resumes,
            options: { ...header.options, ...all, limit: options.limit, task: options.task },
            started: new Date().toISOString(),
          },
      limit: options.limit,
      ...all,
      first: first.filter((event) => options.limit === undefined || !('host' in event) || isMeant(meant, event.host)),
      again: undefined,
    }
  }

  const whole = turn(new Set())
  if (whole.plays.length === 0) return nothing(whole)
  const plan = await perform(performance(whole, whole.irreversible.flatMap(leftEvent), true), options)
  const refused = refusedTasks(plan.events, whole)
  // Where nothing is left to be turned round, there is nothing to agree to.
  if (!plan.pending) return refused.length > 0 ? exitStatus.failed : plan.status
  const isAgreed = await agreed({
    question: refused.length > 0 ? 'Turn round the rest?' : 'Turn this round?',
    yes: (options.yes ?? false) && (refused.length === 0 || (options.rest ?? false)),
    hint: refused.length > 0 ? 'What is refused stays as it is; --yes --rest does the rest.' : '--yes does it.',
  })
  if (!isAgreed) return refused.length > 0 ? exitStatus.failed : exitStatus.pending
  const rest = turn(new Set(refused.map(({ done }) => nameOf(done, done.task.index))))
  if (rest.plays.length === 0) return exitStatus.failed
  const left = [...whole.irreversible.flatMap(leftEvent), ...refused.map(({ event }) => event)]
  return (await perform(performance(rest, left, false), options)).status
}

function isMeant(meant: ReadonlySet<InventoryHost>, name: string): boolean {
  return [...meant].some((host) => host.name === name)
}

const all = { tags: [], skipTags: [] }

/** Whether a task is chosen by its title. */
function chosenTasks({ moves }: RunRecord, titles: readonly string[]) {
  const known = [...new Set(moves.map(({ task }) => task.title))]
  for (const title of titles) {
    if (known.includes(title)) continue
    const close = nearest(title, known)
    const hint = close ? `Did you mean ${close}?` : `It has changed something by: ${known.join(', ') || 'no task'}.`
    throw new Failure('E_OPTION', `--task ${title}: the run has changed nothing by a task of this title.`, { hint })
  }
  return ({ title }: Pick<TaskInfo, 'title'>) => titles.length === 0 || titles.includes(title)
}

function nothing({ irreversible }: Undoing): ExitStatus {
  const why = irreversible.map(({ host, task, why }) => `  ${task.title} on ${host}: ${why.join(', ')}\n`)
  process.stdout.write(`There is nothing to turn round.\n${why.join('')}`)
  return why.length > 0 ? exitStatus.failed : exitStatus.fine
}

/** Tells of a task that it stays as it is. */
function leftEvent(done: Done & { readonly why: readonly string[] }): readonly Event[] {
  return [stays(done, `cannot be turned round: ${done.why.join(', ')}`)]
}

function stays({ play, host, task }: At & { readonly task: TaskInfo }, reason: string): Event {
  const nothing = { changes: [], notes: [], irreversible: [], failure: undefined, ignored: false }
  return { type: 'task', play, host, task, outcome: 'skipped', reason, ...nothing }
}

/** What the plan says cannot be turned round, and what is told of it when the rest is. */
function refusedTasks(events: readonly Event[], whole: Undoing) {
  return events.flatMap((event) => {
    if (event.type !== 'task' || event.outcome !== 'failed') return []
    const done = whole.turns(event, event.task)
    return done ? [{ done, event: stays(event, `refused: ${event.failure?.message}`) }] : []
  })
}

function nameOf({ play, host }: At, index: number): string {
  return JSON.stringify([play, host, index])
}
