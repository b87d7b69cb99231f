import type { Band } from './band-shares.ts'
import { IndexedHeap } from './indexed-heap.ts'

export type WaiterState = 'waiting' | 'dispatched' | 'timed-out' | 'cancelled' | 'drained'

/** One request in the queue. Leaves exactly once, by one of the states. Read it, never write to it. */
export type Waiter<T = unknown> = {
  readonly value: T
  readonly band: Band
  readonly flow: Flow
  /** Predicted, in weighted tokens: 1 × prompt + 2 × answer (scheduling.md 1.2). */
  readonly cost: number
  readonly bytes: number
  readonly enqueuedAt: number
  /** Monotonic milliseconds; Infinity for none. */
  readonly deadline: number
  readonly arrival: number
  state: WaiterState
  /** Places in the heaps, by deadline inside the flow and in the whole queue. */
  inFlow: number
  inDeadlines: number
  /** When it was dispatched, what one weighted token counts in its flow's counter, and whether that is settled. */
  chargedAt: number
  perToken: number
  settled: boolean
}

/**
 * One user's requests from one app. `counter`: weighted tokens it has had, by its weight; of these, `pending` is what was
 * predicted for requests that have not ended.
 */
export type Flow = {
  readonly key: string
  readonly owner: Owner
  readonly waiters: IndexedHeap<'inFlow', Waiter>
  counter: number
  pending: number
  queuedCost: number
  /** Places in the heaps, by counter and by what of it is settled. */
  inActive: number
  inSettled: number
  idleSince: number
  newer: Flow | null
  older: Flow | null
}

/** A user inside a band: the weight is split over his active flows. */
type Owner = { readonly name: string; weight: number; active: number; flows: number }

/** A flow idle for this long is dropped (scheduling.md 1.2), and earlier beyond this many. */
const IDLE_MS = 300_000
const MAX_IDLE = 1024

const byDeadline = (a: Waiter, b: Waiter): boolean =>
  a.deadline < b.deadline || (a.deadline === b.deadline && a.arrival < b.arrival)

const settledOf = ({ counter, pending }: Flow): number => counter - pending

const bySettled = (a: Flow, b: Flow): boolean => settledOf(a) < settledOf(b)

const byCounter = (a: Flow, b: Flow): boolean => a.counter < b.counter || (a.counter === b.counter && a.key < b.key)

/** The flows of one band, the one with the least counter first: virtual token counters (VTC, arXiv 2401.00588). */
export class Flows {
  readonly #flows = new Map<string, Flow>()
  readonly #owners = new Map<string, Owner>()
  readonly #active = new IndexedHeap<'inActive', Flow>('inActive', byCounter)
  readonly #settled = new IndexedHeap<'inSettled', Flow>('inSettled', bySettled)
  #activeWeight = 0
  /** What was settled for the flow that was served last: where a flow begins when nobody else is active. */
  #floor = 0
  #newestIdle: Flow | null = null
  #oldestIdle: Flow | null = null
  #idle = 0

  get size(): number {
    return this.#flows.size
  }

  get active(): readonly Flow[] {
    return this.#active.items
  }

  get activeWeight(): number {
    return this.#activeWeight
  }

  first(): Flow | undefined {
    return this.#active.first()
  }

  /** The least counter of those that wait. */
  leastCounter(): number {
    return this.#active.first()?.counter ?? this.#floor
  }

