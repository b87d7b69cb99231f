import { freemem } from 'node:os'
import {
  type EngineEffect,
  type EngineEvent,
  type EngineMachine,
  INITIAL_ENGINE,
  reduceEngine,
} from '../policy/engine-state-machine.ts'
import { underPolicy } from '../policy/restart-policy.ts'
import { unifiedDiff } from '../policy/unified-diff.ts'
import {
  type EngineCommandReport,
  type EngineFailure,
  type EngineState,
  type EngineView,
  isServing,
  type StopReceipt,
} from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import { configHash, servedName } from './command-line.ts'
import { failed } from './failed.ts'
import type { EngineRecord } from './guard/protocol.ts'
import type { EngineConfig, Launch } from './launch.ts'
import { nextCommand } from './next-command.ts'
import { type Fitness, preflight } from './preflight.ts'
import type { EngineHost, EngineWorld, Serving } from './supervision.ts'
import { WatchedRun } from './watched-run.ts'

const SPARE_MEMORY_BYTES = 8 * 1024 ** 3

/** A run of it lives, or is about to be over. */
const LIVING: readonly EngineState['is'][] = [
  'starting',
  'ready',
  'busy',
  'degraded',
  'draining',
  'stopping',
  'sleeping',
]

type Found = { path: string; record: EngineRecord }

/**
 * The one owner of an engine. Whatever happens to it comes through one inbox, is decided by the machine, and done
 * here; nothing else starts or ends a process of it.
 */
export class Supervisor {
  readonly name: string
  /** What the last run began with. */
  private config: EngineConfig
  /** What the next one is to begin with, where that may wait; null: it is the same. */
  private pending: EngineConfig | null = null
  private readonly world: EngineWorld
  private readonly host: EngineHost
  private machine: EngineMachine = INITIAL_ENGINE
  private readonly inbox: EngineEvent[] = []
  private isReading = false
  private run: WatchedRun | null = null
  private fitness: Fitness | null = null
  private found: Found | null = null
  private checking = new AbortController()
  private timer: NodeJS.Timeout | undefined
  private draining: NodeJS.Timeout | undefined
  private backoffUntil = 0
  private awaits: 'process' | 'port' | 'memory' = 'process'
  private launch: Launch | null = null
  private version: string | null = null
  private warnings: string[] = []
  private serving: Serving | null = null
  private restarts = 0
  private lastFailure: EngineFailure | null = null
  private receipt: StopReceipt | null = null
  private readonly waiting = new Set<() => void>()
  /** GPUs that it is given where its configuration leaves them open. */
  private given: readonly number[] = []
  private sleepLevel: 1 | 2 = 1
  private turn = false

  constructor(options: { name: string; config: EngineConfig; world: EngineWorld; host: EngineHost }) {
    this.name = options.name
    this.config = options.config
    this.world = options.world
    this.host = options.host
  }

  /** Somebody wants it to run. */
  start(): void {
    this.post({ type: 'start', by: 'operator' })
  }

  /** A request asks for its model. Starts it where the configuration allows that; what failed stays failed. */
  demand(): void {
    if (this.config.on_demand) this.post({ type: 'start', by: 'demand' })
  }

  /** Its next start is on these GPUs, where its configuration names none. */
  assign(gpus: readonly number[]): void {
    this.given = gpus
  }

  /** Whether it waits for others to leave its GPU. */
  awaitTurn(awaits: boolean): void {
    if (awaits === this.turn) return
    this.turn = awaits
    this.publish()
  }

  /** Another engine needs its GPU: it finishes what it has, and goes, or sleeps where it can. */
  yield(): void {
    this.post({ type: 'yield', sleep: this.config.sleep !== 'off' })
  }

  /** Twice: without waiting for what is in flight. `held`: requests do not start it again, until somebody does. */
  stop({ held = false } = {}): void {
    this.post({ type: 'stop', held })
  }

  restart(): void {
    this.post({ type: 'restart' })
  }

