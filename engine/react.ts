/** Which handlers are due on a host, once each, in the play's order; whether they can run; and how they are run. */

import type { Handler } from '../dsl/handler.ts'
import { Failure } from '../errors/failure.ts'
import type { BaseFacts } from '../probe/facts.ts'
import type { CompiledTask } from './compile.ts'
import type { As, Host } from './host.ts'
import { read } from './places.ts'
import { wouldMove } from './reaction-moves.ts'
import { clearing, handlerOf, type Pending, pendingReactions } from './pending.ts'
import { valueOf, type World } from './world.ts'

export interface Due {
  readonly handler: Handler
  /** Titles of the tasks that notified it. */
  readonly because: readonly string[]
  readonly as: As
  /** The host's record of it, where an earlier run left it. */
  readonly record?: string
  /** Of a dead man's switch that an earlier run left armed: when it will have put everything back, in ISO 8601. */
  readonly until?: string | undefined
}

export interface RefusedReaction {
  readonly due: Due
  readonly failure: Failure
}

/** How a reaction ended, for whoever tells it. */
export type TellReaction = (due: Due, outcome: 'planned' | 'done' | 'failed', failure?: Failure) => void

/**
 * The handlers that changed tasks notify, and those that earlier runs left to be done: equal ones are one, and one that
 * another absorbs is left out.
 */
export function dueHandlers(changed: readonly CompiledTask[], left: readonly Due[] = []): readonly Due[] {
  return unabsorbed(wantedHandlers(changed, left))
}

/** Equal ones are one; what others absorb is among them. */
export function wantedHandlers(changed: readonly CompiledTask[], left: readonly Due[]): readonly Due[] {
  const due = new Map<string, Due>(left.map((one) => [one.handler.key, one]))
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
  return [...due.values()]
}

export function unabsorbed(due: readonly Due[]): readonly Due[] {
  const absorbed = new Set(due.flatMap(({ handler }) => handler.absorbs))
  return due.filter(({ handler }) => !absorbed.has(handler.key))
}

/** What earlier runs left to be done on the host. */
export function leftPending(users: readonly As[], world: World): readonly Due[] {
  return users.flatMap((as) => {
    const { result } = world.get(pendingReactions(as))
    return Object.entries('value' in result ? (result.value as Pending) : {}).map(([record, one]) => {
      const since = one.since.replace(/T(\d+:\d+).*/, ' $1 UTC')
      const because = one.because.map((title) => `${title} (pending since ${since})`)
      return { handler: handlerOf(one), because, as, record, until: one.until }
    })
  })
}

/** What a plan cannot be relied on beside: a host that may yet put back what an earlier run changed. */
export function stillArmed(left: readonly Due[]): readonly RefusedReaction[] {
  return left.flatMap((due) => {
    if (due.until === undefined) return []
    const message = `It was armed by an earlier run, and has neither been confirmed nor has it put the change back.`
    const hint = `Wait until ${clock(due.until)}, when the host will have done so. Later than that, the host was restarted meanwhile and the change is still there: see to it by hand, and remove pending/${due.record}.json and the folder switches of /var/lib/fleetplay on the host.`
    return [{ due, failure: new Failure('E_LOCKED_OUT', message, { hint }) }]
  })
}

/** A time as a reader is told it. */
export function clock(iso: string): string {
  return iso.replace(/T(\d+:\d+:\d+).*/, ' $1 UTC')
}

/** Handlers that lack what they need, where no task of the play may yet bring it. */
export function refusedReactions(due: readonly Due[], world: World): readonly RefusedReaction[] {
  return due.flatMap((one) => {
    const failure = one.handler.optional ? undefined : lack(one.handler, world)
    return failure ? [{ due: one, failure }] : []
  })
}

function lack({ needs }: Handler, world: World): Failure | undefined {
  if (!needs) return undefined
  const entry = world.get(needs.resource)
  if (entry.moved.length > 0) return undefined
  const result = valueOf(entry)
  if ('failure' in result) return result.failure
  const refusal = needs.refuses(result.value)
  return refusal && new Failure('E_REFUSED', refusal.reason, { hint: refusal.hint })
}

/**
 * Those that have something to do: of the optional ones those that have what they need, as it is now. What one that has nothing
 * to do would have absorbed is done.
 */
export async function withNeeds(
  host: Host,
  due: readonly Due[],
  world: World,
  facts: BaseFacts,
): Promise<readonly Due[]> {
  const optional = due.flatMap(({ handler: { needs, moves, optional }, as }) =>
    optional ? [needs, moves].flatMap((asked) => (asked ? [[asked.resource, as] as const] : [])) : [],
  )
  if (optional.length > 0) await read(host, world, new Map(optional))
  return unabsorbed(due.filter((one) => !isNeedless(one, world, facts)))
}

/** Whether what it is for is not there, which is no mistake: there is no unit to restart, or it does not run. */
export function isNeedless({ handler }: Due, world: World, facts: BaseFacts): boolean {
  const { optional = false, moves } = handler
  return optional && (lack(handler, world) !== undefined || (moves !== undefined && wouldMove(moves, world, facts)))
}

/** Runs handlers, in one trip for each user; tells each. False where one failed. Rejects where the host is lost, when all are told. */
export async function react(host: Host, due: readonly Due[], tell: TellReaction): Promise<boolean> {
  let fine = true
  const waiting = new Set(due)
  try {
    for (const as of new Set(due.map((one) => one.as))) {
      const mine = due.filter((one) => one.as === as)
      const ends = await host.react(
        mine.map(({ handler }) => clearing(handler)),
        as,
      )
      mine.forEach((one, i) => {
        const end = ends[i]!
        waiting.delete(one)
        fine &&= end === 'done'
        tell(one, end === 'done' ? 'done' : 'failed', end instanceof Failure ? triedAgain(end, one) : undefined)
      })
    }
  } catch (error) {
    notReacted([...waiting], tell)
    throw error
  }
  return fine
}

/** Whoever sees an old reaction fail in a play that has nothing to do with it must know how to be rid of it. */
function triedAgain(failure: Failure, { record }: Due): Failure {
  if (record === undefined) return failure
  const hint = `An earlier run left it to be done, and every run tries it until it succeeds. To give it up, remove pending/${record}.json of /var/lib/fleetplay on the host.`
  return failure.hinting(hint)
}

/** Tells reactions that are lost with their host. */
export function notReacted(due: readonly Due[], tell: TellReaction): void {
  const message = 'The host was lost before this was seen to be done. The host has it on record: the next run does it.'
  for (const one of due) tell(one, 'failed', new Failure('E_CONNECTION_LOST', message))
}
