import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Backend, BackendOptions } from '../backends/backend.ts'
import { HealthProbe } from '../backends/health-probe.ts'
import { BackendRegistry } from '../backends/registry.ts'
import type { GpuMonitor } from '../engine/gpu-monitor.ts'
import type { EngineWorld } from '../engine/supervision.ts'
import { AdmissionController } from '../gateway/admission-controller.ts'
import type { QueueRules } from '../gateway/backend-queue.ts'
import { Queues } from '../gateway/queues.ts'
import { readHealth } from '../gateway/routes/health.ts'
import { listModels } from '../gateway/routes/models.ts'
import { Gateway, type GatewaySettings, shownLimits } from '../gateway/server.ts'
import { UiSessions } from '../gateway/ui-sessions.ts'
import { planReload } from '../policy/reload-plan.ts'
import type { RouteTable } from '../policy/route.ts'
import type { AppCommands } from '../protocol/commands.ts'
import type { Config, ResolvedBackend } from '../protocol/config.ts'
import type { DoctorReport } from '../protocol/doctor.ts'
import type {
  AppSnapshot,
  BackendReport,
  ConfigFault,
  GpuReport,
  QueueView,
  ServerView,
  UserView,
} from '../protocol/snapshot.ts'
import type { EngineStartView } from '../protocol/ui-commands.ts'
import type { EngineStart } from '../store/engine-starts.ts'
import { Captures } from '../telemetry/captures.ts'
import { LogBuffer } from '../telemetry/log-buffer.ts'
import type { Logger } from '../telemetry/logger.ts'
import { LoopWatch } from '../telemetry/loop-watch.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { OutboundLedger } from '../telemetry/outbound.ts'
import type { Outcome } from '../telemetry/outcome.ts'
import { Redactor } from '../telemetry/redact.ts'
import { RequestLog } from '../telemetry/request-log.ts'
import { StatsCollector } from '../telemetry/stats.ts'
import { UserDays } from '../telemetry/user-days.ts'
import { UserMinutes } from '../telemetry/user-minutes.ts'
import { clientUrl, localUrl, networkPlaces } from './address.ts'
import { adminCommands } from './admin-commands.ts'
import type { AppSettings } from './app-settings.ts'
import { type ConfigDesk, fixedConfig } from './config-desk.ts'
import { Engines, engineBackend } from './engines.ts'
import {
  authOptions,
  CLIENT_PATIENCE,
  type ClientPatience,
  exchangeLimits,
  guardRules,
  limitRules,
  queueRules,
  retryOptions,
  routeTable,
  servedModels,
} from './gateway-options.ts'
import { type GpuDesk, gpuDesk } from './gpu-desk.ts'
import { Listeners } from './listeners.ts'
import { dataDesk, type ModelDesk } from './model-desk.ts'
import { People } from './people.ts'
import { isFullDisk, memoryRecords, type Records } from './records.ts'
import { commandRunner, windowCommands } from './run-command.ts'
import { Sampler } from './sampler.ts'
import { backendReport, queueTotals, SnapshotSource, statsReport, userViews } from './snapshot.ts'
import type { Certificate } from './tls.ts'

