/** Tasks that disagree on a place: the one would change what the other has made, back and forth at every run. */

import { dirname, relative } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Handler } from '../dsl/handler.ts'
import { parentsOf } from '../dsl/host-path.ts'
import { type Identity, labelOf, type Wish } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import { showClaims, showMade } from './claims.ts'
import type { CompiledTask } from './compile.ts'
import type { TaskInfo } from './events.ts'
import { isAbsent } from './touch.ts'

/** A wish, and who has it. */
export interface Owner {
  readonly wish: Wish
  readonly by: CompiledTask
  /** The reaction whose claim it is. */
  readonly handler?: Handler
}

/**
 * What can be seen of it without a host: claims of one place that differ, or one of all of what another owns a part of; parts that
 * undo each other in the place of a fresh host; and something in a folder that should not be there.
 */
export function conflicts(all: readonly CompiledTask[]): readonly Failure[] {
  const tasks = all.filter(({ applies }) => applies)
  const places = ownersOf(tasks.filter((compiled) => !waits(compiled)))
  const shared = [...places.values()].filter((owners) => owners.length > 1)
  const found = [...[...ownersOf(tasks).values()].flatMap(claimed), ...below(places)]
  // Who disagrees on a directive need not be told of its line in the file too.
  const more = shared.flatMap(undone).filter((each) => !found.some((told) => isSamePair(told, each)))
  return [...found, ...more].map(({ failure }) => failure)
}

/** Two tasks that disagree. */
export interface Conflict {
  readonly first: CompiledTask
  /** The one that is told of it. */
  readonly second: CompiledTask
  readonly failure: Failure
}

function isSamePair(a: Conflict, b: Conflict): boolean {
  const isFirst = a.first === b.first && a.second === b.second
  return isFirst || (a.first === b.second && a.second === b.first)
}

/** Whether it waits for the change of another task, so that it does nothing in a run that finds all as desired. */
export function waits({ task }: CompiledTask): boolean {
  return task.keywords.when.some((condition) => typeof condition !== 'function')
}

/** The wishes for each place by its key, in the play's order, and then what reactions claim. */
export function ownersOf(tasks: readonly CompiledTask[]): ReadonlyMap<string, readonly Owner[]> {
  const places = new Map<string, Owner[]>()
  const add = (owner: Owner) => {
    const { key } = owner.wish.resource
    const known = places.get(key)
    if (known) known.push(owner)
    else places.set(key, [owner])
  }
  for (const by of tasks) for (const wish of by.wishes) add({ wish, by })
  for (const by of tasks) {
    for (const handler of by.handlers) if (handler.claims) add({ wish: handler.claims, by, handler })
  }
  return places
}

/** Those that claim the place otherwise than the first does that is always done. */
function claimed(owners: readonly Owner[]): readonly Conflict[] {
  const [first, ...others] = owners.filter(({ wish }) => !wish.unclaimed)
  if (!first || others.length === 0) return []
  // What waits for a change may have the place for that time, if it is put right again behind it.
  if (waits(first.by)) return claimed(others)
  return others.flatMap((other) => {
    if (other.by === first.by && !other.handler) return []
    const claims = [first.wish.whole, other.wish.whole]
    // Two parts may stand beside each other; what waits and claims all has its turn only now and then.
    if (claims.every((claim) => claim === undefined) || (waits(other.by) && claims[0] === undefined)) return []
    return isDeepStrictEqual(claims[0], claims[1]) ? [] : [disagree(first, other, showClaims(first.wish, other.wish))]
  })
}

/** Those of which a later one undoes what an earlier one made, as they would find the place on a fresh host. */
function undone(owners: readonly Owner[]): readonly Conflict[] {
  if (owners.every(({ by }) => by === owners[0]!.by)) return []
  for (const start of starts(owners[0]!.wish)) {
    try {
      const made: unknown[] = []
      for (const { wish } of owners) made.push(wish.desired(made.length > 0 ? made.at(-1) : start, root, freshly))
      const found = unrest(owners, made, ({ desired }, value) => desired(value, root, freshly))
      if (found.length > 0) return found
    } catch {
      // One of them refuses such a place, or must know of others: it is seen in the plan.
    }
  }
  return []
}

const root: Identity = { user: 'root', group: 'root' }

