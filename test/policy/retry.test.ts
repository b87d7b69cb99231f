import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decideRetry,
  type Failure,
  isRetryableStatus,
  type RetryDecision,
  type RetryPolicy,
  type Tried,
} from '../../src/policy/retry.ts'
import { aFailure, aPolicy, aStatus, aTry } from './given.ts'

/** With the default policy the first back-off is then 500 ms. */
const HALF = 0.5

const retry = (afterMs: number): RetryDecision => ({ do: 'retry', afterMs, budgeted: true })
const AT_ONCE: RetryDecision = { do: 'retry', afterMs: 0, budgeted: false }
const NEXT: RetryDecision = { do: 'next-backend' }
const GIVE_UP: RetryDecision = { do: 'give-up' }

type Row = [
  what: string,
  failure: Failure,
  tried: Partial<Tried>,
  decision: RetryDecision,
  policy?: Partial<RetryPolicy>,
]

function decides(rows: Row[]): void {
  test.each(rows)('%s', (_, failure, tried, decision, policy) => {
    expect(decideRetry(failure, aTry(tried), aPolicy(policy), HALF)).toEqual(decision)
  })
}

describe('what another try may mend is tried again after the back-off', () => {
  decides([
    ['a refused connection', aFailure('unreachable'), {}, retry(500)],
    ['a connection lost in flight', aFailure('lost'), { lost: 1 }, retry(500)],
    ['a time-out', aFailure('timeout'), {}, retry(500)],
    ['an answer that is none', aFailure('invalid'), {}, retry(500)],
    ['408', aStatus(408), {}, retry(500)],
    ['500', aStatus(500), {}, retry(500)],
    ['503', aStatus(503), {}, retry(500)],
    ['the second retry waits longer', aStatus(503), { retries: 1 }, retry(1000)],
    ['and the third longer still', aStatus(503), { retries: 2 }, retry(2000)],
  ])
})

describe('what another try cannot mend is given up', () => {
  decides([
    ['400', aStatus(400), { untriedPeers: 1, untriedFallbacks: 1 }, GIVE_UP],
    ['404', aStatus(404), {}, GIVE_UP],
    ['413', aStatus(413), {}, GIVE_UP],
    ['422', aStatus(422), {}, GIVE_UP],
    ['our credentials refused', aFailure('auth', { status: 401 }), {}, GIVE_UP],
    ['after the last retry', aStatus(503), { retries: 3 }, GIVE_UP],
    ['with max_retries: 0', aStatus(503), {}, GIVE_UP, { maxRetries: 0 }],
    ['two connections lost in flight', aFailure('lost'), { lost: 2, untriedPeers: 1, untriedFallbacks: 1 }, GIVE_UP],
  ])

  test.each([
    [200, false],
    [399, false],
    [400, false],
    [401, false],
    [408, true],
    [409, false],
    [429, true],
    [499, false],
    [500, true],
    [502, true],
    [503, true],
    [504, true],
    [599, true],
    [null, false],
  ])('status %s may be tried again: %s', (status, may) => {
    expect(isRetryableStatus(status)).toBe(may)
  })
})

describe('a kept-alive connection that was closed under us', () => {
  decides([
    ['is retried at once and free of charge', aFailure('stale'), {}, AT_ONCE],
    ['even where no retry is allowed', aFailure('stale'), { retries: 3 }, AT_ONCE],
    ['but once only', aFailure('stale'), { staleRetried: true }, retry(500)],
    ['and not past the deadline', aFailure('stale'), { remainingMs: 0 }, GIVE_UP],
  ])
})

describe('a request that must not be repeated', () => {
  decides([
    ['is when it never left', aFailure('unreachable'), { repeatable: false }, retry(500)],
    ['is not after a lost connection', aFailure('lost'), { repeatable: false, untriedPeers: 1 }, GIVE_UP],
    ['is not after a stale connection', aFailure('stale'), { repeatable: false }, GIVE_UP],
    ['is not after a time-out', aFailure('timeout'), { repeatable: false, untriedFallbacks: 1 }, GIVE_UP],
    ['is not after a 503', aStatus(503), { repeatable: false }, GIVE_UP],
  ])
})

