import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http'
import { createServer as createSecureServer, Server as SecureServer } from 'node:https'
import { type AddressInfo, type Socket, Server as TcpServer } from 'node:net'
import { performance } from 'node:perf_hooks'
import { LiveList } from '../backends/live-list.ts'
import { newRetryBudget } from '../policy/retry-budget.ts'
import { ASSISTED, type Endpoint, MANAGED, PASSED_THROUGH, REALTIME } from '../protocol/endpoints.ts'
import { type Problem, problem, statusOf } from '../protocol/errors.ts'
import { say } from '../protocol/sentence.ts'
import type { RequestView, UserLoad } from '../protocol/snapshot.ts'
import type { Caller, Scope } from '../protocol/users.ts'
import type { Outcome } from '../telemetry/outcome.ts'
import { AdminEvents, type Subscribe } from './admin-events.ts'
import { adminRoutes, type RunCommand } from './admin-routes.ts'
import type { UserRules } from './admission-controller.ts'
import {
  type Authenticated,
  type AuthOptions,
  authenticate,
  authenticateAdmin,
  isOwnMachine,
  NOBODY,
} from './authenticate.ts'
import { BodyBudget } from './body-budget.ts'
import { assist } from './code-assist.ts'
import { internalError, LINGER_MS, sendError, shuttingDown } from './error-response.ts'
import { Exchange, type ExchangeOptions } from './exchange.ts'
import { corsHeaders, type GuardRules, guard, guardBody, guardMultipart } from './guards.ts'
import { Outbox } from './outbox.ts'
import { PassThrough } from './pass-through.ts'
import { Realtime } from './realtime.ts'
import { refuseConnection } from './refused-connection.ts'
import { RefusedOrigins } from './refused-origins.ts'
import { type RequestHead, readHead } from './request-head.ts'
import { type Operations, operationRoutes } from './routes/operations.ts'
import { Settlement } from './settlement.ts'
import { appOf } from './turn-facts.ts'
import { hasSession, UI_PATH, type UiOptions, uiRoutes } from './ui-routes.ts'
import { WrongKeys } from './wrong-keys.ts'

export type GatewayOptions = Omit<ExchangeOptions, 'budget' | 'bodies' | 'outbox'> & {
  auth: AuthOptions
  /** An extra header that may carry a key, lower-case. */
  keyHeader: string | null
  rules: GuardRules
  onOutcome: (outcome: Outcome) => void
  operations: Operations
  /** What `/admin` calls and streams; `session` opens it to the windows and the CLI of this machine. */
  admin: { run: RunCommand; subscribe: Subscribe; session: string | null }
  /** The window in a browser; null: switched off. */
  ui: UiOptions | null
  /** Of Lexora, for its documents. */
  version: string
  maxConnections: number
  /** How long a client may take to send its headers. */
  headersTimeoutMs: number
}

/** What another configuration may change. */
export type GatewaySettings = Pick<
  GatewayOptions,
  'registry' | 'routes' | 'retry' | 'limits' | 'queues' | 'priorities' | 'keyHeader' | 'rules'
>

/** What runs or waits, as the operator's commands see it. */
type Live = Pick<Exchange, 'slot' | 'id' | 'keyId' | 'socket' | 'view' | 'standing' | 'cancel' | 'end' | 'shutDown'> & {
  /** Lexora drains: what has no end of its own ends when nothing is being said. */
  endWhenQuiet?: () => void
}

/** PEM texts. */
type Certificate = { cert: string; key: string }

/** One that somebody holds open. */
type Connection = { slot: number; socket: Socket }

/** Requests that began under one configuration. */
type World = { open: number; onOver: () => void }

const CLIENT_KEEP_ALIVE_MS = 65_000
/** What the bodies of all requests may hold at once. */
const BODIES_BYTES = 256 * 1024 * 1024
const MAX_HEADER_BYTES = 16 * 1024
const MAX_USERS_SHOWN = 200
/** Nobody knows when an operator resumes. */
const PAUSED_RETRY_MS = 5000
/** What was said last still gets out. */
const CUT_OFF_MS = 200
const NOT_SERVED = problem('shutting_down', 'This Lexora is not open to other machines any more.')
const REQUEST_ID = /^[\w.:-]{1,128}$/

