import { performance } from 'node:perf_hooks'
import type { Transform } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Failure } from '../policy/retry.ts'
import { parseRetryAfter } from '../policy/retry-after.ts'
import { say } from '../protocol/sentence.ts'
import { isJsonObject, judgeAnswer } from '../wire/answer.ts'
import { SseFramer } from '../wire/sse.ts'
import { type Dialect, type StreamFault, StreamJudge } from '../wire/stream-judge.ts'
import type { Usage } from '../wire/usage.ts'
import type { DeadlineClock } from './deadline-clock.ts'
import { decoderFor } from './decode.ts'
import {
  failureFromError,
  invalidFailure,
  type Progress,
  statusFailure,
  timeoutFailure,
  truncatedFailure,
} from './failure.ts'

/** Anything that takes a request the way an undici Client does. */
export type Dispatch = Pick<Dispatcher, 'dispatch'>

export type AttemptRequest = {
  backend: string
  path: string
  /** Names and values in turn. */
  headers: string[]
  body: Buffer
  /** Null: the answer is one JSON document. */
  stream: { dialect: Dialect; hideUsage: boolean; choices: number } | null
  limits: AttemptLimits
}

/** Milliseconds, but for `maxAnswerBytes`. `wholeMs` bounds an answer that is not a stream, `firstEventMs` and `idleMs` a stream. */
export type AttemptLimits = {
  connectMs: number
  wholeMs: number
  firstEventMs: number
  idleMs: number
  totalMs: number
  maxAnswerBytes: number
}

export type WholeAnswer = {
  status: number
  contentType: string
  body: Buffer
  usage: Usage | null
  finish: string | null
}

/** Told what comes of an attempt: either one `onAnswer`, or `onEvents` and one `onEnd`; or, at any point, one `onFailure`. */
export type AttemptSink = {
  onAnswer(answer: WholeAnswer): void
  /** Whole good events, as they came. Returns false to be left alone until `resume()`. */
  onEvents(events: Buffer): boolean
  onEnd(usage: Usage | null, finish: string | null): void
  /** `event`: the backend's own error event, where the stream ended with one. Nothing follows. */
  onFailure(failure: Failure, event: Buffer | null, usage: Usage | null): void
}

/** Who is told how attempts go, whatever their sinks hear: breaker, health and in-flight count hang on it. */
export type AttemptOwner = {
  /** The first good content came. */
  onSuccess(): void
  onFailed(failure: Failure): void
  /** Something came of its answer. */
  onProgress(now: number): void
  /** Once, when the upstream side is over: finished, failed or aborted. */
  onClosed(attempt: Attempt): void
}

const MAX_EVENT_BYTES = 1024 * 1024
const MAX_ERROR_BYTES = 1024 * 1024
/** How long a backend may take to close a stream that has said it is done. */
/** Comments before the first event that are kept for the client. */
const MAX_EARLY = 100
const AFTER_DONE_MS = 1000
const COLON = 0x3a
const DATA = Buffer.from('\ndata:')
const JSON_TYPE = 'application/json'

/**
 * One try at one backend, from connecting to the last byte. Never retries. Ends by itself (one of the sink's three
 * endings) or by `abort()`, after which the sink hears nothing more and the upstream connection is destroyed.
 */
export class Attempt implements Dispatcher.DispatchHandler {
  private readonly request: AttemptRequest
  private readonly sink: AttemptSink
  private readonly owner: AttemptOwner
  private readonly startedAt = performance.now()
  private controller: Dispatcher.DispatchController | null = null
  /** Whether the answer came to its end on the wire, so that its connection is good for another. */
  isComplete = false
  private ended = false
  private closed = false
  /** Its place on the clock. */
  slot = -1
  private readonly clock: DeadlineClock
  /** What carries it, until `onClosed`. */
  readonly dispatch: Dispatch
  private doneAt: number | null = null
  private lastProgress = this.startedAt
  private paused = false
  private status = 0
  private headers: Record<string, string | string[] | undefined> = {}
  private decoder: Transform | null = null
  private collected: Buffer[] = []
  private early: Buffer[] = []
  private collectedBytes = 0
  private framer: SseFramer | null = null
  private judge: StreamJudge | null = null

  constructor(
    request: AttemptRequest,
    sink: AttemptSink,
    owner: AttemptOwner,
    { clock, dispatch }: { clock: DeadlineClock; dispatch: Dispatch },
  ) {
    this.request = request
    this.sink = sink
    this.owner = owner
    this.clock = clock
    this.dispatch = dispatch
    clock.add(this)
  }

