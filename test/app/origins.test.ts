/** Pages that are turned away, and how they are let in: over HTTP, in a terminal and in the file. */
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { RawClient } from '../support/raw-client.ts'
import { aHome, startRun, type TestRun } from '../support/run.ts'
import { inTerminal } from '../support/terminal.ts'

const PAGE = 'https://app.example'
const ADMIN = 'admin-secret-0123456789'
const FILE = `# kept by Ann
server:
  port: 0
  cors_origins:
    - http://localhost:5173 # Ann's own page
metrics: {request_log: {enabled: false}}
auth: {admin_key: ${ADMIN}}
`

const read = ({ file }: TestRun) => readFileSync(file, 'utf8')

async function call({ url }: TestRun, path: string, origin: string | null, body?: object) {
  const headers = {
    authorization: `Bearer ${ADMIN}`,
    ...(origin === null ? {} : { origin }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(`${url}${path}`, { headers, ...post })
  const answer = (await response.json()) as { error?: { code: string; param: string | null } }
  return { status: response.status, code: answer.error?.code ?? null, param: answer.error?.param ?? null, answer }
}

const waiting = async ({ commands }: TestRun) => (await commands.listOrigins()).origins.map(({ origin }) => origin)

describe('a page that is turned away', () => {
  test('waits, is allowed by its operator, and then passes; the file keeps its comments', async () => {
    const lexora = await startRun(FILE)
    expect(await call(lexora, '/v1/models', PAGE)).toMatchObject({ status: 403, code: 'origin_not_allowed' })
    await call(lexora, '/healthz', PAGE)
    const listed = await call(lexora, '/admin/origins', null)
    expect(listed.answer).toEqual({
      origins: [{ origin: PAGE, firstAt: expect.any(String), lastAt: expect.any(String), times: 2 }],
    })
    const allowed = await call(lexora, '/admin/origins/allow', null, { origin: PAGE })
    expect(allowed.answer).toMatchObject({ changed: [{ path: 'server.cors_origins', effect: 'now' }] })
    expect(await call(lexora, '/v1/models', PAGE)).toMatchObject({ status: 200 })
    expect(await waiting(lexora)).toEqual([])
    expect(read(lexora)).toBe(FILE.replace("Ann's own page\n", `Ann's own page\n    - ${PAGE}\n`))
    const { rows } = await lexora.commands.auditLog()
    expect(rows[0]).toMatchObject({ action: 'allowOrigin', target: PAGE, ok: true })
  })

  test('cannot let itself in, with the admin key too', async () => {
    const lexora = await startRun(FILE)
    const tries = await Promise.all([
      call(lexora, '/admin/origins/allow', PAGE, { origin: PAGE }),
      call(lexora, '/admin/origins/forget', PAGE, { origin: PAGE }),
      call(lexora, '/admin/origins', PAGE),
    ])
    expect(tries.map(({ status, code }) => [status, code])).toEqual(Array(3).fill([403, 'origin_not_allowed']))
    expect(read(lexora)).toBe(FILE)
    expect(await waiting(lexora)).toEqual([PAGE])
  })

  test('waits also where it wanted a WebSocket, and not where its Host was wrong', async () => {
    const lexora = await startRun(FILE)
    const lines = (host: string, origin: string): string =>
      [
        'GET /v1/realtime HTTP/1.1',
        `Host: ${host}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        `Origin: ${origin}`,
        '',
        '',
      ].join('\r\n')
    for (const [host, origin] of [
      ['evil.example', 'https://rebound.example'],
      ['localhost', 'https://talks.example'],
      ['localhost', 'null'],
    ] as const) {
      const client = await RawClient.open(lexora.port)
      client.send(lines(host, origin))
      expect(await client.closed()).toContain('HTTP/1.1 403')
    }
    expect(await waiting(lexora)).toEqual(['https://talks.example'])
  })

  test('stays shut out when it is dismissed, and waits again when it comes again', async () => {
    const lexora = await startRun(FILE)
    await call(lexora, '/healthz', PAGE)
    const forgotten = await call(lexora, '/admin/origins/forget', null, { origin: PAGE })
    expect(forgotten.answer).toEqual({ forgotten: PAGE })
    const again = await call(lexora, '/admin/origins/forget', null, { origin: PAGE })
    expect(again).toMatchObject({ status: 404, code: 'not_found', param: 'origin' })
    expect(await waiting(lexora)).toEqual([])
    expect(await call(lexora, '/healthz', PAGE)).toMatchObject({ status: 403 })
    expect(await waiting(lexora)).toEqual([PAGE])
  })

  test('waits no more when somebody writes it into the file', async () => {
    const lexora = await startRun(FILE)
    await call(lexora, '/healthz', PAGE)
    writeFileSync(lexora.file, FILE.replace('http://localhost:5173', PAGE))
    await lexora.commands.reload()
    expect(await waiting(lexora)).toEqual([])
    expect(await call(lexora, '/healthz', PAGE)).toMatchObject({ status: 200 })
  })
})

describe('to allow an origin', () => {
  test('twice writes it once, and two at once are both written', async () => {
    const lexora = await startRun(FILE)
    const origins = [PAGE, 'https://other.example']
    await Promise.all(origins.map(async (origin) => await lexora.commands.allowOrigin({ origin })))
    expect((await lexora.commands.allowOrigin({ origin: PAGE })).changed).toEqual([])
    const { entries } = await lexora.commands.getConfig()
    const listed = entries.find(({ path }) => path === 'server.cors_origins')?.value
    expect([...(listed as string[])].sort()).toEqual(['http://localhost:5173', ...origins].sort())
  })

  test('adds to what was written by hand a moment ago', async () => {
    const lexora = await startRun(FILE)
    writeFileSync(lexora.file, FILE.replace('localhost:5173', 'localhost:3000'))
    await lexora.commands.allowOrigin({ origin: PAGE })
    expect(read(lexora)).toContain('- http://localhost:3000')
    expect(read(lexora)).toContain(`- ${PAGE}`)
  })

  test.each(['*', 'null', 'https://app.example/page', ''])('%j is refused by its name', async (origin) => {
    const lexora = await startRun(FILE)
    const told = await call(lexora, '/admin/origins/allow', null, { origin })
    expect(told).toMatchObject({ status: 400, code: 'invalid_request', param: 'origin' })
    expect(read(lexora)).toBe(FILE)
  })
})

test('in a terminal: lexora origins', async () => {
  const home = aHome()
  const lexora = await startRun(FILE, home)
  expect(await inTerminal(home, 'origins')).toMatchObject({ code: 0, out: 'No web page waits to be allowed.\n' })
  await call(lexora, '/healthz', PAGE)
  await call(lexora, '/healthz', 'https://other.example')
  const shown = await inTerminal(home, 'origins')
  expect(shown.out).toMatch(/^ORIGIN +LAST +TIMES\nhttps:\/\/other\.example +\S+ \S+ +1\nhttps:\/\/app\.example /)
  const told = JSON.parse((await inTerminal(home, 'origins', '--json')).out)
  expect(told.origins).toMatchObject([{ origin: 'https://other.example', times: 1 }, { origin: PAGE }])
  expect((await inTerminal(home, 'origins', 'allow', PAGE)).out).toBe('server.cors_origins: in force\n')
  expect((await inTerminal(home, 'origins', 'forget', 'https://other.example')).code).toBe(0)
  expect(await inTerminal(home, 'origins', 'forget', PAGE)).toMatchObject({ code: 1 })
  expect(await inTerminal(home, 'origins', 'allow')).toMatchObject({ code: 2 })
  expect(await waiting(lexora)).toEqual([])
  expect(read(lexora)).toContain(`- ${PAGE}`)
})
