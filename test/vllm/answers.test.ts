import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LexoraProcess } from '../bench/lexora-process.ts'
import {
  all,
  baseOf,
  CHAT,
  chat,
  describeWithVllm,
  isReady,
  lexoraInFrontOf,
  openaiAt,
  post,
  showLogsOnFailure,
} from './suite.ts'
import { type Said, startTap, type Tap } from './tap.ts'
import { MAX_MODEL_LEN, MODEL } from './vllm-process.ts'

describeWithVllm('a real vLLM behind Lexora, through the OpenAI SDK', (vllm) => {
  let tap: Tap
  let lexora: LexoraProcess
  let client: OpenAI

  beforeAll(async () => {
    tap = await startTap(vllm.url)
    lexora = await lexoraInFrontOf(tap.url)
    await isReady(lexora)
    client = openaiAt(baseOf(lexora))
  })
  afterAll(async () => {
    await lexora?.stop()
    await tap?.stop()
  })
  showLogsOnFailure(() => ({ vllm: vllm.log, lexora }))

  test('lists its model', async () => {
    const ids = async () => (await client.models.list()).data.map(({ id }) => id)
    await expect.poll(ids).toEqual([MODEL])
  })

  test('retrieves its model, which vLLM itself cannot', async () => {
    expect(await client.models.retrieve(MODEL)).toMatchObject({ id: MODEL, object: 'model' })
  })

  test('answers a chat with its usage', async () => {
    const answer = await client.chat.completions.create(chat(8, {}))
    expect(answer.choices).toHaveLength(1)
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'length', message: { role: 'assistant' } })
    expect(answer.usage?.completion_tokens).toBe(8)
    expect(answer.usage?.total_tokens).toBe(8 + (answer.usage?.prompt_tokens ?? 0))
  })

  test('answers a completion, whole and streamed', async () => {
    const asked = { model: MODEL, prompt: 'def main():', max_tokens: 8, temperature: 0, ignore_eos: true }
    const whole = await client.completions.create(asked)
    expect(whole.usage?.completion_tokens).toBe(8)
    let text = ''
    for await (const part of await client.completions.create({ ...asked, stream: true })) {
      text += part.choices[0]?.text ?? ''
    }
    expect(text).toBe(whole.choices[0]?.text)
  })

  test('streams the text of the whole answer and hides the usage nobody asked for', async () => {
    const whole = await client.chat.completions.create(chat(16, {}))
    const parts = await all(await client.chat.completions.create(chat(16, { stream: true as const })))
    expect(parts.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content)
    expect(parts.at(-1)?.choices[0]?.finish_reason).toBe('length')
    expect(parts.filter(({ choices, usage }) => choices.length === 0 || usage)).toEqual([])
  })

  test('streams the usage that was asked for', async () => {
    const asked = chat(16, { stream: true as const, stream_options: { include_usage: true } })
    const parts = await all(await client.chat.completions.create(asked))
    expect(parts.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 16 } })
    expect(parts.filter(({ usage }) => usage)).toHaveLength(1)
  })

  test('counts the tokens of streams that hide their usage', async () => {
    const before = await completionTokens(baseOf(lexora))
    await all(await client.chat.completions.create(chat(16, { stream: true as const })))
    await expect.poll(() => completionTokens(baseOf(lexora))).toBe(before + 16)
  })

  test('passes the bytes of a stream as they are', async () => {
    const asked = chat(16, { stream: true, stream_options: { include_usage: true }, temperature: 1 })
    expect(await answered(lexora, asked)).toEqual(await tap.said())
  })

  test('takes nothing but the usage event from a stream that did not ask for one', async () => {
    const { body } = await answered(lexora, chat(16, { stream: true, temperature: 1 }))
    const [before, after] = (await tap.said()).body.split(/data: [^\n]*"choices":\[\],"usage"[^\n]*\n\n/)
    expect(after).toBe('data: [DONE]\n\n')
    expect(body).toBe(`${before}${after}`)
  })

  test('passes the bytes of an answer with log probabilities as they are', async () => {
    const answer = await answered(lexora, chat(4, { logprobs: true, top_logprobs: 2 }))
    expect(answer).toEqual(await tap.said())
    expect(JSON.parse(answer.body).choices[0].logprobs.content).toHaveLength(4)
  })

  test('passes a JSON schema, and the answer keeps to it', async () => {
    const schema = {
      type: 'object',
      properties: { colour: { type: 'string', enum: ['red', 'blue'] } },
      required: ['colour'],
      additionalProperties: false,
    }
    const answer = await client.chat.completions.create({
      model: MODEL,
      messages: [{ role: 'user', content: 'Say hello' }],
      max_tokens: 1_000,
      temperature: 1,
      seed: 1,
      response_format: { type: 'json_schema', json_schema: { name: 'paint', strict: true, schema } },
    })
    expect(['red', 'blue']).toContain(JSON.parse(answer.choices[0]?.message.content ?? '').colour)
  })

  test.each([
    { wrong: 'a wrong temperature', status: 400, asked: chat(4, { temperature: -1 }) },
    { wrong: 'an unknown model', status: 404, asked: chat(4, { model: 'nobody' }) },
    {
      wrong: 'a prompt beyond the context',
      status: 400,
      asked: chat(4, { messages: [{ role: 'user', content: 'word '.repeat(MAX_MODEL_LEN * 2) }] }),
    },
  ])("passes vLLM's own words about $wrong", async ({ status, asked }) => {
    const answer = await answered(lexora, asked)
    expect(answer).toEqual(await tap.said())
    expect(answer.status).toBe(status)
    const thrown = await client.chat.completions.create(asked as never).catch((error: unknown) => error)
    expect(thrown).toBeInstanceOf(OpenAI.APIError)
    expect(thrown).toMatchObject({ status, error: JSON.parse(answer.body).error })
  })

  test('serves 32 streams at once, each to its end', async () => {
    const streams = Array.from({ length: 32 }, async () => {
      const parts = await all(await client.chat.completions.create(chat(40, { stream: true as const })))
      return parts.at(-1)?.choices[0]?.finish_reason
    })
    expect(await Promise.all(streams)).toEqual(Array(32).fill('length'))
  })
})

async function answered(lexora: LexoraProcess, asked: unknown): Promise<Said> {
  const answer = await post(baseOf(lexora), CHAT, asked)
  return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() }
}

async function completionTokens(base: string): Promise<number> {
  const metrics = await fetch(`${base}/metrics`).then((answer) => answer.text())
  const lines = metrics.split('\n').filter((line) => /^lexora_tokens_total\{.*kind="completion"/.test(line))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
