/**
 * Section 2.E of the fault catalogue: browsers, the network, keys and secrets. Codes are DESIGN 4.2's. Where the
 * catalogue wants a body's field refused that DESIGN passes on (E13), the test shows that it leads nowhere.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { CommandRow } from '../../src/protocol/command-row.ts'
import { COMMANDS, EVENTS_PATH } from '../../src/protocol/commands.ts'
import { ASSISTED, MANAGED, PASSED_THROUGH } from '../../src/protocol/endpoints.ts'
import { SCOPES } from '../../src/protocol/users.ts'
import { KeyRing, mintSecret, sameSecret } from '../../src/users/api-key.ts'
import { activeTimers, assertSettled, type Patch, startApp, startFake, until } from '../support/app.ts'
import type { Fault } from '../support/fake-vllm/server.ts'
import { type HttpAnswer, parseAnswer, RawClient } from '../support/raw-client.ts'
import { aFolder, someRecords } from '../support/records.ts'
import { aChat, ask, dataOf, errorOf } from '../support/requests.ts'

const ADMIN = 'admin-secret-0123456789'
const SESSION = 'session-secret-0123456789'
const USER_KEY = 'sk-user-secret-0123456789'
const CHAT = '/v1/chat/completions'
const NEEDS_KEY: Patch = { auth: { mode: 'required', admin_key: ADMIN, api_keys: [{ key: USER_KEY, user: 'ann' }] } }

const ROWS = Object.values(COMMANDS) as CommandRow[]
const ADMIN_ROUTES = [
  ...ROWS.map(({ method, path, scope }) => ({ method, path: path.replaceAll(/\{\w+\}/g, 'r-1'), scope })),
  { method: 'GET', path: EVENTS_PATH, scope: 'admin:read' as const },
]
const INFERENCE_ROUTES = [...MANAGED.map(({ path }) => path), ...PASSED_THROUGH, ...ASSISTED].map((path) => ({
  method: 'POST',
  path,
}))
const OPERATIONS = ['/health', '/stats', '/metrics', '/v1/models', '/openapi.json'].map((path) => ({
  method: 'GET',
  path,
}))
const OPEN_ROUTES = ['/healthz', '/readyz'].map((path) => ({ method: 'GET', path }))
const RAW_DOOR = { method: 'POST', path: `/backends/main${CHAT}` }
const ALL_ROUTES = [...ADMIN_ROUTES, ...INFERENCE_ROUTES, ...OPERATIONS, ...OPEN_ROUTES, RAW_DOOR]

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

async function send(
  port: number,
  { method, path }: { method: string; path: string },
  headers: Record<string, string> = {},
  body = '',
): Promise<HttpAnswer> {
  const client = await RawClient.open(port)
  const length: Record<string, string> = body === '' ? {} : { 'content-length': String(body.length) }
  const all = { host: 'localhost', connection: 'close', ...length, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  client.send(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
  return parseAnswer(await client.closed())
}

async function setUp(config: Patch = NEEDS_KEY) {
  const fake = await startFake({ tokenMs: 5 })
  const records = someRecords(aFolder())
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config, session: SESSION, records })
  const { commands } = lexora.app
  const before = JSON.stringify([await commands.listUsers(), await commands.listKeys(), await commands.auditLog()])
  /** Nothing that was refused has left a trace in what operators keep. */
  const expectUntouched = async (): Promise<void> => {
    const now = [await commands.listUsers(), await commands.listKeys(), await commands.auditLog()]
    expect(JSON.stringify(now)).toBe(before)
    expect((await commands.snapshot()).server.state).toBe('serving')
  }
  return { fake, lexora, commands, records, expectUntouched, port: lexora.port }
}

