/** Users and keys as operators change them while Lexora serves: what holds from the next request on. */
import { describe, expect, test } from 'vitest'
import { CommandError } from '../../src/protocol/commands.ts'
import type { MintedKey } from '../../src/protocol/users.ts'
import { type Patch, startApp, startFake, until } from '../support/app.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aFolder, someRecords } from '../support/records.ts'
import { aChat, ask, dataOf, errorOf } from '../support/requests.ts'

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })

async function setUp(config: Patch = {}, folder = aFolder()) {
  const fake = await startFake({ tokenMs: 5 })
  const records = someRecords(folder)
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config, records })
  return { lexora, commands: lexora.app.commands, records, folder }
}

async function withAnn(config: Patch = {}) {
  const made = await setUp(config)
  await made.commands.createUser({ name: 'ann' })
  const { key, secret } = await made.commands.createKey({ user: 'ann' })
  const status = async (): Promise<number> => (await ask(made.lexora.port, aChat(), bearer(secret))).status
  return { ...made, key, secret, status }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'done',
    (error: unknown) =>
      error instanceof CommandError ? `${error.problem.code} ${error.problem.param}` : String(error),
  )
}

/** One request on a connection that stays open, which is where an earlier answer could be remembered. */
async function again(client: RawClient, secret: string, already: number): Promise<number> {
  client.post('/v1/chat/completions', aChat(), bearer(secret))
  const lines = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => code!)
  const text = await client.until((seen) => lines(seen).length > already && seen.trimEnd().endsWith('}'))
  return Number(lines(text)[already])
}

