import type { Band } from '../../src/policy/band-shares.ts'
import { FairQueue, type QueueLimits, weightedCost } from '../../src/policy/fair-queue.ts'
import type { Waiter } from '../../src/policy/flows.ts'
import { type GateSettings, type Load, type Permit, PermitGate } from '../../src/policy/permit-gate.ts'
import { type AnswerLengths, learnAnswer, newAnswerLengths } from '../../src/policy/token-estimate.ts'
import type { Engine } from './engine.ts'

/** One simulated request. Times in virtual ms; NaN until they are. */
export type Job = {
  user: string
  band: Band
  app: string
  weight: number
  prompt: number
  /** What the estimator makes of the prompt. */
  promptEstimate: number
  /** Of these, what the gateway takes for cached. */
  cachedEstimate: number
  answer: number
  maxTokens: number
  arrivedAt: number
  /** How long it would wait, as predicted on arrival; null: nothing was known. */
  predictedWaitMs: number | null
  dispatchedAt: number
  firstTokenAt: number
  endedAt: number
  lost: boolean
}

/** Decides when a job goes to the engine. Driven by the world, in virtual time. */
export type SimPolicy = {
  arrive(job: Job, now: number): void
  firstToken(job: Job, now: number): void
  token(job: Job): void
  end(job: Job, now: number): void
  /** The jobs to dispatch now. */
  pump(now: number): Job[]
  sample(engine: Engine, now: number): void
  waiting(): number
}

/** How long a request may wait, by band (scheduling.md 1.2). */
export const TTL_MS: Record<Band, number> = { high: 30_000, normal: 60_000, low: 600_000 }

export type LexoraOptions = {
  gate: GateSettings
  limits?: Partial<QueueLimits>
  fifoUsers?: boolean
  patient?: boolean
}

/** The production code: queue, gate and answer lengths as the admission controller joins them. */
export class Lexora implements SimPolicy {
  readonly queue: FairQueue<Job>
  readonly gate: PermitGate
  readonly #fifoUsers: boolean
  /** Nobody's time runs out: saturation must not choose what fits. */
  readonly #patient: boolean
  readonly #lengths = new Map<string, AnswerLengths>()
  readonly #model = newAnswerLengths()
  readonly #running = new Map<Job, { permit: Permit; waiter: Waiter<Job> }>()

  constructor({ gate, limits, fifoUsers = false, patient = false }: LexoraOptions) {
    this.queue = new FairQueue({ perBand: 512, ...limits })
    this.gate = new PermitGate(gate)
    this.#fifoUsers = fifoUsers
    this.#patient = patient
  }

  arrive(job: Job, now: number): void {
    const { mean } = this.#lengthsOf(job)
    const cost = weightedCost(job.promptEstimate, Math.min(mean, job.maxTokens))
    const { user, app } = this.#fifoUsers ? { user: '', app: '' } : job
    job.predictedWaitMs = this.queue.predictWaitMs({ ...job, user, app }, now)
    const deadline = this.#patient ? Infinity : now + TTL_MS[job.band]
    const result = this.queue.enqueue(
      { value: job, band: job.band, user, app, weight: job.weight, cost, bytes: job.prompt * 4, deadline },
      now,
    )
    if (!result.ok) job.lost = true
  }

  pump(now: number): Job[] {
    for (const { value } of this.queue.expire(now)) value.lost = true
    const jobs: Job[] = []
    for (;;) {
      const next = this.queue.next(now, ({ value }, owed) => this.gate.admits(this.#loadOf(value), owed))
      if (next === null) return jobs
      this.#running.set(next.value, { permit: this.gate.dispatch(this.#loadOf(next.value), now), waiter: next })
      jobs.push(next.value)
    }
  }

  firstToken(job: Job, now: number): void {
    this.gate.firstToken(this.#running.get(job)!.permit, now)
  }

  token(job: Job): void {
    this.gate.generated(this.#running.get(job)!.permit, 1)
  }

  end(job: Job, now: number): void {
    const { permit, waiter } = this.#running.get(job)!
    this.#running.delete(job)
    this.gate.release(permit)
    this.queue.settle(waiter, weightedCost(job.prompt, job.answer), now)
    learnAnswer(this.#lengthsOf(job), job.answer)
    learnAnswer(this.#model, job.answer)
  }

  sample(engine: Engine, now: number): void {
    const { running, waiting, kvUse, preemptions } = engine
    this.gate.sample({ running, waiting, kvUse, preemptions, kvTokens: null }, this.queue.size > 0, now)
  }

  waiting(): number {
    return this.queue.size
  }

  #lengthsOf({ app, user }: Job): AnswerLengths {
    const key = `${user} ${app}`
    let lengths = this.#lengths.get(key)
    if (lengths === undefined) {
      lengths = newAnswerLengths(this.#model)
      this.#lengths.set(key, lengths)
    }
    return lengths
  }

  #loadOf(job: Job): Load {
    const { mean, variance } = this.#lengthsOf(job)
    return {
      band: job.band,
      promptTokens: job.promptEstimate,
      uncachedTokens: job.promptEstimate - job.cachedEstimate,
      meanAnswer: mean,
      sdAnswer: Math.sqrt(variance),
      maxTokens: job.maxTokens,
    }
  }
}

/** What others do: `rank` orders those that wait, and at most `limit` are in flight. */
export class Ranked implements SimPolicy {
  readonly #limit: number
  readonly #rank: (job: Job) => number
  readonly #expires: boolean
  readonly #waiting: Job[] = []
  #inFlight = 0

  constructor(limit: number, rank: (job: Job) => number, expires = true) {
    this.#limit = limit
    this.#rank = rank
    this.#expires = expires
  }

  arrive(job: Job): void {
    const flow = this.#waiting.filter(({ user }) => user === job.user).length
    if (this.#expires && flow >= 64) job.lost = true
    else this.#waiting.push(job)
  }

  pump(now: number): Job[] {
    if (this.#expires) this.#expire(now)
    const jobs: Job[] = []
    while (this.#inFlight < this.#limit && this.#waiting.length > 0) {
      let first = 0
      if (this.#limit !== Infinity) {
        for (let i = 1; i < this.#waiting.length; i++)
          if (this.#rank(this.#waiting[i]!) < this.#rank(this.#waiting[first]!)) first = i
      }
      const [job] = this.#waiting.splice(first, 1)
      jobs.push(job!)
      this.#inFlight++
    }
    return jobs
  }

  #expire(now: number): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const job = this.#waiting[i]!
      if (now - job.arrivedAt < TTL_MS[job.band]) continue
      job.lost = true
      this.#waiting.splice(i, 1)
    }
  }

  firstToken(): void {}
  token(): void {}

  end(): void {
    this.#inFlight--
  }

  sample(): void {}

  waiting(): number {
    return this.#waiting.length
  }
}
