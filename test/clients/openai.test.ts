/** The official OpenAI library against Lexora, as a user of it would write. */
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import type { FakeOptions } from '../support/fake-vllm/server.ts'

const ASK = { model: 'tiny', messages: [{ role: 'user' as const, content: 'Say hello' }], max_tokens: 8 }
const WEATHER = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

async function setUp(options: { fake?: FakeOptions; config?: Patch; key?: string } = {}) {
  const fake = await startFake({ enableTools: true, ...options.fake })
  const lexora = await startApp([{ name: 'main', url: fake.url }], {
    config: { retry: { max_retries: 0 }, ...options.config },
  })
  const client = new OpenAI({ baseURL: `${lexora.url}/v1`, apiKey: options.key ?? 'EMPTY', maxRetries: 0 })
  return { fake, lexora, client, baseline: activeTimers() }
}

describe('the OpenAI library', () => {
  test('lists and retrieves models', async () => {
    const { client } = await setUp({ fake: { models: ['tiny', 'org/model'] } })
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['tiny', 'org/model'])
    expect(await client.models.retrieve('org/model')).toMatchObject({ id: 'org/model', object: 'model' })
    await expect(client.models.retrieve('nobody')).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  })

  test('chats, and sees our headers', async () => {
    const { client, fake, lexora, baseline } = await setUp()
    const { data, response, request_id: id } = await client.chat.completions.create(ASK).withResponse()
    expect(data.choices[0]!.message.content).not.toBe('')
    expect(data.usage!.completion_tokens).toBe(8)
    expect(response.headers.get('x-lexora-backend')).toBe('main')
    expect(id).toBe(lexora.outcomes[0]!.reqId)
    await assertSettled(lexora, [fake], baseline)
  })

  test('streams the same text as it answers whole, with usage only if asked', async () => {
    const { client, fake, lexora, baseline } = await setUp()
    const whole = (await client.chat.completions.create(ASK)).choices[0]!.message.content
    for (const wanted of [true, false]) {
      const options = wanted ? { stream_options: { include_usage: true } } : {}
      const chunks = []
      for await (const chunk of await client.chat.completions.create({ ...ASK, ...options, stream: true }))
        chunks.push(chunk)
      expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(whole)
      expect(chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])).toEqual(['length'])
      expect(chunks.filter(({ usage }) => usage).map(({ usage }) => usage!.completion_tokens)).toEqual(
        wanted ? [8] : [],
      )
    }
    expect(lexora.outcomes.map(({ usage }) => usage?.completion)).toEqual([8, 8, 8])
    await assertSettled(lexora, [fake], baseline)
  })

  test('calls tools, whole and streamed', async () => {
    const { client } = await setUp()
    const body = {
      ...ASK,
      messages: [{ role: 'user' as const, content: 'use get_weather now' }],
      tools: [WEATHER],
      max_tokens: 64,
    }
    const [call] = (await client.chat.completions.create(body)).choices[0]!.message.tool_calls!
    expect(call).toMatchObject({ type: 'function', function: { name: 'get_weather' } })
    const final = await client.chat.completions.stream(body).finalChatCompletion()
    expect(final.choices[0]!.finish_reason).toBe('tool_calls')
    const streamed = final.choices[0]!.message.tool_calls![0]!
    expect(streamed).toMatchObject({ type: 'function', function: { name: 'get_weather' } })
    if (streamed.type === 'function') expect(() => JSON.parse(streamed.function.arguments)).not.toThrow()
  })

  test('embeds', async () => {
    const { client } = await setUp({ fake: { kind: 'pooling', embeddingSize: 16 } })
    const { data, usage } = await client.embeddings.create({ model: 'tiny', input: ['one', 'two'] })
    expect(data.map(({ index, embedding }) => [index, embedding.length])).toEqual([
      [0, 16],
      [1, 16],
    ])
    expect(usage.prompt_tokens).toBeGreaterThan(0)
  })

  test('completes text, whole and streamed', async () => {
    const { client } = await setUp()
    const body = { model: 'tiny', prompt: 'Once upon', max_tokens: 6 }
    const whole = await client.completions.create(body)
    let text = ''
    for await (const chunk of await client.completions.create({ ...body, stream: true }))
      text += chunk.choices[0]?.text ?? ''
    expect(text).toBe(whole.choices[0]!.text)
    expect(whole.usage!.completion_tokens).toBe(6)
  })

  test('uses responses, whole and streamed to response.completed', async () => {
    const { client, lexora } = await setUp()
    const body = { model: 'tiny', input: 'Say hello', store: false }
    const whole = await client.responses.create(body)
    expect([whole.status, whole.output_text.length > 0]).toEqual(['completed', true])
    let [text, last] = ['', '']
    for await (const event of await client.responses.create({ ...body, stream: true })) {
      if (event.type === 'response.output_text.delta') text += event.delta
      last = event.type
    }
    expect([text, last]).toEqual([whole.output_text, 'response.completed'])
    expect(lexora.outcomes.map(({ outcome, endpoint }) => [outcome, endpoint])).toEqual([
      ['ok', '/v1/responses'],
      ['ok', '/v1/responses'],
    ])
  })

  test('raises its own class for each kind of error, with our code', async () => {
    const guarded = await setUp({ config: { auth: { api_keys: ['sk-right-0123456789'] } }, key: 'sk-wrong' })
    const { client, fake } = await setUp()
    const of = async (promise: Promise<unknown>) =>
      await promise.then(
        () => null,
        (error: unknown) => error,
      )
    const refused = await of(guarded.client.chat.completions.create(ASK))
    expect(refused).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(refused).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'authentication_error' })
    const unknown = await of(client.chat.completions.create({ ...ASK, model: 'tinny' }))
    expect(unknown).toBeInstanceOf(OpenAI.NotFoundError)
    expect(unknown).toMatchObject({ code: 'model_not_found', param: 'model', message: expect.stringContaining('tiny') })
    const wrong = await of(client.chat.completions.create({ ...ASK, x_priority: 'urgent' } as typeof ASK))
    expect(wrong).toBeInstanceOf(OpenAI.BadRequestError)
    expect(wrong).toMatchObject({ code: 'invalid_request', param: 'x_priority' })
    fake.fault({ do: 'status', status: 429, retryAfter: '7' })
    const limited = await of(client.chat.completions.create(ASK))
    expect(limited).toBeInstanceOf(OpenAI.RateLimitError)
    expect((limited as InstanceType<typeof OpenAI.RateLimitError>).headers!.get('retry-after')).toBe('7')
    fake.fault({ do: 'html', status: 200 })
    const broken = await of(client.chat.completions.create(ASK))
    expect(broken).toBeInstanceOf(OpenAI.InternalServerError)
    expect(broken).toMatchObject({ status: 502, code: 'backend_invalid_response' })
    fake.fault({ do: 'error-event', afterEvents: 0, code: 400, message: 'no room' })
    const early = await of(client.chat.completions.create({ ...ASK, stream: true }))
    expect(early).toBeInstanceOf(OpenAI.BadRequestError)
  })

  test.each(['chat', 'completions', 'responses'] as const)(
    'raises an error when a stream of %s breaks: it never ends as if it were whole',
    async (kind) => {
      const { client, fake, lexora, baseline } = await setUp()
      fake.fault({ do: 'cut', afterEvents: 4, how: 'rst' })
      const read = async (): Promise<number> => {
        let events = 0
        const stream: AsyncIterable<unknown> =
          kind === 'chat'
            ? await client.chat.completions.create({ ...ASK, stream: true })
            : kind === 'completions'
              ? await client.completions.create({ model: 'tiny', prompt: 'x', max_tokens: 8, stream: true })
              : await client.responses.create({ model: 'tiny', input: 'x', stream: true, store: false })
        try {
          for await (const _ of stream) events++
        } catch (error) {
          expect(events).toBeGreaterThan(0)
          throw error
        }
        return events
      }
      await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError)
      await lexora.outcomesReach(1)
      expect(lexora.outcomes).toMatchObject([{ outcome: 'stream_error', error: 'backend_truncated' }])
      await assertSettled(lexora, [fake], baseline)
    },
  )

  test('retries what we refuse for the moment, and succeeds', async () => {
    const { fake, lexora } = await setUp()
    const client = new OpenAI({ baseURL: `${lexora.url}/v1`, apiKey: 'EMPTY', maxRetries: 1 })
    fake.fault({ do: 'status', status: 503, retryAfter: '1', headers: [['retry-after-ms', '1']] })
    expect((await client.chat.completions.create(ASK)).choices).toHaveLength(1)
    expect(lexora.outcomes.map(({ outcome }) => outcome)).toEqual(['backend_error', 'ok'])
  })

  test.each(['a stream', 'a whole answer'])('aborts %s, and the engine stops', async (what) => {
    const { client, fake, lexora, baseline } = await setUp({ fake: { tokenMs: 5 } })
    const controller = new AbortController()
    const long = { ...ASK, max_tokens: 400 }
    if (what === 'a stream') {
      const stream = await client.chat.completions.create({ ...long, stream: true }, { signal: controller.signal })
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) controller.abort()
    } else {
      const answer = client.chat.completions.create(long, { signal: controller.signal })
      const refused = expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
      await fake.waitFor(() => fake.running() === 1)
      controller.abort()
      await refused
    }
    await until(() => fake.running() === 0)
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_closed' }])
    await assertSettled(lexora, [fake], baseline)
  })
})
