/**
 * Section 2.D of the fault catalogue: hostile input, over raw sockets. Codes are DESIGN 4.2's. Where the catalogue wants
 * a field policed that DESIGN leaves to the backend (D19, D20, D21), the tests show the opposite: the bytes reach the
 * backend as they are, and its refusal comes back.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { App } from '../../src/app/app.ts'
import type { ClientPatience } from '../../src/app/gateway-options.ts'
import { configSchema } from '../../src/protocol/config.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import type { Outcome } from '../../src/telemetry/outcome.ts'
import { Redactor } from '../../src/telemetry/redact.ts'
import { aBackend, activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import type { FakeOptions, FakeVllm } from '../support/fake-vllm/server.ts'
import { type HttpAnswer, parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, dataOf, errorOf } from '../support/requests.ts'

const CHAT = '/v1/chat/completions'
const KEY = 'sk-test-0123456789abcdef'
const NEEDS_KEY: Patch = { auth: { mode: 'required', api_keys: [KEY] } }

async function setUp(config: Patch = {}, fakeOptions: FakeOptions = {}) {
  const fake = await startFake(fakeOptions)
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config })
  return { fake, lexora, baseline: activeTimers() }
}

/** A Lexora whose patience with slow clients is short. */
async function setUpImpatient(patience: Partial<ClientPatience>) {
  const fake = await startFake()
  const outcomes: Outcome[] = []
  const app = new App({
    config: configSchema.parse({ server: { port: 0 }, metrics: { request_log: { enabled: false } } }),
    backends: [aBackend({ name: 'main', url: fake.url })],
    defaultBackend: null,
    logDir: tmpdir(),
    version: '0.0.0-test',
    log: createLogger({
      level: 'ERROR',
      format: 'json',
      colour: false,
      redactor: new Redactor(),
      write: () => undefined,
      now: () => new Date(),
    }),
    patience: { headersMs: 10_000, bodySilenceMs: 30_000, ...patience },
    onOutcome: (outcome) => outcomes.push(outcome),
  })
  await app.start()
  onTestFinished(() => app.stop(0))
  const { port } = app.addresses[0]!
  const lexora = { app, port, url: '', outcomes, log: [], outcomesReach: () => Promise.resolve() }
  return { fake, lexora, baseline: activeTimers() }
}

/** What the backend was asked to do; probes are GETs. */
const posts = (fake: FakeVllm) => fake.requests.filter(({ method }) => method === 'POST')

/** Sends bytes as they are and reads until the connection ends. */
async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const client = await RawClient.open(port)
  return await client.send(bytes).closed()
}

/** Resolves when Lexora has seen everybody leave, so that nothing can be counted any more: it is stopped for that. */
async function allSeen({ app }: { app: App }): Promise<void> {
  await app.stop(0)
  let turns = 0
  await until(() => turns++ > 10)
}

/** A GET on a connection of its own. */
async function get(port: number, target: string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
  const lines = Object.entries({ host: 'localhost', connection: 'close', ...headers }).map(([k, v]) => `${k}: ${v}\r\n`)
  return parseAnswer(await exchange(port, `GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`))
}

/** The status lines of everything that came back, in order. */
const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) [A-Z]/gi)].map(([, code]) => Number(code))

const HEAD = `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`
const BODY = JSON.stringify(aChat())
const SIZE = BODY.length.toString(16)
const CHUNKED = `${SIZE}\r\n${BODY}\r\n0\r\n\r\n`

