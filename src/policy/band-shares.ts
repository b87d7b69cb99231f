/** The bands, most important first (DESIGN, words). */
export const BANDS = ['high', 'normal', 'low'] as const
export type Band = (typeof BANDS)[number]

/** Smallest share of the work that a band below high gets while it has backlog, by its index in BANDS. */
export type Guarantees = { normal: number; low: number }

/** What a band has been charged is forgotten by half in this time (scheduling.md 1.2). */
const HALF_LIFE_MS = 30_000

/** A band that was not charged yet is owed only after this wait (DESIGN 3). */
const FIRST_OWED_AFTER_MS = 250

/** An owed head that does not fit for this long stops what is below high (scheduling.md 1.2). */
const RESERVE_AFTER_MS = 2000

/** Waiting time that must have been seen before a rate is worth telling. */
const RATE_AFTER_MS = 500

type Account = {
  guarantee: number
  /** Weighted tokens, decayed. */
  charged: number
  /** Of these, what went to requests that had waited, and how long there was backlog, in ms; both decayed. */
  drained: number
  backloggedMs: number
  /** Since when it waits: its backlog began, or its last dispatch. null: no backlog. */
  waitingSince: number | null
  blockedSince: number | null
}

/** Who got how much of a backend lately, and which band is therefore owed something. O(1) throughout. */
export class BandShares {
  readonly #accounts: Record<Band, Account>
  #guaranteed: number
  #at = 0

  constructor(guarantees: Guarantees) {
    this.#accounts = {
      high: newAccount(0),
      normal: newAccount(guarantees.normal),
      low: newAccount(guarantees.low),
    }
    this.#guaranteed = guarantees.normal + guarantees.low
  }

  /** Other guarantees from now on; what each band has had counts on. */
  reconfigure(guarantees: Guarantees): void {
    this.#accounts.normal.guarantee = guarantees.normal
    this.#accounts.low.guarantee = guarantees.low
    this.#guaranteed = guarantees.normal + guarantees.low
  }

  /** The band has requests waiting from now on. */
  backlogBegins(band: Band, now: number): void {
    this.#advance(now)
    this.#accounts[band].waitingSince = now
  }

  backlogEnds(band: Band, now: number): void {
    this.#advance(now)
    const account = this.#accounts[band]
    account.waitingSince = null
    account.blockedSince = null
  }

  /** A request of the band is dispatched at `cost` weighted tokens. */
  dispatched(band: Band, cost: number, waitedMs: number, now: number): void {
    this.#advance(now)
    const account = this.#accounts[band]
    account.charged += cost
    if (waitedMs > 0) account.drained += cost
    account.blockedSince = null
    if (account.waitingSince !== null) account.waitingSince = now
  }

  /**
   * What was charged at `chargedAt` was `difference` more or less in truth. It is forgotten as if it had been charged
   * right at once: settled undecayed, it cost the low band a fifth of its guarantee (scheduling.md 10).
   */
  correct(band: Band, difference: number, chargedAt: number, now: number): void {
    this.#advance(now)
    const account = this.#accounts[band]
    account.charged = Math.max(0, account.charged + difference * fading(now - chargedAt))
  }

  share(band: Band): number {
    const { high, normal, low } = this.#accounts
    const total = high.charged + normal.charged + low.charged
    return total > 0 ? this.#accounts[band].charged / total : 0
  }

  /** Bands below high that have backlog and less than their guarantee, the largest deficit first. */
  owed(now: number): Band[] {
    this.#advance(now)
    const normal = this.#deficit('normal', now)
    const low = this.#deficit('low', now)
    if (normal > 0 && low > 0) return normal >= low ? ['normal', 'low'] : ['low', 'normal']
    if (normal > 0) return ['normal']
    return low > 0 ? ['low'] : []
  }

  #deficit(band: Band, now: number): number {
    const account = this.#accounts[band]
    if (account.waitingSince === null) return 0
    const known = account.charged > 1 || now - account.waitingSince >= FIRST_OWED_AFTER_MS
    const deficit = known ? account.guarantee - this.share(band) : 0
    if (deficit <= 0) account.blockedSince = null
    return deficit
  }

  /** The head of an owed band did not fit. */
  blocked(band: Band, now: number): void {
    this.#accounts[band].blockedSince ??= now
  }

  /** The owed band whose head has not fitted for too long: it alone may run now. */
  reserved(owed: readonly Band[], now: number): Band | null {
    let longest: Band | null = null
    for (const band of owed) {
      const since = this.#accounts[band].blockedSince
      if (since === null || now - since < RESERVE_AFTER_MS) continue
      if (longest === null || since < this.#accounts[longest].blockedSince!) longest = band
    }
    return longest
  }

  /** High has more than what the guarantees leave it. */
  highExceeds(): boolean {
    return this.share('high') > 1 - this.#guaranteed
  }

  /** Weighted tokens a millisecond that the band gets while it has backlog; null: not seen for long enough. */
  rate(band: Band, now: number): number | null {
    this.#advance(now)
    const { drained, backloggedMs } = this.#accounts[band]
    return backloggedMs < RATE_AFTER_MS || drained <= 0 ? null : drained / backloggedMs
  }

  #advance(now: number): void {
    const passedMs = now - this.#at
    if (passedMs <= 0) return
    this.#at = now
    const kept = fading(passedMs)
    for (const band of BANDS) {
      const account = this.#accounts[band]
      account.charged *= kept
      account.drained *= kept
      account.backloggedMs *= kept
      if (account.waitingSince !== null) account.backloggedMs += ((1 - kept) * HALF_LIFE_MS) / Math.LN2
    }
  }
}

function newAccount(guarantee: number): Account {
  return { guarantee, charged: 0, drained: 0, backloggedMs: 0, waitingSince: null, blockedSince: null }
}

const fading = (ms: number): number => 2 ** (-ms / HALF_LIFE_MS)
