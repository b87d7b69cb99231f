/** What of a request reaches the backend, and under which name: bytes, headers, aliases, mappings, tasks. */
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, type Patch, startApp } from '../support/app.ts'
import { aChat, ask, errorOf } from '../support/requests.ts'
import { startRecorder } from './recorder.ts'

type Backends = Parameters<typeof startApp>[0]

async function setUp(over: Partial<Backends[number]> = {}, config: Patch = {}) {
  const backend = await startRecorder({ models: ['m'] })
  const lexora = await startApp([{ name: 'main', url: backend.url, models: ['m'], ...over }], { config })
  return { backend, lexora, baseline: activeTimers() }
}

/** The body that a backend gets for the one that a client sends. */
async function carried(body: string, over: Partial<Backends[number]> = {}, config: Patch = {}): Promise<string> {
  const { backend, lexora, baseline } = await setUp(over, config)
  await ask(lexora.port, body)
  await assertSettled(lexora, [], baseline)
  return backend.requests[0]!.body.toString()
}

const ODD = `{ "messages" : [ ] ,\r\n"model":"m", "a":12345678901234567890,"a":1.50,"__proto__":null,"\\u0061b":"\\ud83d\\ude00" }`

describe('the body', () => {
  test.each([
    ['needs no change', ODD, ODD],
    ['is mapped to the name that it has', '{"model":"m"}', '{"model":"m"}'],
    ['has x_ fields first', '{"x_priority":"low","model":"m"}', '{"model":"m"}'],
    ['has x_ fields last', '{"model":"m","x_timeout":5}', '{"model":"m"}'],
    ['has x_ fields between', '{"model":"m", "x_user_id" : "ann" ,"n":1}', '{"model":"m", "n":1}'],
    ['has x_ fields by escapes', '{"model":"m","x\\u005fpriority":"low"}', '{"model":"m"}'],
    ['has x_ fields that are not ours', '{"model":"m","x_other":1}', '{"model":"m","x_other":1}'],
    [
      'has vLLM’s own priority',
      '{"model":"m","priority":-5,"kv_transfer_params":{"a":1},"n":1}',
      '{"model":"m","n":1}',
    ],
    [
      'has them below the top',
      '{"model":"m","metadata":{"x_priority":"low","priority":1}}',
      '{"model":"m","metadata":{"x_priority":"low","priority":1}}',
    ],
    [
      'is a stream',
      '{"model":"m","stream":true}',
      '{"stream_options":{"include_usage":true},"model":"m","stream":true}',
    ],
    [
      'is a stream with options',
      '{"model":"m","stream":true,"stream_options":{ "a":1 }}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true, "a":1 }}',
    ],
    [
      'is a stream that wants no usage',
      '{"model":"m","stream":true,"stream_options":{"include_usage":false}}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      'is a stream that wants usage itself',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
      '{"model":"m","stream":true,"stream_options":{"include_usage":true}}',
    ],
  ])('%s: only what must change does', async (_what, sent, expected) => {
    expect(await carried(sent)).toBe(expected)
  })

  test('for a backend that is no vLLM keeps `priority`, and asks for usage only where that is on', async () => {
    const body = '{"model":"m","priority":1,"stream":true}'
    expect(await carried(body, { type: 'openai_compatible', includeUsage: 'off' })).toBe(body)
    expect(await carried(body, { type: 'openai_compatible' })).toBe(
      `{"stream_options":{"include_usage":true},${body.slice(1)}`,
    )
  })

  test('gets the name that the backend knows, by mapping, alias or both, and nothing else moves', async () => {
    const sent = ODD.replace('"m"', '"asked"')
    expect(await carried(sent, { modelMapping: { asked: 'inner/name"x' } })).toBe(
      ODD.replace('"m"', '"inner/name\\"x"'),
    )
    expect(await carried(sent, {}, { routing: { aliases: { asked: 'm' } } })).toBe(ODD)
    expect(await carried(sent, { modelMapping: { m: 'inner' } }, { routing: { aliases: { asked: 'm' } } })).toBe(
      ODD.replace('"m"', '"inner"'),
    )
  })

  test('without a model is named after the default one', async () => {
    expect(await carried('{"messages":[]}', {}, { default_model: 'm' })).toBe('{"model":"m","messages":[]}')
    expect(await carried('{}', {}, { default_model: 'm' })).toBe('{"model":"m"}')
    expect(await carried('{"model":null}', {}, { default_model: 'm' })).toBe('{"model":"m"}')
  })

  test('goes unnamed to the default backend, where no model is named at all', async () => {
    const backend = await startRecorder({ models: ['m'] })
    const { port } = await startApp([{ name: 'main', url: backend.url }], { defaultBackend: 'main' })
    expect((await ask(port, '{"messages":[]}')).status).toBe(200)
    expect((await ask(port, '{"model":"whatever"}')).status).toBe(200)
    expect(backend.requests.map(({ body }) => body.toString())).toEqual(['{"messages":[]}', '{"model":"whatever"}'])
  })
})