export type AppOptions = {
  config: Config
  backends: readonly ResolvedBackend[]
  defaultBackend: string | null
  blocked?: readonly string[]
  logDir: string
  version: string
  /** The file that the configuration came from, for faces. */
  configPath?: string | null
  /** What the windows and the CLI of this machine show to pass operators' doors. */
  session?: string
  /** Awaited once the listeners are open, before backends are. */
  onListening?: (first: AddressInfo) => Promise<void>
  /** What `server.tls` names, as it is in its files. */
  certificate?: Certificate | null
  log: Logger
  /** Knows the secrets that nothing may show. */
  redactor?: Redactor
  /** Who was spoken to outside this computer, by other parts of this process as well. */
  outbound?: OutboundLedger
  /** Asks whoever runs this process to end it as a signal would. */
  quit?: () => void
  /** What the log has kept, for faces. */
  logBuffer?: LogBuffer
  /** Where the built window lies; null: it is not served. */
  uiDir?: string | null
  chance?: () => number
  patience?: ClientPatience
  /** Engines that Lexora starts itself, and what their supervisors work with. */
  engines?: { configs: Config['engines']; world: EngineWorld } | undefined
  /** Told by the faces; null: not watched. */
  gpu?: GpuMonitor
  /** Looks at the machine and the configuration for a face. */
  doctor?: (app: App) => Promise<DoctorReport>
  /** Users, keys and history; closed by who opened them. Left out: nothing outlives this process. */
  records?: Records
  /** Models on disk and installed engines; not there: their commands are refused. */
  models?: ModelDesk
  /** Reads and changes the configuration that it runs by. */
  configDesk?: () => ConfigDesk
  /** Fires when a stop must not wait any more. */
  hurry?: AbortSignal
  /** Hears every finished request, after metrics, statistics and the request log. */
  onOutcome?: (outcome: Outcome) => void
}

/** Builds and joins all parts; `start` opens them in order, `stop` closes them in reverse and is awaited. */
export class App {
  private readonly options: AppOptions
  /** The configuration in force, and the one that it started with. */
  private config: Config
  private readonly startConfig: Config
  /** Settings that could not take effect, for the addresses that they name are held. */
  private stuck: string[] = []
  private readonly listeners: Listeners
  private registry: BackendRegistry
  /** No longer configured; requests that began before may still use them. */
  private readonly leaving = new Set<Backend>()
  private routes: RouteTable
  private readonly gateway: Gateway
  private readonly admission: AdmissionController
  private queues: Queues
  /** Null where none is configured. */
  readonly engines: Engines | null
  private readonly stats = new StatsCollector()
  private readonly minutes = new UserMinutes()
  private metrics: Metrics | null
  private requestLog: RequestLog | null
  private readonly probes = new Map<Backend, HealthProbe>()
  private readonly startedAt = performance.now()
  private readonly startDate = new Date()
  private readonly records: Records
  private readonly people: People
  private readonly days = new UserDays()
  private readonly uiSessions = new UiSessions()
  private readonly loop = new LoopWatch()
  private readonly sampler: Sampler
  private readonly source = new SnapshotSource((revision) => this.snapshot(revision))
  private readonly gpu: GpuDesk
  private readonly captures: Captures
  private readonly outbound: OutboundLedger
  /** All that a face may ask for. */
  readonly commands: AppCommands
  private started = false
  private stopping = false

