/**
 * Who may be on the GPUs: engines that fit together run together, the others take turns (scheduling.md 7.2). Who is
 * there is served first; who waits longer than its patience gets its turn. Bytes, and milliseconds of one clock.
 */

/** A GPU. Null: its memory is not told, so that one engine at a time has it whole. */
export type Card = { index: number; totalBytes: number | null; freeBytes: number | null }

export type Tenant = {
  name: string
  /** `out`: nothing of it is on a GPU. `asleep`: its process is, with little memory. */
  is: 'out' | 'asleep' | 'coming' | 'in' | 'leaving'
  /** The cards that it is on, or is given. */
  on: readonly number[]
  /** The only cards that it may have; empty: any `count`, of which 0 is none. */
  bound: readonly number[]
  count: number
  /** What it needs of each card to start at all; null: not known, so a whole one. */
  leastBytes: number | null
  /** What comes back of each card when it leaves; null: not known, so all of it. */
  heldBytes: number | null
  /** Nobody's request may end it. */
  pinned: boolean
  /** How long it has been there. */
  since: number
  /** Nothing runs in it and nobody waits for it since then; null: it works. */
  idleSince: number | null
  want: Want
  /** What it costs to bring it here, and what its leaving costs those who come back to it. */
  costMs: number
  debtMs: number
}

export type Want =
  | null
  /** Somebody waits, and is late from then on: the earliest arrival plus the patience of its band. */
  | { by: 'request'; lateAt: number }
  /** An operator asked: nobody's residency counts. */
  | { by: 'operator' }
  /** It is to start with Lexora, where there is room: nobody leaves for it. */
  | { by: 'start' }

export type TurnAction =
  | { do: 'bring'; name: string; on: number[] }
  | { do: 'send-away'; name: string; for: string; because: 'idle' | 'late' | 'asked' }

/** `again`: when to decide again although nothing happens; null: no such time. */
export type Turns = { actions: TurnAction[]; again: number | null }

/** How long the requests of a band wait for an engine that is not there while another one works (scheduling.md 7.2). */
export const PATIENCE_MS = { high: 15_000, normal: 45_000, low: 300_000 } as const
const LINGER_MS = 2000
const LEAST_RESIDENCY_MS = 5000
/** The share of the time that swapping may take. */
const SWAP_SHARE = 0.1

/** At least so long an engine stays that had to be fetched, while it has work. */
export function residencyMs(costMs: number): number {
  return Math.max(LEAST_RESIDENCY_MS, (0.5 * costMs * (1 - SWAP_SHARE)) / SWAP_SHARE)
}

export function decideTurns(tenants: readonly Tenant[], cards: readonly Card[], now: number): Turns {
  const room = new Room(tenants, cards)
  const actions: TurnAction[] = []
  let again: number | null = null
  for (const tenant of tenants.filter(isWaiting).toSorted(byUrgency)) {
    const places = room.placesFor(tenant)
    const found = places.find((place) => room.fits(tenant, place)) ?? places.find((place) => room.isOpen(tenant, place))
    if (found !== undefined) {
      room.take(tenant, found)
      actions.push({ do: 'bring', name: tenant.name, on: found })
      continue
    }
    if (tenant.want?.by === 'start') continue
    const swap = room.swapFor(tenant, now)
    if (swap === null) {
      // Nobody's leaving would help. The checks before its start say why, and whoever waits is told.
      const place = places[0] ?? []
      room.take(tenant, place)
      actions.push({ do: 'bring', name: tenant.name, on: place })
      continue
    }
    if ('at' in swap) again = Math.min(again ?? Infinity, swap.at)
    else actions.push(...swap.leave)
    // Whoever comes after it does not take what is being cleared for it.
    room.reserve(swap.place)
  }
  return { actions, again: again === Infinity ? null : again }
}

const isWaiting = ({ is, want }: Tenant): boolean => want !== null && (is === 'out' || is === 'asleep')

function byUrgency(one: Tenant, other: Tenant): number {
  return lateAt(one) - lateAt(other)
}

function lateAt({ want }: Tenant): number {
  if (want?.by === 'request') return want.lateAt
  return want?.by === 'operator' ? -Infinity : Infinity
}

type Swap = { place: number[] } & ({ at: number } | { leave: TurnAction[] })

/** What is free as the actions of this decision are counted in. */
class Room {
  private readonly tenants: readonly Tenant[]
  private readonly cards: readonly Card[]
  private readonly free = new Map<number, number | null>()
  private readonly closed = new Set<number>()
  /** Somebody comes there by this decision. */
  private readonly taken = new Set<number>()

  constructor(tenants: readonly Tenant[], cards: readonly Card[]) {
    this.tenants = tenants
    // Cards that nobody can read are known by who is bound to them.
    const unread = tenants.flatMap(({ bound, on }) => [...bound, ...on]).filter((index) => !has(cards, index))
    this.cards = [...cards, ...[...new Set(unread)].map((index) => ({ index, totalBytes: null, freeBytes: null }))]
    for (const { index, freeBytes } of this.cards) this.free.set(index, freeBytes)
    // Who is on its way takes what it needs later; by how much it grows is not known.
    for (const tenant of tenants) if (tenant.is === 'coming') for (const index of tenant.on) this.claim(tenant, index)
  }

