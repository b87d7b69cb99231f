import type { Socket } from 'node:net'
import type { Client } from 'undici'
import {
  type Breaker,
  type BreakerEvent,
  breakerAllows,
  CLOSED,
  nextBreaker,
  settleBreaker,
} from '../policy/circuit-breaker.ts'
import type { Failure } from '../policy/retry.ts'
import type { BackendView } from '../policy/route.ts'
import type { ResolvedBackend } from '../protocol/config.ts'
import type { Endpoint } from '../protocol/endpoints.ts'
import type { OutboundLedger, OutboundLine } from '../telemetry/outbound.ts'
import { azurePath } from './adapters/azure.ts'
import { createDummy } from './adapters/dummy.ts'
import { Attempt, type AttemptOwner, type AttemptRequest, type AttemptSink, type Dispatch } from './attempt.ts'
import { Connections } from './connections.ts'
import type { DeadlineClock } from './deadline-clock.ts'
import type { EngineHandle } from './engine-handle.ts'
import { EXHAUSTED_REASON } from './failure.ts'

/** One configured backend with its values resolved; `ca` is the PEM text itself here, not its file. */
export type BackendOptions = ResolvedBackend

/** A model as a backend reports it. */
export type ReportedModel = {
  id: string
  ownedBy: string | null
  contextLength: number | null
  created: number | null
  /** Of an adapter: the model it belongs to. */
  parent: string | null
}

export type Health = { is: 'unknown' | 'up' | 'down'; latencyMs: number | null; reason: string | null }

/** A success keeps a backend healthy whatever its probe says, for this long. */
const TRUST_MS = 5000
const DAY_MS = 86_400_000

/** A live backend: its connections, its breaker, its health and what is in flight. Times are monotonic milliseconds. */
export class Backend implements AttemptOwner {
  readonly options: BackendOptions
  /** Null: it answers in this process. */
  private connections: Connections | null
  private readonly dummy: Dispatch | null
  private readonly clock: DeadlineClock
  private readonly outbound: OutboundLedger | null
  /** Null: it is on this computer. */
  private place: OutboundLine | null
  private readonly basePath: string
  private baseHeaders: readonly string[]
  private readonly view: { -readonly [Key in keyof BackendView]: BackendView[Key] } & {
    models: Set<string>
    usable: boolean
    modelsKnown: boolean
    inFlight: number
    spent: boolean
  }
  private breaker: Breaker = CLOSED
  /** The one request that a half-open breaker lets through. */
  private probe: Attempt | null = null
  private lastSuccess = Number.NEGATIVE_INFINITY
  /** Set by a 429 or 503 with Retry-After: others are preferred until then. */
  private restUntil = 0
  private day = 0
  private tokensOfDay = 0
  /** Lexora's own engine behind it; null for a server of somebody else. Set by whoever joins the two. */
  engine: EngineHandle | null = null
  /** The engine takes a band's own `priority`. */
  schedulesByPriority = false
  /** Adapters that it serves when they are asked for, and the model that each belongs to. */
  parents: ReadonlyMap<string, string> = new Map()
  /** Requests that were ever sent there. */
  sent = 0
  /** When any of them last brought something, or ended. */
  lastTokenAt = Number.NEGATIVE_INFINITY
  reported: readonly ReportedModel[] = []
  health: Health = { is: 'unknown', latencyMs: null, reason: null }

  /** `outbound`: where it is written down who was spoken to. */
  constructor(options: BackendOptions, clock: DeadlineClock, outbound: OutboundLedger | null = null) {
    this.options = { ...options }
    this.clock = clock
    this.outbound = outbound
    this.place = this.placeOutside()
    const url = options.type === 'dummy' ? null : new URL(options.url)
    this.basePath = url?.pathname.replace(/\/+$/, '') ?? ''
    this.connections = url === null ? null : this.connectionsTo(url.origin)
    this.dummy = url === null ? createDummy(options) : null
    this.baseHeaders = baseHeaders(options)
    this.view = {
      name: options.name,
      models: new Set([...options.models, ...Object.keys(options.modelMapping)]),
      modelMapping: new Map(Object.entries(options.modelMapping)),
      soleModel: options.soleModel,
      fallbackBackends: options.fallbackBackends,
      usable: true,
      modelsKnown: options.models.length > 0,
      inFlight: 0,
      remote: options.remote,
      spent: false,
    }
  }

