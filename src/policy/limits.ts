import { retryAfterSeconds } from '../protocol/errors.ts'
import { type Bucket, fullInMs, give, newBucket, perMinute, type Rate, refill, waitFor } from './token-bucket.ts'

/** The limits of one user; null: none. */
export type UserLimits = { requests: Rate | null; tokensPerMinute: number | null; maxConcurrent: number | null }

/** Whose limits count for a request: the key's owner, and the user it names inside that key (DESIGN 3). */
export type Account = { id: string; limits: UserLimits }

export type LimitName = 'requests' | 'tokens' | 'concurrency'

/** `waitMs`: until this request would fit; for concurrency a guess, since nobody knows when an answer ends. */
export type Admission = { ok: true; receipt: Receipt } | { ok: false; limit: LimitName; waitMs: number }

/** What one request took, by account; handed back once, with what it used. */
export type Receipt = { readonly holds: readonly Hold[]; settled: boolean }
type Hold = { held: Held; reserved: number }

/** One limit as the `x-ratelimit-*` headers tell it: `resetMs` is the time until it is full again (OpenAI's meaning). */
export type Standing = { limit: number; remaining: number; resetMs: number }
export type Standings = { requests: Standing | null; tokens: Standing | null }

/** Live accounts; beyond these the one unused for longest is forgotten (DESIGN 5). */
const MAX_ACCOUNTS = 10_000

/** How many accounts in use may be passed over in search of an idle one to forget. */
const EVICTION_TRIES = 8

/** What a caller at his concurrency limit is told to wait. */
const CONCURRENCY_WAIT_MS = 1000

/** One user's state. `newer` and `older` link them by last use: a Map that is re-ordered per request makes garbage. */
type Held = {
  id: string
  limits: UserLimits
  tokenRate: Rate | null
  requests: Bucket
  tokens: Bucket
  concurrent: number
  reserved: number
  newer: Held | null
  older: Held | null
}

/**
 * Requests, tokens per minute and concurrency of every user. All limits of all accounts are checked before any is
 * taken, in one synchronous call, so a rejected request costs nothing and no race exists. `now` is monotonic, in ms.
 */
export class LimitLedger {
  readonly #maxAccounts: number
  readonly #held = new Map<string, Held>()
  #newest: Held | null = null
  #oldest: Held | null = null

  constructor(maxAccounts = MAX_ACCOUNTS) {
    this.#maxAccounts = maxAccounts
  }

  get size(): number {
    return this.#held.size
  }

  /** `reserve`: predicted tokens, prompt and answer; counted up to a full bucket, so that a small limit admits one. */
  admit(accounts: readonly Account[], reserve: number, now: number): Admission {
    let worst: { limit: LimitName; waitMs: number } | null = null
    const holds: Hold[] = []
    for (const account of accounts) {
      const held = this.#hold(account, now)
      const reserved = Math.min(reserve, held.tokenRate?.burst ?? reserve)
      const refusal = refusalOf(held, reserved, now)
      if (refusal !== null && (worst === null || refusal.waitMs > worst.waitMs)) worst = refusal
      holds.push({ held, reserved })
    }
    if (worst !== null) return { ok: false, ...worst }
    for (const { held, reserved } of holds) takeAll(held, reserved, now)
    return { ok: true, receipt: { holds, settled: false } }
  }

  /** The request ended after it ran: its true tokens count, whatever was reserved. A second end changes nothing. */
  settle(receipt: Receipt, tokens: number, now: number): void {
    this.#end(receipt, tokens, 0, now)
  }

  /** The request never ran (queue full, timed out, failed before the first token): all of it comes back. */
  refund(receipt: Receipt, now: number): void {
    this.#end(receipt, 0, 1, now)
  }

