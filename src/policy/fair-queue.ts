import { BANDS, type Band, BandShares, type Guarantees } from './band-shares.ts'
import { type Flow, Flows, type Waiter, type WaiterState } from './flows.ts'
import { IndexedHeap } from './indexed-heap.ts'

/** A request that asks for a place. Costs in weighted tokens (see `weightedCost`), times monotonic in ms. */
export type Ask<T> = {
  value: T
  band: Band
  user: string
  app: string
  /** The user's share inside the band, > 0. */
  weight: number
  cost: number
  bytes: number
  deadline: number
}

export type QueueLimits = { perFlow: number; perBand: number; bytes: number; guarantees: Guarantees }

/** Which bound is full; all of them are `queue_full` to a client. */
export type QueueFull = 'flow' | 'band' | 'bytes'
export type Enqueued<T> = { ok: true; waiter: Waiter<T> } | { ok: false; full: QueueFull; retryAfterMs: number }

/** Bounds of scheduling.md 1.2; the band's is `queue.max_size` of DESIGN 3. */
const QUEUE_LIMITS: QueueLimits = {
  perFlow: 64,
  perBand: 100,
  bytes: 64 * 1024 * 1024,
  guarantees: { normal: 0.2, low: 0.05 },
}

/** What to tell a client while no rate is known. */
const UNKNOWN_WAIT_MS = 1000

/** An answer's token costs an engine about as much as two of the prompt (scheduling.md 1.2). */
export function weightedCost(promptTokens: number, answerTokens: number): number {
  return promptTokens + 2 * answerTokens
}

/**
 * Who runs next at one backend: bands in strict order with guaranteed shares; inside a band the flow that has had
 * least by its weight; inside a flow the earliest deadline, equal ones as they came (scheduling.md 1.2). Everything
 * is O(log n). The owner calls `expire` before `next`, and `settle` once for all that was dispatched.
 */
export class FairQueue<T> {
  #limits: QueueLimits
  readonly #shares: BandShares
  readonly #bands: Record<Band, Flows> = { high: new Flows(), normal: new Flows(), low: new Flows() }
  readonly #depth: Record<Band, number> = { high: 0, normal: 0, low: 0 }
  readonly #deadlines = new IndexedHeap<'inDeadlines', Waiter<T>>('inDeadlines', (a, b) => a.deadline < b.deadline)
  #bytes = 0
  #arrivals = 0

  constructor(limits: Partial<QueueLimits> = {}) {
    this.#limits = { ...QUEUE_LIMITS, ...limits }
    this.#shares = new BandShares(this.#limits.guarantees)
  }

  get size(): number {
    return this.#deadlines.size
  }