  get name(): string {
    return this.options.name
  }

  /** Requests whose upstream side is not over. */
  get inFlight(): number {
    return this.view.inFlight
  }

  viewAt(now: number): BackendView {
    this.view.usable = this.isUsable(now)
    if (this.options.dailyTokens !== null) this.view.spent = this.tokensToday(0) >= this.options.dailyTokens
    return this.view
  }

  private isUsable(now: number): boolean {
    const standing = this.engine?.standing().is ?? 'serving'
    // An engine that is on its way is waited for: what it refused before says nothing of what comes.
    if (standing !== 'serving') return standing !== 'unavailable'
    return breakerAllows(this.breaker, now) && this.health.is !== 'down' && this.restUntil <= now
  }

  /** Its engine was started, perhaps elsewhere: the past of the one before does not count. */
  moveTo({ url, apiKey }: Pick<BackendOptions, 'url' | 'apiKey'>): void {
    Object.assign(this.options, { url, apiKey })
    this.release()
    this.baseHeaders = baseHeaders(this.options)
    this.breaker = CLOSED
    this.restUntil = 0
    this.health = { is: 'up', latencyMs: null, reason: null }
  }

  /** Whether it is where these options say, so that its connections and what is known of it still hold. */
  isAt(options: BackendOptions): boolean {
    return placeOf(options) === placeOf(this.options)
  }

  /** Other settings at the same place. An engine says itself where it is. */
  reconfigure(options: BackendOptions): void {
    const { url, apiKey } = this.options
    Object.assign(this.options, options, this.engine === null ? {} : { url, apiKey })
    const { modelMapping, models, soleModel, fallbackBackends, remote } = this.options
    const listed = models.length > 0 ? models : this.reported.map(({ id }) => id)
    this.view.models = new Set([...listed, ...Object.keys(modelMapping)])
    this.view.modelMapping = new Map(Object.entries(modelMapping))
    this.view.modelsKnown = models.length > 0 || this.reported.length > 0
    this.view.spent = false
    Object.assign(this.view, { soleModel, fallbackBackends, remote })
    const place = this.placeOutside()
    // One that stays outside goes on counting.
    if (place === null || this.place === null) this.place = place
  }

  /** Ends every connection to it; those that are asked for later are new. */
  release(): void {
    void this.connections?.close()
    this.connections = this.connectionsTo(new URL(this.options.url).origin)
  }

  /** Adds tokens that went there to those of this day (UTC), and says how many that makes. */
  tokensToday(more: number): number {
    const today = Math.floor(Date.now() / DAY_MS)
    if (today !== this.day) {
      this.day = today
      this.tokensOfDay = 0
    }
    this.tokensOfDay += more
    return this.tokensOfDay
  }

  breakerAt(now: number): Breaker['is'] {
    return settleBreaker(this.breaker, now).is
  }

  /** The path of an endpoint here. Made of configuration only; `model` is a configured name where Azure needs one. */
  pathFor(endpoint: Pick<Endpoint, 'path'>, model: string | null): string {
    const { type, apiVersion } = this.options
    return this.withBase(type === 'azure_openai' ? azurePath(endpoint.path, model, apiVersion) : endpoint.path)
  }

  /** A path below this backend's base. */
  withBase(path: string): string {
    return this.basePath + path
  }

  /** The headers that every request to this backend carries; a fresh array to append to. */
  headers(): string[] {
    return this.baseHeaders.slice()
  }

  /** Prepares one attempt, which its caller starts. Breaker, health and in-flight count follow from how it goes. */
  attempt(request: AttemptRequest, sink: AttemptSink): Attempt {
    this.view.inFlight++
    this.sent++
    this.place?.use()
    const dispatch = this.connections?.take() ?? this.dummy!
    const attempt = new Attempt(request, sink, this, { clock: this.clock, dispatch })
    if (this.breaker !== CLOSED && this.probe === null && this.breakerAt(performance.now()) === 'half-open') {
      this.probe = attempt
      this.tell('probe-started')
    }
    return attempt
  }

  /** Somebody connects to it past `attempt`. */
  connects(): void {
    this.place?.use()
  }