  constructor(options: AppOptions) {
    this.options = options
    const { config, log, patience = CLIENT_PATIENCE } = options
    this.config = config
    this.startConfig = config
    this.gpu = gpuDesk(options.gpu ?? null)
    this.captures = new Captures(options.redactor ?? new Redactor())
    this.outbound = options.outbound ?? new OutboundLedger()
    this.records = options.records ?? memoryRecords()
    const { store, accounts, history } = this.records
    const commands = adminCommands({
      records: { people: () => this.people, store, accounts, history, now: Date.now },
      snapshot: () => this.source.read(),
      state: () => this.state,
      gateway: () => this.gateway,
      engines: () => this.engines,
      ownPorts: () => this.addresses.map(({ port }) => port),
      isSecure: () => this.listeners.isSecure,
      gpu: this.gpu,
      logDir: options.engines?.world.logDir ?? options.logDir,
      config: options.configDesk ?? fixedConfig,
      doctor: async () => (await options.doctor?.(this)) ?? { running: true, checks: [] },
      models: {
        desk: options.models ?? null,
        engines: () => this.engines?.views() ?? [],
        lastUsed: () => this.days.modelsLastUsed(),
        gateway: () => ({ address: this.localAddress, key: firstKey(this.config) }),
      },
      ui: {
        newUiLink: () => this.newUiLink(),
        readSeries: (range, after) => this.sampler.series.read(range, Date.now() / 1000, after),
        recentEvents: () => this.sampler.recent(),
        engineStarts: (engine) => (options.engines?.world.starts.latest(engine) ?? []).map(startView),
        logBuffer: options.logBuffer ?? new LogBuffer(),
      },
      captures: this.captures,
      outbound: this.outbound,
      data: options.models === undefined ? null : dataDesk(options.models, history),
      privacy: () => this.config.privacy,
      quit: options.quit ?? null,
    })
    const run = commandRunner(
      commands,
      (row) => accounts.audit(row),
      () => new Date(),
    )
    this.commands = windowCommands(run)
    const engineBackends = Object.entries(options.engines?.configs ?? {}).map(([name, engine]) =>
      engineBackend(name, engine),
    )
    this.registry = new BackendRegistry([...options.backends.map(withCertificate), ...engineBackends], this.outbound)
    this.routes = routeTable(config, options.defaultBackend, options.blocked)
    this.metrics = config.metrics.enabled ? new Metrics(() => this.readGauges()) : null
    this.requestLog = this.openRequestLog(config)
    this.admission = new AdmissionController(limitRules(config), (user) => this.days.today(user, Date.now()).tokens)
    this.people = new People({
      config,
      accounts,
      unusable: this.records.unusable,
      days: this.days,
      now: Date.now,
      onRules: (rules) => this.admission.replaceRules(rules),
      onRevoked: (keyId) => {
        const cut = this.gateway.cutKey(keyId)
        if (cut > 0) log.info('requests of a revoked key were cut', { key: keyId, requests: cut })
      },
      loads: () => this.gateway.users(Number.POSITIVE_INFINITY),
    })
    this.queues = new Queues(this.registry, this.queueRules(config))
    this.engines = this.joinEngines()
    this.gateway = new Gateway({
      captures: this.captures,
      ...this.gatewaySettings(config),
      chance: options.chance ?? Math.random,
      admission: this.admission,
      auth: this.people.auth,
      onOutcome: (outcome) => this.record(outcome),
      onFault: (error, requestId) => log.error('fault', { request: requestId, error: printError(error) }),
      operations: {
        health: () => this.health(),
        ready: () => this.registry.views(performance.now()).some(({ usable, name }) => usable && this.isUp(name)),
        stats: () => this.readStats(),
        metrics: () => this.exposeMetrics(),
      },
      admin: {
        run,
        subscribe: (listener) => this.subscribe(listener),
        session: options.session ?? null,
      },
      ui: this.hasUi ? { dir: options.uiDir!, sessions: this.uiSessions, remote: config.ui.remote } : null,
      version: options.version,
      maxConnections: maxConnections(),
      headersTimeoutMs: patience.headersMs,
    })
    this.listeners = new Listeners(this.gateway, config, options.certificate ?? null)
    this.sampler = new Sampler({
      look: () => this.look(),
      requests: () => this.gateway.requests(),
      holders: async () => await this.gpu.who(this.engines?.views() ?? []),
    })
  }

  private get hasUi(): boolean {
    return this.options.config.ui.enabled && (this.options.uiDir ?? null) !== null
  }

  /** Where the window opens in a browser; null: it is not served. */
  get uiUrl(): string | null {
    return this.hasUi ? `${new URL(this.address).origin}/ui/` : null
  }

  /** Good once. It stands behind the `#`, which browsers send to nobody. */
  newUiLink(): { url: string; expiresAt: Date } | null {
    const { uiUrl } = this
    if (uiUrl === null) return null
    const { token, expiresAt } = this.uiSessions.newLink()
    return { url: `${uiUrl}#link=${token}`, expiresAt }
  }

  /** Where it listens, the gateway's own addresses first. */
  get addresses(): AddressInfo[] {
    return this.listeners.addresses
  }

  /** How this machine reaches it. */
  get localAddress(): string {
    return localUrl(this.addresses[0]!, this.listeners.isSecure)
  }

