import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { Attempt, AttemptLimits, AttemptSink, WholeAnswer } from '../backends/attempt.ts'
import type { Backend } from '../backends/backend.ts'
import type { BackendRegistry } from '../backends/registry.ts'
import type { Band } from '../policy/band-shares.ts'
import type { Failure, RetryPolicy } from '../policy/retry.ts'
import { countRequest, type RetryBudget, takeRetry } from '../policy/retry-budget.ts'
import { type Candidate, planRoute, type RouteTable } from '../policy/route.ts'
import type { Endpoint } from '../protocol/endpoints.ts'
import { type Problem, problem, retryAfterSeconds, statusOf } from '../protocol/errors.ts'
import { say } from '../protocol/sentence.ts'
import type { RequestView } from '../protocol/snapshot.ts'
import type { Capture, CaptureSubject, Captures } from '../telemetry/captures.ts'
import type { Principal } from '../users/api-key.ts'
import type { Dialect } from '../wire/stream-judge.ts'
import type { Usage } from '../wire/usage.ts'
import type { AdmissionController, Admitted, UserRules } from './admission-controller.ts'
import type { BodyBudget } from './body-budget.ts'
import { ClientStream } from './client-stream.ts'
import { errorEvent, internalError, sendError, shuttingDown } from './error-response.ts'
import { type InferenceRequest, parseInferenceRequest } from './inference-request.ts'
import type { Outbox, Ready } from './outbox.ts'
import type { Queues } from './queues.ts'
import { BodyReader } from './read-body.ts'
import type { RequestHead } from './request-head.ts'
import type { Settlement } from './settlement.ts'
import { Trials } from './trials.ts'
import { type Patience, Turn, type TurnOwner } from './turn.ts'
import { turnFacts } from './turn-facts.ts'

/** Milliseconds and bytes. */
export type ExchangeLimits = {
  maxBodyBytes: number
  bodySilenceMs: number
  maxAnswerBytes: number
  firstByteMs: number
  idleMs: number
  totalMs: number
  nonStreamMs: number
  keepAliveAfterMs: number
  /** How long a request may wait for its turn, where it does not say less. */
  queueMs: number
}

export type ExchangeOptions = {
  registry: BackendRegistry
  routes: RouteTable
  retry: RetryPolicy & { budget: number }
  budget: RetryBudget
  limits: ExchangeLimits
  admission: AdmissionController
  queues: Queues
  /** What an engine that schedules by priority is told, by band. */
  priorities: Readonly<Record<Band, number>>
  bodies: BodyBudget
  outbox: Outbox
  captures: Captures
  /** A fault of ours, for the log. */
  onFault: (error: unknown, requestId: string) => void
  chance: () => number
}

/** How an engine's end looks from here. */
const ENGINE_GONE = new Set<Failure['kind']>(['unreachable', 'lost'])
/** Its supervisor sees the same a moment later: so often it is asked, and so long at most. */
const ENGINE_LOOK_MS = 100
const ENGINE_NOTICED_MS = 5000
/** It will not come: who may go elsewhere does. */
const ENGINE_ABSENT = new Set(['engine_failed', 'no_backend'])

const DIALECTS: Partial<Record<Endpoint['kind'], Dialect>> = {
  chat: 'chunks',
  completions: 'chunks',
  responses: 'responses',
  messages: 'messages',
}

/**
 * The story of one managed request: read, route, attempt (and again, or elsewhere, while the client has seen nothing),
 * relay, settle. A client that leaves ends it at once, wherever it is. The common case, one attempt that succeeds, runs
 * without a promise: it is the path whose cost every request pays.
 */
export class Exchange implements AttemptSink, TurnOwner, Ready {
  private readonly options: ExchangeOptions
  private readonly req: IncomingMessage
  private readonly res: ServerResponse
  private readonly head: RequestHead
  private readonly endpoint: Endpoint
  private readonly settlement: Settlement
  private readonly client: ClientStream
  private readonly requestId: string
  private readonly principal: Principal
  /** What it holds of its caller's limits. */
  private admitted: Admitted | null = null
  private reader: BodyReader | null = null
  private turn: Turn | null = null
  /** Said in a header where the caller may not have the band it asked for. */
  private clampedTo: string | null = null
  private band: Band = 'normal'
  private request!: InferenceRequest
  private current!: Candidate
  private attempts = 0
  /** Its place in the list of what is in flight. */
  slot = -1
  private attempt: Attempt | null = null
  /** Set once content went out: from then on the answer is the client's and nothing is tried again. */
  private committed = false
  private gone = false
  /** Null unless an operator wants to know what is said. */
  private capture: Capture | null = null
  /** A whole answer that is to leave. */
  private answer: Buffer | null = null
  /** The wait before the next try. */
  private pause: NodeJS.Timeout | null = null
  private readonly trials: Trials
  private waitedMs = 0
  /** Until then its engine is thought to be gone, though it says that it serves. */
  private doubtUntil = 0

