/**
 * What every face may know of an engine, and the one place that says which buttons it offers. It holds no secrets:
 * an engine's key stays with its owner. Durations are in milliseconds, as of the moment the view was made.
 */
export type EngineState =
  /** There is nothing to start: no executable, no image. `failure` says what was looked for. */
  | { is: 'not-installed'; failure: EngineFailure }
  /** `turn`: it was asked to start, and comes once others have left its GPU. */
  | { is: 'stopped'; turn?: 'awaited' }
  /** Executable, free memory, port, model files and disk are being checked. */
  | { is: 'preflight' }
  | EngineStarting
  /** It serves; `busy`: all that it can run at once is running. */
  | { is: 'ready' | 'busy'; forMs: number }
  | { is: 'degraded'; reason: string }
  /** Asked to stop, still finishing `left` requests. */
  | { is: 'draining'; left: number }
  /** `why`: what led here. `awaits`: what is not gone yet. */
  | {
      is: 'stopping'
      why: 'asked' | 'idle' | 'restart' | 'swap' | 'crashed' | 'unfit'
      awaits: 'process' | 'port' | 'memory'
    }
  | { is: 'sleeping'; level: 1 | 2; step: 'falling' | 'asleep' | 'waking' }
  /** Crashed; the next try comes by itself. */
  | { is: 'backoff'; failure: EngineFailure; retryInMs: number; crashes: number }
  | { is: 'failed'; failure: EngineFailure }
  /** Somebody else's server holds the port. It is named, never ended. */
  | { is: 'foreign'; holder: PortHolder }

/** `leftMs`: learned from earlier starts of this model; null for a first one. */
export type EngineStarting = { is: 'starting'; phase: string; percent: number; leftMs: number | null }

export type EngineStateName = EngineState['is']

/** In the order in which an engine may meet them; `engine_state` of /metrics has one series for each. */
export const ENGINE_STATES = [
  'not-installed',
  'stopped',
  'preflight',
  'starting',
  'ready',
  'busy',
  'degraded',
  'draining',
  'stopping',
  'sleeping',
  'backoff',
  'failed',
  'foreign',
] as const satisfies readonly EngineStateName[]

/** An engine's log: so many files, the oldest of which gives way, of so many bytes. */
export const ENGINE_LOG = { files: 3, bytes: 8 * 1024 * 1024 } as const

export type EngineFailure = {
  /** From a closed set, as `vram_busy`; `unknown` where no rule knew it. */
  class: string
  /** One sentence. */
  cause: string
  /** What to do, with the computed value where there is one; null: nothing that Lexora knows. */
  fix: string | null
  /** Such a fix as a change of the engine's configuration, for a button; null: it is not one. */
  change: Record<string, string | number | boolean | null> | null
  /** Trying again may work. */
  canHeal: boolean
  /** The last lines it printed. */
  lines: string[]
}

/** Who listens on a port. What the system does not tell is null. */
export type PortHolder = {
  port: number
  pid: number | null
  program: string | null
  /** What it serves, where it speaks OpenAI's API: such a server may be adopted as a backend. */
  models: string[] | null
}

/** What a stop gave back, measured. */
export type StopReceipt = {
  tookMs: number
  /** Memory of the GPUs that is free again; null without a GPU that tells. */
  freedBytes: number | null
  portFree: boolean
  /** Processes of ours that could not be ended, which is never expected. */
  left: { pid: number; program: string }[]
  /** Who else holds memory of the GPU, where what came back falls short. */
  holders: { pid: number; program: string; bytes: number }[]
}

export type EngineView = {
  name: string
  kind: string
  /** The name that callers use. */
  model: string | null
  state: EngineState
  /** How it is launched, and what was found for it: `venv /opt/vllm`. Null until it was looked for. */
  launch: string | null
  version: string | null
  pid: number | null
  port: number | null
  /** Since it was started; null while it does not run. */
  uptimeMs: number | null
  /** Starts since Lexora runs that nobody asked for. */
  restarts: number
  onDemand: boolean
  /** 0: never. */
  idleUnloadMinutes: number
  /** Options that Lexora added, by name: what it derived from the machine and from measurement. */
  derived: Record<string, string>
  /** What is odd but does not stop it. */
  warnings: string[]
  /** Of the last crash or failed start, also after it healed. */
  lastFailure: EngineFailure | null
  /** Of the last stop. */
  receipt: StopReceipt | null
}

/** The commands of an engine, one option a line, with secrets masked. */
export type EngineCommandReport = {
  engine: string
  /** As it was started; null: it does not run, or an earlier version of Lexora started it. */
  running: string[] | null
  /** Of its next start, as far as that can be told now; null: there is nothing to start it with. */
  next: string[] | null
  /** What would be wrong with it. */
  problems: string[]
  /** The next start changes something, also where only a masked value does. */
  differs: boolean
  /** What it changes of the lines: `-` in front of those that go, `+` of those that come. */
  diff: string[]
}

/** A command as a shell takes it. */
export const shellText = (lines: readonly string[]): string => lines.join(' \\\n  ')

/** Requests may be sent to it. */
export const isServing = ({ is }: EngineState): boolean => is === 'ready' || is === 'busy' || is === 'degraded'

/** It is on its way to serving; a request may wait for it. */
export const isComing = (state: EngineState): boolean =>
  ['preflight', 'starting', 'backoff'].includes(state.is) ||
  (state.is === 'sleeping' && state.step !== 'asleep') ||
  (state.is === 'stopped' && state.turn === 'awaited')

export const canStart = ({ is }: EngineState): boolean =>
  ['not-installed', 'stopped', 'stopping', 'sleeping', 'backoff', 'failed', 'foreign'].includes(is)

/** A second stop is for one that drains or stops: it skips the wait. */
export const canStop = ({ is }: EngineState): boolean => !['not-installed', 'stopped', 'failed', 'foreign'].includes(is)

export const canRestart = (state: EngineState): boolean =>
  isServing(state) || ['starting', 'sleeping'].includes(state.is)