  /** Other bounds from now on; who waits already stays, also where there are more than would be let in now. */
  reconfigure(limits: Partial<QueueLimits>): void {
    this.#limits = { ...this.#limits, ...limits }
    this.#shares.reconfigure(this.#limits.guarantees)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** All that wait, in no order: for faces. */
  get waiters(): readonly Waiter<T>[] {
    return this.#deadlines.items
  }

  depth(band: Band): number {
    return this.#depth[band]
  }

  /** Flows remembered, waiting or idle. */
  flowCount(): number {
    return BANDS.reduce((sum, band) => sum + this.#bands[band].size, 0)
  }

  /** The share of the work that a band had lately, 0 to 1. */
  share(band: Band): number {
    return this.#shares.share(band)
  }

  enqueue(ask: Ask<T>, now: number): Enqueued<T> {
    const flows = this.#bands[ask.band]
    const full = this.#fullFor(ask, flows.find(ask.user, ask.app))
    if (full !== null) return { ok: false, full, retryAfterMs: this.predictWaitMs(ask, now) ?? UNKNOWN_WAIT_MS }
    const waiter = newWaiter(ask, flows.flowOf(ask.user, ask.app, ask.weight, now), this.#arrivals++, now)
    flows.add(waiter)
    this.#deadlines.add(waiter)
    this.#bytes += ask.bytes
    if (this.#depth[ask.band]++ === 0) this.#shares.backlogBegins(ask.band, now)
    return { ok: true, waiter }
  }

  /**
   * The next request to run, removed and charged, or null when nothing fits. `admits` is the permit gate's word:
   * `owed` says that the band is below its guarantee. Called until it yields null.
   */
  next(now: number, admits: (waiter: Waiter<T>, owed: boolean) => boolean): Waiter<T> | null {
    if (this.size === 0) return null
    const owed = this.#shares.owed(now)
    const reserved = this.#shares.reserved(owed, now)
    if (reserved !== null) {
      const waiter = this.#tryBand(reserved, true, admits, now)
      if (waiter !== null || this.#shares.highExceeds()) return waiter
      return this.#tryBand('high', false, admits, now)
    }
    return this.#tryOwed(owed, admits, now) ?? this.#tryInOrder(owed, admits, now)
  }

  #tryOwed(
    owed: readonly Band[],
    admits: (waiter: Waiter<T>, owed: boolean) => boolean,
    now: number,
  ): Waiter<T> | null {
    for (const [i, band] of owed.entries()) {
      // A band is skipped once a more important one did not fit.
      if (i > 0 && band === 'low') return null
      const waiter = this.#tryBand(band, true, admits, now)
      if (waiter !== null) return waiter
    }
    return null
  }

  /** The first band that has backlog and does not fit ends the round; owed ones have been tried. */
  #tryInOrder(
    owed: readonly Band[],
    admits: (waiter: Waiter<T>, owed: boolean) => boolean,
    now: number,
  ): Waiter<T> | null {
    for (const band of BANDS) {
      if (this.#depth[band] === 0) continue
      return owed.includes(band) ? null : this.#tryBand(band, false, admits, now)
    }
    return null
  }

  #tryBand(
    band: Band,
    owed: boolean,
    admits: (waiter: Waiter<T>, owed: boolean) => boolean,
    now: number,
  ): Waiter<T> | null {
    const waiter = this.#bands[band].first()?.waiters.first() as Waiter<T> | undefined
    if (waiter === undefined) return null
    if (waiter.deadline > now && admits(waiter, owed)) return this.#dispatch(waiter, now)
    if (owed) this.#shares.blocked(band, now)
    return null
  }

  #dispatch(waiter: Waiter<T>, now: number): Waiter<T> {
    this.#bands[waiter.band].charge(waiter)
    this.#shares.dispatched(waiter.band, waiter.cost, now - waiter.enqueuedAt, now)
    waiter.chargedAt = now
    this.#leave(waiter, 'dispatched', now)
    return waiter
  }

  /** What a dispatched request cost in truth, 0 if it never ran. A second time changes nothing. */
  settle(waiter: Waiter<T>, cost: number, now: number): void {
    if (waiter.state !== 'dispatched' || waiter.settled) return
    waiter.settled = true
    this.#bands[waiter.band].settle(waiter, cost)
    this.#shares.correct(waiter.band, cost - waiter.cost, waiter.chargedAt, now)
  }

  /** The client left. False when the waiter had left already. */
  cancel(waiter: Waiter<T>, now: number): boolean {
    if (waiter.state !== 'waiting') return false
    this.#leave(waiter, 'cancelled', now)
    return true
  }

  /** All whose deadline has come, removed. */
  expire(now: number): Waiter<T>[] {
    const expired: Waiter<T>[] = []
    for (let first = this.#deadlines.first(); first !== undefined && first.deadline <= now; ) {
      this.#leave(first, 'timed-out', now)
      expired.push(first)
      first = this.#deadlines.first()
    }
    return expired
  }

  /** When `expire` is due next; Infinity for never. */
  nextDeadline(): number {
    return this.#deadlines.first()?.deadline ?? Infinity
  }

  /** Lexora stops: everybody leaves. */
  drain(now: number): Waiter<T>[] {
    const all = [...this.#deadlines.items]
    for (const waiter of all) this.#leave(waiter, 'drained', now)
    return all
  }

  /**
   * How long a request like this would wait, in ms: what its flow has waiting and its lead over the others, at the
   * rate that the band was served lately (scheduling.md 1.2). Right within a factor of 2; null: nothing is known.
   */
  predictWaitMs(ask: { band: Band; user: string; app: string; weight: number }, now: number): number | null {
    const flows = this.#bands[ask.band]
    const rate = this.#shares.rate(ask.band, now)
    if (this.#depth[ask.band] === 0) return 0
    if (rate === null) return null
    const flow = flows.find(ask.user, ask.app)
    if (flow === undefined) return 0
    const active = Math.max(1, flow.owner.active)
    const ahead = (flow.queuedCost * active) / ask.weight
    const lead = Math.max(0, flow.counter - flows.leastCounter())
    const newcomer = flow.owner.active > 0 ? 0 : ask.weight
    return ((ahead + lead) * (flows.activeWeight + newcomer)) / rate
  }

  /** How long each of `order()` would still wait, in ms, by what stands before it in its band; null: not known. */
  waitsMs(order: readonly Waiter<T>[], now: number): (number | null)[] {
    const ahead: Record<Band, number> = { high: 0, normal: 0, low: 0 }
    return order.map(({ band, cost }) => {
      const rate = this.#shares.rate(band, now)
      const before = ahead[band]
      ahead[band] += cost
      return rate === null ? null : Math.round(before / rate)
    })
  }

  /** All that wait, in the order in which they would run if all cost what is predicted: for faces, O(n log n). */
  order(): Waiter<T>[] {
    return BANDS.flatMap((band) => this.#bands[band].inOrder() as Waiter<T>[])
  }

  #fullFor(ask: Ask<T>, flow: Flow | undefined): QueueFull | null {
    if ((flow?.waiters.size ?? 0) >= this.#limits.perFlow) return 'flow'
    if (this.#depth[ask.band] >= this.#limits.perBand) return 'band'
    // One body larger than all may wait alone: it was let in by its own limit.
    return this.#bytes > 0 && this.#bytes + ask.bytes > this.#limits.bytes ? 'bytes' : null
  }

  #leave(waiter: Waiter<T>, state: WaiterState, now: number): void {
    waiter.state = state
    this.#bands[waiter.band].remove(waiter, now)
    this.#deadlines.remove(waiter)
    this.#bytes -= waiter.bytes
    if (--this.#depth[waiter.band] === 0) this.#shares.backlogEnds(waiter.band, now)
  }
}

function newWaiter<T>(ask: Ask<T>, flow: Flow, arrival: number, now: number): Waiter<T> {
  return {
    value: ask.value,
    band: ask.band,
    flow,
    cost: ask.cost,
    bytes: ask.bytes,
    enqueuedAt: now,
    deadline: ask.deadline,
    arrival,
    state: 'waiting',
    inFlow: -1,
    inDeadlines: -1,
    chargedAt: 0,
    perToken: 0,
    settled: false,
  }
}
