/** Audio and images: any bytes, to the backend that has the model, untouched. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { PASSED_THROUGH } from '../../src/protocol/endpoints.ts'
import { activeTimers, assertSettled, type Patch, startApp, until } from '../support/app.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { ask, errorOf } from '../support/requests.ts'
import { sendJson, startRecorder } from './recorder.ts'

const SPEECH = '/v1/audio/speech'
const TRANSCRIPTIONS = '/v1/audio/transcriptions'

async function setUp(config: Patch = {}) {
  const [whisper, painter] = [
    await startRecorder({ models: ['whisper'] }),
    await startRecorder({ models: ['painter', 'a/b'] }),
  ]
  const lexora = await startApp(
    [
      { name: 'whisper', url: whisper.url, apiKey: 'backend-secret' },
      { name: 'painter', url: `${painter.url}/base` },
    ],
    { config },
  )
  return { whisper, painter, lexora, baseline: activeTimers() }
}

/** A form as browsers and SDKs send it; `model` may come before or behind the file. */
function aForm(
  model: string | null,
  file: Buffer,
  { modelFirst = true } = {},
): { body: Buffer; headers: Record<string, string> } {
  const field = model === null ? '' : `--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n`
  const head =
    '--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
  const parts = modelFirst
    ? [Buffer.from(field + head), file, Buffer.from('\r\n--xyz--\r\n')]
    : [Buffer.from(head), file, Buffer.from(`\r\n${field}--xyz--\r\n`)]
  return { body: Buffer.concat(parts), headers: { 'content-type': 'multipart/form-data; boundary=xyz' } }
}