  constructor(
    options: ExchangeOptions,
    parts: {
      req: IncomingMessage
      res: ServerResponse
      head: RequestHead
      endpoint: Endpoint
      settlement: Settlement
      requestId: string
      principal: Principal
    },
  ) {
    this.options = options
    this.req = parts.req
    this.res = parts.res
    this.head = parts.head
    this.endpoint = parts.endpoint
    this.settlement = parts.settlement
    this.requestId = parts.requestId
    this.principal = parts.principal
    this.trials = new Trials(options.registry, options.retry)
    this.client = new ClientStream(parts.res, options.limits.idleMs, options.registry.clock, () =>
      this.attempt?.resume(),
    )
    parts.res.on('close', () => this.onClose())
  }

  /** Begins. From here on it ends by itself, and its settlement tells when. */
  start(): void {
    const { limits: bounds, bodies } = this.options
    const { contentLength } = this.head
    const limits = { maxBytes: bounds.maxBodyBytes, contentLength, silenceMs: bounds.bodySilenceMs, budget: bodies }
    this.reader = new BodyReader(this.req, limits, this.options.registry.clock, (read) => {
      if (!read.ok) this.refuse(read.problem, true)
      else this.guarded(() => this.onBody(read.body))
    })
  }

  private onBody(body: Buffer): void {
    this.settlement.requestBytes = body.length
    const parsed = parseInferenceRequest(body, this.head, this.endpoint)
    if (!parsed.ok) return this.refuse(parsed.problem)
    this.request = parsed.request
    this.settlement.stream = parsed.request.stream
    this.settlement.user ??= parsed.request.user
    this.capture = this.options.captures.begin(() => this.subject(body), this.settlement.user)
    const { registry, routes, budget, limits } = this.options
    const now = performance.now()
    const route = planRoute(this.asked(parsed.request), registry.views(now), routes)
    if (!route.ok) return this.refuse(route.problem)
    this.settlement.model = this.knownModel(route.model)
    this.trials.begin(route.candidates)
    this.current = route.candidates[0]!
    if (!this.takeLimits(parsed.request, route.model, now)) return
    countRequest(budget, now)
    if (this.request.stream) {
      const describe = (): string => this.turn?.describe() ?? 'waiting'
      this.client.startKeepAlive(limits.keepAliveAfterMs, () => this.openStream(), describe)
    }
    if (!this.endpoint.queued) return this.tryCurrent(now)
    this.turn = this.prepareTurn(parsed.request, this.admitted!)
    if (route.candidates.length > 1) this.current = this.turn.choose(this.trials.firsts(), now)
    this.askTurn(now)
  }

  private subject(body: Buffer): CaptureSubject {
    const { requestId: id, endpoint, settlement, req } = this
    return { id, user: settlement.user, endpoint: endpoint.path, headers: req.headers, body }
  }

  private asked({ model, user }: InferenceRequest) {
    const { principal, head } = this
    const unit = head.session ?? principal.user ?? user ?? principal.keyId ?? this.requestId
    return { model, task: head.task, unit, allowRemote: this.options.admission.rulesOf(principal, user).allowRemote }
  }

  private prepareTurn(request: InferenceRequest, admitted: Admitted): Turn {
    const { principal, requestId, head, settlement } = this
    const rules = this.options.admission.rulesOf(principal, request.user)
    const facts = turnFacts({ principal, requestId, head, request, rules, admitted, named: settlement.user })
    if (facts.band !== request.band) this.clampedTo = facts.band
    settlement.band = facts.band
    this.band = facts.band
    return new Turn(this.options.queues, facts, this)
  }

