import { setTimeout } from 'node:timers/promises'
import type { Backend } from '../backends/backend.ts'
import type { EngineFigures, EngineStanding } from '../backends/engine-handle.ts'
import type { BackendRegistry } from '../backends/registry.ts'
import { namesOf } from '../config/adapters.ts'
import { Adapters } from '../engine/adapters.ts'
import { servedName } from '../engine/command-line.ts'
import { EngineSet } from '../engine/engine-set.ts'
import type { Swap } from '../engine/gpu-turns.ts'
import type { EngineConfig } from '../engine/launch.ts'
import type { EngineHost, EngineWorld, Serving } from '../engine/supervision.ts'
import type { Supervisor } from '../engine/supervisor.ts'
import type { Queues } from '../gateway/queues.ts'
import { PATIENCE_MS } from '../policy/gpu-turns.ts'
import { type BackendType, plainBackend, type ResolvedBackend } from '../protocol/config.ts'
import type { EngineFailure, EngineState, EngineView, StopReceipt } from '../protocol/engine.ts'
import { type Problem, problem } from '../protocol/errors.ts'
import { say } from '../protocol/sentence.ts'

/** How long an engine that is no longer configured may finish what it was given, and how often that is looked at. */
const LEAVING_MS = 60_000
const LOOK_MS = 100

/** What speaks at the other end. */
const TYPES: Record<EngineConfig['kind'], BackendType> = {
  vllm: 'vllm',
  demo: 'vllm',
  'llama-server': 'llamacpp',
  embedded: 'openai_compatible',
  command: 'openai_compatible',
}

/** What the demo engine serves; it is a program of its own, from which nothing is imported. */
export const DEMO_MODELS = ['demo-chat', 'demo-embed']

const UNKNOWN: EngineFigures = { kvTokens: null, maxSequences: null, prefillRate: null }

/** The backend that stands for an engine in routing, from the start on: requests for its model wait for it. */
export function engineBackend(name: string, config: EngineConfig): ResolvedBackend {
  const backend = plainBackend(name, `http://127.0.0.1:${config.port}`)
  const models = config.kind === 'demo' ? DEMO_MODELS : [servedName(config, name), ...namesOf(config).keys()]
  return { ...backend, type: TYPES[config.kind], models, soleModel: models[0]! }
}

/** Where supervisors and gateway meet: an engine's state becomes its backend's, a backend's work its engine's life. */
export class Engines {
  private readonly set: EngineSet
  private registry: BackendRegistry
  private queues: Queues
  private readonly serving = new Map<string, Serving>()
  private readonly adapters = new Map<string, Adapters>()
  /** Freed by somebody: no request starts them again. */
  private readonly held = new Set<string>()
  private readonly onServing: (backend: Backend, serving: boolean) => void
  private closing = false

  constructor(options: {
    engines: Readonly<Record<string, EngineConfig>>
    world: EngineWorld
    registry: BackendRegistry
    queues: Queues
    /** It serves from now on, or does so no more. */
    onServing: (backend: Backend, serving: boolean) => void
  }) {
    const { engines, world, registry, queues } = options
    this.registry = registry
    this.queues = queues
    this.onServing = options.onServing
    this.set = new EngineSet({ engines, world, host: (name) => this.hostOf(name) })
    for (const supervisor of this.set.all()) this.join(supervisor)
  }

  get(name: string): Supervisor | undefined {
    return this.set.get(name)
  }

  all(): Supervisor[] {
    return this.set.all()
  }

  get swaps(): Swap[] {
    return this.set.turns.swaps
  }

  views(): EngineView[] {
    return this.set.views()
  }

  /** Adopts or ends what an earlier Lexora left, then starts what is to start with this one. */
  async open(): Promise<void> {
    await this.set.open()
  }

