import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^fleetplay$/, replacement: here('./index.ts') },
      { find: /^fleetplay\/authoring$/, replacement: here('./authoring.ts') },
      { find: /^fleetplay\/places$/, replacement: here('./places.ts') },
      { find: /^fleetplay\/testing$/, replacement: here('./testing/index.ts') },
      { find: /^fleetplay\/vitest$/, replacement: here('./testing/vitest.ts') },
    ],
  },
  test: {
    include: ['spec/**/*.spec.ts', 'plays/**/*.spec.ts'],
    exclude: ['spec/lab/**', 'spec/faults/**', '**/*.long.spec.ts'],
    globalSetup: here('./spec/ground.ts'),
    // No spec changes what another one finds in a module, so that a module is loaded once for all of them.
    isolate: false,
    // A machine that does other work beside must not fail a spec: limits are for what hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Much of the time goes into waiting for shells.
    maxWorkers: availableParallelism() + 1,
  },
})
