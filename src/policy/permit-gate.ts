import type { Band } from './band-shares.ts'
import { type EngineSample, EngineSense, type MetricsAlarm } from './engine-sense.ts'

/** A request as the gate weighs it, in tokens. */
export type Load = {
  band: Band
  promptTokens: number
  /** Of these, such as the engine's prefix cache does not hold; all where nothing is known. */
  uncachedTokens: number
  /** What answers of this app at this model were like; 0 for embeddings. */
  meanAnswer: number
  sdAnswer: number
  maxTokens: number | null
}

/** The right to be in flight. Plain data, changed by the gate only. */
export type Permit = Load & {
  generated: number
  prefilling: boolean
  /** Nothing else was being prefilled when it began: its first token tells the engine's prefill rate. */
  alone: boolean
  startedAt: number
  /** Its place in the gate's list; -1 once released. */
  index: number
}

export type GateSettings =
  /** A plain number: nothing above it is ever in flight. */
  | { limit: number }
  /** What is known of a vLLM; null: not known, so learned. */
  | {
      limit: 'auto'
      kvTokens: number | null
      maxSequences: number | null
      /** Prompt tokens a millisecond, from probes of an owned engine. */
      prefillRate: number | null
      /** `peak`: how full the cache will get; `sum`: as if all ended at once, calmer where answers are long. */
      kv?: 'peak' | 'sum'
      /** Prompts above this are prefilled one at a time; the engine's long-prefill threshold. */
      longPrompt?: number
    }

export type GateState = {
  inFlight: number
  limit: number
  openLoop: boolean
  alarm: MetricsAlarm | null
  theta: number
  kvTokens: number | null
  prefillRate: number
  prefillBacklog: number
}

/** The share of the KV cache and of the prefill budget that a band may fill (scheduling.md 1.2). */
const HOLD: Record<Band, number> = { high: 1, normal: 0.9, low: 0.8 }
const HOLD_OWED = 0.95
const PREFILL_SHARE: Record<Band, number> = { high: 1, normal: 0.8, low: 0.6 }
const TTFT_TARGET_MS = 1000

/** Half of vLLM's default chunk budget (scheduling.md 1.2). */
const LONG_PROMPT = 1024

/** Left free below max_num_seqs (scheduling.md 1.2). */
const SPARE_SEQUENCES = 2

/** While neither KV size nor sequences are known: between the 16 and 64 of scheduling.md 1.3. [D] */
const BLIND_SEQUENCES = 32
const MOST_SEQUENCES = 4096

/** Tokens a millisecond, before any was measured: a slow card's (section 9, 32B). */
const FIRST_PREFILL_RATE = 2
const SHORTEST_MEASURED_PROMPT = 256

/** The three-budget gate: sequences, KV tokens, prefill backlog, counted here and corrected by metrics. */
export class PermitGate {
  #settings: GateSettings
  readonly #sense = new EngineSense()
  readonly #permits: Permit[] = []
  readonly #prefill: Record<Band, number> = { high: 0, normal: 0, low: 0 }
  #long = 0
  #prefilling = 0
  #streaming = 0
  #progress = 0
  #prefillRate: number
  #keys = new Float64Array(64)

  constructor(settings: GateSettings) {
    this.#settings = settings
    this.#prefillRate = (settings.limit === 'auto' ? settings.prefillRate : null) ?? FIRST_PREFILL_RATE
  }

  /** What is known of the engine has changed: it was started again. */
  configure(settings: GateSettings): void {
    this.#settings = settings
    if (settings.limit === 'auto' && settings.prefillRate !== null) this.#prefillRate = settings.prefillRate
  }

  get inFlight(): number {
    return this.#permits.length
  }

