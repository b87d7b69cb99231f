/**
 * Section 2.B of the fault catalogue: what backends do. Codes are DESIGN 4.2's, which replace the catalogue's own
 * names: backend_unreachable for upstream_refused and upstream_reset, backend_invalid_response for upstream_invalid, …
 */
import { lookup } from 'node:dns/promises'
import { describe, expect, test } from 'vitest'
import { activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import { startDeafListener } from '../support/deaf-listener.ts'
import type { FakeOptions, FakeVllm, Fault } from '../support/fake-vllm/server.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, dataOf, errorOf, spelled } from '../support/requests.ts'

const CHAT = '/v1/chat/completions'
const NO_RETRY: Patch = { retry: { max_retries: 0 } }

type SetUp = { fake?: FakeOptions; config?: Patch; faults?: Fault[] }

async function setUp({ fake: options = {}, config = NO_RETRY, faults = [] }: SetUp = {}) {
  const fake = await startFake(options)
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config })
  for (const fault of faults) fake.fault(fault)
  return { fake, lexora, baseline: activeTimers() }
}

const chats = (fake: FakeVllm) => fake.requests.filter(({ path }) => path === CHAT)

/** vLLM builds its answer's id from it, so equal ids make equal bytes. */
const SAME_ID = { 'x-request-id': 'same' }

/** A stream that asks for its usage itself: vLLM words the last chunk differently where Lexora has to ask. */
const WITH_USAGE = { stream: true, stream_options: { include_usage: true } }

/** What the same request gets straight from the backend: the bytes that a good answer must equal. */
async function direct(fake: FakeVllm, body: unknown): Promise<string> {
  return (await ask(fake.port, body, SAME_ID)).body
}

describe('B: the backend refuses or is not there', () => {
  test('B1 refused: 502, or the fallback answers', async () => {
    const fake = await startFake()
    const lexora = await startApp([
      { name: 'gone', url: 'http://127.0.0.1:9', models: ['tiny'], fallbackBackends: ['spare'] },
      { name: 'lone', url: 'http://127.0.0.1:9', models: ['lonely'] },
      { name: 'spare', url: fake.url, models: ['other'], modelMapping: { tiny: 'tiny' } },
    ])
    const baseline = activeTimers()
    expect((await ask(lexora.port, aChat())).headers.get('x-lexora-backend')).toBe('spare')
    const refused = await ask(lexora.port, aChat({ model: 'lonely' }))
    expect([refused.status, errorOf(refused).code]).toEqual([502, 'backend_unreachable'])
    await assertSettled(lexora, [fake], baseline)
  })

  test('B2 a connect that hangs: 504 within the connect time-out', async () => {
    const port = await startDeafListener()
    const lexora = await startApp(
      [{ name: 'main', url: `http://127.0.0.1:${port}`, models: ['tiny'], connectTimeoutMs: 300 }],
      { config: NO_RETRY },
    )
    const baseline = activeTimers()
    const answer = await ask(lexora.port, aChat())
    expect([answer.status, errorOf(answer).code]).toEqual([504, 'backend_timeout'])
    await assertSettled(lexora, [], baseline)
  })

  test('B3 a name that does not resolve: 502, named as such in the log of attempts', async () => {
    const lexora = await startApp([{ name: 'main', url: 'http://no-such-host.invalid', models: ['tiny'] }], {
      config: NO_RETRY,
    })
    const baseline = activeTimers()
    const answer = await ask(lexora.port, aChat())
    expect([answer.status, errorOf(answer).code]).toEqual([502, 'backend_unreachable'])
    expect(errorOf(answer).message).toContain('does not resolve')
    await assertSettled(lexora, [], baseline)
  })

  test.each(['127.0.0.1', '::1'])('B4 a backend only on %s is reached by the name localhost', async (host) => {
    const families = (await lookup('localhost', { all: true })).map(({ address }) => address)
    const reachable = families.includes(host)
    const fake = await startFake({ host })
    const lexora = await startApp([
      { name: 'main', url: `http://${reachable ? 'localhost' : `[${host}]`}:${fake.port}` },
    ])
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    await assertSettled(lexora, [fake], activeTimers())
  })

  test('B41 a chain of fallbacks, all down: one error, each backend tried once at most', async () => {
    const fakes = [await startFake(), await startFake()]
    for (const fake of fakes) fake.fault({ do: 'status', status: 500, times: 0 })
    const lexora = await startApp(
      [
        { name: 'a', url: fakes[0]!.url, models: ['tiny'], fallbackBackends: ['b'] },
        { name: 'b', url: fakes[1]!.url, models: ['other'], fallbackBackends: ['a'] },
      ],
      { config: NO_RETRY },
    )
    const baseline = activeTimers()
    const answer = await ask(lexora.port, aChat())
    expect(answer.status).toBe(500)
    expect(fakes.map((fake) => chats(fake).length)).toEqual([1, 1])
    expect(lexora.outcomes).toMatchObject([{ outcome: 'backend_error', fallbacks: [{ from: 'a', to: 'b' }] }])
    await assertSettled(lexora, fakes, baseline)
  })
})