  /** As clients use it. */
  get address(): string {
    return clientUrl(this.addresses[0]!, this.listeners.isSecure)
  }

  /** Where other machines reach it, as this machine knows its own addresses. */
  private get network(): string[] {
    return networkPlaces(this.listeners.serving, networkInterfaces())
  }

  /** No other computer is to be spoken to. */
  get isOffline(): boolean {
    return this.config.privacy.offline
  }

  /** Places that are not to be spoken to. */
  get blocked(): readonly string[] {
    return this.config.privacy.blocked
  }

  /** Set by whoever reads the configuration again. */
  configFault: ConfigFault | null = null

  /** Settings that differ from those that it runs by until it is started again. */
  get pendingRestart(): string[] {
    const later = planReload(this.startConfig, this.config).filter(({ effect }) => effect === 'restart')
    return [...later.map(({ path }) => path), ...this.stuck]
  }

  /**
   * Another configuration, already valid: builds the new beside the old, swaps, and lets the old finish. Requests that
   * began before keep the settings and the backends that they began with. Where it throws nothing has changed. `later`:
   * engines that run go over to it at their next start.
   */
  async apply(next: AppSettings, later = false): Promise<void> {
    const { config } = next
    const changed = planReload(this.config, config)
    const engines = Object.entries(next.engines).map(([name, engine]) => engineBackend(name, engine))
    const servers = next.backends.map(withCertificate)
    await this.engines?.whenGone(Object.keys(next.engines))
    const built = this.registry.next(servers, engines)
    const isServer = ({ name }: Backend): boolean => !Object.hasOwn(next.engines, name)
    // What they serve must be known before the first request comes.
    await Promise.all(built.added.filter(isServer).map(async (backend) => await this.watch(backend)))
    this.tighten(config)
    const listeners = await this.listeners.change(config, next.certificate)
    this.registry = built.commit()
    listeners.commit()
    this.stuck = listeners.stuck
    for (const host of listeners.lost)
      this.options.log.error('an address could not be taken back: another program holds it now', { host })
    this.swap(next)
    this.engines?.reconfigure(next.engines, this.registry, this.queues, later)
    const drained = this.gateway.reconfigure(this.gatewaySettings(config))
    this.dismiss(built.gone, drained)
    if (changed.length > 0) this.sampler.note({ what: 'config', paths: changed.map(({ path }) => path) }, Date.now())
  }

  /** While addresses change, whoever comes needs a key if either configuration asks for one. */
  private tighten(next: Config): void {
    const now = this.config
    const hosts = this.openHosts(now)
    if (String(now.server.host) === String(next.server.host)) return
    const both = [...hosts, ...this.openHosts(next)]
    const isStrict = [now, next].some((config) => authOptions(config, both).mode === 'required')
    const auth = isStrict ? { ...now.auth, mode: 'required' as const } : now.auth
    this.people.reconfigure({ ...now, auth }, both)
  }

  /** Everything that is decided on, from one configuration to the next, in one go. */
  private swap({ config, defaultBackend, blocked }: AppSettings): void {
    const before = this.config
    this.config = config
    this.routes = routeTable(config, defaultBackend, blocked)
    this.queues = this.queues.next(this.registry, this.queueRules(config))
    this.people.reconfigure(config, this.openHosts(config))
    this.metrics = config.metrics.enabled ? (this.metrics ?? new Metrics(() => this.readGauges())) : null
    if (JSON.stringify(before.metrics.request_log) === JSON.stringify(config.metrics.request_log)) return
    void this.requestLog?.close()
    this.requestLog = this.openRequestLog(config)
  }

  /** Closes backends that are no longer configured when the last request that may use them has ended. */
  private dismiss(gone: readonly Backend[], drained: Promise<void>): void {
    for (const backend of gone) {
      this.probes.get(backend)?.stop()
      this.probes.delete(backend)
      this.leaving.add(backend)
    }
    void drained.then(async () => {
      for (const backend of gone) {
        this.leaving.delete(backend)
        this.queues.forget(backend)
        await backend.close()
      }
    })
  }