  /** Asks for a permit at the current backend, or where there is room at least to wait. */
  private askTurn(now: number): void {
    if (this.isOver()) return
    const { turn } = this
    if (turn === null) return this.tryCurrent(now)
    for (;;) {
      const told = turn.ask(this.current, this.patience(now), now)
      if (told === null) return
      this.trials.note(this.current.backend)
      const next = this.trials.elsewhere(now)
      if (next === undefined) return this.refuse(told)
      this.goTo(next)
    }
  }

  private goTo(next: Candidate): void {
    if (next.role === 'fallback') this.settlement.fellBack(this.current.backend, next.backend)
    this.current = next
  }

  /** How long it may wait for its turn. */
  private patience(now: number): Patience {
    const engineMs = this.remainingMs(now)
    return { queueMs: Math.min(this.options.limits.queueMs - this.settlement.queueMs, engineMs), engineMs }
  }

  onTurn(waitedMs: number): void {
    this.settlement.waited(waitedMs)
    this.waitedMs += waitedMs
    this.guarded(() => this.run(waitedMs))
  }

  onRefused(told: Problem, waitedMs: number): void {
    this.settlement.waited(waitedMs)
    if (ENGINE_ABSENT.has(told.code)) {
      const now = performance.now()
      this.trials.note(this.current.backend)
      const next = this.trials.elsewhere(now)
      if (next !== undefined) {
        this.goTo(next)
        return this.guarded(() => this.askTurn(now))
      }
    }
    this.refuse(told)
  }

  /** Its backend may have failed others while it waited: then it goes where one is well. */
  private run(waitedMs: number): void {
    const now = performance.now()
    const { backend } = this.current
    if (waitedMs > 0 && !this.options.registry.get(backend)!.viewAt(now).usable) {
      this.trials.note(backend)
      const next = this.trials.elsewhere(now)
      if (next !== undefined) {
        this.turn?.end(null, false, false, now)
        this.goTo(next)
        return this.askTurn(now)
      }
    }
    const loading = this.options.registry.get(backend)!.engine?.prepare(this.current.model ?? '') ?? null
    if (loading === null) return this.tryCurrent(now)
    void loading.then((problem) => this.guarded(() => this.prepared(problem)))
  }

  /** The adapter that it asks for is there, or cannot be had. */
  private prepared(problem: Problem | null): void {
    const now = performance.now()
    if (problem === null || this.isOver()) return this.tryCurrent(now)
    this.turn?.end(null, false, false, now)
    this.refuse(problem)
  }

  /** Admission by the caller's own limits, in one synchronous step; false when it was refused. */
  private takeLimits({ body, user, maxTokens, choices }: InferenceRequest, model: string, now: number): boolean {
    const { generates } = this.endpoint
    const foreseen = { body, model: this.settlement.model, app: this.settlement.app ?? '', generates, choices }
    const asking = { principal: this.principal, named: user, model, foreseen, maxTokens }
    const result = this.options.admission.admit(asking, now)
    if (result.ok) {
      this.admitted = result.admitted
      return true
    }
    this.settlement.limit = result.limit
    this.refuse(result.problem, false, result.headers)
    return false
  }

  /** Lexora stops and its patience is over: ends the request with a true error wherever it is. */
  shutDown(): void {
    this.attempt?.abort()
    if (this.pause !== null) clearTimeout(this.pause)
    if (this.committed) this.breakStream(shuttingDown(), null, null)
    else this.refuse(shuttingDown())
  }

  /** The operator ends it. False when it is over already. */
  cancel(): boolean {
    // Not a 503: client libraries would send it again at once.
    return this.end(problem('permission_denied', say('The operator of this Lexora cancelled the request.')))
  }

  /** Ends it wherever it is, and tells its client why. False when it is over already. */
  end(told: Problem): boolean {
    if (this.isOver()) return false
    this.attempt?.abort()
    if (this.pause !== null) clearTimeout(this.pause)
    if (this.committed) this.breakStream(told, null, null)
    else this.refuse(told)
    return true
  }

  get id(): string {
    return this.requestId
  }

  get keyId(): string | null {
    return this.principal.keyId
  }

  get socket(): Socket {
    return this.req.socket
  }

