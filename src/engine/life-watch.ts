import { countedIn, judgeCanary, type Life, type LifeVerdict, newLife, watchLife } from '../policy/engine-liveness.ts'
import { getJson } from './http.ts'
import { askCanary, type Canary, type Target } from './readiness.ts'
import type { EngineTiming, EngineWork } from './supervision.ts'

export type LifeListener = {
  onLoad: (busy: boolean) => void
  onSuspect: (reason: string) => void
  onRecovered: () => void
  onHung: (reason: string) => void
  onIdle: () => void
}

const HEALTH_EVERY = 3
const METRICS_WITHIN_MS = 5000
/** Full for a moment and free again is not news. */
const FREE_FOR_MS = 5000
const SLEPT_MS = 10_000

/** Looks at an engine that serves: does it bring tokens, is it full, has it nothing to do? */
export class LifeWatch {
  private readonly options: {
    target: Target
    canary: Canary
    kind: string
    idleMs: number | null
    timing: EngineTiming
    work: () => EngineWork
    /** The time of day: it goes on while the machine sleeps, which the other clock does not. */
    wallClock: () => number
    listener: LifeListener
  }
  private timer: NodeJS.Timeout | null = null
  private stopped = false
  private life: Life
  private asking = false
  private looks = 0
  private workedAt = performance.now()
  private sent: number
  private busy = false
  private clocks: { wall: number; own: number }
  private fullAt = Number.NEGATIVE_INFINITY

  constructor(options: LifeWatch['options']) {
    this.options = options
    this.life = newLife(performance.now())
    this.sent = options.work().sent
    this.clocks = this.readClocks()
    this.schedule()
  }

  stop(): void {
    this.stopped = true
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private schedule(): void {
    if (this.stopped) return
    this.timer = setTimeout(() => void this.look().then(() => this.schedule()), this.options.timing.lookMs)
  }

  private async look(): Promise<void> {
    const { work, timing, kind } = this.options
    const before = work()
    const health = this.looks++ % HEALTH_EVERY === 0 ? await this.health() : null
    const counted = before.inFlight > 0 && kind !== 'command' ? await this.counted() : null
    if (this.stopped) return
    if (this.hasSlept()) void this.ask()
    const now = performance.now()
    const seen = work()
    const { inFlight, lastTokenAt, prefillTokens } = seen
    this.watchLoad(seen, now)
    const [life, verdict] = watchLife(
      this.life,
      { now, inFlight, lastTokenAt, prefillTokens, counted, health },
      timing.life,
    )
    this.life = life
    this.act(verdict)
    this.watchIdle(seen, now)
  }

  /** After a sleep of the machine a GPU may be gone (reference/vllm.md 10.26). */
  private hasSlept(): boolean {
    const before = this.clocks
    this.clocks = this.readClocks()
    return this.clocks.wall - before.wall - (this.clocks.own - before.own) > SLEPT_MS
  }

  private readClocks(): { wall: number; own: number } {
    return { wall: this.options.wallClock(), own: performance.now() }
  }

  private act(verdict: LifeVerdict): void {
    const { listener } = this.options
    if (verdict.is === 'recovered') listener.onRecovered()
    if (verdict.is === 'hung') {
      this.stop()
      listener.onHung(verdict.reason)
    }
    if (verdict.is !== 'ask') return
    if (verdict.reason !== null) listener.onSuspect(verdict.reason)
    void this.ask()
  }

  /** One at a time. */
  private async ask(): Promise<void> {
    if (this.asking || this.stopped) return
    this.asking = true
    const { target, canary, timing } = this.options
    const askedAt = performance.now()
    const answered = await askCanary(target, canary, timing.canaryMs)
    this.asking = false
    if (this.stopped) return
    const [life, verdict] = judgeCanary(this.life, { answered, askedAt, now: performance.now() }, timing.life)
    this.life = life
    this.act(verdict)
  }

  private async health(): Promise<'ok' | 'dead' | 'silent'> {
    const { target, timing, kind } = this.options
    const path = kind === 'command' ? '/v1/models' : '/health'
    const { status } = await getJson(target.port, path, target.key, timing.healthMs)
    if (status === 503 && kind === 'vllm') return 'dead'
    return status === 0 ? 'silent' : 'ok'
  }

  private async counted(): Promise<number | null> {
    const { port, key } = this.options.target
    const answer = await getJson(port, '/metrics', key, METRICS_WITHIN_MS)
    return answer.status === 200 ? countedIn(answer.text) : null
  }

  private watchLoad({ inFlight, limit }: EngineWork, now: number): void {
    if (limit !== null && inFlight >= limit) this.fullAt = now
    const busy = now - this.fullAt < FREE_FOR_MS
    if (busy === this.busy) return
    this.busy = busy
    this.options.listener.onLoad(busy)
  }

  private watchIdle({ inFlight, sent }: EngineWork, now: number): void {
    if (inFlight > 0 || sent !== this.sent) this.workedAt = now
    this.sent = sent
    const { idleMs, listener } = this.options
    if (idleMs !== null && now - this.workedAt >= idleMs) listener.onIdle()
  }
}