  private gatewaySettings(config: Config): GatewaySettings {
    const { patience = CLIENT_PATIENCE } = this.options
    return {
      registry: this.registry,
      routes: this.routes,
      retry: retryOptions(config),
      limits: exchangeLimits(config, patience),
      queues: this.queues,
      priorities: config.queue.priorities,
      keyHeader: config.auth.header?.toLowerCase() ?? null,
      rules: guardRules(config, this.openHosts(config)),
    }
  }

  /** What is still open beyond loopback is guarded as such, whatever the configuration says meanwhile. */
  private openHosts(config: Config): string[] {
    return [...[config.server.host].flat(), ...(this.listeners?.hosts ?? [])]
  }

  private queueRules(config: Config): QueueRules {
    const { log } = this.options
    return {
      ...queueRules(config),
      onAlarm: (backend, alarm) => {
        if (alarm === null) log.info('the metrics of a backend are believed again', { backend })
        else log.warn('the metrics of a backend cannot be believed; its limit is kept without them', { backend, alarm })
      },
    }
  }

  get models(): string[] {
    return servedModels(this.registry, this.routes)
  }

  /** What all callers hold of their limits: 0 when nothing runs. */
  get limitsHeld(): { concurrent: number; reserved: number } {
    return this.admission.outstanding()
  }

  /** Managed requests, upstream calls and permits that are not over, and who waits. */
  get inFlight(): { requests: number; attempts: number; permits: number; waiting: number } {
    const attempts = this.registry.all().reduce((sum, backend) => sum + backend.inFlight, 0)
    return { requests: this.gateway.inFlight, attempts, permits: this.queues.inFlight, waiting: this.queues.waiting }
  }

  /** Tells a face how things are, at once, and then of every change; returns what ends it. */
  subscribe(listener: (snapshot: AppSnapshot) => void): () => void {
    return this.source.subscribe(listener)
  }

  /** The state of one backend's circuit breaker. */
  breakerOf(name: string): string | undefined {
    return this.registry.get(name)?.breakerAt(performance.now())
  }

  /** Opens the listeners first, so that a busy port is known before an engine is loaded. Rejects with PortTakenError. */
  async start(): Promise<void> {
    try {
      this.loop.start()
      await this.remember()
      this.people.watch()
      await this.listeners.start()
      await this.options.onListening?.(this.addresses[0]!)
      const servers = this.registry.all().filter(({ engine }) => engine === null)
      await Promise.all(servers.map(async (backend) => await this.watch(backend)))
      await this.engines?.open()
      this.started = true
    } catch (error) {
      await this.stop(0)
      throw error
    }
  }

  /** Drains for at most `graceMs`, then closes everything. Safe to call while `start` is still under way. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true
    this.people.close()
    this.sampler.stop()
    this.captures.stop()
    this.loop.stop()
    await this.gateway.drain(graceMs)
    await this.options.models?.close()
    await this.engines?.close(this.options.hurry)
    for (const probe of this.probes.values()) probe.stop()
    this.queues.close()
    await this.registry.close()
    await Promise.all([...this.leaving].map((backend) => backend.close()))
    await this.requestLog?.close()
  }

  /** What users had today before this start; a limit of tokens a day counts on. */
  private async remember(): Promise<void> {
    const { history } = this.records
    if (history === null) return
    const now = Date.now()
    try {
      const { today, seen } = await history.memory(now)
      for (const { user, ...had } of today) this.days.add(user, had, now)
      for (const { kind, name, atMs } of seen) this.days.seen(kind, name, atMs)
    } catch (error) {
      this.options.log.warn('what users had today before this start is not known', { reason: printError(error) })
    }
  }

