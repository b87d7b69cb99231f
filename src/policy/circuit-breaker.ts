/**
 * One backend's breaker: 3 failures within 30 s open it for 5 s, then 10, 20, … up to 60 s while its probes fail
 * (DESIGN 5). What counts as a failure is for the caller: client aborts, 4xx and 429 never do.
 */
export type Breaker =
  /** `successes`: on end, since the last of the failures. */
  | { is: 'closed'; failures: readonly number[]; successes: number }
  | { is: 'open'; until: number; opened: number }
  | { is: 'half-open'; opened: number; probing: boolean }

/** `reachable`: a background probe was answered, so a real request may try before the time is up. */
export type BreakerEvent = 'success' | 'failure' | 'reachable' | 'probe-started' | 'probe-dropped'

const FAILURES_TO_OPEN = 3
const WINDOW_MS = 30_000
/**
 * Successes on end that make up for failures: were it one, a backend that fails every third time would never be left;
 * were it none, one that fails once in a thousand would be left again and again (P3.3 of the rig).
 */
const SUCCESSES_TO_FORGIVE = 20
const FIRST_OPEN_MS = 5_000
const MAX_OPEN_MS = 60_000

export const CLOSED: Breaker = { is: 'closed', failures: [], successes: 0 }

/** The next state after `event` at `now` (a monotonic clock, milliseconds). */
export function nextBreaker(breaker: Breaker, event: BreakerEvent, now: number): Breaker {
  const current = settleBreaker(breaker, now)
  switch (event) {
    case 'success':
      return afterSuccess(current)
    case 'failure':
      return afterFailure(current, now)
    case 'reachable':
      return current.is === 'open' ? { is: 'half-open', opened: current.opened, probing: false } : current
    case 'probe-started':
      return current.is === 'half-open' ? { ...current, probing: true } : current
    case 'probe-dropped':
      return current.is === 'half-open' ? { ...current, probing: false } : current
  }
}

/** The breaker as `now` finds it: an open one becomes half-open when its time is up. */
export function settleBreaker(breaker: Breaker, now: number): Breaker {
  if (breaker.is === 'open' && now >= breaker.until) return { is: 'half-open', opened: breaker.opened, probing: false }
  return breaker
}

/** Whether a request may be sent now; in half-open one at a time. */
export function breakerAllows(breaker: Breaker, now: number): boolean {
  const current = settleBreaker(breaker, now)
  return current.is === 'closed' || (current.is === 'half-open' && !current.probing)
}

/** One that is open stays so: what succeeds now was under way before. */
function afterSuccess(current: Breaker): Breaker {
  if (current.is === 'open') return current
  if (current.is === 'half-open') return CLOSED
  if (current.failures.length === 0) return current
  const successes = current.successes + 1
  return successes >= SUCCESSES_TO_FORGIVE ? CLOSED : { ...current, successes }
}

function afterFailure(current: Breaker, now: number): Breaker {
  if (current.is === 'open') return current
  if (current.is === 'half-open') return openFor(current.opened, now)
  const failures = [...current.failures.filter((at) => now - at < WINDOW_MS), now]
  return failures.length >= FAILURES_TO_OPEN ? openFor(0, now) : { is: 'closed', failures, successes: 0 }
}

function openFor(opened: number, now: number): Breaker {
  return {
    is: 'open',
    until: now + Math.min(MAX_OPEN_MS, FIRST_OPEN_MS * 2 ** opened),
    opened: Math.min(opened + 1, 8),
  }
}
