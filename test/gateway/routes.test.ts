/** The table of routes, the operators' pages, and who may call: over HTTP, from the outside. */
import { describe, expect, test } from 'vitest'
import { MANAGED } from '../../src/protocol/endpoints.ts'
import { type Patch, startApp, startFake, until } from '../support/app.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, dataOf } from '../support/requests.ts'
import { poll } from './poll.ts'
import { startRecorder } from './recorder.ts'

const CHAT = '/v1/chat/completions'
const KEY = 'sk-team-0123456789abcdef'

type Health = {
  status: string
  vllm_status: string
  model: string | null
  reasons: string[]
  backends: Record<string, { status: string; breaker: string; models: string[]; latency_ms: number | null }>
}

async function health(url: string): Promise<{ status: number; body: Health }> {
  const answer = await fetch(`${url}/health`)
  return { status: answer.status, body: (await answer.json()) as Health }
}

describe('a managed endpoint', () => {
  test.each(MANAGED)('$path reaches the same path of its backend, and the answer comes back', async ({ path }) => {
    const backend = await startRecorder()
    const lexora = await startApp([{ name: 'main', url: `${backend.url}/base`, models: ['m'] }])
    const body = '{"model":"m","input":"x"}'
    const answer = await ask(lexora.port, body, {}, path)
    expect([answer.status, answer.body]).toEqual([200, '{"ok":true}'])
    expect(answer.headers.get('x-lexora-backend')).toBe('main')
    expect(answer.headers.get('x-lexora-model')).toBe('m')
    expect(backend.requests.map(({ method, target, body: sent }) => [method, target, sent.toString()])).toEqual([
      ['POST', `/base${path}`, body],
    ])
    expect(lexora.outcomes).toMatchObject([{ endpoint: path, outcome: 'ok', model: 'm', backend: 'main' }])
  })

  test.each(MANAGED.filter(({ streams }) => !streams))(
    '$path is answered whole even if the body says stream',
    async ({ path }) => {
      const backend = await startRecorder()
      const lexora = await startApp([{ name: 'main', url: backend.url, models: ['m'] }])
      const answer = await ask(lexora.port, '{"model":"m","stream":true}', {}, path)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json'])
    },
  )

  test('a probe is a GET: the backend of a configuration sees no work but ours', async () => {
    const backend = await startRecorder()
    await startApp([{ name: 'main', url: backend.url }])
    expect(backend.gets).toEqual(['/health', '/v1/models'])
    expect(backend.requests).toEqual([])
  })
})