  /** Restarts it only where its effective command differs. `later`: one that runs goes over to it at its next start. */
  reconfigure(config: EngineConfig, later = false): void {
    const { pending } = this
    const hash = configHash(config)
    const isKnown = pending !== null && hash === configHash(pending)
    if (hash !== configHash(this.config) && this.isLiving && (later || isKnown)) {
      const { autostart, on_demand, idle_unload_minutes, restart } = config
      this.pending = config
      this.config = { ...this.config, autostart, on_demand, idle_unload_minutes, restart }
      return this.host.onChange()
    }
    const isSame = hash === configHash(this.config)
    this.pending = null
    this.config = config
    if (!isSame) this.post({ type: 'reconfigured' })
    else this.host.onChange()
  }

  /** The command that it runs with, and that of its next start: with these options changed, where any are given. */
  async command(args: EngineConfig['args'] = {}): Promise<EngineCommandReport> {
    const { name, world, isLiving } = this
    const config = this.pending ?? this.config
    const options = new Map(Object.entries(config.args))
    for (const [option, value] of Object.entries(args)) {
      if (value === null) options.delete(option)
      else options.set(option, value)
    }
    const run = isLiving ? this.run : null
    const running = run?.command ?? null
    const wanted = this.placed({ ...config, args: Object.fromEntries(options) })
    const { next, problems } = await nextCommand(name, wanted, world, run)
    const diff = running === null || next === null ? [] : changedLines(running, next)
    const differs = run !== null && configHash(wanted) !== configHash(this.placed(this.config))
    return { engine: name, running, next, problems, differs, diff }
  }

  /** What an earlier Lexora left: goes on where it is what the configuration wants, and is ended where it is not. */
  take(path: string, record: EngineRecord): void {
    this.found = { path, record }
    this.post({ type: record.configHash === configHash(this.config) ? 'adopt' : 'clear' })
  }

  /** Lets go of a running engine, for a Lexora that comes at once and adopts it. */
  leave(): void {
    this.stopTimers()
    this.run?.leave()
  }

  get state(): EngineState {
    return this.stateNow()
  }

  /** The name that callers use. */
  get model(): string {
    return this.serving?.model ?? servedName(this.config, this.name)
  }

  get isOnDemand(): boolean {
    return this.config.on_demand
  }

  get settings(): EngineConfig {
    return this.config
  }

  /** What it took of each GPU when it started; null: not known. */
  get heldBytes(): number | null {
    return this.run?.heldBytes ?? null
  }

  /** The GPUs that it is on, or was given last. */
  get gpus(): readonly number[] {
    return this.run?.gpus ?? this.given
  }

  /** The last lines that it printed. */
  get lines(): string[] {
    return this.run?.lines ?? []
  }

