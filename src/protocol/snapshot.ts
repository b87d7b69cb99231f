import type { CaptureView } from './captures.ts'
import type { EngineStateName, EngineView } from './engine.ts'
import type { InstallView, PullView } from './models.ts'

/**
 * Everything a face may show, replaced whole with each change. It holds no secrets: no keys, no headers, no prompts or
 * answers, and of a backend's address the host alone. Durations in milliseconds, unless a name says otherwise.
 */
export type AppSnapshot = {
  /** Grows with every snapshot taken in one process; `server.startedAt` tells processes apart. */
  revision: number
  /** ISO 8601. */
  takenAt: string
  server: ServerView
  health: HealthReport
  backends: BackendReport[]
  models: ModelEntry[]
  /** One for each backend that requests have been sent to. */
  queues: QueueView[]
  /** Who has something running or waiting, or was heard of in the last minute; busiest first, at most 200. */
  users: UserView[]
  engines: EngineView[]
  gpu: GpuReport
  stats: Stats
  /** Models on their way here; not there while there are none. */
  pulls?: PullView[]
  /** An engine that is being installed; not there otherwise. */
  install?: InstallView
}

/** The GPUs of this machine. None, or a tool that is of no use, is a value with its reason. */
export type GpuReport =
  | { is: 'unread' }
  | { is: 'none'; reason: string }
  | { is: 'failed'; tool: string; reason: string }
  | { is: 'read'; tool: string; gpus: GpuView[] }

/** Shares are 0 to 1. What a card or its driver does not tell is null. */
export type GpuView = {
  index: number
  name: string
  driver: string | null
  totalBytes: number | null
  usedBytes: number | null
  freeBytes: number | null
  utilization: number | null
  temperatureC: number | null
  powerW: number | null
  powerLimitW: number | null
  /** Why it runs slower than it could; `none`: it does not. */
  throttle: 'none' | 'power' | 'hardware' | 'heat' | null
}

/** Somebody who holds memory of a GPU. */
export type GpuHolderView = {
  pid: number
  program: string
  /** Null: the system does not tell how much. */
  bytes: number | null
  /** The engine of ours that it belongs to; null: it is somebody else's. */
  engine: string | null
}

export type ServerView = {
  version: string
  pid: number
  /** ISO 8601. */
  startedAt: string
  uptimeSeconds: number
  /** Of the first listener, as clients use it: `http://localhost:8001/v1`. */
  address: string
  /** Where other machines reach it, host and port; empty: only this machine does. */
  network: string[]
  /** The configuration file in use; null: defaults. */
  configPath: string | null
  /** `starting`: it listens, but a backend or an engine is still awaited. `paused`: new requests are turned away. */
  state: 'starting' | 'serving' | 'paused' | 'draining'
  /** Managed and passed-through requests that have not ended. */
  inFlight: number
  /** Settings that were changed and take effect only when Lexora is started again. */
  pendingRestart: string[]
  /** No other computer is spoken to: `privacy.offline`. */
  offline: boolean
  /** Nor any of these: `privacy.blocked`. Left out: none. */
  blocked?: string[]
  /** Whose prompts and answers are kept for a while; null, as it nearly always is: nobody's. */
  capture: CaptureView | null
  /** The configuration as it is now was refused, and what was in force before still is; null: it is in force. */
  configFault: ConfigFault | null
  /** How many origins were turned away and wait for a decision; not there while none does. */
  waitingOrigins?: number
  /** Records that are lost for want of room on a disk; not there while none is. */
  diskFull?: FullRecord[]
}

export type FullRecord = 'request-log' | 'users' | 'history'

/** Where to look first: `lexora_config.yaml:12:5`, `server.port` (empty: the text as a whole). `count`: of all that is wrong. */
export type ConfigFault = { place: string; path: string; count: number }

export type BackendReport = {
  name: string
  type: string
  /** Host and port; null for one that answers in this process. */
  host: string | null
  status: 'unknown' | 'up' | 'down'
  /** Why it is down. */
  reason: string | null
  breaker: 'closed' | 'half-open' | 'open'
  /** Requests that it works on now. */
  inFlight: number
  /** How many it is given at most, as its queue has it now; null until the first request went there. */
  limit: number | null
  models: string[]
  /** The backends that answer in its place, in their order; empty also where fallbacks are off. */
  fallbacks: string[]
  /** Of the last probe. */
  latencyMs: number | null
}

/** One entry of `GET /v1/models`: OpenAI's fields, vLLM's `max_model_len`, and whether a backend serves it now. */
export type ModelEntry = {
  id: string
  object: 'model'
  created: number
  owned_by: string
  max_model_len?: number
  root?: string
  /** Of an adapter: the model that it belongs to. */
  parent?: string
  /** `starting`: requests wait for its engine. `on_demand`: the next request starts it. */
  state: 'ready' | 'starting' | 'on_demand' | 'unavailable'
  backends: string[]
}