describe('a request that is passed through', () => {
  test.each(PASSED_THROUGH)('%s reaches the backend with that model: JSON byte for byte', async (path) => {
    const { whisper, painter, lexora, baseline } = await setUp()
    const body = ` {"x":12345678901234567890,\t"model" : "painter", "model2":1, "__proto__":{} } `
    const answer = await ask(lexora.port, body, {}, path)
    expect([answer.status, answer.body, answer.headers.get('x-lexora-backend')]).toEqual([
      200,
      '{"ok":true}',
      'painter',
    ])
    expect(answer.headers.get('x-request-id')).toMatch(/^req-/)
    expect(whisper.requests).toEqual([])
    expect(painter.requests.map(({ method, target, body: sent }) => [method, target, sent.toString()])).toEqual([
      ['POST', `/base${path}`, body],
    ])
    expect(lexora.outcomes).toMatchObject([{ endpoint: path, outcome: 'ok', model: 'painter', backend: 'painter' }])
    await assertSettled(lexora, [], baseline)
  })

  test.each([
    ['small, by length', 100, 'length'],
    ['of 5 MB, by length', 5_000_000, 'length'],
    ['of 5 MB, in chunks', 5_000_000, 'chunks'],
    ['without a byte in its file', 0, 'length'],
  ] as const)('a form %s arrives byte for byte, whatever its bytes', async (_what, size, framing) => {
    const { whisper, lexora, baseline } = await setUp()
    const { body, headers } = aForm('whisper', randomBytes(size))
    const client = await RawClient.open(lexora.port)
    if (framing === 'length') client.post(TRANSCRIPTIONS, body, { ...headers, connection: 'close' })
    else {
      client.send(
        `POST ${TRANSCRIPTIONS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${headers['content-type']}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n`,
      )
      for (let at = 0; at < body.length; at += 70_000) {
        const piece = body.subarray(at, at + 70_000)
        client
          .send(`${piece.length.toString(16)}\r\n`)
          .send(piece)
          .send('\r\n')
      }
      client.send('0\r\n\r\n')
    }
    expect(parseAnswer(await client.closed()).status).toBe(200)
    expect(whisper.requests).toHaveLength(1)
    expect(whisper.requests[0]!.body.equals(body)).toBe(true)
    expect(whisper.requests[0]!.headers['content-type']).toBe(headers['content-type'])
    await assertSettled(lexora, [], baseline)
  })

  test('a form that names its model behind the file is routed by it', async () => {
    const { painter, lexora, baseline } = await setUp()
    const { body, headers } = aForm('a/b', randomBytes(1000), { modelFirst: false })
    expect((await ask(lexora.port, body, headers, '/v1/images/edits')).headers.get('x-lexora-backend')).toBe('painter')
    expect(painter.requests[0]!.body.equals(body)).toBe(true)
    await assertSettled(lexora, [], baseline)
  })

  test('?model= names the model where the body’s start does not, and stays here', async () => {
    const { whisper, lexora, baseline } = await setUp()
    const { body, headers } = aForm('whisper', randomBytes(200_000), { modelFirst: false })
    const answer = await ask(lexora.port, body, headers, `${TRANSCRIPTIONS}?model=whisper`)
    expect(answer.status).toBe(200)
    expect(whisper.requests.map(({ target }) => target)).toEqual([TRANSCRIPTIONS])
    expect(whisper.requests[0]!.body.equals(body)).toBe(true)
    await assertSettled(lexora, [], baseline)
  })

  test('without a model it goes to the only backend there is; with several it is refused', async () => {
    const { lexora, whisper, painter } = await setUp()
    const { body, headers } = aForm(null, randomBytes(100))
    const refused = await ask(lexora.port, body, headers, TRANSCRIPTIONS)
    expect([refused.status, errorOf(refused)]).toMatchObject([400, { code: 'invalid_request', param: 'model' }])
    expect([...whisper.requests, ...painter.requests]).toEqual([])
    const only = await startRecorder()
    const single = await startApp([{ name: 'only', url: only.url }])
    expect((await ask(single.port, body, headers, TRANSCRIPTIONS)).status).toBe(200)
    expect(only.requests[0]!.body.equals(body)).toBe(true)
  })

  test('an unknown model is a 404 and no backend hears of it', async () => {
    const { lexora, whisper, painter, baseline } = await setUp()
    const answer = await ask(lexora.port, '{"model":"wisper","input":"x"}', {}, SPEECH)
    expect([answer.status, errorOf(answer)]).toMatchObject([404, { code: 'model_not_found', param: 'model' }])
    expect(errorOf(answer).message).toContain('whisper')
    expect([...whisper.requests, ...painter.requests]).toEqual([])
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_error', status: 404, model: 'other' }])
    await assertSettled(lexora, [], baseline)
  })

  test('an alias finds its backend; the body keeps the alias, since it is not touched', async () => {
    const { lexora, whisper } = await setUp({ routing: { aliases: { ear: 'whisper' } } })
    const { body, headers } = aForm('ear', randomBytes(10))
    expect((await ask(lexora.port, body, headers, TRANSCRIPTIONS)).status).toBe(200)
    expect(whisper.requests[0]!.body.equals(body)).toBe(true)
  })

  test('headers pass by allow-list: the backend’s own key goes out, the client’s credentials do not', async () => {
    const { lexora, whisper } = await setUp()
    const { body, headers } = aForm('whisper', randomBytes(10))
    const sent = {
      ...headers,
      authorization: 'Bearer EMPTY',
      cookie: 'a=b',
      'x-api-key': 'EMPTY',
      'x-forwarded-for': '10.0.0.1',
      'x-request-id': 'mine-1',
      origin: 'http://localhost',
      'user-agent': 'evil',
    }
    expect((await ask(lexora.port, body, sent, TRANSCRIPTIONS)).headers.get('x-request-id')).toBe('mine-1')
    const { headers: got } = whisper.requests[0]!
    expect(Object.keys(got).sort()).toEqual([
      'accept-encoding',
      'authorization',

      'content-length',
      'content-type',
      'host',
      'x-request-id',
    ])
    expect(got).toMatchObject({
      authorization: 'Bearer backend-secret',
      'x-request-id': 'mine-1',
      host: new URL(whisper.url).host,
    })
  })

  test('an answer of any kind comes back byte for byte, with the few headers that may', async () => {
    const sound = randomBytes(300_000)
    const backend = await startRecorder({
      answer: (_request, res) => {
        res.writeHead(200, {
          'content-type': 'audio/wav',
          'content-disposition': 'attachment',
          'set-cookie': 'a=b',
          'access-control-allow-origin': '*',
          'x-secret': 'inside',
          server: 'uvicorn',
        })
        res.end(sound)
      },
    })
    const { url } = await startApp([{ name: 'main', url: backend.url }])
    const answer = await fetch(url + SPEECH, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"model":"m"}',
    })
    expect(Buffer.from(await answer.arrayBuffer()).equals(sound)).toBe(true)
    const names = [...answer.headers.keys()].filter(
      (name) => !['connection', 'date', 'keep-alive', 'transfer-encoding'].includes(name),
    )
    expect(names.sort()).toEqual(['content-disposition', 'content-type', 'x-lexora-backend', 'x-request-id'])
  })

  test('an error of the backend passes with its status', async () => {
    const backend = await startRecorder({
      answer: (_request, res) => sendJson(res, 422, { error: { message: 'no such voice' } }),
    })
    const lexora = await startApp([{ name: 'main', url: backend.url }])
    const answer = await ask(lexora.port, '{"model":"m"}', {}, SPEECH)
    expect([answer.status, errorOf(answer).message]).toEqual([422, 'no such voice'])
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_error', status: 422 }])
  })

  test('a backend that is gone is a 502 in our words', async () => {
    const lexora = await startApp([{ name: 'main', url: 'http://127.0.0.1:9', models: ['m'] }])
    const baseline = activeTimers()
    const answer = await ask(lexora.port, '{"model":"m"}', {}, SPEECH)
    expect([answer.status, errorOf(answer).code]).toEqual([502, 'backend_unreachable'])
    expect(answer.body).not.toContain('ECONNREFUSED')
    expect(lexora.outcomes).toMatchObject([{ outcome: 'backend_error', status: 502, error: 'backend_unreachable' }])
    await assertSettled(lexora, [], baseline)
  })

  test('an answer that the backend breaks off does not end as if it were whole', async () => {
    const backend = await startRecorder({
      answer: (_request, res) => {
        res.writeHead(200, { 'content-type': 'audio/wav' })
        res.write(Buffer.alloc(1000), () => res.socket!.resetAndDestroy())
      },
    })
    const lexora = await startApp([{ name: 'main', url: backend.url }])
    const answer = await fetch(lexora.url + SPEECH, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"model":"m"}',
    })
    await expect(answer.arrayBuffer()).rejects.toThrow()
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'stream_error', error: 'backend_truncated' }])
  })

  test.each(['before the answer', 'while it sends its body', 'during the answer'])(
    'a client that leaves %s ends the backend’s work too',
    async (when) => {
      const backend = await startRecorder({
        answer: (_request, res) => {
          if (when === 'during the answer') res.write('x'.repeat(100))
        },
      })
      const lexora = await startApp([{ name: 'main', url: backend.url }])
      const baseline = activeTimers()
      const client = await RawClient.open(lexora.port)
      const body = '{"model":"m"}'
      if (when === 'while it sends its body') {
        client.send(
          `POST ${SPEECH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n${body.padEnd(300_000)}`,
        )
      } else client.post(SPEECH, body)
      await until(() => backend.requests.length === 1)
      if (when === 'during the answer') await client.until((text) => text.includes('xxx'))
      client.destroy()
      await until(() => backend.requests[0]!.aborted)
      await lexora.outcomesReach(1)
      expect(lexora.outcomes).toMatchObject([{ outcome: 'client_closed', status: 499 }])
      await assertSettled(lexora, [], baseline)
    },
  )

  test('a body over the limit is a 413, by its length or by its count: the backend never gets it whole', async () => {
    const { lexora, whisper, baseline } = await setUp({ server: { max_body_mb: 0.0625 } })
    const { body, headers } = aForm('whisper', randomBytes(70_000))
    const answer = await ask(lexora.port, body, headers, TRANSCRIPTIONS)
    expect([answer.status, errorOf(answer).code]).toEqual([413, 'body_too_large'])
    const client = await RawClient.open(lexora.port)
    const head = `POST ${TRANSCRIPTIONS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${headers['content-type']}\r\ntransfer-encoding: chunked\r\n\r\n`
    client
      .send(`${head}${body.length.toString(16)}\r\n`)
      .send(body)
      .send('\r\n0\r\n\r\n')
    const cut = parseAnswer(await client.closed())
    expect([cut.status, errorOf(cut).code]).toEqual([413, 'body_too_large'])
    await until(() => whisper.requests.every(({ aborted }) => aborted))
    for (const { body: got } of whisper.requests) expect(got.length).toBeLessThan(body.length)
    await assertSettled(lexora, [], baseline)
  })

  test('an expectation that is none is a 417 in the form of every error', async () => {
    const { lexora } = await setUp()
    const answer = await ask(lexora.port, '{}', { expect: 'a-miracle' }, SPEECH)
    expect([answer.status, errorOf(answer).param]).toEqual([417, 'expect'])
  })

  test('Expect: 100-continue is answered, and the body follows', async () => {
    const { lexora, whisper } = await setUp()
    const { body, headers } = aForm('whisper', randomBytes(1000))
    const client = await RawClient.open(lexora.port)
    client.send(
      `POST ${TRANSCRIPTIONS} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-type: ${headers['content-type']}\r\ncontent-length: ${body.length}\r\n\r\n`,
    )
    await client.until((text) => text.startsWith('HTTP/1.1 100 Continue'))
    expect(await client.send(body).closed()).toContain('HTTP/1.1 200')
    expect(whisper.requests[0]!.body.equals(body)).toBe(true)
  })
})