  /** Sends it. May end, by its sink, before it returns: keep the attempt first, then start it. */
  start(): void {
    const { path, headers, body } = this.request
    this.dispatch.dispatch({ path, method: 'POST', headers, body, headersTimeout: 0, bodyTimeout: 0 }, this)
  }

  /** Ends it for good, wherever it is. Safe at any time and more than once. */
  abort(): void {
    this.end()
    this.destroy()
  }

  /** The client reads again. */
  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.lastProgress = performance.now()
    this.controller?.resume()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    // It may have been given up while it waited for a connection: then nothing is sent.
    if (this.ended) controller.abort(new Error('given up'))
    else this.lastProgress = performance.now()
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.ended) return
    this.status = status
    this.headers = headers
    const decoder = decoderFor(headers['content-encoding'])
    if (decoder === 'unknown')
      return this.fail(invalidFailure(this.request.backend, say('used an encoding we did not ask for')))
    if (status >= 300 && status < 400)
      return this.fail(invalidFailure(this.request.backend, say`answered with a redirect (${status})`))
    if (decoder !== null) this.decodeThrough(decoder)
    const type = contentType(headers)
    if (status >= 300 || type.startsWith(JSON_TYPE)) return
    if (this.request.stream === null || type !== 'text/event-stream') {
      return this.fail(
        invalidFailure(this.request.backend, say`answered with content type '${type.slice(0, 40) || say('none')}'`),
      )
    }
    this.framer = new SseFramer()
    this.judge = new StreamJudge(this.request.stream.dialect, this.request.stream)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.ended) return
    if (this.decoder !== null) this.decoder.write(chunk)
    else this.onBody(chunk)
  }

  onResponseEnd(): void {
    this.isComplete = true
    if (this.decoder !== null && !this.ended) this.decoder.end()
    else this.onBodyEnd()
    this.close()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(failureFromError(error, this.request.backend, this.progress()))
    this.close()
  }

  private progress(): Progress {
    return { sent: this.controller !== null, headSeen: this.status !== 0 }
  }

  private decodeThrough(decoder: Transform): void {
    this.decoder = decoder
    decoder.on('data', (chunk: Buffer) => this.onBody(chunk))
    decoder.on('end', () => this.onBodyEnd())
    decoder.on('error', () => this.fail(invalidFailure(this.request.backend, say('sent a body that does not decode'))))
  }

  private onBody(chunk: Buffer): void {
    if (this.ended) return
    if (this.framer !== null && this.judge !== null) this.onStream(chunk, this.framer, this.judge)
    else this.collect(chunk)
  }

  private onStream(chunk: Buffer, framer: SseFramer, judge: StreamJudge): void {
    const events = framer.push(chunk)
    if (events === null) {
      if (framer.pending > MAX_EVENT_BYTES)
        this.fail(invalidFailure(this.request.backend, say('sent an event of more than 1 MiB')))
      return
    }
    const hadStarted = judge.hasStarted
    const { send: judged, fault } = judge.judge(events)
    const send = this.withEarly(judged, judge)
    if (judge.hasStarted) {
      // A comment is a sign of life of the server, not of the engine.
      if (events[0] !== COLON || events.includes(DATA)) {
        this.lastProgress = performance.now()
        this.owner.onProgress(this.lastProgress)
      }
      if (!hadStarted) this.owner.onSuccess()
    }
    if (send !== null && !this.sink.onEvents(send) && !judge.isDone) this.pause()
    if (fault !== null) this.failStream(fault, judge)
    else if (judge.isDone) this.endStream(judge, null)
  }

  /** Comments commit nothing: they wait for the first event and go out before it. */
  private withEarly(send: Buffer | null, judge: StreamJudge): Buffer | null {
    if (judge.hasStarted) {
      if (this.early.length === 0) return send
      const all = send === null ? this.early : [...this.early, send]
      this.early = []
      return Buffer.concat(all)
    }
    if (send !== null && this.early.length < MAX_EARLY) this.early.push(send)
    return null
  }

  private endStream(judge: StreamJudge, last: Buffer | null): void {
    if (this.ended) return
    if (last !== null) this.sink.onEvents(last)
    this.ended = true
    this.doneAt = performance.now()
    this.sink.onEnd(judge.usage, judge.finish)
  }

  private collect(chunk: Buffer): void {
    this.collectedBytes += chunk.length
    const { maxAnswerBytes } = this.request.limits
    const most = this.status >= 300 ? Math.min(MAX_ERROR_BYTES, maxAnswerBytes) : maxAnswerBytes
    if (this.collectedBytes > most)
      return this.fail(invalidFailure(this.request.backend, say`sent more than ${most} bytes`))
    this.collected.push(chunk)
  }

  private onBodyEnd(): void {
    if (this.ended) return
    if (this.judge !== null) {
      const { fault, send } = this.judge.end()
      if (fault !== null) this.failStream(fault, this.judge)
      else this.endStream(this.judge, send)
      return
    }
    const body = this.collected.length === 1 ? this.collected[0]! : Buffer.concat(this.collected)
    if (this.status >= 300) this.failStatus(body)
    else this.finishWhole(body)
  }

  private finishWhole(body: Buffer): void {
    const { backend, stream } = this.request
    const verdict = judgeAnswer(body)
    if (verdict.ok) {
      if (stream !== null)
        return this.fail(invalidFailure(backend, say('answered a stream request with one JSON document')))
      this.end()
      this.owner.onSuccess()
      const contentType = header(this.headers, 'content-type') ?? JSON_TYPE
      return this.sink.onAnswer({
        status: this.status,
        contentType,
        body,
        usage: verdict.usage,
        finish: verdict.finish,
      })
    }
    if (verdict.kind === 'invalid') return this.fail(invalidFailure(backend, say('sent JSON that does not parse')))
    if (verdict.kind === 'aborted') return this.fail(truncatedFailure(backend))
    const status = verdict.status ?? 502
    this.fail(statusFailure(backend, { status, retryAfterMs: null, answer: { status, body, contentType: JSON_TYPE } }))
  }

  private failStatus(body: Buffer): void {
    const told = header(this.headers, 'content-type') ?? JSON_TYPE
    const answer =
      contentType(this.headers).endsWith('json') && isJsonObject(body)
        ? { status: this.status, body, contentType: told }
        : null
    const retryAfterMs = parseRetryAfter(this.headers['retry-after'], Date.now())
    const garbledRetryAfter = retryAfterMs === null && this.headers['retry-after'] !== undefined
    this.fail(statusFailure(this.request.backend, { status: this.status, retryAfterMs, garbledRetryAfter, answer }))
  }

  private failStream(fault: StreamFault, judge: StreamJudge): void {
    const { backend } = this.request
    if (fault.kind === 'garbled')
      return this.fail(invalidFailure(backend, say('sent an event that does not parse')), null, judge.usage)
    if (fault.kind !== 'error-event') return this.fail(truncatedFailure(backend), null, judge.usage)
    const status = fault.status ?? 502
    const answer = { status, body: Buffer.from(fault.data), contentType: JSON_TYPE }
    this.fail(statusFailure(backend, { status, retryAfterMs: null, answer }), fault.event, judge.usage)
  }

  private fail(failure: Failure, event: Buffer | null = null, usage: Usage | null = null): void {
    if (this.ended) return
    this.end()
    this.destroy()
    this.owner.onFailed(failure)
    this.sink.onFailure(failure, event, usage)
  }

  private pause(): void {
    this.paused = true
    this.controller?.pause()
  }

  onTick(now: number): void {
    if (this.doneAt !== null) {
      if (now - this.doneAt > AFTER_DONE_MS) this.destroy()
      return
    }
    if (this.nextDeadlineIn(now) > 0) return
    const { backend } = this.request
    if (this.controller === null) {
      return this.fail(timeoutFailure(backend, say('did not accept a connection in time'), 'connect_timeout'))
    }
    this.fail(timeoutFailure(backend, say('took too long to answer')))
  }

  /** Milliseconds until the next deadline that holds in the present phase. */
  private nextDeadlineIn(now: number): number {
    const { connectMs, wholeMs, firstEventMs, idleMs, totalMs } = this.request.limits
    const total = this.startedAt + totalMs - now
    if (this.controller === null) return Math.min(total, this.startedAt + connectMs - now)
    if (this.request.stream === null) return Math.min(total, this.startedAt + wholeMs - now)
    // While the client does not read, the silence is ours and the relay's own limit counts.
    if (this.paused) return total
    const patience = this.judge?.hasStarted ? idleMs : firstEventMs
    return Math.min(total, this.lastProgress + patience - now)
  }

  /** No more news to the sink. */
  private end(): void {
    this.ended = true
  }

  private destroy(): void {
    this.decoder?.destroy()
    this.controller?.abort(new Error('given up'))
    this.close()
  }

  private close(): void {
    if (this.closed) return
    this.closed = true
    this.clock.remove(this)
    this.owner.onClosed(this)
  }
}

function header(headers: Record<string, string | string[] | undefined>, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

function contentType(headers: Record<string, string | string[] | undefined>): string {
  return (header(headers, 'content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
}
