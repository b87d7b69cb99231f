import type { AppSnapshot, QueueView, ServerView, UserView, WaiterView } from '../../src/protocol/snapshot.ts'

type Changes = Partial<Omit<AppSnapshot, 'server'>> & { server?: Partial<ServerView> }

/** A Lexora with one backend that rests; name what matters. */
export function aSnapshot({ server, ...changes }: Changes = {}): AppSnapshot {
  return {
    revision: 1,
    takenAt: '2026-11-21T12:00:00.000Z',
    server: {
      version: '1.2.3',
      pid: 4711,
      startedAt: '2026-11-21T08:48:00.000Z',
      uptimeSeconds: 11_520,
      address: 'http://localhost:8001/v1',
      network: [],
      configPath: '/etc/lexora_config.yaml',
      state: 'serving',
      pendingRestart: [],
      offline: false,
      capture: null,
      configFault: null,
      inFlight: 0,
      ...server,
    },
    health: {
      status: 'healthy',
      model: 'tiny',
      gpu_memory_used: null,
      gpu_memory_total: null,
      gpu_memory_used_bytes: null,
      gpu_memory_total_bytes: null,
      uptime: '3h 12m',
      uptime_seconds: 11_520,
      vllm_status: 'connected',
      backends: { main: { status: 'up', latency_ms: 2, models: ['tiny'], breaker: 'closed' } },
      engines: {},
      queue: { waiting: 0, by_band: { high: 0, normal: 0, low: 0 } },
      reasons: [],
      version: '1.2.3',
    },
    backends: [
      {
        name: 'main',
        type: 'vllm',
        host: '127.0.0.1:8000',
        status: 'up',
        reason: null,
        breaker: 'closed',
        inFlight: 0,
        limit: null,
        models: ['tiny'],
        fallbacks: [],
        latencyMs: 2,
      },
    ],
    models: [],
    queues: [],
    users: [],
    engines: [],
    gpu: { is: 'none', reason: 'There is no GPU.' },
    stats: {
      total_requests: 0,
      total_tokens: 0,
      avg_latency_ms: 0,
      requests_per_minute: 0,
      errors_last_hour: 0,
      tokens: { prompt: 0, completion: 0, cached: 0 },
      latency: { p50: null, p95: null, p99: null },
      ttft: { p50: null, p95: null, p99: null },
      by_model: {},
      by_user: {},
      by_backend: {},
    },
    ...changes,
  }
}

/** A queue with room for eight at once and nobody in it. */
export function aQueue(changes: Partial<QueueView> = {}): QueueView {
  return {
    backend: 'main',
    permits: { inFlight: 0, limit: 8, auto: false, openLoop: false, alarm: null, kvUse: null, foreign: 0 },
    depth: { high: 0, normal: 0, low: 0 },
    waiting: [],
    ...changes,
  }
}

export function aWaiter(changes: Partial<WaiterView> = {}): WaiterView {
  return {
    id: 'r1',
    band: 'normal',
    flow: { user: 'ann', app: 'chat' },
    user: 'ann',
    model: 'tiny',
    place: 1,
    ageMs: 400,
    predictedWaitMs: 1200,
    ...changes,
  }
}

/** Somebody who was heard of and has nothing here now. */
export function aUser(changes: Partial<UserView> = {}): UserView {
  return {
    name: 'ann',
    inFlight: 0,
    waiting: 0,
    limits: null,
    requestsThisMinute: 0,
    tokensThisMinute: 0,
    rateLimited: 0,
    waitedMs: null,
    remote: false,
    ...changes,
  }
}
