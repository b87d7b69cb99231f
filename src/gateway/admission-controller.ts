import {
  type Account,
  formatReset,
  LimitLedger,
  type LimitName,
  limitRetryAfterSeconds,
  type Receipt,
  type Standing,
  type UserLimits,
} from '../policy/limits.ts'
import { type Problem, problem } from '../protocol/errors.ts'
import type { Principal } from '../users/api-key.ts'
import type { Usage } from '../wire/usage.ts'
import { type Forecast, TokenForecast } from './token-forecast.ts'

/** What `rate_limit` says (DESIGN 3), with its rates resolved. The objects are compared by identity: make them once. */
export type LimitRules = {
  enabled: boolean
  byDefault: UserLimits
  users: ReadonlyMap<string, UserLimits>
  /** Models a user may ask for; a user without an entry may ask for all. */
  models: ReadonlyMap<string, ReadonlySet<string>>
}

/** What an admitted request holds; closed once, by `close`. */
export type Admitted = { receipt: Receipt; accounts: readonly Account[]; model: string; forecast: Forecast }

/** Who asks for what. `named`: the user that the request itself names. */
export type Asking = {
  principal: Principal
  named: string | null
  model: string
  body: Buffer
  maxTokens: number | null
}

/** A token limit this many times the body's bytes is far away: then a rough forecast does. */
const FAR_AWAY = 20

export type AdmissionResult =
  | { ok: true; admitted: Admitted | null }
  | { ok: false; problem: Problem; limit: LimitName | null; headers: string[] }

const REQUEST_HEADERS = [
  'x-ratelimit-limit-requests',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-reset-requests',
] as const
const TOKEN_HEADERS = ['x-ratelimit-limit-tokens', 'x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'] as const
const NOBODY: readonly Account[] = []
const NO_FORECAST: Forecast = { tokens: 0, counts: null }

const MESSAGES: Record<LimitName, string> = {
  requests: 'Too many requests',
  tokens: 'Too many tokens per minute',
  concurrency: 'Too many requests at once',
}

/**
 * Whose limits count, and whether they leave room: a key's owner has one set of buckets whatever `user` its requests
 * name, a user named inside it a further one; without a key the named user alone counts. Who is nobody is not limited.
 */
export class AdmissionController {
  private readonly rules: LimitRules
  private readonly ledger = new LimitLedger()
  private readonly forecasts = new TokenForecast()
  /** A key's own account, made once per key. */
  private readonly ownAccounts = new WeakMap<Principal, readonly Account[]>()

  constructor(rules: LimitRules) {
    this.rules = rules
  }

  /** Takes all that the request needs, or nothing. `now` is monotonic, in milliseconds. */
  admit(asking: Asking, now: number): AdmissionResult {
    const { principal, named, model } = asking
    const allowed = this.rules.models.get(principal.user ?? named ?? '')
    if (allowed !== undefined && !allowed.has(model)) {
      const told = problem('permission_denied', 'This user may not ask for this model.', { param: 'model' })
      return { ok: false, problem: told, limit: null, headers: [] }
    }
    const accounts = this.accountsOf(principal, named)
    if (accounts.length === 0) return { ok: true, admitted: null }
    const forecast = this.forecastFor(asking, accounts, now)
    const admission = this.ledger.admit(accounts, forecast.tokens, now)
    if (admission.ok) return { ok: true, admitted: { receipt: admission.receipt, accounts, model, forecast } }
    const { limit, waitMs } = admission
    const seconds = limitRetryAfterSeconds(waitMs)
    const told = problem('rate_limit_exceeded', `${MESSAGES[limit]} for this user. Try again in ${seconds} s.`, {
      retryAfterMs: seconds * 1000,
    })
    const headers: string[] = []
    this.addHeaders(headers, accounts, now)
    return { ok: false, problem: told, limit, headers }
  }

  /** The end of a request that ran: its true tokens count, or what was forecast where nobody said. */
  settle({ receipt, model, forecast }: Admitted, usage: Usage | null, now: number): void {
    const told = usage === null ? null : (usage.prompt ?? 0) + (usage.completion ?? 0)
    this.ledger.settle(receipt, told ?? forecast.tokens, now)
    if (usage !== null) this.forecasts.learn(model, forecast, usage)
  }

  /** The end of a request that the backend refused as the caller's mistake: it counts as one, but used no tokens. */
  settleUnused({ receipt }: Admitted, now: number): void {
    this.ledger.settle(receipt, 0, now)
  }

  /** The end of a request that never ran, or failed before its first content: it has cost nothing. */
  refund({ receipt }: Admitted, now: number): void {
    this.ledger.refund(receipt, now)
  }

  /** Requests running and tokens reserved, of all users; both 0 when nothing runs. */
  outstanding(): { concurrent: number; reserved: number } {
    return this.ledger.outstanding()
  }

  /** Adds OpenAI's `x-ratelimit-*` headers, of the account with the least left. */
  addHeaders(headers: string[], accounts: readonly Account[], now: number): void {
    const { requests, tokens } = this.ledger.standings(accounts, now)
    if (requests !== null) addStanding(headers, REQUEST_HEADERS, requests)
    if (tokens !== null) addStanding(headers, TOKEN_HEADERS, tokens)
  }

  private forecastFor({ body, model, maxTokens }: Asking, accounts: readonly Account[], now: number): Forecast {
    if (accounts.every(({ limits }) => limits.tokensPerMinute === null)) return NO_FORECAST
    const isFar = this.ledger.tokensLeft(accounts, now) > FAR_AWAY * (body.length + (maxTokens ?? 0))
    return isFar ? this.forecasts.rough(body, model, maxTokens) : this.forecasts.precise(body, model, maxTokens)
  }

  private accountsOf(principal: Principal, named: string | null): readonly Account[] {
    if (!this.rules.enabled) return NOBODY
    const owner = principal.user ?? principal.keyId
    if (owner === null) return named === null ? NOBODY : [{ id: `user ${named}`, limits: this.limitsOf(named) }]
    let own = this.ownAccounts.get(principal)
    if (own === undefined) {
      own = [{ id: `key ${owner}`, limits: this.limitsOf(principal.user) }]
      this.ownAccounts.set(principal, own)
    }
    if (named === null || named === principal.user) return own
    return [...own, { id: `key ${owner} user ${named}`, limits: this.rules.byDefault }]
  }

  private limitsOf(user: string | null): UserLimits {
    return (user === null ? undefined : this.rules.users.get(user)) ?? this.rules.byDefault
  }
}

function addStanding(headers: string[], names: readonly [string, string, string], standing: Standing): void {
  const { limit, remaining, resetMs } = standing
  headers.push(names[0], String(limit), names[1], String(remaining), names[2], formatReset(resetMs))
}
