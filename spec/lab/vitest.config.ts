import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import shared from '../../vitest.config.ts'

const minutes = 60_000

/** The laws take as long as many of the others: what begins with them ends sooner. */
class LawsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => (moduleId.endsWith('/laws.spec.ts') ? 0 : 1)
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other))
  }
}

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: shared.resolve ?? {},
  test: {
    include: ['spec/lab/**/*.spec.ts', 'spec/faults/obstacles.spec.ts'],
    globalSetup: ['spec/lab/setup.ts'],
    testTimeout: 3 * minutes,
    hookTimeout: 10 * minutes,
    // Two at once: a host has one processor, and its suite mostly waits for it.
    maxWorkers: 2,
    sequence: { sequencer: LawsFirst },
  },
})
