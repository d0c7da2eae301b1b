/** A host that many trials use at once: what they ask in the same moment travels together. */

import { setImmediate as turn } from 'node:timers/promises'
import type { As, Host, Step, StepEnd } from '../../engine/host.ts'
import { Failure } from '../../errors/failure.ts'

interface Call<Q, A> {
  readonly asked: readonly Q[]
  readonly as: As
  readonly answer: (answers: readonly A[]) => void
  readonly fail: (error: unknown) => void
}

/** Trials must not disturb each other: each has places of its own. */
export function shared(host: Host): Host {
  const facts = new Map<As, ReturnType<Host['facts']>>()
  return {
    name: host.name,
    get trips() {
      return host.trips
    },
    facts: (as) => {
      if (!facts.has(as)) facts.set(as, host.facts(as))
      return facts.get(as)!
    },
    read: together((resources, as) => host.read(resources, as)),
    apply: together((steps, as, sizes) => applyAll(host, steps, as, sizes)),
    anew: (steps, as) => host.anew(steps, as),
    ask: (view) => host.ask(view),
    pause: (seconds) => host.pause(seconds),
    react: (handlers, as) => host.react(handlers, as),
    close: () => host.close(),
  }
}

/** Calls that come while others are answered are collected, and go as one. */
function together<Q, A>(ask: (asked: readonly Q[], as: As, sizes: readonly number[]) => Promise<readonly A[]>) {
  const waiting: Call<Q, A>[] = []
  let busy = false
  const serve = async () => {
    busy = true
    while (waiting.length > 0) {
      await turn()
      const [{ as } = { as: undefined }] = waiting
      const calls = waiting.splice(0).filter((call) => call.as === as || (waiting.push(call), false))
      try {
        const sizes = calls.map(({ asked }) => asked.length)
        const answers = await ask(
          calls.flatMap(({ asked }) => asked),
          as,
          sizes,
        )
        let at = 0
        for (const { asked, answer } of calls) answer(answers.slice(at, (at += asked.length)))
      } catch (error) {
        for (const { fail } of calls) fail(error)
      }
    }
    busy = false
  }
  return (asked: readonly Q[], as: As) =>
    new Promise<readonly A[]>((answer, fail) => {
      waiting.push({ asked, as, answer, fail })
      if (!busy) void serve()
    })
}

/** The host stops at the first step that fails, of whichever trial: the steps of the others are sent once more. */
async function applyAll(
  host: Host,
  steps: readonly Step[],
  as: As,
  sizes: readonly number[],
): Promise<readonly StepEnd[]> {
  const ends = [...(await host.apply(steps, as))]
  const failed = ends.findIndex((end) => end instanceof Failure)
  if (failed < 0) return ends
  let done = 0
  let own = 0
  while (done + sizes[own]! <= failed) done += sizes[own++]!
  const next = done + sizes[own]!
  if (next === steps.length) return ends
  return [...ends.slice(0, next), ...(await applyAll(host, steps.slice(next), as, sizes.slice(own + 1)))]
}
