import { happeningsBetween, type Look } from '../policy/happenings.ts'
import { isServing } from '../protocol/engine.ts'
import type { Happening, WhatHappened } from '../protocol/happenings.ts'
import { type SeriesValues, THROTTLES } from '../protocol/series.ts'
import type { AppSnapshot, GpuHolderView, RequestView } from '../protocol/snapshot.ts'
import type { Outcome } from '../telemetry/outcome.ts'
import { SeriesRing } from '../telemetry/series-ring.ts'

/** What a sample is made of. */
export type Sampled = {
  look: () => Look & Pick<AppSnapshot, 'queues'>
  requests: () => RequestView[]
  /** Who holds memory of the GPUs; asked seldom, since it may start a program. */
  holders: () => Promise<GpuHolderView[]>
}

const EVERY_MS = 1000
const HOLDERS_EVERY_S = 30
/** While an engine loads, or nobody could tell. */
const HOLDERS_SOON_S = 5
const LATENCY_WINDOW_S = 60
const MOST_LATENCIES = 2048
const KEPT_EVENTS = 100

/** What engines of ours hold of the GPUs, when it was asked, and which engines they were then. */
type Held = { bytes: number | null; at: number; of: string }

const NEVER_ASKED: Held = { bytes: null, at: Number.NEGATIVE_INFINITY, of: '' }

/**
 * Looks once a second, so that a window that opens shows the past at once, and keeps what has happened. The request
 * path pays some numbers for each outcome: objects that live for a minute are what a garbage collector is slow with.
 */
export class Sampler {
  readonly series = new SeriesRing()
  private readonly sampled: Sampled
  private readonly timer: NodeJS.Timeout
  private readonly latencies = new LatestLatencies()
  private tally = { finished: 0, failed: 0, rejected: 0 }
  /** Answer tokens of running streams that were counted already. */
  private counted = new Map<string, number>()
  private leftover = 0
  private before: Look | null = null
  private ours: Held = NEVER_ASKED
  private readonly events: Happening[] = []
  private seq = 0

