import { defineConfig } from 'vitest/config'

/** The window in a real Chromium, one test file after another: two browsers at once would measure each other. */
export default defineConfig({
  test: {
    include: ['test/desktop/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
  },
})
