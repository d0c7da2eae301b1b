import { defineConfig } from 'vitest/config'
import shared from '../vitest.config.ts'

/** What waits for clocks, races shells or starts many processes: `npm test` is to be done in a minute. */
export default defineConfig({
  ...shared,
  test: { ...shared.test, include: ['spec/**/*.long.spec.ts'], exclude: ['spec/lab/**', 'spec/faults/**'] },
})
