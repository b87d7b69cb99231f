import { describe, expect, test } from 'vitest'
import { ENGINE_STATES } from '../../src/protocol/engine.ts'
import { type BackendGauges, Metrics } from '../../src/telemetry/metrics.ts'
import type { Outcome } from '../../src/telemetry/outcome.ts'
import { readExposition, type Sample } from './exposition.ts'
import { anOutcome } from './given.ts'

async function exposed(outcomes: readonly Partial<Outcome>[], backends: BackendGauges[] = []): Promise<Sample[]> {
  const metrics = new Metrics(() => ({
    backends,
    depth: { high: 2, normal: 0, low: 1 },
    engines: [],
    swaps: [],
    gpus: [],
  }))
  for (const changes of outcomes) metrics.record(anOutcome(changes))
  return readExposition(await metrics.expose())
}

/** The samples of one metric, as `label=value … number`. */
function of(samples: readonly Sample[], name: string): string[] {
  return samples
    .filter((sample) => sample.name === name)
    .map(({ labels, value }) => [...Object.entries(labels).map(([label, text]) => `${label}=${text}`), value].join(' '))
}

/** Where one value fell: the smallest bound that its bucket has. */
function bucketOf(samples: readonly Sample[], name: string): string | undefined {
  return samples.find((sample) => sample.name === `${name}_bucket` && sample.value > 0)?.labels['le']
}

test('a request is counted by endpoint, model, backend and outcome', async () => {
  const samples = await exposed([{}, {}, { outcome: 'client_error', backend: null, model: 'other' }])
  expect(of(samples, 'lexora_requests_total')).toEqual([
    'endpoint=/v1/chat/completions model=tiny backend=main outcome=ok 2',
    'endpoint=/v1/chat/completions model=other backend=none outcome=client_error 1',
  ])
})

test('tokens are counted by model and kind', async () => {
  const samples = await exposed([
    { usage: { prompt: 10, completion: 5, cached: null } },
    { usage: { prompt: 1, completion: null, cached: 1 } },
  ])
  expect(of(samples, 'lexora_tokens_total')).toEqual([
    'model=tiny kind=prompt 11',
    'model=tiny kind=completion 5',
    'model=tiny kind=cached 1',
  ])
})

test('retries and fallbacks are counted one by one', async () => {
  const samples = await exposed([
    {
      retries: [
        { backend: 'a', reason: 'lost', afterMs: 10 },
        { backend: 'a', reason: 'lost', afterMs: 10 },
      ],
      fallbacks: [{ from: 'a', to: 'b' }],
    },
  ])
  expect(of(samples, 'lexora_retries_total')).toEqual(['backend=a reason=lost 2'])
  expect(of(samples, 'lexora_fallbacks_total')).toEqual(['from=a to=b 1'])
})

describe('times are in seconds', () => {
  test('of the whole request', async () => {
    expect(bucketOf(await exposed([{ latencyMs: 2400 }]), 'lexora_request_duration_seconds')).toBe('2.5')
  })

  test('to the first token, of streams only', async () => {
    const name = 'lexora_time_to_first_token_seconds'
    expect(bucketOf(await exposed([{ ttftMs: 90 }]), name)).toBe('0.1')
    expect(of(await exposed([{ ttftMs: null }]), `${name}_count`)).toEqual(['model=tiny 0'])
  })

  test('in the queue, by band; none for what never waits', async () => {
    const name = 'lexora_queue_wait_seconds'
    const samples = await exposed([{ band: 'low', queueMs: 2400 }, { band: null }])
    expect(of(samples, `${name}_sum`)).toEqual(['band=low 2.4'])
    expect(of(samples, 'lexora_queue_depth')).toEqual(['band=high 2', 'band=normal 0', 'band=low 1'])
  })

  test('between two tokens, of whole streams', async () => {
    const name = 'lexora_inter_token_latency_seconds'
    const usage = { prompt: 1, completion: 11, cached: null }
    const stream = { stream: true, ttftMs: 100, latencyMs: 500, usage }
    expect(bucketOf(await exposed([stream]), name)).toBe('0.05')
    for (const other of [
      { ...stream, stream: false },
      { ...stream, outcome: 'stream_error' as const },
    ]) {
      expect(of(await exposed([other]), `${name}_count`)).toEqual(['model=tiny 0'])
    }
  })

  test('of Lexora itself: all but the queue and the backend, and never negative', async () => {
    const name = 'lexora_overhead_seconds'
    expect(bucketOf(await exposed([{ latencyMs: 100, awayMs: 60, queueMs: 39.2 }]), name)).toBe('0.001')
    expect(of(await exposed([{ latencyMs: 100, awayMs: 101 }]), `${name}_sum`)).toEqual(['0'])
  })
})