describe('a backend that says when to come back', () => {
  decides([
    ['is obeyed', aStatus(503, { retryAfterMs: 7000 }), {}, retry(7000)],
    ['is obeyed up to the cap', aStatus(503, { retryAfterMs: 999_999_999_000 }), {}, retry(60_000)],
    ['is waited for no less than the back-off', aStatus(503, { retryAfterMs: 0 }), {}, retry(500)],
    ['is obeyed on a 429', aStatus(429, { retryAfterMs: 7000 }), {}, retry(7000)],
    ['gets the default wait on a 429 that does not say', aStatus(429), {}, retry(30_000)],
    ['gets no default wait on a 503', aStatus(503), {}, retry(500)],
    [
      'is not heard where respect_retry_after is off',
      aStatus(429, { retryAfterMs: 7000 }),
      {},
      retry(500),
      { respectRetryAfter: false },
    ],
    ['is not heard on a failure without a status', aFailure('timeout', { retryAfterMs: 7000 }), {}, retry(500)],
  ])
})

describe('another backend with the same model', () => {
  decides([
    ['goes before any wait', aStatus(503), { untriedPeers: 1 }, NEXT],
    ['goes even after the last retry', aStatus(503), { untriedPeers: 1, retries: 3 }, NEXT],
    ['goes after refused credentials', aFailure('auth', { status: 403 }), { untriedPeers: 1 }, NEXT],
    ['goes after a lost connection', aFailure('lost'), { untriedPeers: 1, lost: 1 }, NEXT],
    ['goes where fallback is off', aStatus(429), { untriedPeers: 1 }, NEXT, off()],
  ])
})

describe('a fallback', () => {
  const one = { untriedFallbacks: 1 }
  decides([
    ['waits while the back-off is short', aStatus(503), one, retry(500)],
    ['goes before a wait of more than 1 s', aStatus(503, { retryAfterMs: 1001 }), one, NEXT],
    ['does not go before a wait of 1 s', aStatus(503, { retryAfterMs: 1000 }), one, retry(1000)],
    ['goes at once on a 429 that does not say', aStatus(429), one, NEXT],
    ['goes after the last retry', aStatus(503), { ...one, retries: 3 }, NEXT],
    ['goes after refused credentials', aFailure('auth', { status: 401 }), one, NEXT],
    ['goes when the wait would outlast the request', aStatus(503), { ...one, remainingMs: 500 }, NEXT],
    ['does not go on a 429 where on_rate_limit is off', aStatus(429), one, retry(30_000), onRateLimit(false)],
    ['still goes on a 503 where on_rate_limit is off', aStatus(503), { ...one, retries: 3 }, NEXT, onRateLimit(false)],
    ['does not go where fallback is off', aStatus(503), { ...one, retries: 3 }, GIVE_UP, off()],
  ])
})

describe('the end of its time', () => {
  decides([
    ['leaves no try', aStatus(503), { remainingMs: 0, untriedPeers: 1, untriedFallbacks: 1 }, GIVE_UP],
    ['leaves none that would begin at the end', aStatus(503), { remainingMs: 500 }, GIVE_UP],
    ['leaves one that begins before', aStatus(503), { remainingMs: 501 }, retry(500)],
  ])
})

function off(): Partial<RetryPolicy> {
  return { fallback: { enabled: false, onRateLimit: true, onContextOverflow: true } }
}

function onRateLimit(onRateLimit: boolean): Partial<RetryPolicy> {
  return { fallback: { enabled: true, onRateLimit, onContextOverflow: false } }
}

describe('a prompt that is too long for the backend', () => {
  const tooLong = aStatus(400, { overflow: true })
  const allowed = { fallback: { enabled: true, onRateLimit: true, onContextOverflow: true } }

  test('goes to a fallback where the operator allows it', () => {
    expect(decideRetry(tooLong, aTry({ untriedFallbacks: 1 }), aPolicy(allowed), 0.5)).toEqual({ do: 'next-backend' })
  })

  test('ends where there is none, or where it is not allowed', () => {
    expect(decideRetry(tooLong, aTry(), aPolicy(allowed), 0.5)).toEqual(GIVE_UP)
    expect(decideRetry(tooLong, aTry({ untriedFallbacks: 1 }), aPolicy(), 0.5)).toEqual(GIVE_UP)
    expect(decideRetry(tooLong, aTry({ untriedFallbacks: 1 }), aPolicy(off()), 0.5)).toEqual(GIVE_UP)
  })
})

