/** Per-user limits over real sockets: who is limited, what a refusal says, and that it costs nothing. */
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import { RawClient } from '../support/raw-client.ts'
import { aChat, ask, errorOf } from '../support/requests.ts'

/** So slow that nothing flows back while a test runs. */
const HARDLY = 0.0001
const ADA = { authorization: 'Bearer key-of-ada' }
const KEYS: Patch = { auth: { api_keys: [{ key: 'key-of-ada', user: 'ada' }, 'key-of-nobody'] } }

async function setUp(config: Patch, fakeOptions: Parameters<typeof startFake>[0] = {}) {
  const fake = await startFake(fakeOptions)
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config })
  return { fake, lexora, baseline: activeTimers() }
}

const statuses = async (port: number, count: number, body: unknown, headers = {}): Promise<number[]> => {
  const seen: number[] = []
  for (let i = 0; i < count; i++) seen.push((await ask(port, body, headers)).status)
  return seen
}

describe('requests', () => {
  test('over the burst are refused with 429, the wait, and what is left; others are not touched', async () => {
    const { fake, lexora, baseline } = await setUp({ rate_limit: { default_rate: HARDLY, default_burst: 2 } })
    expect(await statuses(lexora.port, 2, aChat({ user: 'ann' }))).toEqual([200, 200])
    const refused = await ask(lexora.port, aChat({ user: 'ann' }))
    expect([refused.status, errorOf(refused).code, errorOf(refused).type]).toEqual([
      429,
      'rate_limit_exceeded',
      'rate_limit_error',
    ])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(1000)
    expect(refused.headers.get('x-ratelimit-limit-requests')).toBe('2')
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0')
    const other = await ask(lexora.port, aChat({ x_user_id: 'bob' }))
    expect([other.status, other.headers.get('x-ratelimit-remaining-requests')]).toEqual([200, '1'])
    expect(fake.requests.filter(({ method }) => method === 'POST')).toHaveLength(3)
    expect(lexora.outcomes.at(2)).toMatchObject({
      outcome: 'client_error',
      status: 429,
      limit: 'requests',
      user: 'ann',
    })
    expect((await (await fetch(`${lexora.url}/metrics`)).text()).match(/^lexora_rate_limited_total.*$/m)?.[0]).toBe(
      'lexora_rate_limited_total{limit="requests"} 1',
    )
    await assertSettled(lexora, [fake], baseline)
  })

  test('of nobody are not limited: without a key the named user alone counts', async () => {
    const { fake, lexora, baseline } = await setUp({ rate_limit: { default_rate: HARDLY, default_burst: 1 } })
    expect(await statuses(lexora.port, 5, aChat())).toEqual([200, 200, 200, 200, 200])
    await assertSettled(lexora, [fake], baseline)
  })

  test('of a key count for its owner, whatever user they name; a named one has a further bucket', async () => {
    const users = { ada: { rate: HARDLY, burst: 3 } }
    const { fake, lexora, baseline } = await setUp({
      ...KEYS,
      rate_limit: { default_rate: HARDLY, default_burst: 2, users },
    })
    expect(await statuses(lexora.port, 3, aChat({ user: 'x' }), ADA)).toEqual([200, 200, 429])
    expect(await statuses(lexora.port, 2, aChat({ user: 'y' }), ADA)).toEqual([200, 429])
    await assertSettled(lexora, [fake], baseline)
  })

  test('that were refused, or that the backend failed, have cost nothing', async () => {
    const { fake, lexora, baseline } = await setUp({
      retry: { max_retries: 0 },
      rate_limit: { default_rate: HARDLY, default_burst: 2 },
    })
    fake.fault({ do: 'status', status: 500, times: 3 })
    const body = aChat({ user: 'ann' })
    expect(await statuses(lexora.port, 5, body)).toEqual([500, 500, 500, 200, 200])
    expect((await ask(lexora.port, body)).status).toBe(429)
    await assertSettled(lexora, [fake], baseline)
  })

  test('are not counted at all where rate_limit.enabled is false', async () => {
    const { fake, lexora, baseline } = await setUp({ rate_limit: { enabled: false, default_burst: 1 } })
    expect(await statuses(lexora.port, 3, aChat({ user: 'ann' }))).toEqual([200, 200, 200])
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('requests that are passed through', () => {
  test('count too', async () => {
    const { fake, lexora, baseline } = await setUp({ rate_limit: { default_rate: HARDLY, default_burst: 1 } })
    const speak = () => ask(lexora.port, { model: 'tiny', input: 'hi' }, { 'x-lexora-user': 'ann' }, '/v1/audio/speech')
    expect((await speak()).status).not.toBe(429)
    const refused = await speak()
    expect([refused.status, errorOf(refused).code]).toEqual([429, 'rate_limit_exceeded'])
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('concurrency', () => {
  test('counts what runs, and is free again the moment a client leaves', async () => {
    const { fake, lexora, baseline } = await setUp({ rate_limit: { max_concurrent: 1 } }, { tokenMs: 5 })
    const long = await RawClient.open(lexora.port)
    long.post('/v1/chat/completions', aChat({ stream: true, max_tokens: 400, user: 'ann' }))
    await long.until((text) => text.includes('data:'))
    const refused = await ask(lexora.port, aChat({ user: 'ann' }))
    expect([refused.status, lexora.outcomes[0]?.limit]).toEqual([429, 'concurrency'])
    long.destroy()
    await lexora.outcomesReach(2)
    expect((await ask(lexora.port, aChat({ user: 'ann' }))).status).toBe(200)
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('tokens per minute', () => {
  test('are reserved before, settled with the true usage after, and refused when used up', async () => {
    const users = { ann: { tokens_per_minute: 60 } }
    const { fake, lexora, baseline } = await setUp({ rate_limit: { users } })
    const body = aChat({ user: 'ann', max_tokens: 16 })
    const first = await ask(lexora.port, body)
    expect(first.status).toBe(200)
    const used = JSON.parse(first.body).usage.total_tokens
    await until(() => lexora.app.limitsHeld.reserved === 0)
    const second = await ask(lexora.port, body)
    const third = await ask(lexora.port, body)
    const refused = [second, third].find(({ status }) => status === 429)!
    expect(errorOf(refused).message).toContain('tokens per minute')
    expect(Number(refused.headers.get('x-ratelimit-limit-tokens'))).toBe(60)
    expect(Number(refused.headers.get('x-ratelimit-remaining-tokens'))).toBeLessThanOrEqual(60 - used)
    await assertSettled(lexora, [fake], baseline)
  })

  test('of a stream are counted from its hidden usage chunk', async () => {
    const users = { ann: { tokens_per_minute: 10_000 } }
    const { fake, lexora, baseline } = await setUp({ rate_limit: { users } })
    await ask(lexora.port, aChat({ user: 'ann', stream: true }))
    await lexora.outcomesReach(1)
    const used = lexora.outcomes[0]!.usage!
    const next = await ask(lexora.port, aChat({ user: 'ann', max_tokens: 1 }))
    const remaining = Number(next.headers.get('x-ratelimit-remaining-tokens'))
    expect(remaining).toBeLessThanOrEqual(10_000 - used.prompt! - used.completion!)
    expect(remaining).toBeGreaterThan(9_000)
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('models', () => {
  test('that a user may not ask for are a 403 that costs nothing', async () => {
    const users = { ada: { models: ['other'], rate: HARDLY, burst: 1 } }
    const { fake, lexora, baseline } = await setUp({ ...KEYS, rate_limit: { users } })
    const refused = await ask(lexora.port, aChat(), ADA)
    expect([refused.status, errorOf(refused).code, errorOf(refused).param]).toEqual([403, 'permission_denied', 'model'])
    expect(fake.requests.filter(({ method }) => method === 'POST')).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })
})
