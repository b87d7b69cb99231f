/** Section 2.A of the fault catalogue: what clients do. A1, A12 and A14 need the queue and come with it. */
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

describe('A: the client', () => {
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
    const { fake, lexora, baseline } = await setUp({}, { config: { retry: { base_delay: 60, max_delay: 60 } } })
    fake.fault({ do: 'status', status: 503, times: 0 })
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat())
    await fake.waitFor(() => fake.requests.some(({ path, outcome }) => path === CHAT && outcome !== 'open'))
    await until(() => lexora.app.inFlight.attempts === 0)
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
})
