import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs } from '../../src/policy/backoff.ts'
import { aPolicy } from './given.ts'

test.each([
  [0, 1000],
  [1, 2000],
  [2, 4000],
  [4, 16_000],
  [5, 30_000],
  [10, 30_000],
])('the wait before retry %i lies evenly between nothing and %i ms', (retry, ceiling) => {
  const waits = [0, 0.25, 0.5].map((chance) => backoffMs(aPolicy(), retry, chance))
  expect(waits).toEqual([0, ceiling / 4, ceiling / 2])
  expect(backoffMs(aPolicy(), retry, 1 - Number.EPSILON)).toBeLessThan(ceiling)
})

/** Every policy that the configuration admits, and every retry that it allows. */
const policies = fc.record({
  baseDelayMs: fc.double({ min: 0, max: 2e9, noNaN: true }),
  maxDelayMs: fc.double({ min: 0, max: 2e9, noNaN: true }),
  exponentialBase: fc.double({ min: 1, max: 10, noNaN: true }),
})

test('a wait is a whole number of milliseconds, never negative and never above the cap', () => {
  fc.assert(
    fc.property(
      policies,
      fc.nat(10),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (policy, n, chance) => {
        const wait = backoffMs(policy, n, chance)
        expect(Number.isInteger(wait)).toBe(true)
        expect(wait).toBeGreaterThanOrEqual(0)
        expect(wait).toBeLessThanOrEqual(policy.maxDelayMs)
      },
    ),
  )
})