describe('E: pages of others', () => {
  test('E1 a form, a text or an image of a foreign page: refused before anything is read, and no GET changes anything', async () => {
    const { port, expectUntouched } = await setUp()
    const json = JSON.stringify({ name: 'eve' })
    for (const route of ALL_ROUTES) {
      const pages: Record<string, string>[] = [
        { origin: 'https://evil.example', 'content-type': 'text/plain' },
        { 'sec-fetch-site': 'cross-site', 'content-type': 'application/x-www-form-urlencoded' },
        { 'sec-fetch-site': 'same-site' },
      ]
      for (const page of pages) {
        const answer = await send(port, route, { ...bearer(ADMIN), ...page }, route.method === 'POST' ? json : '')
        expect([route.path, answer.status, errorOf(answer).type]).toEqual([route.path, 403, 'permission_error'])
      }
    }
    // Without an Origin there is still the content type, which a page cannot choose unasked.
    for (const route of [...ADMIN_ROUTES, ...MANAGED.map(({ path }) => ({ method: 'POST', path }))]) {
      if (route.method !== 'POST') continue
      const answer = await send(
        port,
        route,
        { ...bearer(ADMIN), 'x-api-key': ADMIN, 'content-type': 'text/plain' },
        json,
      )
      expect([route.path, [401, 415]]).toEqual([route.path, expect.arrayContaining([answer.status])])
    }
    expect(ROWS.filter(({ method, scope }) => (method === 'GET') !== (scope === 'admin:read'))).toEqual([])
    await expectUntouched()
  })

  test('E2 DNS rebinding: 403 on every route and method, health and OPTIONS too', async () => {
    const { port, expectUntouched } = await setUp()
    for (const { method, path } of ALL_ROUTES) {
      for (const one of [method, 'OPTIONS']) {
        const answer = await send(port, { method: one, path }, { ...bearer(ADMIN), host: 'evil.example' })
        expect([one, path, answer.status]).toEqual([one, path, 403])
      }
    }
    await expectUntouched()
  })

  test('E3 bound to everything, the guard stands as well', async () => {
    const { port } = await setUp({ ...NEEDS_KEY, server: { host: '0.0.0.0' } })
    for (const route of ALL_ROUTES) {
      expect((await send(port, route, { ...bearer(ADMIN), host: 'evil.example' })).status).toBe(403)
    }
  })

  test('E4 a machine’s own address may be named as it is; somebody else’s may not', async () => {
    const { lexora } = await setUp({ ...NEEDS_KEY, server: { host: '0.0.0.0' } })
    const own = Object.values(networkInterfaces())
      .flat()
      .find((one) => one?.family === 'IPv4' && !one.internal)?.address
    const route = { method: 'GET', path: '/v1/models' }
    const statusAt = async (host: string): Promise<number> =>
      (await send(lexora.port, route, { ...bearer(USER_KEY), host })).status
    expect(await statusAt('127.0.0.1')).toBe(200)
    expect(await statusAt('203.0.113.7')).toBe(403)
    if (own === undefined) return
    const answer = await fetch(`http://${own}:${lexora.port}/v1/models`, { headers: bearer(USER_KEY) })
    expect(answer.status).toBe(200)
  })

  test('E5 CORS: only an origin that is listed, to the letter, is named, and never with credentials', async () => {
    const listed = 'https://app.example'
    const { port } = await setUp({ ...NEEDS_KEY, server: { cors_origins: [listed] } })
    const asked = async (origin: string) =>
      await send(port, { method: 'GET', path: '/v1/models' }, { ...bearer(USER_KEY), origin })
    const good = await asked(listed)
    expect([good.status, good.headers.get('access-control-allow-origin'), good.headers.get('vary')]).toEqual([
      200,
      listed,
      'Origin',
    ])
    expect(good.headers.get('access-control-allow-credentials')).toBeUndefined()
    for (const origin of [
      'null',
      '*',
      `${listed}.evil.example`,
      `${listed}:444`,
      'http://app.example',
      'https://evil.example',
    ]) {
      const answer = await asked(origin)
      expect([origin, answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([
        origin,
        403,
        undefined,
      ])
    }
  })

  test('E6 a junk Host or an absolute target never reaches a handler, with whatever key', async () => {
    const { port, fake, expectUntouched } = await setUp()
    for (const { method, path } of ALL_ROUTES) {
      for (const host of ['a b', 'localhost@evil.example', 'localhost/../admin', '[::1', 'localhost:99999999']) {
        const answer = await send(port, { method, path }, { ...bearer(ADMIN), host })
        expect([path, host, [400, 403]]).toEqual([path, host, expect.arrayContaining([answer.status])])
      }
      for (const target of [`http://localhost${path}`, `http://evil.example${path}`, `/${path}`]) {
        const answer = await send(port, { method, path: target }, bearer(ADMIN))
        expect([target, [400, 404]]).toEqual([target, expect.arrayContaining([answer.status])])
      }
    }
    expect(fake.requests.filter(({ method }) => method === 'POST')).toEqual([])
    await expectUntouched()
  })
})

describe('E: who may', () => {
  test('E7 every route has its scope: nobody, a wrong key and a key of another scope are all denied', async () => {
    const { port, commands } = await setUp()
    expect(ROWS.filter(({ scope }) => !(SCOPES as readonly string[]).includes(scope))).toEqual([])
    await commands.createUser({ name: 'eve' })
    const minted = async (scope: string) => (await commands.createKey({ user: 'eve', scopes: [scope] })).secret
    const [infer, read] = [await minted('inference'), await minted('admin:read')]
    const audited = (await commands.auditLog()).rows.length
    const statusOf = async (route: { method: string; path: string }, headers: Record<string, string>) =>
      (await send(port, route, headers)).status
    for (const route of [...ADMIN_ROUTES, { ...RAW_DOOR, scope: 'admin:write' }]) {
      expect([route.path, await statusOf(route, {})]).toEqual([route.path, 401])
      for (const key of [USER_KEY, infer, 'lx-wrong', ...(route.scope === 'admin:write' ? [read] : [])])
        expect([route.path, await statusOf(route, bearer(key))]).toEqual([route.path, 403])
    }
    for (const route of [...INFERENCE_ROUTES, ...OPERATIONS]) {
      const headers = { 'content-type': 'application/json' }
      expect([route.path, await statusOf(route, headers)]).toEqual([route.path, 401])
      expect([route.path, await statusOf(route, { ...headers, ...bearer('lx-wrong') })]).toEqual([route.path, 401])
      expect([route.path, await statusOf(route, { ...headers, ...bearer(read) })]).toEqual([route.path, 403])
    }
    for (const route of OPEN_ROUTES) expect(await statusOf(route, {})).toBe(200)
    expect((await commands.auditLog()).rows).toHaveLength(audited)
  })

  test('E8 a credential that is malformed is not taken for none: 401 where a key is needed', async () => {
    const { port } = await setUp()
    const odd: Record<string, string>[] = [
      { authorization: 'Bearer' },
      { authorization: 'Bearer ' },
      { authorization: `Basic ${USER_KEY}` },
      { authorization: USER_KEY },
      { authorization: `Bearer ${USER_KEY} x` },
      { authorization: `Bearer\t${USER_KEY}` },
      { authorization: `Bearer ${USER_KEY},${USER_KEY}` },
      { ...bearer(USER_KEY), 'x-api-key': 'another' },
      { 'x-api-key': 'undefined' },
      { 'x-api-key': 'null' },
    ]
    for (const headers of odd) {
      const answer = await ask(port, aChat(), headers)
      expect([headers, answer.status, errorOf(answer).code]).toEqual([headers, 401, 'invalid_api_key'])
    }
  })

  test('E9 a key is found by its digest: nothing that is compared begins as the key does, or is as long', () => {
    const { secret, digest } = mintSecret()
    const ring = new KeyRing([{ key: USER_KEY, user: 'ann' }])
    ring.replaceMinted(
      [{ id: 'k', digest, user: 'ann', scopes: ['inference'], expiresMs: null, revokedMs: null }],
      new Map(),
    )
    const kept = inspect(ring, { depth: 9, showHidden: true, maxStringLength: null })
    for (const key of [secret, USER_KEY]) {
      for (let length = 8; length <= key.length; length++) {
        expect(kept).not.toContain(key.slice(0, length))
        if (length < key.length) expect(ring.find(key.slice(0, length), 0).is).toBe('unknown')
      }
      expect(ring.find(key, 0).is).toBe('known')
    }
    // The two that are compared as they are, the admin key and a session, are digested first: their lengths may differ.
    expect([sameSecret(ADMIN, ADMIN), sameSecret(ADMIN, ADMIN.slice(1)), sameSecret(ADMIN, '')]).toEqual([
      true,
      false,
      false,
    ])
  })

  test.each([
    ['quotes', `' OR '1'='1`, 401],
    ['a command', '; DROP TABLE keys; --', 401],
    ['a pattern', '%', 401],
    ['one that is longer than any', `lx-${'k'.repeat(5000)}`, 401],
    ['one that is longer than headers may be', `lx-${'k'.repeat(1_000_000)}`, 431],
    ['a NUL', 'lx-\0', 400],
  ])('E10 a key that holds %s is refused, and the keys stay what they were', async (_, key, status) => {
    const { port, expectUntouched } = await setUp()
    const client = await RawClient.open(port)
    client.post(CHAT, aChat(), { authorization: `Bearer ${key}`, connection: 'close' })
    const answer = parseAnswer(await client.closed())
    expect([answer.status, answer.body.includes('SELECT'), answer.body.includes(key)]).toEqual([status, false, false])
    await expectUntouched()
  })

  test('E11 a refusal says the same of every wrong key, and nothing of what is inside', async () => {
    const { port } = await setUp()
    const bodies = await Promise.all(
      [`${USER_KEY}0`, USER_KEY.slice(0, -1), 'x', ADMIN, SESSION, 'lx-wrong'].map(
        async (key) => (await ask(port, aChat(), bearer(key))).body,
      ),
    )
    expect(new Set(bodies).size).toBe(1)
    expect(bodies[0]).not.toMatch(/lexora|sha|digest|table|sqlite|keys\b.*\d/i)
  })
})

describe('E: secrets', () => {
  test('E13 a caller cannot send our credentials elsewhere', async () => {
    const elsewhere = await startFake()
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url, apiKey: 'backend-secret-0123' }])
    const baseline = activeTimers()
    const given = { api_base: elsewhere.url, base_url: elsewhere.url, api_key: 'mine' }
    const headers = {
      'x-forwarded-host': `localhost:${elsewhere.port}`,
      'x-portkey-custom-host': elsewhere.url,
      'x-openai-base-url': elsewhere.url,
    }
    expect([200, 400]).toContain((await ask(lexora.port, aChat(given), headers)).status)
    expect(elsewhere.requests).toEqual([])
    const [sent] = fake.requests.filter(({ path }) => path === CHAT)
    expect(JSON.stringify(sent!.headers)).not.toMatch(/x-forwarded|portkey|openai-base/)
    await assertSettled(lexora, [fake], baseline)
  })

  test('E15 beyond loopback nothing is open: no first-run page, no operators’ door, no figures', async () => {
    const { port } = await setUp({
      ...NEEDS_KEY,
      auth: { ...(NEEDS_KEY.auth as object), mode: 'auto' },
      server: { host: '0.0.0.0' },
    })
    const guesses = ['/', '/setup', '/login', '/ui', '/admin', '/docs', '/openapi.json', '/version'].map((path) => ({
      method: 'GET',
      path,
    }))
    for (const route of [...ADMIN_ROUTES, ...INFERENCE_ROUTES, ...OPERATIONS, RAW_DOOR, ...guesses]) {
      const { status } = await send(port, route, { 'content-type': 'application/json' })
      expect([route.path, [401, 403, 404]]).toEqual([route.path, expect.arrayContaining([status])])
    }
  })

  test('E19 files are for their owner alone from the moment they are made, whatever the umask', async () => {
    const before = process.umask(0)
    onTestFinished(() => void process.umask(before))
    const folder = join(aFolder(), 'state')
    const records = someRecords(folder)
    const config = { metrics: { request_log: { enabled: true, dir: join(folder, 'logs') } } }
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }], { config, records })
    await lexora.app.commands.createUser({ name: 'ann' })
    await lexora.app.commands.backup({ file: join(folder, 'backup.db') })
    await ask(lexora.port, aChat())
    await lexora.app.stop(0)
    const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    expect(found.length).toBeGreaterThanOrEqual(6)
    for (const entry of found) {
      const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777
      expect([entry.name, mode.toString(8)]).toEqual([entry.name, entry.isDirectory() ? '700' : '600'])
    }
  })

  test('E20 a key that is revoked mid-stream: its stream ends with an error at once, others go on', async () => {
    const { lexora, commands, fake } = await setUp()
    await commands.createUser({ name: 'eve' })
    const [first, second] = [await commands.createKey({ user: 'eve' }), await commands.createKey({ user: 'eve' })]
    const open = async (secret: string): Promise<RawClient> => {
      const client = await RawClient.open(lexora.port)
      client.post(CHAT, aChat({ stream: true, max_tokens: 60 }), { ...bearer(secret), connection: 'close' })
      await client.until((text) => dataOf(text).length > 2)
      return client
    }
    const [cut, kept] = [await open(first.secret), await open(second.secret)]
    await commands.revokeKey({ id: first.key.id })
    const told = await cut.closed()
    expect(errorOf(parseAnswer(told))).toMatchObject({ code: 'invalid_api_key', message: 'The API key was revoked.' })
    expect(told).not.toContain('[DONE]')
    expect(dataOf(parseAnswer(await kept.closed()).body).at(-1)).toBe('[DONE]')
    await until(() => fake.running() === 0 && lexora.app.inFlight.requests === 0)
  })

  test('E22 a route or a method that is not one is 404 or 405, as JSON', async () => {
    const { port } = await setUp()
    const paths = [...ALL_ROUTES.map(({ path }) => path), '/v1', '/v1/unknown', '/admin/nothing', '/favicon.ico']
    for (const path of new Set(paths)) {
      for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'TRACE']) {
        if (ALL_ROUTES.some((route) => route.path === path && route.method === method)) continue
        if (path.startsWith('/backends/')) continue
        const answer = await send(port, { method, path }, bearer(path.startsWith('/admin') ? ADMIN : USER_KEY))
        expect([method, path, [404, 405]]).toEqual([method, path, expect.arrayContaining([answer.status])])
        expect(errorOf(answer).message).toBeTypeOf('string')
      }
    }
  })
})

