import type { Backend } from '../backends/backend.ts'
import type { EngineFigures, EngineStanding } from '../backends/engine-handle.ts'
import type { Band, Guarantees } from '../policy/band-shares.ts'
import type { MetricsAlarm } from '../policy/engine-sense.ts'
import { FairQueue, type QueueFull, weightedCost } from '../policy/fair-queue.ts'
import type { Waiter } from '../policy/flows.ts'
import { type GateSettings, type GateState, type Load, type Permit, PermitGate } from '../policy/permit-gate.ts'
import { BLOCK_BYTES, PrefixIndex } from '../policy/prefix-index.ts'
import { type Bucket, newBucket, perMinute, type Rate, take, waitFor } from '../policy/token-bucket.ts'
import { type Problem, problem } from '../protocol/errors.ts'
import { say } from '../protocol/sentence.ts'
import type { QueueView, WaiterView } from '../protocol/snapshot.ts'
import type { Usage } from '../wire/usage.ts'
import { LoadWatch } from './load-watch.ts'

/** A request that asks a backend for a permit. `app` tells a user's programs apart. Milliseconds, monotonic. */
export type PermitAsk = {
  requestId: string
  user: string
  app: string
  weight: number
  model: string
  /** Whom statistics name. */
  named: string | null
  load: Load
  bytes: number
  deadline: number
  /** How long it may wait for an engine that is on its way. */
  lastDeadline: number
  /** Its first token will be seen. Where not, the prefill is taken to be over after the time that it should take. */
  streams: boolean
}

/** Told once what becomes of a request that waits, unless it was withdrawn before. */
export type PermitSink = {
  onPermit(ticket: Ticket, waitedMs: number): void
  onRefused(told: Problem, waitedMs: number): void
}

/** A request's place at one backend: first in the queue, then in flight. Read it; only its queue changes it. */
export type Ticket = {
  readonly ask: PermitAsk
  readonly sink: PermitSink
  readonly queue: BackendQueue
  waiter: Waiter<Ticket>
  permit: Permit | null
  streamedBytes: number
  /** When its prefill should be over, where no token will tell. */
  prefilledAt: number
  over: boolean
}

export type Entered = { ok: true; ticket: Ticket } | { ok: false; problem: Problem }

export type QueueRules = {
  perBand: number
  guarantees: Guarantees
  /** The metrics of a backend are not to be believed any more, or again: null. */
  onAlarm: (backend: string, alarm: MetricsAlarm | null) => void
}

/** How often it looks at what only time changes, while somebody waits. */
const WAKE_MS = 250
const SHOWN_WAITERS = 100

const SERVING: EngineStanding = { is: 'serving' }
const UNKNOWN_FIGURES: EngineFigures = { kvTokens: null, maxSequences: null, prefillRate: null }

/** A stream's bytes per token before one has ended: vLLM's chat chunk. */
const FIRST_BYTES_PER_TOKEN = 230

/** How much a prefix cache holds, where its size is not told. [D] */
const GUESSED_KV_TOKENS = 100_000
const TEXT_BYTES_PER_TOKEN = 4

/** Where nothing is known of a server, it is taken to run a few at once (llama-server, Ollama) or many (a cloud). */
const LIMIT_OF: Partial<Record<Backend['options']['type'], number>> = { ollama: 4, llamacpp: 4, dummy: 10_000 }
const LIMIT_ELSEWHERE = 64

const FULL: Record<QueueFull, string> = {
  flow: say('This user has too many requests waiting.'),
  band: say('Too many requests are waiting.'),
  bytes: say('The requests that wait are too large together.'),
}

/**
 * Who waits for one backend and who is in flight there: the fair queue, the permit gate, the backend's own requests per
 * minute, and the clock that expires, samples and wakes. Everything but the reading of metrics is synchronous.
 */
export class BackendQueue {
  readonly backend: Backend
  readonly fair: FairQueue<Ticket>
  private readonly gate: PermitGate
  /** Of a vLLM whose limit is to be found; null for a plain number. */
  private load: LoadWatch | null
  private rate: Rate | null
  private bucket: Bucket | null
  /** In flight without a first token that anybody will see. */
  private readonly unseen: Ticket[] = []
  private index: PrefixIndex | null = null
  private bytesPerToken = FIRST_BYTES_PER_TOKEN
  private pumping = false
  private timer: NodeJS.Timeout | null = null
  private wakeAt = Number.POSITIVE_INFINITY