  /**
   * Where a flow begins that was idle. Not the least counter: that holds predictions which are paid back, and whoever
   * came while they were too high would wait for ever for the others to fall behind again.
   */
  #leastSettled(): number {
    const first = this.#settled.first()
    return first === undefined ? this.#floor : settledOf(first)
  }

  /** All waiters by the counter that their flow will have when their turn comes. */
  inOrder(): Waiter[] {
    const turns: { waiter: Waiter; turn: number }[] = []
    for (const flow of this.#active.items) {
      let turn = flow.counter
      for (const waiter of [...flow.waiters.items].sort((a, b) => (byDeadline(a, b) ? -1 : 1))) {
        turns.push({ waiter, turn })
        turn += (waiter.cost * flow.owner.active) / flow.owner.weight
      }
    }
    return turns.sort((a, b) => a.turn - b.turn).map(({ waiter }) => waiter)
  }

  find(user: string, app: string): Flow | undefined {
    return this.#flows.get(keyOf(user, app))
  }

  /** The flow, made if it is new. */
  flowOf(user: string, app: string, weight: number, now: number): Flow {
    const key = keyOf(user, app)
    let flow = this.#flows.get(key)
    if (flow === undefined) {
      this.#dropIdle(now)
      const owner = this.#ownerOf(user, weight)
      flow = newFlow(key, owner, now)
      owner.flows++
      this.#flows.set(key, flow)
      this.#linkIdle(flow, now)
    } else if (flow.owner.weight !== weight) this.#reweigh(flow.owner, weight)
    return flow
  }

  add(waiter: Waiter): void {
    const { flow } = waiter
    flow.waiters.add(waiter)
    flow.queuedCost += waiter.cost
    if (flow.waiters.size > 1) return
    // Backlogged again: what it did not use meanwhile is not saved up.
    flow.counter += Math.max(0, this.#leastSettled() - settledOf(flow))
    this.#unlinkIdle(flow)
    this.#active.add(flow)
    this.#settled.add(flow)
    if (flow.owner.active++ === 0) this.#activeWeight += flow.owner.weight
  }

  remove(waiter: Waiter, now: number): void {
    const { flow } = waiter
    flow.waiters.remove(waiter)
    flow.queuedCost -= waiter.cost
    if (flow.waiters.size > 0) return
    flow.queuedCost = 0
    this.#floor = Math.max(this.#floor, this.#leastSettled())
    this.#active.remove(flow)
    this.#settled.remove(flow)
    if (--flow.owner.active === 0) this.#activeWeight -= flow.owner.weight
    this.#linkIdle(flow, now)
  }

  /** Charges the flow for a dispatch, before the waiter is removed. */
  charge(waiter: Waiter): void {
    const { flow, cost } = waiter
    waiter.perToken = flow.owner.active / flow.owner.weight
    this.#floor = Math.max(this.#floor, settledOf(flow))
    flow.counter += cost * waiter.perToken
    flow.pending += cost * waiter.perToken
    if (flow.inActive !== -1) this.#active.update(flow)
  }

  /** It ended: what it cost in truth stands in place of the prediction. */
  settle({ flow, cost, perToken }: Waiter, trueCost: number): void {
    flow.counter += (trueCost - cost) * perToken
    flow.pending -= cost * perToken
    if (flow.inActive === -1) return
    this.#active.update(flow)
    this.#settled.update(flow)
  }

  #ownerOf(name: string, weight: number): Owner {
    let owner = this.#owners.get(name)
    if (owner === undefined) {
      owner = { name, weight, active: 0, flows: 0 }
      this.#owners.set(name, owner)
    } else if (owner.weight !== weight) this.#reweigh(owner, weight)
    return owner
  }

  #reweigh(owner: Owner, weight: number): void {
    if (owner.active > 0) this.#activeWeight += weight - owner.weight
    owner.weight = weight
  }

  #dropIdle(now: number): void {
    while (this.#oldestIdle !== null && (this.#idle >= MAX_IDLE || now - this.#oldestIdle.idleSince > IDLE_MS)) {
      const flow = this.#oldestIdle
      this.#unlinkIdle(flow)
      this.#flows.delete(flow.key)
      if (--flow.owner.flows === 0) this.#owners.delete(flow.owner.name)
    }
  }

  #linkIdle(flow: Flow, now: number): void {
    flow.idleSince = now
    flow.older = this.#newestIdle
    if (this.#newestIdle === null) this.#oldestIdle = flow
    else this.#newestIdle.newer = flow
    this.#newestIdle = flow
    this.#idle++
  }

  #unlinkIdle(flow: Flow): void {
    if (flow.newer === null) this.#newestIdle = flow.older
    else flow.newer.older = flow.older
    if (flow.older === null) this.#oldestIdle = flow.newer
    else flow.older.newer = flow.newer
    flow.newer = null
    flow.older = null
    this.#idle--
  }
}

function newFlow(key: string, owner: Owner, now: number): Flow {
  return {
    key,
    owner,
    waiters: new IndexedHeap<'inFlow', Waiter>('inFlow', byDeadline),
    counter: 0,
    pending: 0,
    queuedCost: 0,
    inActive: -1,
    inSettled: -1,
    idleSince: now,
    newer: null,
    older: null,
  }
}

/** The length keeps one user's app from being another user's. */
const keyOf = (user: string, app: string): string => `${user.length}:${user}:${app}`