type Context = { req: IncomingMessage; res: ServerResponse; head: RequestHead; requestId: string }

/**
 * HTTP in, HTTP out: guards, authentication, and the table of routes. One gateway may listen at several addresses; it
 * stops by `drain`, which lets what runs finish.
 */
export class Gateway {
  private options: GatewayOptions
  private readonly managed = new Map<string, Endpoint>(MANAGED.map((endpoint) => [endpoint.path, endpoint]))
  private passThrough: PassThrough
  private exchangeOptions: ExchangeOptions
  private readonly servers: Server[] = []
  /** Listeners that take no new connection; what their connections asked for goes on. */
  private readonly retired = new Set<Server>()
  private readonly connections = new LiveList<Connection>()
  /** Where Lexora is still served, of the addresses that connections came to. */
  private isServedAt: (localAddress: string) => boolean = () => true
  /** One for each configuration that has requests, the one in force last. */
  private readonly worlds: World[] = [{ open: 0, onOver: () => {} }]
  private readonly live = new LiveList<Live>()
  private readonly operations: RequestListener
  private readonly admin: RequestListener
  private readonly ui: RequestListener | null
  private readonly events: AdminEvents
  private readonly idPrefix = randomBytes(8).toString('hex')
  private requestCount = 0
  private callers = new WeakMap<Socket, { key: string; caller: Authenticated; version: number }>()
  private readonly wrongKeys = new WrongKeys()
  readonly refusedOrigins = new RefusedOrigins()
  private draining = false
  private paused = false
  private open = 0
  private idle: (() => void) | null = null

  constructor(options: GatewayOptions) {
    this.options = options
    const bodies = new BodyBudget(Math.max(BODIES_BYTES, 4 * options.limits.maxBodyBytes))
    const outbox = new Outbox(() => this.open <= 1)
    this.exchangeOptions = { ...options, budget: newRetryBudget(), bodies, outbox }
    this.passThrough = passThroughOf(options)
    const answers = {
      refuse: (context: Context, told: Problem) => this.refuse(context, told),
      onFault: (error: unknown, context: Context) => {
        options.onFault(error, context.requestId)
        this.refuse(context, internalError(context.requestId))
      },
    }
    this.operations = operationRoutes<Context>({
      ...answers,
      operations: options.operations,
      world: () => this.options,
      version: options.version,
      isServing: () => this.state === 'serving',
      authenticate: (context) => {
        const caller = this.callerOf(context)
        return caller.ok ? null : caller.problem
      },
    })
    this.events = new AdminEvents(options.admin.subscribe)
    this.admin = adminRoutes<Context>({
      version: options.version,
      ...answers,
      run: options.admin.run,
      events: this.events,
      authenticate: (context, scope) => this.asAdmin(context, scope),
    })
    this.ui =
      options.ui === null
        ? null
        : uiRoutes<Context>({
            ...options.ui,
            ...answers,
            opens: (key, here) =>
              authenticateAdmin(
                [key],
                options.auth,
                { session: null, scope: 'admin:write', here, face: 'window' },
                Date.now(),
              ).ok,
          })
  }

  /** Requests that have not ended, passed-through ones included. */
  get inFlight(): number {
    return this.open
  }

  /**
   * Other settings for every request that comes from now on; those that run keep the ones that they began with. Resolves
   * when none is left that began before.
   */
  reconfigure(changed: GatewaySettings): Promise<void> {
    this.options = { ...this.options, ...changed }
    this.exchangeOptions.bodies.reconfigure(Math.max(BODIES_BYTES, 4 * changed.limits.maxBodyBytes))
    this.exchangeOptions = { ...this.exchangeOptions, ...changed }
    this.passThrough = passThroughOf(this.options)
    for (const origin of changed.rules.origins) this.refusedOrigins.forget(origin)
    // Who somebody is may be another matter now.
    this.callers = new WeakMap()
    return new Promise((resolve) => {
      this.worlds.at(-1)!.onOver = resolve
      this.worlds.push({ open: 0, onOver: () => {} })
      this.endWorlds()
    })
  }