  /** Sets of cards that it could have, the one that it would fill best first. */
  placesFor({ bound, count, is, on }: Tenant): number[][] {
    // A sleeper wakes where it fell asleep.
    if (is === 'asleep') return [[...on]]
    if (bound.length > 0) return [[...bound]]
    if (count === 0) return [[]]
    if (this.cards.length < count) return [this.cards.map(({ index }) => index)]
    const byRoom = this.cards.toSorted((one, other) => this.roomOf(one) - this.roomOf(other))
    return byRoom
      .slice(0, byRoom.length - count + 1)
      .map((_, i) => byRoom.slice(i, i + count).map(({ index }) => index))
  }

  fits({ leastBytes, name }: Tenant, place: readonly number[]): boolean {
    return place.every((index) => {
      if (this.closed.has(index)) return false
      const free = this.free.get(index) ?? null
      if (leastBytes !== null && free !== null) return free >= leastBytes
      return this.othersOn(index, name).every((other) => other.is === 'asleep')
    })
  }

  /** Nobody of ours is there or comes: what strangers hold is for the checks before its start to tell. */
  isOpen({ name }: Tenant, place: readonly number[]): boolean {
    return place.every(
      (index) => !this.closed.has(index) && !this.taken.has(index) && this.othersOn(index, name).length === 0,
    )
  }

  private othersOn(index: number, name: string): Tenant[] {
    return this.tenants.filter((other) => other.name !== name && shares(other, [index]))
  }

  /** It comes there. */
  take(tenant: Tenant, place: readonly number[]): void {
    for (const index of place) {
      this.claim(tenant, index)
      this.taken.add(index)
    }
  }

  reserve(place: readonly number[]): void {
    for (const index of place) this.closed.add(index)
  }

  /** Who has to leave for it, or when that can be asked again; null: that would not help. */
  swapFor(tenant: Tenant, now: number): Swap | null {
    let best: Swap | null = null
    for (const place of this.placesFor(tenant)) {
      const swap = this.swapAt(tenant, place, now)
      if (swap === null) continue
      if ('leave' in swap) return swap
      if (best === null || ('at' in best && swap.at < best.at)) best = swap
    }
    return best
  }

  private swapAt(tenant: Tenant, place: number[], now: number): Swap | null {
    const there = this.tenants.filter((other) => other.name !== tenant.name && shares(other, place))
    // One swap at a time on a card; its end brings the next decision.
    const isMoving = there.some(({ is }) => is === 'coming' || is === 'leaving')
    if (isMoving || place.some((index) => this.closed.has(index) || this.taken.has(index)))
      return { place, at: Infinity }
    const victims = this.victimsAmong(there, tenant, place)
    if (victims === null) return null
    const at = Math.max(now, ...victims.map((victim) => mayLeaveAt(victim, tenant)))
    if (at > now) return { place, at }
    return {
      place,
      leave: victims.map((victim) => ({
        do: 'send-away',
        name: victim.name,
        for: tenant.name,
        because: reasonOf(victim, tenant, now),
      })),
    }
  }

  /** The fewest that make room, the idle before those that work; null: not even all of them would. */
  private victimsAmong(there: readonly Tenant[], tenant: Tenant, place: readonly number[]): Tenant[] | null {
    const free = new Map(place.map((index) => [index, this.free.get(index) ?? null]))
    const candidates = there
      .filter(({ pinned, is }) => !pinned && (is === 'in' || is === 'asleep'))
      .toSorted((one, other) => (one.idleSince ?? Infinity) - (other.idleSince ?? Infinity))
    const chosen: Tenant[] = []
    const isEnough = (): boolean =>
      place.every((index) => {
        const left = there.filter((other) => !chosen.includes(other) && other.on.includes(index))
        const bytes = free.get(index) ?? null
        if (left.length === 0 && (chosen.length > 0 || bytes === null)) return this.isLargeEnough(index, tenant)
        return bytes !== null && tenant.leastBytes !== null && bytes >= tenant.leastBytes
      })
    for (const victim of candidates) {
      if (isEnough()) break
      chosen.push(victim)
      for (const index of victim.on) {
        const bytes = free.get(index)
        if (bytes !== undefined && bytes !== null) free.set(index, bytes + (victim.heldBytes ?? Infinity))
      }
    }
    return chosen.length > 0 && isEnough() ? chosen : null
  }

  private isLargeEnough(index: number, { leastBytes }: Tenant): boolean {
    const total = this.cards.find((card) => card.index === index)?.totalBytes ?? null
    return total === null || leastBytes === null || leastBytes <= total
  }

  private claim({ leastBytes }: Tenant, index: number): void {
    const free = this.free.get(index) ?? null
    if (free === null || leastBytes === null) this.closed.add(index)
    else this.free.set(index, free - leastBytes)
  }

  private roomOf({ index }: Card): number {
    return this.free.get(index) ?? Infinity
  }
}

const has = (cards: readonly Card[], index: number): boolean => cards.some((card) => card.index === index)
const shares = ({ on, is }: Tenant, place: readonly number[]): boolean =>
  is !== 'out' && on.some((index) => place.includes(index))

function mayLeaveAt(victim: Tenant, tenant: Tenant): number {
  if (tenant.want?.by === 'operator' || victim.is === 'asleep') return -Infinity
  const idle = victim.idleSince === null ? Infinity : victim.idleSince + LINGER_MS
  const late = Math.max(lateAt(tenant), victim.since + residencyMs(tenant.costMs + victim.debtMs))
  return Math.min(idle, late)
}

function reasonOf({ idleSince }: Tenant, { want }: Tenant, now: number): 'idle' | 'late' | 'asked' {
  if (want?.by === 'operator') return 'asked'
  return idleSince !== null && now >= idleSince + LINGER_MS ? 'idle' : 'late'
}
