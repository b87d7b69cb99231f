import { EngineSet } from '../../src/engine/engine-set.ts'
import { endFamily, livingFamily } from '../../src/engine/family.ts'
import type { EngineConfig } from '../../src/engine/launch.ts'
import { readRecords } from '../../src/engine/record.ts'
import type { EngineTiming, EngineWork, EngineWorld, Serving } from '../../src/engine/supervision.ts'
import type { Supervisor } from '../../src/engine/supervisor.ts'
import { configSchema } from '../../src/protocol/config.ts'
import type { EngineState } from '../../src/protocol/engine.ts'
import { createFakeHost, type FakeHost } from '../support/fake-vllm/process/host.ts'
import { aFolder, until } from './given.ts'
import { aWorld } from './world.ts'

/** A block of ports for each test file, below those that the system gives to whoever connects. */
let port = 10_000 + ((process.pid * 131) % 220) * 100

export type RigOptions = {
  host?: Parameters<typeof createFakeHost>[0]
  engine?: Record<string, unknown>
  timing?: Partial<EngineTiming>
  env?: Record<string, string>
}

/** One engine named `main`, the process double as its vLLM, and everything that a supervisor needs, in one folder. */
export class Rig {
  readonly folder = aFolder()
  readonly host: FakeHost
  readonly world: EngineWorld
  readonly config: EngineConfig
  readonly states: string[] = []
  readonly lines: string[] = []
  readonly work: EngineWork = {
    inFlight: 0,
    sent: 0,
    lastTokenAt: 0,
    prefillTokens: 0,
    limit: null,
    lateAt: null,
    debtMs: 0,
  }
  readonly port: number
  serving: Serving | null = null
  released = 0
  engines: EngineSet
  private readonly closeWorld: () => Promise<void>

  constructor({ host, engine, timing, env }: RigOptions = {}) {
    this.host = createFakeHost(host)
    this.port = port++
    const path = this.folder.path
    const { world, close } = aWorld(path, { ...this.host.env, ...env }, timing)
    this.world = world
    this.closeWorld = close
    const given = { model: 'Qwen/Qwen3-8B', served_name: 'qwen3-8b', port: this.port, ...engine }
    this.config = configSchema.parse({ engines: { main: given } }).engines['main']!
    this.engines = this.another()
  }

  /** A Lexora like the first one, in the same folder; the states of all are told in one list. */
  another(config = this.config): EngineSet {
    const engines: EngineSet = new EngineSet({
      engines: { main: config },
      world: this.world,
      host: () => ({
        work: () => this.work,
        onServing: (serving) => {
          this.serving = serving
        },
        release: () => {
          this.released++
        },
        onChange: () => this.note(engines),
        onLine: (text) => void this.lines.push(text),
      }),
    })
    return engines
  }

  get engine(): Supervisor {
    return this.engines.get('main')!
  }

  /** Waits for a state, and hands it over. */
  async reaches<Is extends EngineState['is']>(is: Is, ms = 30_000): Promise<Extract<EngineState, { is: Is }>> {
    const signal = AbortSignal.timeout(ms)
    const state = await this.engine.until((now) => now.is === is, signal)
    if (state.is !== is) throw new Error(`it is ${JSON.stringify(state)}, not ${is}: ${this.states.join(' → ')}`)
    return state as Extract<EngineState, { is: Is }>
  }

  async started(): Promise<void> {
    this.engine.start()
    await this.reaches('ready')
  }

  /** Pids of engines that live, of any run. */
  alive(): number[] {
    return this.host.runs().flatMap((run) => run.alive())
  }

  /** In afterEach: whatever the test left is ended, and nothing may be left then. */
  async dispose(): Promise<void> {
    await this.engines.close(AbortSignal.abort())
    for (const { record } of readRecords(this.world.recordDir)) {
      await endFamily({ marker: record.marker, leader: record.leader, members: record.members }, 0)
      if (record.guard !== null)
        await until(
          'the guard is gone',
          () => livingFamily({ marker: '', leader: record.guard, members: [] }, false).length === 0,
        )
    }
    await this.closeWorld()
    this.host.dispose()
    this.folder.remove()
  }

  private note(engines: EngineSet): void {
    const state = engines.get('main')?.state.is
    if (state !== undefined && this.states.at(-1) !== state) this.states.push(state)
  }
}
