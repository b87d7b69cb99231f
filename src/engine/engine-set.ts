import { rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { EngineView, StopReceipt } from '../protocol/engine.ts'
import { EngineRun } from './engine-run.ts'
import { GpuTurns } from './gpu-turns.ts'
import type { EngineConfig } from './launch.ts'
import { readBootId } from './processes.ts'
import { readRecords, removeRecord } from './record.ts'
import type { EngineHost, EngineWorld } from './supervision.ts'
import { Supervisor } from './supervisor.ts'

export type EngineSetOptions = {
  engines: Readonly<Record<string, EngineConfig>>
  world: EngineWorld
  host: (name: string) => EngineHost
}

const ORPHAN_GRACE_MS = 5000
const DECIDED_WITHIN_MS = 3000

/** All engines of a configuration, each with its supervisor; and those that earlier ones left behind. */
export class EngineSet {
  private readonly options: EngineSetOptions
  private readonly byName = new Map<string, Supervisor>()
  /** No longer configured, and not ended yet. */
  private readonly leaving = new Map<string, { engine: Supervisor; gone: Promise<void> }>()
  private readonly hosts = new Map<string, EngineHost>()
  /** Who starts them, and for whom they leave. */
  readonly turns: GpuTurns

  constructor(options: EngineSetOptions) {
    this.options = options
    const { gpu, launch, log } = options.world
    this.turns = new GpuTurns({
      engines: () => this.all(),
      work: (name) => this.hosts.get(name)!.work(),
      gpu,
      world: launch,
      log,
    })
    for (const [name, config] of Object.entries(options.engines)) this.add(name, config)
  }

  get(name: string): Supervisor | undefined {
    return this.byName.get(name)
  }

  all(): Supervisor[] {
    return [...this.byName.values()]
  }

  /** Who would serve a model of this name. */
  forModel(model: string): Supervisor | undefined {
    return this.all().find((engine) => engine.model === model || engine.name === model)
  }

  views(): EngineView[] {
    return this.all().map((engine) => engine.view())
  }

  /** Adopts or ends what lives of earlier runs, then starts those that are to start with Lexora. */
  async open(): Promise<void> {
    await this.sweep()
    const toStart = Object.entries(this.options.engines).filter(([, { autostart }]) => autostart)
    const decided = Promise.all(toStart.map(async ([name]) => await this.turns.ask(name, 'start')))
    const late = new AbortController()
    // A tool that hangs over the GPUs holds up nobody else.
    await Promise.race([decided, pause(DECIDED_WITHIN_MS, undefined, { signal: late.signal }).catch(() => {})])
    late.abort()
  }

  /**
   * Another configuration: what is gone from it is ended once `idle` resolves, what is new is added, what differs
   * restarts, or with `later` goes over to it at its next start. Answers the names of those that are new.
   */
  reconfigure(
    engines: Readonly<Record<string, EngineConfig>>,
    idle: (engine: Supervisor) => Promise<void> = async () => {},
    later = false,
  ): string[] {
    for (const engine of this.all().filter(({ name }) => !Object.hasOwn(engines, name))) this.remove(engine, idle)
    const added = Object.keys(engines).filter((name) => !this.byName.has(name))
    for (const [name, config] of Object.entries(engines)) {
      const known = this.byName.get(name)
      if (known === undefined) this.add(name, config)
      else known.reconfigure(config, later)
    }
    return added
  }

  /** Resolves when none of these names belongs to an engine that is still being ended. */
  async whenGone(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.leaving.get(name)?.gone))
  }

  private remove(engine: Supervisor, idle: (engine: Supervisor) => Promise<void>): void {
    const { name } = engine
    this.byName.delete(name)
    const gone = idle(engine)
      .then(() => stopped(engine))
      .finally(() => this.leaving.delete(name))
    this.leaving.set(name, { engine, gone })
  }

  /** Frees every GPU: all engines stop, and no request starts one again until somebody does. */
  async freeGpu(): Promise<{ engine: string; receipt: StopReceipt | null }[]> {
    const engines = this.all()
    for (const engine of engines) this.turns.forget(engine)
    const ran = new Set(engines.filter(({ state }) => state.is !== 'stopped'))
    for (const engine of engines) engine.stop({ held: true })
    await Promise.all(engines.map((engine) => engine.until(isAtRest)))
    return [...ran].map((engine) => ({ engine: engine.name, receipt: engine.view().receipt }))
  }

  /** Ends all of them, verified. `hurry` skips every wait. */
  async close(hurry?: AbortSignal): Promise<void> {
    this.turns.close()
    const leaving = [...this.leaving.values()].map(({ engine }) => engine)
    await Promise.all([...this.all(), ...leaving].map((engine) => stopped(engine, hurry)))
  }

  /** Lets go of all that run, for a Lexora that comes at once and adopts them. */
  leave(): void {
    this.turns.close()
    for (const engine of this.all()) engine.leave()
  }

  private add(name: string, config: EngineConfig): void {
    const { world } = this.options
    const host = this.options.host(name)
    const onChange = (): void => {
      host.onChange()
      this.turns.poke()
    }
    this.hosts.set(name, host)
    this.byName.set(name, new Supervisor({ name, config, world, host: { ...host, onChange } }))
  }

  private async sweep(): Promise<void> {
    const { recordDir, log } = this.options.world
    const bootId = readBootId()
    for (const { path, record } of readRecords(recordDir)) {
      // After another boot none of its numbers means anything.
      if (record.bootId !== bootId) {
        removeRecord(path)
        rmSync(record.runDir, { recursive: true, force: true })
        continue
      }
      const engine = this.byName.get(record.engine)
      if (engine !== undefined) {
        engine.take(path, record)
        continue
      }
      log.warn('an engine that is no longer configured is ended', { engine: record.engine, pid: record.leader?.pid })
      const ignore = { pingMs: this.options.world.timing.pingMs, onLines: () => {}, onExited: () => {} }
      const run = (await EngineRun.adopt(path, record, ignore)) ?? EngineRun.unguarded(path, record)
      if (run !== 'owned') await run.end(ORPHAN_GRACE_MS)
    }
  }
}

const isAtRest = ({ is }: { is: string }): boolean => ['not-installed', 'stopped', 'failed', 'foreign'].includes(is)

async function stopped(engine: Supervisor, hurry?: AbortSignal): Promise<void> {
  const again = (): void => engine.stop()
  engine.stop()
  if (hurry?.aborted) again()
  hurry?.addEventListener('abort', again)
  await engine.until(isAtRest)
  hurry?.removeEventListener('abort', again)
}