  constructor(backend: Backend, { perBand, guarantees, onAlarm }: QueueRules, now: number) {
    const { maxInFlight, type, requestsPerMinute } = backend.options
    this.backend = backend
    this.fair = new FairQueue({ perBand, guarantees })
    this.gate = new PermitGate(gateSettings(backend))
    this.load = maxInFlight === 'auto' && type === 'vllm' ? new LoadWatch(backend, this.gate, onAlarm) : null
    this.rate = requestsPerMinute === null ? null : perMinute(requestsPerMinute)
    this.bucket = this.rate === null ? null : newBucket(this.rate, now)
  }

  get inFlight(): number {
    return this.gate.inFlight
  }

  /** Other bounds, of the queue and of its backend: what waits and what runs is kept. */
  reconfigure({ perBand, guarantees, onAlarm }: QueueRules, now: number): void {
    const { maxInFlight, type, requestsPerMinute } = this.backend.options
    this.fair.reconfigure({ perBand, guarantees })
    const before = this.rate
    this.rate = requestsPerMinute === null ? null : perMinute(requestsPerMinute)
    if (before?.burst !== this.rate?.burst) this.bucket = this.rate === null ? null : newBucket(this.rate, now)
    const watches = maxInFlight === 'auto' && type === 'vllm'
    if (watches !== (this.load !== null)) {
      this.load?.close()
      this.load = watches ? new LoadWatch(this.backend, this.gate, onAlarm) : null
    }
    this.gate.configure(gateSettings(this.backend))
    this.pump(now)
  }

  /** Whether prompts and their prefixes matter to what it admits. */
  get weighsTokens(): boolean {
    return this.load !== null
  }

  /** The engine behind its backend has changed its state. */
  engineChanged(): void {
    const { engine } = this.backend
    if (engine === null) return
    const now = performance.now()
    const standing = engine.standing()
    if (standing.is !== 'serving') this.load?.engineGone()
    if (standing.is === 'unavailable') return this.drain(standing.problem)
    if (standing.is === 'startable' && this.fair.size > 0) engine.want()
    if (standing.is !== 'serving') return
    // What was in its cache is gone, and what it can run at once may be another number.
    this.index = null
    this.gate.configure(gateSettings(this.backend))
    this.pump(now)
  }

  /** Which beginnings its engine's prefix cache probably holds. */
  get prefixes(): PrefixIndex {
    const tokens = this.gate.state(0).kvTokens ?? GUESSED_KV_TOKENS
    this.index ??= new PrefixIndex((tokens * TEXT_BYTES_PER_TOKEN) / BLOCK_BYTES)
    return this.index
  }

  /** The engine may have been restarted. */
  forgetPrefixes(): void {
    this.index = null
  }

  /** Gets a permit at once, by `onPermit` before this returns, or a place in the queue, or a refusal. */
  enter(ask: PermitAsk, sink: PermitSink, now: number): Entered {
    const standing = this.backend.engine?.standing() ?? SERVING
    if (standing.is === 'unavailable') return { ok: false, problem: standing.problem }
    if (standing.is === 'startable') this.backend.engine?.want()
    const ticket: Ticket = {
      ask,
      sink,
      queue: this,
      waiter: null as unknown as Waiter<Ticket>,
      permit: null,
      streamedBytes: 0,
      prefilledAt: 0,
      over: false,
    }
    // Waiting for an engine is not waiting in the queue (DESIGN 3).
    const entered = this.enqueue(ticket, standing.is === 'serving' ? ask.deadline : ask.lastDeadline, now)
    if (!entered.ok) {
      const retryAfterMs = Math.min(entered.retryAfterMs, 60_000)
      return { ok: false, problem: problem('queue_full', FULL[entered.full], { retryAfterMs }) }
    }
    ticket.waiter = entered.waiter
    this.pump(now)
    return { ok: true, ticket }
  }

  private enqueue(value: Ticket, deadline: number, now: number) {
    const { load, user, app, weight, bytes } = value.ask
    const cost = weightedCost(load.promptTokens, load.meanAnswer)
    return this.fair.enqueue({ value, band: load.band, user, app, weight, cost, bytes, deadline }, now)
  }

