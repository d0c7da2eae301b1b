import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import shared from '../../vitest.config.ts'

const minutes = 60_000

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: shared.resolve ?? {},
  test: {
    include: ['spec/lab/**/*.spec.ts'],
    globalSetup: ['spec/lab/setup.ts'],
    testTimeout: 3 * minutes,
    hookTimeout: 10 * minutes,
    fileParallelism: false,
  },
})
