import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/vllm/**', 'test/desktop/**', '**/node_modules/**'],
    // So that a busy machine fails nothing; what is asserted is order and counts.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
