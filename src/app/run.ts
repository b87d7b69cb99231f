import { join } from 'node:path'
import { hubHost } from '../config/hub-cache.ts'
import { formatIssue, type Issue } from '../config/issues.ts'
import { foundLastGood } from '../config/last-good.ts'
import { type Loaded, type LoadedConfig, loadConfig } from '../config/load.ts'
import { type LexoraPaths, lexoraPaths } from '../config/paths.ts'
import { startRefusal } from '../config/warnings.ts'
import { GpuMonitor } from '../engine/gpu-monitor.ts'
import { identifyHolder } from '../engine/ports.ts'
import { isBlocked } from '../protocol/blocked.ts'
import type { Config } from '../protocol/config.ts'
import type { EngineView } from '../protocol/engine.ts'
import type { LogEntry } from '../protocol/gateway-log.ts'
import { LogBuffer } from '../telemetry/log-buffer.ts'
import { createLogger, type Logger } from '../telemetry/logger.ts'
import { OutboundLedger } from '../telemetry/outbound.ts'
import { Redactor } from '../telemetry/redact.ts'
import { App } from './app.ts'
import type { AppSettings } from './app-settings.ts'
import type { RunOptions } from './args.ts'
import { diagnose } from './doctor.ts'
import { engineWorld } from './engine-world.ts'
import { EXIT } from './exit-codes.ts'
import { gpuDesk } from './gpu-desk.ts'
import { PortTakenError } from './listeners.ts'
import { ModelDesk } from './model-desk.ts'
import { OutboundFile } from './outbound-file.ts'
import { openRecords } from './records.ts'
import { Reloader } from './reload.ts'
import { RunFile } from './run-file.ts'
import { type ServiceNotify, serviceNotify } from './service/notify.ts'
import { DEMO, issueAt, settingsOf } from './settings.ts'

/** What a run needs of the world outside; entries hand in the real one, tests their own. */
export type World = {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  home: string
  platform: NodeJS.Platform
  out: (text: string) => void
  err: (text: string) => void
  isTerminal: boolean
  /** Resolves when asked to stop (SIGTERM, SIGINT); a second ask aborts `hurry`. */
  stopped: Promise<void>
  hurry: AbortSignal
  /** Hands over that the configuration is to be read again (SIGHUP). */
  onReload: (reload: () => void) => void
  /** Hands over what failed where nobody was waiting. */
  onFault: (tell: (error: unknown) => void) => void
  demoEntry: string
  /** The program that stands between Lexora and its engines. */
  guardEntry: string
  /** The thread that the history belongs to. */
  historyEntry: string
  /** Where the built window lies. */
  uiDir: string
  version: string
  /** Runs the programs above; left out: what runs this one. */
  nodeProgram?: string
  /** Who was spoken to, where a face in this process speaks to others, too. */
  outbound?: OutboundLedger
  /** Begins what `stopped` tells of. */
  quit?: () => void
  /** Hands over the app once it listens, for a face in this process. */
  onListening?: (app: App) => void
}

