/** What reactions move beside what tasks do: a restart starts a unit that was stopped. It is recorded, so that it can be turned round. */

import { isDeepStrictEqual } from 'node:util'
import type { Wish } from '../dsl/resource.ts'
import type { BaseFacts } from '../probe/facts.ts'
import { Script } from '../shell/script.ts'
import type { CompiledTask } from './compile.ts'
import { taskDeadline } from './decide.ts'
import type { Host } from './host.ts'
import type { HostJournal } from './journal.ts'
import { read } from './places.ts'
import type { Due } from './react.ts'
import type { StepRecord } from './record.ts'
import { valueOf, type World } from './world.ts'

export class ReactionMoves {
  readonly #host: Host
  readonly #world: World
  readonly #facts: BaseFacts
  readonly #journal: HostJournal
  #records: readonly StepRecord[] = []

  constructor(host: Host, world: World, facts: BaseFacts, journal: HostJournal) {
    this.#host = host
    this.#world = world
    this.#facts = facts
    this.#journal = journal
  }

  /**
   * Before the reactions. A place that a task may have moved is read again, only where a reaction would move it too.
   *
   * @param changed the tasks that notify them, in the play's order
   */
  async begin(due: readonly Due[], changed: readonly CompiledTask[]): Promise<void> {
    const moving = () => due.filter(({ handler: { moves } }) => moves && wouldMove(moves, this.#world, this.#facts))
    const doubtful = moving().filter(({ handler }) => this.#world.get(handler.moves!.resource).moved.length > 0)
    if (doubtful.length > 0)
      await read(this.#host, this.#world, new Map(doubtful.map(({ handler, as }) => [handler.moves!.resource, as])))
    this.#records = moving().flatMap(({ handler: { key, name, moves } }) => {
      // The last one is the first that is turned round: what runs by files is stopped before they go.
      const by = changed.findLast(({ handlers }) => handlers.some((handler) => handler.key === key))
      if (!by) return []
      const { resource, desired } = moves!
      const from = known(moves!, this.#world)
      const to = desired(from, this.#facts)
      const step = { resource, from, to, script: Script.of(''), deadline: taskDeadline }
      return [{ by, step, change: undefined, end: 'open' as const, reaction: name }]
    })
    this.#journal.begin(this.#records, () => [])
  }

  /** After them. They are not read again: what a reaction did not move, or what has ended since, is as it was before. */
  end(): void {
    for (const record of this.#records) record.end = 'done'
    this.#journal.end(this.#records)
  }
}

/** Whether a place is not yet as a reaction leaves it, as far as that is known. */
export function wouldMove(moves: Wish, world: World, facts: BaseFacts): boolean {
  const now = known(moves, world)
  return now !== undefined && !isDeepStrictEqual(moves.desired(now, facts), now)
}

function known({ resource }: Wish, world: World): unknown {
  const result = valueOf(world.get(resource))
  return 'value' in result ? result.value : undefined
}
