/** The observations of a play on one host: read when it has reacted, and held against what was expected. */

import { type FoundFile, type FromOutside, Observation, type Observed, unexpectedFailure } from '../dsl/observation.ts'
import type { AnyResource } from '../dsl/resource.ts'
import { seconds } from '../dsl/units.ts'
import { Failure } from '../errors/failure.ts'
import type { Result } from '../probe/batch.ts'
import type { Facts } from '../probe/facts.ts'
import type { CompiledTask } from './compile.ts'
import type { Host } from './host.ts'
import { FactWanted, knowing } from './lazy-facts.ts'

/** What an observation came to. */
export interface Sight {
  readonly outcome: 'ok' | 'warned' | 'failed' | 'skipped'
  /** Why it was skipped. */
  readonly reason: string | undefined
  readonly says: string
  readonly table: readonly string[]
  readonly files: readonly FoundFile[]
  readonly failure: Failure | undefined
}

/** A task that observes. */
export interface CompiledObservation extends CompiledTask {
  readonly task: Observation
}

export function isObservation(compiled: CompiledTask): compiled is CompiledObservation {
  return compiled.task instanceof Observation
}

export function unseen(reason: string): Sight {
  return { outcome: 'skipped', reason, says: '', table: [], files: [], failure: undefined }
}

/**
 * Observes; tells each as it is known. What needs one reading is read first, in one trip for each user; then the windows are
 * opened together, and each is closed when its time has come. Rejects with a Failure where the host is lost.
 */
export async function observe(
  host: Host,
  facts: Facts,
  all: readonly CompiledObservation[],
  tell: (compiled: CompiledObservation, sight: Sight) => void,
): Promise<void> {
  const look = new Looking(host, facts)
  const [windows, moments] = [all.filter(({ task }) => task.window > 0), all.filter(({ task }) => task.window === 0)]
  const found = async (compiled: CompiledObservation, sight: Sight) => {
    tell(compiled, sight.outcome === 'failed' || sight.outcome === 'warned' ? await look.again(compiled, sight) : sight)
  }
  for (const [compiled, sight] of await look.now(moments)) await found(compiled, sight)
  for (const [compiled, sight] of await look.through(windows)) await found(compiled, sight)
}

type Sights = readonly (readonly [CompiledObservation, Sight])[]
type Readings = ReadonlyMap<CompiledObservation, Result<unknown> | undefined>

class Looking {
  readonly #host: Host
  readonly #facts: Facts

  constructor(host: Host, facts: Facts) {
    this.#host = host
    this.#facts = facts
  }

  /** One reading of each. */
  async now(all: readonly CompiledObservation[]): Promise<Sights> {
    const readings = await this.#read(all)
    return await knowing(() => all.map((one) => [one, this.#sight(one, readings.get(one), readings.get(one))] as const))
  }

  /** Two readings of each, its window apart. */
  async through(all: readonly CompiledObservation[]): Promise<Sights> {
    const before = await this.#read(all)
    const sights: (readonly [CompiledObservation, Sight])[] = []
    let passed = 0
    for (const window of [...new Set(all.map(({ task }) => task.window))].toSorted((a, b) => a - b)) {
      await this.#host.pause(window - passed)
      passed = window
      const closing = all.filter(({ task }) => task.window === window)
      const now = await this.#read(closing)
      sights.push(
        ...(await knowing(() => closing.map((one) => [one, this.#sight(one, before.get(one), now.get(one))] as const))),
      )
    }
    return sights
  }

  /** Looks again where the task says to, until it is as expected or was tried often enough. */
  async again(compiled: CompiledObservation, first: Sight): Promise<Sight> {
    const { retry } = compiled.task.keywords
    const delay = retry && seconds(retry.delay)
    let last = first
    for (let attempt = 1; retry && attempt < retry.times && last.outcome !== 'ok'; attempt++) {
      await this.#host.pause(typeof delay === 'number' ? delay : 0)
      const [next] = compiled.task.window > 0 ? await this.through([compiled]) : await this.now([compiled])
      last = next![1]
    }
    return last
  }

  async #read(all: readonly CompiledObservation[]): Promise<Readings> {
    const readings = new Map<CompiledObservation, Result<unknown> | undefined>()
    const onHost = async (as: CompiledObservation['as']) => {
      const mine = all.filter((one) => one.as === as && !isOutside(one.task.view))
      if (mine.length === 0) return
      const results = await this.#host.read(
        mine.map(({ task }) => task.view as AnyResource),
        as,
      )
      mine.forEach((one, i) => readings.set(one, results[i]))
    }
    const fromOutside = all.map(async (one) => {
      const view: AnyResource | FromOutside = one.task.view
      if (isOutside(view)) readings.set(one, await this.#host.ask(view))
    })
    await Promise.all([...[...new Set(all.map(({ as }) => as))].map(onHost), ...fromOutside])
    return readings
  }

  #sight({ task }: CompiledObservation, before?: Result<unknown>, now?: Result<unknown>): Sight {
    if (isUnsaid(before) || isUnsaid(now)) return unseen('a simulated host has nothing to observe')
    try {
      const observed: Observed<unknown> = { now: given(now), before: given(before), facts: this.#facts }
      const { says, table = [], files = [], unexpected } = task.find(observed)
      const failure = unexpected && unexpectedFailure(unexpected)
      const outcome = !failure ? 'ok' : task.onlyWarns ? 'warned' : 'failed'
      return { outcome, reason: undefined, says, table, files, failure }
    } catch (error) {
      if (error instanceof FactWanted) throw error
      const failure = error instanceof Failure ? error : broken(error)
      const outcome = task.onlyWarns && error instanceof Failure ? 'warned' : 'failed'
      return { outcome, reason: undefined, says: '', table: [], files: [], failure }
    }
  }
}

function isOutside(view: AnyResource | FromOutside): view is FromOutside {
  return 'request' in view
}

function given(result: Result<unknown>): unknown {
  if ('failure' in result) throw result.failure
  return result.value
}

/** A host in memory was told nothing of what would be observed. */
function isUnsaid(result: Result<unknown> | undefined): result is undefined {
  return result === undefined || ('failure' in result && result.failure.code === 'E_MOCK')
}

function broken(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  return new Failure('E_INTERNAL', `A module failed: ${message}`, { cause: error })
}
