/** `/ui`: the window's files and the door to its session. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sendError } from '../../src/gateway/error-response.ts'
import { type RequestHead, readHead } from '../../src/gateway/request-head.ts'
import { hasSession, uiRoutes } from '../../src/gateway/ui-routes.ts'
import { UiSessions } from '../../src/gateway/ui-sessions.ts'
import type { Problem } from '../../src/protocol/errors.ts'
import { type Patch, startApp, startFake } from '../support/app.ts'
import { type HttpAnswer, parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, errorOf } from '../support/requests.ts'

type Context = { res: ServerResponse; head: RequestHead }

const ADMIN = 'admin-secret-0123456789'
const SCRIPT = 'document.title = 1'

function aBuild(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lexora-ui-'))
  mkdirSync(join(dir, 'assets'))
  writeFileSync(join(dir, 'index.html'), '<!doctype html><script type="module" src="./assets/a-1.js"></script>')
  writeFileSync(join(dir, 'assets', 'a-1.js'), SCRIPT)
  writeFileSync(join(dir, 'secret.env'), 'not for anybody')
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function setUp(config: Patch = {}, uiDir: string = aBuild()) {
  const fake = await startFake()
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config, uiDir })
  return { fake, lexora, port: lexora.port }
}

type Ask = { host?: string; headers?: Record<string, string>; body?: unknown }

async function ask(
  port: number,
  method: string,
  path: string,
  { host, headers = {}, body }: Ask = {},
): Promise<HttpAnswer> {
  const client = await RawClient.open(port)
  const text = body === undefined ? '' : JSON.stringify(body)
  const all: Record<string, string> = {
    host: host ?? `localhost:${port}`,
    connection: 'close',
    ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  client.send(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text}`)
  return parseAnswer(await client.closed())
}

const fromWindow = (port: number) => ({ origin: `http://localhost:${port}`, 'sec-fetch-site': 'same-origin' })

async function enter(
  port: number,
  body: unknown,
  headers: Record<string, string> = fromWindow(port),
): Promise<HttpAnswer> {
  return await ask(port, 'POST', '/ui/session', { headers, body })
}

const cookieOf = (answer: HttpAnswer): string => (answer.headers.get('set-cookie') ?? '').split(';')[0]!

async function signedIn() {
  const { lexora, port } = await setUp()
  const { url } = await lexora.app.commands.uiLink()
  const answer = await enter(port, { link: url.split('#link=')[1] })
  return { lexora, port, answer, cookie: cookieOf(answer) }
}

describe('a link', () => {
  test('opens a session that the admin API knows', async () => {
    const { port, answer, cookie } = await signedIn()
    expect(answer.status).toBe(200)
    expect(answer.headers.get('set-cookie')).toMatch(/^lexora-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/)
    const snapshot = await ask(port, 'GET', '/admin/snapshot', { headers: { cookie, 'sec-fetch-site': 'same-origin' } })
    expect(snapshot.status).toBe(200)
    const session = await ask(port, 'GET', '/ui/session', { headers: { cookie } })
    expect(JSON.parse(session.body)).toEqual({ open: true })
  })

  test('stands behind the #, leads to this machine, and lasts ten minutes', async () => {
    const { lexora, port } = await setUp()
    const { url, expiresAt } = await lexora.app.commands.uiLink()
    expect(url).toMatch(new RegExp(`^http://localhost:${port}/ui/#link=[\\w-]{43}$`))
    const leftMs = Date.parse(expiresAt) - Date.now()
    expect(leftMs).toBeGreaterThan(590_000)
    expect(leftMs).toBeLessThanOrEqual(600_000)
  })

  test('is good once', async () => {
    const { lexora, port } = await setUp()
    const link = (await lexora.app.commands.uiLink()).url.split('#link=')[1]
    expect((await enter(port, { link })).status).toBe(200)
    const second = await enter(port, { link })
    expect([second.status, errorOf(second).code, second.headers.has('set-cookie')]).toEqual([
      401,
      'invalid_api_key',
      false,
    ])
  })

  test('that is wrong opens nothing', async () => {
    const { port } = await setUp()
    expect((await enter(port, { link: 'x'.repeat(43) })).status).toBe(401)
    expect((await enter(port, { link: 7 })).status).toBe(400)
    expect((await enter(port, { link: 'a', key: 'b' })).status).toBe(400)
  })

  test('that is too old opens nothing', () => {
    let now = 0
    const sessions = new UiSessions(() => now)
    const [first, second] = [sessions.newLink(), sessions.newLink()]
    const open = sessions.enter(first.token)!
    now = 10 * 60_000
    expect([sessions.enter(second.token), sessions.has(open)]).toEqual([null, true])
  })

  test('opens a session that ends half an hour after its last use, and after twelve hours', () => {
    let now = 0
    const sessions = new UiSessions(() => now)
    const [left, used] = [sessions.open(), sessions.open()]
    for (let minutes = 0; minutes < 12 * 60; minutes += 29) {
      now = minutes * 60_000
      expect([minutes, sessions.has(used)]).toEqual([minutes, true])
    }
    expect(sessions.has(left)).toBe(false)
    now = 12 * 3_600_000
    expect(sessions.has(used)).toBe(false)
  })

  test('cannot be had while the window is switched off', async () => {
    const { lexora, port } = await setUp({ ui: { enabled: false } })
    await expect(lexora.app.commands.uiLink()).rejects.toMatchObject({
      problem: { code: 'not_found', param: 'ui.enabled' },
    })
    expect((await ask(port, 'GET', '/ui/')).status).toBe(404)
  })
})

describe('a key', () => {
  test('of the operator opens the window, a wrong one does not', async () => {
    const { port } = await setUp({ auth: { admin_key: ADMIN } })
    expect((await enter(port, { key: ADMIN })).status).toBe(200)
    expect((await enter(port, { key: `${ADMIN}0` })).status).toBe(401)
  })

  test('cannot be guessed: after twenty wrong ones even the right one waits', async () => {
    const { port } = await setUp({ auth: { admin_key: ADMIN } })
    for (let i = 0; i < 20; i++) expect((await enter(port, { key: `guess-${i}` })).status).toBe(401)
    const answer = await enter(port, { key: ADMIN })
    expect([answer.status, Number(answer.headers.get('retry-after'))]).toEqual([429, expect.any(Number)])
  })
})

describe('another page', () => {
  test.each<[what: string, headers: (port: number) => Record<string, string>]>([
    ['of a foreign origin', () => ({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })],
    ['of another port of this host', () => ({ origin: 'http://localhost:9999', 'sec-fetch-site': 'same-site' })],
    ['that says no origin', () => ({})],
    ['that sends a form', (port) => ({ ...fromWindow(port), 'content-type': 'text/plain' })],
  ])('%s neither enters nor uses the session', async (_, headers) => {
    const { lexora, port, cookie } = await signedIn()
    const { url } = await lexora.app.commands.uiLink()
    const entering = await enter(port, { link: url.split('#link=')[1] }, headers(port))
    expect(entering.status).toBeGreaterThanOrEqual(400)
    const pausing = await ask(port, 'POST', '/admin/pause', { headers: { ...headers(port), cookie }, body: {} })
    expect([401, 403]).toContain(pausing.status)
    expect((await lexora.app.commands.snapshot()).server.state).toBe('serving')
  })

  test('cannot have it call without a body, as a form without one would', async () => {
    const { port, cookie } = await signedIn()
    const answer = await ask(port, 'POST', '/admin/pause', { headers: { ...fromWindow(port), cookie } })
    expect(answer.status).toBe(403)
  })

  test('under a name that is not ours sees nothing', async () => {
    const { port, cookie } = await signedIn()
    const answer = await ask(port, 'GET', '/admin/snapshot', { host: 'evil.example', headers: { cookie } })
    expect([answer.status, errorOf(answer).code]).toEqual([403, 'host_not_allowed'])
    expect((await ask(port, 'GET', '/ui/', { host: 'evil.example' })).status).toBe(403)
  })

  test('may link to the window, and to nothing else', async () => {
    const { port } = await setUp()
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    expect((await ask(port, 'GET', '/ui/', { headers })).status).toBe(200)
    expect((await ask(port, 'GET', '/ui/session', { headers })).status).toBe(403)
    expect((await ask(port, 'GET', '/admin/snapshot', { headers })).status).toBe(403)
  })
})

describe('the window', () => {
  test('the session changes what the admin API may change, and ends when asked', async () => {
    const { lexora, port, cookie } = await signedIn()
    const headers = { ...fromWindow(port), cookie }
    expect((await ask(port, 'POST', '/admin/pause', { headers, body: {} })).status).toBe(200)
    expect((await lexora.app.commands.snapshot()).server.state).toBe('paused')
    expect((await ask(port, 'POST', '/ui/session/end', { headers, body: {} })).status).toBe(200)
    expect((await ask(port, 'POST', '/admin/resume', { headers, body: {} })).status).toBe(403)
  })

  test('the session of one Lexora is none of another', async () => {
    const { cookie } = await signedIn()
    const { port } = await setUp()
    const renamed = cookie.replace(/^lexora-\d+/, `lexora-${port}`)
    const answer = await ask(port, 'GET', '/admin/snapshot', { headers: { ...fromWindow(port), cookie: renamed } })
    expect(answer.status).toBe(403)
  })

  test('the session may try a model where callers need a key', async () => {
    const { lexora, port } = await setUp({ auth: { api_keys: ['sk-a-caller-0123456789'] } })
    const { url } = await lexora.app.commands.uiLink()
    const cookie = cookieOf(await enter(port, { link: url.split('#link=')[1] }))
    const body = aChat({ max_tokens: 2 })
    expect((await ask(port, 'POST', '/v1/chat/completions', { body })).status).toBe(401)
    const headers = { ...fromWindow(port), cookie }
    expect((await ask(port, 'POST', '/v1/chat/completions', { headers, body })).status).toBe(200)
  })

  test('is served with its types, kept only where its name changes with it, and closed against scripts of others', async () => {
    const { port } = await setUp()
    const [page, script] = [await ask(port, 'GET', '/ui/'), await ask(port, 'GET', '/ui/assets/a-1.js')]
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('cache-control')).toBe('no-store')
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; /)
    expect(page.headers.get('content-security-policy')).not.toMatch(/script-src[^;]*unsafe/)
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(script.body).toBe(SCRIPT)
    const bare = await ask(port, 'GET', '/ui')
    expect([bare.status, bare.headers.get('location')]).toEqual([308, '/ui/'])
  })

  test.each([
    '/ui/../package.json',
    '/ui/%2e%2e/package.json',
    '/ui/secret.env',
    '/ui/assets/',
    '/ui/assets/%00',
    '/ui/nothing.js',
  ])('%s is not one of its files', async (path) => {
    const { port } = await setUp()
    expect([400, 404]).toContain((await ask(port, 'GET', path)).status)
  })

  test('that is not built says so, and the gateway serves', async () => {
    const { port } = await setUp({}, '/nonexistent/ui')
    const page = await ask(port, 'GET', '/ui/')
    expect([page.status, page.body]).toEqual([503, expect.stringContaining('npm run build')])
    expect((await ask(port, 'GET', '/v1/models')).status).toBe(200)
  })

  test.each([
    [false, 403],
    [true, 200],
  ])('with ui.remote %s another machine gets %d, also with a session', async (remote, status) => {
    const sessions = new UiSessions()
    const options = { dir: aBuild(), sessions, remote }
    const refuse = (context: Context, told: Problem): void => sendError(context.res, told, { requestId: 'r' })
    const routes = uiRoutes<Context>({ ...options, opens: () => false, refuse, onFault: () => undefined })
    const server = createServer((req, res) => {
      // As it is where the client is elsewhere.
      Object.defineProperty(req.socket, 'remoteAddress', { value: '192.168.1.9' })
      if (req.url === '/has') res.writeHead(hasSession(req, readHead(req, null), options) ? 200 : 403).end()
      else routes(req, Object.assign(res, { locals: { res, head: readHead(req, null) } }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const cookie = `lexora-${port}=${sessions.open()}`
    expect((await ask(port, 'GET', '/ui/')).status).toBe(status)
    expect((await enter(port, { link: sessions.newLink().token })).status).toBe(status)
    expect((await ask(port, 'GET', '/has', { headers: { cookie } })).status).toBe(status)
  })
})