  /** For faces: how it stands, and what its caller may. */
  standing(): { view: RequestView; rules: UserRules } {
    const named = this.request?.user ?? null
    return { view: this.view(performance.now()), rules: this.options.admission.rulesOf(this.principal, named) }
  }

  /** For faces. */
  view(now: number): RequestView {
    const known = !this.trials.isEmpty
    const phase = this.phase()
    const isTrying = phase === 'prefill' || phase === 'decode'
    return {
      id: this.requestId,
      phase,
      user: this.settlement.user,
      app: this.settlement.app,
      endpoint: this.endpoint.path,
      stream: this.settlement.stream,
      model: known ? this.settlement.model : null,
      backend: this.settlement.backend,
      attempts: this.attempts,
      mostAttempts: this.attempts + (isTrying ? 0 : 1) + this.trials.retriesLeft,
      ageMs: Math.round(now - this.settlement.startedAt),
      tokens: this.turn?.tokens ?? null,
    }
  }

  private phase(): RequestView['phase'] {
    if (this.trials.isEmpty) return 'reading'
    if (this.committed) return 'decode'
    if (this.pause !== null) return 'backoff'
    return this.turn?.isWaiting ? 'queued' : 'prefill'
  }

  onAnswer({ status, contentType, body, usage, finish }: WholeAnswer): void {
    this.committed = true
    const now = performance.now()
    const headers = this.answerHeaders(contentType, now)
    headers.push('content-length', String(body.length))
    this.res.writeHead(status, headers)
    this.answer = body
    this.capture?.answered(body)
    this.options.outbox.put(this)
    this.settlement.finish = finish
    this.settlement.answerBytes = body.length
    this.settle('ok', status, null, usage, now)
  }

  /** The outbox: now. */
  send(): void {
    const { answer } = this
    this.answer = null
    if (answer !== null && !this.gone) this.client.end(answer)
  }

  onEvents(events: Buffer): boolean {
    if (!this.committed) {
      this.committed = true
      const now = performance.now()
      this.settlement.firstToken(now)
      this.turn?.firstToken(now)
      this.client.stopKeepAlive()
      this.openStream()
    }
    this.turn?.streamed(events.length)
    this.settlement.answerBytes += events.length
    this.capture?.answered(events)
    return this.client.write(events)
  }

  onEnd(usage: Usage | null, finish: string | null): void {
    this.settlement.finish = finish
    this.client.end()
    this.settle('ok', 200, null, usage)
  }

  onFailure(failure: Failure, event: Buffer | null, usage: Usage | null): void {
    const now = performance.now()
    this.settlement.comeBack(now)
    if (failure.kind === 'unreachable') this.options.queues.of(this.current.backend).forgetPrefixes()
    if (!this.committed) this.turn?.end(null, false, false, now)
    if (this.committed) this.breakStream(failure.problem, event, usage)
    else this.guarded(() => this.repair(failure))
  }

  /** One attempt at the current candidate. */
  private tryCurrent(now: number): void {
    if (this.isOver()) return
    const backend = this.options.registry.get(this.current.backend)!
    this.attempts++
    this.trials.note(backend.name)
    this.settlement.backend = backend.name
    this.settlement.leave(now)
    const attempt = this.prepareAttempt(backend, now)
    // It may fail, and be repaired by another one, before `start` returns.
    this.attempt = attempt
    attempt.start()
  }

  /** An attempt failed and the client has seen nothing of it: again, elsewhere, or the end. */
  private repair(failure: Failure): void {
    const { retry, budget, chance } = this.options
    const now = performance.now()
    const isEngine = this.options.registry.get(this.current.backend)!.engine !== null
    this.trials.failed(failure, isEngine ? now : null)
    if (this.awaitsEngine(failure, now)) {
      this.doubtUntil = now + ENGINE_NOTICED_MS
      return this.pauseFor(ENGINE_LOOK_MS, now)
    }
    const left = { remainingMs: this.remainingMs(now), repeatable: !this.request.stores }
    const decision = this.trials.decide(failure, left, now, chance())
    if (decision.do === 'give-up') return this.giveUp(failure)
    if (decision.do === 'retry' && decision.budgeted && !takeRetry(budget, retry.budget, now))
      return this.giveUp(failure)
    this.settlement.retried(this.current.backend, failure.reason, now)
    if (decision.do === 'next-backend') {
      this.goTo(this.trials.next(now)!)
      return this.askTurn(now)
    }
    this.trials.repeats(decision)
    this.pauseFor(decision.afterMs, now)
  }

