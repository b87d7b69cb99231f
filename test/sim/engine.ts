import { CONSTANTS, type EngineModel, type Flags } from './constants.ts'

/** One request inside the engine. */
export type Sequence = {
  prompt: number
  /** Tokens that it will answer with. */
  answer: number
  /** Lower first, where the engine schedules by it. */
  priority: number
  generated: number
  /** Tokens whose KV lies in the cache. */
  computed: number
  blocks: number
  /** How many tokens of the prompt the prefix cache holds; asked, as a vLLM does, when its turn comes. */
  lookUp?: () => number
  onFirstToken: () => void
  onToken: () => void
  onEnd: () => void
}

/**
 * A vLLM as scheduling.md 9 models it: running first in list order, a token or a prefill chunk each; then waiting ones
 * while sequences, chunk budget and whole-prompt KV fit; none in a step with preemption; the last running is the
 * victim (by priority: the last of the least important) and is recomputed; 16-token blocks; no prefix cache but `lookUp`.
 */
export class Engine {
  readonly model: EngineModel
  readonly #flags: Flags
  readonly #byPriority: boolean
  readonly #running: Sequence[] = []
  #waiting: Sequence[] = []
  #freeBlocks: number
  readonly #blocks: number
  #scheduled: { sequence: Sequence; tokens: number }[] = []
  preemptions = 0
  /** Tokens answered. */
  output = 0

  constructor(model: EngineModel, flags: Flags, byPriority = false) {
    this.model = model
    this.#flags = flags
    this.#byPriority = byPriority
    this.#blocks = Math.floor(model.kvTokens / CONSTANTS.blockTokens)
    this.#freeBlocks = this.#blocks
  }

  get running(): number {
    return this.#running.length
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get kvUse(): number {
    return 1 - this.#freeBlocks / this.#blocks
  }

  add(sequence: Sequence): void {
    const at = this.#byPriority ? this.#waiting.findIndex(({ priority }) => priority > sequence.priority) : -1
    if (at === -1) this.#waiting.push(sequence)
    else this.#waiting.splice(at, 0, sequence)
  }

  /** Plans the next step; how long it takes in ms, or null when there is nothing to do. */
  begin(): number | null {
    let budget = this.#flags.batchedTokens
    let preempted = false
    this.#scheduled = []
    for (const sequence of [...this.#running]) {
      // Without blocks it is a victim by now.
      if (budget <= 0 || sequence.blocks === 0) continue
      const tokens = this.#chunk(sequence, budget)
      while (sequence.blocks > 0 && !this.#grow(sequence, tokens)) {
        preempted = true
        this.#preemptLast()
      }
      if (sequence.blocks === 0) continue
      this.#schedule(sequence, tokens)
      budget -= tokens
    }
    if (!preempted) this.#admit(budget)
    return this.#scheduled.length === 0 ? null : this.#duration()
  }

  /** The step is over: tokens come out. */
  end(): void {
    const scheduled = this.#scheduled
    this.#scheduled = []
    for (const { sequence, tokens } of scheduled) {
      sequence.computed += tokens
      if (sequence.computed < sequence.prompt + sequence.generated) continue
      sequence.generated++
      this.output++
      if (sequence.generated === 1) sequence.onFirstToken()
      sequence.onToken()
      if (sequence.generated >= sequence.answer) this.#finish(sequence)
    }
  }

  #admit(left: number): void {
    let budget = left
    while (this.#waiting.length > 0 && this.#running.length < CONSTANTS.maxSequences && budget > 0) {
      const sequence = this.#waiting[0]!
      if (blocksFor(sequence.prompt + sequence.generated) > this.#freeBlocks) return
      this.#waiting.shift()
      this.#running.push(sequence)
      sequence.computed = sequence.lookUp?.() ?? 0
      const tokens = this.#chunk(sequence, budget)
      this.#grow(sequence, tokens)
      this.#schedule(sequence, tokens)
      budget -= tokens
    }
  }

  #chunk(sequence: Sequence, budget: number): number {
    const needed = sequence.prompt + sequence.generated - sequence.computed
    return Math.min(needed, budget, this.#flags.longPrompt || Infinity)
  }

  #schedule(sequence: Sequence, tokens: number): void {
    this.#scheduled.push({ sequence, tokens })
  }

  #grow(sequence: Sequence, tokens: number): boolean {
    const more = blocksFor(sequence.computed + tokens) - sequence.blocks
    if (more > this.#freeBlocks) return false
    this.#freeBlocks -= more
    sequence.blocks += more
    return true
  }

  #victimAt(): number {
    let last = this.#running.length - 1
    if (!this.#byPriority) return last
    for (let i = last - 1; i >= 0; i--) if (this.#running[i]!.priority > this.#running[last]!.priority) last = i
    return last
  }

  #preemptLast(): void {
    const victim = this.#running.splice(this.#victimAt(), 1)[0]!
    const at = this.#scheduled.findIndex(({ sequence }) => sequence === victim)
    if (at !== -1) this.#scheduled.splice(at, 1)
    this.#freeBlocks += victim.blocks
    victim.blocks = 0
    victim.computed = 0
    this.preemptions++
    // First of those of its own priority.
    const before = this.#byPriority ? this.#waiting.findIndex(({ priority }) => priority >= victim.priority) : 0
    this.#waiting.splice(before === -1 ? this.#waiting.length : before, 0, victim)
  }

  #finish(sequence: Sequence): void {
    this.#running.splice(this.#running.indexOf(sequence), 1)
    this.#freeBlocks += sequence.blocks
    sequence.blocks = 0
    sequence.onEnd()
  }

  #duration(): number {
    let [read, prefill] = [0, 0]
    for (const { sequence, tokens } of this.#scheduled) {
      read += sequence.computed + tokens
      if (sequence.generated === 0 || tokens > 1) prefill += tokens
    }
    const { base, perSequence, perKvToken, perPrefillToken } = this.model
    return base + perSequence * this.#scheduled.length + perKvToken * read + perPrefillToken * prefill
  }
}

/** What two probe prompts of 1k and 4k tokens would tell: prompt tokens a millisecond. */
export function probedPrefillRate({ base, perKvToken, perPrefillToken }: EngineModel, flags: Flags): number {
  const chunk = Math.min(flags.batchedTokens, flags.longPrompt || Infinity)
  return chunk / (base + perPrefillToken * chunk + perKvToken * 2500)
}

const blocksFor = (tokens: number): number => Math.ceil(tokens / CONSTANTS.blockTokens)