describe('a key', () => {
  test('that Lexora minted opens the door on loopback, where none is needed; one that is unknown does not', async () => {
    const { lexora, secret } = await withAnn()
    const asked = async (key: string) => (await ask(lexora.port, aChat(), bearer(key))).status
    expect(await asked(secret)).toBe(200)
    expect(await asked('EMPTY')).toBe(200)
    expect(await asked(`${secret.slice(0, -1)}_`)).toBe(401)
    await lexora.outcomesReach(2)
    expect(lexora.outcomes[0]).toMatchObject({ user: 'ann' })
  })

  test('is listed without its secret, and with when it was used', async () => {
    const { commands, secret, status, key } = await withAnn({
      auth: { api_keys: [{ key: 'sk-of-the-file-0123', user: 'bob' }] },
    })
    expect(await status()).toBe(200)
    const { keys } = await commands.listKeys()
    expect(keys).toMatchObject([
      { user: 'bob', source: 'file', hint: 'sk-o…', lastUsed: null, scopes: ['inference'] },
      { id: key.id, user: 'ann', source: 'store', hint: `${secret.slice(0, 7)}…`, lastUsed: expect.any(String) },
    ])
    expect(JSON.stringify(keys)).not.toContain(secret.slice(7))
    expect((await commands.listKeys({ user: 'bob' })).keys).toHaveLength(1)
    expect(await codeOf(commands.revokeKey({ id: keys[0]!.id }))).toBe('invalid_request id')
  })

  test('that is revoked is refused on a connection on which it was good a moment ago', async () => {
    const { lexora, commands, secret, key } = await withAnn()
    const client = await RawClient.open(lexora.port)
    expect(await again(client, secret, 0)).toBe(200)
    expect((await commands.revokeKey({ id: key.id })).revoked).not.toBeNull()
    expect(await again(client, secret, 1)).toBe(401)
    client.destroy()
  })

  test('is rotated with an overlap: both work, until the old one ends', async () => {
    const { lexora, commands, secret, key, status } = await withAnn()
    const next: MintedKey = await commands.rotateKey({ id: key.id, overlap_minutes: 5 })
    expect(await status()).toBe(200)
    expect((await ask(lexora.port, aChat(), bearer(next.secret))).status).toBe(200)
    const [old] = (await commands.listKeys()).keys
    const left = Date.parse(old!.expires!) - Date.now()
    expect(left > 4 * 60_000 && left <= 5 * 60_000).toBe(true)
    // Ten minutes where nothing is said.
    const usual = await commands.createKey({ user: 'ann' })
    await commands.rotateKey({ id: usual.key.id })
    const known = (await commands.listKeys()).keys.find(({ id }) => id === usual.key.id)
    const usualLeft = Date.parse(known!.expires!) - Date.now()
    expect(usualLeft > 8 * 60_000 && usualLeft <= 10 * 60_000).toBe(true)
    const last = await commands.rotateKey({ id: next.key.id, overlap_minutes: 0 })
    expect((await ask(lexora.port, aChat(), bearer(next.secret))).status).toBe(401)
    expect((await ask(lexora.port, aChat(), bearer(last.secret))).status).toBe(200)
    expect(await codeOf(commands.rotateKey({ id: next.key.id }))).toBe('invalid_request id')
    expect(secret).not.toBe(next.secret)
  })

  test('that has expired, or whose user has, is refused and says why', async () => {
    const { lexora, commands } = await withAnn()
    const { secret } = await commands.createKey({ user: 'ann', expires: '2020-01-01' })
    const answer = await ask(lexora.port, aChat(), bearer(secret))
    expect([answer.status, errorOf(answer).message]).toEqual([401, 'The API key has expired.'])
  })

  test('opens what its scopes say, and nothing else', async () => {
    const { lexora, commands } = await withAnn()
    const { secret } = await commands.createKey({ user: 'ann', scopes: ['admin:read'] })
    const get = async (path: string, method = 'GET') =>
      (await fetch(`${lexora.url}${path}`, { method, headers: bearer(secret) })).status
    expect((await ask(lexora.port, aChat(), bearer(secret))).status).toBe(403)
    expect([await get('/admin/users'), await get('/admin/pause', 'POST'), await get('/backends/main/health')]).toEqual([
      200, 403, 403,
    ])
    const writer = await commands.createKey({ user: 'ann', scopes: 'admin:write' as never })
    const post = await fetch(`${lexora.url}/admin/resume`, { method: 'POST', headers: bearer(writer.secret) })
    expect(post.status).toBe(200)
    expect((await commands.auditLog()).rows[0]).toMatchObject({ who: writer.key.id, face: 'http', action: 'resume' })
  })

  test('outlives a restart', async () => {
    const { lexora, records, folder, secret } = await withAnn()
    await lexora.app.stop(0)
    await records.close()
    const next = await setUp({}, folder)
    expect((await ask(next.lexora.port, aChat(), bearer(secret))).status).toBe(200)
    expect((await ask(next.lexora.port, aChat(), bearer('lx-nobody'))).status).toBe(401)
  })

  test('that another Lexora of the same files revokes is none here a second later', async () => {
    const { lexora, folder, secret, key } = await withAnn()
    const other = someRecords(folder).accounts
    other.putKeys({ ...other.keys().find(({ id }) => id === key.id)!, revokedMs: 1 })
    let last = 0
    for (let tries = 0; tries < 5000 && last !== 401; tries++)
      last = (await ask(lexora.port, aChat(), bearer(secret))).status
    expect(last).toBe(401)
  })
})