describe('B: the connection breaks before the answer', () => {
  test('B5 a stale keep-alive connection: one silent retry on a fresh one', async () => {
    const { fake, lexora, baseline } = await setUp({ faults: [{ do: 'keep-alive-race' }] })
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    expect(lexora.outcomes.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
    await assertSettled(lexora, [fake], baseline)
  })

  test('B6 a reset before the headers: tried again, since inference has no side effects, but never a third death', async () => {
    const { fake, lexora, baseline } = await setUp({ config: {}, faults: [{ do: 'reset', when: 'before-headers' }] })
    const answer = await ask(lexora.port, aChat())
    expect([answer.status, answer.headers.get('x-lexora-attempts')]).toEqual([200, '2'])
    fake.fault({ do: 'reset', when: 'before-headers', times: 0 })
    const before = chats(fake).length
    expect((await ask(lexora.port, aChat())).status).toBe(502)
    expect(chats(fake).length - before).toBe(2)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each<[string, Fault]>([
    ['an empty reply', { do: 'empty', times: 0 }],
    ['a banner that is not HTTP', { do: 'banner', times: 0 }],
    ['a reset within the headers', { do: 'reset', when: 'in-headers', times: 0 }],
  ])('B7 %s: 502', async (_what, fault) => {
    const fake = await startFake()
    fake.fault(fault)
    const lexora = await startApp([{ name: 'main', url: fake.url, models: ['tiny'] }], { config: NO_RETRY })
    const baseline = activeTimers()
    const answer = await ask(lexora.port, aChat())
    expect(answer.status).toBe(502)
    expect(['backend_unreachable', 'backend_invalid_response']).toContain(errorOf(answer).code)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([false, true])(
    'B8 no headers for longer than the limit: 504; within it: the answer (stream %s)',
    async (stream) => {
      const config = { ...NO_RETRY, timeouts: { first_byte: 0.4, non_stream: 0.4 } }
      const { fake, lexora, baseline } = await setUp({ config })
      fake.fault({ do: 'delay', ms: 150, at: 'headers' })
      expect((await ask(lexora.port, aChat({ stream }))).status).toBe(200)
      fake.fault({ do: 'stall', afterEvents: -1 })
      const answer = await ask(lexora.port, aChat({ stream }))
      expect([answer.status, errorOf(answer).code]).toEqual([504, 'backend_timeout'])
      await assertSettled(lexora, [fake], baseline)
    },
  )
})

describe('B: a stream breaks after content', () => {
  test.each<[string, Fault, string]>([
    ['B9 reset mid-stream', { do: 'cut', afterEvents: 3, how: 'rst' }, 'backend_truncated'],
    ['B9 cut within an event', { do: 'cut', afterEvents: 3, how: 'rst', midEvent: true }, 'backend_truncated'],
    [
      'B10 a body without length, closed',
      { do: 'close-delimited', cutAfterEvents: 3, how: 'fin' },
      'backend_truncated',
    ],
    ['B10 a body without length, reset', { do: 'close-delimited', cutAfterEvents: 3, how: 'rst' }, 'backend_truncated'],
    ['B11 a stall', { do: 'stall', afterEvents: 3 }, 'backend_timeout'],
    ['B14 [DONE] without a finish_reason', { do: 'no-finish' }, 'backend_truncated'],
    ['B21 an event that is not JSON', { do: 'bad-event', afterEvents: 3 }, 'backend_invalid_response'],
    ['an abort by the engine', { do: 'abort-finish', afterEvents: 3 }, 'backend_truncated'],
  ])('%s: content, then one error event, no [DONE], no second try', async (_what, fault, code) => {
    const { fake, lexora, baseline } = await setUp({ config: { timeouts: { idle: 0.4 } }, faults: [fault] })
    const answer = await ask(lexora.port, aChat({ stream: true }))
    const data = dataOf(answer.body)
    expect(answer.status).toBe(200)
    expect(data.length).toBeGreaterThan(2)
    expect(data).not.toContain('[DONE]')
    expect(errorOf(answer).code).toBe(code)
    for (const payload of data) expect(() => JSON.parse(payload)).not.toThrow()
    expect(chats(fake)).toHaveLength(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'stream_error', error: code }])
    await assertSettled(lexora, [fake], baseline)
  })

  test('B12 a drip of bytes without events is silence; a drip of events ends at the total limit', async () => {
    const config = { ...NO_RETRY, timeouts: { idle: 0.4, first_byte: 0.4, total: 1 } }
    const { fake, lexora, baseline } = await setUp({ config, fake: { tokenMs: 50 } })
    fake.fault({ do: 'drip', ms: 20 })
    expect(errorOf(await ask(lexora.port, aChat({ stream: true }))).code).toBe('backend_timeout')
    expect(errorOf(await ask(lexora.port, aChat({ stream: true, max_tokens: 400 }))).code).toBe('backend_timeout')
    await assertSettled(lexora, [fake], baseline)
  })

  test('B13 a finish_reason without [DONE]: the answer is whole, and the mark is added', async () => {
    const { fake, lexora, baseline } = await setUp({ faults: [{ do: 'no-done' }] })
    const answer = await ask(lexora.port, aChat({ stream: true }))
    expect(dataOf(answer.body).at(-1)).toBe('[DONE]')
    expect(lexora.outcomes).toMatchObject([{ outcome: 'ok' }])
    await assertSettled(lexora, [fake], baseline)
  })

  test('B16 an error event after content is relayed once and ends the stream', async () => {
    const fault: Fault = { do: 'error-event', afterEvents: 3, code: 500, message: 'the engine died', thenDone: true }
    const { fake, lexora, baseline } = await setUp({ faults: [fault] })
    const answer = await ask(lexora.port, aChat({ stream: true }))
    expect(dataOf(answer.body).filter((data) => data.includes('the engine died'))).toHaveLength(1)
    expect(dataOf(answer.body).at(-1)).toContain('the engine died')
    expect(lexora.outcomes).toMatchObject([{ outcome: 'stream_error' }])
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('B: a 200 that is none', () => {
  test.each([400, 429, 500, 503])(
    'B15 a stream whose first event is error %i: the true status, and the fallback where it may',
    async (code) => {
      const [first, spare] = [await startFake(), await startFake()]
      const lexora = await startApp(
        [
          { name: 'first', url: first.url, models: ['tiny'], fallbackBackends: ['spare'] },
          { name: 'alone', url: first.url, models: ['alone'], modelMapping: { alone: 'tiny' } },
          { name: 'spare', url: spare.url, models: ['other'] },
        ],
        { config: NO_RETRY },
      )
      const baseline = activeTimers()
      first.fault({ do: 'error-event', afterEvents: 0, code, message: 'no room', times: 2 })
      const alone = await ask(lexora.port, aChat({ stream: true, model: 'alone' }))
      expect([alone.status, errorOf(alone).message]).toEqual([code, 'no room'])
      expect(alone.headers.get('content-type')).toBe('application/json')
      const helped = await ask(lexora.port, aChat({ stream: true }))
      expect(helped.status).toBe(code === 400 ? 400 : 200)
      await assertSettled(lexora, [first, spare], baseline)
    },
  )

  test('B17 a JSON body that holds only an error: its code as status', async () => {
    const { fake, lexora, baseline } = await setUp({ faults: [{ do: 'error-in-200', code: 404 }] })
    expect((await ask(lexora.port, aChat())).status).toBe(404)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each<[string, boolean, Fault]>([
    ['B18 JSON where a stream was asked', true, { do: 'json-for-stream' }],
    ['B18 a stream where JSON was asked', false, { do: 'sse-for-json' }],
    ['B19 a page of HTML', false, { do: 'html', status: 200 }],
    ['B19 no content type', false, { do: 'no-content-type' }],
    ['B20 JSON that does not parse', false, { do: 'invalid-json' }],
    ['B20 JSON cut within its chunks', false, { do: 'truncated-json', how: 'chunked' }],
    ['B20 JSON shorter than its length', false, { do: 'truncated-json', how: 'cl' }],
    ['B34 a redirect', false, { do: 'redirect', status: 307, location: 'http://169.254.169.254/latest' }],
    ['B36 encodings on top of each other', false, { do: 'gzip', encoding: 'gzip', layers: 6 }],
    ['B36 a bomb', false, { do: 'bomb' }],
    ['an abort by the engine', false, { do: 'abort-finish', afterEvents: 0 }],
  ])('%s: 502, and nothing of it reaches the client', async (_what, stream, fault) => {
    const { fake, lexora, baseline } = await setUp({
      config: { ...NO_RETRY, server: { max_response_mb: 8 } },
      faults: [fault],
    })
    const answer = await ask(lexora.port, aChat({ stream }))
    expect(answer.status).toBe(502)
    expect(['backend_invalid_response', 'backend_truncated']).toContain(errorOf(answer).code)
    expect(answer.body.length).toBeLessThan(500)
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    await assertSettled(lexora, [fake], baseline)
  })

  test('B25 an event without end: the stream is broken off at 1 MiB', async () => {
    const { fake, lexora, baseline } = await setUp({ faults: [{ do: 'giant-event', bytes: 64 * 1024 * 1024 }] })
    const answer = await ask(lexora.port, aChat({ stream: true }))
    expect(errorOf(answer).code).toBe('backend_invalid_response')
    expect(answer.body.length).toBeLessThan(1024 * 1024)
    await assertSettled(lexora, [fake], baseline)
  })

  test('B26 a body over the limit: 502, and the rest is not read', async () => {
    const { fake, lexora, baseline } = await setUp({ config: { ...NO_RETRY, server: { max_response_mb: 1 } } })
    fake.fault({ do: 'giant-body', bytes: 256 * 1024 * 1024 })
    const answer = await ask(lexora.port, aChat())
    expect([answer.status, errorOf(answer).code]).toEqual([502, 'backend_invalid_response'])
    expect(chats(fake)[0]!.bytesSent).toBeLessThan(64 * 1024 * 1024)
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('B: the bytes of good answers', () => {
  test.each([1, 2, 3, 4, 7])('B22 split into pieces of %i bytes: the same bytes arrive', async (bytes) => {
    const body = aChat({ ...WITH_USAGE, messages: [{ role: 'user', content: '안녕하세요 こんにちは 👋' }] })
    const { fake, lexora, baseline } = await setUp({ faults: [] })
    const expected = await direct(fake, body)
    fake.fault({ do: 'split', bytes })
    expect((await ask(lexora.port, body, SAME_ID)).body).toBe(expected)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each(['crlf', 'cr', 'no-space', 'bom'] as const)('B23 lines with %s: the same events', async (style) => {
    const body = aChat(WITH_USAGE)
    const { fake, lexora, baseline } = await setUp()
    const plain = spelled(await direct(fake, body))
    fake.fault({ do: 'line-ends', style })
    const answer = await ask(lexora.port, body)
    expect(spelled(answer.body)).toBe(plain)
    expect(dataOf(answer.body).at(-1)).toBe('[DONE]')
    expect(lexora.outcomes).toMatchObject([{ outcome: 'ok', usage: { completion: 8 } }])
    await assertSettled(lexora, [fake], baseline)
  })

  test('B24 comments pass, but are no token: the first-byte limit holds', async () => {
    const config = { ...NO_RETRY, timeouts: { first_byte: 0.5 } }
    const { fake, lexora, baseline } = await setUp({ config })
    fake.fault({ do: 'comments', count: 2, everyMs: 5 })
    const good = await ask(lexora.port, aChat({ stream: true }))
    expect(dataOf(good.body).at(-1)).toBe('[DONE]')
    fake.fault({ do: 'comments', count: 1000, everyMs: 5 })
    const late = await ask(lexora.port, aChat({ stream: true }))
    expect(errorOf(late).code).toBe('backend_timeout')
    await assertSettled(lexora, [fake], baseline)
  })

  test.each<[string, Fault]>([
    ['B33 103 before the answer', { do: 'informational', code: 103 }],
    ['B33 102 before the answer', { do: 'informational', code: 102 }],
    ['B35 gzip', { do: 'gzip', encoding: 'gzip' }],
    ['B35 brotli', { do: 'gzip', encoding: 'br' }],
    ['B35 deflate', { do: 'gzip', encoding: 'deflate' }],
    [
      'B37 trailers',
      {
        do: 'trailers',
        headers: [
          ['x-junk', 'a'],
          ['__proto__', 'b'],
        ],
      },
    ],
  ])('%s: the same body, headers that fit it', async (_what, fault) => {
    for (const body of [aChat(), aChat(WITH_USAGE)]) {
      const { fake, lexora, baseline } = await setUp()
      const expected = await direct(fake, body)
      fake.fault(fault)
      const answer = await ask(lexora.port, body, SAME_ID)
      expect(answer.status).toBe(200)
      expect(answer.body).toBe(expected)
      expect(answer.headers.has('content-encoding')).toBe(false)
      await assertSettled(lexora, [fake], baseline)
    }
  })

  test.each<[string, Fault]>([
    ['B33 an unasked 101', { do: 'informational', code: 101, times: 0 }],
    ['B33 an unexpected 100', { do: 'informational', code: 100, times: 0 }],
  ])('%s: 502', async (_what, fault) => {
    const { fake, lexora, baseline } = await setUp({ faults: [fault] })
    expect((await ask(lexora.port, aChat())).status).toBe(502)
    fake.clearFaults()
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each<[string, Fault]>([
    ['a length that is too short', { do: 'wrong-length', by: -5 }],
    ['a length that is too long', { do: 'wrong-length', by: 5 }],
    ['both length and chunks', { do: 'cl-and-te' }],
    ['bytes behind the answer', { do: 'extra-bytes' }],
  ])('B38 %s: the next request is not affected', async (_what, fault) => {
    const { fake, lexora, baseline } = await setUp({ faults: [fault] })
    const odd = await ask(lexora.port, aChat())
    expect([200, 502]).toContain(odd.status)
    if (odd.status === 200) expect(() => JSON.parse(odd.body)).not.toThrow()
    const expected = JSON.parse(await direct(fake, aChat())).choices[0].message.content
    for (let i = 0; i < 3; i++) {
      expect(JSON.parse((await ask(lexora.port, aChat())).body).choices[0].message.content).toBe(expected)
    }
    await assertSettled(lexora, [fake], baseline)
  })

  test('B39 headers of the backend do not pass, but for the few allowed', async () => {
    const { fake, lexora, baseline } = await setUp()
    fake.fault({
      do: 'headers',
      headers: [
        ['set-cookie', 'a=b'],
        ['access-control-allow-origin', '*'],
        ['x-secret', 'inside'],
      ],
    })
    const answer = await ask(lexora.port, aChat())
    expect([...answer.headers.keys()].filter((name) => !name.startsWith('x-lexora-')).sort()).toEqual([
      'connection',
      'content-length',
      'content-type',
      'date',
      'x-request-id',
    ])
    fake.fault({
      do: 'headers',
      headers: Array.from({ length: 2000 }, (_, i): [string, string] => [`x-flood-${i}`, 'x'.repeat(50)]),
    })
    expect((await ask(lexora.port, aChat())).status).toBe(502)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    ['missing', null],
    ['twice', 8],
    ['zero', 0],
    ['early', 8],
  ] as const)('B40 usage %s: the stream is unchanged, and the last report counts', async (kind, completion) => {
    const body = aChat(WITH_USAGE)
    const { fake, lexora, baseline } = await setUp()
    fake.fault({ do: 'usage', kind })
    const expected = await direct(fake, body)
    fake.fault({ do: 'usage', kind })
    expect((await ask(lexora.port, body, SAME_ID)).body).toBe(expected)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'ok' }])
    expect(lexora.outcomes[0]!.usage?.completion ?? null).toBe(completion)
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('B: statuses and waits', () => {
  test('B27 429 with Retry-After in seconds: the same wait for the client, or the fallback at once', async () => {
    const [busy, spare] = [await startFake(), await startFake()]
    const lexora = await startApp(
      [
        { name: 'busy', url: busy.url, models: ['tiny'], fallbackBackends: ['spare'] },
        { name: 'alone', url: busy.url, models: ['alone'], modelMapping: { alone: 'tiny' } },
        { name: 'spare', url: spare.url, models: ['other'] },
      ],
      { config: NO_RETRY },
    )
    const baseline = activeTimers()
    busy.fault({ do: 'status', status: 429, retryAfter: '7', times: 2 })
    const alone = await ask(lexora.port, aChat({ model: 'alone' }))
    expect([alone.status, alone.headers.get('retry-after')]).toEqual([429, '7'])
    expect((await ask(lexora.port, aChat())).headers.get('x-lexora-backend')).toBe('spare')
    expect(lexora.app.breakerOf('busy')).toBe('closed')
    await assertSettled(lexora, [busy, spare], baseline)
  })

  test('B28 Retry-After as a date is a wait too; a date in the past is none', async () => {
    const soon = new Date(Date.now() + 9000).toUTCString()
    const { fake, lexora, baseline } = await setUp({ faults: [{ do: 'status', status: 429, retryAfter: soon }] })
    const answer = await ask(lexora.port, aChat())
    expect(answer.status).toBe(429)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(6)
    const past = await setUp({
      config: {},
      faults: [{ do: 'status', status: 503, retryAfter: 'Fri, 20 Nov 2020 15:25:28 GMT' }],
    })
    expect((await ask(past.lexora.port, aChat())).headers.get('x-lexora-attempts')).toBe('2')
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([['soon'], ['-5'], ['1e20'], [['3', '4']], ['99999999999']])(
    'B29 Retry-After %j: ordinary back-off',
    async (retryAfter) => {
      const { fake, lexora, baseline } = await setUp({
        config: {},
        faults: [{ do: 'status', status: 503, retryAfter }],
      })
      expect((await ask(lexora.port, aChat())).headers.get('x-lexora-attempts')).toBe('2')
      await assertSettled(lexora, [fake], baseline)
    },
  )

  test('B30 a 503 without a body: ours, with Retry-After', async () => {
    const { fake, lexora, baseline } = await setUp({ faults: [{ do: 'status', status: 503, body: 'none' }] })
    const answer = await ask(lexora.port, aChat())
    expect([answer.status, errorOf(answer).code]).toEqual([503, 'overloaded'])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    await assertSettled(lexora, [fake], baseline)
  })

  test('B31 a backend that only fails: retries add a fifth at the most', async () => {
    const { fake, lexora, baseline } = await setUp({ config: {} })
    fake.fault({ do: 'status', status: 500, times: 0 })
    const requests = 300
    for (let sent = 0; sent < requests; sent += 20) {
      await Promise.all(Array.from({ length: 20 }, () => ask(lexora.port, aChat())))
    }
    expect(chats(fake).length).toBeLessThanOrEqual(requests * 1.2 + 3)
    expect(lexora.app.breakerOf('main')).toBe('open')
    fake.clearFaults()
    await until(() => lexora.app.breakerOf('main') !== 'open')
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    expect(lexora.app.breakerOf('main')).toBe('closed')
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([401, 403])('B32 our credentials refused with %i: 502, never the caller’s fault', async (status) => {
    const { fake, lexora, baseline } = await setUp({ faults: [{ do: 'status', status }] })
    const answer = await ask(lexora.port, aChat())
    expect([answer.status, errorOf(answer).code]).toEqual([502, 'backend_auth'])
    await assertSettled(lexora, [fake], baseline)
  })

  test('B42 a prompt that is too long: the backend’s own 400, once', async () => {
    const { fake, lexora, baseline } = await setUp({ config: {} })
    const body = aChat({ messages: [{ role: 'user', content: 'word '.repeat(2000) }] })
    const expected = await ask(fake.port, body)
    const answer = await ask(lexora.port, body)
    expect([answer.status, answer.body]).toEqual([400, expected.body])
    expect(chats(fake)).toHaveLength(2)
    await assertSettled(lexora, [fake], baseline)
  })

  test('B43 retries used up: the last JSON answer as it is; anything else in our words', async () => {
    const { fake, lexora, baseline } = await setUp()
    fake.fault({ do: 'status', status: 500 })
    expect((await ask(lexora.port, aChat())).status).toBe(500)
    fake.fault({ do: 'status', status: 500, body: 'html' })
    const page = await ask(lexora.port, aChat())
    expect([page.status, errorOf(page).code]).toEqual([502, 'backend_invalid_response'])
    expect(page.body).not.toContain('<')
    await assertSettled(lexora, [fake], baseline)
  })

  test('a backend that is back serves within a second, whatever its breaker thought', async () => {
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url, models: ['tiny'] }], { config: NO_RETRY })
    await fake.refuse()
    await until(() => lexora.app.breakerOf('main') === 'closed')
    for (let i = 0; i < 4; i++) await ask(lexora.port, aChat())
    await fake.listen()
    const listening = performance.now()
    let status = 0
    while (status !== 200 && performance.now() - listening < 5000) status = (await ask(lexora.port, aChat())).status
    expect(status).toBe(200)
    await assertSettled(lexora, [fake], activeTimers())
  })

  test('keep-alive comments open a silent stream, and a failure after them is an error event', async () => {
    const config = { ...NO_RETRY, timeouts: { keepalive_comment_after: 0.05, first_byte: 0.5 } }
    const { fake, lexora, baseline } = await setUp({ config, faults: [{ do: 'stall', afterEvents: -1 }] })
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, aChat({ stream: true }), { connection: 'close' })
    await client.until((text) => text.includes(': waiting'))
    const answer = parseAnswer(await client.closed())
    expect(answer.status).toBe(200)
    expect(errorOf(answer).code).toBe('backend_timeout')
    expect(dataOf(answer.body)).toHaveLength(1)
    await assertSettled(lexora, [fake], baseline)
  })
})