test('gauges show the backends as they are at the moment of the scrape', async () => {
  const backends: BackendGauges[] = [{ name: 'a', inFlight: 1, up: false, breaker: 2, permits: null }]
  const metrics = new Metrics(() => ({ backends, depth: {}, engines: [], swaps: [], gpus: [] }))
  await metrics.expose()
  backends[0] = { name: 'a', inFlight: 3, up: true, breaker: 0, permits: { limit: 8, openLoop: true } }
  const samples = readExposition(await metrics.expose())
  const gauges = ['in_flight', 'backend_up', 'breaker_state', 'permit_limit', 'open_loop'].map((name) =>
    of(samples, `lexora_${name}`),
  )
  expect(gauges).toEqual([['backend=a 3'], ['backend=a 1'], ['backend=a 0'], ['backend=a 8'], ['backend=a 1']])
})

test('the process tells of itself', async () => {
  expect(of(await exposed([]), 'process_resident_memory_bytes').length).toBe(1)
})

test('D23: a hundred thousand users, keys, tasks and ids add no series', async () => {
  const metrics = new Metrics(() => ({ backends: [], depth: {}, engines: [], swaps: [], gpus: [] }))
  const series = async () =>
    readExposition(await metrics.expose()).filter(({ name }) => name.startsWith('lexora_')).length
  metrics.record(anOutcome())
  const before = await series()
  for (let i = 0; i < 100_000; i++) {
    metrics.record(anOutcome({ reqId: `r${i}`, user: `u${i}`, keyId: `k${i}`, task: `t${i}` }))
  }
  expect(await series()).toBe(before)
})

test('names that backends report, however odd, leave the exposition readable', async () => {
  const model = 'a"b\\c\nd}e{f,g="h"'
  const samples = await exposed([{ model, ttftMs: 1, usage: { prompt: 1, completion: 1, cached: 0 } }])
  const models = new Set(samples.flatMap(({ labels }) => labels['model'] ?? []))
  expect([...models]).toEqual([model])
})

test('an engine has one series for each state, of which one is 1, and counts its restarts and how often it left its GPU to another', async () => {
  const engines = [{ name: 'qwen', state: { is: 'stopped' as const }, restarts: 3 }]
  const swaps = [{ engine: 'qwen', because: 'late', count: 2 }]
  const metrics = new Metrics(() => ({ backends: [], depth: {}, engines, swaps, gpus: [] }))
  const samples = readExposition(await metrics.expose())
  const states = samples.filter(({ name }) => name === 'lexora_engine_state')
  expect(states.map(({ labels }) => labels['state'])).toEqual([...ENGINE_STATES])
  expect(states.filter(({ value }) => value === 1).map(({ labels }) => labels)).toEqual([
    { engine: 'qwen', state: 'stopped' },
  ])
  for (const _ of [1, 2]) {
    const again = readExposition(await metrics.expose())
    expect(of(again, 'lexora_engine_restarts_total')).toEqual(['engine=qwen 3'])
    expect(of(again, 'lexora_engine_swaps_total')).toEqual(['engine=qwen reason=late 2'])
  }
})

test('a GPU shows what it tells, and nothing in place of what it does not', async () => {
  const gpu = {
    index: 1,
    name: 'A card',
    driver: null,
    totalBytes: 24e9,
    usedBytes: 6e9,
    freeBytes: 18e9,
    utilization: 0.5,
    temperatureC: 61,
    powerW: null,
    powerLimitW: null,
    throttle: null,
  }
  const metrics = new Metrics(() => ({ backends: [], depth: {}, engines: [], swaps: [], gpus: [gpu] }))
  const samples = readExposition(await metrics.expose())
  const told = samples.filter(({ name }) => name.startsWith('lexora_gpu_'))
  expect(told.map(({ name, labels, value }) => [name, labels['gpu'], value])).toEqual([
    ['lexora_gpu_utilization_ratio', '1', 0.5],
    ['lexora_gpu_memory_used_bytes', '1', 6e9],
    ['lexora_gpu_memory_total_bytes', '1', 24e9],
    ['lexora_gpu_temperature_celsius', '1', 61],
  ])
})
