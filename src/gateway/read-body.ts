import type { IncomingMessage } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { DeadlineClock } from '../backends/deadline-clock.ts'
import { type Problem, problem } from '../protocol/errors.ts'
import type { BodyBudget } from './body-budget.ts'
import { tooLarge } from './guards.ts'

export type BodyRead = { ok: true; body: Buffer } | { ok: false; problem: Problem }

/** `silenceMs`: a body must go on arriving within this time. */
export type BodyLimits = { maxBytes: number; contentLength: number | null; silenceMs: number; budget: BodyBudget }

const WORTHWHILE_BYTES = 512
const EMPTY = Buffer.alloc(0)

/**
 * Collects one request's body and hands it on once, unless stopped before. Stops reading at the limit; whoever answers
 * must then close the connection.
 */
export class BodyReader {
  private readonly req: IncomingMessage
  private readonly limits: BodyLimits
  private readonly clock: DeadlineClock
  private readonly onRead: (read: BodyRead) => void
  private first: Buffer = EMPTY
  private more: Buffer[] | null = null
  private bytes = 0
  private bytesAtProgress = 0
  /** Taken from the budget. */
  private held = 0
  private progressAt = performance.now()
  private done = false
  slot = -1

  constructor(req: IncomingMessage, limits: BodyLimits, clock: DeadlineClock, onRead: (read: BodyRead) => void) {
    this.req = req
    this.limits = limits
    this.clock = clock
    this.onRead = onRead
    clock.add(this)
    const { contentLength, budget } = limits
    if (contentLength !== null && !budget.hasRoom(contentLength, contentLength)) {
      this.refuseForRoom()
      return
    }
    req.on('data', (chunk: Buffer) => this.onData(chunk))
    // From here on the parser's bytes come as it finds them; else the first would be queued for a later tick.
    req.read(0)
    // With a length the last byte is known when it comes; only without one the stream must tell.
    if (contentLength === null) req.on('end', () => this.complete())
    else if (contentLength === 0) this.complete()
  }

  /** The client left: nothing is handed on any more. */
  stop(): void {
    this.done = true
    this.clock.remove(this)
  }

  /** The body is needed no more: its share of the budget is free again. */
  release(): void {
    this.limits.budget.give(this.held)
    this.held = 0
  }

  private refuseForRoom(): void {
    this.refuse(problem('overloaded', 'Too many large requests at once.', { retryAfterMs: 1000 }))
  }

  onTick(now: number): void {
    const { silenceMs } = this.limits
    if (now - this.progressAt < silenceMs) return
    this.refuse(problem('request_timeout', `The body stopped arriving for ${silenceMs / 1000} s.`))
  }

  private onData(chunk: Buffer): void {
    if (this.done) return
    this.bytes += chunk.length
    const { maxBytes, contentLength, budget } = this.limits
    if (this.bytes > maxBytes) return this.refuse(tooLarge(maxBytes))
    if (!budget.take(chunk.length, contentLength ?? this.bytes)) return this.refuseForRoom()
    this.held += chunk.length
    if (this.bytes === chunk.length) this.first = chunk
    else if (this.more === null) this.more = [this.first, chunk]
    else this.more.push(chunk)
    // The last byte is here: no need to wait for the stream to say so, a turn of the loop later.
    if (this.bytes === contentLength) return this.complete()
    // One byte at a time must not keep a request alive for ever, so only progress worth the name counts.
    if (this.bytes - this.bytesAtProgress < WORTHWHILE_BYTES) return
    this.bytesAtProgress = this.bytes
    this.progressAt = performance.now()
  }

  private complete(): void {
    this.finish({ ok: true, body: this.more === null ? this.first : Buffer.concat(this.more, this.bytes) })
  }

  private refuse(told: Problem): void {
    this.req.pause()
    this.finish({ ok: false, problem: told })
  }

  private finish(read: BodyRead): void {
    if (this.done) return
    this.done = true
    this.clock.remove(this)
    this.onRead(read)
  }
}