  /** Those before the one in force that have no request any more, the oldest first. */
  private endWorlds(): void {
    while (this.worlds.length > 1 && this.worlds[0]!.open === 0) this.worlds.shift()!.onOver()
  }

  get state(): 'serving' | 'paused' | 'draining' {
    if (this.draining) return 'draining'
    return this.paused ? 'paused' : 'serving'
  }

  /** New requests are turned away until `resume`; what waits and runs goes on. */
  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  /** Managed requests that have not ended, the oldest first. */
  requests(): RequestView[] {
    const now = performance.now()
    const views = this.live.all().map((exchange) => exchange.view(now))
    return views.sort((a, b) => b.ageMs - a.ageMs)
  }

  /** The operator ends one; false when there is none of that id. */
  cancel(requestId: string): boolean {
    const exchange = this.live.all().find(({ id }) => id === requestId)
    return exchange?.cancel() ?? false
  }

  /** Ends what runs and waits with a key that is no longer one; answers how many. */
  cutKey(keyId: string): number {
    const told = problem('invalid_api_key', 'The API key was revoked.')
    return this.live.all().filter((exchange) => exchange.keyId === keyId && exchange.end(told)).length
  }

  /** Who has something running or waiting, the busiest first. */
  users(most = MAX_USERS_SHOWN): UserLoad[] {
    const loads = new Map<string, UserLoad>()
    for (const { view, rules } of this.live.all().map((exchange) => exchange.standing())) {
      const name = view.user ?? 'anonymous'
      const load = loads.get(name) ?? { name, inFlight: 0, waiting: 0, limits: shownLimits(rules) }
      if (view.phase === 'queued') load.waiting++
      else load.inFlight++
      loads.set(name, load)
    }
    return [...loads.values()].sort((a, b) => b.inFlight + b.waiting - a.inFlight - a.waiting).slice(0, most)
  }

