import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countRequest, newRetryBudget, takeRetry } from '../../src/policy/retry-budget.ts'

const SHARE = 0.2

function given({ requests, at }: { requests: number; at: number }) {
  const budget = newRetryBudget()
  for (let i = 0; i < requests; i++) countRequest(budget, at)
  return budget
}

/** How many retries it grants at `now` before it refuses. */
function grants(budget: ReturnType<typeof newRetryBudget>, now: number, share = SHARE): number {
  let granted = 0
  while (takeRetry(budget, share, now)) granted++
  return granted
}

describe('what retries may add', () => {
  test.each([
    ['three, when nothing else goes on', 0, 3],
    ['three, while a fifth of the requests is less', 19, 3],
    ['a fifth of the requests', 50, 10],
    ['a fifth, rounded down', 24, 4],
  ])('%s', (_, requests, granted) => {
    expect(grants(given({ requests, at: 1000 }), 1000)).toBe(granted)
  })

  test('a share of 0 leaves three', () => {
    expect(grants(given({ requests: 100, at: 0 }), 0, 0)).toBe(3)
  })

  test('requests count for ten seconds and then no more', () => {
    expect(grants(given({ requests: 50, at: 500 }), 9999)).toBe(10)
    expect(grants(given({ requests: 50, at: 500 }), 10_000)).toBe(3)
  })

  test('retries come back when they are ten seconds old', () => {
    const budget = given({ requests: 0, at: 0 })
    expect([grants(budget, 0), grants(budget, 9999), grants(budget, 10_000)]).toEqual([3, 0, 3])
  })

  test('a jump of hours forgets everything', () => {
    const budget = given({ requests: 50, at: 0 })
    grants(budget, 0)
    expect(grants(budget, 86_400_000)).toBe(3)
  })

  test('a clock that jumps back adds nothing', () => {
    const budget = given({ requests: 0, at: 60_000 })
    grants(budget, 60_000)
    expect([50_000, 0, -5000, 60_999].map((now) => grants(budget, now))).toEqual([0, 0, 0, 0])
  })
})

test('over any sequence, retries of ten seconds stay within the share of their requests, or three', () => {
  const steps = fc.array(
    fc.record({
      by: fc.oneof(fc.nat(3000), fc.integer({ min: -20_000, max: 20_000 })),
      requests: fc.nat(12),
      retries: fc.nat(6),
    }),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(steps, fc.double({ min: 0, max: 1, noNaN: true }), (story, share) => {
      const budget = newRetryBudget()
      const seconds: { requests: number[]; retries: number[] } = { requests: [], retries: [] }
      let now = 0
      let latest = 0
      for (const { by, requests, retries } of story) {
        now += by
        // It knows the time only from what it is asked.
        if (requests + retries > 0) latest = Math.max(latest, Math.floor(now / 1000))
        const recent = (list: number[]) => list.filter((second) => second > latest - 10).length
        for (let i = 0; i < requests; i++) {
          countRequest(budget, now)
          seconds.requests.push(latest)
        }
        for (let i = 0; i < retries; i++) {
          const may = recent(seconds.retries) + 1 <= Math.max(3, Math.floor(recent(seconds.requests) * share))
          expect(takeRetry(budget, share, now)).toBe(may)
          if (may) seconds.retries.push(latest)
        }
      }
    }),
  )
})
