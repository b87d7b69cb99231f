import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GpuMonitor } from '../../src/engine/gpu-monitor.ts'
import { gpuSource } from '../../src/engine/gpu-source.ts'
import { ENGINE_TIMING, type EngineTiming, type EngineWorld } from '../../src/engine/supervision.ts'
import { Store } from '../../src/store/database.ts'
import { EngineStarts } from '../../src/store/engine-starts.ts'
import { GUARD } from './given.ts'

/** As in real life, only that nothing takes minutes. */
const QUICK: EngineTiming = {
  ...ENGINE_TIMING,
  leaseMs: 5000,
  pingMs: 200,
  probeMs: 40,
  lookMs: 60,
  deafMs: 500,
  healthMs: 1000,
  canaryMs: 700,
  life: { quietMs: 800, slowestPrefill: 1000, silentMs: 1500, idleMs: 600_000, canaries: 2 },
  drainMs: 3000,
  terminateMs: 3000,
  terminateStartingMs: 700,
  groupMs: 500,
  memoryMs: 3000,
}

const DEMO = fileURLToPath(new URL('../../src/demo/main.ts', import.meta.url))

/** Everything that supervisors are given, in one folder. */
export function aWorld(folder: string, env: NodeJS.ProcessEnv, timing: Partial<EngineTiming> = {}) {
  mkdirSync(join(folder, 'state'), { recursive: true })
  const monitor = new GpuMonitor({ env })
  const store = new Store({ path: ':memory:', onSetAside: () => {}, onFailing: () => {}, now: () => new Date() })
  const world: EngineWorld = {
    launch: { env, platform: process.platform, home: folder, demo: [process.execPath, DEMO] },
    guard: GUARD,
    gpu: gpuSource(monitor),
    starts: new EngineStarts(store),
    recordDir: join(folder, 'state', 'engines'),
    logDir: join(folder, 'logs'),
    cacheDir: join(folder, 'cache'),
    stateDir: join(folder, 'state'),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    wallClock: Date.now,
    timing: { ...QUICK, ...timing },
  }
  const close = async (): Promise<void> => {
    await monitor.stop()
    store.close()
  }
  return { world, close }
}
