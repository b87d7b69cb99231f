import type { Percentiles, Stats, StatsRow } from '../protocol/snapshot.ts'
import type { Outcome } from './outcome.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const SAMPLES = 2048
/** Users beyond this many share the row `other`: names come from requests, and memory is bounded. */
const MAX_ROWS = 1000

type Row = { requests: number; errors: number; prompt: number; completion: number }

/** Running totals and recent windows since the start of this process. All O(1) per request and bounded. */
export class StatsCollector {
  private requests = 0
  private latencySum = 0
  private readonly tokens = { prompt: 0, completion: 0, cached: 0 }
  private readonly latency = new Samples()
  private readonly ttft = new Samples()
  private readonly perSecond = new Window(60, MINUTE_MS / 60)
  private readonly errorsPerMinute = new Window(60, HOUR_MS / 60)
  private readonly models = new Map<string, Row>()
  private readonly users = new Map<string, Row>()
  private readonly backends = new Map<string, Row>()

  record(outcome: Outcome, now: number): void {
    this.requests++
    this.latencySum += outcome.latencyMs
    this.latency.add(outcome.latencyMs)
    if (outcome.ttftMs !== null) this.ttft.add(outcome.ttftMs)
    this.perSecond.add(now)
    if (isError(outcome)) this.errorsPerMinute.add(now)
    this.tokens.prompt += outcome.usage?.prompt ?? 0
    this.tokens.completion += outcome.usage?.completion ?? 0
    this.tokens.cached += outcome.usage?.cached ?? 0
    addTo(this.models, outcome.model, outcome)
    addTo(this.users, outcome.user ?? 'anonymous', outcome)
    if (outcome.backend !== null) addTo(this.backends, outcome.backend, outcome)
  }

  /** `now` is the same monotonic clock that `record` was given, in milliseconds. */
  read(now: number): Stats {
    const { prompt, completion } = this.tokens
    return {
      total_requests: this.requests,
      total_tokens: prompt + completion,
      avg_latency_ms: this.requests === 0 ? 0 : Math.round(this.latencySum / this.requests),
      requests_per_minute: this.perSecond.sum(now),
      errors_last_hour: this.errorsPerMinute.sum(now),
      tokens: { ...this.tokens },
      latency: this.latency.percentiles(),
      ttft: this.ttft.percentiles(),
      by_model: rows(this.models),
      by_user: rows(this.users),
      by_backend: rows(this.backends),
    }
  }
}

function isError({ outcome }: Outcome): boolean {
  return outcome === 'backend_error' || outcome === 'stream_error'
}

function addTo(table: Map<string, Row>, name: string, outcome: Outcome): void {
  let row = table.get(name)
  if (row === undefined) {
    const key = table.size < MAX_ROWS ? name : 'other'
    row = table.get(key) ?? { requests: 0, errors: 0, prompt: 0, completion: 0 }
    table.set(key, row)
  }
  row.requests++
  if (isError(outcome)) row.errors++
  row.prompt += outcome.usage?.prompt ?? 0
  row.completion += outcome.usage?.completion ?? 0
}

function rows(table: Map<string, Row>): Record<string, StatsRow> {
  const entries = [...table].map(([name, row]): [string, StatsRow] => [
    name,
    { requests: row.requests, errors: row.errors, prompt_tokens: row.prompt, completion_tokens: row.completion },
  ])
  return Object.fromEntries(entries)
}

/** The latest values, for percentiles. */
class Samples {
  private readonly values = new Float64Array(SAMPLES)
  private count = 0

  add(value: number): void {
    this.values[this.count++ % SAMPLES] = value
  }

  percentiles(): Percentiles {
    const sorted = this.values.slice(0, Math.min(this.count, SAMPLES)).sort()
    const at = (share: number): number | null =>
      sorted.length === 0
        ? null
        : Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]! * 10) / 10
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  }
}

/** Events in the last `slots × slotMs`, in a ring of counters. */
class Window {
  private readonly counts: Float64Array
  private readonly slotMs: number
  private slot = 0

  constructor(slots: number, slotMs: number) {
    this.counts = new Float64Array(slots)
    this.slotMs = slotMs
  }

  add(now: number): void {
    this.advance(now)
    this.counts[this.slot % this.counts.length]!++
  }

  sum(now: number): number {
    this.advance(now)
    return this.counts.reduce((total, value) => total + value, 0)
  }

  private advance(now: number): void {
    const slot = Math.floor(now / this.slotMs)
    for (let passed = Math.min(this.counts.length, slot - this.slot); passed > 0; passed--) {
      this.counts[(slot - passed + 1) % this.counts.length] = 0
    }
    this.slot = Math.max(this.slot, slot)
  }
}