describe('a user', () => {
  test('who is disabled is refused with the next request, and let in again', async () => {
    const { commands, status, lexora, secret } = await withAnn()
    expect(await status()).toBe(200)
    await commands.updateUser({ name: 'ann', disabled: true })
    const answer = await ask(lexora.port, aChat(), bearer(secret))
    expect([answer.status, errorOf(answer).code, errorOf(answer).message]).toEqual([
      403,
      'permission_denied',
      expect.stringContaining('disabled'),
    ])
    await commands.updateUser({ name: 'ann', disabled: false })
    expect(await status()).toBe(200)
  })

  test('who is disabled cannot come back without his key by naming himself', async () => {
    const { commands, lexora } = await withAnn()
    await commands.updateUser({ name: 'ann', disabled: true })
    expect((await ask(lexora.port, aChat(), { 'x-lexora-user': 'ann' })).status).toBe(403)
    expect((await ask(lexora.port, aChat(), { 'x-lexora-user': 'bob' })).status).toBe(200)
  })

  test('meets a limit that is lowered while his requests run, and what he used stays used', async () => {
    const { commands, lexora, secret, status } = await withAnn()
    const client = await RawClient.open(lexora.port)
    client.post('/v1/chat/completions', aChat({ stream: true, max_tokens: 400 }), bearer(secret))
    await client.until((text) => dataOf(text).length > 2)
    await commands.updateUser({ name: 'ann', max_concurrent: 1 })
    expect(await status()).toBe(429)
    expect(await status()).toBe(429)
    await commands.updateUser({ name: 'ann', max_concurrent: null })
    expect(await status()).toBe(200)
    client.destroy()
    await until(() => lexora.app.inFlight.requests === 0)
    expect(lexora.app.limitsHeld).toEqual({ concurrent: 0, reserved: 0 })
  })

  test('may only ask for his models, and only in his band', async () => {
    const { commands, lexora, secret, status } = await withAnn()
    await commands.updateUser({ name: 'ann', models: ['large'], max_priority: 'low' })
    expect(await status()).toBe(403)
    await commands.updateUser({ name: 'ann', models: null })
    const answer = await ask(lexora.port, aChat({ x_priority: 'high' }), bearer(secret))
    expect([answer.status, answer.headers.get('x-lexora-priority')]).toEqual([200, 'low'])
  })

  test('has so many tokens a day, also over a restart', async () => {
    const { commands, lexora, secret, status, records, folder } = await withAnn()
    await commands.updateUser({ name: 'ann', daily_tokens: 1 })
    expect(await status()).toBe(200)
    await lexora.outcomesReach(1)
    const answer = await ask(lexora.port, aChat(), bearer(secret))
    expect([answer.status, errorOf(answer).code]).toEqual([429, 'rate_limit_exceeded'])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    await lexora.app.stop(0)
    await records.close()
    const next = await setUp({}, folder)
    expect((await ask(next.lexora.port, aChat(), bearer(secret))).status).toBe(429)
    expect((await next.commands.listUsers()).users[0]).toMatchObject({
      today: { requests: 3 },
      lastSeen: expect.any(String),
      lastFrom: { address: '127.0.0.1', remote: false },
    })
  })

  test('of the configuration is listed, and changed there alone', async () => {
    const config = {
      rate_limit: { users: { file: { rate: 3, max_concurrent: 2 } } },
      auth: { api_keys: [{ key: 'sk-0123456789', user: 'owner' }] },
    }
    const { commands } = await setUp(config)
    const users = (await commands.listUsers()).users
    expect(users).toMatchObject([
      { name: 'file', source: 'file', limits: { rate: 3, max_concurrent: 2, daily_tokens: null }, keys: 0 },
      { name: 'owner', source: 'file', keys: 1 },
    ])
    expect(await codeOf(commands.createUser({ name: 'file' }))).toBe('invalid_request name')
    expect(await codeOf(commands.updateUser({ name: 'owner', disabled: true }))).toBe('invalid_request name')
    expect(await codeOf(commands.deleteUser({ name: 'file' }))).toBe('invalid_request name')
    expect((await commands.createKey({ user: 'file' })).key.user).toBe('file')
  })

  test('that is not known is told with the nearest name', async () => {
    const { commands } = await withAnn()
    expect(await codeOf(commands.updateUser({ name: 'anm', rate: 1 }))).toBe('not_found name')
    expect(await codeOf(commands.createKey({ user: 'anm' }))).toBe('not_found user')
    expect(await codeOf(commands.createUser({ name: 'ann' }))).toBe('invalid_request name')
    expect(await codeOf(commands.createUser({ name: 'anonymous' }))).toBe('invalid_request name')
  })

  test('who is deleted takes his keys and what runs with them along', async () => {
    const { commands, lexora, secret } = await withAnn()
    const client = await RawClient.open(lexora.port)
    client.post('/v1/chat/completions', aChat({ stream: true, max_tokens: 400 }), {
      ...bearer(secret),
      connection: 'close',
    })
    await client.until((text) => dataOf(text).length > 2)
    expect(await commands.deleteUser({ name: 'ann' })).toEqual({ deleted: 'ann', keys: 1 })
    expect(errorOf(parseAnswer(await client.closed())).code).toBe('invalid_api_key')
    expect((await ask(lexora.port, aChat(), bearer(secret))).status).toBe(401)
    expect((await commands.listUsers()).users).toEqual([])
  })
})

