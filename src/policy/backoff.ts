/** Seconds and factors of the configuration's `retry` section, in milliseconds. */
export type BackoffPolicy = { baseDelayMs: number; maxDelayMs: number; exponentialBase: number }

/**
 * How long to wait before retry number `retry` (0 for the first): full jitter, `chance` in [0, 1). Full jitter spreads
 * a crowd best (AWS Builders' Library, "Timeouts, retries and backoff with jitter").
 */
export function backoffMs(policy: BackoffPolicy, retry: number, chance: number): number {
  const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * policy.exponentialBase ** retry)
  return Math.floor(ceiling * chance)
}
