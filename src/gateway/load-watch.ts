import type { Backend } from '../backends/backend.ts'
import type { MetricsAlarm } from '../policy/engine-sense.ts'
import type { Permit, PermitGate } from '../policy/permit-gate.ts'
import { type EngineFigures, readEngineMetrics } from '../wire/engine-metrics.ts'

/** vLLM's metrics are read so often while it is busy (scheduling.md 1.2), and so seldom where there are none. */
const SAMPLE_MS = 250
const SAMPLE_MS_WITHOUT = 5000
const SAMPLE_TIMEOUT_MS = 1000
/** While somebody's abort is awaited, and how long at most (reliability.md, A14). */
const SAMPLE_MS_ABORTING = 50
const ABORTED_WITHIN_MS = 10_000

/** What runs in an engine that is gone. */
const IDLE_ENGINE: EngineFigures = { running: 0, waiting: 0, kvUse: 0, preemptions: 0, kvTokens: null }

/** What a vLLM's own metrics say of its load, told to the permit gate; and when cancelled requests have left it. */
export class LoadWatch {
  private readonly backend: Backend
  private readonly gate: PermitGate
  private readonly onAlarm: (backend: string, alarm: MetricsAlarm | null) => void
  /** Cancelled requests that the engine may still be working on. */
  private aborting: { permit: Permit; since: number }[] = []
  private sampledAt = Number.NEGATIVE_INFINITY
  private sampling = false
  private everSeen = false
  private alarm: MetricsAlarm | null = null
  private use: number | null = null
  /** Requests that the engine runs for others. */
  foreign = 0

  constructor(backend: Backend, gate: PermitGate, onAlarm: LoadWatch['onAlarm']) {
    this.backend = backend
    this.gate = gate
    this.onAlarm = onAlarm
  }

  /** Share of the KV cache in use, 0 to 1; null where this run never told. */
  get kvUse(): number | null {
    return this.use
  }

  /** The engine does not serve: its cache is no more. */
  engineGone(): void {
    this.use = null
    this.foreign = 0
  }

  /** When the next look is due; Infinity while nothing runs, or one is under way. */
  dueAt(now: number): number {
    if (this.sampling || this.gate.inFlight === 0) return Number.POSITIVE_INFINITY
    return Math.max(now, this.sampledAt + this.everyMs())
  }

  /** Looks; resolves when the gate has been told. */
  async look(askedAt: number, backlog: () => boolean): Promise<void> {
    this.sampling = true
    this.sampledAt = askedAt
    const answer = await this.backend.get('/metrics', SAMPLE_TIMEOUT_MS)
    this.sampling = false
    const told = 'error' in answer || answer.status !== 200 ? null : readEngineMetrics(answer.body.toString('utf8'))
    if (told !== null) {
      this.everSeen = true
      this.use = told.kvUse
    }
    const now = performance.now()
    this.gate.sample(told, backlog(), now)
    this.tellAlarm(now)
    const isGone = 'error' in answer && answer.error !== 'TimeoutError'
    this.settleAborted(isGone ? IDLE_ENGINE : told, askedAt, now)
  }

  /** Keeps the permit of a cancelled request until the engine is seen without it; false: it may be freed at once. */
  awaitAbort(permit: Permit, now: number): boolean {
    if (!this.everSeen) return false
    this.aborting.push({ permit, since: now })
    return true
  }

  close(): void {
    for (const { permit } of this.aborting) this.gate.release(permit)
    this.aborting = []
  }

  private everyMs(): number {
    if (this.aborting.length > 0) return SAMPLE_MS_ABORTING
    return this.everSeen || this.sampledAt === Number.NEGATIVE_INFINITY ? SAMPLE_MS : SAMPLE_MS_WITHOUT
  }

  private tellAlarm(now: number): void {
    const { alarm } = this.gate.state(now)
    if (alarm === this.alarm) return
    this.alarm = alarm
    this.onAlarm(this.backend.name, alarm)
  }

  /** The permits of the cancelled come free when the engine runs no more than what is left, or after ten seconds. */
  private settleAborted(told: EngineFigures | null, askedAt: number, now: number): void {
    const live = this.gate.inFlight - this.aborting.length
    const running = told === null ? Number.POSITIVE_INFINITY : told.running + told.waiting
    if (this.aborting.length === 0) {
      this.foreign = told === null ? 0 : Math.max(0, running - live)
      return
    }
    const kept: typeof this.aborting = []
    for (const entry of this.aborting) {
      const gone = entry.since <= askedAt && running <= live + this.foreign
      if (!gone && now - entry.since < ABORTED_WITHIN_MS) kept.push(entry)
      else this.gate.release(entry.permit)
    }
    this.aborting = kept
  }
}
