/** Section 2.C of the fault catalogue: admission, queue and limits. */
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import type { FakeOptions } from '../support/fake-vllm/server.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, errorOf } from '../support/requests.ts'

const CHAT = '/v1/chat/completions'
const HARDLY = 0.0001

async function setUp(given: { fake?: FakeOptions; config?: Patch; slots?: number | 'auto' } = {}) {
  const { fake: fakeOptions = {}, config = {}, slots = 1 } = given
  const fake = await startFake(fakeOptions)
  const lexora = await startApp([{ name: 'main', url: fake.url, maxInFlight: slots }], { config })
  return { fake, lexora, baseline: activeTimers() }
}

type Setting = Awaited<ReturnType<typeof setUp>>

async function post({ lexora }: Setting, body: Record<string, unknown>, headers: Record<string, string> = {}) {
  const client = await RawClient.open(lexora.port)
  client.post(CHAT, body, { ...headers, connection: 'close' })
  return client
}

/** Somebody who keeps the one slot until the test lets go. */
async function occupy(setting: Setting) {
  const client = await post(setting, aChat({ stream: true, max_tokens: 400 }))
  await client.until((text) => text.includes('data:'))
  return client
}

const waiting = ({ lexora }: Setting, count: number) =>
  until(
    () => lexora.app.inFlight.waiting === count,
    () => `waiting: ${lexora.app.inFlight.waiting}`,
  )

const answerOf = async (client: RawClient) => parseAnswer(await client.closed())

/** The prompts in the order in which the engine got them. */
const order = ({ fake }: Setting) =>
  fake.requests
    .filter(({ path }) => path === CHAT)
    .map(({ body }) => JSON.parse(body.toString()).messages[0].content as string)

const says = (content: string, over: Record<string, unknown> = {}) =>
  aChat({ messages: [{ role: 'user', content }], max_tokens: 1, ...over })

