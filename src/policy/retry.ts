import type { Problem } from '../protocol/errors.ts'
import { type BackoffPolicy, backoffMs } from './backoff.ts'

/** Why an attempt failed, as far as it decides what comes next. */
export type FailureKind =
  /** No connection: the request never left. */
  | 'unreachable'
  /** A kept-alive connection was closed under us before a byte of answer: the usual idle race, not a sign of trouble. */
  | 'stale'
  /** The connection ended while the request was in flight. */
  | 'lost'
  | 'timeout'
  /** 408, 429 and 5xx, as a status or as an error inside a 200. */
  | 'status'
  /** The answer was no valid answer. */
  | 'invalid'
  /** Our credentials were refused. */
  | 'auth'

/** A failed attempt. Expected, so it is a value. `answer` is the backend's own error body where a client may see it. */
export type Failure = {
  kind: FailureKind
  problem: Problem
  status: number | null
  retryAfterMs: number | null
  /** The prompt is too long for this backend: another one may have room for it. */
  overflow: boolean
  /** It named a wait, but not one that can be read. */
  garbledRetryAfter: boolean
  answer: { status: number; body: Buffer; contentType: string } | null
  /** One word for logs and the retries_total metric. */
  reason: string
}

export type RetryPolicy = BackoffPolicy & {
  /** Tries after the first. */
  maxRetries: number
  respectRetryAfter: boolean
  maxRetryAfterMs: number
  /** For a 429 without the header. */
  defaultRetryAfterMs: number
  fallback: { enabled: boolean; onRateLimit: boolean; onContextOverflow: boolean }
}

/** What this request has been through. Attempts that showed the client something never reach this decision. */
export type Tried = {
  retries: number
  /** Connections lost with the request in flight, this one included: it may be what kills the engine. */
  lost: number
  staleRetried: boolean
  /** Backends not tried yet that list the same model, and then those named as fallbacks; only usable ones count. */
  untriedPeers: number
  untriedFallbacks: number
  /** Milliseconds until the request's own deadline. */
  remainingMs: number
  /** False where repeating could have side effects: `/v1/responses` with `store`. */
  repeatable: boolean
}

export type RetryDecision =
  | { do: 'retry'; afterMs: number; budgeted: boolean }
  | { do: 'next-backend' }
  | { do: 'give-up' }

const GIVE_UP: RetryDecision = { do: 'give-up' }
const NEXT: RetryDecision = { do: 'next-backend' }

/** A usable fallback goes before any wait longer than this (DESIGN 3). */
const LONGEST_WAIT_BEFORE_FALLBACK_MS = 1000

/** After a failed attempt that showed the client nothing: again, elsewhere, or the end. `chance` in [0, 1). */
export function decideRetry(failure: Failure, tried: Tried, policy: RetryPolicy, chance: number): RetryDecision {
  if (!tried.repeatable && failure.kind !== 'unreachable') return GIVE_UP
  if (tried.remainingMs <= 0) return GIVE_UP
  if (failure.overflow) {
    const { enabled, onContextOverflow } = policy.fallback
    return enabled && onContextOverflow && tried.untriedPeers + tried.untriedFallbacks > 0 ? NEXT : GIVE_UP
  }
  if (failure.kind === 'status' && !isRetryableStatus(failure.status)) return GIVE_UP
  if ((failure.kind === 'lost' || failure.kind === 'stale') && tried.lost >= 2) return GIVE_UP
  if (failure.kind === 'stale' && !tried.staleRetried) return { do: 'retry', afterMs: 0, budgeted: false }
  if (tried.untriedPeers > 0) return NEXT
  const mayFallBack = tried.untriedFallbacks > 0 && policy.fallback.enabled && fallsBack(failure, policy)
  if (failure.kind === 'auth' || tried.retries >= policy.maxRetries) return mayFallBack ? NEXT : GIVE_UP
  const afterMs = waitBefore(failure, tried.retries, policy, chance)
  if (mayFallBack && afterMs > LONGEST_WAIT_BEFORE_FALLBACK_MS) return NEXT
  if (afterMs >= tried.remainingMs) return mayFallBack ? NEXT : GIVE_UP
  return { do: 'retry', afterMs, budgeted: true }
}

/** The statuses that another try may mend (DESIGN 5): never any other 4xx. */
export function isRetryableStatus(status: number | null): boolean {
  return status === 408 || status === 429 || (status !== null && status >= 500)
}

function fallsBack(failure: Failure, policy: RetryPolicy): boolean {
  return failure.status !== 429 || policy.fallback.onRateLimit
}

function waitBefore(failure: Failure, retries: number, policy: RetryPolicy, chance: number): number {
  const backoff = backoffMs(policy, retries, chance)
  if (!policy.respectRetryAfter || failure.kind !== 'status') return backoff
  if (failure.retryAfterMs !== null) return Math.max(backoff, Math.min(failure.retryAfterMs, policy.maxRetryAfterMs))
  return failure.status === 429 && !failure.garbledRetryAfter ? policy.defaultRetryAfterMs : backoff
}
