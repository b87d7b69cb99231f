import type { Band } from '../policy/band-shares.ts'
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
import { say } from '../protocol/sentence.ts'
import { type Principal, type UserStanding, userClosedBy } from '../users/api-key.ts'
import type { Usage } from '../wire/usage.ts'
import { type Forecast, type Foreseen, TokenForecast, tokensOf } from './token-forecast.ts'

/** What the operator says of one user, beyond the limits that are counted. */
export type UserRules = {
  limits: UserLimits
  /** Models the user may ask for; null: all. */
  models: ReadonlySet<string> | null
  /** Share inside a band, > 0. */
  weight: number
  maxBand: Band
  allowRemote: boolean
  /** Tokens a day of UTC, prompt and answer; left out: no limit. */
  dailyTokens?: number | null
  /** Whether he may call at all. */
  standing?: UserStanding
}

/** What `rate_limit` says (DESIGN 3), with its rates resolved. The objects are compared by identity: make them once. */
export type LimitRules = { enabled: boolean; byDefault: UserRules; users: ReadonlyMap<string, UserRules> }

/** What an admitted request holds; closed once. `receipt` null: nothing limits its caller. */
export type Admitted = {
  receipt: Receipt | null
  accounts: readonly Account[]
  foreseen: Foreseen
  forecast: Forecast
  reserved: number
}

/** Who asks for what. `named`: the user that the request itself names. */
export type Asking = {
  principal: Principal
  named: string | null
  /** The resolved model, to be checked against what the user may ask for. */
  model: string
  foreseen: Foreseen
  maxTokens: number | null
}

/** A token limit this many times the body's bytes is far away: then a rough forecast does. */
const FAR_AWAY = 20

export type AdmissionResult =
  | { ok: true; admitted: Admitted }
  | { ok: false; problem: Problem; limit: LimitName | null; headers: string[] }

const REQUEST_HEADERS = [
  'x-ratelimit-limit-requests',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-reset-requests',
] as const
const TOKEN_HEADERS = ['x-ratelimit-limit-tokens', 'x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'] as const
const NOBODY: readonly Account[] = []

const MESSAGES: Record<LimitName, string> = {
  requests: say('Too many requests'),
  tokens: say('Too many tokens per minute'),
  concurrency: say('Too many requests at once'),
}

const DAY_MS = 86_400_000

/**
 * Whose limits count, and whether they leave room: a key's owner has one set of buckets whatever `user` its requests
 * name, a user named inside it a further one; without a key the named user alone counts. Who is nobody is not limited.
 */
export class AdmissionController {
  private current: LimitRules
  private readonly spentToday: (user: string) => number
  private readonly ledger = new LimitLedger()
  private readonly forecasts = new TokenForecast()
  /** A key's own account, made once per key. */
  private ownAccounts = new WeakMap<Principal, readonly Account[]>()

  /** `spentToday`: tokens that a user has had since midnight UTC. */
  constructor(rules: LimitRules, spentToday: (user: string) => number = () => 0) {
    this.current = rules
    this.spentToday = spentToday
  }

  get rules(): LimitRules {
    return this.current
  }

  /** Holds from the next request on. What was used of a limit that is changed stays used. */
  replaceRules(rules: LimitRules): void {
    this.current = rules
    this.ownAccounts = new WeakMap()
  }

  /** What the operator says of the key's owner, or of the named user where there is no key. */
  rulesOf({ user, keyId }: Principal, named: string | null): UserRules {
    const name = user ?? (keyId === null ? named : null)
    return (name === null ? undefined : this.rules.users.get(name)) ?? this.rules.byDefault
  }

