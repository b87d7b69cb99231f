import type { HistoryRow, ReasonRow, UsageRow } from '../protocol/users.ts'
import type { Store } from './database.ts'
import { type Batch, type Recorded, readBatch, readSteps } from './history-batch.ts'

/** `maxRows` 0: single requests are not kept, only what they add up to. */
export type HistoryBounds = { maxRows: number; keepDays: number }

/** Where `above` is false: below. What was not measured is neither. */
export type HistoryBound = { above: boolean; ms: number }

/** Moments are milliseconds since 1970. */
export type HistoryQuery = {
  user?: string | undefined
  model?: string | undefined
  /** `error`: everything but ok. */
  outcome?: string | undefined
  /** `429`, or a class of them: `5xx`. */
  status?: string | undefined
  bounds?: Record<keyof typeof MEASURES, HistoryBound | null>
  sinceMs: number | null
  untilMs: number | null
  search?: string | undefined
  before: number | null
  limit: number
}

export type UsageBy = 'hour' | 'day' | 'user' | 'model' | 'backend'
export type ReasonsQuery = { user: string | undefined; sinceMs: number; untilMs: number }
export type UsageQuery = { sinceMs: number; untilMs: number; by: readonly UsageBy[] }

/** Who was last heard of when, and which model on the disk was last asked. */
type Seen = 'user' | 'key' | 'model'

/** What a start has to know of what was before it. */
export type Memory = {
  today: { user: string; requests: number; tokens: number; errors: number }[]
  seen: { kind: Seen; name: string; atMs: number }[]
}

const MEASURES = { queue: 'queue_ms', ttft: 'ttft_ms', total: 'total_ms' } as const
const PRUNE_EVERY_ROWS = 1000
const USAGE_KEPT_DAYS = 400
/** No GPU answers so many; who floods it with tiny requests would wash away the history of everybody else. */
const KEPT_A_SECOND = 500
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** Names come from requests: beyond these, strangers of one hour share a row. */
const STRANGERS_AN_HOUR = 1000
const MAX_USAGE_ROWS = 10_000
const MAX_REMEMBERED = 20_000
const MAX_REASONS = 100

type Sum = { requests: number; errors: number; prompt: number; completion: number; cached: number }

/** Requests, hours and last signs of life in `history.db`. Runs in a thread of its own, since all of it may wait for the disk. */
export class HistoryTables {
  private readonly store: Store
  private readonly bounds: HistoryBounds
  private sincePruned = PRUNE_EVERY_ROWS
  private filling = { second: 0, rows: 0 }
  private strangers = { hour: '', names: new Set<string>() }

  constructor(store: Store, bounds: HistoryBounds) {
    this.store = store
    this.bounds = bounds
  }

  /** All of it or nothing; throws where the disk does not take it. */
  write(batch: Batch): void {
    const rows = readBatch(batch)
    const last = rows.at(-1)
    if (last === undefined) return
    this.store.now(() => {
      if (this.bounds.maxRows > 0) this.insertRequests(this.worthKeeping(rows))
      this.addUsage(rows)
      this.noteSeen(rows)
      this.sincePruned += rows.length
      if (this.sincePruned >= PRUNE_EVERY_ROWS) this.prune(last.atMs)
    })
  }

  requests(query: HistoryQuery): { rows: HistoryRow[]; next: string | null } {
    const { user, model, outcome, status, bounds, sinceMs, untilMs, search, before, limit } = query
    const where: string[] = []
    const values: (string | number)[] = []
    const add = (condition: string, ...given: (string | number)[]): void => {
      where.push(condition)
      values.push(...given)
    }
    if (before !== null) add('id < ?', before)
    if (user !== undefined) add("ifnull(user, 'anonymous') = ?", user)
    if (model !== undefined) add('model = ?', model)
    if (outcome === 'error') add("outcome <> 'ok'")
    else if (outcome !== undefined) add('outcome = ?', outcome)
    if (status?.endsWith('xx')) add('status / 100 = ?', Number(status[0]))
    else if (status !== undefined) add('status = ?', Number(status))
    for (const [measure, column] of Object.entries(MEASURES)) {
      const bound = bounds?.[measure as keyof typeof MEASURES] ?? null
      if (bound !== null) add(`${column} ${bound.above ? '>' : '<'} ?`, bound.ms)
    }
    if (sinceMs !== null) add('at_ms >= ?', sinceMs)
    if (untilMs !== null) add('at_ms < ?', untilMs)
    if (search !== undefined) {
      const fields = ['request_id', 'user', 'app', 'model', 'backend', 'error']
      const like = `%${search.replace(/[\\%_]/g, '\\$&')}%`
      add(`(${fields.map((field) => `${field} LIKE ? ESCAPE '\\'`).join(' OR ')})`, ...fields.map(() => like))
    }
    const condition = where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''
    const found = this.store.database
      .prepare(`SELECT * FROM requests ${condition} ORDER BY id DESC LIMIT ?`)
      .all(...values, limit)
    const last = found.at(-1)
    const next = found.length < limit || last === undefined ? null : String(last['id'])
    return { rows: found.map(requestOf), next }
  }

