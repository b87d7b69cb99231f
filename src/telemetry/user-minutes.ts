import type { UserView } from '../protocol/snapshot.ts'
import type { Outcome } from './outcome.ts'

/** What the finished requests of one user add up to: of the last minute, but for `rateLimited`, which counts since the start. */
export type UserMinute = Omit<UserView, 'inFlight' | 'waiting' | 'limits'>

const SLOT_MS = 5000
const SLOTS = 12
/** Users beyond this many share the row `other`, and those not heard of for a minute go first. */
const MAX_USERS = 1000

/** One slot holds requests, tokens, requests that had a turn, the sum of their waits, the longest, and those of other machines. */
const FIELDS = 6

type Row = { cells: Float64Array; slot: number; rateLimited: number }

/** The last minute of every user, in rings of counters. O(1) per request and bounded; names come from requests. */
export class UserMinutes {
  private readonly rows = new Map<string, Row>()
  private sweptSlot = -1

  /** `now` is monotonic, in milliseconds, here and below. */
  record({ user, usage, queueMs, backend, limit, remote }: Outcome, now: number): void {
    const row = this.rowOf(user ?? 'anonymous', now)
    if (limit !== undefined) row.rateLimited++
    const at = (row.slot % SLOTS) * FIELDS
    const { cells } = row
    cells[at]!++
    cells[at + 1]! += (usage?.prompt ?? 0) + (usage?.completion ?? 0)
    if (remote) cells[at + 5]!++
    if (backend === null) return
    cells[at + 2]!++
    cells[at + 3]! += queueMs
    cells[at + 4] = Math.max(cells[at + 4]!, queueMs)
  }

  /** Everybody who was heard of in the last minute. */
  read(now: number): UserMinute[] {
    const minutes: UserMinute[] = []
    for (const [name, row] of this.rows) {
      advance(row, now)
      const sum = sumOf(row)
      if (sum.requestsThisMinute > 0) minutes.push({ name, ...sum, rateLimited: row.rateLimited })
    }
    return minutes
  }

  private rowOf(name: string, now: number): Row {
    const known = this.rows.get(name)
    if (known !== undefined) {
      advance(known, now)
      return known
    }
    if (this.rows.size >= MAX_USERS) this.forgetIdle(now)
    if (this.rows.size >= MAX_USERS && name !== 'other') return this.rowOf('other', now)
    const row = { cells: new Float64Array(SLOTS * FIELDS), slot: Math.floor(now / SLOT_MS), rateLimited: 0 }
    this.rows.set(name, row)
    return row
  }

  /** At most once per slot: a flood of new names must not pay for it each time. */
  private forgetIdle(now: number): void {
    const slot = Math.floor(now / SLOT_MS)
    if (slot === this.sweptSlot) return
    this.sweptSlot = slot
    const oldest = slot - SLOTS
    for (const [name, row] of this.rows) if (row.slot <= oldest) this.rows.delete(name)
  }
}

function advance(row: Row, now: number): void {
  const slot = Math.floor(now / SLOT_MS)
  for (let passed = Math.min(SLOTS, slot - row.slot); passed > 0; passed--) {
    const at = ((slot - passed + 1) % SLOTS) * FIELDS
    row.cells.fill(0, at, at + FIELDS)
  }
  row.slot = Math.max(row.slot, slot)
}

function sumOf({ cells }: Row): Omit<UserMinute, 'name' | 'rateLimited'> {
  let [requests, tokens, turns, waited, longest, remote] = [0, 0, 0, 0, 0, 0]
  for (let at = 0; at < cells.length; at += FIELDS) {
    requests += cells[at]!
    tokens += cells[at + 1]!
    turns += cells[at + 2]!
    waited += cells[at + 3]!
    longest = Math.max(longest, cells[at + 4]!)
    remote += cells[at + 5]!
  }
  const waitedMs = turns === 0 ? null : { mean: Math.round(waited / turns), max: Math.round(longest) }
  return { requestsThisMinute: requests, tokensThisMinute: tokens, waitedMs, remote: remote > 0 }
}
