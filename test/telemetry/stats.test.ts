import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../src/telemetry/outcome.ts'
import { StatsCollector } from '../../src/telemetry/stats.ts'
import { anOutcome } from './given.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** The statistics at `now` after these outcomes, each at its own time. */
function statsAt(now: number, ...outcomes: [at: number, changes?: Partial<Outcome>][]) {
  const stats = new StatsCollector()
  for (const [at, changes] of outcomes) stats.record(anOutcome(changes), at)
  return stats.read(now)
}

const usage = (prompt: number | null, completion: number | null, cached: number | null = null) => ({
  usage: { prompt, completion, cached },
})

test('nothing yet is zero, and no percentile', () => {
  const none = { p50: null, p95: null, p99: null }
  expect(statsAt(5 * HOUR)).toEqual({
    total_requests: 0,
    total_tokens: 0,
    avg_latency_ms: 0,
    requests_per_minute: 0,
    errors_last_hour: 0,
    tokens: { prompt: 0, completion: 0, cached: 0 },
    latency: none,
    ttft: none,
    by_model: {},
    by_user: {},
    by_backend: {},
  })
})

test('requests and tokens are counted in all and by model, user and backend', () => {
  const stats = statsAt(
    3,
    [1, { model: 'a', user: 'ann', backend: 'x', latencyMs: 100, ...usage(10, 5, 4) }],
    [2, { model: 'a', user: 'bob', backend: 'y', latencyMs: 201, ...usage(1, null) }],
    [3, { model: 'b', user: null, backend: null, latencyMs: 0, outcome: 'backend_error', status: 503 }],
  )
  expect(stats).toMatchObject({
    total_requests: 3,
    total_tokens: 16,
    avg_latency_ms: 100,
    tokens: { prompt: 11, completion: 5, cached: 4 },
    by_model: {
      a: { requests: 2, errors: 0, prompt_tokens: 11, completion_tokens: 5 },
      b: { requests: 1, errors: 1, prompt_tokens: 0, completion_tokens: 0 },
    },
    by_user: { ann: { requests: 1 }, bob: { requests: 1 }, anonymous: { requests: 1, errors: 1 } },
    by_backend: { x: { requests: 1 }, y: { requests: 1 } },
  })
  expect(Object.keys(stats.by_backend)).toEqual(['x', 'y'])
})

test.each([
  ['ok', 0],
  ['client_error', 0],
  ['client_closed', 0],
  ['backend_error', 1],
  ['stream_error', 1],
] as const)('an outcome of %s counts as %i errors', (outcome, errors) => {
  const stats = statsAt(1, [1, { outcome }])
  expect([stats.errors_last_hour, stats.by_model['tiny']?.errors]).toEqual([errors, errors])
})

describe('windows', () => {
  test('requests count for a minute', () => {
    const given: [number][] = [[0], [500], [59_999]]
    expect(statsAt(59_999, ...given).requests_per_minute).toBe(3)
    expect(statsAt(MINUTE, ...given).requests_per_minute).toBe(1)
    expect(statsAt(2 * MINUTE, ...given).requests_per_minute).toBe(0)
  })

  test('errors count for an hour', () => {
    const given: [number, Partial<Outcome>][] = [
      [0, { outcome: 'backend_error' }],
      [HOUR - 1, { outcome: 'stream_error' }],
    ]
    expect(statsAt(HOUR - 1, ...given).errors_last_hour).toBe(2)
    expect(statsAt(HOUR, ...given).errors_last_hour).toBe(1)
    expect(statsAt(2 * HOUR, ...given).errors_last_hour).toBe(0)
  })

  test('start at any time, and a day of silence forgets all', () => {
    expect(statsAt(77 * HOUR, [77 * HOUR]).requests_per_minute).toBe(1)
    expect(statsAt(101 * HOUR, [77 * HOUR]).requests_per_minute).toBe(0)
  })

  test('reading changes nothing', () => {
    const stats = new StatsCollector()
    stats.record(anOutcome(), 0)
    expect([stats.read(30_000), stats.read(30_000)].map((read) => read.requests_per_minute)).toEqual([1, 1])
  })
})

describe('percentiles', () => {
  const latencies = (values: number[]) => statsAt(0, ...values.map((latencyMs): [number, object] => [0, { latencyMs }]))

  test('of one request are that request, to a tenth', () => {
    expect(latencies([12.345]).latency).toEqual({ p50: 12.3, p95: 12.3, p99: 12.3 })
  })

  test('are taken in the order of size', () => {
    const values = Array.from({ length: 101 }, (_, i) => (i * 37) % 101)
    expect(latencies(values).latency).toEqual({ p50: 50, p95: 95, p99: 99 })
  })

  test('of time to first token leave out answers that were no streams', () => {
    expect(statsAt(0, [0, { ttftMs: null }], [0, { ttftMs: 8 }]).ttft.p50).toBe(8)
  })

  test('forget what is older than the last 2,048 requests', () => {
    const values = [...new Array(2048).fill(1000), ...new Array(2048).fill(5)]
    expect(latencies(values).latency).toEqual({ p50: 5, p95: 5, p99: 5 })
  })
})

describe('rows', () => {
  test('D23: are bounded; beyond a thousand, users share one', () => {
    const stats = new StatsCollector()
    for (let i = 0; i < 100_000; i++) stats.record(anOutcome({ user: `junk-${i}` }), 0)
    const { by_user } = stats.read(0)
    expect(Object.keys(by_user).length).toBe(1001)
    expect(by_user['other']).toMatchObject({ requests: 99_000 })
    expect(by_user['junk-0']).toMatchObject({ requests: 1 })
  })

  test('D10: of users named as every object’s own parts are rows like others', () => {
    const stats = statsAt(0, [0, { user: '__proto__' }], [0, { user: 'constructor' }])
    expect(Object.keys(stats.by_user)).toEqual(['__proto__', 'constructor'])
    expect(JSON.parse(JSON.stringify(stats)).by_user.constructor.requests).toBe(1)
  })
})