describe('the operators’ pages', () => {
  test('/health is healthy while all backends are up, degraded while one is, unhealthy (503) while none is', async () => {
    const [one, two] = [await startFake(), await startFake({ models: ['big'] })]
    const { url } = await startApp([
      { name: 'one', url: one.url },
      { name: 'two', url: two.url },
    ])
    expect(await health(url)).toMatchObject({
      status: 200,
      body: {
        status: 'healthy',
        vllm_status: 'connected',
        model: 'tiny',
        uptime: expect.stringMatching(/^\d+s$/),
        uptime_seconds: expect.any(Number),
        version: '0.0.0-test',
        gpu_memory_used: null,
        gpu_memory_used_bytes: null,
        reasons: [],
        backends: {
          one: { status: 'up', breaker: 'closed', models: ['tiny'], latency_ms: expect.any(Number) },
          two: { status: 'up', breaker: 'closed', models: ['big'] },
        },
      },
    })
    await two.close()
    const degraded = await poll(
      () => health(url),
      ({ body }) => body.status === 'degraded',
    )
    expect(degraded.status).toBe(200)
    expect(degraded.body.reasons).toEqual([expect.stringMatching(/^backend two is down \(.*ECONNREFUSED/)])
    await one.close()
    const unhealthy = await poll(
      () => health(url),
      ({ body }) => body.status === 'unhealthy',
    )
    expect([unhealthy.status, unhealthy.body.vllm_status]).toEqual([503, 'disconnected'])
    await Promise.all([startFake({ port: one.port }), startFake({ port: two.port, models: ['big'] })])
    const again = await poll(
      () => health(url),
      ({ body }) => body.status === 'healthy',
    )
    expect(again.status).toBe(200)
  })

  test('/health shows a backend whose breaker is open', async () => {
    const fake = await startFake()
    fake.fault({ do: 'status', status: 500, times: 0 })
    const lexora = await startApp([{ name: 'main', url: fake.url }], { config: { retry: { max_retries: 0 } } })
    for (let i = 0; i < 3; i++) await ask(lexora.port, aChat())
    expect(await health(lexora.url)).toMatchObject({
      status: 503,
      body: { status: 'unhealthy', backends: { main: { status: 'up', breaker: 'open' } } },
    })
  })

  test('/healthz is alive whatever the backends are; /readyz follows them', async () => {
    const fake = await startFake()
    const { url } = await startApp([{ name: 'main', url: fake.url }])
    const ready = async () => (await fetch(`${url}/readyz`)).status
    expect(await ready()).toBe(200)
    await fake.close()
    await poll(ready, (status) => status === 503)
    const alive = await fetch(`${url}/healthz`)
    expect([alive.status, await alive.json()]).toEqual([200, { status: 'alive' }])
    await startFake({ port: fake.port })
    await poll(ready, (status) => status === 200)
  })

  test('/stats counts requests, tokens and errors, by model, user and backend', async () => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }], { config: { retry: { max_retries: 0 } } })
    await ask(lexora.port, aChat({ user: 'ann' }))
    await ask(lexora.port, aChat({ stream: true, x_user_id: 'bob', user: 'ann' }))
    await ask(lexora.port, aChat({ model: 'nobody' }))
    fake.fault({ do: 'html', status: 200 })
    await ask(lexora.port, aChat(), { 'x-lexora-user': 'ann' })
    const stats = await (await fetch(`${lexora.url}/stats`)).json()
    expect(stats).toMatchObject({
      total_requests: 4,
      errors_last_hour: 1,
      requests_per_minute: 4,
      tokens: { completion: 16, prompt: expect.any(Number), cached: 0 },
      avg_latency_ms: expect.any(Number),
      latency: { p50: expect.any(Number), p95: expect.any(Number), p99: expect.any(Number) },
      ttft: { p50: expect.any(Number) },
      by_model: { tiny: { requests: 3, errors: 1 }, other: { requests: 1, errors: 0 } },
      by_user: {
        ann: { requests: 2, errors: 1 },
        bob: { requests: 1, completion_tokens: 8 },
        anonymous: { requests: 1 },
      },
      by_backend: { main: { requests: 3, errors: 1 } },
    })
    const { total_tokens: total, tokens } = stats as {
      total_tokens: number
      tokens: { prompt: number; completion: number }
    }
    expect(total).toBe(tokens.prompt + tokens.completion)
  })

  test('/metrics tells the same as counters, and the state of the backends as gauges', async () => {
    const [fake, spare] = [await startFake(), await startFake()]
    const lexora = await startApp(
      [
        { name: 'main', url: fake.url, models: ['tiny'], fallbackBackends: ['spare'] },
        { name: 'spare', url: spare.url, models: ['other'] },
      ],
      { config: { retry: { max_retries: 0 } } },
    )
    await ask(lexora.port, aChat())
    fake.fault({ do: 'status', status: 500 })
    await ask(lexora.port, aChat({ stream: true }))
    await ask(lexora.port, aChat({ model: 'nobody' }))
    const answer = await fetch(`${lexora.url}/metrics`)
    expect(answer.headers.get('content-type')).toContain('text/plain')
    const lines = (await answer.text()).split('\n')
    const request = (model: string, backend: string, outcome: string): string =>
      `lexora_requests_total{endpoint="${CHAT}",model="${model}",backend="${backend}",outcome="${outcome}"} 1`
    for (const line of [
      request('tiny', 'main', 'ok'),
      request('tiny', 'spare', 'ok'),
      request('other', 'none', 'client_error'),
      'lexora_tokens_total{model="tiny",kind="completion"} 16',
      'lexora_retries_total{backend="main",reason="status_500"} 1',
      'lexora_fallbacks_total{from="main",to="spare"} 1',
      'lexora_backend_up{backend="main"} 1',
      'lexora_breaker_state{backend="main"} 0',
      'lexora_in_flight{backend="main"} 0',
      'lexora_overhead_seconds_count 3',
      'lexora_time_to_first_token_seconds_count{model="tiny"} 1',
    ]) {
      expect(lines).toContain(line)
    }
    expect(lines.some((line) => line.startsWith('process_cpu_seconds_total '))).toBe(true)
  })

  test.each([
    [true, ['spare']],
    [false, []],
  ])('a snapshot names the fallbacks of a backend where they are in force (%s)', async (enabled, fallbacks) => {
    const [fake, spare] = [await startFake(), await startFake()]
    const lexora = await startApp(
      [
        { name: 'main', url: fake.url, fallbackBackends: ['spare'] },
        { name: 'spare', url: spare.url },
      ],
      { config: { fallback: { enabled } } },
    )
    const { backends } = await lexora.app.commands.snapshot()
    expect(backends.map((backend) => backend.fallbacks)).toEqual([fallbacks, []])
  })

  test.each(['/health', '/healthz', '/readyz', '/stats', '/metrics', '/v1/models'])(
    '%s answers GET and HEAD, and nothing else',
    async (path) => {
      const fake = await startFake()
      const { url } = await startApp([{ name: 'main', url: fake.url }])
      const head = await fetch(url + path, { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([200, ''])
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
        const answer = await fetch(url + path, { method })
        expect([answer.status, answer.headers.get('allow')], method).toEqual([405, 'GET, HEAD'])
        expect(await answer.json()).toMatchObject({ error: { code: 'method_not_allowed' } })
      }
    },
  )
})

