import { describe, expect, onTestFinished, test } from 'vitest'
import type { BackendOptions } from '../../src/backends/backend.ts'
import { timeoutFailure } from '../../src/backends/failure.ts'
import { BackendRegistry } from '../../src/backends/registry.ts'
import { printDuration, readHealth } from '../../src/gateway/routes/health.ts'
import { plainBackend } from '../../src/protocol/config.ts'
import type { QueueTotals } from '../../src/protocol/snapshot.ts'
import { anEngine } from '../support/engine-states.ts'

const aBackend = (name: string, changes: Partial<BackendOptions> = {}): BackendOptions => ({
  ...plainBackend(name, 'http://127.0.0.1:9'),
  ...changes,
})

/** Backends that nothing was asked of yet; a registry opens no connection by itself. */
function aRegistry(...backends: BackendOptions[]): BackendRegistry {
  const registry = new BackendRegistry(backends)
  onTestFinished(() => registry.close())
  return registry
}

function probed(registry: BackendRegistry, name: string, is: 'up' | 'down'): void {
  const reason = is === 'down' ? 'ECONNREFUSED' : null
  registry.get(name)?.probed({ is, latencyMs: is === 'up' ? 3 : null, reason }, performance.now())
}

function failed(registry: BackendRegistry, name: string): void {
  for (let i = 0; i < 3; i++) registry.get(name)?.onFailed(timeoutFailure(name, 'took too long'))
}

const EMPTY: QueueTotals = { waiting: 0, by_band: { high: 0, normal: 0, low: 0 } }

const health = (registry: BackendRegistry, over: Partial<Parameters<typeof readHealth>[0]> = {}) =>
  readHealth({
    registry,
    engines: [],
    memory: null,
    queue: EMPTY,
    requestLog: null,
    uptimeSeconds: 97_925.7,
    version: '1.2.3',
    ...over,
  })

test('the report has the fields of the seeds, and exact twins of what they print', () => {
  const registry = aRegistry(aBackend('a', { models: ['m', 'n'] }))
  probed(registry, 'a', 'up')
  expect(health(registry)).toEqual({
    status: 'healthy',
    model: 'm',
    gpu_memory_used: null,
    gpu_memory_total: null,
    gpu_memory_used_bytes: null,
    gpu_memory_total_bytes: null,
    uptime: '1d 3h 12m',
    uptime_seconds: 97_925,
    vllm_status: 'connected',
    backends: { a: { status: 'up', latency_ms: 3, models: ['m', 'n'], breaker: 'closed' } },
    engines: {},
    queue: { waiting: 0, by_band: { high: 0, normal: 0, low: 0 } },
    reasons: [],
    version: '1.2.3',
  })
})

describe('status', () => {
  const two = () => {
    const registry = aRegistry(aBackend('a'), aBackend('b'))
    probed(registry, 'a', 'up')
    probed(registry, 'b', 'up')
    return registry
  }

  test('is healthy before the first probe: nothing is known against it', () => {
    expect(health(aRegistry(aBackend('a'))).status).toBe('healthy')
  })

  test('is degraded while one of two backends is down, and says which and why', () => {
    const registry = two()
    probed(registry, 'b', 'down')
    expect(health(registry)).toMatchObject({
      status: 'degraded',
      reasons: ['backend b is down (ECONNREFUSED)'],
      backends: { b: { status: 'down', latency_ms: null, reason: 'ECONNREFUSED' } },
    })
  })

  test('is degraded while a breaker is open', () => {
    const registry = two()
    failed(registry, 'b')
    expect(health(registry)).toMatchObject({
      status: 'degraded',
      reasons: ['backend b is failing: its breaker is open'],
      backends: { b: { status: 'up', breaker: 'open' } },
    })
  })

  test('is unhealthy when no backend can serve', () => {
    const registry = two()
    probed(registry, 'a', 'down')
    failed(registry, 'b')
    expect(health(registry).status).toBe('unhealthy')
  })

  test('is unhealthy without any backend', () => {
    expect(health(aRegistry())).toMatchObject({ status: 'unhealthy', model: null, backends: {} })
  })

  test('is degraded while the request log cannot be written', () => {
    expect(health(two(), { requestLog: { failing: 'ENOSPC', dropped: 5 } })).toMatchObject({
      status: 'degraded',
      reasons: ['request log cannot be written (ENOSPC)'],
    })
    expect(health(two(), { requestLog: { failing: null, dropped: 5 } }).status).toBe('healthy')
  })
})

describe('vllm_status', () => {
  test('tells of backends that are a vLLM', () => {
    const registry = aRegistry(aBackend('a'), aBackend('b', { type: 'openai_compatible' }))
    probed(registry, 'b', 'up')
    expect(health(registry).vllm_status).toBe('disconnected')
    probed(registry, 'a', 'up')
    expect(health(registry).vllm_status).toBe('connected')
  })

  test('is not_configured where there is none', () => {
    expect(health(aRegistry(aBackend('a', { type: 'ollama' }))).vllm_status).toBe('not_configured')
  })
})

describe('engines', () => {
  test('are told by name and state, and a start with its phase', () => {
    const engines = [
      anEngine({ is: 'starting', phase: 'loading weights', percent: 40, leftMs: null }, 'big', 'm'),
      anEngine({ is: 'ready', forMs: 10 }, 'small', 'm'),
    ]
    expect(health(aRegistry(aBackend('a')), { engines }).engines).toEqual({
      big: { state: 'starting', phase: 'loading weights', percent: 40 },
      small: { state: 'ready' },
    })
  })
})

test('queue says how many wait, by band', () => {
  const queue = { waiting: 3, by_band: { high: 1, normal: 0, low: 2 } }
  expect(health(aRegistry(aBackend('a')), { queue }).queue).toEqual(queue)
})

test.each([
  [0, '0s'],
  [59.9, '59s'],
  [60, '1m'],
  [3599, '59m'],
  [3600, '1h'],
  [3660, '1h 1m'],
  [86_400, '1d'],
  [302_400, '3d 12h'],
  [90_061, '1d 1h 1m'],
  [8_640_000, '100d'],
])('%d seconds are printed as %s', (seconds, text) => {
  expect(printDuration(seconds)).toBe(text)
})