  /** Resolves once it is known whether it comes at once, or has to wait for others to leave its GPU. */
  async start(supervisor: Supervisor): Promise<void> {
    this.held.delete(supervisor.name)
    // What it is at is not done a second time, and what it leaves it may take back.
    if (['stopped', 'failed', 'not-installed', 'foreign', 'sleeping'].includes(supervisor.state.is))
      await this.set.turns.ask(supervisor.name, 'operator')
    else supervisor.start()
  }

  /** A second one does not wait for what is in flight. */
  stop(supervisor: Supervisor): void {
    this.set.turns.forget(supervisor)
    supervisor.stop()
  }

  restart(supervisor: Supervisor): void {
    this.held.delete(supervisor.name)
    supervisor.restart()
  }

  async freeGpu(): Promise<{ engine: string; receipt: StopReceipt | null }[]> {
    for (const { name } of this.set.all()) {
      this.held.add(name)
      this.queues.engineChanged(this.registry.get(name)!)
    }
    return await this.set.freeGpu()
  }

  /**
   * Other engines, whose backends are in `registry` already. What is gone finishes what it has been given, and is ended;
   * what is new starts if it is to start with Lexora. `later`: what runs goes over to it at its next start.
   */
  reconfigure(
    engines: Readonly<Record<string, EngineConfig>>,
    registry: BackendRegistry,
    queues: Queues,
    later = false,
  ): void {
    const before = this.registry
    this.registry = registry
    this.queues = queues
    const idle = async ({ name }: Supervisor): Promise<void> => await this.whenIdle(before.get(name)!)
    const added = this.set.reconfigure(engines, idle, later)
    for (const name of added) {
      const supervisor = this.set.get(name)!
      this.held.delete(name)
      this.join(supervisor)
      if (engines[name]!.autostart) void this.set.turns.ask(name, 'start')
    }
  }

  /** Resolves when none of these names belongs to an engine that is still being ended. */
  async whenGone(names: readonly string[]): Promise<void> {
    await this.set.whenGone(names)
  }

  /** Who waits for it or runs there is let through, for a while; then nobody can want it any more. */
  private async whenIdle(backend: Backend): Promise<void> {
    const until = performance.now() + LEAVING_MS
    const queue = this.queues.at(backend)
    const isBusy = (): boolean => backend.inFlight > 0 || queue.fair.size > 0
    while (isBusy() && performance.now() < until && !this.closing) await setTimeout(LOOK_MS)
    const message = say`The engine '${backend.name}' is no longer configured.`
    const standing: EngineStanding = { is: 'unavailable', problem: problem('no_backend', message) }
    backend.engine = { standing: () => standing, want: () => {}, figures: () => UNKNOWN, prepare: () => null }
    queue.engineChanged()
  }

  async close(hurry?: AbortSignal): Promise<void> {
    this.closing = true
    await this.set.close(hurry)
  }

  private join(supervisor: Supervisor): void {
    const { name } = supervisor
    const backend = this.registry.get(name)!
    backend.engine = {
      standing: () => this.standingOf(supervisor),
      want: () => this.set.turns.want(),
      prepare: (model) => this.prepare(supervisor, model),
      figures: () => figuresOf(this.serving.get(name)),
    }
  }

  private prepare({ name, settings }: Supervisor, model: string): Promise<Problem | null> | null {
    const loading = this.adapters.get(name)?.prepare(model, settings) ?? null
    return loading?.then((why) => (why === null ? null : adapterProblem(model, why))) ?? null
  }