  /** Whether the engine can run it now. O(n log n) of those in flight, only where their sum does not fit anyway. */
  admits(load: Load, owed: boolean): boolean {
    const settings = this.#settings
    const count = this.#permits.length
    if (count >= this.#limit()) return false
    if (settings.limit !== 'auto' || count === 0) return true
    if (!this.#admitsPrefill(load)) return false
    const kvTokens = this.#kvTokens()
    const hold = owed ? HOLD_OWED : HOLD[load.band]
    return kvTokens === null || this.#fits(load, this.#sense.theta * hold * kvTokens, settings.kv ?? 'peak')
  }

  /** Lower bands never block a higher one; one oversized prompt may always start. */
  #admitsPrefill(load: Load): boolean {
    const { band, uncachedTokens } = load
    let backlog = this.#prefill.high
    if (band !== 'high') backlog += this.#prefill.normal
    if (band === 'low') backlog += this.#prefill.low
    const budget = PREFILL_SHARE[band] * TTFT_TARGET_MS * this.#prefillRate
    if (backlog > 0 && backlog + uncachedTokens > budget) return false
    return band === 'high' || this.#long === 0 || uncachedTokens <= this.#longPrompt()
  }

  #fits(load: Load, budget: number, kv: 'peak' | 'sum'): boolean {
    let sum = load.promptTokens + left(load, 0)
    for (const permit of this.#permits) sum += permit.promptTokens + permit.generated + left(permit, permit.generated)
    if (sum <= budget) return true
    return kv === 'peak' && this.#peak(load) <= budget
  }

  /**
   * The fullest that the cache will get: all grow by a token a step and leave when their answer is as long as
   * expected. Sorted by what is left, with the index in the low bits, so that the sort is a plain numeric one.
   */
  #peak(load: Load): number {
    const count = this.#permits.length
    if (this.#keys.length <= count) this.#keys = new Float64Array(2 * count + 2)
    const keys = this.#keys.subarray(0, count + 1)
    let tokens = load.promptTokens
    for (const [i, permit] of this.#permits.entries()) {
      keys[i] = left(permit, permit.generated) * (MOST_SEQUENCES + 1) + i
      tokens += permit.promptTokens + permit.generated
    }
    keys[count] = left(load, 0) * (MOST_SEQUENCES + 1) + count
    keys.sort()
    let peak = 0
    for (let k = 0; k <= count; k++) {
      const steps = Math.floor(keys[k]! / (MOST_SEQUENCES + 1))
      peak = Math.max(peak, tokens + steps * (count + 1 - k))
      const gone = this.#permits[keys[k]! % (MOST_SEQUENCES + 1)] ?? null
      tokens -= gone === null ? load.promptTokens : gone.promptTokens + gone.generated
    }
    return peak
  }

  dispatch(load: Load, now: number): Permit {
    if (this.#permits.length === 0) this.#sense.becomesBusy(now)
    const permit: Permit = {
      ...load,
      generated: 0,
      prefilling: true,
      alone: this.#prefilling === 0,
      startedAt: now,
      index: this.#permits.length,
    }
    // Whoever is being prefilled beside it is not alone either.
    if (this.#prefilling > 0 && this.#settings.limit === 'auto') for (const other of this.#permits) other.alone = false
    this.#permits.push(permit)
    this.#prefill[load.band] += load.uncachedTokens
    this.#prefilling++
    if (load.uncachedTokens > this.#longPrompt()) this.#long++
    this.#progress++
    return permit
  }

  firstToken(permit: Permit, now: number): void {
    if (permit.index === -1 || !permit.prefilling) return
    if (permit.alone && permit.uncachedTokens >= SHORTEST_MEASURED_PROMPT) this.#learnPrefill(permit, now)
    this.prefilled(permit)
  }

  /** Its prefill must be over by now, though no token was seen: an answer that is not a stream. Teaches nothing. */
  prefilled(permit: Permit): void {
    if (permit.index === -1 || !permit.prefilling) return
    this.#endPrefill(permit)
    this.#streaming++
  }

  generated(permit: Permit, tokens: number): void {
    if (permit.index === -1) return
    permit.generated += tokens
    this.#progress += tokens
  }

  /** Finished, failed or aborted; a second time changes nothing. */
  release(permit: Permit): void {
    if (permit.index === -1) return
    if (permit.prefilling) this.#endPrefill(permit)
    else this.#streaming--
    const last = this.#permits.pop()!
    if (last !== permit) {
      this.#permits[permit.index] = last
      last.index = permit.index
    }
    permit.index = -1
    this.#progress++
  }

  /** Every 250 ms while something is in flight; null when the metrics could not be read. */
  sample(sample: EngineSample | null, backlog: boolean, now: number): void {
    if (this.#settings.limit !== 'auto' || this.#permits.length === 0) return
    const own = { inFlight: this.#permits.length, streaming: this.#streaming, progress: this.#progress, backlog }
    this.#sense.see(sample, own, now)
  }

  state(now: number): GateState {
    const auto = this.#settings.limit === 'auto'
    return {
      inFlight: this.#permits.length,
      limit: this.#limit(),
      openLoop: auto && this.#sense.openLoop(now),
      alarm: auto ? this.#sense.alarm : null,
      theta: this.#sense.theta,
      kvTokens: this.#kvTokens(),
      prefillRate: this.#prefillRate,
      prefillBacklog: this.#prefill.high + this.#prefill.normal + this.#prefill.low,
    }
  }

  #limit(): number {
    const settings = this.#settings
    if (settings.limit !== 'auto') return settings.limit
    if (settings.maxSequences !== null) return Math.max(1, settings.maxSequences - SPARE_SEQUENCES)
    // Until the engine has shown its number KV tokens alone bind, and where those are not known either, a guess.
    return Math.min(this.#sense.sequences, this.#kvTokens() === null ? BLIND_SEQUENCES : MOST_SEQUENCES)
  }

  #kvTokens(): number | null {
    return this.#settings.limit === 'auto' ? (this.#settings.kvTokens ?? this.#sense.kvTokens) : null
  }

  #longPrompt(): number {
    return (this.#settings.limit === 'auto' ? this.#settings.longPrompt : undefined) ?? LONG_PROMPT
  }

  #endPrefill(permit: Permit): void {
    permit.prefilling = false
    this.#prefilling--
    this.#prefill[permit.band] -= permit.uncachedTokens
    if (permit.uncachedTokens > this.#longPrompt()) this.#long--
  }

  /** EWMA over lone requests; one sample counts for a fifth, and never for more than doubling or halving. */
  #learnPrefill(permit: Permit, now: number): void {
    const seen = permit.uncachedTokens / Math.max(1, now - permit.startedAt)
    const bounded = Math.min(2 * this.#prefillRate, Math.max(this.#prefillRate / 2, seen))
    this.#prefillRate += 0.2 * (bounded - this.#prefillRate)
  }
}

/** Tokens still to come: the expected length, or a third of the mean once it is passed, within `max_tokens`. */
function left({ meanAnswer, sdAnswer, maxTokens }: Load, generated: number): number {
  const expected = Math.max(meanAnswer + 0.5 * sdAnswer - generated, 0.3 * meanAnswer)
  return Math.floor(Math.min(expected, Math.max(0, (maxTokens ?? Infinity) - generated)))
}
