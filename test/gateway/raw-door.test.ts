/** `/backends/{name}/…`: the operators' own way to one backend. */
import { describe, expect, test } from 'vitest'
import { ERRORS } from '../../src/protocol/errors.ts'
import { type Patch, startApp, until } from '../support/app.ts'
import { type HttpAnswer, parseAnswer, RawClient } from '../support/raw-client.ts'
import { errorOf } from '../support/requests.ts'
import { startRecorder } from './recorder.ts'

const ADMIN = 'admin-secret-0123456789'
const WITH_ADMIN: Patch = { auth: { admin_key: ADMIN, api_keys: ['sk-user-0123456789abcd'] } }

async function setUp(config: Patch = WITH_ADMIN) {
  const [one, two] = [await startRecorder(), await startRecorder()]
  const lexora = await startApp(
    [
      { name: 'one', url: `${one.url}/base`, apiKey: 'backend-secret' },
      { name: 'two', url: two.url },
      { name: 'none', type: 'dummy', url: '' },
    ],
    { config },
  )
  return { one, two, lexora }
}

async function send(
  port: number,
  method: string,
  target: string,
  headers: Record<string, string>,
  body = '',
): Promise<HttpAnswer> {
  const client = await RawClient.open(port)
  const all = {
    host: 'localhost',
    connection: 'close',
    ...(body === '' ? {} : { 'content-length': String(body.length) }),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  client.send(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
  return parseAnswer(await client.closed())
}

const admin = { authorization: `Bearer ${ADMIN}` }

describe('the raw door', () => {
  test.each([
    ['is shut to all while no admin key is set', {}, admin, 'permission_denied'],
    ['needs a key', WITH_ADMIN, {}, 'invalid_api_key'],
    ['does not take a user’s key', WITH_ADMIN, { authorization: 'Bearer sk-user-0123456789abcd' }, 'permission_denied'],
    ['does not take a wrong key', WITH_ADMIN, { 'x-api-key': 'admin-secret-0123456780' }, 'permission_denied'],
    ['does not take two keys, even if one is right', WITH_ADMIN, { ...admin, 'x-api-key': 'x' }, 'invalid_api_key'],
    ['is shut with auth off as well', { auth: { mode: 'off' } }, {}, 'permission_denied'],
  ] as [string, Patch, Record<string, string>, keyof typeof ERRORS][])('%s', async (_what, config, headers, code) => {
    const { lexora, one } = await setUp(config)
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await send(lexora.port, method, '/backends/one/sleep', headers)
      expect([answer.status, errorOf(answer).code]).toEqual([ERRORS[code].status, code])
    }
    expect(one.requests).toEqual([])
  })

  test.each([
    ['GET', '/version', ''],
    ['POST', '/sleep?level=2', ''],
    ['POST', '/v1/chat/completions', '{"any":"thing",  "n":12345678901234567890}'],
    ['DELETE', '/v1/things/1', ''],
    ['GET', '/a%20b/c?d=%2B&e=f', ''],
    ['GET', '', ''],
  ])('with the admin key %s %s goes to that backend, below its base, and comes back', async (method, path, body) => {
    const { lexora, one, two } = await setUp()
    const answer = await send(lexora.port, method, `/backends/one${path}`, admin, body)
    expect([answer.status, answer.body, answer.headers.get('x-lexora-backend')]).toEqual([200, '{"ok":true}', 'one'])
    expect(one.requests.map((got) => [got.method, got.target, got.body.toString()])).toEqual([
      [method, `/base${path || '/'}`, body],
    ])
    expect(two.requests).toEqual([])
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ endpoint: '/backends/*', backend: 'one', outcome: 'ok' }])
  })

  test('carries the backend’s key, never the admin’s', async () => {
    const { lexora, one, two } = await setUp()
    await send(lexora.port, 'GET', '/backends/one/x', { ...admin, cookie: 'a=b' })
    await send(lexora.port, 'GET', '/backends/two/x', { 'x-api-key': ADMIN })
    expect(one.requests[0]!.headers.authorization).toBe('Bearer backend-secret')
    expect(two.requests[0]!.headers.authorization).toBeUndefined()
    for (const { headers } of [...one.requests, ...two.requests]) {
      expect(JSON.stringify(headers)).not.toContain(ADMIN)
      expect(headers.cookie).toBeUndefined()
    }
  })

  test.each([
    '/backends/three/x',
    '/backends/',
    '/backends//x',
    '/backends/none/x',
    '/backends/%zz/x',
    '/backends/%00/x',
    '/backends/__proto__/x',
    '/backends/One/x',
  ])('%s names no backend: 404, and the process lives', async (target) => {
    const { lexora, one, two } = await setUp()
    const answer = await send(lexora.port, 'GET', target, admin)
    expect([answer.status, errorOf(answer).code]).toEqual([404, 'not_found'])
    expect([...one.requests, ...two.requests]).toEqual([])
    expect((await send(lexora.port, 'GET', '/healthz', {})).status).toBe(200)
  })

  test.each([
    '/backends/one/../two/x',
    '/backends/one/%2e%2e/x',
    '/backends/one/a%2Fb',
    '/backends/one/a%5cb',
    '/backends/one/a\\b',
    '/backends/one/..',
  ])('%s could climb out of the base: 400', async (target) => {
    const { lexora, one, two } = await setUp()
    const answer = await send(lexora.port, 'GET', target, admin)
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'invalid_request'])
    expect([...one.requests, ...two.requests]).toEqual([])
  })

  test('//host behind the name does not lead to another host', async () => {
    const { lexora, one, two } = await setUp()
    const answer = await send(lexora.port, 'GET', `/backends/one//${new URL(two.url).host}/x`, admin)
    expect(answer.headers.get('x-lexora-backend')).toBe('one')
    expect(one.requests).toHaveLength(1)
    expect(two.requests).toEqual([])
  })

  test('a redirect of the backend is handed on, not followed', async () => {
    const two = await startRecorder()
    const one = await startRecorder({
      answer: (_request, res) => {
        res.writeHead(302, { location: `${two.url}/inside` })
        res.end()
      },
    })
    const { port } = await startApp([{ name: 'one', url: one.url }], { config: WITH_ADMIN })
    expect((await send(port, 'GET', '/backends/one/x', admin)).status).toBe(302)
    expect(two.requests).toEqual([])
  })

  test('a client that leaves ends the backend’s work', async () => {
    const one = await startRecorder({ answer: () => undefined })
    const lexora = await startApp([{ name: 'one', url: one.url }], { config: WITH_ADMIN })
    const client = await RawClient.open(lexora.port)
    client.send(`GET /backends/one/slow HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${ADMIN}\r\n\r\n`)
    await until(() => one.requests.length === 1)
    client.destroy()
    await until(() => one.requests[0]!.aborted)
    await lexora.outcomesReach(1)
    expect(lexora.outcomes).toMatchObject([{ outcome: 'client_closed' }])
  })
})
