import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** A real vLLM takes a minute to start and two cores to run: one at a time, and patience. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/vllm/**/*.test.ts'],
    globalSetup: ['test/vllm/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 400_000,
    teardownTimeout: 30_000,
    fileParallelism: false,
    maxWorkers: 1,
    pool: 'forks',
  },
})
