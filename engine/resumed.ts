/** What a run may leave to the one that it goes on with: what that has changed, and what is not to be done twice. */

import type { RecordedMove, RunRecord } from './history.ts'
import type { At } from './journal.ts'
import type { Mandate } from './mandate.ts'

/** The mandate of a run that goes on with others, of which the last one was itself a part of it. */
export function resuming(records: readonly RunRecord[]): (at: At) => Mandate {
  const moves = records.flatMap((record) => record.moves)
  return ({ play, host }) => {
    const mine = moves.filter((move) => move.play === play && move.host === host)
    const of = (index: number) => mine.filter(({ task, reaction }) => task.index === index && !reaction)
    return {
      leaves: ({ index }) => (isDone(of(index)) ? 'it was run already, and is not run twice' : undefined),
      hasChanged: ({ index }) => of(index).some(({ end }) => end !== 'not run' && end !== 'put back'),
    }
  }
}

/** What cannot be seen afterwards is known from the journal alone. */
function isDone(moves: readonly RecordedMove[]): boolean {
  return moves.length > 0 && moves.every(({ provable, end }) => !provable && end === 'done')
}
