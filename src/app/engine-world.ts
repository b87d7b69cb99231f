import { join } from 'node:path'
import type { LexoraPaths } from '../config/paths.ts'
import type { GpuMonitor } from '../engine/gpu-monitor.ts'
import { gpuSource } from '../engine/gpu-source.ts'
import { ENGINE_TIMING, type EngineWorld } from '../engine/supervision.ts'
import { versionsFolder } from '../engine/versions.ts'
import type { Store } from '../store/database.ts'
import { EngineStarts } from '../store/engine-starts.ts'
import type { Logger } from '../telemetry/logger.ts'

/** What engines need of the world outside. */
export type EngineSurroundings = {
  env: Readonly<Record<string, string | undefined>>
  platform: NodeJS.Platform
  home: string
  nodeProgram: string
  demoEntry: string
  guardEntry: string
  paths: LexoraPaths
  monitor: GpuMonitor
  store: Store
  log: Logger
  isOffline: () => boolean
  isHubOff: () => boolean
}

/** What a guard is given of the environment: enough to run Node, and nothing secret. */
const GUARD_VARIABLES = ['PATH', 'Path', 'SystemRoot', 'TEMP', 'TMP', 'TMPDIR', 'ELECTRON_RUN_AS_NODE']

export function engineWorld(given: EngineSurroundings): EngineWorld {
  const { env, platform, home, paths, monitor, store, log, isOffline, isHubOff } = given
  const guardEnv = Object.fromEntries(
    GUARD_VARIABLES.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  )
  return {
    launch: {
      env,
      platform,
      home,
      demo: [given.nodeProgram, given.demoEntry],
      versions: versionsFolder(paths.stateDir),
      isOffline,
      isHubOff,
    },
    guard: { command: given.nodeProgram, entry: given.guardEntry, env: { ...guardEnv, NODE_NO_WARNINGS: '1' } },
    gpu: gpuSource(monitor),
    starts: new EngineStarts(store),
    recordDir: join(paths.stateDir, 'engines'),
    logDir: paths.logDir,
    cacheDir: paths.cacheDir,
    stateDir: paths.stateDir,
    log,
    wallClock: Date.now,
    timing: ENGINE_TIMING,
  }
}