describe('what happened', () => {
  test('is listed request by request, and added up', async () => {
    const { commands, lexora, status } = await withAnn()
    await status()
    await ask(lexora.port, aChat({ model: 'none' }), { 'x-lexora-app': 'editor', 'x-lexora-user': 'bob' })
    await lexora.outcomesReach(2)
    const { rows } = await commands.requestHistory({ since: '1h' })
    expect(rows).toMatchObject([
      { user: 'bob', app: 'editor', model: 'other', outcome: 'client_error', error: 'model_not_found', finish: null },
      {
        user: 'ann',
        model: 'tiny',
        backend: 'main',
        outcome: 'ok',
        attempts: 1,
        finish: expect.stringMatching(/^(stop|length)$/),
      },
    ])
    expect((await commands.requestHistory({ user: 'ann', limit: '1' as never })).rows).toHaveLength(1)
    expect((await commands.usage({ by: 'user' as never })).rows).toMatchObject([
      { user: 'ann', requests: 1, hour: null },
      { user: 'bob', requests: 1, hour: null },
    ])
  })

  test('is told with its sizes: of what was asked, and of what came of an answer', async () => {
    const { commands, lexora } = await withAnn()
    const asked = [{}, { stream: true }, { model: 'none' }].map((over) => aChat(over))
    const answers = []
    for (const chat of asked) answers.push(await ask(lexora.port, chat))
    await lexora.outcomesReach(3)
    const { rows } = await commands.requestHistory({ since: '1h' })
    const sizeOf = (body: string): number => Buffer.byteLength(body)
    expect(rows.toReversed().map(({ requestBytes }) => requestBytes)).toEqual(
      asked.map((chat) => sizeOf(JSON.stringify(chat))),
    )
    const [whole, stream] = answers.map(({ body }) => sizeOf(body))
    expect(rows.toReversed().map(({ answerBytes }) => answerBytes)).toEqual([whole, stream, null])
  })

  test('by operators is written down, done or not, without a secret', async () => {
    const { commands, secret, key } = await withAnn()
    await codeOf(commands.createUser({ name: 'ann', note: 'again' }))
    await codeOf(commands.pause())
    const { rows } = await commands.auditLog()
    expect(rows).toMatchObject([
      { action: 'pause', who: 'window', target: null, ok: true },
      { action: 'createUser', target: 'ann', change: '{"note":"again"}', ok: false },
      { action: 'createKey', target: 'ann', ok: true },
      { action: 'createUser', target: 'ann', ok: true },
    ])
    expect(JSON.stringify(rows)).not.toContain(secret)
    expect(key.hint).toMatch(/^lx-.{4}…$/)
  })

  test('is backed up and put back by one command each, and holds at once', async () => {
    const { commands, folder, status } = await withAnn()
    const file = `${folder}/mine.db`
    expect(await commands.backup({ file })).toMatchObject({ file, users: 1, keys: 1 })
    await commands.deleteUser({ name: 'ann' })
    expect(await status()).toBe(401)
    expect(await commands.restore({ file })).toMatchObject({
      users: 1,
      before: expect.stringContaining('before-restore'),
    })
    expect(await status()).toBe(200)
    expect(await codeOf(commands.backup({ file }))).toBe('invalid_request file')
    expect(await codeOf(commands.restore({ file: `${folder}/none.db` }))).toBe('invalid_request file')
  })
})
