/** Section 2.A of the fault catalogue: what clients do. */
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, startApp, startFake, until } from '../support/app.ts'
import { startDeafListener } from '../support/deaf-listener.ts'
import type { FakeOptions } from '../support/fake-vllm/server.ts'
import { RawClient } from '../support/raw-client.ts'
import { aChat, ask } from '../support/requests.ts'

const CHAT = '/v1/chat/completions'

async function setUp(fakeOptions: FakeOptions = {}, config: Parameters<typeof startApp>[1] = {}) {
  const fake = await startFake(fakeOptions)
  const lexora = await startApp([{ name: 'main', url: fake.url }], config)
  return { fake, lexora, baseline: activeTimers() }
}

/** One slot, and somebody in it until the returned client goes. */
async function occupied(fakeOptions: FakeOptions) {
  const fake = await startFake(fakeOptions)
  const lexora = await startApp([{ name: 'main', url: fake.url, maxInFlight: 1 }])
  const baseline = activeTimers()
  const first = await RawClient.open(lexora.port)
  first.post(CHAT, aChat({ stream: true, max_tokens: 400 }))
  await first.until((text) => text.includes('data:'))
  return { fake, lexora, baseline, first }
}

describe('A: the client', () => {
  test.each([
    ['A1', 'a stream', { stream: true }],
    ['A1', 'an answer that is no stream', {}],
  ])('%s leaves while queued for %s: its place is free, the engine never hears of it', async (_id, _what, over) => {
    const { fake, lexora, baseline, first } = await occupied({ tokenMs: 20 })
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat(over))
    await until(() => lexora.app.inFlight.waiting === 1)
    client.destroy()
    await lexora.outcomesReach(1)
    expect(lexora.app.inFlight.waiting).toBe(0)
    expect(lexora.outcomes[0]).toMatchObject({ outcome: 'client_closed', status: 499, backend: null })
    first.destroy()
    await lexora.outcomesReach(2)
    expect(fake.requests.filter(({ path }) => path === CHAT)).toHaveLength(1)
    await assertSettled(lexora, [fake], baseline)
  })

  test('A2 leaves while we connect upstream: nothing is sent, nothing is held', async () => {
    const port = await startDeafListener()
    const lexora = await startApp([
      { name: 'main', url: `http://127.0.0.1:${port}`, models: ['tiny'], connectTimeoutMs: 500 },
    ])
    const baseline = activeTimers()
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat())
    await until(() => lexora.app.inFlight.attempts === 1)
    client.destroy()
    await lexora.outcomesReach(1)
    expect(lexora.outcomes[0]).toMatchObject({ outcome: 'client_closed', status: 499 })
    await assertSettled(lexora, [], baseline)
  })

  test.each([
    ['A3', 'before the first token of a stream', aChat({ stream: true }), { do: 'stall', afterEvents: -1 } as const],
    ['A4', 'during an answer that is no stream', aChat(), { do: 'stall', afterEvents: -1 } as const],
    ['A4', 'when a stream has fallen silent', aChat({ stream: true }), { do: 'stall', afterEvents: 0 } as const],
  ])('%s leaves %s: the engine sees it', async (_id, _when, body, fault) => {
    const { fake, lexora, baseline } = await setUp()
    fake.fault(fault)
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, body)
    await fake.waitFor(() => fake.requests.some(({ path }) => path === CHAT))
    client.destroy()
    await fake.waitFor(() => fake.requests.find(({ path }) => path === CHAT)?.outcome === 'aborted')
    await lexora.outcomesReach(1)
    expect(lexora.outcomes[0]).toMatchObject({ outcome: 'client_closed', status: 499 })
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    ['A5', 'by closing', (client: RawClient) => client.socket.destroy()],
    ['A6', 'by a reset', (client: RawClient) => client.socket.resetAndDestroy()],
    ['A7', 'by half-closing, which counts as leaving', (client: RawClient) => client.socket.end()],
  ])('%s leaves mid-stream %s', async (_id, _how, leave) => {
    const { fake, lexora, baseline } = await setUp({ tokenMs: 5 })
    const client = await RawClient.open(lexora.port, { allowHalfOpen: true })
    client.post(CHAT, aChat({ stream: true, max_tokens: 400 }))
    await client.until((text) => text.split('data:').length > 3)
    leave(client)
    await fake.waitFor(() => fake.requests.find(({ path }) => path === CHAT)?.outcome === 'aborted')
    await lexora.outcomesReach(1)
    expect(lexora.outcomes[0]).toMatchObject({ outcome: 'client_closed', status: 499 })
    await assertSettled(lexora, [fake], baseline)
  })

  test('A8 never reads: the stream is cut, and upstream was held back meanwhile', async () => {
    const { fake, lexora, baseline } = await setUp({}, { config: { timeouts: { idle: 0.4 } } })
    const bytes = 200 * 1024 * 1024
    fake.fault({ do: 'giant-stream', bytes })
    const client = await RawClient.open(lexora.port)
    client.socket.pause()
    client.post(CHAT, aChat({ stream: true }))
    await lexora.outcomesReach(1)
    await fake.waitFor(() => fake.requests.find(({ path }) => path === CHAT)?.outcome === 'aborted')
    expect(fake.requests.find(({ path }) => path === CHAT)!.bytesSent).toBeLessThan(bytes / 4)
    client.destroy()
    await assertSettled(lexora, [fake], baseline)
  })

  test('A9 reads slowly: backpressure reaches the backend, and all bytes arrive', async () => {
    const { fake, lexora, baseline } = await setUp()
    fake.fault({ do: 'giant-stream', bytes: 64 * 1024 * 1024 })
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat({ stream: true }), { connection: 'close' })
    await client.until((text) => text.length > 0)
    client.socket.pause()
    const upstream = () => fake.requests.find(({ path }) => path === CHAT)!.bytesSent
    let sent = -1
    await until(() => {
      const still = upstream() === sent
      sent = upstream()
      return still
    })
    expect(sent).toBeLessThan(64 * 1024 * 1024)
    client.socket.resume()
    expect(await client.closed()).toContain('data: [DONE]')
    await assertSettled(lexora, [fake], baseline)
  })

  test('A10 leaves in the same moment as the last chunk: one outcome, whichever', async () => {
    const { fake, lexora, baseline } = await setUp()
    const rounds = 20
    for (let i = 0; i < rounds; i++) {
      const client = await RawClient.open(lexora.port)
      client.post(CHAT, aChat({ stream: true }))
      await client.until((text) => text.includes('"finish_reason":"length"'))
      client.destroy()
    }
    await lexora.outcomesReach(rounds)
    await assertSettled(lexora, [fake], baseline)
    expect(lexora.outcomes).toHaveLength(rounds)
    for (const { outcome } of lexora.outcomes) expect(['ok', 'client_closed']).toContain(outcome)
  })

  test('A11 leaves during the wait before a retry: no further attempt', async () => {
    const { fake, lexora, baseline } = await setUp(
      {},
      { config: { retry: { max_retries: 2, base_delay: 60, max_delay: 60 } } },
    )
    fake.fault({ do: 'status', status: 503, times: 0 })
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat())
    await fake.waitFor(() => fake.requests.some(({ path, outcome }) => path === CHAT && outcome !== 'open'))
    await until(() => lexora.app.inFlight.attempts === 0)
    const { requests } = await lexora.app.commands.listRequests()
    expect(requests).toMatchObject([{ phase: 'backoff', attempts: 1, mostAttempts: 3 }])
    client.destroy()
    await lexora.outcomesReach(1)
    expect(lexora.outcomes[0]).toMatchObject({ outcome: 'client_closed' })
    await assertSettled(lexora, [fake], baseline)
    expect(fake.requests.filter(({ path }) => path === CHAT)).toHaveLength(1)
  })

  test('A13 a backend that dies when a client leaves takes nobody else with it', async () => {
    const [frail, sound] = [await startFake({ tokenMs: 5 }), await startFake({ tokenMs: 5 })]
    const lexora = await startApp([
      { name: 'frail', url: frail.url },
      { name: 'sound', url: sound.url },
    ])
    const baseline = activeTimers()
    frail.fault({ do: 'die-on-abort' })
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat({ stream: true, max_tokens: 400 }))
    await client.until((text) => text.includes('data:'))
    client.destroy()
    await lexora.outcomesReach(1)
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask(lexora.port, aChat())))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    await assertSettled(lexora, [sound], baseline)
  })

  test('A12 repeats what it gave up on, again and again: never more at work than its concurrency', async () => {
    const fake = await startFake({ ttftMs: 300 })
    const config = { rate_limit: { users: { ann: { rate: 1000, burst: 1000, max_concurrent: 3 } } } }
    const lexora = await startApp([{ name: 'main', url: fake.url }], { config })
    const baseline = activeTimers()
    let most = 0
    for (let i = 0; i < 20; i++) {
      const client = await RawClient.open(lexora.port)
      client.post(CHAT, aChat({ user: 'ann' }))
      await until(() => lexora.app.inFlight.attempts > 0 || lexora.outcomes.length > i)
      most = Math.max(most, fake.running() + fake.waiting())
      client.destroy()
    }
    await lexora.outcomesReach(20)
    expect(most).toBeLessThanOrEqual(3)
    expect(new Set(lexora.outcomes.map(({ status }) => status))).toEqual(new Set([499]))
    await assertSettled(lexora, [fake], baseline)
  })

  test('A14 an engine that ignores the abort: its user is free at once, its permit when the engine is', async () => {
    const fake = await startFake({ ttftMs: 50, maxNumSeqs: 1 })
    const config = { rate_limit: { users: { ann: { rate: 1000, burst: 1000, max_concurrent: 1 } } } }
    const lexora = await startApp([{ name: 'main', url: fake.url, maxInFlight: 'auto' }], { config })
    const baseline = activeTimers()
    // The engine must have shown its metrics, or there is nothing to wait for.
    await ask(lexora.port, aChat())
    await until(() => fake.requests.some(({ path }) => path === '/metrics'))
    fake.fault({ do: 'ignore-abort', ms: 400 })
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat({ user: 'ann' }))
    await fake.waitFor(() => fake.running() === 1)
    client.destroy()
    await lexora.outcomesReach(2)
    expect(lexora.app.limitsHeld).toEqual({ concurrent: 0, reserved: 0 })
    expect(lexora.app.inFlight).toMatchObject({ requests: 0, attempts: 0, permits: 1 })
    expect((await ask(lexora.port, aChat({ user: 'ann' }))).status).toBe(200)
    await until(() => lexora.app.inFlight.permits === 0)
    expect(fake.running()).toBe(0)
    await assertSettled(lexora, [fake], baseline)
  })
})
