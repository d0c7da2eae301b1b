import { deepEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { typicalFacts } from '../../dsl/play.ts'
import type { Task } from '../../dsl/task.ts'
import { detailsOf, detailsPlace } from '../../engine/lazy-facts.ts'
import { MemoryHost } from '../../engine/memory-host.ts'
import { examples } from '../laws/shown.ts'
import { runOn } from './only.ts'
import { onHosts, plays, type RandomPlay } from './random-play.ts'
import { foretold, left, lies, unforeseen } from './truths.ts'

/** A host as an earlier play, another hand, or nobody has left it. */
interface HostState {
  readonly before: RandomPlay | undefined
  readonly values: readonly (readonly [string, unknown])[]
}

const owned = { mode: '0644', owner: 'root', group: 'root' }
const fileState: fc.Arbitrary<unknown> = fc.oneof(
  fc
    .constantFrom('', 'A=1\n', 'B=2\nA=3', '# head\r\nA=1\r\n', '# BEGIN fleetplay one\nx\n# END fleetplay one\n')
    .map((text) => ({ type: 'file', content: { text }, ...owned })),
  fc.constantFrom(
    { type: 'absent' },
    { type: 'directory', ...owned, mode: '0700' },
    { type: 'link', target: '../nowhere' },
    { type: 'other', ...owned },
    { type: 'file', content: { base64: '/w==' }, ...owned, mode: '0600' },
    { type: 'file', content: { sha256: '0'.repeat(64), size: 300_000 }, ...owned },
  ),
)
const paths = ['a', 'b', 'd', 'd/a', 'd/e', 'd/e/a'].map((rest) => `/srv/truth/${rest}`)
const unitState = fc.option(
  fc
    .tuple(fc.constantFrom('enabled', 'disabled', 'static', 'masked'), fc.boolean())
    .map(([enabled, active]) => ({ enabled, active })),
  { freq: 6 },
)
const byHand: fc.Arbitrary<readonly [string, unknown]> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(
      fc.constantFrom(...paths).map((path) => `file:${path}`),
      fileState,
    ),
  },
  fc.tuple(
    fc.constantFrom('nginx', 'redis-server', 'cron').map((name) => `unit:${name}.service`),
    unitState,
  ),
  fc.tuple(
    fc.constantFrom('vm.swappiness', 'net.core.rmem_max').map((key) => `sysctl:${key}`),
    fc.constantFrom('60', '1'),
  ),
  fc.tuple(fc.constantFrom('file:/etc/sysctl.d/50-one.conf', 'file:/etc/nginx/sites-available/one'), fileState),
)
const shown = fc
  .constantFrom(...examples.filter(({ values }) => values))
  .map(({ values }) => values!('/srv/example').map(([{ key }, value]) => [key, value] as const))
const states: fc.Arbitrary<HostState> = fc.record({
  before: fc.option(plays(onHosts), { nil: undefined }),
  values: fc
    .tuple(fc.array(byHand, { maxLength: 4 }), fc.array(shown, { maxLength: 2 }))
    .map(([some, more]) => [...some, ...more.flat()]),
})

const fresh = { ...typicalFacts, hostname: 'here' }

async function hostIn({ before, values }: HostState): Promise<MemoryHost> {
  const host = new MemoryHost('here', fresh, new Map([[detailsPlace.key, detailsOf(fresh)]]))
  if (before) await runOn(host, before.tasks)
  for (const [key, value] of values) host.values.set(key, value)
  return host
}

const isWaiting = ({ keywords }: Task) => keywords.when.some((condition) => typeof condition !== 'function')

/** What the plays came to: they are not to be all alike. */
const seen = { plays: 0, changed: 0, conditional: 0, refused: 0, open: 0, skipped: 0, reactions: 0, converged: 0 }

describe('a random play on a random host in memory', () => {
  it('is done as it was planned, a plan changes nothing, and twice is once', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(plays(onHosts), states, async ({ tasks }, state) => {
        const host = await hostIn(state)
        const found = new Map(host.values)
        const plan = await runOn(host, tasks, { check: true })
        deepEqual(host.values, found)
        deepEqual(lies(plan), [])
        deepEqual(foretold(await runOn(host, tasks, { check: true })), foretold(plan))

        const run = await runOn(host, tasks)
        deepEqual(lies(run), [])
        seen.plays++
        if (plan.tasks.some(({ outcome }) => outcome === 'failed')) {
          seen.refused++
          deepEqual(host.values, found)
          const failures = ({ tasks: all }: typeof plan) => all.flatMap(({ failure }) => failure?.message ?? [])
          deepEqual(failures(run), failures(plan))
          return
        }
        const end = unforeseen(plan, run)
        deepEqual(foretold(run, end), foretold(plan, end))
        if (end !== undefined) {
          seen.open++
          return
        }
        const again = await runOn(host, tasks)
        deepEqual(lies(again), [])
        // What runs every time is a change every time, and so is what waits for it. Where what waits for a change has a part
        // of a place that others have parts of too, and is not sure before, the place is put right by the next run.
        const changes = plan.tasks.flatMap((task) => task.changes)
        const isUnsure = changes.some(({ unprovable, dependsOn }) => unprovable || dependsOn.length > 0)
        if (!isUnsure || !tasks.some(isWaiting)) deepEqual(left(again), [])
        seen.changed += run.tasks.filter(({ outcome }) => outcome === 'changed').length
        seen.skipped += run.tasks.filter(({ outcome }) => outcome === 'skipped').length
        seen.reactions += run.reactions.length
        if (plan.tasks.some((task) => task.changes.some(({ dependsOn }) => dependsOn.length > 0))) seen.conditional++
        if (run.tasks.every(({ outcome }) => outcome === 'ok' || outcome === 'skipped')) seen.converged++
      }),
      { numRuns: 150 },
    )
    expect(seen.plays).toBeGreaterThan(0)
  })

  it('was one of many kinds', () => {
    const { open, ...kinds } = seen
    expect(open).toBeLessThan(seen.plays / 10)
    // A plan that refuses what could be done would tell no lie either.
    expect(seen.refused).toBeLessThan(seen.plays / 2)
    for (const [kind, count] of Object.entries(kinds)) expect(count, kind).toBeGreaterThan(0)
  })
})
