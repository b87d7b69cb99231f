import { defineConfig } from 'vitest/config'

/** The window in a real Chromium, one test file after another: two browsers at once would measure each other. */
export default defineConfig({
  test: {
    include: ['test/desktop/**/*.test.ts'],
    // What hangs is found by each wait's own limit; these are for what no wait covers.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
  },
})