  private joinEngines(): Engines | null {
    const { engines } = this.options
    if (engines === undefined) return null
    return new Engines({
      engines: engines.configs,
      world: engines.world,
      registry: this.registry,
      queues: this.queues,
      onServing: (backend, serving) => {
        if (serving && !this.stopping) void this.watch(backend)
        else this.probes.get(backend)?.stop()
      },
    })
  }

  private async watch(backend: Backend): Promise<void> {
    const { name } = backend
    this.probes.get(backend)?.stop()
    const probe = new HealthProbe({
      backend,
      chance: this.options.chance ?? Math.random,
      onChange: ({ is, reason }) => {
        if (is === 'down') this.options.log.warn('backend is down', { backend: name, reason })
        else this.options.log.info('backend is up', { backend: name })
      },
    })
    this.probes.set(backend, probe)
    await probe.start()
  }

  private isUp(name: string): boolean {
    return this.registry.get(name)?.health.is === 'up'
  }

  private get state(): ServerView['state'] {
    const { state } = this.gateway
    return state === 'serving' && !this.started ? 'starting' : state
  }

  private snapshot(revision: number): AppSnapshot {
    const now = performance.now()
    const queues = this.queues.views(now)
    const waitingOrigins = this.gateway.refusedOrigins.count
    const isLogFull = isFullDisk(this.requestLog?.state.failing ?? null)
    const diskFull = [...(isLogFull ? (['request-log'] as const) : []), ...this.records.full()]
    return {
      revision,
      takenAt: new Date().toISOString(),
      server: {
        version: this.options.version,
        pid: process.pid,
        startedAt: this.startDate.toISOString(),
        uptimeSeconds: Math.floor((now - this.startedAt) / 1000),
        address: this.address,
        network: this.network,
        configPath: this.options.configPath ?? null,
        state: this.state,
        inFlight: this.gateway.inFlight,
        pendingRestart: this.pendingRestart,
        offline: this.isOffline,
        ...(this.blocked.length > 0 ? { blocked: [...this.blocked] } : {}),
        capture: this.captures.view,
        configFault: this.configFault,
        ...(waitingOrigins > 0 ? { waitingOrigins } : {}),
        ...(diskFull.length > 0 ? { diskFull } : {}),
      },
      health: this.health(),
      backends: this.backendReports(queues, now),
      models: listModels(this.registry, this.routes, Math.floor(this.startDate.getTime() / 1000)),
      queues,
      users: this.userViews(now),
      engines: this.engines?.views() ?? [],
      gpu: this.gpu.state(),
      stats: this.stats.read(now),
      ...this.options.models?.underWay(),
    }
  }

  /** What a second of the charts is made of. */
  private look() {
    const now = performance.now()
    const queues = this.queues.views(now)
    return {
      server: { state: this.state, open: this.network.length > 0 },
      backends: this.backendReports(queues, now),
      queues,
      users: this.userViews(now),
      engines: this.engines?.views() ?? [],
      gpu: this.gpu.state(),
    }
  }

  private backendReports(queues: readonly QueueView[], now: number): BackendReport[] {
    const fallsBack = this.config.fallback.enabled
    return this.registry.all().map((backend) => backendReport(backend, queues, now, fallsBack))
  }

  private userViews(now: number): UserView[] {
    const { enabled, users, byDefault } = this.admission.rules
    const limitsOf = (user: string) => (enabled ? shownLimits(users.get(user) ?? byDefault) : null)
    return userViews(this.gateway.users(), this.minutes.read(now), limitsOf)
  }

  private readStats() {
    const now = performance.now()
    return statsReport(this.stats.read(now), this.queues.views(now), this.userViews(now))
  }

  private health() {
    return readHealth({
      registry: this.registry,
      engines: this.engines?.views() ?? [],
      memory: gpuMemory(this.gpu.state()),
      queue: queueTotals(this.queues.depth()),
      requestLog: this.requestLog?.state ?? null,
      troubles: [
        ...this.people.troubles(),
        ...this.records.troubles(),
        ...[this.loop.trouble()].filter((told) => told !== null),
      ],
      uptimeSeconds: (performance.now() - this.startedAt) / 1000,
      version: this.options.version,
    })
  }