describe('E12 fifty canaries', () => {
  const CANARIES = Array.from({ length: 50 }, (_, i) => `canary-${String(i).padStart(2, '0')}-Zx9Qk7Wv3Tn5Rb1M`)

  test('E12 secrets in every place that holds one, and a fault in every place that fails: none is in any output', async () => {
    const at = (i: number): string => CANARIES[i]!
    const folder = aFolder()
    const fake = await startFake({ tokenMs: 2 })
    const records = someRecords(folder)
    const backend = (name: string, url: string, i: number) => ({
      name,
      url,
      models: [name],
      apiKey: at(i),
      headers: { 'x-team': at(i + 1), cookie: `a=${at(i + 2)}` },
    })
    const config: Patch = {
      auth: { admin_key: at(0), header: 'x-own-key', api_keys: [{ key: at(1), user: 'ann' }, at(2)] },
      retry: { max_retries: 1, base_delay: 0.01 },
      metrics: { request_log: { enabled: true, dir: join(folder, 'logs') } },
    }
    const backends = [
      backend('tiny', fake.url, 3),
      backend('gone', 'http://127.0.0.1:9', 6),
      backend('deaf', fake.url, 9),
    ]
    const lexora = await startApp(backends, { config, session: at(12), records })
    const { commands } = lexora.app
    await commands.createUser({ name: 'eve' })
    const minted = await commands.createKey({ user: 'eve' })
    const seen: string[] = []
    const faults: [what: string, fault: Fault | null][] = [
      ['none', null],
      ['refused backend', null],
      ['backend 500', { do: 'status', status: 500, times: 2 }],
      ['backend 401', { do: 'status', status: 401 }],
      ['garbage', { do: 'invalid-json', times: 2 }],
      ['abort', null],
      ['bad JSON', null],
      ['wrong model', null],
    ]
    for (const [round, [what, fault]] of faults.entries()) {
      const i = 13 + round * 4
      if (fault !== null) fake.fault(fault)
      const model = what === 'refused backend' ? 'gone' : what === 'wrong model' ? 'nothing' : 'tiny'
      const prompt = { messages: [{ role: 'user', content: at(i) }], user: 'eve', metadata: { token: at(i + 1) } }
      const asked = aChat({ model, ...prompt, stream: what === 'abort' })
      const headers = {
        ...bearer(round % 2 === 0 ? at(1) : minted.secret),
        cookie: `s=${at(i + 2)}`,
        'x-custom': at(i + 3),
      }
      const client = await RawClient.open(lexora.port)
      const body = what === 'bad JSON' ? `{"messages": "${at(i)}", ` : asked
      client.post(`${CHAT}?token=${at(i)}`, body, { ...headers, connection: 'close' })
      if (what === 'abort') {
        await client.until((text) => text.includes('data:'))
        client.destroy()
        await until(() => lexora.app.inFlight.requests === 0)
      } else {
        const answer = await client.closed()
        // A good answer is the model's, who may repeat what was asked.
        if (what !== 'none') seen.push(answer)
      }
    }
    for (const wrong of [at(45), `lx-${at(46)}`, `sk-${at(47)}`])
      seen.push((await ask(lexora.port, aChat(), bearer(wrong))).body)
    const admin = async (path: string, body: unknown, key = at(0)): Promise<void> => {
      const json = { ...bearer(key), 'content-type': 'application/json' }
      const text = JSON.stringify(body)
      seen.push((await send(lexora.port, { method: 'POST', path }, json, text)).body)
    }
    await admin('/admin/users/create', { name: 'x', password: at(48) })
    await admin('/admin/users/create', { name: 'y', rate: at(49) })
    await admin('/admin/pause', {}, at(44))
    await commands.revokeKey({ id: minted.key.id })
    seen.push((await ask(lexora.port, aChat(), bearer(minted.secret))).body)
    for (const path of ['/health', '/stats', '/metrics', '/v1/models'])
      seen.push(await (await fetch(lexora.url + path, { headers: bearer(at(1)) })).text())
    const answers = [
      commands.snapshot(),
      commands.listUsers(),
      commands.listKeys(),
      commands.auditLog(),
      commands.requestHistory(),
      commands.usage(),
      commands.requestReasons(),
    ]
    seen.push(JSON.stringify(await Promise.all(answers)), lexora.log.join('\n'), JSON.stringify(lexora.outcomes))
    await lexora.app.stop(0)
    await records.close()
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) seen.push(readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    }
    const all = seen.join('\n')
    expect(all.length).toBeGreaterThan(10_000)
    expect(lexora.outcomes.map(({ outcome }) => outcome)).toEqual(
      expect.arrayContaining(['ok', 'backend_error', 'client_error', 'client_closed']),
    )
    expect([...CANARIES, minted.secret].filter((canary) => all.includes(canary))).toEqual([])
  })
})
