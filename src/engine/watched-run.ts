import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EngineNews } from '../policy/engine-state-machine.ts'
import { explainEnd } from '../policy/failure-rules.ts'
import {
  estimateStart,
  learnTimings,
  type PhaseTimings,
  type StartEstimate,
  timingsOf,
} from '../policy/start-estimate.ts'
import { ENGINE_LOG, type EngineFailure, type StopReceipt } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import { configHash, engineCommand, servedName } from './command-line.ts'
import { commandLines } from './command-text.ts'
import { EngineRun, type RunListener } from './engine-run.ts'
import { failed } from './failed.ts'
import type { EngineRecord, Exit, LogText } from './guard/protocol.ts'
import { type EngineConfig, fetchFacts } from './launch.ts'
import { LifeWatch } from './life-watch.ts'
import type { Fitness } from './preflight.ts'
import { measurePrefill, warmUp } from './readiness.ts'
import { readRecord, recordFile } from './record.ts'
import { RunLog } from './run-log.ts'
import { fallAsleep, wakeUp } from './sleep.ts'
import { StartWatch, type Up } from './start-watch.ts'
import { stopRun, usedOf } from './stop-sequence.ts'
import type { EngineHost, EngineWorld, Serving } from './supervision.ts'

type News = EngineNews extends infer One ? (One extends { run: number } ? Omit<One, 'run'> : never) : never

export type RunOptions = {
  name: string
  config: EngineConfig
  /** With the GPUs that it is given. */
  placed: EngineConfig
  world: EngineWorld
  host: EngineHost
  /** Told what becomes of this run; its number is added by who listens. */
  tell: (news: News) => void
  /** What is not gone yet. */
  onAwait: (awaits: 'process' | 'port' | 'memory') => void
}

/** One run of an engine as its supervisor sees it: started or joined, watched until it serves, while it does, and ended. */
export class WatchedRun {
  readonly startedAt = performance.now()
  serving: Serving | null = null
  private readonly options: RunOptions
  private readonly log = new RunLog(performance.now())
  private readonly over = new AbortController()
  private readonly hurry = new AbortController()
  private fitness: Fitness | null = null
  private begun: Promise<EngineRun | null> = Promise.resolve(null)
  private run: EngineRun | null = null
  /** What there may be to end although nobody could join it. */
  private leftBehind: () => EngineRun | null = () => null
  private earlier: PhaseTimings | null = null
  private up: Up | null = null
  private life: LifeWatch | null = null
  private usedReady: number | null = null
  private ended: Promise<StopReceipt> | null = null
  private told = { phase: '', percent: 0 }

  constructor(options: RunOptions) {
    this.options = options
  }

  get pid(): number | null {
    return this.run?.leader?.pid ?? null
  }

  /** What it took of the GPUs, spread evenly over them; null: not known. */
  get heldBytes(): number | null {
    const { usedReady, fitness } = this
    if (usedReady === null || fitness === null || fitness.usedBytes === null) return null
    return Math.max(0, usedReady - fitness.usedBytes) / Math.max(1, this.gpus.length)
  }

  /** Of its weights, all GPUs together; null: not known. */
  get weightBytes(): number | null {
    const model = this.fitness?.model
    return model?.is === 'complete' ? model.bytes : null
  }

  get gpus(): readonly number[] {
    return this.run?.known.about.gpus ?? gpuNumbers(this.options.placed)
  }

  get port(): number | null {
    return this.run?.known.port ?? this.fitness?.port ?? null
  }

  /** Options that Lexora added. */
  get derived(): Record<string, string> {
    return this.run?.known.about.derived ?? {}
  }

  /** As it was started, one option a line, secrets masked; null: not known. */
  get command(): string[] | null {
    return this.run?.known.about.command ?? null
  }

  get version(): string | null {
    return this.log.progress.facts.version ?? null
  }

  /** Of its start, as it stands. */
  get estimate(): StartEstimate {
    return estimateStart(this.log.progress, this.earlier, performance.now())
  }

  get lines(): string[] {
    return this.log.lines
  }