  private record(outcome: Outcome): void {
    const now = performance.now()
    this.stats.record(outcome, now)
    this.minutes.record(outcome, now)
    this.metrics?.record(outcome)
    const date = new Date()
    const at = date.getTime()
    this.sampler.record(outcome, at)
    this.requestLog?.record(outcome, date)
    const engineModel =
      outcome.backend === null ? null : (this.options.models?.options.engines[outcome.backend]?.model ?? null)
    this.days.record(outcome, at, engineModel)
    const isKnown = outcome.user !== null && this.people.isKnown(outcome.user)
    this.records.history?.record(outcome, at, isKnown, engineModel)
    this.options.onOutcome?.(outcome)
  }

  private async exposeMetrics(): Promise<{ contentType: string; text: string }> {
    if (this.metrics === null) return { contentType: 'text/plain; charset=utf-8', text: '# metrics.enabled is false\n' }
    return { contentType: this.metrics.contentType, text: await this.metrics.expose() }
  }

  private readGauges() {
    const now = performance.now()
    const states = { closed: 0, 'half-open': 1, open: 2 } as const
    const queues = this.queues.all()
    const backends = this.registry.all().map((backend) => ({
      name: backend.name,
      inFlight: backend.inFlight,
      up: backend.health.is === 'up',
      breaker: states[backend.breakerAt(now)],
      permits: queues.find((queue) => queue.backend === backend)?.state(now) ?? null,
    }))
    const engines = this.engines?.views() ?? []
    const gpu = this.gpu.state()
    return {
      backends,
      depth: this.queues.depth(),
      engines,
      swaps: this.engines?.swaps ?? [],
      gpus: gpu.is === 'read' ? gpu.gpus : [],
    }
  }

  private openRequestLog(config: Config): RequestLog | null {
    const { logDir, log } = this.options
    const { enabled, dir, keep_days } = config.metrics.request_log
    if (!enabled) return null
    return new RequestLog({
      dir: dir ?? logDir,
      keepDays: keep_days,
      onState: ({ failing, dropped }) => {
        if (failing === null) log.info('the request log is written again', { lines_lost: dropped })
        else log.error('the request log cannot be written; requests go on without it', { reason: failing })
      },
    })
  }
}

/** Of all GPUs together; null where nothing tells. */
function startView({ at, engine, model, outcome, totalMs, phases }: EngineStart): EngineStartView {
  const list = Object.entries(phases).map(([name, ms]) => ({ name, ms }))
  return { at: at.toISOString(), engine, model, outcome, totalMs, phases: list }
}

function gpuMemory(report: GpuReport): { usedBytes: number; totalBytes: number } | null {
  if (report.is !== 'read') return null
  let [usedBytes, totalBytes] = [0, 0]
  for (const gpu of report.gpus) {
    if (gpu.usedBytes === null || gpu.totalBytes === null) return null
    usedBytes += gpu.usedBytes
    totalBytes += gpu.totalBytes
  }
  return { usedBytes, totalBytes }
}

/** For what asks its own gateway; null: none is needed, or none lies open in the configuration. */
function firstKey({ auth }: Config): string | null {
  const [first] = auth.api_keys
  return first === undefined || auth.mode === 'off' ? null : typeof first === 'string' ? first : first.key
}

function withCertificate(backend: ResolvedBackend): BackendOptions {
  return backend.ca === null ? backend : { ...backend, ca: readFileSync(backend.ca, 'utf8') }
}

/** Half of the descriptors the system grants, since every request may hold one on each side; a surplus is closed, not lost. */
function maxConnections(): number {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } }
  const soft = Number(report.userLimits?.open_files?.soft)
  return Number.isFinite(soft) && soft > 0 ? Math.max(16, Math.floor((soft - 64) / 2)) : 10_000
}

function printError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
