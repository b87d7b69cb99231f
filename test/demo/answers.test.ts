import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDemoServer } from '../../src/demo/server.ts'

let server: Server
let url: string
beforeAll(async () => {
  server = createDemoServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
}

// biome-ignore lint/suspicious/noExplicitAny: answers have many shapes, and the assertions name what they need
async function answer(path: string, body: unknown): Promise<any> {
  return (await post(path, body)).json()
}

const ask = (content: string, rest: object = {}) => ({
  model: 'demo-chat',
  messages: [{ role: 'user', content }],
  ...rest,
})

test('GET /v1/models names both models in the shape of vLLM', async () => {
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as {
    data: { id: string; max_model_len: number; owned_by: string }[]
  }
  assert.deepEqual(
    data.map(({ id, max_model_len, owned_by }) => [id, max_model_len, owned_by]),
    [
      ['demo-chat', 8192, 'vllm'],
      ['demo-embed', 8192, 'vllm'],
    ],
  )
})

test.each([
  ['What is a gateway?', 'not a model'],
  ['ゲートウェイとは何ですか', 'モデルではありません'],
  ['게이트웨이가 무엇인가요?', '모델이 아닙니다'],
])(
  'chat answers %s in its language: what this is, what was asked, how to connect a model',
  async (question, plainly) => {
    const { choices, usage } = await answer('/v1/chat/completions', ask(question))
    const { content } = choices[0].message
    for (const part of [plainly, question, 'lexora_config.yaml', 'LEXORA_VLLM__URL'])
      assert.ok(content.includes(part), part)
    assert.equal(choices[0].finish_reason, 'stop')
    assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
  },
)

test('chat honours max_tokens, stop and response_format', async () => {
  const short = await answer('/v1/chat/completions', ask('Hi', { max_tokens: 3 }))
  assert.deepEqual([short.choices[0].finish_reason, short.usage.completion_tokens], ['length', 3])
  const stopped = await answer('/v1/chat/completions', ask('Hi', { stop: [' engine'] }))
  assert.deepEqual(
    [stopped.choices[0].message.content, stopped.choices[0].finish_reason],
    ["This is Lexora's demo", 'stop'],
  )
  const json = await answer('/v1/chat/completions', ask('Hi', { response_format: { type: 'json_object' } }))
  assert.deepEqual(
    [JSON.parse(json.choices[0].message.content).is_a_model, JSON.parse(json.choices[0].message.content).you_asked],
    [false, 'Hi'],
  )
  const schema = {
    type: 'object',
    properties: { n: { type: 'integer', minimum: 7 }, tags: { type: 'array', items: { enum: ['a', 'b'] } } },
  }
  const typed = await answer(
    '/v1/chat/completions',
    ask('Hi', { response_format: { type: 'json_schema', json_schema: { schema } } }),
  )
  assert.deepEqual(JSON.parse(typed.choices[0].message.content), { n: 7, tags: ['a'] })
})

test.each([
  ['/v1/chat/completions', ask('Hi', { max_tokens: 5 })],
  ['/v1/completions', { prompt: 'Hi', max_tokens: 5 }],
])(
  'a stream of %s says what the whole answer says, and ends with its reason, the usage and [DONE]',
  async (path, body) => {
    const whole = await answer(path, body)
    const response = await post(path, { ...body, stream: true, stream_options: { include_usage: true } })
    const events = (await response.text())
      .trimEnd()
      .split('\n\n')
      .map((event) => event.replace('data: ', ''))
    assert.equal(events.pop(), '[DONE]')
    const chunks = events.map((event) => JSON.parse(event))
    assert.deepEqual(chunks.pop().usage, whole.usage)
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'length')
    const said = chunks.map(({ choices }) => choices[0].delta?.content ?? choices[0].text).join('')
    assert.equal(said, whole.choices[0].message?.content ?? whole.choices[0].text)
  },
)

test('a client that leaves stops its stream at once', async () => {
  const closed = new Promise((resolve) =>
    server.once('request', (_request, response) => response.once('close', resolve)),
  )
  const leaving = new AbortController()
  const response = await post('/v1/chat/completions', ask('Hi', { stream: true }), leaving.signal)
  await response.body!.getReader().read()
  assert.match(await metrics(), /num_requests_running\{[^}]*\} 1\n/)
  leaving.abort()
  await closed
  assert.match(await metrics(), /num_requests_running\{[^}]*\} 0\n/)
  assert.match(await metrics(), /finished_reason="abort"[^}]*\} 1\n/)
})