describe('D: slow and too much', () => {
  test('D1 headers that never end: 408, then the connection is gone, and others are served meanwhile', async () => {
    const { fake, lexora, baseline } = await setUpImpatient({ headersMs: 300 })
    const slow = await Promise.all(
      Array.from({ length: 200 }, () => RawClient.open(lexora.port, { allowHalfOpen: true })),
    )
    for (const client of slow) client.send(`POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\nx-slow: `)
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    for (const client of slow) client.send('a')
    const answers = await Promise.all(slow.map((client) => client.until((text) => text.includes('request_timeout'))))
    expect(new Set(answers.map((text) => parseAnswer(text).status))).toEqual(new Set([408]))
    // They keep their half of the connection open, and go on sending: that is not waited for.
    await until(() => {
      for (const client of slow) if (!client.isClosed) client.send('a')
      return slow.every(({ isClosed }) => isClosed)
    })
    expect(posts(fake)).toHaveLength(1)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D2 a body that drips: 408, the connection is closed, and no backend was held for it', async () => {
    const { fake, lexora, baseline } = await setUpImpatient({ bodySilenceMs: 300 })
    const client = await RawClient.open(lexora.port)
    client.send(`${HEAD}content-length: 100000\r\n\r\n{`)
    let sent = 0
    await until(() => {
      // A byte now and then is no progress worth the name.
      if (sent++ < 400) client.send(' ')
      return client.text.includes('request_timeout')
    })
    expect(parseAnswer(await client.closed()).status).toBe(408)
    expect(posts(fake)).toHaveLength(0)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_error', status: 408, backend: null }])
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    ['one of 17 KB', `x-big: ${'a'.repeat(17 * 1024)}\r\n`],
    ['one of 1 MB', `x-big: ${'a'.repeat(1024 * 1024)}\r\n`],
    ['2,100 of them', Array.from({ length: 2100 }, (_, i) => `x-${i}: a\r\n`).join('')],
  ])('D3 headers too large, %s: 431', async (_what, headers) => {
    const { fake, lexora, baseline } = await setUp()
    const answer = parseAnswer(await exchange(lexora.port, `${HEAD}${headers}content-length: 0\r\n\r\n`))
    expect([answer.status, errorOf(answer).code]).toEqual([431, 'headers_too_large'])
    expect(answer.headers.get('x-request-id')).toBeTruthy()
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D4 more connections than descriptors: the surplus is closed, the others are served, and it recovers', async () => {
    const fake = await startFake()
    const home = mkdtempSync(join(tmpdir(), 'lexora-test-'))
    const program = `ulimit -n 128 && exec "${process.execPath}" src/bin.ts --no-ui --port 0 --log-format json`
    const child = spawn('sh', ['-c', program], {
      env: { LEXORA_HOME: home, LEXORA_VLLM__URL: fake.url, PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
      rmSync(home, { recursive: true, force: true })
    })
    const port = await new Promise<number>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const address = /"address":"http:\/\/localhost:(\d+)/.exec(line)
        if (address !== null) resolve(Number(address[1]))
      })
    })
    const clients = await Promise.all(Array.from({ length: 120 }, () => RawClient.open(port)))
    for (const client of clients) if (!client.isClosed) client.post(CHAT, aChat())
    const served = (client: RawClient) => client.text.startsWith('HTTP/1.1 200')
    await until(() => clients.every((client) => served(client) || client.isClosed))
    expect(clients.filter(served).length).toBeGreaterThanOrEqual(16)
    expect(clients.filter(({ isClosed }) => isClosed).length).toBeGreaterThan(0)
    expect(clients.filter(served).length).toBe(posts(fake).length)
    for (const client of clients) client.destroy()
    let status = 0
    await until(() => {
      if (status === 0) {
        status = -1
        ask(port, aChat()).then(
          (answer) => (status = answer.status || 0),
          () => (status = 0),
        )
      }
      return status === 200
    })
    expect(child.exitCode).toBe(null)
  })

  test.each([
    ['told by its length', `${HEAD}content-length: 70000\r\n\r\n`],
    ['told by its length, and sent', `${HEAD}content-length: 70000\r\n\r\n${' '.repeat(70_000)}`],
    ['in chunks', `${HEAD}transfer-encoding: chunked\r\n\r\n11170\r\n${' '.repeat(0x11170)}\r\n0\r\n\r\n`],
    [
      'in chunks without end',
      `${HEAD}transfer-encoding: chunked\r\n\r\n${`8000\r\n${' '.repeat(0x8000)}\r\n`.repeat(40)}`,
    ],
  ])('D5 a body over the limit, %s: 413 and the end of the connection', async (_how, bytes) => {
    const { fake, lexora, baseline } = await setUp({ server: { max_body_mb: 0.0625 } })
    const answer = parseAnswer(await exchange(lexora.port, bytes))
    expect([answer.status, errorOf(answer).code]).toEqual([413, 'body_too_large'])
    expect(answer.headers.get('connection')).toBe('close')
    expect(posts(fake)).toHaveLength(0)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_error', status: 413 }])
    await assertSettled(lexora, [fake], baseline)
  })

  test('D5 a body at the limit, to the byte, is served', async () => {
    const { fake, lexora, baseline } = await setUp({ server: { max_body_mb: 0.0625 } })
    const body = BODY.padEnd(65_536)
    expect((await ask(lexora.port, body)).status).toBe(200)
    expect((await ask(lexora.port, `${body} `)).status).toBe(413)
    expect(posts(fake)).toHaveLength(1)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D5 a client that goes on sending a body over the limit still reads its 413', async () => {
    const { fake, lexora, baseline } = await setUp({ server: { max_body_mb: 1 } })
    for (let i = 0; i < 4; i++) {
      const answer = await fetch(`${lexora.url}${CHAT}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: Buffer.alloc(8 * 1024 * 1024, ' '),
      })
      expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
        413,
        'body_too_large',
      ])
    }
    await assertSettled(lexora, [fake], baseline)
  })

  test('D5 a client that leaves while its 413 waits for the rest of the body has one outcome', async () => {
    const { fake, lexora, baseline } = await setUp({ server: { max_body_mb: 0.0625 } })
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.open(lexora.port)))
    for (const client of clients) client.send(`${HEAD}transfer-encoding: chunked\r\n\r\n11170\r\n${' '.repeat(69_000)}`)
    for (const client of clients) {
      await client.until((text) => text.includes('body_too_large'))
      client.destroy()
    }
    await allSeen(lexora)
    expect(lexora.outcomes.map(({ status }) => status)).toEqual([413, 413, 413, 413, 413])
    await assertSettled(lexora, [fake], baseline)
  })

  test.each(['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip', 'x-unknown'])(
    'D6 a body in content-encoding %s: 415, nothing is unpacked',
    async (encoding) => {
      const { fake, lexora, baseline } = await setUp()
      const bomb = gzipSync(Buffer.alloc(1024 * 1024, ' '))
      const answer = await ask(lexora.port, bomb, { 'content-encoding': encoding })
      expect([answer.status, errorOf(answer)]).toMatchObject([
        415,
        { code: 'unsupported_media_type', param: 'content-encoding' },
      ])
      expect(posts(fake)).toHaveLength(0)
      await assertSettled(lexora, [fake], baseline)
    },
  )

  test('D6 a body packed by its transfer-encoding is no JSON: 400', async () => {
    const { fake, lexora, baseline } = await setUp()
    const packed = gzipSync(BODY)
    const head = `${HEAD}connection: close\r\ntransfer-encoding: gzip, chunked\r\n\r\n${packed.length.toString(16)}\r\n`
    const answer = parseAnswer(
      await exchange(lexora.port, Buffer.concat([Buffer.from(head), packed, Buffer.from('\r\n0\r\n\r\n')])),
    )
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'invalid_json'])
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('D: JSON', () => {
  const deep = 2_000_000
  test.each([
    ['below a field', `{"model":"tiny","messages":${'['.repeat(deep)}${']'.repeat(deep)}}`],
    ['without end', `{"model":"tiny","messages":${'['.repeat(deep)}`],
    ['as objects', `{"model":"tiny","messages":${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}}`],
    ['alone', '['.repeat(deep) + ']'.repeat(deep)],
    ['one level over the limit', `{"a":${'['.repeat(64)}${']'.repeat(64)}}`],
  ])('D7 nested two million deep, %s: 400', async (_where, body) => {
    const { fake, lexora, baseline } = await setUp()
    const answer = await ask(lexora.port, body)
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'invalid_json'])
    expect(errorOf(answer).message).toContain('deeper than 64')
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D7 nested as deep as the limit: the backend gets it', async () => {
    const { fake, lexora, baseline } = await setUp()
    const body = `${BODY.slice(0, -1)},"a":${'['.repeat(63)}${']'.repeat(63)}}`
    expect((await ask(lexora.port, body)).status).toBe(200)
    expect(posts(fake)[0]!.body.toString()).toBe(body)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D8 500,000 keys: 400', async () => {
    const { fake, lexora, baseline } = await setUp()
    const keys = Array.from({ length: 500_000 }, (_, i) => `"k${i}":0`).join(',')
    const answer = await ask(lexora.port, `{${keys}}`)
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'invalid_request'])
    expect(errorOf(answer).message).toContain('10000 members')
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    ['model', `{"model":"tiny","model":"other","messages":[]}`],
    ['model', `{"model":"tiny","messages":[],"mod\\u0065l":"other"}`],
    ['model', `{"\\u006dodel":"tiny","messages":[],"\\u006d\\u006fdel":"other"}`],
    ['stream', `{"model":"tiny","stream":true,"messages":[],"stream":false}`],
    ['x_priority', `{"model":"tiny","x_priority":"low","x_priority":"high","messages":[]}`],
    ['x_user_id', `{"model":"tiny","x_user_id":"a","x_user_id":"a","messages":[]}`],
    ['x_timeout', `{"model":"tiny","x_timeout":1,"x_timeout":2,"messages":[]}`],
  ])('D9 %s twice in one body: 400 that names it', async (field, body) => {
    const { fake, lexora, baseline } = await setUp()
    const answer = await ask(lexora.port, body)
    expect([answer.status, errorOf(answer)]).toMatchObject([400, { code: 'invalid_request', param: field }])
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    [
      'D9 other duplicates',
      `{"model":"tiny","seed":1,"messages":[{"role":"user","content":"x"}],"max_tokens":2,"seed":1}`,
    ],
    ['D9 a model twice, below the top', `${BODY.slice(0, -1)},"metadata":{"model":"a","model":"b"}}`],
    [
      'D10 __proto__ and constructor',
      `${BODY.slice(0, -1)},"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`,
    ],
    ['D10 __proto__ below the top', `${BODY.slice(0, -1)},"metadata":{"__proto__":{"polluted":1}}}`],
    [
      'D11 an escaped lone surrogate',
      `{"model":"tiny","messages":[{"role":"user","content":"\\ud800"}],"max_tokens":2}`,
    ],
    ['D11 an escaped NUL', `{"model":"tiny","messages":[{"role":"user","content":"a\\u0000b"}],"max_tokens":2}`],
    [
      'twenty-digit numbers',
      `${BODY.slice(0, -1)},"metadata":{"id":12345678901234567890,"e":1E400,"z":-0.0,"p":1.10}}`,
    ],
    [
      'odd white space',
      ` \r\n\t{ "model" :\t"tiny" ,\r\n"messages":[{"role":"user","content":"x"}] , "max_tokens" : 2 }\n `,
    ],
    [
      'a body of 10 MB',
      `{"model":"tiny","max_tokens":2,"pad":"${'0123456789'.repeat(1_000_000)}","messages":[{"role":"user","content":"x"}]}`,
    ],
  ])('%s: served, and the backend gets it byte for byte', async (_what, body) => {
    const { fake, lexora, baseline } = await setUp()
    expect((await ask(lexora.port, body)).status).toBe(200)
    expect(posts(fake)[0]!.body.equals(Buffer.from(body))).toBe(true)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    ['invalid UTF-8', Buffer.from(`${BODY.slice(0, -2)}\xff"}`, 'latin1'), {}],
    [
      'a raw lone surrogate',
      Buffer.concat([Buffer.from('{"model":"'), Buffer.from('eda080', 'hex'), Buffer.from('"}')]),
      {},
    ],
    [
      'an overlong slash',
      Buffer.concat([Buffer.from('{"model":"'), Buffer.from('c0af', 'hex'), Buffer.from('"}')]),
      {},
    ],
    ['a raw NUL', Buffer.from('{"model":"ti\u0000ny","messages":[]}'), {}],
    ['a NUL behind it', Buffer.from(`${BODY}\u0000`), {}],
    ['a byte order mark', Buffer.from(`\uFEFF${BODY}`), {}],
    ['UTF-16', Buffer.from(BODY, 'utf16le'), {}],
    ['a second document', Buffer.from(`${BODY}${BODY}`), {}],
    ['nothing', Buffer.alloc(0), {}],
  ])('D11 a body with %s: 400 invalid_json', async (_what, body, headers) => {
    const { fake, lexora, baseline } = await setUp()
    const answer = await ask(lexora.port, body, headers)
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'invalid_json'])
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    'application/json; charset=utf-16',
    'application/json; charset=shift_jis',
    'text/plain',
    'text/plain; application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json, text/plain',
    '',
  ])('D12 content-type "%s": 415 before the body is read', async (type) => {
    const { fake, lexora, baseline } = await setUp()
    const answer = await ask(lexora.port, BODY, { 'content-type': type })
    expect([answer.status, errorOf(answer)]).toMatchObject([
      415,
      { code: 'unsupported_media_type', param: 'content-type' },
    ])
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D12 no content-type at all: 415', async () => {
    const { fake, lexora, baseline } = await setUp()
    const bytes = `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`
    expect(parseAnswer(await exchange(lexora.port, bytes)).status).toBe(415)
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json; charset="UTF-8"'])(
    'D12 content-type "%s" is JSON',
    async (type) => {
      const { fake, lexora, baseline } = await setUp()
      expect((await ask(lexora.port, BODY, { 'content-type': type })).status).toBe(200)
      await assertSettled(lexora, [fake], baseline)
    },
  )
})