/** Loads the configuration, serves until asked to stop, drains. Returns the exit code. */
export async function run(options: RunOptions, world: World): Promise<number> {
  const { env, cwd, home, platform } = world
  const paths = lexoraPaths({ env, platform, home, cwd })
  const read = (more: { text?: string | undefined; allowEmpty?: boolean } = {}): Loaded =>
    loadConfig({ flags: options.flags, configPath: options.configPath, env, cwd, home, platform, ...more })
  const loaded = read()
  if (!loaded.ok) return refuse(loaded.issues, paths, world)
  const first = settingsOf(loaded, env, options.engine)
  if (!first.ok) return refuse(first.issues, paths, world)
  const { config } = loaded
  const { settings, demo } = first
  const names = ['none', DEMO, ...Object.keys(config.engines)]
  if (options.engine !== null && !names.includes(options.engine)) {
    world.err(`Lexora did not start: --engine must be one of ${names.join(', ')}, not '${options.engine}'.\n`)
    return EXIT.usage
  }
  const runFile = new RunFile(paths.runFile)
  const logBuffer = new LogBuffer()
  const { log, redactor, adopt } = openLog(settings, { session: runFile.token, world, logBuffer })
  const open = startRefusal(config)
  for (const note of [...loaded.notes, ...first.notes]) if (note !== open) log.warn(note)
  world.onFault((error) => log.error('fault', { error: error instanceof Error ? error.stack : String(error) }))
  const { enabled: keepRequests, keep_days: keepDays } = config.metrics.request_log
  const records = openRecords(paths.stateDir, { log, historyEntry: world.historyEntry, keepDays, keepRequests })
  const closeRecords = async (): Promise<void> => {
    await records.history?.close()
    records.store.close()
  }
  // A key that Lexora minted opens a network as well as one of the file.
  const mayServe = (next: Config): string | null =>
    records.accounts.keys().some(({ revokedMs }) => revokedMs === null) ? null : startRefusal(next)
  const refusal = mayServe(config)
  if (refusal !== null) {
    world.err(`Lexora did not start: ${refusal}\n`)
    await closeRecords()
    return EXIT.badConfig
  }
  const monitor = new GpuMonitor({ env: { ...env } })
  const { demoEntry, guardEntry } = world
  const { store } = records
  const nodeProgram = world.nodeProgram ?? process.execPath
  const programs = { nodeProgram, demoEntry, guardEntry }
  const isOffline = (): boolean => app.isOffline
  const isHubOff = (): boolean => app.isOffline || isBlocked(hubHost(env) ?? '', app.blocked)
  const engines = engineWorld({ env, platform, home, ...programs, paths, monitor, store, log, isOffline, isHubOff })
  const machine = { env, platform, home, cwd }
  const gpu = gpuDesk(monitor)
  const outbound = world.outbound ?? new OutboundLedger()
  const outboundFile = new OutboundFile(join(paths.stateDir, 'outbound.json'), outbound, log)
  const desk = { machine, paths, engines: config.engines, ...config.privacy, gpu, store, log, outbound }
  const models = new ModelDesk({ ...desk, resume: true })
  const app: App = new App({
    ...settings,
    engines: { configs: settings.engines, world: engines },
    models,
    outbound,
    gpu: monitor,
    records,
    doctor: async ({ address, engines, commands }) => {
      const { health } = await commands.snapshot()
      return await diagnose({
        machine: { env, platform, home, cwd },
        flags: options.flags,
        configPath: options.configPath,
        node: process.versions.node,
        gpu: gpuDesk(monitor),
        running: { pid: process.pid, address, engines: engines?.views() ?? [], reasons: health.reasons },
      })
    },
    configDesk: () => reloader.commands,
    hurry: world.hurry,
    ...(world.quit === undefined ? {} : { quit: world.quit }),
    redactor,
    logDir: paths.logDir,
    version: world.version,
    configPath: loaded.path,
    session: runFile.token,
    onListening: async () => {
      const { localAddress: address } = app
      await claim(
        runFile,
        { address, certificate: settings.certificate?.cert ?? null },
        { version: world.version, log },
      )
      world.onListening?.(app)
    },
    log,
    logBuffer,
    uiDir: world.uiDir,
  })
  const reloader = new Reloader({
    loaded,
    settings,
    load: (text) => read({ text, allowEmpty: false }),
    resolve: (next) => {
      const why = mayServe(next.config)
      if (why !== null) return { ok: false, issues: [issueAt(next, 'server.host', why)] }
      return settingsOf(next, env, options.engine)
    },
    apply: async (next, later) => await app.apply(next, later),
    pendingRestart: () => app.pendingRestart,
    onRead: (fault) => {
      app.configFault = fault
    },
    onApplied: (next) => {
      adopt(next)
      models.reconfigure(next.config)
      runFile.move({ address: app.localAddress, certificate: next.certificate?.cert ?? null })
    },
    stateDir: paths.stateDir,
    log,
  })
  const service = serviceNotify(env, process.pid)
  world.onReload(() => {
    service.reloading()
    void reloader
      .reload('signal')
      .catch(() => {})
      .then(() => service.ready(app.address))
  })
  reloader.start()
  try {
    return await serve(app, loaded, { demo, log, world, service })
  } finally {
    service.close()
    reloader.close()
    runFile.release()
    await closeRecords()
    await outboundFile.close()
    await monitor.stop()
  }
}

/** Without a run file Lexora serves all the same; only the CLI does not find it by itself. */
async function claim(
  runFile: RunFile,
  place: { address: string; certificate: string | null },
  { version, log }: { version: string; log: Logger },
): Promise<void> {
  try {
    const holder = await runFile.claim({ ...place, startedAt: new Date().toISOString(), version })
    if (holder === null) return
    const hint = `lexora status --host ${new URL(place.address).host}`
    log.warn('another Lexora of this user is the one that the CLI finds', {
      pid: holder.pid,
      address: holder.address,
      hint,
    })
  } catch (error) {
    log.warn('the run file cannot be written, so the CLI will not find this Lexora', { error: String(error) })
  }
}