const freshly = <U>(other: { readonly fresh?: U }) => other.fresh as U

/** What the place may be like on a host. Many a file that has lines is there only when a package has brought it. */
function starts({ resource }: Wish): readonly unknown[] {
  const empty = { type: 'file', content: { text: '' }, mode: '0644', owner: 'root', group: 'root' }
  return [...('fresh' in resource ? [resource.fresh] : []), ...(resource.key.startsWith('file:') ? [empty] : [])]
}

/**
 * Wishes that are not at rest on what their place is in the end, each with the last task that moved it since.
 *
 * @param made what the place is after each owner
 */
export function unrest(
  owners: readonly Owner[],
  made: readonly unknown[],
  again: (wish: Wish, value: unknown) => unknown,
): readonly Conflict[] {
  const end = made.at(-1)
  return owners.flatMap((owner, i) => {
    const last = made.findLastIndex((value, j) => j > i && !isDeepStrictEqual(value, made[j - 1]))
    const mover = owners[last]
    if (!mover || mover.by === owner.by || waits(owner.by)) return []
    const wished = again(owner.wish, end)
    if (isDeepStrictEqual(wished, end)) return []
    // One that says that the place is secret says it for all.
    const { resource = owner.wish.resource } = owners.find(({ wish }) => wish.resource.sensitive)?.wish ?? {}
    return [disagree(owner, mover, showMade(resource, wished, end))]
  })
}

/** What should be below a path where nothing, or a file, should be. */
function below(places: ReadonlyMap<string, readonly Owner[]>): readonly Conflict[] {
  return [...places].flatMap(([key, owners]) => {
    if (!key.startsWith('file:/')) return []
    const above = parentsOf(key.slice('file:'.length)).flatMap((path) => places.get(`file:${path}`) ?? [])
    const parent = above.find(({ wish }) => isClosed(wish))
    const inside = parent && owners.find(({ wish, by }) => by !== parent.by && isThere(wish))
    return inside ? [within(parent, inside)] : []
  })
}

/** Whether the wish leaves no folder at its path. */
function isClosed(wish: Wish): boolean {
  if (wish.unclaimed) return false
  const value = onFresh(wish)
  return value !== undefined && (isAbsent(value) || isFile(value))
}

/** Whether the wish needs something to be at its path. */
function isThere(wish: Wish): boolean {
  return !wish.unclaimed && !isAbsent(onFresh(wish))
}

function isFile(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'file'
}

/** What the wish makes where nothing is; undefined where it refuses that. */
function onFresh({ desired }: Wish): unknown {
  try {
    return desired({ type: 'absent' }, root, freshly)
  } catch {
    return undefined
  }
}

function within(parent: Owner, inside: Owner): Conflict {
  const path = labelOf(inside.wish.resource)
  const state = isAbsent(onFresh(parent.wish)) ? 'absent' : 'a file'
  const [one, other] = [parent.by.info, inside.by.info]
  const message = `${other.title} is for ${path}, and ${one.title}${besideOf(one, other)} wants ${labelOf(parent.wish.resource)} to be ${state}.`
  return conflict(parent, inside, message, 'Leave the one or the other out.')
}

/** Tells two that disagree, at the line of the second. */
function disagree(first: Owner, second: Owner, [a, b]: readonly [string, string]): Conflict {
  const [one, other] = [first.by.info, second.by.info]
  const { handler = first.handler } = second
  const message = `${other.title} and ${one.title}${besideOf(one, other)} disagree on ${labelOf(second.wish.resource)}: ${b} against ${a}.`
  const hint = handler ? `Leave ${handler.name} out, or let the unit run.` : 'Leave the place to one of the two tasks.'
  return conflict(first, second, message, hint)
}

function conflict({ by: first }: Owner, { by: second }: Owner, message: string, hint: string): Conflict {
  return { first, second, failure: new Failure('E_PLAY_CONFLICT', message, { place: second.info.place, hint }) }
}

/** Where a task is, for what is told of another: a file beside that of the other is known by its name. */
export function besideOf({ place }: TaskInfo, other: TaskInfo): string {
  if (!place) return ''
  const folder = other.place ? dirname(other.place.file) : '/'
  return ` (${relative(folder, place.file)}:${place.line})`
}
