/** Azure OpenAI: its two URL forms and its key header (DESIGN 3). */
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, startApp } from '../support/app.ts'
import { aChat, ask, dataOf } from '../support/requests.ts'
import { type Recorder, sendJson, startRecorder } from './recorder.ts'

const CHAT = '/v1/chat/completions'

async function setUp(apiVersion: string | null) {
  const azure = await startRecorder({ models: ['gpt-4o'] })
  const lexora = await startApp([
    {
      name: 'azure',
      type: 'azure_openai',
      url: azure.url,
      apiKey: 'azure-secret',
      apiVersion,
      models: ['gpt-4o'],
      modelMapping: { fast: 'my deployment' },
    },
  ])
  return { azure, lexora, baseline: activeTimers() }
}

const targets = ({ requests }: Recorder) => requests.map(({ target }) => target)

describe('an azure_openai backend', () => {
  test.each([
    [CHAT, '/openai/v1/chat/completions'],
    ['/v1/embeddings', '/openai/v1/embeddings'],
    ['/v1/responses', '/openai/v1/responses'],
  ])('without api_version %s goes to %s, the model stays in the body', async (path, target) => {
    const { azure, lexora, baseline } = await setUp(null)
    expect((await ask(lexora.port, aChat({ model: 'gpt-4o' }), {}, path)).status).toBe(200)
    expect((await ask(lexora.port, aChat({ model: 'fast' }), {}, path)).status).toBe(200)
    expect(targets(azure)).toEqual([target, target])
    expect(azure.requests.map(({ body }) => JSON.parse(body.toString()).model)).toEqual(['gpt-4o', 'my deployment'])
    await assertSettled(lexora, [], baseline)
  })

  test.each([
    [CHAT, 'chat/completions'],
    ['/v1/embeddings', 'embeddings'],
  ])('with api_version %s goes to the deployment that the mapped model names', async (path, rest) => {
    const { azure, lexora, baseline } = await setUp('2024-10-21')
    await ask(lexora.port, aChat({ model: 'gpt-4o' }), {}, path)
    await ask(lexora.port, aChat({ model: 'fast' }), {}, path)
    expect(targets(azure)).toEqual([
      `/openai/deployments/gpt-4o/${rest}?api-version=2024-10-21`,
      `/openai/deployments/my%20deployment/${rest}?api-version=2024-10-21`,
    ])
    await assertSettled(lexora, [], baseline)
  })

  test.each([null, '2024-10-21'])(
    'carries the key as api-key and in no other header (api_version %s)',
    async (version) => {
      const { azure, lexora } = await setUp(version)
      await ask(lexora.port, aChat({ model: 'gpt-4o' }), { authorization: 'Bearer EMPTY', 'api-key': 'of the client' })
      const [{ headers }] = azure.requests as [Recorder['requests'][0]]
      expect(headers['api-key']).toBe('azure-secret')
      expect(headers.authorization).toBeUndefined()
      expect(JSON.stringify(headers)).not.toContain('of the client')
    },
  )

  test('is asked for the usage of a stream by its new address, not by a dated one, which may not know the field', async () => {
    for (const [version, asks] of [
      [null, true],
      ['2024-10-21', false],
    ] as const) {
      const { azure, lexora } = await setUp(version)
      await ask(lexora.port, aChat({ model: 'gpt-4o', stream: true }))
      expect(azure.requests[0]!.body.toString().includes('include_usage'), String(version)).toBe(asks)
    }
  })

  test('streams like any other', async () => {
    const events = [
      '{"choices":[{"index":0,"delta":{"content":"hi"}}]}',
      '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
      '[DONE]',
    ]
    const azure = await startRecorder({
      answer: (_request, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' })
        res.end(events.map((event) => `data: ${event}\n\n`).join(''))
      },
    })
    const lexora = await startApp([
      { name: 'azure', type: 'azure_openai', url: azure.url, models: ['gpt-4o'], apiVersion: '2024-10-21' },
    ])
    const answer = await ask(lexora.port, aChat({ model: 'gpt-4o', stream: true }))
    expect(dataOf(answer.body)).toEqual(events)
  })

  test('refusing our key is a 502, never the caller’s 401', async () => {
    const azure = await startRecorder({
      answer: (_request, res) => sendJson(res, 401, { error: { code: '401', message: 'Access denied' } }),
    })
    const lexora = await startApp([{ name: 'azure', type: 'azure_openai', url: azure.url, models: ['gpt-4o'] }])
    const answer = await ask(lexora.port, aChat({ model: 'gpt-4o' }))
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([502, 'backend_auth'])
  })

  test.each([
    [null, '/openai/v1/audio/transcriptions'],
    ['2024-10-21', '/openai/deployments/gpt-4o/audio/transcriptions?api-version=2024-10-21'],
  ])('takes audio at its own address too (api_version %s)', async (version, target) => {
    const { azure, lexora } = await setUp(version)
    const answer = await ask(lexora.port, '{"model":"gpt-4o"}', {}, '/v1/audio/transcriptions')
    expect(answer.status).toBe(200)
    expect(targets(azure)).toEqual([target])
    expect(azure.requests[0]!.headers['api-key']).toBe('azure-secret')
  })

  test('is probed by its list of models', async () => {
    const { azure } = await setUp(null)
    expect(new Set(azure.gets)).toEqual(new Set(['/openai/v1/models']))
  })
})