  constructor(sampled: Sampled) {
    this.sampled = sampled
    this.timer = setInterval(() => this.sample(Date.now()), EVERY_MS)
    this.timer.unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /** The newest last. */
  recent(): Happening[] {
    return [...this.events]
  }

  /** `now` in ms since 1970, as the owner has it already. */
  record(outcome: Outcome, now: number): void {
    this.tally.finished++
    if (outcome.status >= 500) this.tally.failed++
    if (outcome.status === 429 || outcome.error === 'queue_full') this.tally.rejected++
    if (outcome.outcome === 'ok') this.latencies.add(now, outcome.ttftMs, outcome.latencyMs)
    this.countTokens(outcome, now)
  }

  /** Public for tests; `now` in ms since 1970. */
  sample(now: number): void {
    const look = this.sampled.look()
    const before = this.before ?? { ...look, engines: [] }
    for (const event of happeningsBetween(before, look)) this.note(event, now)
    this.before = look
    this.lookForHolders(look, now)
    this.series.add(Math.floor(now / 1000), this.values(look, now))
    this.tally = { finished: 0, failed: 0, rejected: 0 }
  }

  /** What a stream's running estimate has not counted yet; other answers belong to all the time that they took. */
  private countTokens({ reqId, usage, stream, latencyMs, queueMs, ttftMs }: Outcome, now: number): void {
    const counted = this.counted.get(reqId) ?? 0
    this.counted.delete(reqId)
    if (usage === null) return
    const begin = (now - latencyMs + queueMs) / 1000
    const first = ttftMs === null ? now / 1000 : (now - latencyMs + ttftMs) / 1000
    if (usage.prompt !== null) this.series.spread('prompt', usage.prompt, begin, Math.max(begin, first))
    if (usage.completion === null) return
    if (stream) this.leftover += Math.max(0, usage.completion - counted)
    else this.series.spread('output', usage.completion, begin, now / 1000)
  }

  private streamedTokens(): number {
    let tokens = this.leftover
    this.leftover = 0
    for (const { id, tokens: now } of this.sampled.requests()) {
      if (now === null) continue
      tokens += Math.max(0, now - (this.counted.get(id) ?? 0))
      this.counted.set(id, now)
    }
    return tokens
  }

  private values({ queues, gpu }: ReturnType<Sampled['look']>, now: number): SeriesValues {
    const gpus = gpu.is === 'read' ? gpu.gpus : []
    const kv = queues.flatMap(({ permits }) => (permits.kvUse === null ? [] : [permits.kvUse]))
    return {
      output: this.streamedTokens(),
      prompt: 0,
      ...this.latencies.percentiles(now),
      running: sum(queues.map(({ permits }) => permits.inFlight)),
      waiting: sum(queues.map(({ depth }) => depth.high + depth.normal + depth.low)),
      limit: queues.length === 0 ? null : sum(queues.map(({ permits }) => permits.limit)),
      ...this.tally,
      kv: most(kv),
      gpu: most(gpus.map(({ utilization }) => utilization)),
      vramOurs: gpus.length === 0 ? null : this.ours.bytes,
      vramUsed: total(gpus.map(({ usedBytes }) => usedBytes)),
      vramTotal: total(gpus.map(({ totalBytes }) => totalBytes)),
      temperatureC: most(gpus.map(({ temperatureC }) => temperatureC)),
      power: total(gpus.map(({ powerW }) => powerW)),
      throttle: most(gpus.map(({ throttle }) => (throttle === null ? null : THROTTLES.indexOf(throttle)))),
    }
  }

  private lookForHolders({ gpu, engines }: Look, now: number): void {
    const running = engines.filter(({ pid }) => pid !== null)
    if (gpu.is !== 'read' || running.length === 0) {
      this.ours = { ...NEVER_ASKED, bytes: gpu.is === 'read' ? 0 : null }
      return
    }
    const of = running.map(({ name, pid, state }) => `${name} ${pid} ${isServing(state) || state.is}`).join('\n')
    const isMoving = this.ours.bytes === null || running.some(({ state }) => state.is === 'starting')
    const everyS = isMoving ? HOLDERS_SOON_S : HOLDERS_EVERY_S
    if (this.ours.of === of && now - this.ours.at < everyS * 1000) return
    // An answer of before belongs to engines as they were.
    const asked: Held = { bytes: this.ours.of === of ? this.ours.bytes : null, at: now, of }
    this.ours = asked
    this.sampled.holders().then(
      (holders) => {
        asked.bytes = total(holders.map(({ engine, bytes }) => (engine === null ? 0 : bytes)))
      },
      () => {
        asked.bytes = null
      },
    )
  }

  /** Keeps what has happened; of what no look would show, others tell. */
  note(event: WhatHappened, now: number): void {
    const last = this.events.at(-1)
    // A client that is refused again and again is one event.
    if (event.what === 'limited' && last?.what === 'limited' && last.user === event.user) {
      last.times += event.times
      last.at = new Date(now).toISOString()
      return
    }
    this.events.push({ seq: ++this.seq, at: new Date(now).toISOString(), ...event })
    if (this.events.length > KEPT_EVENTS) this.events.shift()
  }
}

/** How long the latest good answers of the last minute took, in arrays that never grow; NaN where no token was seen. */
class LatestLatencies {
  private readonly at = new Float64Array(MOST_LATENCIES).fill(Number.NEGATIVE_INFINITY)
  private readonly ttft = new Float64Array(MOST_LATENCIES)
  private readonly total = new Float64Array(MOST_LATENCIES)
  private count = 0

  add(now: number, ttftMs: number | null, totalMs: number): void {
    const slot = this.count++ % MOST_LATENCIES
    this.at[slot] = now
    this.ttft[slot] = ttftMs ?? Number.NaN
    this.total[slot] = totalMs
  }

  percentiles(now: number): Pick<SeriesValues, 'ttftP50' | 'ttftP95' | 'totalP95'> {
    const isRecent = (_: number, slot: number): boolean => now - this.at[slot]! <= LATENCY_WINDOW_S * 1000
    const ttft = this.ttft.filter((value, slot) => !Number.isNaN(value) && isRecent(value, slot)).sort()
    const total = this.total.filter(isRecent).sort()
    return { ttftP50: at(ttft, 0.5), ttftP95: at(ttft, 0.95), totalP95: at(total, 0.95) }
  }
}

function at(sorted: Float64Array, share: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0)
}

function told(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null)
}

function total(values: readonly (number | null)[]): number | null {
  const numbers = told(values)
  return numbers.length === 0 ? null : sum(numbers)
}

function most(values: readonly (number | null)[]): number | null {
  const numbers = told(values)
  return numbers.length === 0 ? null : Math.max(...numbers)
}
