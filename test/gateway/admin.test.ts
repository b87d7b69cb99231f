/** `/admin/*`: who may, what is told, and that a call over HTTP is the same call. */
import { describe, expect, test } from 'vitest'
import { adminClient } from '../../src/app/admin-client.ts'
import type { CaptureReport } from '../../src/protocol/captures.ts'
import { type CommandRow, pathArguments } from '../../src/protocol/command-row.ts'
import { type AppCommands, COMMANDS, CommandError, type CommandName, EVENTS_PATH } from '../../src/protocol/commands.ts'
import { ERRORS, type ErrorCode } from '../../src/protocol/errors.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import { activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import { type HttpAnswer, parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, dataOf, errorOf } from '../support/requests.ts'

const ADMIN = 'admin-secret-0123456789'
const SESSION = 'session-secret-0123456789'
const USER_KEY = 'sk-user-secret-0123456789'
const WITH_ADMIN: Patch = { auth: { admin_key: ADMIN, api_keys: [{ key: USER_KEY, user: 'ann' }] } }

const ROUTES = [
  ...(Object.values(COMMANDS) as CommandRow[]).map(({ method, path }) => ({
    method,
    path: path.replaceAll(/\{\w+\}/g, 'r-1'),
  })),
  { method: 'GET', path: EVENTS_PATH },
]