  /** Listens at one more address; rejects with the system's error (EADDRINUSE, …). Port 0 takes a free one. */
  async listen(host: string, port: number, certificate: Certificate | null = null): Promise<AddressInfo> {
    const settings = {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: this.options.headersTimeoutMs,
      // Body and answer have deadlines of their own.
      requestTimeout: 0,
      keepAliveTimeout: CLIENT_KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1000,
      noDelay: true,
      // Our own check answers it as JSON, and for HTTP/1.0 too.
      requireHostHeader: false,
      // Any other wish for another protocol (h2c, which Java asks for with every request) is served as what it is.
      shouldUpgradeCallback: (req: IncomingMessage) => isRealtime(req),
    }
    const onRequest: RequestListener = (req, res) => this.handle(req, res, false, server)
    const server: Server =
      certificate === null
        ? createServer(settings, onRequest)
        : createSecureServer({ ...settings, ...certificate, minVersion: 'TLSv1.2' }, onRequest)
    server.maxConnections = this.options.maxConnections
    server.on('connection', (socket: Socket) => {
      const connection = { slot: -1, socket }
      this.connections.add(connection)
      socket.once('close', () => this.connections.remove(connection))
    })
    server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => this.handle(req, res, true, server))
    server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => {
      const message = "Only 'expect: 100-continue' is understood."
      this.refuse(this.contextOf(req, res), problem('invalid_request', message, { status: 417, param: 'expect' }))
    })
    // A Node before 22.21 cannot choose, and would turn every such request away.
    if ('shouldUpgradeCallback' in server)
      server.on('upgrade', (req: IncomingMessage, socket: Socket, rest: Buffer) =>
        this.handleUpgrade(req, socket, rest, server),
      )
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
      refuseConnection(error, socket, MAX_HEADER_BYTES),
    )
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, ipv6Only: host === '::1' }, () => {
        server.off('error', reject)
        resolve()
      })
    })
    this.servers.push(server)
    return server.address() as AddressInfo
  }

  /** Another certificate for every connection that comes from now on. */
  renew(certificate: Certificate): void {
    for (const server of this.servers) {
      if (server instanceof SecureServer && !this.retired.has(server)) server.setSecureContext(certificate)
    }
  }

  /** Takes no new connection there, from this moment on; those that are open end with their next answer. */
  retire({ address, port }: AddressInfo): void {
    const server = this.servers.find((one) => {
      const at = one.address() as AddressInfo | null
      return at?.address === address && at.port === port
    })
    if (server === undefined || this.retired.has(server)) return
    this.retired.add(server)
    // HTTP's own `close` cuts what is idle, and so a request that is on its way there.
    TcpServer.prototype.close.call(server, () => {
      this.retired.delete(server)
      this.servers.splice(this.servers.indexOf(server), 1)
      server.close(() => {})
    })
  }

  /** Ends what other machines have open at addresses where Lexora is not served any more. */
  cutOff(isServedAt: (localAddress: string) => boolean): void {
    this.isServedAt = isServedAt
    const cut = this.connections.all().filter(({ socket }) => this.isCutOff(socket))
    for (const one of this.live.all()) if (this.isCutOff(one.socket)) one.end(NOT_SERVED)
    if (cut.length === 0) return
    setTimeout(() => {
      for (const { socket } of cut) socket.destroy()
    }, CUT_OFF_MS).unref()
  }

  private isCutOff(socket: Socket): boolean {
    const { localAddress } = socket
    return localAddress !== undefined && !isOwnMachine(socket) && !this.isServedAt(localAddress)
  }

  /** Takes nothing new, lets what runs finish for `graceMs`, then ends it with a true error; resolves when all is closed. */
  async drain(graceMs: number): Promise<void> {
    this.draining = true
    for (const server of this.servers) server.closeIdleConnections()
    this.options.queues.drain(shuttingDown())
    for (const one of this.live.all()) one.endWhenQuiet?.()
    // Until then it listens on: who comes now is told when to come back, not just turned away.
    await this.waitUntilIdle(graceMs)
    for (const exchange of this.live.all()) exchange.shutDown()
    // Until here a watcher has seen how it went.
    this.events.close()
    const closed = this.servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    for (const server of this.servers) server.closeIdleConnections()
    const cut = setTimeout(() => {
      for (const server of this.servers) server.closeAllConnections()
    }, 1000)
    await Promise.all(closed)
    clearTimeout(cut)
    // What was cut settles a moment after its connection, and must not miss the request log.
    await this.waitUntilIdle(1000)
  }

  private async waitUntilIdle(graceMs: number): Promise<void> {
    if (this.open === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs)
      this.idle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  private handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean, server: Server): void {
    const context = this.contextOf(req, res)
    const { head } = context
    if (this.draining || this.retired.has(server)) res.setHeader('connection', 'close')
    const endpoint = this.managed.get(head.path)
    const isCutOff = this.retired.has(server) && this.isCutOff(req.socket)
    const told = isCutOff ? NOT_SERVED : this.guard(context)
    if (told !== null) return this.refuse(context, told, endpoint)
    if (head.origin !== null) {
      for (const [name, value] of corsHeaders(head, this.options.rules)) res.setHeader(name, value)
      if (head.method === 'OPTIONS') return answerPreflight(res)
    }
    if (endpoint !== undefined) return this.handleManaged(context, endpoint, expectsContinue)
    if (expectsContinue) res.writeContinue()
    if (PASSED_THROUGH.includes(head.path)) return this.handlePassThrough(context)
    if (ASSISTED.includes(head.path)) return this.handleAssist(context)
    if (head.path === REALTIME) return this.handlePlainRealtime(context)
    if (head.path.startsWith('/backends/')) return this.handleRawDoor(context)
    if (head.path.startsWith('/admin/')) return this.admin(req, Object.assign(res, { locals: context }))
    if (this.ui !== null && (head.path === UI_PATH || head.path.startsWith(`${UI_PATH}/`)))
      return this.ui(req, Object.assign(res, { locals: context }))
    this.operations(req, Object.assign(res, { locals: context }))
  }

  private guard({ req, head }: Context): Problem | null {
    const told = guard(head, this.options.rules, () => req.socket.localAddress)
    if (told?.code === 'origin_not_allowed' && head.origin !== null) this.refusedOrigins.note(head.origin, Date.now())
    return told
  }

  private contextOf(req: IncomingMessage, res: ServerResponse): Context {
    const head = readHead(req, this.options.keyHeader)
    const requestId = head.requestId !== null && REQUEST_ID.test(head.requestId) ? head.requestId : this.nextRequestId()
    return { req, res, head, requestId }
  }

  /** Unique in this process by its count, and among processes by 64 random bits. */
  private nextRequestId(): string {
    return `req-${this.idPrefix}-${(++this.requestCount).toString(36)}`
  }

  private handleManaged(context: Context, endpoint: Endpoint, expectsContinue: boolean): void {
    const { req, res, head, requestId } = context
    const auth = this.admit(context, 'POST') ?? guardBody(head, this.options.limits.maxBodyBytes)
    if (auth !== null) return this.refuse(context, auth, endpoint)
    const caller = this.callerOf(context)
    if (!caller.ok) return this.refuse(context, caller.problem, endpoint)
    if (expectsContinue) res.writeContinue()
    const settlement = this.settlement(context, endpoint.path, caller.principal, () => this.live.remove(exchange))
    const exchange = new Exchange(this.exchangeOptions, {
      req,
      res,
      head,
      endpoint,
      settlement,
      requestId,
      principal: caller.principal,
    })
    this.live.add(exchange)
    exchange.start()
  }

  /**
   * Who calls, remembered per connection: a client sends the same key again and again. Comparing it with the key that
   * this very connection sent before tells nobody anything new.
   */
  private callerOf(context: Context): Authenticated {
    const { req, head } = context
    const { auth } = this.options
    const key = head.keys.length === 1 ? head.keys[0]! : null
    const { version } = auth.keys
    const known = this.callers.get(req.socket)
    if (key !== null && known !== undefined && known.key === key && known.version === version) {
      const { until } = known.caller
      if (until === Number.POSITIVE_INFINITY || Date.now() < until) return known.caller
    }
    const told = this.tooManyWrong(context)
    if (told !== null) return { ok: false, problem: told, until: 0 }
    const caller = authenticate(head.keys, auth, Date.now())
    this.countTry(context, caller.ok ? caller.principal.keyId !== null : null)
    // Who may do everything else may try it out, too.
    if (!caller.ok && head.keys.length === 0 && this.isWindow(context)) return NOBODY
    if (key !== null) this.callers.set(req.socket, { key, caller, version })
    return caller
  }

  private handlePassThrough(context: Context): void {
    const told = this.admit(context, 'POST') ?? guardMultipart(context.head)
    if (told !== null) return this.refuse(context, told)
    const caller = this.callerOf(context)
    if (!caller.ok) return this.refuse(context, caller.problem)
    const settlement = this.settlement(context, context.head.path, caller.principal)
    this.passThrough
      .route(context.req, context.res, context.head, {
        requestId: context.requestId,
        settlement,
        principal: caller.principal,
      })
      .catch((error: unknown) => this.onFault(error, context, settlement))
  }

  /** Somebody wants a WebSocket: guards and keys as on any route, refusals as HTTP answers. */
  private handleUpgrade(req: IncomingMessage, socket: Socket, rest: Buffer, server: Server): void {
    const res = answerBefore(req, socket)
    const context = this.contextOf(req, res)
    const { head, requestId } = context
    const told = this.guard(context) ?? this.admit(context, 'GET') ?? (this.retired.has(server) ? shuttingDown() : null)
    if (told !== null) return this.refuse(context, told)
    const caller = this.callerOf(context)
    if (!caller.ok) return this.refuse(context, caller.problem)
    if (rest.length > 0) socket.unshift(rest)
    const { principal } = caller
    const settlement = this.settlement(context, REALTIME, principal, () => this.live.remove(realtime))
    const realtime: Realtime = new Realtime(this.exchangeOptions, { req, res, head, settlement, requestId, principal })
    this.live.add(realtime)
    realtime.start()
  }

  private handlePlainRealtime(context: Context): void {
    const told = this.admit(context, 'GET')
    if (told !== null) return this.refuse(context, told)
    const caller = this.callerOf(context)
    if (!caller.ok) return this.refuse(context, caller.problem)
    context.res.setHeader('upgrade', 'websocket')
    this.refuse(context, problem('invalid_request', `Open ${REALTIME} as a WebSocket.`, { status: 426 }))
  }

  /** Who asks is checked here, before anything is read, and once more by the request that is made of it. */
  private handleAssist(context: Context): void {
    const { req, res, head, requestId } = context
    const told = this.admit(context, 'POST') ?? guardBody(head, this.options.limits.maxBodyBytes)
    if (told !== null) return this.refuse(context, told)
    const caller = this.callerOf(context)
    if (!caller.ok) return this.refuse(context, caller.problem)
    assist({ req, res, path: head.path, requestId }, this.options.keyHeader).catch((error: unknown) => {
      this.options.onFault(error, requestId)
      this.refuse(context, internalError(requestId))
    })
  }

  private handleRawDoor(context: Context): void {
    if (this.draining) return this.refuse(context, shuttingDown())
    const admin = this.asAdmin(context, 'admin:write')
    if (!admin.ok) return this.refuse(context, admin.problem)
    const settlement = this.settlement(context, '/backends/*', { user: null, keyId: null })
    this.passThrough.raw(context.req, context.res, context.head, { requestId: context.requestId, settlement })
  }

  private isWindow({ req, head }: Context): boolean {
    const { ui } = this.options
    return ui !== null && head.keys.length === 0 && hasSession(req, head, ui)
  }

  /** Whether this caller may do what operators do. A session counts only on the machine it was left on. */
  private asAdmin(context: Context, scope: Scope): { ok: true; caller: Caller } | { ok: false; problem: Problem } {
    const { req, head } = context
    const { auth, admin } = this.options
    const here = isOwnMachine(req.socket)
    const told = this.tooManyWrong(context)
    if (told !== null) return { ok: false, problem: told }
    if (this.isWindow(context)) return { ok: true, caller: { who: 'window', face: 'window', here } }
    const face = head.app === 'window' ? 'window' : 'cli'
    const door = { session: here ? admin.session : null, scope, here, face } as const
    const result = authenticateAdmin(head.keys, auth, door, Date.now())
    if (here) return result
    // A key that is known, but may not do this, is no guess.
    const isKnown = result.ok || auth.keys.find(head.keys[0] ?? '', Date.now()).is === 'known'
    this.countTry(context, isKnown ? true : null)
    return result
  }

  /** Somebody elsewhere tries one key after the other. Programs of this machine are not limited by each other's mistakes. */
  private tooManyWrong({ req, head }: Context): Problem | null {
    const address = req.socket.remoteAddress
    if (head.keys.length !== 1 || address === undefined || isOwnMachine(req.socket)) return null
    const retryAfterMs = this.wrongKeys.waitMs(address, head.keys[0]!, performance.now())
    return retryAfterMs === 0 ? null : problem('rate_limit_exceeded', 'Too many wrong keys.', { retryAfterMs })
  }

  /** `right` null: the key was wrong; false: none was needed. */
  private countTry({ req, head }: Context, right: boolean | null): void {
    const address = req.socket.remoteAddress
    if (head.keys.length !== 1 || address === undefined || isOwnMachine(req.socket)) return
    if (right === null) this.wrongKeys.countWrong(address, performance.now())
    else if (right) this.wrongKeys.countRight(address, head.keys[0]!)
  }

  private admit({ head, res }: Context, method: string): Problem | null {
    if (this.draining) return shuttingDown()
    if (this.paused)
      return problem('overloaded', say('Lexora is paused by its operator.'), { retryAfterMs: PAUSED_RETRY_MS })
    if (head.method === method) return null
    res.setHeader('allow', method)
    return problem('method_not_allowed', `Use ${method} for ${head.path}.`)
  }

  private settlement(
    context: Context,
    endpoint: string,
    principal: { user: string | null; keyId: string | null },
    onEnd?: () => void,
  ): Settlement {
    const { requestId, head, req } = context
    const address = req.socket.remoteAddress ?? null
    const facts = {
      reqId: requestId,
      user: principal.user,
      keyId: principal.keyId,
      app: appOf(head) || null,
      address,
      remote: address !== null && !isOwnMachine(req.socket),
      task: head.task?.slice(0, 100) ?? null,
      endpoint,
    }
    const world = this.worlds.at(-1)!
    world.open++
    this.open++
    return new Settlement(facts, performance.now(), (outcome) => {
      this.open--
      if (--world.open === 0) this.endWorlds()
      onEnd?.()
      this.options.onOutcome(outcome)
      if (this.open === 0) this.idle?.()
    })
  }

  /** Refuses before anything ran. Managed endpoints count even these: one outcome per request. */
  private refuse(context: Context, told: Problem, endpoint?: Endpoint): void {
    const { req, res, requestId, head } = context
    const hasBody =
      head.contentLength !== 0 && (head.contentLength !== null || req.headers['transfer-encoding'] !== undefined)
    sendError(res, told, { requestId, close: hasBody, ...(endpoint === undefined ? {} : { shape: endpoint.shape }) })
    if (endpoint === undefined) return
    const settlement = this.settlement(context, endpoint.path, { user: null, keyId: null })
    const status = statusOf(told)
    settlement.settle(
      { outcome: status < 500 ? 'client_error' : 'backend_error', status, error: told.code },
      performance.now(),
    )
  }

  private onFault(error: unknown, { res, requestId }: Context, settlement: Settlement, endpoint?: Endpoint): void {
    this.options.onFault(error, requestId)
    const told = internalError(requestId)
    sendError(res, told, { requestId, close: true, ...(endpoint === undefined ? {} : { shape: endpoint.shape }) })
    settlement.settle({ outcome: 'backend_error', status: 500, error: told.code }, performance.now())
    if (res.headersSent && !res.writableEnded) res.destroy()
  }
}

