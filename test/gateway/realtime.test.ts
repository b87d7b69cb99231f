/** `/v1/realtime`: a WebSocket to the backend that has the model, relayed as it is. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { REALTIME } from '../../src/protocol/endpoints.ts'
import { activeTimers, assertSettled, type Patch, startApp, type TestApp, until } from '../support/app.ts'
import { RawClient } from '../support/raw-client.ts'
import { errorOf } from '../support/requests.ts'
import {
  askForSocket,
  BINARY,
  CLOSE,
  frame,
  openSocket,
  type SocketEnd,
  startSocketServer,
  TEXT,
} from '../support/web-socket.ts'

const KEY = 'sk-team-0123456789abcdef'
const HERE = `${REALTIME}?model=m`

async function setUp(config: Patch = {}, server: Parameters<typeof startSocketServer>[0] = {}) {
  const backend = await startSocketServer(server)
  const lexora = await startApp([{ name: 'main', url: backend.url, apiKey: 'backend-secret' }], { config })
  return { backend, lexora, baseline: activeTimers() }
}

async function opened(
  lexora: TestApp,
  target = HERE,
  headers: Record<string, string> = {},
): Promise<{ end: SocketEnd; head: string }> {
  const got = await openSocket(lexora.port, target, headers)
  if ('answer' in got) throw new Error(`refused: ${got.answer.status} ${got.answer.body}`)
  return got
}

async function refused(lexora: TestApp, target = HERE, headers: Record<string, string> = {}) {
  const got = await openSocket(lexora.port, target, headers)
  if (!('answer' in got)) throw new Error('it was opened')
  return [got.answer.status, errorOf(got.answer).code]
}

function ofClose(code: number, reason = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)])
}

describe('a WebSocket to a model', () => {
  test('is relayed both ways, byte for byte, and ends with one outcome', async () => {
    const { backend, lexora, baseline } = await setUp()
    const { end: client, head } = await opened(lexora)
    const server = await backend.end()
    const [small, big] = [randomBytes(1000), randomBytes(300_000)]
    client.send(TEXT, '{"type":"session.update"}')
    client.send(BINARY, big)
    server.send(TEXT, 'hello')
    server.send(BINARY, small)
    server.send(BINARY, big)
    const sent = await server.framesReach(2)
    expect([sent[0]!.payload.toString(), sent[1]!.payload.equals(big)]).toEqual(['{"type":"session.update"}', true])
    const got = await client.framesReach(3)
    expect([got[0]!.payload.toString(), got[1]!.payload.equals(small), got[2]!.payload.equals(big)]).toEqual([
      'hello',
      true,
      true,
    ])
    client.send(CLOSE, ofClose(1000, 'done'))
    await server.framesReach(3)
    server.send(CLOSE, ofClose(1000, 'done'))
    server.socket.end()
    await client.isOver()
    expect(client.closing).toEqual({ code: 1000, reason: 'done' })
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([
      { endpoint: REALTIME, outcome: 'ok', status: 101, model: 'm', backend: 'main', error: null, stream: true },
    ])
    expect(head).toContain('x-lexora-backend: main')
    expect(head).not.toContain('x-secret')
    await assertSettled(lexora, [], baseline)
  })

  test('a client library finds it, with the key among its protocols as browsers send it', async () => {
    const { backend, lexora } = await setUp({ auth: { mode: 'required', api_keys: [KEY] } }, { echo: true })
    const protocols = ['realtime', `openai-insecure-api-key.${KEY}`, 'openai-beta.realtime-v1']
    const socket = new WebSocket(`ws://127.0.0.1:${lexora.port}${HERE}`, protocols)
    const said = await new Promise<string>((resolve, reject) => {
      socket.addEventListener('error', () => reject(new Error('no connection')))
      socket.addEventListener('open', () => socket.send('ping?'))
      socket.addEventListener('message', ({ data }) => resolve(String(data)))
    })
    expect([said, socket.protocol]).toEqual(['ping?', 'realtime'])
    expect(backend.asked.map(({ headers }) => headers['sec-websocket-protocol'])).toEqual([
      'realtime, openai-beta.realtime-v1',
    ])
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve))
    socket.close(1000)
    expect(await closed).toMatchObject({ code: 1000, wasClean: true })
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'ok', keyId: expect.any(String) }])
  })

  test('the backend sees its own key, the allow-listed headers, and the model it knows', async () => {
    const backend = await startSocketServer({ models: ['inside'] })
    const lexora = await startApp([
      { name: 'main', url: `${backend.url}/base`, apiKey: 'backend-secret', modelMapping: { m: 'in/side' } },
    ])
    await opened(lexora, `${HERE}&evil=../x&intent=transcription`, {
      authorization: 'Bearer EMPTY',
      cookie: 'a=b',
      'openai-beta': 'realtime=v1',
      'x-request-id': 'mine-1',
    })
    const { target, headers } = backend.asked[0]!
    expect(target).toBe('/base/v1/realtime?model=in%2Fside&intent=transcription')
    expect(headers).toMatchObject({
      authorization: 'Bearer backend-secret',
      'openai-beta': 'realtime=v1',
      'x-request-id': 'mine-1',
      host: new URL(backend.url).host,
    })
    expect(headers.cookie).toBeUndefined()
  })

  test('without a model it goes to the only backend there is', async () => {
    const { backend, lexora } = await setUp()
    await opened(lexora, REALTIME)
    expect(backend.asked.map(({ target }) => target)).toEqual([REALTIME])
  })

  test('what a client says before its backend is there arrives, in order', async () => {
    const { backend, lexora } = await setUp()
    const socket = await askForSocket(lexora.port, HERE)
    socket.write(frame(TEXT, 'early', true))
    socket.write(frame(TEXT, 'late', true))
    const frames = await (await backend.end()).framesReach(2)
    expect(frames.map(({ payload }) => payload.toString())).toEqual(['early', 'late'])
  })

  test('a client that does not read holds its backend back, and memory with it', async () => {
    const { backend, lexora } = await setUp()
    const { end: client } = await opened(lexora)
    client.socket.pause()
    const server = await backend.end()
    const piece = randomBytes(64 * 1024)
    let sent = 0
    // Kernel and both processes take a few megabytes between them.
    while (sent < 2000 && server.socket.write(frame(BINARY, piece))) {
      sent++
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(sent).toBeLessThan(1000)
    client.socket.resume()
    const frames = await client.framesReach(sent + 1)
    expect(frames.every(({ payload }) => payload.equals(piece))).toBe(true)
  })
})

describe('a WebSocket is refused as an HTTP answer', () => {
  test('without a key where one is needed, or with a wrong one', async () => {
    const { backend, lexora, baseline } = await setUp({ auth: { mode: 'required', api_keys: [KEY] } })
    expect(await refused(lexora)).toEqual([401, 'invalid_api_key'])
    expect(await refused(lexora, HERE, { authorization: 'Bearer wrong' })).toEqual([401, 'invalid_api_key'])
    const wrong = { 'sec-websocket-protocol': 'realtime, openai-insecure-api-key.wrong' }
    expect(await refused(lexora, HERE, wrong)).toEqual([401, 'invalid_api_key'])
    expect(backend.asked).toEqual([])
    await opened(lexora, HERE, { authorization: `Bearer ${KEY}` })
    await until(() => lexora.app.inFlight.requests === 1)
    expect(activeTimers()).toBeGreaterThanOrEqual(baseline)
  })

  test.each<[string, Record<string, string>, number, string]>([
    ['from a page of another origin', { origin: 'https://evil.example' }, 403, 'origin_not_allowed'],
    ['at a foreign Host', { host: 'evil.example' }, 403, 'host_not_allowed'],
    ['of another version', { 'sec-websocket-version': '8' }, 426, 'invalid_request'],
    ['with a malformed key', { 'sec-websocket-key': 'x' }, 400, 'invalid_request'],
  ])('%s', async (_what, headers, status, code) => {
    const { backend, lexora, baseline } = await setUp()
    expect(await refused(lexora, HERE, headers)).toEqual([status, code])
    expect(backend.asked).toEqual([])
    await assertSettled(lexora, [], baseline)
  })

  test('a page of a listed origin may', async () => {
    const { lexora } = await setUp({ server: { cors_origins: ['https://mine.example'] } })
    await opened(lexora, HERE, { origin: 'https://mine.example' })
  })

  test('an unknown model is a 404 and no backend hears of it', async () => {
    const { backend, lexora, baseline } = await setUp()
    expect(await refused(lexora, `${REALTIME}?model=n`)).toEqual([404, 'model_not_found'])
    expect(backend.asked).toEqual([])
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_error', status: 404, model: 'other' }])
    await assertSettled(lexora, [], baseline)
  })

  test('a backend that is down is a 502', async () => {
    const lexora = await startApp([{ name: 'main', url: 'http://127.0.0.1:9', models: ['m'] }])
    const baseline = activeTimers()
    expect(await refused(lexora)).toEqual([502, 'backend_unreachable'])
    expect(lexora.outcomes).toMatchObject([{ outcome: 'backend_error', status: 502, error: 'backend_unreachable' }])
    await assertSettled(lexora, [], baseline)
  })

  test.each([
    [403, '{"error":{"message":"no"}}', 502, 'backend_auth'],
    [400, '{"error":{"message":"no such voice"}}', 400, 'invalid_request'],
    [404, 'nothing here', 502, 'backend_invalid_response'],
    [200, '{"error":{"message":"odd"}}', 502, 'backend_invalid_response'],
  ])('a backend that answers %i instead (%s) is a %i %s', async (status, body, ours, code) => {
    const { lexora, baseline } = await setUp({}, { refuse: { status, body } })
    expect(await refused(lexora)).toEqual([ours, code])
    await assertSettled(lexora, [], baseline)
  })

  test('a backend that never answers is a 504', async () => {
    const { lexora, baseline } = await setUp({ timeouts: { first_byte: 0.2 } }, { stay: true })
    expect(await refused(lexora)).toEqual([504, 'backend_timeout'])
    await assertSettled(lexora, [], baseline)
  })

  test('it is one of its user’s concurrent requests', async () => {
    const { lexora } = await setUp({ rate_limit: { max_concurrent: 1 } })
    const user = { 'x-lexora-user': 'ann' }
    const { end } = await opened(lexora, HERE, user)
    expect(await refused(lexora, HERE, user)).toEqual([429, 'rate_limit_exceeded'])
    end.socket.end()
    await until(() => lexora.app.limitsHeld.concurrent === 0)
    await opened(lexora, HERE, user)
  })

  test('it waits for a permit, which the open one holds; who leaves the queue is gone', async () => {
    const backend = await startSocketServer()
    const lexora = await startApp([{ name: 'main', url: backend.url, maxInFlight: 1 }], {
      config: { queue: { default_timeout: 0.3 } },
    })
    const { end } = await opened(lexora)
    expect(await refused(lexora)).toEqual([503, 'queue_timeout'])
    const leaver = await askForSocket(lexora.port, HERE)
    await until(() => lexora.app.inFlight.waiting === 1)
    leaver.destroy()
    await until(() => lexora.app.inFlight.waiting === 0)
    end.socket.destroy()
    await opened(lexora)
    expect(backend.asked).toHaveLength(2)
  })

  test('a plain GET is told to come as one; h2c and other wishes are served as what they are', async () => {
    const { lexora } = await setUp()
    const plain = await fetch(lexora.url + HERE)
    expect([plain.status, plain.headers.get('upgrade')]).toEqual([426, 'websocket'])
    const client = await RawClient.open(lexora.port)
    client.send(
      'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade, HTTP2-Settings, close\r\nupgrade: h2c\r\n\r\n',
    )
    expect((await client.closed()).toString()).toContain('200 OK')
  })
})

describe('a WebSocket ends', () => {
  test('when its client leaves: the backend is told, and its permit is free', async () => {
    const { backend, lexora, baseline } = await setUp()
    const { end: client } = await opened(lexora)
    const server = await backend.end()
    client.socket.resetAndDestroy()
    await server.isOver()
    expect(server.closing).toMatchObject({ code: 1001 })
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_closed', status: 499 }])
    await assertSettled(lexora, [], baseline)
  })

  test('when its backend breaks off between two frames: the client is told why', async () => {
    const { backend, lexora, baseline } = await setUp()
    const { end: client } = await opened(lexora)
    const server = await backend.end()
    server.send(TEXT, 'half of it')
    await client.framesReach(1)
    server.socket.resetAndDestroy()
    await client.isOver()
    expect(client.closing).toEqual({ code: 1011, reason: 'backend_truncated' })
    expect(lexora.outcomes).toMatchObject([{ outcome: 'stream_error', error: 'backend_truncated' }])
    await assertSettled(lexora, [], baseline)
  })

  test('when its backend breaks off inside a frame: no Close frame lands in the middle of it', async () => {
    const { backend, lexora, baseline } = await setUp()
    const { end: client } = await opened(lexora)
    const server = await backend.end()
    server.socket.write(frame(TEXT, 'x'.repeat(1000)).subarray(0, 500))
    server.socket.end()
    await client.isOver()
    expect(client.frames).toEqual([])
    await assertSettled(lexora, [], baseline)
  })

  test('when the operator cancels it', async () => {
    const { backend, lexora, baseline } = await setUp()
    const { end: client } = await opened(lexora, HERE, { 'x-request-id': 'mine-7', 'x-lexora-user': 'ann' })
    const server = await backend.end()
    const { requests } = await lexora.app.commands.listRequests()
    expect(requests).toMatchObject([{ id: 'mine-7', phase: 'decode', endpoint: REALTIME, user: 'ann', model: 'm' }])
    await lexora.app.commands.cancelRequest({ id: 'mine-7' })
    await Promise.all([client.isOver(), server.isOver()])
    expect([client.closing, server.closing]).toEqual([
      { code: 1008, reason: 'permission_denied' },
      { code: 1008, reason: 'permission_denied' },
    ])
    expect(lexora.outcomes).toMatchObject([{ outcome: 'stream_error', error: 'permission_denied' }])
    await assertSettled(lexora, [], baseline)
  })

  test('with Lexora, which waits for no conversation in which nobody speaks', async () => {
    const { backend, lexora } = await setUp()
    const { end: client } = await opened(lexora)
    const server = await backend.end()
    client.send(TEXT, 'last words')
    await server.framesReach(1)
    // An hour of grace, which the test does not have.
    const stopped = lexora.app.stop(3_600_000)
    await Promise.all([client.isOver(), server.isOver()])
    expect([client.closing, server.closing]).toMatchObject([{ code: 1001 }, { code: 1001 }])
    await stopped
  })

  test('with Lexora, at the end of the frame that is on its way', async () => {
    const { backend, lexora } = await setUp()
    const { end: client } = await opened(lexora)
    const server = await backend.end()
    const bytes = frame(TEXT, 'x'.repeat(1000))
    client.send(TEXT, 'first')
    await server.framesReach(1)
    server.socket.write(bytes.subarray(0, 500))
    await until(() => client.socket.bytesRead > 500)
    const stopped = lexora.app.stop(0)
    await lexora.outcomesReach(1)
    server.socket.write(bytes.subarray(500))
    await Promise.all([client.isOver(), server.isOver(), stopped])
    expect(client.frames[0]!.payload.toString()).toBe('x'.repeat(1000))
    expect([client.closing, server.closing]).toEqual([
      { code: 1001, reason: 'shutting_down' },
      { code: 1001, reason: 'shutting_down' },
    ])
    expect(lexora.outcomes).toMatchObject([{ outcome: 'stream_error', error: 'shutting_down' }])
  })
})
