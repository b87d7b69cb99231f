/** What a vLLM's metrics said at one moment (reference/vllm.md 5). `kvUse` is 0 to 1; `kvTokens` null: not told. */
export type EngineSample = {
  running: number
  waiting: number
  kvUse: number
  preemptions: number
  kvTokens: number | null
}

/** What the gateway itself knows at that moment, to judge the sample by. */
export type OwnView = {
  inFlight: number
  /** Of these, such as have shown a token and are not done: the engine must be running them. */
  streaming: number
  /** Tokens, starts and ends seen so far: while this grows, the engine's figures cannot stand still. */
  progress: number
  /** Whether anybody waits for a permit. */
  backlog: boolean
}

/** Why the metrics are not believed; the gate then goes by its own count. */
export type MetricsAlarm = 'stale' | 'frozen' | 'wrong'

/** scheduling.md 1.2: where the share of the KV cache that may be planned begins and how far it may go. */
const START = 0.92
const FLOOR = 0.5
const WITHOUT_METRICS = 0.75
const HOLD_MS = 2000
const RAISE_EVERY_MS = 500

/** Without a believable sample for this long, while busy, the metrics are given up (scheduling.md 1.2). */
const ALARM_AFTER_MS = 5000

/** Older than this a sample says nothing of now. */
const FRESH_MS = 1000

/** Own events during which an honest engine's figures must have moved. */
const FROZEN_PROGRESS = 200

/**
 * Corrects the gate by the engine's own figures: `theta`, the share of the KV cache to plan with, and where its number
 * of sequences is not known, that too. Figures that are missing, frozen or impossible are not believed, and after 5 s
 * alarm. Fed every 250 ms while busy; times monotonic in ms.
 */
export class EngineSense {
  #theta = START
  #holdUntil = 0
  #raisedAt = 0
  #trustedAt = 0
  #seen = false
  #doubt: MetricsAlarm | null = null
  #alarm: MetricsAlarm | null = null
  #preemptions = 0
  #last: EngineSample | null = null
  #lastProgress = 0
  #waitingSamples = 0
  #highestRunning = 0
  #sequences = Infinity
  #kvTokens: number | null = null

  get theta(): number {
    return this.#theta
  }

  /** Sequences that the engine runs at once, as far as it has shown; Infinity until it has. */
  get sequences(): number {
    return this.#sequences
  }

  get kvTokens(): number | null {
    return this.#kvTokens
  }

  get alarm(): MetricsAlarm | null {
    return this.#alarm
  }

  /** No believable figure of late: only the gate's own count holds. */
  openLoop(now: number): boolean {
    return !this.#seen || now - this.#trustedAt > FRESH_MS
  }

  /** Idle engines are not sampled, so silence counts from here. */
  becomesBusy(now: number): void {
    this.#trustedAt = Math.max(this.#trustedAt, now)
  }

  /** One round while busy; null: the metrics could not be read. */
  see(sample: EngineSample | null, own: OwnView, now: number): void {
    this.#doubt = this.#judge(sample, own)
    if (this.#doubt === null && sample !== null) this.#believe(sample, own, now)
    else if (this.#seen && now - this.#trustedAt > ALARM_AFTER_MS) this.#giveUp()
  }

  #judge(sample: EngineSample | null, own: OwnView): MetricsAlarm | null {
    if (sample === null) return 'stale'
    const figures = [sample.running, sample.waiting, sample.kvUse, sample.preemptions]
    if (figures.some((figure) => !Number.isFinite(figure) || figure < 0) || sample.kvUse > 1.01) return 'wrong'
    if (sample.running + sample.waiting < own.streaming / 2) return 'wrong'
    if (this.#last === null || !same(this.#last, sample)) {
      this.#last = sample
      this.#lastProgress = own.progress
      return null
    }
    return own.progress - this.#lastProgress > FROZEN_PROGRESS ? 'frozen' : null
  }

  #giveUp(): void {
    this.#alarm = this.#doubt
    this.#theta = Math.min(this.#theta, WITHOUT_METRICS)
    this.#sequences = Infinity
    this.#waitingSamples = 0
  }

  #believe(sample: EngineSample, own: OwnView, now: number): void {
    if (!this.#seen) this.#preemptions = sample.preemptions
    this.#seen = true
    this.#alarm = null
    this.#trustedAt = now
    if (sample.kvTokens !== null && sample.kvTokens > 0) this.#kvTokens = sample.kvTokens
    this.#learnSequences(sample, own, now)
    this.#steer(sample, own, now)
    // A counter that fell is an engine that was restarted.
    this.#preemptions = sample.preemptions
  }

  #steer(sample: EngineSample, own: OwnView, now: number): void {
    if (sample.preemptions > this.#preemptions) this.#lower(0.03, now)
    else if (sample.waiting > 2) this.#lower(0.01, now)
    else if (own.backlog && sample.waiting === 0 && sample.kvUse < this.#theta - 0.08) this.#raise(now)
  }

  #lower(step: number, now: number): void {
    this.#theta = Math.max(FLOOR, this.#theta - step)
    this.#holdUntil = now + HOLD_MS
  }

  #raise(now: number): void {
    if (now < this.#holdUntil || now - this.#raisedAt < RAISE_EVERY_MS) return
    this.#theta = Math.min(START, this.#theta + 0.01)
    this.#raisedAt = now
  }

  /**
   * An engine in whose own queue two samples in a row found somebody runs all it can: the highest `running` seen is
   * its number. One sample may have caught a burst on its way in. The number is tried one higher while nobody waits
   * there, or a burst on an idle engine would bind it for ever.
   */
  #learnSequences(sample: EngineSample, own: OwnView, now: number): void {
    this.#waitingSamples = sample.waiting > 0 ? this.#waitingSamples + 1 : 0
    this.#highestRunning = Math.max(this.#highestRunning, sample.running)
    if (this.#waitingSamples >= 2) {
      this.#sequences = Math.max(1, this.#highestRunning)
      this.#holdUntil = Math.max(this.#holdUntil, now + HOLD_MS)
    } else if (own.backlog && sample.waiting === 0 && own.inFlight >= this.#sequences && now >= this.#holdUntil) {
      this.#sequences++
      this.#holdUntil = now + RAISE_EVERY_MS
    }
  }
}

function same(a: EngineSample, b: EngineSample): boolean {
  return a.running === b.running && a.waiting === b.waiting && a.kvUse === b.kvUse && a.preemptions === b.preemptions
}