describe('the headers', () => {
  test('reach the backend by allow-list', async () => {
    const { backend, lexora } = await setUp({ apiKey: 'backend-secret', headers: { 'X-Org': 'ours' } })
    const sent: Record<string, string> = {
      accept: 'application/json',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=b',
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'x',
      'openai-beta': 'assistants=v2',
      'x-request-id': 'mine-1',
      authorization: 'Bearer EMPTY',
      'x-api-key': 'EMPTY',
      cookie: 'session=1',
      'user-agent': 'curl',
      'x-vllm-priority': '-1',
      'x-priority': '-1',
      priority: 'u=0',
      'x-lexora-priority': 'low',
      'x-lexora-user': 'ann',
      'x-lexora-timeout': '30',
      'x-lexora-session': 's',
      'x-lexora-app': 'a',
      'x-data-parallel-rank': '1',
      'x-forwarded-for': '10.0.0.1',
      'x-real-ip': '10.0.0.1',
      via: 'me',
      'openai-organization': 'org',
      'x-org': 'theirs',
      'accept-encoding': 'gzip, br',
    }
    expect((await ask(lexora.port, '{"model":"m"}', sent)).status).toBe(200)
    const { headers } = backend.requests[0]!
    expect(headers).toEqual({
      host: new URL(backend.url).host,
      connection: 'keep-alive',
      'accept-encoding': 'identity',
      authorization: 'Bearer backend-secret',
      'content-type': 'application/json',
      'content-length': '13',
      'x-org': 'ours',
      ...Object.fromEntries(
        [
          'accept',
          'traceparent',
          'tracestate',
          'anthropic-version',
          'anthropic-beta',
          'openai-beta',
          'x-request-id',
        ].map((name) => [name, sent[name]]),
      ),
    })
  })

  test('of an answer name the backend, the model, the attempts and the request', async () => {
    const { lexora } = await setUp({ modelMapping: { asked: 'inner' } })
    const { headers } = await ask(lexora.port, '{"model":"asked"}', { 'x-request-id': 'mine-2' })
    expect(Object.fromEntries([...headers].filter(([name]) => name.startsWith('x-')))).toEqual({
      'x-request-id': 'mine-2',
      'x-lexora-backend': 'main',
      'x-lexora-model': 'inner',
      'x-lexora-attempts': '1',
      'x-lexora-queue-ms': '0',
    })
  })

  test('x-lexora-user and x_user_id name the user, the body first; without them OpenAI’s user does', async () => {
    const { lexora } = await setUp()
    await ask(lexora.port, aChat({ model: 'm', x_user_id: 'ann', user: 'cat' }), { 'x-lexora-user': 'bob' })
    await ask(lexora.port, aChat({ model: 'm', user: 'cat' }), { 'x-lexora-user': 'bob' })
    await ask(lexora.port, aChat({ model: 'm', user: 'cat' }))
    await ask(lexora.port, aChat({ model: 'm' }))
    expect(lexora.outcomes.map(({ user }) => user)).toEqual(['ann', 'bob', 'cat', null])
  })
})

describe('the task header', () => {
  const TASKS: Patch = {
    routing: { tasks: { summary: { primary: 'small', fallback: ['big'] } }, aliases: { small: 'small-v2' } },
  }

  test.each(['x-lexora-task', 'x-orch-task-kind'])(
    '%s overrides the model, through aliases, and is logged',
    async (header) => {
      const [small, big] = [await startRecorder(), await startRecorder()]
      const lexora = await startApp(
        [
          { name: 'small', url: small.url, models: ['small-v2'] },
          { name: 'big', url: big.url, models: ['big'] },
        ],
        { config: TASKS },
      )
      const answer = await ask(lexora.port, '{"model":"big","messages":[]}', { [header]: 'summary' })
      expect([answer.status, answer.headers.get('x-lexora-backend')]).toEqual([200, 'small'])
      expect(small.requests[0]!.body.toString()).toBe('{"model":"small-v2","messages":[]}')
      expect(small.requests[0]!.headers[header]).toBeUndefined()
      expect(lexora.outcomes).toMatchObject([{ task: 'summary', model: 'small-v2' }])
      expect(big.requests).toEqual([])
    },
  )

  test('falls back to the task’s next model', async () => {
    const big = await startRecorder()
    const lexora = await startApp(
      [
        { name: 'small', url: 'http://127.0.0.1:9', models: ['small-v2'] },
        { name: 'big', url: big.url, models: ['big'] },
      ],
      { config: TASKS },
    )
    const answer = await ask(lexora.port, '{"model":"any"}', { 'x-lexora-task': 'summary' })
    expect([answer.status, answer.headers.get('x-lexora-backend')]).toEqual([200, 'big'])
    expect(big.requests[0]!.body.toString()).toBe('{"model":"big"}')
  })

  test('that names no task is a 400 with the nearest', async () => {
    const { lexora, backend } = await setUp({}, { routing: { tasks: { summary: { primary: 'm' } } } })
    const answer = await ask(lexora.port, '{"model":"m"}', { 'x-lexora-task': 'sumary' })
    expect([answer.status, errorOf(answer)]).toMatchObject([400, { code: 'invalid_request', param: 'x-lexora-task' }])
    expect(errorOf(answer).message).toContain('summary')
    expect(backend.requests).toEqual([])
  })
})
