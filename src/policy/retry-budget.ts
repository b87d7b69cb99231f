/**
 * Bounds what retries add: a share of the requests of the last 10 s, at least 3 (DESIGN 3, `retry.budget`). Counts per
 * second in a ring, so it is O(1) and forgets by itself. `now` is a monotonic clock in milliseconds.
 */
export type RetryBudget = { requests: number[]; retries: number[]; second: number }

const SECONDS = 10
const FLOOR = 3

export function newRetryBudget(): RetryBudget {
  return { requests: new Array<number>(SECONDS).fill(0), retries: new Array<number>(SECONDS).fill(0), second: 0 }
}

export function countRequest(budget: RetryBudget, now: number): void {
  advance(budget, now)
  budget.requests[budget.second % SECONDS]!++
}

/** Takes one retry out of the budget; false when it is spent. */
export function takeRetry(budget: RetryBudget, share: number, now: number): boolean {
  advance(budget, now)
  const allowed = Math.max(FLOOR, Math.floor(sum(budget.requests) * share))
  if (sum(budget.retries) >= allowed) return false
  budget.retries[budget.second % SECONDS]!++
  return true
}

function advance(budget: RetryBudget, now: number): void {
  const second = Math.floor(now / 1000)
  for (let passed = Math.min(SECONDS, second - budget.second); passed > 0; passed--) {
    const slot = (second - passed + 1) % SECONDS
    budget.requests[slot] = 0
    budget.retries[slot] = 0
  }
  budget.second = Math.max(budget.second, second)
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