  /** Whole hours, from that of `sinceMs` on. */
  usage({ sinceMs, untilMs, by }: UsageQuery): UsageRow[] {
    const columns = by.map((name) => (name === 'day' ? 'substr(hour, 1, 10) AS day' : name))
    const names = by.length > 0 ? by.join(', ') : "''"
    const found = this.store.database
      .prepare(
        `SELECT ${[...columns, ''].join(', ')} sum(requests) AS requests, sum(errors) AS errors,
           sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion, sum(cached_tokens) AS cached
         FROM usage WHERE hour >= ? AND hour <= ? GROUP BY ${names} ORDER BY ${names} LIMIT ${MAX_USAGE_ROWS}`,
      )
      .all(hourOf(sinceMs), hourOf(untilMs))
    const text = (value: unknown): string | null => (value === undefined || value === '' ? null : String(value))
    return found.map((row) => ({
      hour: text(row['hour']),
      day: text(row['day']),
      user: text(row['user']),
      model: text(row['model']),
      backend: text(row['backend']),
      requests: Number(row['requests']),
      errors: Number(row['errors']),
      promptTokens: Number(row['prompt']),
      completionTokens: Number(row['completion']),
      cachedTokens: Number(row['cached']),
    }))
  }

  /** Error codes of the requests that are kept, the most frequent first. */
  reasons({ user, sinceMs, untilMs }: ReasonsQuery): ReasonRow[] {
    const whose = user === undefined ? '' : "AND ifnull(user, 'anonymous') = ?"
    return this.store.database
      .prepare(
        `SELECT error, count(*) AS requests FROM requests
         WHERE error IS NOT NULL AND at_ms >= ? AND at_ms < ? ${whose}
         GROUP BY error ORDER BY requests DESC, error LIMIT ${MAX_REASONS}`,
      )
      .all(sinceMs, untilMs, ...(user === undefined ? [] : [user]))
      .map((row) => ({ reason: String(row['error']), requests: Number(row['requests']) }))
  }

  memory(nowMs: number): Memory {
    const midnight = `${hourOf(nowMs).slice(0, 10)}T00`
    const today = this.store.database
      .prepare(
        `SELECT user, sum(requests) AS requests, sum(prompt_tokens + completion_tokens) AS tokens, sum(errors) AS errors
         FROM usage WHERE hour >= ? GROUP BY user ORDER BY tokens DESC LIMIT ${MAX_REMEMBERED}`,
      )
      .all(midnight)
      .map((row) => ({
        user: String(row['user']) || 'anonymous',
        requests: Number(row['requests']),
        tokens: Number(row['tokens']),
        errors: Number(row['errors']),
      }))
    const seen = this.store.database
      .prepare(`SELECT * FROM seen ORDER BY at_ms DESC LIMIT ${MAX_REMEMBERED}`)
      .all()
      .map((row) => ({
        kind: String(row['kind']) as Seen,
        name: String(row['name']),
        atMs: Number(row['at_ms']),
      }))
    return { today, seen }
  }

  /** Of a second with very many requests the first ones, and all that did not go well. */
  private worthKeeping(rows: readonly Recorded[]): Recorded[] {
    return rows.filter(({ atMs, outcome }) => {
      const second = Math.floor(atMs / 1000)
      if (second !== this.filling.second) this.filling = { second, rows: 0 }
      return this.filling.rows++ < KEPT_A_SECOND || outcome !== 'ok'
    })
  }