function passThroughOf({ registry, admission, queues, routes, limits }: GatewayOptions): PassThrough {
  const { maxBodyBytes, nonStreamMs, queueMs } = limits
  return new PassThrough({ registry, admission, queues, queueMs, routes, maxBodyBytes, timeoutMs: nonStreamMs })
}

function isRealtime({ url = '', headers }: IncomingMessage): boolean {
  return url.split('?')[0] === REALTIME && headers.upgrade?.toLowerCase() === 'websocket'
}

/** Answers a request whose connection is no longer HTTP's, and then ends that. */
function answerBefore(req: IncomingMessage, socket: Socket): ServerResponse {
  const res = new ServerResponse(req)
  res.assignSocket(socket)
  socket.on('error', () => {})
  res.once('finish', () => {
    res.detachSocket(socket)
    socket.end()
    setTimeout(() => socket.destroy(), LINGER_MS).unref()
  })
  return res
}

/** For faces. */
export function shownLimits({ limits }: UserRules): UserLoad['limits'] {
  const { requests, tokensPerMinute, maxConcurrent } = limits
  return { perSecond: requests?.perSecond ?? null, burst: requests?.burst ?? null, tokensPerMinute, maxConcurrent }
}

function answerPreflight(res: ServerResponse): void {
  res.writeHead(204, ['content-length', '0'])
  res.end()
}