describe('D: framing', () => {
  test('D13 Expect: 100-continue with a bad key: 401 without the 100, and no body is waited for', async () => {
    const { fake, lexora, baseline } = await setUp(NEEDS_KEY)
    const head = `${HEAD}expect: 100-continue\r\ncontent-length: ${BODY.length}\r\n`
    const text = await exchange(lexora.port, `${head}authorization: Bearer wrong\r\n\r\n`)
    expect(text.startsWith('HTTP/1.1 401')).toBe(true)
    expect(text).not.toContain('100 Continue')
    expect(errorOf(parseAnswer(text)).code).toBe('invalid_api_key')
    const client = await RawClient.open(lexora.port)
    client.send(`${head}authorization: Bearer ${KEY}\r\nconnection: close\r\n\r\n`)
    await client.until((sofar) => sofar === 'HTTP/1.1 100 Continue\r\n\r\n')
    expect(posts(fake)).toHaveLength(0)
    expect(await client.send(BODY).closed()).toContain('HTTP/1.1 200 OK')
    expect(posts(fake)).toHaveLength(1)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    ['one-byte chunks', `${[...BODY].map((char) => `1\r\n${char}\r\n`).join('')}0\r\n\r\n`],
    ['extensions', `${SIZE};a=b;c="d"\r\n${BODY}\r\n0;last\r\n\r\n`],
    ['trailers', `${SIZE}\r\n${BODY}\r\n0\r\nauthorization: Bearer x\r\nx-junk: a\r\n\r\n`],
    ['upper case and leading zeros', `000${SIZE.toUpperCase()}\r\n${BODY}\r\n000\r\n\r\n`],
  ])('D14 a chunked body with %s is served; the backend gets it whole, with a length', async (_how, framed) => {
    const { fake, lexora, baseline } = await setUp()
    const text = await exchange(lexora.port, `${HEAD}connection: close\r\ntransfer-encoding: chunked\r\n\r\n${framed}`)
    expect(parseAnswer(text).status).toBe(200)
    expect(posts(fake)).toHaveLength(1)
    const [{ body, headers }] = posts(fake) as [FakeVllm['requests'][0]]
    expect(body.toString()).toBe(BODY)
    expect(headers).toMatchObject({ 'content-length': String(BODY.length) })
    for (const name of ['transfer-encoding', 'trailer', 'authorization', 'x-junk'])
      expect(headers).not.toHaveProperty(name)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D14 an empty chunked body is an empty body: 400', async () => {
    const { fake, lexora, baseline } = await setUp()
    const text = await exchange(lexora.port, `${HEAD}connection: close\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`)
    expect(errorOf(parseAnswer(text)).code).toBe('invalid_json')
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  const hidden = `${HEAD}x-request-id: hidden\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`
  const length = `content-length: ${BODY.length}\r\n`
  test.each([
    ['CL.TE', `content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['TE.CL', `transfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n${CHUNKED}`],
    ['TE.TE with identity', `transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n${CHUNKED}`],
    ['TE.TE twice chunked', `transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n${CHUNKED}`],
    ['TE that ends in identity', `transfer-encoding: chunked, identity\r\n\r\n${CHUNKED}`],
    ['TE xchunked', `transfer-encoding: xchunked\r\n\r\n${CHUNKED}`],
    ['TE behind a vertical tab', `transfer-encoding: \x0bchunked\r\n\r\n${CHUNKED}`],
    ['TE before a colon with a space', `transfer-encoding : chunked\r\n\r\n${CHUNKED}`],
    ['two lengths that differ', `${length}content-length: 5\r\n\r\n${BODY}`],
    ['two lengths that agree', `${length}${length}\r\n${BODY}`],
    ['a list of lengths', `content-length: ${BODY.length}, ${BODY.length}\r\n\r\n${BODY}`],
    ['a length with a sign', `content-length: +${BODY.length}\r\n\r\n${BODY}`],
    ['a negative length', `content-length: -1\r\n\r\n${BODY}`],
    ['a hexadecimal length', `content-length: 0x${SIZE}\r\n\r\n${BODY}`],
    ['a length beyond all numbers', `content-length: 99999999999999999999\r\n\r\n${BODY}`],
    ['a space before the colon', `content-length : ${BODY.length}\r\n\r\n${BODY}`],
    ['an obs-fold', `x-a: b\r\n c\r\n${length}\r\n${BODY}`],
    ['a folded TE', `transfer-encoding:\r\n chunked\r\n${length}\r\n${BODY}`],
    ['a bare LF', `x-a: b\n${length}\r\n${BODY}`],
    ['a bare CR', `x-a: b\rtransfer-encoding: chunked\r\n${length}\r\n${BODY}`],
    ['a NUL in a value', `x-a: b\u0000c\r\n${length}\r\n${BODY}`],
    ['a header without a name', `: b\r\n${length}\r\n${BODY}`],
    ['a chunk size with a prefix', `transfer-encoding: chunked\r\n\r\n0x${CHUNKED}`],
    ['a negative chunk size', `transfer-encoding: chunked\r\n\r\n-${CHUNKED}`],
    ['a chunk size beyond all numbers', `transfer-encoding: chunked\r\n\r\nfffffffffffffffff${CHUNKED}`],
    ['a chunk size with a space', `transfer-encoding: chunked\r\n\r\n${CHUNKED.replace('\r\n', ' \r\n')}`],
    ['chunks that end in bare LF', `transfer-encoding: chunked\r\n\r\n${CHUNKED.replaceAll('\r\n', '\n')}`],
    ['a chunk extension that ends in bare LF', `transfer-encoding: chunked\r\n\r\n${CHUNKED.replace('\r\n', ';\n')}`],
    [
      'a length among the trailers',
      `transfer-encoding: chunked\r\n\r\n${SIZE}\r\n${BODY}\r\n0\r\ncontent-length: 5\r\n\r\n`,
    ],
    ['a chunk longer than its size', `transfer-encoding: chunked\r\n\r\n5\r\n${BODY}\r\n0\r\n\r\n`],
  ])('D15 smuggling by %s: 400, closed, and no backend sees a request', async (_how, rest) => {
    const { fake, lexora, baseline } = await setUp()
    const text = await exchange(lexora.port, `${HEAD}${rest}${hidden}`)
    expect(statuses(text)).toEqual([400])
    expect(text).toContain('connection: close')
    expect(text).not.toContain('hidden')
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D15 a request hidden in a good body stays a body: one request at the backend, with framing of our own', async () => {
    const { fake, lexora, baseline } = await setUp()
    const body = JSON.stringify(aChat({ messages: [{ role: 'user', content: `\r\n0\r\n\r\n${hidden}` }] }))
    const framed = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    const text = await exchange(lexora.port, `${HEAD}connection: close\r\ntransfer-encoding: chunked\r\n\r\n${framed}`)
    expect(statuses(text)).toEqual([200])
    expect(posts(fake).map(({ body: sent }) => sent.toString())).toEqual([body])
    await assertSettled(lexora, [fake], baseline)
  })

  test('D15 a request in the body of a GET is never run', async () => {
    const { fake, lexora, baseline } = await setUp()
    const bytes = `GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`
    expect(statuses(await exchange(lexora.port, bytes))).toEqual([200])
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D15 a body that ends before its length is nobody’s request', async () => {
    const { fake, lexora, baseline } = await setUp()
    const client = await RawClient.open(lexora.port)
    client.send(`${HEAD}content-length: ${BODY.length + 1}\r\n\r\n${BODY}`)
    client.socket.end()
    await client.closed()
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_closed' }])
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D16 hop-by-hop headers and what looks like ours do not reach the backend', async () => {
    const { fake, lexora, baseline } = await setUp()
    const tricks = {
      connection: 'close, authorization, x-request-id, content-length',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABkAARAAAAAAAIAAAAA',
      'keep-alive': 'timeout=1000',
      te: 'trailers',
      'proxy-authorization': 'Basic eDp5',
      'proxy-connection': 'keep-alive',
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-host': 'evil.example',
      forwarded: 'for=10.0.0.1',
      cookie: 'a=b',
      authorization: 'Bearer EMPTY',
      'x-api-key': 'EMPTY',
      'x-vllm-priority': '-100',
      'x-lexora-priority': 'high',
    }
    expect((await ask(lexora.port, BODY, tricks)).status).toBe(200)
    expect(Object.keys(posts(fake)[0]!.headers).sort()).toEqual([
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'host',
      'x-request-id',
    ])
    await assertSettled(lexora, [fake], baseline)
  })

  test('D16 a line break in a value is refused, or ends the value: never a header of its own behind us', async () => {
    const { fake, lexora, baseline } = await setUp()
    const bent = await exchange(lexora.port, `${HEAD}x-request-id: a\rx-evil: 1\r\ncontent-length: 2\r\n\r\n{}`)
    expect(statuses(bent)).toEqual([400])
    const odd = await ask(lexora.port, BODY, { 'x-request-id': 'a%0d%0ax-evil:1', accept: 'text/plain%0d%0ax-evil:1' })
    expect(odd.status).toBe(200)
    expect(odd.headers.get('x-request-id')).toMatch(/^req-[\w-]+$/)
    expect(Object.keys(posts(fake)[0]!.headers)).not.toContain('x-evil')
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('D: paths and names', () => {
  test.each([
    '/v1/%2e%2e/metrics',
    '/v1/../metrics',
    '/v1/chat/../../metrics',
    '/./metrics',
    '/metrics/',
    '/METRICS',
    '/Health',
    '/v1/Models',
    '/v1%2fmodels',
    '/v1/models;x=1',
    '/v1//models',
    '//localhost/v1/models',
    '/\\evil.example/v1/models',
    '/v1\\models',
    '/metrics%00',
    '/metrics%20',
    '/%6detrics',
    '/v1/models/%zz',
    'http://localhost/v1/models',
    'http://evil.example/v1/models',
    '*',
    '/v1/load_lora_adapter',
    '/invocations',
    '/sleep',
    '/server_info',
  ])('D17 GET %s is no route: 400 or 404, and no backend hears of it', async (target) => {
    const { fake, lexora, baseline } = await setUp()
    const heard = fake.requests.filter(({ path }) => path !== '/health').length
    const answer = await get(lexora.port, target)
    expect([400, 404]).toContain(answer.status)
    expect(['invalid_request', 'not_found', 'model_not_found']).toContain(errorOf(answer).code)
    expect(fake.requests.filter(({ path }) => path !== '/health')).toHaveLength(heard)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    '/v1/chat/completions/',
    '/V1/chat/completions',
    '/v1/chat/completions/../completions',
    '/v1/chat%2fcompletions',
    '/v1/chat/completions;a',
    '//v1/chat/completions',
    '/v1/./chat/completions',
    '/v1/audio/../chat/completions',
    'http://localhost/v1/chat/completions',
    '/invocations',
    '/v1/load_lora_adapter',
    '/sleep?level=2',
    '/collective_rpc',
  ])('D17 POST %s is no route: 400 or 404, and no backend hears of it', async (target) => {
    const { fake, lexora, baseline } = await setUp()
    const answer = await ask(lexora.port, BODY, {}, target)
    expect([400, 404]).toContain(answer.status)
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D17 the query of a managed endpoint stays here: the backend’s path is a constant', async () => {
    const { fake, lexora, baseline } = await setUp()
    expect((await ask(lexora.port, BODY, {}, `${CHAT}?a=../../x&api-version=1#y`)).status).toBe(200)
    expect(posts(fake)[0]!.target).toBe(CHAT)
    await assertSettled(lexora, [fake], baseline)
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'x'.repeat(10_000)])(
    'D18 a header named %.20s is a header like any other',
    async (name) => {
      const { fake, lexora, baseline } = await setUp()
      expect((await ask(lexora.port, BODY, { [`${name}`]: 'junk' })).status).toBe(200)
      const sent = await exchange(
        lexora.port,
        `${HEAD}connection: close\r\n${name}: junk\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
      )
      expect(parseAnswer(sent).status).toBe(200)
      for (const { rawHeaders } of posts(fake)) expect(rawHeaders).not.toContain('junk')
      expect(({} as { junk?: unknown }).junk).toBeUndefined()
      await assertSettled(lexora, [fake], baseline)
    },
  )

  test('D18 a header name of 20,000 characters: 431', async () => {
    const { fake, lexora, baseline } = await setUp()
    const text = await exchange(lexora.port, `${HEAD}${'x'.repeat(20_000)}: a\r\n\r\n`)
    expect(statuses(text)).toEqual([431])
    await assertSettled(lexora, [fake], baseline)
  })

  test.each([
    ['D19 max_tokens of a thousand million', { max_tokens: 1_000_000_000 }],
    ['D19 n of minus one', { n: -1 }],
    ['D19 more logprobs than vLLM allows', { logprobs: true, top_logprobs: 21 }],
    ['D19 a thousand stop strings', { stop: Array.from({ length: 1000 }, (_, i) => `stop${i}`) }],
    ['D19 a huge logit_bias', { logit_bias: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [i, 1])) }],
    [
      'D20 a picture at an internal address',
      {
        messages: [
          { role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://169.254.169.254/latest' } }] },
        ],
      },
    ],
    ['D21 a chat template', { chat_template: '{{ ().__class__.__mro__ }}', chat_template_kwargs: { a: '{{ 1 }}' } }],
    ['D21 an extra_body and a base_url', { extra_body: { a: 1 }, base_url: 'http://evil.example', api_base: 'x' }],
  ])('%s is the backend’s to judge (DESIGN 4.1): the same bytes there, the same answer here', async (_what, over) => {
    const { fake, lexora, baseline } = await setUp()
    const body = JSON.stringify(aChat(over))
    const same = { 'x-request-id': 'same' }
    const direct = await ask(fake.port, body, same)
    const answer = await ask(lexora.port, body, same)
    expect([answer.status, answer.body]).toEqual([direct.status, direct.body])
    expect(posts(fake).map((request) => request.body.toString())).toEqual([body, body])
    await assertSettled(lexora, [fake], baseline)
  })

  test('D19 the backend’s refusal is one attempt: a limit is not hit twice', async () => {
    const { fake, lexora, baseline } = await setUp()
    const answer = await ask(lexora.port, aChat({ max_tokens: 1_000_000_000 }))
    expect(answer.status).toBe(400)
    expect(posts(fake)).toHaveLength(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_error', retries: [] }])
    await assertSettled(lexora, [fake], baseline)
  })

  test('D22 line breaks, escape codes and bidi marks in names: one JSON line per request in the log', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lexora-test-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
    const { fake, lexora, baseline } = await setUp({ metrics: { request_log: { enabled: true, dir } } })
    const evil = 'a\n{"ts":"forged"}\r\n\u001b[2J\u202e\u2028b'
    const asked = [aChat({ user: evil }), aChat({ model: evil }), aChat({ user: evil, model: evil })]
    const answers = []
    for (const body of asked) answers.push(await ask(lexora.port, body, { 'user-agent': '\u202ered' }))
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 404])
    expect(errorOf(answers[1]!).message).not.toMatch(/\p{Cc}|\p{Cf}/u)
    const lines = (): string[] =>
      readdirSync(dir).flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1))
    await until(() => lines().length >= 3)
    expect(lines().map((line) => JSON.parse(line).user)).toEqual([evil, null, evil])
    for (const line of lexora.log) expect(line.trimEnd()).not.toMatch(/\p{Cc}/u)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D23 thousands of junk names and paths: /metrics does not grow', async () => {
    const { fake, lexora, baseline } = await setUp()
    const junk = (i: number): string => {
      const body = JSON.stringify(aChat({ model: `junk-${i}`, user: `user-${i}` }))
      const post = `${HEAD}x-lexora-task: \r\nx-request-id: junk-${i}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
      const lost = `GET /junk-${i} HTTP/1.1\r\nhost: localhost\r\n\r\nGET /v1/models/junk-${i} HTTP/1.1\r\nhost: localhost\r\n\r\n`
      return post.replace('x-lexora-task: \r\n', '') + lost
    }
    const series = async (): Promise<number> =>
      (await get(lexora.port, '/metrics')).body.split('\n').filter((line) => line.startsWith('lexora_')).length
    const send = async (from: number, to: number): Promise<void> => {
      const client = await RawClient.open(lexora.port)
      for (let at = from; at < to; at += 50) {
        client.send(Array.from({ length: 50 }, (_, i) => junk(at + i)).join(''))
        await client.until((text) => statuses(text).length === (at + 50 - from) * 3)
      }
      client.destroy()
    }
    await send(0, 50)
    const before = await series()
    await Promise.all([send(50, 1050), send(1050, 2050)])
    expect(await series()).toBe(before)
    expect(lexora.outcomes).toHaveLength(2050)
    expect(new Set(lexora.outcomes.map(({ model }) => model))).toEqual(new Set(['other']))
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D24 bracket bombs in the query are never parsed: the answer is the same as without', async () => {
    const { fake, lexora, baseline } = await setUp()
    const bomb = `a${'[b]'.repeat(3000)}=1&${'c[]=1&'.repeat(500)}__proto__[x]=1`
    expect((await get(lexora.port, `/healthz?${bomb}`)).status).toBe(200)
    expect((await get(lexora.port, `/v1/models?${bomb}`)).body).toBe((await get(lexora.port, '/v1/models')).body)
    expect((await ask(lexora.port, BODY, {}, `${CHAT}?${bomb}`)).status).toBe(200)
    expect(({} as { x?: unknown }).x).toBeUndefined()
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('D: connections', () => {
  test('D25 pipelined requests are answered in order, each with its own id and content', async () => {
    const { fake, lexora, baseline } = await setUp()
    fake.fault({ do: 'delay', ms: 100, at: 'headers' })
    const one = (id: string, content: string, more = ''): string => {
      const body = JSON.stringify(aChat({ messages: [{ role: 'user', content }] }))
      return `${HEAD}x-request-id: ${id}\r\n${more}content-length: ${body.length}\r\n\r\n${body}`
    }
    const pipelined = [
      one('first', 'a slow one'),
      `GET /v1/models/nobody HTTP/1.1\r\nhost: localhost\r\nx-request-id: second\r\n\r\n`,
      one('third', 'a third'),
      one('fourth', 'the last', 'connection: close\r\n'),
    ]
    const text = await exchange(lexora.port, pipelined.join(''))
    expect([...text.matchAll(/x-request-id: (\w+)/g)].map(([, id]) => id)).toEqual([
      'first',
      'second',
      'third',
      'fourth',
    ])
    expect(statuses(text)).toEqual([200, 404, 200, 200])
    expect(posts(fake).map(({ headers }) => headers['x-request-id'])).toHaveLength(3)
    for (const { headers, body } of posts(fake)) {
      const content = { first: 'a slow one', third: 'a third', fourth: 'the last' }[headers['x-request-id']!]
      expect(JSON.parse(body.toString()).messages[0].content).toBe(content)
    }
    await assertSettled(lexora, [fake], baseline)
  })

  test('D25 a connection goes on after an error, and after a stream', async () => {
    const { fake, lexora, baseline } = await setUp()
    const client = await RawClient.open(lexora.port)
    client.post(CHAT, '{"model":"nobody"}')
    await client.until((text) => text.includes('model_not_found'))
    client.post(CHAT, aChat({ stream: true }))
    await client.until((text) => text.endsWith('0\r\n\r\n'))
    client.post(CHAT, '{broken')
    await client.until((text) => text.includes('invalid_json'))
    client.post(CHAT, aChat(), { connection: 'close' })
    expect(statuses(await client.closed())).toEqual([404, 200, 400, 200])
    await assertSettled(lexora, [fake], baseline)
  })

  test('D25 a client that leaves with requests in the pipe: none of them goes on running', async () => {
    const { fake, lexora, baseline } = await setUp({}, { tokenMs: 5 })
    const client = await RawClient.open(lexora.port)
    const body = aChat({ stream: true, max_tokens: 400 })
    client.post(CHAT, body).post(CHAT, body).post(CHAT, body)
    await client.until((text) => dataOf(text).length > 2)
    client.destroy()
    await lexora.outcomesReach(3)
    expect(lexora.outcomes.map(({ outcome }) => outcome)).toEqual(['client_closed', 'client_closed', 'client_closed'])
    await assertSettled(lexora, [fake], baseline)
  })

  test('D25 a client that leaves with its whole answer still on the way: one outcome, and that is the answer', async () => {
    const { fake, lexora, baseline } = await setUp()
    fake.fault({ do: 'giant-body', bytes: 16 * 1024 * 1024 })
    const client = await RawClient.open(lexora.port)
    client.socket.pause()
    client.post(CHAT, aChat())
    await lexora.outcomesReach(1)
    client.destroy()
    await allSeen(lexora)
    expect(lexora.outcomes.map(({ outcome, status }) => [outcome, status])).toEqual([['ok', 200]])
    await assertSettled(lexora, [fake], baseline)
  })

  const tail = `content-type: application/json\r\nconnection: close\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`
  test.each<[string, string, number, string]>([
    ['HTTP/1.0 without a Host', `POST ${CHAT} HTTP/1.0\r\n`, 400, 'invalid_request'],
    ['HTTP/1.1 without a Host', `POST ${CHAT} HTTP/1.1\r\n`, 400, 'invalid_request'],
    ['HTTP/0.9', `POST ${CHAT}\r\n`, 400, 'invalid_request'],
    ['HTTP/1.2', `POST ${CHAT} HTTP/1.2\r\nhost: localhost\r\n`, 400, 'invalid_request'],
    ['HTTP/2 in clear', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 400, 'invalid_request'],
    ['two Hosts', `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n`, 400, 'invalid_request'],
    ['two equal Hosts', `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n`, 400, 'invalid_request'],
    ['an absolute target', `POST http://localhost${CHAT} HTTP/1.1\r\nhost: localhost\r\n`, 400, 'invalid_request'],
    ['a foreign Host', `POST ${CHAT} HTTP/1.1\r\nhost: evil.example\r\n`, 403, 'host_not_allowed'],
    ...[
      '',
      ' ',
      'localhost:',
      'localhost:123456',
      'localhost:8001/#@evil',
      'a@localhost',
      'localhost, evil',
      'local host',
      'localhost\\x',
      '[::1',
      'localhost#',
    ].map((host): [string, string, number, string] => [
      `the junk Host '${host}'`,
      `POST ${CHAT} HTTP/1.1\r\nhost: ${host}\r\n`,
      400,
      'invalid_request',
    ]),
    ...['localhost.', '127.1', '0x7f.0.0.1', '2130706433', '[::ffff:127.0.0.1]', 'localhost.evil.example'].map(
      (host): [string, string, number, string] => [
        `the Host '${host}', which is not one of ours by name`,
        `POST ${CHAT} HTTP/1.1\r\nhost: ${host}\r\n`,
        403,
        'host_not_allowed',
      ],
    ),
  ])('D26 %s: refused before routing', async (_what, head, status, code) => {
    const { fake, lexora, baseline } = await setUp()
    const answer = parseAnswer(await exchange(lexora.port, head + tail))
    expect([answer.status, errorOf(answer).code]).toEqual([status, code])
    expect(posts(fake)).toHaveLength(0)
    await assertSettled(lexora, [fake], baseline)
  })

  test('D26 the guard stands before every route, the open ones included', async () => {
    const { fake, lexora, baseline } = await setUp()
    for (const target of [
      '/healthz',
      '/readyz',
      '/health',
      '/metrics',
      '/stats',
      '/v1/models',
      '/nowhere',
      '/backends/main/x',
    ]) {
      expect((await get(lexora.port, target, { host: 'evil.example' })).status, target).toBe(403)
      expect(statuses(await exchange(lexora.port, `GET ${target} HTTP/1.0\r\n\r\n`)), target).toEqual([400])
    }
    await assertSettled(lexora, [fake], baseline)
  })

  test('D26 HTTP/1.0 with a Host is served, and its connection closed', async () => {
    const { fake, lexora, baseline } = await setUp()
    const bytes = HEAD.replace('HTTP/1.1', 'HTTP/1.0')
    const text = await exchange(lexora.port, `${bytes}content-length: ${BODY.length}\r\n\r\n${BODY}`)
    expect(statuses(text)).toEqual([200])
    await assertSettled(lexora, [fake], baseline)
  })
})