export type Band = 'high' | 'normal' | 'low'

/** One backend's queue and what it may have in flight. */
export type QueueView = {
  backend: string
  permits: PermitView
  /** All that wait, by band. */
  depth: Record<Band, number>
  /** Who waits, in the order in which they would run as things stand; the first 100. */
  waiting: WaiterView[]
}

export type PermitView = {
  inFlight: number
  limit: number
  /** True where the limit follows what the engine shows; false for a plain number. */
  auto: boolean
  /** The engine's metrics cannot be read or trusted, so the limit is counted here alone. */
  openLoop: boolean
  /** What is wrong with its metrics. */
  alarm: string | null
  /** Share of the engine's KV cache in use, 0 to 1; null where it does not tell. */
  kvUse: number | null
  /** Requests that the engine runs for others than this Lexora. */
  foreign: number
}

export type WaiterView = {
  /** The request id, as in `x-request-id`. */
  id: string
  band: Band
  /** What takes turns inside the band: a user and one of its programs. */
  flow: { user: string; app: string }
  /** Whom statistics and the request log name; null: nobody said. */
  user: string | null
  model: string
  /** 1 for who is next at this backend. */
  place: number
  ageMs: number
  /** How much longer it should wait; null: nothing is known. */
  predictedWaitMs: number | null
}

/** One request that has not ended. */
export type RequestView = {
  /** As in `x-request-id`. */
  id: string
  /** `reading`: its body is still arriving. `backoff`: an attempt failed and the next one is due. */
  phase: 'reading' | 'queued' | 'prefill' | 'decode' | 'backoff'
  user: string | null
  /** The program that asks, as it says of itself; null: nothing was said. */
  app: string | null
  endpoint: string
  stream: boolean
  /** null: not known yet. */
  model: string | null
  backend: string | null
  /** Those begun, the one under way with them. */
  attempts: number
  /** How many there will be if each fails that may be tried again. */
  mostAttempts: number
  ageMs: number
  /** Of the answer so far, told by its bytes; null: none yet, or no stream. */
  tokens: number | null
}

/** What the gateway itself knows of a user. */
export type UserLoad = {
  /** As statistics and the request log name it; `anonymous` for nobody. */
  name: string
  inFlight: number
  waiting: number
  /** null: not limited. */
  limits: {
    perSecond: number | null
    burst: number | null
    tokensPerMinute: number | null
    maxConcurrent: number | null
  }
}

/** And what the finished requests of the last minute add to it. `limits` null: nothing is limited here. */
export type UserView = Omit<UserLoad, 'limits'> & {
  limits: UserLoad['limits'] | null
  requestsThisMinute: number
  tokensThisMinute: number
  /** Refused by a limit since the start. */
  rateLimited: number
  /** What its requests of the last minute waited in the queue; null: it had none. */
  waitedMs: { mean: number; max: number } | null
  /** Some of them came from another machine. */
  remote: boolean
}

/** The body of `GET /health` (DESIGN 4.3): the seeds' fields, and exact twins of what they print for people. */
export type HealthReport = {
  status: 'healthy' | 'degraded' | 'unhealthy'
  model: string | null
  gpu_memory_used: string | null
  gpu_memory_total: string | null
  gpu_memory_used_bytes: number | null
  gpu_memory_total_bytes: number | null
  uptime: string
  uptime_seconds: number
  vllm_status: 'connected' | 'disconnected' | 'not_configured'
  backends: Record<string, BackendHealth>
  engines: Record<string, EngineHealth>
  queue: QueueTotals
  reasons: string[]
  version: string
}

export type BackendHealth = {
  status: BackendReport['status']
  latency_ms: number | null
  models: string[]
  breaker: string
  reason?: string
}

export type EngineHealth = { state: EngineStateName; phase?: string; percent?: number }

/** The queues of all backends together. */
export type QueueTotals = { waiting: number; by_band: Record<Band, number> }

/** The body of `GET /stats` (DESIGN 4.3), without who waits now; milliseconds and tokens. */
export type Stats = {
  total_requests: number
  total_tokens: number
  avg_latency_ms: number
  requests_per_minute: number
  errors_last_hour: number
  tokens: { prompt: number; completion: number; cached: number }
  latency: Percentiles
  ttft: Percentiles
  by_model: Record<string, StatsRow>
  by_user: Record<string, StatsRow>
  by_backend: Record<string, StatsRow>
}

export type Percentiles = { p50: number | null; p95: number | null; p99: number | null }

export type StatsRow = { requests: number; errors: number; prompt_tokens: number; completion_tokens: number }