  /** Leaves the queue, or ends what is in flight. A second time changes nothing. `aborted`: cut off before its end. */
  leave(ticket: Ticket, usage: Usage | null, ran: boolean, aborted: boolean, now: number): void {
    if (ticket.over) return
    ticket.over = true
    if (this.fair.cancel(ticket.waiter, now)) {
      if (this.fair.size === 0) this.rest()
      return
    }
    if (usage?.completion != null && usage.completion > 8 && ticket.streamedBytes > 0) {
      this.bytesPerToken += 0.1 * (ticket.streamedBytes / usage.completion - this.bytesPerToken)
    }
    this.fair.settle(ticket.waiter, trueCost(ticket.ask.load, usage, ran), now)
    const { permit } = ticket
    if (permit === null) return
    if (aborted && this.load?.awaitAbort(permit, now)) return this.arm(now)
    this.gate.release(permit)
    if (this.fair.size > 0) this.pump(now)
  }

  /** The first content came. */
  firstToken({ permit }: Ticket, now: number): void {
    if (permit !== null) this.gate.firstToken(permit, now)
  }

  streamed(ticket: Ticket, bytes: number): void {
    if (ticket.permit === null) return
    ticket.streamedBytes += bytes
    this.gate.generated(ticket.permit, bytes / this.bytesPerToken)
  }

  /** Of its answer so far, as far as its bytes tell. */
  tokensOf({ streamedBytes }: Ticket): number {
    return Math.round(streamedBytes / this.bytesPerToken)
  }

  /** Lexora stops: whoever waits is told. */
  drain(told: Problem): void {
    const now = performance.now()
    for (const waiter of this.fair.drain(now)) {
      waiter.value.over = true
      waiter.value.sink.onRefused(told, now - waiter.enqueuedAt)
    }
    this.rest()
  }

  /** Milliseconds that a request like this would wait; a queue that was never seen to move counts by its length. */
  predictWaitMs(ask: { band: Band; user: string; app: string; weight: number }, now: number): number {
    const fits = this.fair.size === 0 && this.gate.state(now).inFlight < this.gate.state(now).limit
    if (fits) return 0
    return this.fair.predictWaitMs(ask, now) ?? 1000 * (1 + this.fair.size)
  }

  /** 1 for who is next in the order as it stands; 0 once it waits no more. */
  placeOf(ticket: Ticket): { place: number; of: number } {
    const order = this.fair.order()
    return { place: order.indexOf(ticket.waiter) + 1, of: order.length }
  }

  /** For faces. */
  view(now: number): QueueView {
    const { inFlight, limit, openLoop, alarm } = this.gate.state(now)
    const { load, fair } = this
    const isDown = this.backend.engine === null ? this.backend.health.is === 'down' : !this.isServing()
    const kvUse = isDown ? null : (load?.kvUse ?? null)
    const [auto, foreign] = [load !== null, load?.foreign ?? 0]
    const depth = { high: fair.depth('high'), normal: fair.depth('normal'), low: fair.depth('low') }
    const waiting = fair.order().slice(0, SHOWN_WAITERS)
    const waits = fair.waitsMs(waiting, now)
    return {
      backend: this.backend.name,
      permits: { inFlight, limit, auto, openLoop, alarm, kvUse, foreign },
      depth,
      waiting: waiting.map((waiter, i) => waiterView(waiter, i + 1, waits[i] ?? null, now)),
    }
  }

  /** When the first of those who wait has waited as long as its band may; null: nobody waits. O(waiting). */
  lateAt(patienceMs: Readonly<Record<Band, number>>): number | null {
    let at: number | null = null
    for (const { band, enqueuedAt } of this.fair.waiters) at = Math.min(at ?? Infinity, enqueuedAt + patienceMs[band])
    return at
  }

  state(now: number): GateState & { kvUse: number } {
    return { ...this.gate.state(now), kvUse: this.load?.kvUse ?? 0 }
  }

  close(): void {
    this.load?.close()
    this.rest()
  }

  /** Dispatches while something fits. Called again from within a dispatch it returns at once: the loop goes on. */
  private pump(now: number): void {
    if (this.pumping) return
    this.pumping = true
    try {
      this.expire(now)
      for (let waiter = this.next(now); waiter !== null; waiter = this.next(now)) this.grant(waiter.value, now)
    } finally {
      this.pumping = false
    }
    this.arm(now)
  }

  private next(now: number): Waiter<Ticket> | null {
    if (this.fair.size === 0 || this.isOverRate(now) || !this.isServing()) return null
    return this.fair.next(now, ({ value }, owed) => this.gate.admits(value.ask.load, owed))
  }

  private isServing(): boolean {
    const { engine } = this.backend
    return engine === null || engine.standing().is === 'serving'
  }

  private isOverRate(now: number): boolean {
    return this.rate !== null && this.bucket !== null && waitFor(this.bucket, this.rate, 1, now) > 0
  }

