import { expect, onTestFinished, test } from 'vitest'
import { type Sampled, Sampler } from '../../src/app/sampler.ts'
import type { GpuHolderView, RequestView } from '../../src/protocol/snapshot.ts'
import type { Outcome } from '../../src/telemetry/outcome.ts'
import { anEngine } from '../support/engine-states.ts'

const T = 1_800_000_000_000

const anOutcome = (changes: Partial<Outcome>): Outcome => ({
  reqId: 'r',
  user: null,
  keyId: null,
  task: null,
  app: null,
  address: null,
  remote: false,
  model: 'm',
  backend: 'main',
  endpoint: '/v1/chat/completions',
  stream: true,
  status: 200,
  outcome: 'ok',
  error: null,
  retries: [],
  fallbacks: [],
  band: null,
  queueMs: 0,
  ttftMs: 100,
  latencyMs: 1000,
  awayMs: 900,
  usage: null,
  finish: null,
  requestBytes: 120,
  answerBytes: 600,
  ...changes,
})

function aSampler(held: Sampled['holders'] = async () => []): {
  sampler: Sampler
  live: RequestView[]
  look: ReturnType<Sampled['look']>
} {
  const live: RequestView[] = []
  const look: ReturnType<Sampled['look']> = {
    server: { state: 'serving', open: false },
    engines: [],
    backends: [],
    users: [],
    queues: [],
    gpu: { is: 'unread' },
  }
  const sampler = new Sampler({ look: () => ({ ...look }), requests: () => live, holders: async () => await held() })
  onTestFinished(() => sampler.stop())
  return { sampler, live, look }
}

const request = (tokens: number): RequestView => ({
  id: 'r',
  phase: 'decode',
  user: null,
  app: null,
  endpoint: '',
  stream: true,
  model: 'm',
  backend: 'main',
  attempts: 1,
  mostAttempts: 1,
  ageMs: 1,
  tokens,
})

test('tokens of a running stream count as they come, and its end settles what its bytes did not tell', () => {
  const { sampler, live } = aSampler()
  sampler.sample(T)
  live.push(request(30))
  sampler.sample(T + 1000)
  live.splice(0, 1, request(50))
  sampler.sample(T + 2000)
  live.length = 0
  sampler.record(anOutcome({ usage: { prompt: 10, completion: 57, cached: null } }), T + 2500)
  sampler.sample(T + 3000)
  expect(sampler.series.read('5m', T / 1000 + 4).values.output.slice(-4)).toEqual([0, 30, 20, 7])
})

test('refusals, failures and good ends are told apart, and percentiles are those of good ends', () => {
  const { sampler } = aSampler()
  sampler.sample(T)
  sampler.record(anOutcome({ ttftMs: 80 }), T + 100)
  sampler.record(anOutcome({ status: 503, outcome: 'backend_error', ttftMs: null }), T + 200)
  sampler.record(anOutcome({ status: 429, outcome: 'client_error', ttftMs: null, latencyMs: 1 }), T + 300)
  sampler.sample(T + 1000)
  const { values } = sampler.series.read('5m', T / 1000 + 2)
  const last = Object.fromEntries(Object.entries(values).map(([name, list]) => [name, list.at(-1)]))
  expect(last).toMatchObject({ finished: 3, failed: 1, rejected: 1, ttftP50: 80, totalP95: 1000, gpu: null, kv: null })
})

test('a user who meets his limit again and again is one event', () => {
  const { sampler, look } = aSampler()
  const kim = { name: 'kim', rateLimited: 0 } as ReturnType<Sampled['look']>['users'][number]
  for (let i = 0; i < 4; i++) {
    look.users = [{ ...kim, rateLimited: 2 * i }]
    sampler.sample(T + i * 1000)
  }
  expect(sampler.recent()).toMatchObject([
    { what: 'limited', user: 'kim', times: 6, at: new Date(T + 3000).toISOString() },
  ])
})

const CARD = { is: 'read', tool: 'nvidia-smi', gpus: [{ usedBytes: 90, totalBytes: 100 }] } as unknown as ReturnType<
  Sampled['look']
>['gpu']
const told = (sampler: Sampler, second: number) =>
  sampler.series.read('5m', T / 1000 + second + 1).values.vramOurs.at(-1)

test('who holds the memory is asked again when an engine changes, soon where nobody could tell, and else seldom', async () => {
  let holders: GpuHolderView[] = []
  let asked = 0
  const { sampler, look } = aSampler(async () => {
    asked++
    return holders
  })
  const sample = async (second: number): Promise<void> => {
    sampler.sample(T + second * 1000)
    await Promise.resolve()
    await Promise.resolve()
  }
  look.gpu = CARD
  look.engines = [anEngine({ is: 'ready', forMs: 1 }, 'main', 'm', { pid: 7 })]
  await sample(0)
  holders = [{ pid: 7, program: 'vllm', bytes: 60, engine: 'main' }]
  await sample(1)
  expect(asked).toBe(1)
  await sample(6)
  expect([asked, told(sampler, 6)]).toEqual([2, null])
  look.engines = [anEngine({ is: 'busy', forMs: 1 }, 'main', 'm', { pid: 7 })]
  await sample(20)
  expect([asked, told(sampler, 20)]).toEqual([2, 60])
  look.engines = [...look.engines, anEngine({ is: 'ready', forMs: 1 }, 'other', 'o', { pid: 8 })]
  await sample(21)
  expect(asked).toBe(3)
  look.engines = []
  await sample(22)
  expect(told(sampler, 22)).toBe(0)
})

test('an answer that comes when the engine is gone tells nothing', async () => {
  const answers: ((holders: GpuHolderView[]) => void)[] = []
  const { sampler, look } = aSampler(async () => await new Promise((resolve) => answers.push(resolve)))
  look.gpu = CARD
  look.engines = [anEngine({ is: 'ready', forMs: 1 }, 'main', 'm', { pid: 7 })]
  sampler.sample(T)
  look.engines = []
  sampler.sample(T + 1000)
  answers[0]!([{ pid: 7, program: 'vllm', bytes: 60, engine: 'main' }])
  await new Promise((resolve) => setImmediate(resolve))
  sampler.sample(T + 2000)
  expect(told(sampler, 2)).toBe(0)
})