  private insertRequests(rows: readonly Recorded[]): void {
    const insert = this.store.database.prepare(
      `INSERT INTO requests (at_ms, request_id, user, key_id, app, model, backend, endpoint, stream, band, status, outcome,
         error, attempts, queue_ms, ttft_ms, total_ms, prompt_tokens, completion_tokens, cached_tokens, steps, finish,
         request_bytes, answer_bytes)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    for (const row of rows) {
      insert.run(
        row.atMs,
        row.id,
        row.user,
        row.keyId,
        row.app,
        row.model,
        row.backend,
        row.endpoint,
        row.stream ? 1 : 0,
        row.band,
        row.status,
        row.outcome,
        row.error,
        row.attempts,
        row.queueMs,
        row.ttftMs,
        row.totalMs,
        row.promptTokens,
        row.completionTokens,
        row.cachedTokens,
        row.tries.length === 0 && !row.fellBack ? null : JSON.stringify({ tries: row.tries, fellBack: row.fellBack }),
        row.finish,
        row.requestBytes,
        row.answerBytes,
      )
    }
  }

  private addUsage(rows: readonly Recorded[]): void {
    const sums = new Map<string, { key: string[]; sum: Sum }>()
    let known = { number: Number.NaN, hour: '' }
    for (const row of rows) {
      const number = Math.floor(row.atMs / HOUR_MS)
      if (number !== known.number) known = { number, hour: hourOf(row.atMs) }
      const { hour } = known
      const key = [hour, this.accountOf(row, hour), row.model ?? '', row.backend ?? '']
      const name = key.join('\0')
      const { sum } = sums.get(name) ?? { sum: { requests: 0, errors: 0, prompt: 0, completion: 0, cached: 0 } }
      sum.requests++
      if (row.outcome === 'backend_error' || row.outcome === 'stream_error') sum.errors++
      sum.prompt += row.promptTokens ?? 0
      sum.completion += row.completionTokens ?? 0
      sum.cached += row.cachedTokens ?? 0
      sums.set(name, { key, sum })
    }
    const add = this.store.database.prepare(
      `INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         requests = requests + excluded.requests, errors = errors + excluded.errors,
         prompt_tokens = prompt_tokens + excluded.prompt_tokens,
         completion_tokens = completion_tokens + excluded.completion_tokens,
         cached_tokens = cached_tokens + excluded.cached_tokens`,
    )
    for (const { key, sum } of sums.values())
      add.run(...key, sum.requests, sum.errors, sum.prompt, sum.completion, sum.cached)
  }

  private accountOf({ user, isKnown }: Recorded, hour: string): string {
    if (user === null || isKnown) return user ?? ''
    if (hour !== this.strangers.hour) this.strangers = { hour, names: new Set() }
    const { names } = this.strangers
    if (names.size < STRANGERS_AN_HOUR) names.add(user)
    return names.has(user) ? user : 'other'
  }

  private noteSeen(rows: readonly Recorded[]): void {
    const last = new Map<string, [kind: string, name: string, atMs: number]>()
    for (const { user, keyId, isKnown, atMs, engineModel } of rows) {
      if (user !== null && isKnown) last.set(`user ${user}`, ['user', user, atMs])
      if (keyId !== null) last.set(`key ${keyId}`, ['key', keyId, atMs])
      if (engineModel !== null) last.set(`model ${engineModel}`, ['model', engineModel, atMs])
    }
    const note = this.store.database.prepare('INSERT OR REPLACE INTO seen VALUES (?, ?, ?)')
    for (const values of last.values()) note.run(...values)
  }

  /** Forgets single requests, and gives their place on the disk back. */
  clear(): void {
    const { database } = this.store
    database.exec('DELETE FROM requests')
    database.exec('VACUUM')
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  private prune(nowMs: number): void {
    this.sincePruned = 0
    const { maxRows, keepDays } = this.bounds
    const { database } = this.store
    database.prepare('DELETE FROM requests WHERE id <= (SELECT max(id) FROM requests) - ?').run(maxRows)
    // Ids grow as time does, so this stops at the first one that stays, and costs each request no index.
    database
      .prepare(
        `DELETE FROM requests WHERE id <
           ifnull((SELECT id FROM requests WHERE at_ms >= ? ORDER BY id LIMIT 1), (SELECT max(id) + 1 FROM requests))`,
      )
      .run(nowMs - keepDays * DAY_MS)
    database.prepare('DELETE FROM usage WHERE hour < ?').run(hourOf(nowMs - USAGE_KEPT_DAYS * DAY_MS))
  }
}

function hourOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 13)
}

function requestOf(row: Record<string, unknown>): HistoryRow {
  const text = (name: string): string | null => (row[name] === null ? null : String(row[name]))
  const number = (name: string): number | null => (row[name] === null ? null : Number(row[name]))
  return {
    id: String(row['request_id']),
    at: new Date(Number(row['at_ms'])).toISOString(),
    user: text('user'),
    keyId: text('key_id'),
    app: text('app'),
    model: text('model'),
    backend: text('backend'),
    endpoint: String(row['endpoint']),
    stream: row['stream'] === 1,
    band: text('band'),
    status: Number(row['status']),
    outcome: String(row['outcome']),
    error: text('error'),
    attempts: Number(row['attempts']),
    queueMs: number('queue_ms'),
    ttftMs: number('ttft_ms'),
    totalMs: Number(row['total_ms']),
    promptTokens: number('prompt_tokens'),
    completionTokens: number('completion_tokens'),
    cachedTokens: number('cached_tokens'),
    ...readSteps(text('steps')),
    finish: text('finish'),
    requestBytes: number('request_bytes'),
    answerBytes: number('answer_bytes'),
  }
}
