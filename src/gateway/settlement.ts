import type { Outcome, OutcomeKind } from '../telemetry/outcome.ts'
import type { Usage } from '../wire/usage.ts'

/** What is known of a request before it ends. */
export type Facts = Pick<Outcome, 'reqId' | 'user' | 'keyId' | 'app' | 'address' | 'remote' | 'task' | 'endpoint'>

/** How it ended. The first ending counts; whatever comes later (finish, close, error, abort, timeout) is an echo. */
export type Ending = { outcome: OutcomeKind; status: number; error: string | null; usage?: Usage | null }

/**
 * The one account of one request: gathers what happens on the way and closes exactly once, whatever the order of
 * events. Slots, counters and the request log all hang on this single closing, so none of them can leak.
 */
export class Settlement {
  private readonly facts: Facts
  private readonly onSettled: (outcome: Outcome) => void
  readonly startedAt: number
  private readonly retries: Outcome['retries'] = []
  private readonly fallbacks: Outcome['fallbacks'] = []
  private firstTokenAt: number | null = null
  private awaySince: number | null = null
  private awayMs = 0
  private settled = false
  model = 'other'
  stream = false
  backend: string | null = null
  user: string | null = null
  /** The band it waited in; null: it never asked for a turn. */
  band: string | null = null
  queueMs = 0
  /** Why the model stopped. */
  finish: string | null = null
  /** Of the body; null: it was not read. */
  requestBytes: number | null = null
  /** Of a backend's answer, as far as the client was handed it. */
  answerBytes = 0
  /** Which of the caller's limits refused it. */
  limit: string | null = null

  /** `now` is a monotonic clock in milliseconds, here and below. */
  constructor(facts: Facts, now: number, onSettled: (outcome: Outcome) => void) {
    this.facts = facts
    this.user = facts.user
    this.startedAt = now
    this.onSettled = onSettled
  }

  /** The program that asks. */
  get app(): string | null {
    return this.facts.app
  }

  get isSettled(): boolean {
    return this.settled
  }

  /** Handed to a backend, or waiting to be. */
  leave(now: number): void {
    this.awaySince ??= now
  }

  /** Back in our hands. */
  comeBack(now: number): void {
    if (this.awaySince === null) return
    this.awayMs += now - this.awaySince
    this.awaySince = null
  }

  retried(backend: string, reason: string, now: number): void {
    if (this.settled) return
    this.retries.push({ backend, reason, afterMs: now - this.startedAt })
  }

  fellBack(from: string, to: string): void {
    if (this.settled) return
    this.fallbacks.push({ from, to })
  }

  firstToken(now: number): void {
    this.firstTokenAt ??= now
  }

  waited(ms: number): void {
    if (!this.settled) this.queueMs += ms
  }

  /** Closes the account; false when it was closed before. */
  settle(ending: Ending, now: number): boolean {
    if (this.settled) return false
    this.settled = true
    this.comeBack(now)
    this.onSettled({
      reqId: this.facts.reqId,
      user: this.user,
      keyId: this.facts.keyId,
      app: this.facts.app,
      address: this.facts.address,
      remote: this.facts.remote,
      task: this.facts.task,
      endpoint: this.facts.endpoint,
      model: this.model,
      backend: this.backend,
      stream: this.stream,
      status: ending.status,
      outcome: ending.outcome,
      error: ending.error,
      retries: this.retries,
      fallbacks: this.fallbacks,
      band: this.band,
      queueMs: this.queueMs,
      ttftMs: this.firstTokenAt === null ? null : this.firstTokenAt - this.startedAt,
      latencyMs: now - this.startedAt,
      awayMs: this.awayMs,
      usage: ending.usage ?? null,
      finish: this.finish,
      requestBytes: this.requestBytes,
      answerBytes: this.answerBytes === 0 ? null : this.answerBytes,
      ...(this.limit === null ? {} : { limit: this.limit }),
    })
    return true
  }
}