async function send(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<HttpAnswer> {
  const client = await RawClient.open(port)
  const all = {
    host: 'localhost',
    connection: 'close',
    ...(body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  client.send(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
  return parseAnswer(await client.closed())
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

async function setUp(config: Patch = WITH_ADMIN) {
  const fake = await startFake({ tokenMs: 5 })
  const backend = { name: 'main', url: fake.url, apiKey: 'backend-secret-0123', headers: { 'x-team': 'header-secret' } }
  const lexora = await startApp([{ ...backend, maxInFlight: 1 }], { config, session: SESSION })
  return { fake, lexora, baseline: activeTimers() }
}

describe('every admin route', () => {
  type Row = [who: string, headers: Record<string, string>, code: ErrorCode]
  const refusals: Row[] = [
    ['nobody', {}, 'invalid_api_key'],
    ['a user', bearer(USER_KEY), 'permission_denied'],
    ['a wrong admin key', bearer(`${ADMIN}0`), 'permission_denied'],
    ['a wrong session', bearer(SESSION.slice(0, -1)), 'permission_denied'],
    ['two keys, one of them right', { ...bearer(ADMIN), 'x-api-key': USER_KEY }, 'invalid_api_key'],
    ['a foreign Host', { ...bearer(ADMIN), host: 'evil.example' }, 'host_not_allowed'],
    ['a foreign page', { ...bearer(ADMIN), origin: 'https://evil.example' }, 'origin_not_allowed'],
    ['a page of no origin', { ...bearer(ADMIN), origin: 'null' }, 'origin_not_allowed'],
    ['another site’s form', { ...bearer(ADMIN), 'sec-fetch-site': 'cross-site' }, 'origin_not_allowed'],
  ]

  test.each(refusals)('is shut to %s', async (_, headers, code) => {
    const { lexora } = await setUp()
    for (const { method, path } of ROUTES) {
      const answer = await send(lexora.port, method, path, headers)
      expect([path, answer.status, errorOf(answer).code]).toEqual([path, ERRORS[code].status, code])
    }
    expect((await lexora.app.commands.snapshot()).server.state).toBe('serving')
  })

  test('is shut to all but sessions while no admin key is set, with auth off too', async () => {
    const { lexora } = await setUp({ auth: { mode: 'off' } })
    for (const { method, path } of ROUTES) {
      for (const headers of [{}, bearer(ADMIN), bearer('EMPTY')] as Record<string, string>[]) {
        expect(errorOf(await send(lexora.port, method, path, headers)).code).toBe('permission_denied')
      }
    }
    expect((await send(lexora.port, 'GET', '/admin/snapshot', bearer(SESSION))).status).toBe(200)
  })

  test.each([
    ['the admin key', bearer(ADMIN)],
    ['the admin key as x-api-key', { 'x-api-key': ADMIN }],
    ['a session', bearer(SESSION)],
  ])('opens to %s', async (_, headers) => {
    const { lexora } = await setUp()
    for (const { method, path } of ROUTES.filter((route) => route.path !== EVENTS_PATH)) {
      // 400: it is open, but needs arguments.
      expect([path, [200, 400, 404]]).toEqual([
        path,
        expect.arrayContaining([(await send(lexora.port, method, path, headers)).status]),
      ])
    }
  })

  test('answers another method with 405 and the right one, and no stranger with either', async () => {
    const { lexora } = await setUp()
    for (const { path } of ROUTES) {
      const allowed = ROUTES.filter((route) => route.path === path).map((route) => route.method)
      for (const other of ['GET', 'POST', 'PUT', 'DELETE', 'HEAD'].filter((one) => !allowed.includes(one))) {
        // Express answers HEAD wherever it answers GET.
        if (other === 'HEAD' && allowed.includes('GET') && path !== EVENTS_PATH) continue
        const answer = await send(lexora.port, other, path, bearer(ADMIN))
        expect([other, path, answer.status, answer.headers.get('allow')]).toEqual([
          other,
          path,
          405,
          allowed.join(', '),
        ])
        expect((await send(lexora.port, other, path)).status).toBe(401)
      }
    }
  })

  test.each([
    '/admin/',
    '/admin/nothing',
    '/admin/snapshot/',
    '/admin/Snapshot',
    '/admin/requests//cancel',
    '/admin/%zz',
  ])('%s is none', async (path) => {
    const { lexora } = await setUp()
    const answer = await send(lexora.port, 'GET', path, bearer(ADMIN))
    expect([400, 404]).toContain(answer.status)
  })
})

describe('a body', () => {
  const post = async (headers: Record<string, string>, body: string) => {
    const { lexora } = await setUp()
    return await send(lexora.port, 'POST', '/admin/pause', { ...bearer(ADMIN), ...headers }, body)
  }
  const json = { 'content-type': 'application/json' }

  test('may be missing, and needs no content type then', async () => {
    expect((await post({}, '')).status).toBe(200)
    expect((await post({ 'content-length': '0' }, '')).status).toBe(200)
    expect((await post(json, '{}')).status).toBe(200)
  })

  test.each<[what: string, headers: Record<string, string>, body: string, code: ErrorCode, param: string | null]>([
    ['text', { 'content-type': 'text/plain' }, '{}', 'unsupported_media_type', 'content-type'],
    [
      'a form',
      { 'content-type': 'application/x-www-form-urlencoded' },
      'a=b',
      'unsupported_media_type',
      'content-type',
    ],
    ['without a type', {}, '{}', 'unsupported_media_type', 'content-type'],
    ['packed', { ...json, 'content-encoding': 'gzip' }, '{}', 'unsupported_media_type', 'content-encoding'],
    ['that is no JSON', json, '{"a":', 'invalid_json', null],
    ['that is a number', json, '7', 'invalid_json', null],
    ['that is a list', json, '[]', 'invalid_request', null],
    ['with a field that is not known', json, '{"hard":true}', 'invalid_request', 'hard'],
    ['that is too large', json, JSON.stringify({ a: 'x'.repeat(70_000) }), 'body_too_large', null],
  ])('%s is refused', async (_, headers, body, code, param) => {
    const answer = await post(headers, body)
    expect([answer.status, errorOf(answer).code, errorOf(answer).param]).toEqual([ERRORS[code].status, code, param])
  })

  test('cannot change what the path says', async () => {
    const { lexora } = await setUp()
    const answer = await send(
      lexora.port,
      'POST',
      '/admin/requests/one/cancel',
      { ...bearer(ADMIN), 'content-type': 'application/json' },
      '{"id":"two"}',
    )
    expect([answer.status, errorOf(answer).param]).toEqual([404, 'id'])
  })
})

describe('the same call in this process and over HTTP', () => {
  type Call = (args: Record<string, unknown>) => Promise<unknown>
  const outcome = async (commands: AppCommands, name: CommandName, args: Record<string, unknown>) =>
    await (commands[name] as Call)(args).catch((error: unknown) => {
      if (error instanceof CommandError)
        return { code: error.problem.code, message: error.message, param: error.problem.param ?? null }
      throw error
    })

  test.each(Object.keys(COMMANDS) as CommandName[])('%s gives the same result', async (name) => {
    const { lexora } = await setUp()
    const remote = adminClient({ address: lexora.url, key: ADMIN })
    const args = Object.fromEntries(pathArguments(COMMANDS[name]).map((argument) => [argument, 'nobody-knows-it']))
    const [here, there] = [await outcome(lexora.app.commands, name, args), await outcome(remote, name, args)]
    expect(timeless(there)).toEqual(timeless(here))
  })

  /** Without what differs between any two calls. */
  function timeless(result: unknown): unknown {
    const { revision: _, takenAt: __, health: ___, ...rest } = result as AppSnapshot
    const { uptimeSeconds: ____, ...server } = rest.server ?? {}
    // A capture ends ten minutes after the call that began it.
    const { endsAt: _____, ...capturing } = (rest as Partial<CaptureReport>).capturing ?? {}
    return { ...rest, server, capturing }
  }
})

describe('the snapshot', () => {
  test('says who waits, in which place, and who they are', async () => {
    const { lexora, fake, baseline } = await setUp()
    const clients = []
    for (const user of ['ann', 'bob', 'cy']) {
      const client = await RawClient.open(lexora.port)
      const body = aChat({ stream: true, max_tokens: 400, x_priority: user === 'cy' ? 'high' : 'low' })
      client.post('/v1/chat/completions', body, {
        ...bearer(USER_KEY),
        'x-lexora-user': user,
        'x-request-id': `of-${user}`,
      })
      clients.push(client)
      await until(() => lexora.app.inFlight.permits + lexora.app.inFlight.waiting === clients.length)
    }
    const snapshot = await lexora.app.commands.snapshot()
    expect(snapshot.server).toMatchObject({
      state: 'serving',
      inFlight: 3,
      address: `http://localhost:${lexora.port}/v1`,
    })
    expect(snapshot.backends).toMatchObject([
      { name: 'main', status: 'up', inFlight: 1, limit: 1, host: new URL(fake.url).host },
    ])
    expect(snapshot.queues).toMatchObject([
      {
        backend: 'main',
        permits: { inFlight: 1, limit: 1, auto: false },
        depth: { high: 1, normal: 0, low: 1 },
        waiting: [
          { id: 'of-cy', band: 'high', place: 1, model: 'tiny', ageMs: expect.any(Number) },
          { id: 'of-bob', band: 'low', place: 2, model: 'tiny' },
        ],
      },
    ])
    expect(snapshot.users.map(({ name, inFlight, waiting }) => [name, inFlight + waiting])).toEqual([['ann', 3]])
    expect(snapshot.health.queue).toEqual({ waiting: 2, by_band: { high: 1, normal: 0, low: 1 } })
    const stats = await (await fetch(`${lexora.url}/stats`, { headers: bearer(USER_KEY) })).json()
    expect(stats).toMatchObject({
      queue: { waiting: 2, backends: { main: { in_flight: 1, limit: 1, waiting: 2 } } },
      users: { ann: { waiting: 2, in_flight: 1 } },
      waiting: [
        { id: 'of-cy', backend: 'main', place: 1 },
        { id: 'of-bob', place: 2 },
      ],
    })
    for (const client of clients) client.destroy()
    await assertSettled(lexora, [fake], baseline)
  })

  test('holds no secret, and no address beyond a backend’s host', async () => {
    const { lexora } = await setUp()
    await ask(lexora.port, aChat({ messages: [{ role: 'user', content: 'prompt-secret' }] }), bearer(USER_KEY))
    const text = JSON.stringify(await lexora.app.commands.snapshot())
    expect(text).toContain('"tiny"')
    for (const secret of [ADMIN, SESSION, USER_KEY, 'backend-secret', 'header-secret', 'prompt-secret']) {
      expect(text).not.toContain(secret)
    }
    expect(text).not.toContain('http://127.0.0.1')
  })

  test('may not be kept by a cache', async () => {
    const { lexora } = await setUp()
    expect((await send(lexora.port, 'GET', '/admin/snapshot', bearer(ADMIN))).headers.get('cache-control')).toBe(
      'no-store',
    )
  })
})

describe('a request', () => {
  test('is listed with its phase, and cancelled by its id: its client is told', async () => {
    const { lexora, fake, baseline } = await setUp({})
    const commands = adminClient({ address: lexora.url, key: SESSION })
    const client = await RawClient.open(lexora.port)
    client.post('/v1/chat/completions', aChat({ stream: true, max_tokens: 400 }), {
      'x-request-id': 'mine',
      'user-agent': 'OpenAI/Python 2.8.0',
      connection: 'close',
    })
    await client.until((text) => dataOf(text).length > 2)
    const told = { model: 'tiny', backend: 'main', stream: true, app: 'OpenAI', attempts: 1 }
    expect(await commands.listRequests()).toMatchObject({
      requests: [{ id: 'mine', phase: 'decode', ...told }],
    })
    expect(await commands.cancelRequest({ id: 'mine' })).toEqual({ cancelled: 'mine' })
    expect(errorOf(parseAnswer(await client.closed())).message).toContain('operator')
    await expect(commands.cancelRequest({ id: 'mine' })).rejects.toMatchObject({
      problem: { code: 'not_found', param: 'id' },
    })
    await assertSettled(lexora, [fake], baseline)
  })
})

describe('paused', () => {
  test('Lexora turns new requests away with 503 and lets what runs finish, until it is resumed', async () => {
    const { lexora, fake, baseline } = await setUp({})
    const commands = adminClient({ address: lexora.url, key: SESSION })
    const running = await RawClient.open(lexora.port)
    running.post('/v1/chat/completions', aChat({ stream: true, max_tokens: 20 }), { connection: 'close' })
    await running.until((text) => dataOf(text).length > 1)
    expect(await commands.pause()).toEqual({ state: 'paused' })
    const refused = await ask(lexora.port, aChat())
    expect([refused.status, errorOf(refused).code, refused.headers.get('retry-after')]).toEqual([
      503,
      'overloaded',
      '5',
    ])
    expect((await fetch(`${lexora.url}/readyz`)).status).toBe(503)
    expect(dataOf(parseAnswer(await running.closed()).body).at(-1)).toBe('[DONE]')
    expect(await commands.resume()).toEqual({ state: 'serving' })
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    await assertSettled(lexora, [fake], baseline)
  })
})