  /** Takes all that the request needs, or nothing. `now` is monotonic, in milliseconds. */
  admit(asking: Asking, now: number): AdmissionResult {
    const { principal, named, model, foreseen, maxTokens } = asking
    const rules = this.rulesOf(principal, named)
    const closed = this.closedFor(asking, rules)
    if (closed !== null) return closed
    const { models } = rules
    if (models !== null && !models.has(model)) {
      const told = problem('permission_denied', say('This user may not ask for this model.'), { param: 'model' })
      return { ok: false, problem: told, limit: null, headers: [] }
    }
    const accounts = this.accountsOf(principal, named)
    const forecast = this.forecastFor(asking, accounts, now)
    if (accounts.length === 0)
      return { ok: true, admitted: { receipt: null, accounts, foreseen, forecast, reserved: 0 } }
    const reserved = tokensOf(forecast, maxTokens)
    const admission = this.ledger.admit(accounts, reserved, now)
    if (admission.ok)
      return { ok: true, admitted: { receipt: admission.receipt, accounts, foreseen, forecast, reserved } }
    const { limit, waitMs } = admission
    const seconds = limitRetryAfterSeconds(waitMs)
    const told = problem('rate_limit_exceeded', say`${MESSAGES[limit]} for this user. Try again in ${seconds} s.`, {
      retryAfterMs: seconds * 1000,
    })
    const headers: string[] = []
    this.addHeaders(headers, accounts, now)
    return { ok: false, problem: told, limit, headers }
  }

  /** The end of a request that ran: its true tokens count, or what was forecast where nobody said. */
  settle({ receipt, foreseen, forecast, reserved }: Admitted, usage: Usage | null, now: number): void {
    const told = usage === null ? null : (usage.prompt ?? 0) + (usage.completion ?? 0)
    if (receipt !== null) this.ledger.settle(receipt, told ?? reserved, now)
    if (usage !== null) this.forecasts.learn(foreseen, forecast, usage)
  }

  /** The end of a request that the backend refused as the caller's mistake: it counts as one, but used no tokens. */
  settleUnused({ receipt }: Admitted, now: number): void {
    if (receipt !== null) this.ledger.settle(receipt, 0, now)
  }

  /** The end of a request that never ran, or failed before its first content: it has cost nothing. */
  refund({ receipt }: Admitted, now: number): void {
    if (receipt !== null) this.ledger.refund(receipt, now)
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

  /** A user who may not call, or who has used up his day. */
  private closedFor({ principal, named }: Asking, { standing, dailyTokens }: UserRules): AdmissionResult | null {
    if (standing === undefined && dailyTokens == null) return null
    const wall = Date.now()
    const why = userClosedBy(standing, wall)
    if (why !== null) {
      const message =
        why === 'user disabled'
          ? say('This user is disabled. Ask the operator of this Lexora.')
          : say('This user has expired. Ask the operator of this Lexora.')
      return { ok: false, problem: problem('permission_denied', message), limit: null, headers: [] }
    }
    const name = principal.user ?? named
    if (dailyTokens == null || name === null || !this.rules.enabled || this.spentToday(name) < dailyTokens) return null
    const told = problem('rate_limit_exceeded', say`The ${dailyTokens} tokens of this user for today are used up.`, {
      retryAfterMs: DAY_MS - (wall % DAY_MS),
    })
    return { ok: false, problem: told, limit: 'tokens', headers: [] }
  }

  private forecastFor({ foreseen, maxTokens }: Asking, accounts: readonly Account[], now: number): Forecast {
    if (accounts.every(({ limits }) => limits.tokensPerMinute === null)) return this.forecasts.rough(foreseen)
    const isFar = this.ledger.tokensLeft(accounts, now) > FAR_AWAY * (foreseen.body.length + (maxTokens ?? 0))
    return isFar ? this.forecasts.rough(foreseen) : this.forecasts.precise(foreseen)
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
    return [...own, { id: `key ${owner} user ${named}`, limits: this.rules.byDefault.limits }]
  }

  private limitsOf(user: string | null): UserLimits {
    return ((user === null ? undefined : this.rules.users.get(user)) ?? this.rules.byDefault).limits
  }
}

function addStanding(headers: string[], names: readonly [string, string, string], standing: Standing): void {
  const { limit, remaining, resetMs } = standing
  headers.push(names[0], String(limit), names[1], String(remaining), names[2], formatReset(resetMs))
}