  private hostOf(name: string): EngineHost {
    // Also while it is being ended, and its name is no longer in the registry.
    const backend = this.registry.get(name)!
    let last = ''
    return {
      work: () => {
        const { inFlight, sent, lastTokenAt } = backend
        const queue = this.queues.at(backend)
        const { prefillBacklog, limit, kvUse } = queue.state(performance.now())
        const lateAt = queue.lateAt(PATIENCE_MS)
        const debtMs = cacheDebt(this.serving.get(name), kvUse)
        return { inFlight, sent, lastTokenAt, prefillTokens: prefillBacklog, limit, lateAt, debtMs }
      },
      onServing: (serving) => {
        if (serving === null) this.serving.delete(name)
        else {
          this.serving.set(name, serving)
          backend.moveTo({ url: serving.url, apiKey: serving.key })
          backend.schedulesByPriority = serving.schedulesByPriority
          const { contextLength } = serving
          backend.setReported(
            serving.models.map((id) => ({ id, ownedBy: name, contextLength, created: null, parent: null })),
          )
          backend.parents = new Map([...namesOf(this.set.get(name)!.settings).keys()].map((id) => [id, serving.model]))
        }
        const known = this.adapters.get(name) ?? new Adapters()
        this.adapters.set(name, known)
        known.serves(serving, this.set.get(name)!.settings)
        this.onServing(backend, serving !== null)
      },
      release: () => backend.release(),
      onChange: () => {
        // The queue is told of what changes for it: an engine's view changes with every line that it prints.
        const supervisor = this.set?.get(name)
        const standing = supervisor === undefined ? '' : this.standingOf(supervisor).is
        if (standing === last) return
        last = standing
        this.queues.engineChanged(backend)
      },
    }
  }

  private standingOf({ name, state, isOnDemand }: Supervisor): EngineStanding {
    if (this.serving.has(name)) return { is: 'serving' }
    switch (state.is) {
      case 'starting':
        return { is: 'coming', leftMs: state.leftMs }
      case 'sleeping':
        return state.step === 'waking' ? { is: 'coming', leftMs: null } : { is: 'startable', leftMs: null }
      case 'stopping':
        if (state.why === 'restart' || state.why === 'crashed' || state.why === 'unfit')
          return { is: 'coming', leftMs: null }
        return this.whenStopped(name, isOnDemand)
      case 'draining':
      case 'stopped':
        return this.whenStopped(name, isOnDemand)
      case 'failed':
      case 'not-installed':
        return { is: 'unavailable', problem: failedProblem(name, state.failure) }
      case 'foreign':
        return { is: 'unavailable', problem: foreignProblem(name, state) }
      default:
        return { is: 'coming', leftMs: null }
    }
  }

  private whenStopped(name: string, isOnDemand: boolean): EngineStanding {
    if (isOnDemand && !this.held.has(name)) return { is: 'startable', leftMs: null }
    const message = say`The engine '${name}' is stopped. Start it: lexora start ${name}`
    return { is: 'unavailable', problem: problem('no_backend', message, { retryAfterMs: 5000 }) }
  }
}

/** What filling its cache again would take, at most 30 s (scheduling.md 7.2). */
function cacheDebt(serving: Serving | undefined, kvUse: number): number {
  if (serving === undefined || serving.kvTokens === null || serving.prefillRate === null) return 0
  return Math.min(30_000, (1000 * kvUse * serving.kvTokens) / serving.prefillRate)
}

function figuresOf(serving: Serving | undefined): EngineFigures {
  if (serving === undefined) return UNKNOWN
  const { kvTokens, maxSequences, prefillRate } = serving
  return { kvTokens, maxSequences, prefillRate: prefillRate === null ? null : prefillRate / 1000 }
}

function failedProblem(name: string, { cause, fix }: EngineFailure): Problem {
  const message = say`The engine '${name}' does not run: ${fix === null ? cause : `${cause} ${fix}`}`
  return problem('engine_failed', message, { retryAfterMs: 30_000 })
}

function adapterProblem(model: string, why: string): Problem {
  const message = say`The adapter '${model}' could not be loaded: ${why}`
  return problem('engine_failed', message, { retryAfterMs: 30_000 })
}

function foreignProblem(name: string, { holder }: Extract<EngineState, { is: 'foreign' }>): Problem {
  const who = holder.program === null ? say('another program') : say`${holder.program} (pid ${holder.pid})`
  const message = say`The engine '${name}' cannot start: its port ${holder.port} is held by ${who}.`
  return problem('engine_failed', message, { retryAfterMs: 30_000 })
}