  /** Starts it with what the preflight found. */
  launch(fitness: Fitness): void {
    this.fitness = fitness
    const { name, config, placed, world } = this.options
    const past = world.starts.earlier(this.pastOf(fitness))
    const timings = past.map(({ phases }) => phases as PhaseTimings)
    this.earlier = timings.reduce<PhaseTimings | null>(learnTimings, null)
    const runDir = mkdtempSync(join(tmpdir(), 'lexora-'))
    const marker = randomBytes(12).toString('hex')
    const prefillRate = past.findLast((start) => start.prefillRate !== null)?.prefillRate ?? null
    const facts = { name, key: randomBytes(24).toString('base64url'), runDir, marker, prefillRate }
    const { port, flags, gpu, model } = fitness
    const { env: surroundings } = world.launch
    const known = { isComplete: model?.is === 'complete', ...fetchFacts(world.launch) }
    const machine = { port, flags, gpu, ...known, env: surroundings }
    const command = engineCommand(placed, fitness.launch, { ...facts, ...machine })
    const { argv, env, halt, key, derived, maxSequences, schedulesByPriority } = command
    const shown = commandLines(command, placed, { ...facts, env: surroundings })
    const path = recordFile(world.recordDir, name)
    this.leftBehind = () => {
      const record = readRecord(path)
      return record?.marker === marker ? EngineRun.unguarded(path, record) : null
    }
    const windows = world.launch.platform === 'win32'
    this.begin(
      EngineRun.start(
        world.guard,
        {
          engine: name,
          marker,
          token: randomBytes(24).toString('base64url'),
          argv,
          env,
          cwd: process.cwd(),
          runDir,
          socket: windows ? `\\\\.\\pipe\\lexora-${marker}` : join(runDir, 'guard.sock'),
          recordFile: path,
          port,
          configHash: configHash(config),
          key,
          log: { path: join(world.logDir, `engine-${name}.log`), maxBytes: ENGINE_LOG.bytes, files: ENGINE_LOG.files },
          // Its start takes a second, so that nothing is won by keeping it.
          leaseMs: config.kind === 'demo' ? 0 : world.timing.leaseMs,
          halt,
          about: { derived, maxSequences, schedulesByPriority, gpus: gpuNumbers(placed), command: shown },
        },
        this.listener(),
      ),
    )
  }

  /** Joins what an earlier Lexora started. */
  join(path: string, record: EngineRecord): void {
    this.begin(
      this.adopted(path, record).then((run) => {
        if (run === null) throw new Error('its guard is gone, or belongs to another Lexora')
        return run
      }),
    )
  }

  /** Takes what a record names, with its guard or without, only to end it. */
  claim(path: string, record: EngineRecord): void {
    this.begun = this.adopted(path, record)
  }

  /** Without a guard it can only be ended; what another Lexora has is not even that. */
  private async adopted(path: string, record: EngineRecord): Promise<EngineRun | null> {
    const run = await EngineRun.adopt(path, record, this.listener())
    if (run === null) this.leftBehind = () => EngineRun.unguarded(path, record)
    return run === 'owned' ? null : run
  }

  /** Stops looking at its life; it goes on. */
  rest(): void {
    this.life?.stop()
    this.life = null
  }

  /** Ends it, verified. Again with `hurry`: without waiting for anything to go by itself. */
  end(hurry: boolean): Promise<StopReceipt> {
    this.over.abort()
    this.rest()
    if (hurry) this.hurry.abort()
    this.ended ??= this.stop().finally(() => {
      this.ended = null
    })
    return this.ended
  }

  /** Lets go of it: its guard ends it after the lease, unless it is adopted. */
  leave(): void {
    this.over.abort()
    this.rest()
    this.run?.leave()
  }

  async sleep(level: 1 | 2): Promise<void> {
    this.rest()
    const problem = await fallAsleep(this.up!.target, level)
    if (problem === null) return this.options.tell({ type: 'slept' })
    this.give(
      failed('sleep_failed', say`It did not fall asleep: ${problem}.`, say('Set `sleep` to off.'), { canHeal: true }),
    )
  }

  async wake(level: 1 | 2): Promise<void> {
    const up = this.up!
    const problem = (await wakeUp(up.target, level)) ?? (await this.firstToken(up))
    if (problem !== null)
      return this.give(failed('wake_failed', say`It did not wake up: ${problem}.`, null, { canHeal: true }))
    this.watchLife(up)
    this.options.tell({ type: 'woke' })
  }

  private async firstToken({ target }: Up): Promise<string | null> {
    const warm = await warmUp(target, this.options.world.timing.warmUpMs)
    return 'failed' in warm ? warm.failed : null
  }

  private begin(starting: Promise<EngineRun>): void {
    this.begun = starting.then(
      (run) => {
        this.run = run
        if (!this.over.signal.aborted) void this.becomeReady(run)
        return run
      },
      (error: unknown) => {
        const cause = say`It could not be started: ${(error as Error).message}.`
        const failure = failed('guard', cause, null, { canHeal: true })
        this.rememberFailure(failure)
        this.options.tell({ type: 'exited', at: performance.now(), failure })
        return null
      },
    )
  }

  private listener(): RunListener {
    return {
      pingMs: this.options.world.timing.pingMs,
      onLines: (lines) => this.hear(lines),
      onExited: (exit) => this.exited(exit),
    }
  }

  private hear(lines: readonly LogText[]): void {
    const now = performance.now()
    for (const { text } of lines) {
      this.log.take(text, now)
      this.options.host.onLine?.(text)
    }
    if (this.serving === null) this.tellProgress()
  }

  private tellProgress(): void {
    const { phase } = this.log.progress
    const { percent } = this.estimate
    if (this.told.phase === phase && this.told.percent === percent) return
    this.told = { phase, percent }
    this.options.tell({ type: 'progress', phase, percent })
  }

  private exited(exit: Exit): void {
    const failure = this.explain(exit)
    this.rememberFailure(failure)
    this.over.abort()
    this.rest()
    this.options.tell({ type: 'exited', at: performance.now(), failure })
  }