  private grant(ticket: Ticket, now: number): void {
    if (this.rate !== null && this.bucket !== null) take(this.bucket, this.rate, 1, now)
    ticket.permit = this.gate.dispatch(ticket.ask.load, now)
    if (!ticket.ask.streams && this.load !== null) {
      const { prefillBacklog, prefillRate } = this.gate.state(now)
      ticket.prefilledAt = now + prefillBacklog / prefillRate
      this.unseen.push(ticket)
    }
    ticket.sink.onPermit(ticket, now - ticket.waiter.enqueuedAt)
  }

  private assumePrefilled(now: number): void {
    for (let i = this.unseen.length - 1; i >= 0; i--) {
      const ticket = this.unseen[i]!
      if (!ticket.over && ticket.prefilledAt > now) continue
      if (ticket.permit !== null) this.gate.prefilled(ticket.permit)
      this.unseen[i] = this.unseen.at(-1)!
      this.unseen.pop()
    }
  }

  private expire(now: number): void {
    if (this.fair.nextDeadline() > now) return
    for (const { value, enqueuedAt } of this.fair.expire(now)) {
      if (!this.isServing() && value.ask.lastDeadline > now && this.goesOnWaiting(value, now)) continue
      value.over = true
      const { load, user, app, weight } = value.ask
      const retryAfterMs = Math.min(this.predictWaitMs({ band: load.band, user, app, weight }, now), 60_000)
      const waitedMs = now - enqueuedAt
      const message = say`The request waited ${(waitedMs / 1000).toFixed(1)} s for backend '${this.backend.name}' without getting its turn.`
      value.sink.onRefused(problem('queue_timeout', message, { retryAfterMs }), waitedMs)
    }
  }

  /** Its engine went away while it waited in the queue: now it waits for the engine. */
  private goesOnWaiting(ticket: Ticket, now: number): boolean {
    const entered = this.enqueue(ticket, ticket.ask.lastDeadline, now)
    if (entered.ok) ticket.waiter = entered.waiter
    return entered.ok
  }

  /** One timer for everything that comes with time; none while nothing waits and nothing is sampled. */
  private arm(now: number): void {
    const due = this.dueAt(now)
    if (due === Number.POSITIVE_INFINITY || due >= this.wakeAt) return
    if (this.timer !== null) clearTimeout(this.timer)
    this.wakeAt = due
    // Timers round down: a deadline must have passed when it is looked at.
    this.timer = setTimeout(() => this.wake(), Math.max(0, Math.ceil(due - now))).unref()
  }

  private dueAt(now: number): number {
    const due = this.load?.dueAt(now) ?? Number.POSITIVE_INFINITY
    if (this.fair.size === 0) return due
    const next = Math.min(due, this.fair.nextDeadline(), now + WAKE_MS)
    if (this.rate === null || this.bucket === null) return next
    return Math.min(next, now + Math.max(1, waitFor(this.bucket, this.rate, 1, now)))
  }

  private wake(): void {
    this.timer = null
    this.wakeAt = Number.POSITIVE_INFINITY
    const now = performance.now()
    if (this.load !== null && this.load.dueAt(now) <= now + 1) {
      void this.load.look(now, () => this.fair.size > 0).then(() => this.pump(performance.now()))
    }
    this.assumePrefilled(now)
    this.pump(now)
  }

  private rest(): void {
    if (this.load !== null && this.gate.inFlight > 0) return
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.wakeAt = Number.POSITIVE_INFINITY
  }
}

function waiterView(
  { value, band, enqueuedAt }: Waiter<Ticket>,
  place: number,
  predictedWaitMs: number | null,
  now: number,
): WaiterView {
  const { requestId, user, app, model, named } = value.ask
  const ageMs = Math.round(now - enqueuedAt)
  return { id: requestId, band, flow: { user, app }, user: named, model, place, ageMs, predictedWaitMs }
}

function gateSettings({ options, engine }: Backend): GateSettings {
  if (options.maxInFlight !== 'auto') return { limit: options.maxInFlight }
  if (options.type !== 'vllm') return { limit: LIMIT_OF[options.type] ?? LIMIT_ELSEWHERE }
  return { limit: 'auto', ...(engine?.figures() ?? UNKNOWN_FIGURES) }
}

/** Weighted tokens that it took in truth; what was predicted where nobody told, nothing where it never ran. */
function trueCost(load: Load, usage: Usage | null, ran: boolean): number {
  if (usage !== null) return weightedCost(usage.prompt ?? load.promptTokens, usage.completion ?? 0)
  return ran ? weightedCost(load.promptTokens, load.meanAnswer) : 0
}
