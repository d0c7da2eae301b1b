/** A run turned round: its moves from after to before, in reverse order, as plays that are planned, done and proved like any other. */

import type { Handler } from '../dsl/handler.ts'
import type { InventoryHost } from '../dsl/inventory.ts'
import { type Play, typicalFacts } from '../dsl/play.ts'
import { type AnyResource, type Beside, labelOf, look, showValue, want, type Wish } from '../dsl/resource.ts'
import { Task } from '../dsl/task.ts'
import { Failure } from '../errors/failure.ts'
import { Probe } from '../probe/probe.ts'
import { type CompiledTask, compile } from './compile.ts'
import type { TaskInfo } from './events.ts'
import type { At } from './journal.ts'
import { keptPlace } from './kept.ts'
import type { RecordedMove, RunRecord } from './history.ts'
import { otherThan, type Recorded, type Recorder } from './recorded.ts'

/** What of a run is turned round. */
export interface UndoOptions {
  /** The plays that the run was of. */
  readonly plays: readonly Play[]
  /** Their hosts, as the inventory has them now. */
  readonly fleet: readonly InventoryHost[]
  /** Whether a task of the run is chosen. */
  readonly chooses: (task: At & Pick<TaskInfo, 'index' | 'title'>) => boolean
  readonly recorder: Recorder
}

/** A task that stays as it is. */
export interface Irreversible extends Done {
  readonly why: readonly string[]
}

export interface Undoing {
  /** In the order in which they are done. */
  readonly plays: readonly Play[]
  /** Done afterwards: they look once more. A plan cannot tell what they find. */
  readonly onceMore: readonly Play[]
  readonly irreversible: readonly Irreversible[]
  /** The task of the run that a task of these plays turns round; undefined where it looks once more. */
  readonly turns: (at: At, task: TaskInfo) => Done | undefined
}

/** A task of a run with its moves, in the order in which they were begun. */
export interface Done extends At {
  readonly task: TaskInfo
  readonly moves: readonly RecordedMove[]
}

/**
 * The plays that turn a run round. When all is moved and has reacted, everything is read once more, and moved again where
 * a reaction or another move has disturbed it: a restart starts a unit that was not active before the run.
 */
export function undoing(run: RunRecord, { plays, fleet, chooses, recorder }: UndoOptions): Undoing {
  const all = doneTasks(run).filter(({ play, host, task }) => chooses({ play, host, ...task }))
  const reasons = ({ host, moves }: Done): readonly string[] => {
    if (!fleet.some(({ name }) => name === host)) return ['the inventory has no such host']
    const said = [...new Set(moves.flatMap((move) => move.irreversible))]
    return said.length > 0 || moves.every(({ provable }) => provable) ? said : ['what it did cannot be seen']
  }
  const irreversible = all.flatMap((done) => (reasons(done).length > 0 ? [{ ...done, why: reasons(done) }] : []))
  const back = all.filter((done) => reasons(done).length === 0)
  const kept: KeptIn = { run, recorder }
  const first = firstMoves(run, back)
  const known = (play: Play) => places(run, play, fleet)
  const backwards = plays.toReversed().flatMap((play) => {
    const mine = back.filter((done) => done.play === play.name)
    return mine.length > 0 ? [{ play, mine, placesOn: known(play) }] : []
  })
  const turned = (play: Play, mine: readonly Done[], tasks: (host: string) => readonly Task[]): Play => ({
    ...play,
    pattern: [...new Set(mine.map(({ host }) => host))].join(','),
    maxFailures: '100%',
    tasks: ({ host }) => tasks(host.name),
  })
  return {
    plays: backwards.map(({ play, mine, placesOn }) =>
      turned(play, mine, (host) => {
        const there = placesOn(host)
        return mine.filter((done) => done.host === host).map((done) => backOf(done, there, kept))
      }),
    ),
    onceMore: backwards.map(({ play, mine, placesOn }) =>
      turned({ ...play, name: play.name + onceMore }, mine, (host) => {
        const there = placesOn(host)
        return mine.flatMap((done) => {
          const moves = done.host === host ? done.moves.filter((move) => first.has(move)) : []
          return moves.length > 0 ? [settledOf({ ...done, moves }, there, kept)] : []
        })
      }),
    ),
    irreversible,
    turns: ({ play, host }, { index }) => back.filter((done) => done.play === play && done.host === host)[index],
  }
}

/** The name of a play that looks once more, after that of the play. */
const onceMore = ', once more'

/** Tasks that moved something, or may have, those first that were done last. */
function doneTasks({ moves }: RunRecord): readonly Done[] {
  const tasks = new Map<string, Done>()
  for (const move of moves.filter(({ end }) => end !== 'not run' && end !== 'put back')) {
    const { host, task } = move
    // An undo has moved it when it looked once more; it can be turned round too.
    const play = move.play.replace(new RegExp(`${onceMore}$`), '')
    const name = JSON.stringify([move.play, host, task.index])
    tasks.set(name, { play, host, task, moves: [...(tasks.get(name)?.moves ?? []), move] })
  }
  return [...tasks.values()].toReversed()
}

/** Of each place of a host the first move alone, which tells how it was before. */
function firstMoves(run: RunRecord, done: readonly Done[]): ReadonlySet<RecordedMove> {
  const mine = new Set(done.flatMap(({ moves }) => moves))
  const first = new Map<string, RecordedMove>()
  for (const move of run.moves) {
    const place = JSON.stringify([move.host, move.key])
    if (mine.has(move) && !first.has(place)) first.set(place, move)
  }
  return new Set(first.values())
}

/** A place as a task of the play has it. */
interface Found {
  readonly wish: Wish
  readonly by: CompiledTask
}