async function serve(
  app: App,
  { config, path }: LoadedConfig,
  { demo, log, world, service }: { demo: boolean; log: Logger; world: World; service: ServiceNotify },
): Promise<number> {
  const stopped = world.stopped.then(() => 'stopped' as const)
  try {
    const first = await Promise.race([app.start().then(() => 'started' as const), stopped])
    if (first === 'started') {
      if (config.logging.format === 'console')
        world.out(banner(app, { demo, keyNeeded: config.auth.api_keys.length > 0, isTerminal: world.isTerminal }))
      log.info('ready', {
        address: app.address,
        models: app.models.join(','),
        config: path ?? 'defaults',
      })
      service.ready(app.address)
      await stopped
    }
  } catch (error) {
    if (!(error instanceof PortTakenError)) throw error
    world.err(await portTaken(error))
    return EXIT.portInUse
  }
  service.stopping()
  const { requests } = app.inFlight
  log.info('stopping', { in_flight: requests, grace_s: config.server.shutdown_grace })
  const hurried = new Promise<'hurried'>((resolve) =>
    world.hurry.addEventListener('abort', () => resolve('hurried'), { once: true }),
  )
  const end = await Promise.race([app.stop(config.server.shutdown_grace * 1000), hurried])
  log.info(end === 'hurried' ? 'stopped at once' : 'stopped')
  return EXIT.ok
}

function refuse(issues: readonly Issue[], { stateDir }: LexoraPaths, { err }: World): number {
  for (const issue of issues) err(`${formatIssue(issue)}\n`)
  err('Lexora did not start: the configuration is not valid.\n')
  const kept = foundLastGood(stateDir)
  if (kept !== null) err(`The last configuration that it ran by is kept at ${kept}\n`)
  return EXIT.badConfig
}

/** The log, and what tells it of another configuration: secrets that must not stand in it, and how much it says. */
function openLog(
  settings: AppSettings,
  { session, world, logBuffer }: { session: string; world: World; logBuffer: LogBuffer },
): { log: Logger; redactor: Redactor; adopt: (next: AppSettings) => void } {
  const redactor = new Redactor()
  redactor.add(session)
  const { level, format } = settings.config.logging
  const options = {
    level,
    format,
    colour: world.isTerminal && world.env['NO_COLOR'] === undefined,
    redactor,
    write: world.out,
    now: () => new Date(),
    keep: (entry: Omit<LogEntry, 'seq'>) => logBuffer.add(entry),
  }
  const adopt = ({ config, backends }: AppSettings): void => {
    options.level = config.logging.level
    for (const entry of config.auth.api_keys) redactor.add(typeof entry === 'string' ? entry : entry.key)
    for (const secret of [config.auth.admin_key, ...backends.map(({ apiKey }) => apiKey)])
      if (secret !== null) redactor.add(secret)
    for (const secret of backends.flatMap(({ headers }) => Object.values(headers))) redactor.add(secret)
  }
  adopt(settings)
  return { log: createLogger(options), redactor, adopt }
}

type Shown = { demo: boolean; keyNeeded: boolean; isTerminal: boolean }

function banner(app: App, { demo, keyNeeded, isTerminal }: Shown): string {
  const { models } = app
  const url = app.address
  const chat = models.find((model) => !/embed|rerank/i.test(model)) ?? models[0]
  const key = keyNeeded ? " -H 'authorization: Bearer YOUR_KEY'" : ''
  const body = JSON.stringify({ model: chat ?? 'MODEL', messages: [{ role: 'user', content: 'Hello' }] })
  const engines = (app.engines?.views() ?? []).filter(({ kind }) => kind !== 'demo').map(engineSaid)
  const lines = [
    '',
    'Lexora is ready.',
    `  Address   ${url}`,
    `  Models    ${models.slice(0, 8).join(', ') || 'none yet: no backend answers'}${demo ? '   (demo engine; no model is connected yet)' : ''}`,
    ...engines.map((text, i) => `  ${i === 0 ? 'Engines ' : '        '}  ${text}`),
    `  Try it    curl ${url}/chat/completions -H 'content-type: application/json'${key} -d '${body.replaceAll("'", "'\\''")}'`,
    // A link is good for whoever sees it first, so that a log file gets none.
    ...(app.uiUrl === null
      ? []
      : [`  Window    ${isTerminal ? app.newUiLink()!.url : `${app.uiUrl} (opened by: lexora ui)`}`]),
    '  Stop      Ctrl+C',
    '',
  ]
  return `${lines.join('\n')}\n`
}

/** Where an engine stands as Lexora begins, and what it waits for. */
function engineSaid({ name, model, state, onDemand }: EngineView): string {
  const waits = onDemand ? 'its first request starts it' : `lexora start ${name}`
  return `${name} (${model}): ${state.is === 'stopped' ? `stopped; ${waits}` : state.is}`
}

async function portTaken({ port, message }: PortTakenError): Promise<string> {
  const { pid, program } = await identifyHolder(port)
  const who = program === null ? 'by another program' : `by ${program} (pid ${pid})`
  return `Lexora did not start: ${message}, held ${who}. End it, or choose another port: --port ${port + 1}\n`
}