describe('C: admission, queue and limits', () => {
  test('C1 a full queue is 503 queue_full with the time to come back; who waits is served', async () => {
    const setting = await setUp({ fake: { tokenMs: 20 }, config: { queue: { max_size: 2 } } })
    const first = await occupy(setting)
    const clients = [await post(setting, says('one')), await post(setting, says('two'))]
    await waiting(setting, 2)
    const refused = await ask(setting.lexora.port, says('three'))
    expect([refused.status, errorOf(refused).code, errorOf(refused).type]).toEqual([503, 'queue_full', 'server_error'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    // Another band has a bound of its own.
    const low = await post(setting, says('low', { x_priority: 'low' }))
    await waiting(setting, 3)
    first.destroy()
    for (const client of [...clients, low]) expect((await answerOf(client)).status).toBe(200)
    expect(setting.fake.requests.filter(({ path }) => path === CHAT)).toHaveLength(4)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C2 the queue’s time limit ends in 503 queue_timeout, on time, and the engine never hears of it', async () => {
    const setting = await setUp({ fake: { tokenMs: 20 }, config: { queue: { default_timeout: 0.3 } } })
    const first = await occupy(setting)
    const answers = await Promise.all([
      ask(setting.lexora.port, says('default')),
      ask(setting.lexora.port, says('shorter', { x_timeout: 0.1 })),
      ask(setting.lexora.port, says('no longer'), { 'x-lexora-timeout': '100' }),
    ])
    for (const answer of answers) {
      expect([answer.status, errorOf(answer).code]).toEqual([503, 'queue_timeout'])
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    const waits = answers.map(({ headers }) => Number(headers.get('x-lexora-queue-ms')))
    for (const [i, due] of [300, 100, 300].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(due)
      expect(waits[i]).toBeLessThan(due + 50)
    }
    first.destroy()
    await setting.lexora.outcomesReach(4)
    expect(order(setting)).toEqual(['Say hello'])
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C3 low is served while high comes without end, and inside a band the first come goes first', async () => {
    const setting = await setUp({ fake: { ttftMs: 2 }, config: { queue: { guarantee: { low: 0.1 } } } })
    let stop = false
    const flood = Array.from({ length: 6 }, async () => {
      while (!stop) await ask(setting.lexora.port, says('high', { x_priority: 'high' }))
    })
    await waiting(setting, 5)
    const low = await Promise.all(
      ['low 1', 'low 2', 'low 3'].map(
        async (text) => await ask(setting.lexora.port, says(text, { x_priority: 'low' })),
      ),
    )
    stop = true
    await Promise.all(flood)
    expect(low.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(order(setting).filter((text) => text.startsWith('low'))).toEqual(['low 1', 'low 2', 'low 3'])
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C4 who has waited long does not turn high into one among many', async () => {
    const setting = await setUp({ fake: { tokenMs: 20 } })
    const first = await occupy(setting)
    const old = []
    for (let i = 0; i < 20; i++) old.push(await post(setting, says(`old ${i}`)))
    await waiting(setting, 20)
    const high = await post(setting, says('high', { x_priority: 'high' }))
    await waiting(setting, 21)
    first.destroy()
    for (const client of [high, ...old]) expect((await answerOf(client)).status).toBe(200)
    // Normal has waited for its guarantee and is owed one turn; high is not later than second.
    expect(order(setting).indexOf('high')).toBeLessThanOrEqual(2)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C5 upstream failures, however many, leak no slot', async () => {
    const setting = await setUp({ slots: 4, config: { retry: { max_retries: 0 } } })
    setting.fake.fault({ do: 'status', status: 504, times: 0 })
    for (let round = 0; round < 25; round++) {
      await Promise.all(Array.from({ length: 8 }, async () => await ask(setting.lexora.port, aChat())))
    }
    expect(setting.lexora.app.inFlight).toEqual({ requests: 0, attempts: 0, permits: 0, waiting: 0 })
    setting.fake.clearFaults()
    await until(() => setting.lexora.app.breakerOf('main') !== 'open')
    expect((await ask(setting.lexora.port, aChat())).status).toBe(200)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C6 a request that concurrency refuses costs none of the requests per minute', async () => {
    const setting = await setUp({
      fake: { tokenMs: 20 },
      config: { rate_limit: { users: { ann: { requests_per_minute: 2, max_concurrent: 1 } } } },
    })
    const first = await post(setting, aChat({ stream: true, max_tokens: 400, user: 'ann' }))
    await first.until((text) => text.includes('data:'))
    const refused = await ask(setting.lexora.port, aChat({ user: 'ann' }))
    expect(refused.status).toBe(429)
    first.destroy()
    await setting.lexora.outcomesReach(2)
    expect((await ask(setting.lexora.port, aChat({ user: 'ann' }))).status).toBe(200)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C7 tokens reserved for what never ran come back', async () => {
    const setting = await setUp({
      fake: { tokenMs: 20 },
      config: {
        queue: { default_timeout: 0.05 },
        rate_limit: { default_rate: HARDLY, users: { ann: { tokens_per_minute: 500, rate: 100, burst: 100 } } },
      },
    })
    const first = await occupy(setting)
    for (let i = 0; i < 3; i++) {
      const answer = await ask(setting.lexora.port, aChat({ user: 'ann', max_tokens: 400 }))
      expect(errorOf(answer).code).toBe('queue_timeout')
    }
    first.destroy()
    await setting.lexora.outcomesReach(4)
    expect((await ask(setting.lexora.port, aChat({ user: 'ann', max_tokens: 400 }))).status).toBe(200)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C8 a storm of cancellations gives back what each one took, and no more', async () => {
    const setting = await setUp({
      fake: { tokenMs: 20 },
      config: { rate_limit: { users: { ann: { tokens_per_minute: 100_000, max_concurrent: 50 } } } },
    })
    const first = await occupy(setting)
    for (let round = 0; round < 5; round++) {
      const clients = await Promise.all(
        Array.from({ length: 10 }, async () => await post(setting, aChat({ user: 'ann', max_tokens: 100 }))),
      )
      await waiting(setting, 10)
      for (const client of clients) client.destroy()
      await waiting(setting, 0)
    }
    first.destroy()
    await setting.lexora.outcomesReach(51)
    const answer = await ask(setting.lexora.port, aChat({ user: 'ann', max_tokens: 1 }))
    // All that is gone is the one request itself.
    expect(Number(answer.headers.get('x-ratelimit-remaining-tokens'))).toBeGreaterThan(99_000)
    expect(Number(answer.headers.get('x-ratelimit-remaining-tokens'))).toBeLessThanOrEqual(100_000)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C9 a hundred at once at a limit of ten: exactly ten pass', async () => {
    const setting = await setUp({
      slots: 100,
      fake: { ttftMs: 1500 },
      config: { rate_limit: { users: { ann: { rate: 1000, burst: 1000, max_concurrent: 10 } } } },
    })
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => await ask(setting.lexora.port, aChat({ user: 'ann' }))),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(90)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C10 users without number: limits hold for each, memory is bounded', async () => {
    const setting = await setUp({
      slots: 100,
      config: { rate_limit: { default_rate: HARDLY, default_burst: 1 } },
    })
    const client = await RawClient.open(setting.lexora.port)
    for (let i = 0; i < 3000; i++) {
      client.post(CHAT, aChat({ user: `junk ${i}`, max_tokens: 1 }))
      if (i % 50 === 49) await setting.lexora.outcomesReach(i + 1)
    }
    client.destroy()
    expect((await ask(setting.lexora.port, aChat({ user: 'junk 2999' }))).status).toBe(429)
    const stats = (await (await fetch(`${setting.lexora.url}/stats`)).json()) as { by_user: object }
    expect(Object.keys(stats.by_user).length).toBeLessThanOrEqual(1001)
    const metrics = await (await fetch(`${setting.lexora.url}/metrics`)).text()
    expect(metrics).not.toContain('junk')
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C11 under many large bodies large ones are turned away early, and small ones still served', async () => {
    const setting = await setUp({ slots: 4, fake: { ttftMs: 200 }, config: { queue: { max_size: 500 } } })
    const large = `{"model":"tiny","max_tokens":1,"messages":[{"role":"user","content":"${'x'.repeat(10 * 1024 * 1024)}"}]}`
    const clients: RawClient[] = []
    for (let i = 0; i < 40; i++) {
      const client = await RawClient.open(setting.lexora.port)
      client.post(CHAT, large, { connection: 'close' })
      clients.push(client)
    }
    await until(() => setting.lexora.outcomes.some(({ error }) => error === 'overloaded' || error === 'queue_full'))
    expect((await ask(setting.lexora.port, aChat({ x_priority: 'high' }))).status).toBe(200)
    for (const client of clients) client.destroy()
    await setting.lexora.outcomesReach(41)
    expect(new Set(setting.lexora.outcomes.map(({ status }) => status))).toContain(503)
    await assertSettled(setting.lexora, [setting.fake], setting.baseline)
  })

  test('C12 a stop tells at once who waits, and lets finish who runs', async () => {
    const setting = await setUp({ fake: { tokenMs: 5 } })
    const first = await post(setting, aChat({ stream: true, max_tokens: 60 }))
    await first.until((text) => text.includes('data:'))
    const clients = [await post(setting, says('one')), await post(setting, aChat({ stream: true }))]
    await waiting(setting, 2)
    const stopped = setting.lexora.app.stop(20_000)
    for (const client of clients) {
      const answer = await answerOf(client)
      expect([answer.status, errorOf(answer).code]).toEqual([503, 'shutting_down'])
    }
    expect((await answerOf(first)).body).toContain('[DONE]')
    await stopped
    expect(setting.lexora.outcomes.map(({ outcome }) => outcome).sort()).toEqual([
      'backend_error',
      'backend_error',
      'ok',
    ])
  })
})