  /** What this connection carries goes there. */
  carries(socket: Socket): void {
    this.place?.carries(socket)
  }

  onSuccess(): void {
    this.lastSuccess = performance.now()
    if (this.breaker !== CLOSED) this.tell('success')
    if (this.health.is !== 'up') this.health = { is: 'up', latencyMs: this.health.latencyMs, reason: null }
  }

  onProgress(now: number): void {
    this.lastTokenAt = now
  }

  onFailed(failure: Failure): void {
    const now = performance.now()
    if (failure.kind === 'status' && failure.retryAfterMs !== null) {
      this.restUntil = Math.max(this.restUntil, now + Math.min(failure.retryAfterMs, 60_000))
    }
    if (failure.kind === 'stale') this.connections?.dropIdle()
    if (countsAgainst(failure)) this.tell('failure')
  }

  onClosed(attempt: Attempt): void {
    this.view.inFlight--
    this.lastTokenAt = performance.now()
    if (attempt.isComplete) this.connections?.giveBack(attempt.dispatch as Client)
    else this.connections?.discard(attempt.dispatch as Client)
    if (this.probe !== attempt) return
    this.probe = null
    this.tell('probe-dropped')
  }

  /** A background GET with its own time limit; a failure is a value. */
  async get(path: string, timeoutMs: number): Promise<{ status: number; body: Buffer } | { error: string }> {
    if (this.connections === null) return { status: 200, body: Buffer.from('{"data":[]}') }
    const client = this.connections.take()
    this.place?.use()
    try {
      const headers = this.headers()
      const signal = AbortSignal.timeout(timeoutMs)
      const answer = await client.request({ path: this.withBase(path), method: 'GET', headers, signal })
      const body = Buffer.from(await answer.body.arrayBuffer())
      this.connections.giveBack(client)
      return { status: answer.statusCode, body }
    } catch (error) {
      this.connections.discard(client)
      return { error: (error as NodeJS.ErrnoException).code ?? (error as Error).name }
    }
  }

  /** What a background probe found. A backend that just answered a real request stays up whatever the probe says. */
  probed(health: Health, now: number): void {
    if (health.is === 'up') this.tell('reachable')
    if (health.is === 'down' && now - this.lastSuccess < TRUST_MS) return
    this.health = health
  }

  setReported(models: readonly ReportedModel[]): void {
    this.reported = models
    this.view.modelsKnown = true
    if (this.options.models.length > 0) return
    this.view.models = new Set([...models.map(({ id }) => id), ...Object.keys(this.options.modelMapping)])
  }

  /** Names that a client may ask for here. */
  get models(): ReadonlySet<string> {
    return this.view.models
  }

  /** Lets what is in flight go on; takes nothing new. */
  async close(): Promise<void> {
    await this.connections?.close()
  }

  private connectionsTo(origin: string): Connections {
    return new Connections(origin, this.options, (socket) => this.carries(socket))
  }

  private placeOutside(): OutboundLine | null {
    const { type, url, remote } = this.options
    return type === 'dummy' ? null : (this.outbound?.line(url, 'backend', remote) ?? null)
  }

  private tell(event: BreakerEvent): void {
    this.breaker = nextBreaker(this.breaker, event, performance.now())
  }
}

/** What cannot be changed without another connection. */
function placeOf({ type, url, apiKey, apiVersion, connectTimeoutMs, headers, proxy, ca }: BackendOptions): string {
  return JSON.stringify([type, url, apiKey, apiVersion, connectTimeoutMs, headers, proxy, ca])
}

/** 4xx and 429 are the request's or the quota's fault, a stale connection nobody's, a lack of sockets ours. */
function countsAgainst(failure: Failure): boolean {
  if (failure.kind === 'stale' || failure.reason === EXHAUSTED_REASON) return false
  return failure.kind !== 'status' || (failure.status !== null && failure.status >= 500)
}

function baseHeaders({ type, apiKey, headers }: BackendOptions): string[] {
  const list = ['accept-encoding', 'identity']
  if (apiKey !== null) {
    if (type === 'azure_openai') list.push('api-key', apiKey)
    else list.push('authorization', `Bearer ${apiKey}`)
  }
  for (const [name, value] of Object.entries(headers)) list.push(name.toLowerCase(), value)
  return list
}