describe('laws, over any failure, history and policy', () => {
  const kinds = fc.constantFrom<Failure['kind']>('unreachable', 'stale', 'lost', 'timeout', 'status', 'invalid', 'auth')
  const failures = fc
    .record({
      kind: kinds,
      status: fc.oneof(fc.constant(429), fc.integer({ min: 400, max: 599 })),
      retryAfterMs: fc.oneof(
        fc.constant(null),
        fc.nat(999_999_999).map((seconds) => seconds * 1000),
      ),
    })
    .map(({ kind, status, retryAfterMs }) =>
      kind === 'status' ? aStatus(status, { retryAfterMs }) : aFailure(kind, { retryAfterMs }),
    )
  const tries = fc.record({
    retries: fc.nat(12),
    lost: fc.nat(3),
    staleRetried: fc.boolean(),
    untriedPeers: fc.nat(2),
    untriedFallbacks: fc.nat(2),
    remainingMs: fc.oneof(fc.integer({ min: -1000, max: 5000 }), fc.nat(2_000_000_000)),
    repeatable: fc.boolean(),
  })
  /** Every policy that the configuration admits. */
  const seconds = fc.double({ min: 0, max: 2_000_000, noNaN: true }).map((value) => value * 1000)
  const policies: fc.Arbitrary<RetryPolicy> = fc.record({
    maxRetries: fc.nat(10),
    baseDelayMs: seconds,
    maxDelayMs: seconds,
    exponentialBase: fc.double({ min: 1, max: 10, noNaN: true }),
    respectRetryAfter: fc.boolean(),
    maxRetryAfterMs: seconds,
    defaultRetryAfterMs: seconds,
    fallback: fc.record({ enabled: fc.boolean(), onRateLimit: fc.boolean(), onContextOverflow: fc.boolean() }),
  })
  const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

  test('nothing is tried once the time is used up', () => {
    fc.assert(
      fc.property(failures, tries, policies, chances, fc.nat(1000), (failure, tried, policy, chance, late) => {
        expect(decideRetry(failure, { ...tried, remainingMs: -late }, policy, chance)).toEqual(GIVE_UP)
      }),
    )
  })

  test('a wait is a number from nothing to the longest configured, and ends before the request does', () => {
    fc.assert(
      fc.property(failures, tries, policies, chances, (failure, tried, policy, chance) => {
        const decision = decideRetry(failure, tried, policy, chance)
        if (decision.do !== 'retry') return
        const cap = Math.max(policy.maxDelayMs, policy.maxRetryAfterMs, policy.defaultRetryAfterMs)
        expect(decision.afterMs).toBeGreaterThanOrEqual(0)
        expect(decision.afterMs).toBeLessThanOrEqual(cap)
        expect(decision.afterMs).toBeLessThan(tried.remainingMs)
      }),
    )
  })

  test('whatever fails, a request makes at most max_retries tries, one stale one, and one per further backend', () => {
    const elsewhere = fc.record({ peers: fc.nat(3), fallbacks: fc.nat(3) })
    fc.assert(
      fc.property(
        fc.array(failures, { minLength: 30, maxLength: 30 }),
        elsewhere,
        policies,
        (story, others, policy) => {
          const tried = aTry({ untriedPeers: others.peers, untriedFallbacks: others.fallbacks, remainingMs: 1e12 })
          let further = 0
          for (const failure of story) {
            if (failure.kind === 'lost') tried.lost++
            const decision = decideRetry(failure, tried, policy, HALF)
            if (decision.do === 'give-up') break
            further++
            if (decision.do === 'next-backend' && tried.untriedPeers > 0) tried.untriedPeers--
            else if (decision.do === 'next-backend') tried.untriedFallbacks--
            else if (decision.budgeted) tried.retries++
            else tried.staleRetried = true
          }
          expect(further).toBeLessThanOrEqual(policy.maxRetries + 1 + others.peers + others.fallbacks)
          expect(tried.untriedFallbacks).toBeGreaterThanOrEqual(0)
        },
      ),
    )
  })
})