describe('a passed-through request that its backend fails', () => {
  test.each([401, 403])('refused credentials (%i) are our fault: 502 backend_auth', async (status) => {
    const backend = await startRecorder({ models: ['whisper'], answer: (_request, res) => sendJson(res, status, {}) })
    const lexora = await startApp([{ name: 'main', url: backend.url }])
    const baseline = activeTimers()
    const answer = await ask(lexora.port, { model: 'whisper', input: 'hi' }, {}, SPEECH)
    expect([answer.status, errorOf(answer).code]).toEqual([502, 'backend_auth'])
    expect(lexora.outcomes).toMatchObject([{ outcome: 'backend_error', status: 502 }])
    await assertSettled(lexora, [], baseline)
  })

  test('a backend that never answers: 504 backend_timeout at the limit', async () => {
    const backend = await startRecorder({ models: ['whisper'], answer: () => undefined })
    const lexora = await startApp([{ name: 'main', url: backend.url }], { config: { timeouts: { non_stream: 0.3 } } })
    const baseline = activeTimers()
    const answer = await ask(lexora.port, { model: 'whisper', input: 'hi' }, {}, SPEECH)
    expect([answer.status, errorOf(answer).code]).toEqual([504, 'backend_timeout'])
    await assertSettled(lexora, [], baseline)
  })
})