  /**
   * Lexora's own engine went away under it: that is no reason to fail, or to spend a retry. It asks again, and waits in
   * the queue until the engine is back.
   */
  private awaitsEngine(failure: Failure, now: number): boolean {
    const engine = this.options.registry.get(this.current.backend)!.engine
    if (engine === null || this.turn === null || this.trials.isSuspect || this.remainingMs(now) <= 0) return false
    if (this.request.stores && failure.kind !== 'unreachable') return false
    const standing = engine.standing().is
    if (standing === 'unavailable') return false
    return standing !== 'serving' || ENGINE_GONE.has(failure.kind)
  }

  private pauseFor(ms: number, now: number): void {
    this.waitedMs += ms
    this.settlement.leave(now)
    this.pause = setTimeout(() => this.guarded(() => this.resume()), ms)
  }

  private resume(): void {
    this.pause = null
    if (this.isOver()) return
    const now = performance.now()
    this.settlement.comeBack(now)
    const engine = this.options.registry.get(this.current.backend)!.engine
    if (now < this.doubtUntil && engine?.standing().is === 'serving') return this.pauseFor(ENGINE_LOOK_MS, now)
    this.askTurn(now)
  }

  /** A fault of ours must end the request, not the process. */
  private guarded(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.options.onFault(error, this.requestId)
      this.attempt?.abort()
      const told = internalError(this.requestId)
      if (this.committed) this.breakStream(told, null, null)
      else this.refuse(told, true)
    }
  }

  private prepareAttempt(backend: Backend, now: number): Attempt {
    const { options, request, endpoint } = this
    const dialect = request.stream ? DIALECTS[endpoint.kind] : undefined
    const hideUsage = dialect === 'chunks' && !request.wantsUsage && asksUsage(backend)
    const headers = backend.headers()
    headers.push('content-type', this.head.contentType ?? 'application/json', 'x-request-id', this.requestId)
    headers.push(...this.head.forwarded)
    const body = request.bodyFor({
      model: this.current.model,
      includeUsage: hideUsage,
      dropEngineFields: backend.options.type === 'vllm',
      priority: backend.schedulesByPriority ? options.priorities[this.band] : null,
    })
    return backend.attempt(
      {
        backend: backend.name,
        path: backend.pathFor(endpoint, this.current.model),
        headers,
        body,
        stream: dialect === undefined ? null : { dialect, hideUsage, choices: request.choices },
        limits: attemptLimits(options.limits, backend, options.limits.totalMs - (now - this.settlement.startedAt)),
      },
      this,
    )
  }

  private remainingMs(now: number): number {
    const total = this.options.limits.totalMs - (now - this.settlement.startedAt)
    return this.request.timeoutMs === null ? total : Math.min(total, this.request.timeoutMs - this.waitedMs)
  }

  private isOver(): boolean {
    return this.gone || this.settlement.isSettled
  }

  private onClose(): void {
    this.client.close()
    if (this.res.writableFinished) return
    this.gone = true
    this.reader?.stop()
    this.attempt?.abort()
    this.leave()
  }

  private leave(): void {
    if (this.pause !== null) clearTimeout(this.pause)
    this.settle('client_closed', 499, 'client_closed', null)
  }

  private openStream(): void {
    if (this.client.isOpen) return
    const headers = this.answerHeaders('text/event-stream; charset=utf-8')
    headers.push('cache-control', 'no-cache', 'x-accel-buffering', 'no')
    this.client.openEvents(headers)
  }

  private answerHeaders(contentType: string, now = performance.now()): string[] {
    const headers = [
      'content-type',
      contentType,
      'x-request-id',
      this.requestId,
      'x-lexora-backend',
      this.current.backend,
      'x-lexora-attempts',
      String(this.attempts),
      'x-lexora-queue-ms',
      String(Math.round(this.settlement.queueMs)),
    ]
    if (this.clampedTo !== null) headers.push('x-lexora-priority', this.clampedTo)
    const model = this.current.model ?? this.request.model
    if (model !== null && /^[\x21-\x7e]+$/.test(model)) headers.push('x-lexora-model', model)
    if (this.admitted !== null) this.options.admission.addHeaders(headers, this.admitted.accounts, now)
    return headers
  }

  /** Every attempt failed: the client gets the backend's own words where it may, else ours. */
  private giveUp(failure: Failure): void {
    const { answer } = failure
    if (answer === null || this.client.isOpen) {
      const { retryAfterMs } = failure.problem
      return this.refuse({ ...failure.problem, retryAfterMs: retryAfterMs && this.capped(retryAfterMs) })
    }
    this.client.stopKeepAlive()
    const headers = this.answerHeaders(answer.contentType)
    headers.push('content-length', String(answer.body.length))
    if ((answer.status === 429 || answer.status === 503) && failure.retryAfterMs !== null) {
      headers.push('retry-after', String(retryAfterSeconds(this.capped(failure.retryAfterMs))))
    }
    this.res.writeHead(answer.status, headers)
    this.capture?.answered(answer.body)
    this.client.end(answer.body)
    this.settlement.answerBytes = answer.body.length
    this.settle(answer.status < 500 ? 'client_error' : 'backend_error', answer.status, failure.reason, null)
  }

  /** No client is sent away for longer than we would wait ourselves. */
  private capped(retryAfterMs: number): number {
    return Math.min(retryAfterMs, this.options.retry.maxRetryAfterMs)
  }

  private refuse(told: Problem, close = false, extra: readonly string[] = []): void {
    if (this.isOver()) return
    this.client.stopKeepAlive()
    const status = statusOf(told)
    const outcome = status < 500 ? 'client_error' : 'backend_error'
    if (this.client.isOpen) {
      this.client.end(errorEvent(told, this.endpoint))
    } else {
      const headers = [...extra]
      if (this.attempts > 0) headers.push('x-lexora-attempts', String(this.attempts))
      if (this.settlement.queueMs > 0) headers.push('x-lexora-queue-ms', String(Math.round(this.settlement.queueMs)))
      sendError(this.res, told, { requestId: this.requestId, shape: this.endpoint.shape, headers, close })
    }
    this.settle(outcome, status, told.code, null)
  }

  /** After content the only honest ending is an error event without an end mark. */
  private breakStream(told: Problem, event: Buffer | null, usage: Usage | null): void {
    if (this.isOver()) return
    const last = event ?? errorEvent(told, this.endpoint)
    this.capture?.answered(last)
    this.client.end(last)
    this.settle('stream_error', 200, told.code, usage)
  }

  private settle(
    outcome: Parameters<Settlement['settle']>[0]['outcome'],
    status: number,
    error: string | null,
    usage: Usage | null,
    now = performance.now(),
  ): void {
    if (!this.settlement.settle({ outcome, status, error, usage }, now)) return
    this.reader?.release()
    if (this.admitted === null) return
    const ran = this.committed || (outcome !== 'backend_error' && this.attempts > 0)
    const whole = outcome === 'ok' || outcome === 'client_error'
    this.turn?.end(usage, ran, !whole && this.attempt !== null, now)
    if (usage !== null && this.attempts > 0)
      this.options.registry.get(this.current.backend)?.tokensToday(usageSum(usage))
    if (!ran) this.options.admission.refund(this.admitted, now)
    else if (outcome === 'client_error') this.options.admission.settleUnused(this.admitted, now)
    else this.options.admission.settle(this.admitted, usage, now)
  }

  /** Request text must not become a label: a name that no backend is known to serve is `other`. */
  private knownModel(model: string): string {
    return this.options.registry.serves(model) ? model : 'other'
  }
}

function usageSum({ prompt, completion }: Usage): number {
  return (prompt ?? 0) + (completion ?? 0)
}

/** `auto` asks every backend but Azure's dated API, which refuses the field on older versions. */
function asksUsage({ options }: Backend): boolean {
  if (options.includeUsage !== 'auto') return options.includeUsage === 'on'
  return options.apiVersion === null
}

function attemptLimits(limits: ExchangeLimits, { options }: Backend, totalMs: number): AttemptLimits {
  return {
    connectMs: options.connectTimeoutMs,
    wholeMs: options.timeoutMs ?? limits.nonStreamMs,
    firstEventMs: options.timeoutMs ?? limits.firstByteMs,
    idleMs: limits.idleMs,
    totalMs,
    maxAnswerBytes: limits.maxAnswerBytes,
  }
}
