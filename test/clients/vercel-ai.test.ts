/** The Vercel AI SDK with its OpenAI-compatible provider. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, embedMany, generateText, jsonSchema, streamText, tool } from 'ai'
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import type { FakeOptions } from '../support/fake-vllm/server.ts'

const TOOLS = {
  get_weather: tool({
    description: 'The weather of a city.',
    inputSchema: jsonSchema<{ city?: string }>({ type: 'object', properties: { city: { type: 'string' } } }),
  }),
}

async function setUp(options: { fake?: FakeOptions; config?: Patch; key?: string } = {}) {
  const fake = await startFake({ enableTools: true, ...options.fake })
  const lexora = await startApp([{ name: 'main', url: fake.url }], {
    config: { retry: { max_retries: 0 }, ...options.config },
  })
  const provider = createOpenAICompatible({
    name: 'lexora',
    baseURL: `${lexora.url}/v1`,
    apiKey: options.key ?? 'EMPTY',
  })
  const ask = { model: provider('tiny'), prompt: 'Say hello', maxOutputTokens: 8, maxRetries: 0 }
  return { fake, lexora, provider, ask, baseline: activeTimers() }
}

describe('the Vercel AI SDK', () => {
  test('generates text', async () => {
    const { ask, fake, lexora, baseline } = await setUp()
    const { text, finishReason, usage } = await generateText(ask)
    expect([text.length > 0, finishReason, usage.outputTokens]).toEqual([true, 'length', 8])
    await assertSettled(lexora, [fake], baseline)
  })

  test('streams the same text', async () => {
    const { ask, fake, lexora, baseline } = await setUp()
    const whole = (await generateText(ask)).text
    const result = streamText(ask)
    let text = ''
    for await (const piece of result.textStream) text += piece
    expect([text, await result.finishReason]).toEqual([whole, 'length'])
    await assertSettled(lexora, [fake], baseline)
  })

  test('calls tools, whole and streamed', async () => {
    const { ask } = await setUp()
    const asking = { ...ask, prompt: 'use get_weather now', tools: TOOLS, maxOutputTokens: 64 }
    const { toolCalls, finishReason } = await generateText(asking)
    expect([toolCalls.map(({ toolName }) => toolName), finishReason]).toEqual([['get_weather'], 'tool-calls'])
    const streamed = await streamText(asking).toolCalls
    expect(streamed.map(({ toolName, input }) => [toolName, input])).toEqual(
      toolCalls.map(({ toolName, input }) => [toolName, input]),
    )
  })

  test('embeds', async () => {
    const { provider } = await setUp({ fake: { kind: 'pooling', embeddingSize: 16 } })
    const { embeddings } = await embedMany({ model: provider.embeddingModel('tiny'), values: ['one', 'two'] })
    expect(embeddings.map(({ length }) => length)).toEqual([16, 16])
  })

  test('raises an APICallError with the status, and whether to try again', async () => {
    const { ask, provider, fake } = await setUp()
    const of = async (promise: PromiseLike<unknown>) =>
      await promise.then(
        () => null,
        (error: unknown) => error,
      )
    const unknown = await of(generateText({ ...ask, model: provider('tinny') }))
    expect(APICallError.isInstance(unknown)).toBe(true)
    expect(unknown).toMatchObject({ statusCode: 404, isRetryable: false, message: expect.stringContaining('tiny') })
    fake.fault({ do: 'html', status: 200 })
    expect(await of(generateText(ask))).toMatchObject({ statusCode: 502, isRetryable: true })
    const guarded = await setUp({ config: { auth: { api_keys: ['sk-right-0123456789'] } }, key: 'sk-wrong' })
    expect(await of(generateText(guarded.ask))).toMatchObject({ statusCode: 401, isRetryable: false })
  })

  test('hears of a stream that breaks: an error, and no finish as if it were whole', async () => {
    const { ask, fake, lexora, baseline } = await setUp()
    fake.fault({ do: 'cut', afterEvents: 4, how: 'rst' })
    const errors: unknown[] = []
    const result = streamText({ ...ask, onError: ({ error }) => void errors.push(error) })
    const parts: string[] = []
    for await (const part of result.fullStream) parts.push(part.type)
    expect(parts).toContain('text-delta')
    expect(parts).toContain('error')
    expect(errors).toHaveLength(1)
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'stream_error', error: 'backend_truncated' }])
    await assertSettled(lexora, [fake], baseline)
  })

  test('aborts a stream, and the engine stops', async () => {
    const { ask, fake, lexora, baseline } = await setUp({ fake: { tokenMs: 5 } })
    const controller = new AbortController()
    const result = streamText({ ...ask, maxOutputTokens: 400, abortSignal: controller.signal })
    for await (const part of result.fullStream) if (part.type === 'text-delta') controller.abort()
    await until(() => fake.running() === 0)
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_closed' }])
    await assertSettled(lexora, [fake], baseline)
  })
})