  #end(receipt: Receipt, tokens: number, requests: 0 | 1, now: number): void {
    if (receipt.settled) return
    receipt.settled = true
    for (const { held, reserved } of receipt.holds) {
      held.concurrent--
      held.reserved -= reserved
      if (held.limits.requests !== null) give(held.requests, held.limits.requests, requests, now)
      if (held.tokenRate !== null) give(held.tokens, held.tokenRate, reserved - tokens, now)
    }
  }

  /** Tokens that are left now, of several accounts the fewest; Infinity where no limit holds. */
  tokensLeft(accounts: readonly Account[], now: number): number {
    let fewest = Infinity
    for (const { id } of accounts) {
      const held = this.#held.get(id)
      if (held !== undefined && held.tokenRate !== null)
        fewest = Math.min(fewest, refill(held.tokens, held.tokenRate, now))
    }
    return fewest
  }

  /** For the headers: of several accounts the one with the least left. Empty for accounts never seen. */
  standings(accounts: readonly Account[], now: number): Standings {
    const result: Standings = { requests: null, tokens: null }
    for (const { id } of accounts) {
      const held = this.#held.get(id)
      if (held === undefined) continue
      result.requests = tighter(result.requests, standing(held.requests, held.limits.requests, now))
      result.tokens = tighter(result.tokens, standing(held.tokens, held.tokenRate, now))
    }
    return result
  }

  /** Requests running and tokens reserved in all accounts; both are 0 when nothing runs. */
  outstanding(): { concurrent: number; reserved: number } {
    const sum = { concurrent: 0, reserved: 0 }
    for (const held of this.#held.values()) {
      sum.concurrent += held.concurrent
      sum.reserved += held.reserved
    }
    return sum
  }

  #hold(account: Account, now: number): Held {
    let held = this.#held.get(account.id)
    if (held === undefined) {
      if (this.#held.size >= this.#maxAccounts) this.#forgetOne()
      held = newHeld(account, now)
      this.#held.set(account.id, held)
    } else {
      if (held.limits !== account.limits) relimit(held, account.limits, now)
      this.#unlink(held)
    }
    this.#linkNewest(held)
    return held
  }

  /** The oldest idle one; a few in use are passed over. Receipts of a forgotten account still close, into nothing. */
  #forgetOne(): void {
    for (let tries = 0; tries < EVICTION_TRIES && this.#oldest !== null && this.#oldest.concurrent > 0; tries++) {
      const busy = this.#oldest
      this.#unlink(busy)
      this.#linkNewest(busy)
    }
    const oldest = this.#oldest
    if (oldest === null) return
    this.#unlink(oldest)
    this.#held.delete(oldest.id)
  }

  #unlink(held: Held): void {
    if (held.newer === null) this.#newest = held.older
    else held.newer.older = held.older
    if (held.older === null) this.#oldest = held.newer
    else held.older.newer = held.newer
    held.newer = null
    held.older = null
  }

  #linkNewest(held: Held): void {
    held.older = this.#newest
    if (this.#newest === null) this.#oldest = held
    else this.#newest.newer = held
    this.#newest = held
  }
}

/** Whole seconds for `Retry-After`, at least 1 and at most a day. */
export function limitRetryAfterSeconds(waitMs: number): number {
  return Math.min(86_400, retryAfterSeconds(waitMs))
}

/** A duration as OpenAI writes it in `x-ratelimit-reset-*`: `120ms`, `1.5s`, `6m0s`, `1h0m3s`. */
export function formatReset(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`
  if (ms < 60_000) return `${Math.ceil(ms / 10) / 100}s`
  const seconds = Math.ceil(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  return `${hours > 0 ? `${hours}h` : ''}${minutes}m${seconds % 60}s`
}

function newHeld({ id, limits }: Account, now: number): Held {
  const tokenRate = limits.tokensPerMinute === null ? null : perMinute(limits.tokensPerMinute)
  return {
    id,
    limits,
    tokenRate,
    requests: { tokens: limits.requests?.burst ?? 0, at: now },
    tokens: tokenRate === null ? { tokens: 0, at: now } : newBucket(tokenRate, now),
    concurrent: 0,
    reserved: 0,
    newer: null,
    older: null,
  }
}

/** After a reload: what was used up stays used up; a limit that is new starts full. */
function relimit(held: Held, limits: UserLimits, now: number): void {
  const before = held.limits
  const tokenRate = limits.tokensPerMinute === null ? null : perMinute(limits.tokensPerMinute)
  held.requests = carry(held.requests, before.requests, limits.requests, now)
  held.tokens = carry(held.tokens, held.tokenRate, tokenRate, now)
  held.limits = limits
  held.tokenRate = tokenRate
}

function carry(bucket: Bucket, before: Rate | null, next: Rate | null, now: number): Bucket {
  if (next === null) return bucket
  const used = before === null ? 0 : before.burst - refill(bucket, before, now)
  return { tokens: Math.max(-next.burst, next.burst - used), at: now }
}

function refusalOf(held: Held, reserved: number, now: number): { limit: LimitName; waitMs: number } | null {
  const { requests, maxConcurrent } = held.limits
  const requestsWaitMs = requests === null ? 0 : waitFor(held.requests, requests, 1, now)
  if (requestsWaitMs > 0) return { limit: 'requests', waitMs: requestsWaitMs }
  const tokensWaitMs = held.tokenRate === null ? 0 : waitFor(held.tokens, held.tokenRate, Math.max(1, reserved), now)
  if (tokensWaitMs > 0) return { limit: 'tokens', waitMs: tokensWaitMs }
  if (maxConcurrent !== null && held.concurrent >= maxConcurrent)
    return { limit: 'concurrency', waitMs: CONCURRENCY_WAIT_MS }
  return null
}

function takeAll(held: Held, reserved: number, now: number): void {
  held.concurrent++
  held.reserved += reserved
  if (held.limits.requests !== null) give(held.requests, held.limits.requests, -1, now)
  if (held.tokenRate !== null) give(held.tokens, held.tokenRate, -reserved, now)
}

function standing(bucket: Bucket, rate: Rate | null, now: number): Standing | null {
  if (rate === null) return null
  const remaining = Math.max(0, Math.floor(refill(bucket, rate, now) + 1e-6))
  return { limit: rate.burst, remaining, resetMs: fullInMs(bucket, rate, now) }
}

function tighter(a: Standing | null, b: Standing | null): Standing | null {
  if (a === null || b === null) return a ?? b
  return b.remaining < a.remaining ? b : a
}