async function metrics(): Promise<string> {
  return (await fetch(`${url}/metrics`)).text()
}

test('texts that share words are closer than texts that do not', async () => {
  const vectors = await embedded([
    'How do I reset my password?',
    'I forgot my password and want it to be reset',
    'The soup needs two onions and a carrot',
    '비밀번호를 재설정하고 싶어요',
    '비밀번호 재설정 방법을 알려 주세요',
    'パスワードを忘れました',
    'パスワードを忘れたときの手順',
  ])
  const [reset, forgot, soup, korean, koreanToo, japanese, japaneseToo] = vectors as [V, V, V, V, V, V, V]
  expect(cosine(reset, forgot)).toBeGreaterThan(cosine(reset, soup) + 0.2)
  expect(cosine(korean, koreanToo)).toBeGreaterThan(cosine(korean, soup) + 0.2)
  expect(cosine(japanese, japaneseToo)).toBeGreaterThan(cosine(japanese, korean) + 0.2)
})

test('a vector is one long, as wide as asked, the same as base64 and from tokens', async () => {
  const [plain] = (await embedded(['hello world'])) as [V]
  assert.equal(plain.length, 256)
  expect(Math.hypot(...plain)).toBeCloseTo(1, 6)
  assert.equal(((await embedded('hello', { dimensions: 16 })) as [V])[0].length, 16)
  const [packed] = (await embedded('hello world', { encoding_format: 'base64' })) as unknown as [string]
  const bytes = Buffer.from(packed, 'base64')
  assert.deepEqual(
    Array.from({ length: 256 }, (_, at) => bytes.readFloatLE(at * 4)),
    plain,
  )
  const { tokens } = await answer('/tokenize', { prompt: 'hello world' })
  assert.deepEqual(await embedded([tokens]), [plain])
  assert.deepEqual(await embedded(tokens), [plain])
})

test.each(['Hello  world,\n\tagain', '日本語と한국어', 'emoji 👩‍👩‍👧 and 𝄞', ''])(
  '%j comes back from its tokens',
  async (prompt) => {
    const { tokens, count } = await answer('/tokenize', { prompt })
    assert.equal(count, tokens.length)
    assert.equal((await answer('/detokenize', { tokens })).prompt, prompt)
  },
)

test.each([
  ['/v1/chat/completions', ask('x', { model: 'nope' }), 404, 'NotFoundError', 'model'],
  ['/v1/embeddings', { model: 'demo-chat', input: 'x' }, 404, 'NotFoundError', 'model'],
  ['/v1/chat/completions', { model: 'demo-chat' }, 400, 'Bad Request', 'body.messages'],
  ['/v1/chat/completions', { messages: 'hi' }, 400, 'Bad Request', 'body.messages'],
  ['/v1/chat/completions', { messages: [{ content: 'x' }] }, 400, 'Bad Request', 'body.messages.0.role'],
  ['/v1/chat/completions', [], 400, 'Bad Request', 'body'],
  ['/v1/chat/completions', ask('x', { max_tokens: 0 }), 400, 'BadRequestError', 'max_tokens'],
  ['/v1/chat/completions', ask('x', { max_tokens: 'many' }), 400, 'Bad Request', 'body.max_tokens'],
  ['/v1/chat/completions', ask('x'.repeat(30_000)), 400, 'BadRequestError', 'input_tokens'],
  ['/v1/completions', {}, 400, 'BadRequestError', 'prompt'],
  ['/v1/embeddings', {}, 400, 'Bad Request', 'body.input'],
  ['/v1/embeddings', { input: '' }, 400, 'BadRequestError', null],
])('%s refuses a wrong body as vLLM does', async (path, body, status, type, param) => {
  const response = await post(path, body)
  const { error } = (await response.json()) as { error: { type: string; param: string | null; code: number } }
  assert.deepEqual([response.status, error.code, error.type, error.param], [status, status, type, param])
})

test('routes that it does not have are vLLM’s plain 404 and 405', async () => {
  const missing = await post('/v1/responses', {})
  assert.deepEqual([missing.status, await missing.json()], [404, { detail: 'Not Found' }])
  const wrong = await fetch(`${url}/v1/chat/completions`)
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST'])
})

type V = number[]

async function embedded(input: unknown, rest: object = {}): Promise<V[]> {
  const { data } = await answer('/v1/embeddings', { model: 'demo-embed', input, ...rest })
  return data.map(({ embedding }: { embedding: V }) => embedding)
}

function cosine(one: V, other: V): number {
  return one.reduce((sum, value, at) => sum + value * other[at]!, 0)
}
