/** A rate with room for a burst: `perSecond` tokens flow in, at most `burst` are kept. */
export type Rate = { perSecond: number; burst: number }

/** Plain data, changed in place. `tokens` may be below zero: that is debt. `at` is a monotonic clock in milliseconds. */
export type Bucket = { tokens: number; at: number }

/** What sums of fractions may miss: a wait that was told exactly must also be long enough. */
const ROUNDING = 1e-6

/** `limit` a minute: a full minute's worth may come at once, as OpenAI and the seeds count (scheduling.md 2.2). */
export function perMinute(limit: number): Rate {
  return { perSecond: limit / 60, burst: limit }
}

/** A full one. */
export function newBucket(rate: Rate, now: number): Bucket {
  return { tokens: rate.burst, at: now }
}

/** What is in it at `now`. A clock that jumps ahead fills it to the burst and no further; one that jumps back, nothing. */
export function refill(bucket: Bucket, rate: Rate, now: number): number {
  const passedMs = Math.max(0, now - bucket.at)
  bucket.tokens = Math.min(rate.burst, bucket.tokens + (passedMs / 1000) * rate.perSecond)
  bucket.at = now
  return bucket.tokens
}

/** Milliseconds until `cost` can be taken, 0 for now, Infinity for a cost above the burst; takes nothing. */
export function waitFor(bucket: Bucket, rate: Rate, cost: number, now: number): number {
  const missing = cost - refill(bucket, rate, now) - ROUNDING
  if (missing <= 0) return 0
  return cost > rate.burst ? Infinity : Math.ceil((missing / rate.perSecond) * 1000)
}

/** Takes `cost` if it is there and says 0; else takes nothing and says how many milliseconds to wait. */
export function take(bucket: Bucket, rate: Rate, cost: number, now: number): number {
  const waitMs = waitFor(bucket, rate, cost, now)
  if (waitMs === 0) bucket.tokens -= cost
  return waitMs
}

/** Puts back, or with a negative amount takes unasked, down to a debt of one full burst: running work is never cut. */
export function give(bucket: Bucket, rate: Rate, amount: number, now: number): void {
  bucket.tokens = Math.min(rate.burst, Math.max(-rate.burst, refill(bucket, rate, now) + amount))
}

/** Milliseconds until it is full: what OpenAI calls `reset`. */
export function fullInMs(bucket: Bucket, rate: Rate, now: number): number {
  return Math.max(0, Math.ceil(((rate.burst - refill(bucket, rate, now) - ROUNDING) / rate.perSecond) * 1000))
}