describe('who may call', () => {
  const PATHS = ['/health', '/stats', '/metrics', '/v1/models', '/v1/models/tiny', '/nowhere', CHAT, '/v1/audio/speech']
  const call = async (config: Patch, headers: Record<string, string>): Promise<(number | string)[]> => {
    const fake = await startFake()
    const { port } = await startApp([{ name: 'main', url: fake.url }], { config })
    const statuses: (number | string)[] = []
    for (const path of PATHS) {
      const client = await RawClient.open(port)
      const post = path === CHAT || path.includes('audio')
      if (post) client.post(path, aChat(), { ...headers, connection: 'close' })
      else {
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
        client.send(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${lines.join('')}\r\n`)
      }
      statuses.push(parseAnswer(await client.closed()).status)
    }
    return statuses
  }
  const SERVED = [200, 200, 200, 200, 200, 404, 200, 404]
  const REFUSED = PATHS.map(() => 401)
  const keys = { api_keys: [KEY, { key: 'lx-ann-0123456789abcdef', user: 'ann' }] }

  test.each<[string, Patch, Record<string, string>, (number | string)[]]>([
    ['auto without keys, from loopback: anybody', {}, {}, SERVED],
    ['auto without keys: placeholders that clients insist on', {}, { authorization: 'Bearer EMPTY' }, SERVED],
    ['auto without keys: an unknown key that we minted', {}, { authorization: 'Bearer lx-gone' }, REFUSED],
    ['auto with keys: none', { auth: keys }, {}, REFUSED],
    ['auto with keys: a placeholder', { auth: keys }, { authorization: 'Bearer EMPTY' }, REFUSED],
    ['auto with keys: the right one as Bearer', { auth: keys }, { authorization: `Bearer ${KEY}` }, SERVED],
    [
      'auto with keys: the right one, "bearer" in lower case',
      { auth: keys },
      { authorization: `bearer ${KEY}` },
      SERVED,
    ],
    ['auto with keys: the right one as x-api-key', { auth: keys }, { 'x-api-key': KEY }, SERVED],
    [
      'auto with keys: the same key twice',
      { auth: keys },
      { 'x-api-key': KEY, authorization: `Bearer ${KEY}` },
      SERVED,
    ],
    [
      'auto with keys: two different ones',
      { auth: keys },
      { 'x-api-key': KEY, authorization: 'Bearer EMPTY' },
      REFUSED,
    ],
    ['auto with keys: Basic instead of Bearer', { auth: keys }, { authorization: `Basic ${KEY}` }, REFUSED],
    ['auto with keys: no scheme', { auth: keys }, { authorization: KEY }, REFUSED],
    ['auto with keys: nothing behind Bearer', { auth: keys }, { authorization: 'Bearer ' }, REFUSED],
    [
      'auto with keys: a megabyte less than the limit of headers',
      { auth: keys },
      { authorization: `Bearer ${KEY.repeat(400)}` },
      REFUSED,
    ],
    ['required without keys: none', { auth: { mode: 'required' } }, {}, REFUSED],
    [
      'off: anybody, whatever they send',
      { auth: { ...keys, mode: 'off' } },
      { authorization: 'Bearer lx-gone' },
      SERVED,
    ],
    ['a header of one’s own', { auth: { ...keys, header: 'X-Team-Key' } }, { 'x-team-key': KEY }, SERVED],
    ['a header that is not configured', { auth: keys }, { 'x-team-key': KEY }, REFUSED],
  ])('%s', async (_who, config, headers, statuses) => {
    expect(await call(config, headers)).toEqual(statuses)
  })

  test('/healthz and /readyz need no key', async () => {
    const fake = await startFake()
    const { url } = await startApp([{ name: 'main', url: fake.url }], { config: { auth: keys } })
    for (const path of ['/healthz', '/readyz']) expect((await fetch(url + path)).status).toBe(200)
  })

  test('a key’s user is the request’s user, whatever the body says; the key itself is in no log and no answer', async () => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }], { config: { auth: keys } })
    const answer = await ask(lexora.port, aChat({ user: 'bob' }), { authorization: 'Bearer lx-ann-0123456789abcdef' })
    expect(answer.status).toBe(200)
    expect(lexora.outcomes).toMatchObject([{ user: 'ann', keyId: expect.stringMatching(/^[0-9a-f]{12}$/) }])
    expect(JSON.stringify([answer.body, lexora.outcomes, lexora.log])).not.toContain('lx-ann')
  })
})

describe('pages of other origins', () => {
  const LISTED = 'https://app.example'
  const setUp = async () => {
    const fake = await startFake()
    return await startApp([{ name: 'main', url: fake.url }], { config: { server: { cors_origins: [LISTED] } } })
  }

  test('a listed origin may ask, hears that it may, and reads our headers', async () => {
    const { port } = await setUp()
    for (const body of [aChat(), aChat({ stream: true }), aChat({ model: 'nobody' })]) {
      const { headers } = await ask(port, body, { origin: LISTED, 'sec-fetch-site': 'cross-site' })
      expect(headers.get('access-control-allow-origin')).toBe(LISTED)
      expect(headers.get('vary')).toBe('Origin')
      expect(headers.get('access-control-expose-headers')).toContain('x-request-id')
      expect(headers.has('access-control-allow-credentials')).toBe(false)
    }
  })

  test('a preflight of a listed origin is answered without a key, any other is refused', async () => {
    const { url } = await setUp()
    const preflight = async (origin: string) =>
      await fetch(url + CHAT, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } })
    const good = await preflight(LISTED)
    expect(good.status).toBe(204)
    expect(good.headers.get('access-control-allow-headers')).toContain('authorization')
    expect(good.headers.get('access-control-allow-methods')).toBe('GET, POST')
    for (const origin of ['https://app.example.evil', 'http://app.example', 'https://APP.example', 'null', '*']) {
      const bad = await preflight(origin)
      expect([bad.status, bad.headers.get('access-control-allow-origin')], origin).toEqual([403, null])
    }
  })

  test('our own pages may call, by any name of this machine; a page of another site may not even GET', async () => {
    const { port } = await setUp()
    const status = async (headers: Record<string, string>) => (await ask(port, aChat(), headers)).status
    expect(await status({ host: `localhost:${port}`, origin: `http://localhost:${port}` })).toBe(200)
    expect(await status({ host: 'localhost:9', origin: 'http://localhost:9', 'sec-fetch-site': 'same-origin' })).toBe(
      200,
    )
    expect(await status({ host: `localhost:${port}`, origin: 'http://localhost:3000' })).toBe(403)
    expect(await status({ 'sec-fetch-site': 'same-site' })).toBe(403)
    expect(await status({ 'sec-fetch-site': 'none' })).toBe(200)
    const client = await RawClient.open(port)
    client.send('GET /v1/models HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: cross-site\r\nconnection: close\r\n\r\n')
    expect(parseAnswer(await client.closed()).status).toBe(403)
  })
})

describe('two backends with one model', () => {
  test('one is killed under load: what has shown nothing is answered by the other, what has begun says that it broke', async () => {
    const [one, two] = [await startFake({ tokenMs: 3 }), await startFake({ tokenMs: 3 })]
    const lexora = await startApp([
      { name: 'one', url: one.url },
      { name: 'two', url: two.url },
    ])
    const requests = Array.from({ length: 60 }, (_, i) =>
      ask(lexora.port, aChat({ stream: i % 2 === 0, max_tokens: 100 })),
    )
    await until(
      () => one.running() >= 10 && two.running() >= 10 && one.requests.some(({ eventsSent }) => eventsSent > 5),
    )
    await one.close()
    const answers = await Promise.all(requests)
    expect(answers.map(({ status }) => status)).toEqual(requests.map(() => 200))
    const streams = answers.filter((_, i) => i % 2 === 0).map(({ body }) => dataOf(body))
    const broken = streams.filter((events) => events.at(-1) !== '[DONE]')
    expect(broken.length).toBeGreaterThan(0)
    for (const events of broken) {
      expect(events.length).toBeGreaterThan(1)
      expect(JSON.parse(events.at(-1)!).error.code).toBe('backend_truncated')
      expect(events).not.toContain('[DONE]')
    }
    for (const { body } of answers.filter((_, i) => i % 2 === 1)) {
      expect(JSON.parse(body).usage.completion_tokens).toBe(100)
    }
    expect(lexora.outcomes.filter(({ outcome }) => outcome === 'stream_error')).toHaveLength(broken.length)
    const later = await Promise.all(Array.from({ length: 10 }, () => ask(lexora.port, aChat())))
    expect(later.map(({ status, headers }) => [status, headers.get('x-lexora-backend')])).toEqual(
      later.map(() => [200, 'two']),
    )
  })

  test('a recovered backend serves again', async () => {
    const [one, two] = [await startFake(), await startFake()]
    const lexora = await startApp([
      { name: 'one', url: one.url },
      { name: 'two', url: two.url },
    ])
    await one.close()
    await poll(
      () => health(lexora.url),
      ({ body }) => body.backends['one']!.status === 'down',
    )
    expect((await ask(lexora.port, aChat())).headers.get('x-lexora-backend')).toBe('two')
    await startFake({ port: one.port })
    const served = await poll(
      () => ask(lexora.port, aChat()),
      ({ headers }) => headers.get('x-lexora-backend') === 'one',
    )
    expect(served.status).toBe(200)
  })
})
