import type { LifeRules } from '../policy/engine-liveness.ts'
import { LIFE_RULES } from '../policy/engine-liveness.ts'
import type { EngineStart } from '../store/engine-starts.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { GuardProgram } from './guard-link.ts'
import type { LaunchWorld } from './launch.ts'
import type { GpuSource } from './preflight.ts'

/** What the gateway has with an engine now. */
export type EngineWork = {
  /** Requests whose upstream side is not over. */
  inFlight: number
  /** All that were ever sent to it, so that none between two looks is missed. */
  sent: number
  /** When any of them last brought a byte or ended; `performance.now()`. */
  lastTokenAt: number
  /** Prompt tokens of those that have shown nothing yet. */
  prefillTokens: number
  /** How many it is given at most; null: not known. */
  limit: number | null
  /** When the first of those who wait for it has waited as long as its band may; null: nobody waits. */
  lateAt: number | null
  /** What those who are answered from its cache would lose with it, in ms of computing. */
  debtMs: number
}

/** An engine that serves, as the gateway needs it. */
export type Serving = {
  url: string
  key: string | null
  kind: string
  /** The name that it goes by, and all that it lists. */
  model: string
  models: string[]
  contextLength: number | null
  /** Most requests that it runs at once; null: not known. */
  maxSequences: number | null
  kvTokens: number | null
  /** Prompt tokens a second, as measured when it was warmed up. */
  prefillRate: number | null
  /** A band's own `priority` may be told to it. */
  schedulesByPriority: boolean
}

/** What a supervisor is given to work with; the same for every engine. */
export type EngineWorld = {
  launch: LaunchWorld
  guard: GuardProgram
  gpu: GpuSource
  starts: {
    record: (start: EngineStart) => void
    earlier: (of: EarlierOf) => EngineStart[]
    latest: (engine: string | null) => EngineStart[]
  }
  /** Ownership records. */
  recordDir: string
  logDir: string
  cacheDir: string
  stateDir: string
  log: Logger
  /** The time of day, in ms. */
  wallClock: () => number
  timing: EngineTiming
}

type EarlierOf = Pick<EngineStart, 'model' | 'flagsHash' | 'gpu'>

/** What one engine's owner is told and asked. */
export type EngineHost = {
  work: () => EngineWork
  /** It serves, or it must not be sent anything new (null). What is in flight goes on. */
  onServing: (serving: Serving | null) => void
  /** Closes every connection to it: one that is left open can hold up its end for ever (captures, 6c). */
  release: () => void
  /** Its view changed. */
  onChange: () => void
  /** A line that it printed. */
  onLine?: (text: string) => void
}

export type EngineTiming = {
  leaseMs: number
  /** How often a guard is asked whether it is there. */
  pingMs: number
  /** How often its port is tried while it starts. */
  probeMs: number
  /** How often its life is looked at while it serves. */
  lookMs: number
  /** Nothing printed and no processor time used for so long: it stalls. */
  stallMs: number
  /** Nothing printed for so long: it stalls, whatever it uses. */
  muteMs: number
  /** After it said that it is up, it answers within this. */
  deafMs: number
  warmUpMs: number
  healthMs: number
  canaryMs: number
  life: LifeRules
  /** How long requests in flight may go on once it is asked to stop. */
  drainMs: number
  /** From SIGTERM to the end of its own process; shorter while it starts, where the signal may be lost. */
  terminateMs: number
  terminateStartingMs: number
  /** From SIGTERM to its group to SIGKILL. */
  groupMs: number
  /** How long its memory may take to come back. */
  memoryMs: number
}

export const ENGINE_TIMING: EngineTiming = {
  leaseMs: 30_000,
  pingMs: 2000,
  probeMs: 250,
  lookMs: 2000,
  stallMs: 120_000,
  muteMs: 900_000,
  deafMs: 15_000,
  warmUpMs: 300_000,
  healthMs: 10_000,
  canaryMs: 30_000,
  life: LIFE_RULES,
  drainMs: 20_000,
  terminateMs: 20_000,
  terminateStartingMs: 3000,
  groupMs: 5000,
  memoryMs: 15_000,
}