  /** Resolves with the first state that `isMet` accepts, or with the one it has when `signal` fires. */
  async until(isMet: (state: EngineState) => boolean, signal?: AbortSignal): Promise<EngineState> {
    for (let state = this.state; ; state = this.state) {
      if (isMet(state) || signal?.aborted) return state
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        this.waiting.add(wake)
        signal?.addEventListener('abort', wake)
      })
    }
  }

  view(): EngineView {
    const { run, config } = this
    const live = this.isLiving ? run : null
    return {
      name: this.name,
      kind: config.kind,
      model: this.model,
      state: this.stateNow(),
      launch: this.launch?.said ?? null,
      version: run?.version ?? this.version,
      pid: live?.pid ?? null,
      port: live?.port ?? (config.port === 0 ? null : config.port),
      uptimeMs: live === null ? null : Math.round(performance.now() - live.startedAt),
      restarts: this.restarts,
      onDemand: config.on_demand,
      idleUnloadMinutes: config.idle_unload_minutes,
      derived: run?.derived ?? {},
      warnings: this.warnings,
      lastFailure: this.lastFailure,
      receipt: this.receipt,
    }
  }

  private get isLiving(): boolean {
    return LIVING.includes(this.machine.at.is)
  }

  private stateNow(): EngineState {
    const { at } = this.machine
    const now = performance.now()
    switch (at.is) {
      case 'stopped':
        return this.turn ? { is: 'stopped', turn: 'awaited' } : { is: 'stopped' }
      case 'starting':
        return { ...at, leftMs: this.run?.estimate.leftMs ?? null }
      case 'ready':
      case 'busy':
        return { is: at.is, forMs: Math.round(now - at.since) }
      case 'degraded':
        return { is: 'degraded', reason: at.reason }
      case 'draining':
        return { is: 'draining', left: this.host.work().inFlight }
      case 'stopping':
        return { is: 'stopping', why: at.why, awaits: this.awaits }
      case 'sleeping':
        return { is: 'sleeping', level: this.sleepLevel, step: at.step }
      case 'backoff': {
        const retryInMs = Math.max(0, Math.round(this.backoffUntil - now))
        return { is: 'backoff', failure: at.failure, retryInMs, crashes: this.machine.crashes.length }
      }
      case 'failed':
        return { is: 'failed', failure: at.failure }
      default:
        return at
    }
  }

  /** One event after the other, also where one is posted while another is worked on. */
  private post(event: EngineEvent): void {
    this.inbox.push(event)
    if (this.isReading) return
    this.isReading = true
    for (let next = this.inbox.shift(); next !== undefined; next = this.inbox.shift()) this.handle(next)
    this.isReading = false
  }

  private handle(event: EngineEvent): void {
    const before = this.machine
    const [after, effects] = reduceEngine(before, underPolicy(event, this.config.restart))
    if (after === before && effects.length === 0) return
    this.machine = after
    if (this.pending !== null && !this.isLiving) {
      this.config = this.pending
      this.pending = null
    }
    if (before.at.is !== after.at.is) this.leaveState(before, after)
    else if (before.at.is === 'starting' && after.at.is === 'starting' && before.at.phase !== after.at.phase)
      this.world.log.info('engine', { engine: this.name, state: 'starting', phase: after.at.phase })
    this.note(event, before)
    for (const effect of effects) this.perform(effect)
    this.publish()
  }

  private leaveState({ at: before }: EngineMachine, { at: after }: EngineMachine): void {
    if (before.is === 'backoff') clearTimeout(this.timer)
    if (before.is === 'draining') clearInterval(this.draining)
    if (before.is === 'preflight') this.checking.abort()
    if ('failure' in after) this.lastFailure = after.failure
    const { log } = this.world
    const { name: engine } = this
    if ('failure' in after) log.warn('engine', { engine, state: after.is, cause: after.failure.cause })
    else log.info('engine', { engine, state: after.is })
  }

  private note(event: EngineEvent, before: EngineMachine): void {
    if ((event.type === 'exited' || event.type === 'lost') && before.at.is !== 'draining')
      this.lastFailure = event.failure
    if (event.type === 'due') this.restarts++
  }

  private perform(effect: EngineEffect): void {
    switch (effect.do) {
      case 'preflight':
        return void this.check(effect.run)
      case 'spawn':
        this.run = this.watch(effect.run)
        return this.attempt(effect.run, () => this.run!.launch(this.fitness!))
      case 'join':
        this.run = this.watch(effect.run)
        return this.run.join(this.found!.path, this.found!.record)
      case 'drain':
        return this.drain(effect.run)
      case 'end':
        return void this.end(effect.run, effect.hurry)
      case 'sleep':
        this.sleepLevel = this.config.sleep === 1 && this.fitsInMemory() ? 1 : 2
        return void this.run!.sleep(this.sleepLevel)
      case 'wake':
        return void this.run!.wake(this.sleepLevel)
      case 'wake-at':
        this.backoffUntil = performance.now() + effect.delayMs
        this.timer = setTimeout(() => this.post({ run: effect.run, type: 'due' }), effect.delayMs)
    }
  }

  /** What cannot even be tried, for want of a folder or of descriptors, is a failed start. */
  private attempt(run: number, work: () => void): void {
    try {
      work()
    } catch (error) {
      const failure = failed('host_limits', say`It could not be started: ${(error as Error).message}.`, null, {
        canHeal: true,
      })
      this.post({ run, type: 'exited', at: performance.now(), failure })
    }
  }

  /** A configuration of it with the GPUs that it is given. */
  private placed(config: EngineConfig): EngineConfig {
    const { given } = this
    return config.gpus.length > 0 || given.length === 0 ? config : { ...config, gpus: [...given] }
  }

  /** Asleep at level 1 its weights lie in the machine's memory, which others need too (scheduling.md 7.2). */
  private fitsInMemory(): boolean {
    return freemem() >= (this.run?.weightBytes ?? 0) + SPARE_MEMORY_BYTES
  }

  private watch(run: number): WatchedRun {
    const { name, config, world, host } = this
    return new WatchedRun({
      name,
      config,
      placed: this.placed(config),
      world,
      host,
      tell: (news) => this.post({ run, ...news } as EngineEvent),
      onAwait: (awaits) => {
        this.awaits = awaits
        this.publish()
      },
    })
  }

  private async check(run: number): Promise<void> {
    this.checking.abort()
    this.checking = new AbortController()
    const { world } = this
    const config = this.placed(this.config)
    const { gpu, cacheDir, stateDir } = world
    const onLaunch = (launch: Launch, version: string | null): void => {
      this.launch = launch
      this.version = version
      this.host.onChange()
    }
    const { signal } = this.checking
    try {
      const found = await preflight({ config, world: world.launch, gpu, cacheDir, stateDir, onLaunch, signal })
      if (signal.aborted) return
      if ('unfit' in found)
        return this.post({ run, type: 'preflight-failed', at: performance.now(), found: found.unfit })
      this.fitness = found.value
      this.warnings = found.value.warnings
      this.post({ run, type: 'preflight-passed' })
    } catch (error) {
      const failure = failed('preflight', say`The checks before its start failed: ${(error as Error).message}.`, null)
      this.post({ run, type: 'preflight-failed', at: performance.now(), found: { as: 'failed', failure } })
    }
  }

  private drain(run: number): void {
    const until = performance.now() + this.world.timing.drainMs
    const { at } = this.machine
    const isPatient = at.is === 'draining' && at.why === 'swap'
    const look = (): void => {
      const isOver = !isPatient && performance.now() > until
      if (this.host.work().inFlight === 0 || isOver) this.post({ run, type: 'drained' })
    }
    this.draining = setInterval(look, 50)
    look()
  }

  private async end(number: number, hurry: boolean): Promise<void> {
    const run = this.run ?? this.watch(number)
    if (this.run === null && this.found !== null) run.claim(this.found.path, this.found.record)
    this.run = run
    const receipt = await run.end(hurry)
    if (this.run !== run) return
    this.found = null
    this.receipt = receipt
    if (receipt.left.length === 0) this.run = null
    this.post({ run: number, type: 'gone', left: receipt.left.length === 0 ? null : notEnded(receipt.left) })
  }

  /** Tells the gateway what changed for it, then everybody. */
  private publish(): void {
    const serving = isServing(this.state) ? (this.run?.serving ?? null) : null
    if (serving !== this.serving) {
      this.serving = serving
      this.host.onServing(serving)
    }
    this.host.onChange()
    for (const wake of [...this.waiting]) wake()
  }

  private stopTimers(): void {
    clearTimeout(this.timer)
    clearInterval(this.draining)
    this.checking.abort()
  }
}

function changedLines(before: readonly string[], after: readonly string[]): string[] {
  const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('')
  const [, , ...lines] = unifiedDiff(textOf(before), textOf(after), '').trimEnd().split('\n')
  return lines.filter((line) => /^[-+]/.test(line)).map((line) => `${line[0]} ${line.slice(1)}`)
}

function notEnded(left: StopReceipt['left']): EngineFailure {
  const who = left.map(({ pid, program }) => `${program} (pid ${pid})`).join(', ')
  const fix = say('End it by hand; it may hang in a driver, and then only a reboot helps.')
  return failed('not_ended', say`It could not be ended: ${who}.`, fix)
}