  private explain({ code, signal, error }: Exit): EngineFailure {
    const { lines } = this.log
    if (error === 'guard') {
      const cause = say('The program that guards it was ended from outside; the engine is ended as well.')
      return failed('guard', cause, null, { canHeal: true, lines: lines.slice(-12) })
    }
    const { config } = this.options
    const settings = {
      args: config.args,
      ...(this.port === null ? {} : { port: this.port }),
      ...(config.model === null ? {} : { model: config.model }),
    }
    const end = { lines, exit: { code, signal }, spawnError: error, wasReady: this.serving !== null }
    return explainEnd(end, settings)
  }

  /** Gives it up although it lives. */
  private give(failure: EngineFailure): void {
    this.rememberFailure(failure)
    this.over.abort()
    this.options.tell({ type: 'lost', at: performance.now(), failure })
  }

  /** What it must list; null: the demo engine serves names of its own. */
  private get wanted(): string | null {
    const { config, name } = this.options
    const isNamed = config.kind !== 'demo' && (config.served_name ?? config.model) !== null
    return isNamed ? servedName(config, name) : null
  }

  private async becomeReady(run: EngineRun): Promise<void> {
    const { timing } = this.options.world
    const watch = new StartWatch({ run, log: this.log, model: this.wanted, timing })
    const found = await watch.outcome(this.over.signal, () => this.tellProgress())
    if (found === null) return
    if ('failure' in found) return this.give(found.failure)
    this.up = found
    await this.serve(run, found)
    if (this.over.signal.aborted) return
    this.remember('ready')
    this.watchLife(found)
    this.options.tell({ type: 'ready', at: performance.now() })
  }

  private async serve({ known }: EngineRun, { target, models, contextLength }: Up): Promise<void> {
    const { config, world } = this.options
    const prefillRate = config.kind === 'vllm' ? await measurePrefill(target, contextLength) : null
    this.usedReady = await usedOf(world.gpu)
    const { maxSequences, schedulesByPriority } = known.about
    const kvTokens = this.log.progress.facts.kvTokens ?? null
    const { port, key, model } = target
    const url = `http://127.0.0.1:${port}`
    const told = { kvTokens, contextLength, prefillRate, maxSequences, schedulesByPriority }
    this.serving = { url, key, kind: config.kind, model, models, ...told }
  }

  /** What this start teaches the next one. One that was joined half-way teaches nothing. */
  private remember(outcome: string): void {
    const { fitness, usedReady } = this
    if (fitness === null) return
    const now = performance.now()
    const { usedBytes } = fitness
    this.options.world.starts.record({
      at: new Date(),
      engine: this.options.name,
      ...this.pastOf(fitness),
      outcome,
      totalMs: now - this.startedAt,
      phases: timingsOf(this.log.progress, now) as Record<string, number>,
      memoryBytes: usedReady === null || usedBytes === null ? null : Math.max(0, usedReady - usedBytes),
      prefillRate: this.serving?.prefillRate ?? null,
      kvTokens: this.serving?.kvTokens ?? null,
    })
  }

  /** Of a start that nobody ended: what it came to before it failed. */
  private rememberFailure(failure: EngineFailure): void {
    if (this.serving === null && !this.over.signal.aborted) this.remember(failure.class)
  }

  private pastOf({ gpuNames }: Fitness) {
    const { config, name } = this.options
    return { model: config.model ?? name, flagsHash: configHash({ ...config, port: 0 }), gpu: gpuNames }
  }

  private watchLife({ target, canary }: Up): void {
    const { config, world, host, tell } = this.options
    this.life = new LifeWatch({
      target,
      canary,
      kind: config.kind,
      idleMs: config.idle_unload_minutes > 0 ? config.idle_unload_minutes * 60_000 : null,
      timing: world.timing,
      work: host.work,
      wallClock: world.wallClock,
      listener: {
        onLoad: (busy) => tell({ type: 'load', busy }),
        onSuspect: (reason) => tell({ type: 'suspect', reason }),
        onRecovered: () => tell({ type: 'recovered' }),
        onIdle: () => tell({ type: 'idle', sleep: config.sleep !== 'off' }),
        onHung: (reason) => {
          const cause = say`It hung: ${reason}.`
          this.give(failed('hang', cause, null, { canHeal: true, lines: this.log.lines.slice(-12) }))
        },
      },
    })
  }

  private async stop(): Promise<StopReceipt> {
    const run = (await this.begun) ?? this.leftBehind()
    const { world, host, onAwait } = this.options
    return await stopRun({
      run,
      port: this.port ?? run?.known.port ?? 0,
      wasServing: this.serving !== null,
      hurry: this.hurry.signal,
      release: host.release,
      gpu: world.gpu,
      usedBefore: this.fitness?.usedBytes ?? null,
      usedReady: this.usedReady,
      timing: world.timing,
      onAwait,
    })
  }
}

/** Those that are named by number. */
function gpuNumbers({ gpus }: EngineConfig): number[] {
  return gpus.filter((gpu) => typeof gpu === 'number')
}