interface There {
  readonly places: ReadonlyMap<string, Found>
  readonly tasks: readonly CompiledTask[]
}

/** The places of a play's tasks on a host, made from what they were made from in the run. */
function places(run: RunRecord, play: Play, fleet: readonly InventoryHost[]): (host: string) => There {
  const made = new Map<string, There>()
  return (name) => {
    const known = made.get(name)
    if (known) return known
    const then = run.hosts.find(({ play: of, host }) => of === play.name && host === name)!
    const now = fleet.find((host) => host.name === name)!
    const facts = { ...typicalFacts, ...then.facts }
    // A secret is not recorded: it is the one of now.
    const host = { ...now, groups: then.groups, vars: { ...now.vars, ...then.vars } }
    const { tasks } = compile(play, host, fleet, facts, { tags: [], skipTags: [] })
    const found = new Map<string, Found>()
    for (const by of tasks) {
      const moved = by.handlers.flatMap(({ moves }) => moves ?? [])
      for (const wish of [...by.wishes, ...moved])
        if (!found.has(wish.resource.key)) found.set(wish.resource.key, { wish, by })
    }
    const there = { places: found, tasks }
    made.set(name, there)
    return there
  }
}

/** A task of the run with wishes of its own, under the keywords that it had. */
class Turned extends Task {
  readonly module: string
  readonly id: string
  readonly wishes: readonly Wish[]

  constructor({ task }: Done, by: CompiledTask | undefined, wishes: readonly Wish[], notify: readonly Handler[]) {
    super()
    this.module = task.module
    this.id = task.title
    this.wishes = wishes
    const named = this.named(task.title)
    if (!by) return named
    const { retry, timeout } = by.task.keywords
    const keywords = { ...named.keywords, retry, timeout, notify, become: by.as }
    return named.with<Turned>({ origin: by.task.origin, keywords })
  }
}

/** The task with its moves from after to before, the last one first. */
function backOf(done: Done, there: There, kept: KeptIn): Task {
  const by = taskOf(done, there)
  // What the run restarted may be gone again when it is turned round, or stopped as it was before.
  const notify = (by?.handlers ?? []).map((handler): Handler => ({ ...handler, optional: true }))
  return new Turned(
    done,
    by,
    done.moves.toReversed().flatMap((move) => wishesFor(move, there, kept, true)),
    notify,
  )
}

/** The task with its places as they were before it. */
function settledOf(done: Done, there: There, kept: KeptIn): Task {
  const by = taskOf(done, there)
  return new Turned(
    done,
    by,
    done.moves.toReversed().flatMap((move) => wishesFor(move, there, kept, false)),
    [],
  )
}

/** The task of the play that a task of the run was. */
function taskOf({ task, moves }: Done, { tasks, places: known }: There): CompiledTask | undefined {
  const same = tasks.find(({ info }) => info.module === task.module && info.title === task.title)
  return same ?? known.get(moves[0]!.key)?.by
}

/** The run that is turned round, on whose hosts secret values are kept, and by what they are compared. */
interface KeptIn {
  readonly run: RunRecord
  readonly recorder: Recorder
}

/** @param guards whether what somebody else has changed since is refused */
function wishesFor(move: RecordedMove, there: There, { run, recorder }: KeptIn, guards: boolean): readonly Wish[] {
  const { key, label, from, to, play, id } = move
  const found = there.places.get(key)
  if (!found) {
    const nowhere: AnyResource = { key, label, read: Probe.known(null), fresh: null }
    const refused = () => {
      throw new Failure('E_REFUSED', `The play does not name ${label} any more, so nobody knows how to write it.`, {
        hint: 'Take the play as it was when it ran, from your version control, and try again.',
      })
    }
    return [want(nowhere, refused, { unclaimed: true })]
  }
  const { guard } = found.wish
  // It may be another task of the run that had a secret for it.
  const isSecret = 'digest' in from || 'digest' in to
  const resource = isSecret ? { ...found.wish.resource, sensitive: true } : found.wish.resource
  const place = keptPlace({ run: run.header.id, play, move: id })
  const later = movesAfter(move, run)
  const desired = (now: unknown, _: unknown, beside: Beside) => {
    if (recorder.isAs(from, now)) return now
    // What moved it between two moves of the run, such as a reaction, was told when it was found so.
    const isKnown = recorder.isAs(to, now) || later.some((next) => recorder.isAs(next.from, now))
    if (guards && !isKnown) throw moved(resource, now, to, later.find((next) => recorder.isAs(next.to, now))?.task)
    if ('value' in from) return from.value
    const kept = beside(place)
    if (kept) return kept.value
    throw new Failure('E_REFUSED', `What ${label} held before is not kept on the host any more.`)
  }
  const back = want(resource, desired, { unclaimed: true, ...(guard && { guard }) })
  return 'digest' in from ? [look(place), back] : [back]
}

/** Moves of the same place that the run made after this one. */
function movesAfter(move: RecordedMove, { moves }: RunRecord): readonly RecordedMove[] {
  const later = moves.slice(moves.indexOf(move) + 1)
  return later.filter(
    ({ host, key, end }) => host === move.host && key === move.key && end !== 'not run' && end !== 'put back',
  )
}

/** @param by the task of the run that has moved it once more */
function moved(resource: AnyResource, now: unknown, to: Recorded, by: TaskInfo | undefined): Failure {
  const is = resource.sensitive ? 'a secret value' : showValue(resource, now)
  const other = otherThan(resource, now, to, by ? 'the task left' : 'the run left')
  return new Failure('E_MOVED', `${labelOf(resource)} is ${is} now${other}.`, {
    hint: by
      ? `${by.title} of the same run has changed it after that: turn that round too.`
      : 'Somebody has changed it since: turn a later run round first, or see to this place by hand.',
  })
}
