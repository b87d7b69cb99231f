import type { Outcome } from './outcome.ts'

export type UserDay = { requests: number; tokens: number; errors: number }

const DAY_MS = 86_400_000
/** Names come from requests; beyond these only users that are known are counted. */
const MAX_USERS = 10_000

/** `known`: he keeps his place, whoever else comes. */
type Row = UserDay & { day: number; seenMs: number; address: string | null; remote: boolean; known: boolean }

/** What each user had since midnight UTC, and when users, keys and models on the disk were last heard of. O(1) per request and bounded. */
export class UserDays {
  private readonly users = new Map<string, Row>()
  private readonly keys = new Map<string, number>()
  private readonly models = new Map<string, number>()
  private sweptDay = -1

  /** Moments are milliseconds since 1970, here and below. `engineModel`: what the engine that had it runs. */
  record(
    { user, keyId, usage, outcome, address, remote }: Outcome,
    at: number,
    engineModel: string | null = null,
  ): void {
    if (engineModel !== null) this.models.set(engineModel, at)
    // Only keys that were found bear an id, so there are no more of them than keys.
    if (keyId !== null) this.keys.set(keyId, at)
    const row = this.rowOf(user ?? 'anonymous', at)
    if (row === null) return
    row.seenMs = at
    row.address = address
    row.remote = remote
    row.requests++
    row.tokens += (usage?.prompt ?? 0) + (usage?.completion ?? 0)
    if (outcome === 'backend_error' || outcome === 'stream_error') row.errors++
  }

  /** What an earlier run has written down of this day. */
  add(user: string, { requests, tokens, errors }: UserDay, at: number): void {
    const row = this.rowOf(user, at)
    if (row === null) return
    row.requests += requests
    row.tokens += tokens
    row.errors += errors
  }

  /** What an earlier run has written down. */
  seen(kind: 'user' | 'key' | 'model', name: string, at: number): void {
    if (kind !== 'user') {
      const last = kind === 'key' ? this.keys : this.models
      last.set(name, Math.max(at, last.get(name) ?? 0))
    } else {
      const row = this.rowOf(name, at)
      if (row !== null) row.seenMs = Math.max(row.seenMs, at)
    }
  }

  /** Keeps a place for a user that is known. */
  know(user: string): void {
    const row = this.users.get(user) ?? newRow(-1)
    row.known = true
    this.users.set(user, row)
  }

  today(user: string, at: number): UserDay {
    const row = this.users.get(user)
    if (row === undefined || row.day !== dayOf(at)) return { requests: 0, tokens: 0, errors: 0 }
    return { requests: row.requests, tokens: row.tokens, errors: row.errors }
  }

  /** Null: never. */
  lastSeen(user: string): number | null {
    return this.users.get(user)?.seenMs || null
  }

  /** Where he last called from; null: he has not since the start. */
  lastFrom(user: string): { address: string; remote: boolean } | null {
    const row = this.users.get(user)
    return row === undefined || row.address === null ? null : { address: row.address, remote: row.remote }
  }

  keyLastUsed(keyId: string): number | null {
    return this.keys.get(keyId) ?? null
  }

  /** By the names that engines have for their models. */
  modelsLastUsed(): ReadonlyMap<string, number> {
    return this.models
  }

  private rowOf(name: string, at: number): Row | null {
    const day = dayOf(at)
    let row = this.users.get(name)
    if (row === undefined) {
      if (this.users.size >= MAX_USERS) this.forgetOld(day)
      if (this.users.size >= MAX_USERS) return null
      row = newRow(day)
      this.users.set(name, row)
    } else if (row.day !== day) Object.assign(row, { day, requests: 0, tokens: 0, errors: 0 })
    return row
  }

  /** Once a day: a flood of new names must not pay for it each time. */
  private forgetOld(day: number): void {
    if (day === this.sweptDay) return
    this.sweptDay = day
    for (const [name, row] of this.users) if (!row.known && row.day < day) this.users.delete(name)
  }
}

function newRow(day: number): Row {
  return { day, requests: 0, tokens: 0, errors: 0, seenMs: 0, address: null, remote: false, known: false }
}

function dayOf(at: number): number {
  return Math.floor(at / DAY_MS)
}
