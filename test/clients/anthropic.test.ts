/** The official Anthropic library against /v1/messages. */
import Anthropic from '@anthropic-ai/sdk'
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import type { FakeOptions } from '../support/fake-vllm/server.ts'

const ASK = { model: 'tiny', messages: [{ role: 'user' as const, content: 'Say hello' }], max_tokens: 8 }
const KEY = 'sk-right-0123456789'

async function setUp(options: { fake?: FakeOptions; config?: Patch; key?: string } = {}) {
  const fake = await startFake({ enableTools: true, ...options.fake })
  const lexora = await startApp([{ name: 'main', url: fake.url }], {
    config: { retry: { max_retries: 0 }, ...options.config },
  })
  const client = new Anthropic({ baseURL: lexora.url, apiKey: options.key ?? 'EMPTY', maxRetries: 0 })
  return { fake, lexora, client, baseline: activeTimers() }
}

function textOf(message: Anthropic.Message): string {
  return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

describe('the Anthropic library', () => {
  test('creates a message', async () => {
    const { client, fake, lexora, baseline } = await setUp()
    const message = await client.messages.create(ASK)
    expect(message).toMatchObject({
      type: 'message',
      role: 'assistant',
      stop_reason: 'max_tokens',
      usage: { output_tokens: 8 },
    })
    expect(textOf(message)).not.toBe('')
    expect(lexora.outcomes).toMatchObject([{ endpoint: '/v1/messages', outcome: 'ok', usage: { completion: 8 } }])
    await assertSettled(lexora, [fake], baseline)
  })

  test('streams the same message to its message_stop', async () => {
    const { client, fake, lexora, baseline } = await setUp()
    const whole = textOf(await client.messages.create(ASK))
    const types: string[] = []
    const stream = client.messages.stream(ASK).on('streamEvent', ({ type }) => types.push(type))
    expect(textOf(await stream.finalMessage())).toBe(whole)
    expect([types[0], types.at(-1)]).toEqual(['message_start', 'message_stop'])
    expect(lexora.outcomes).toMatchObject([
      { outcome: 'ok' },
      { outcome: 'ok', stream: true, usage: { completion: 8 } },
    ])
    await assertSettled(lexora, [fake], baseline)
  })

  test('counts tokens', async () => {
    const { client } = await setUp()
    const { input_tokens: count } = await client.messages.countTokens({ model: ASK.model, messages: ASK.messages })
    expect(count).toBeGreaterThan(0)
  })

  test('carries its key as x-api-key', async () => {
    const config = { auth: { api_keys: [{ key: KEY, user: 'ann' }] } }
    const right = await setUp({ config, key: KEY })
    expect((await right.client.messages.create(ASK)).type).toBe('message')
    expect(right.lexora.outcomes).toMatchObject([{ user: 'ann' }])
    const wrong = await setUp({ config, key: 'sk-wrong' })
    const error = await wrong.client.messages.create(ASK).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Anthropic.AuthenticationError)
    expect(error).toMatchObject({ status: 401, error: { type: 'error', error: { type: 'authentication_error' } } })
  })

  test('raises its own class for each kind of error', async () => {
    const { client, fake } = await setUp()
    const of = async (promise: Promise<unknown>) =>
      await promise.then(
        () => null,
        (error: unknown) => error,
      )
    const unknown = await of(client.messages.create({ ...ASK, model: 'tinny' }))
    expect(unknown).toBeInstanceOf(Anthropic.NotFoundError)
    expect(unknown).toMatchObject({
      error: { error: { type: 'not_found_error', message: expect.stringContaining('tiny') } },
    })
    const wrong = await of(client.messages.create({ ...ASK, x_timeout: -1 } as typeof ASK))
    expect(wrong).toBeInstanceOf(Anthropic.BadRequestError)
    fake.fault({ do: 'status', status: 429, retryAfter: '7' })
    expect(await of(client.messages.create(ASK))).toBeInstanceOf(Anthropic.RateLimitError)
    fake.fault({ do: 'html', status: 200 })
    const broken = await of(client.messages.create(ASK))
    expect(broken).toBeInstanceOf(Anthropic.InternalServerError)
    expect(broken).toMatchObject({ status: 502, error: { error: { type: 'api_error' } } })
  })

  test('raises an error when a stream breaks: it never ends as if it were whole', async () => {
    const { client, fake, lexora, baseline } = await setUp()
    fake.fault({ do: 'cut', afterEvents: 5, how: 'rst' })
    const stream = client.messages.stream(ASK)
    let texts = 0
    stream.on('text', () => texts++)
    await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIError)
    expect(texts).toBeGreaterThan(0)
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'stream_error', error: 'backend_truncated' }])
    await assertSettled(lexora, [fake], baseline)
  })

  test('aborts a stream, and the engine stops', async () => {
    const { client, fake, lexora, baseline } = await setUp({ fake: { tokenMs: 5 } })
    const stream = client.messages.stream({ ...ASK, max_tokens: 400 })
    stream.once('text', () => stream.abort())
    await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIUserAbortError)
    await until(() => fake.running() === 0)
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_closed' }])
    await assertSettled(lexora, [fake], baseline)
  })
})
