import assert from 'node:assert/strict'
import { afterEach, expect, test } from 'vitest'
import { type FakeOptions, type FakeVllm, startFakeVllm } from '../support/fake-vllm/server.ts'
import { hello, helloStream } from './raw-client.ts'

let fake: FakeVllm
afterEach(() => fake.close())

async function start(options: FakeOptions = {}): Promise<void> {
  fake = await startFakeVllm(options)
}

function post(path: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(fake.url + path, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

// biome-ignore lint/suspicious/noExplicitAny: answers have many shapes, and the assertions name what they need
async function answer(path: string, body: unknown): Promise<any> {
  return (await post(path, body)).json()
}

const tools = [
  { type: 'function', function: { name: 'get_time', parameters: { properties: { zone: { type: 'string' } } } } },
]

test.each([
  [{ tool_choice: 'required' }, 'tool_calls'],
  [{ tool_choice: { type: 'function', function: { name: 'get_time' } } }, 'stop'],
  [{ messages: [{ role: 'user', content: 'please call get_time' }] }, 'tool_calls'],
])('%j calls a tool, streamed or whole', async (rest, finish) => {
  await start({ enableTools: true })
  const { choices } = await answer('/v1/chat/completions', { ...hello, max_tokens: 50, tools, ...rest })
  const [{ function: call }] = choices[0].message.tool_calls
  assert.deepEqual(
    [call.name, JSON.parse(call.arguments), choices[0].finish_reason],
    ['get_time', { zone: 'text' }, finish],
  )
  const events = await (await post('/v1/chat/completions', { ...helloStream, max_tokens: 50, tools, ...rest })).text()
  const deltas = [...events.matchAll(/"arguments":("(?:[^"\\]|\\.)*")/g)].map(([, text]) => JSON.parse(text!))
  assert.equal(deltas.join(''), call.arguments)
})

test('auto answers with text when no tool is named', async () => {
  await start({ enableTools: true })
  const { choices } = await answer('/v1/chat/completions', { ...hello, tools })
  assert.equal(choices[0].message.tool_calls, undefined)
})

test('a JSON schema is kept', async () => {
  await start()
  const schema = { type: 'object', properties: { a: { type: 'integer', minimum: 3 }, b: { enum: ['red', 'blue'] } } }
  const response_format = { type: 'json_schema', json_schema: { name: 'x', schema } }
  const { choices } = await answer('/v1/chat/completions', { messages: hello.messages, response_format })
  assert.deepEqual(JSON.parse(choices[0].message.content), { a: 3, b: 'red' })
})

test('vectors are the same for the same text, as floats, as base64 and from tokens', async () => {
  await start({ kind: 'pooling' })
  const vector = async (rest: object) => (await answer('/v1/embeddings', { input: 'hello', ...rest })).data[0].embedding
  const plain = await vector({})
  const bytes = Buffer.from(await vector({ encoding_format: 'base64' }), 'base64')
  assert.deepEqual(
    Array.from({ length: 64 }, (_, at) => bytes.readFloatLE(at * 4)),
    plain,
  )
  const { tokens } = await answer('/tokenize', { prompt: 'hello' })
  assert.deepEqual(await vector({ input: tokens }), plain)
  expect(Math.hypot(...plain)).toBeCloseTo(1, 6)
})

test('a classifier has labels, and what a pooling model has', async () => {
  await start({ kind: 'classify' })
  const { data } = await answer('/classify', { input: ['a', 'b'] })
  assert.deepEqual(Object.keys(data[1]), ['index', 'label', 'probs', 'num_classes'])
  assert.equal((await post('/score', { text_1: 'a', text_2: 'b' })).status, 200)
})

test('rerank sorts by relevance and keeps the first', async () => {
  await start({ kind: 'pooling' })
  const { results } = await answer('/v2/rerank', { query: 'b', documents: ['a', 'b', 'c'], top_n: 2 })
  assert.deepEqual([results.length, results[0].index], [2, 1])
})

test('a silent stream is kept alive by comments', async () => {
  await start({ sseKeepAliveMs: 5, ttftMs: 60 })
  assert.match(
    await (await post('/v1/chat/completions', helloStream)).text(),
    /^(: keep-alive\n\n)+data: \{[\s\S]*data: \[DONE\]\n\n$/,
  )
})

test('the usage of a stream comes at its end, or on every chunk', async () => {
  await start()
  const usages = async (stream_options: object) => {
    const events = await (await post('/v1/chat/completions', { ...helloStream, stream_options })).text()
    return [...events.matchAll(/"completion_tokens":(\d+)/g)].map(([, tokens]) => Number(tokens))
  }
  assert.deepEqual(await usages({ include_usage: true }), [4])
  assert.deepEqual(await usages({ include_usage: true, continuous_usage_stats: true }), [0, 1, 2, 3, 4, 4])
})

test('a body of 60 MB is read, and its text is too long', async () => {
  await start()
  const content = 'word '.repeat(12_000_000)
  const { error } = await answer('/v1/chat/completions', { messages: [{ role: 'user', content }] })
  assert.match(
    error.message,
    /^This model's maximum context length is 512 tokens\. However, your prompt contains 60000050 characters/,
  )
  expect(fake.requests[0]!.body.length).toBeGreaterThan(60_000_000)
})

test('max_tokens that does not fit beside the prompt is cut to what does', async () => {
  await start({ maxModelLen: 64 })
  const { usage, choices } = await answer('/v1/chat/completions', { ...hello, max_tokens: 64 })
  assert.deepEqual([usage.total_tokens, choices[0].finish_reason], [64, 'length'])
})

test('the log keeps what was sent: names as written, their order, and the body', async () => {
  await start()
  await post('/v1/completions?x=1', { prompt: 'a' })
  const { path, target, body, headers, rawHeaders } = fake.requests[0]!
  assert.deepEqual([path, target, String(body)], ['/v1/completions', '/v1/completions?x=1', '{"prompt":"a"}'])
  assert.equal(headers['content-type'], 'application/json')
  assert.equal(rawHeaders.length % 2, 0)
})

test('a handler that fails on odd input is a 500, and the server lives', async () => {
  await start({ kind: 'pooling' })
  assert.equal((await post('/v1/embeddings', { input: 5 })).status, 500)
  assert.equal((await fetch(`${fake.url}/health`)).status, 200)
})
