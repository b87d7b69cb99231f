/** Section 2.F of the fault catalogue, as far as users, keys and history go: disks that fail and clocks that jump. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { CommandError } from '../../src/protocol/commands.ts'
import { type Patch, startApp, startFake, type TestApp } from '../support/app.ts'
import { aFolder, someRecords } from '../support/records.ts'
import { aChat, ask } from '../support/requests.ts'

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })

async function setUp(config: Patch = {}) {
  const folder = aFolder()
  const fake = await startFake()
  const records = someRecords(folder)
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config, records })
  return { folder, records, lexora, commands: lexora.app.commands }
}

async function healthOf({ url }: TestApp): Promise<{ http: number; status: string; reasons: string[] }> {
  const answer = await fetch(`${url}/health`)
  return { http: answer.status, ...((await answer.json()) as { status: string; reasons: string[] }) }
}

async function statusOf(work: Promise<unknown>): Promise<number | undefined> {
  return await work.then(
    () => 200,
    (error: unknown) => (error as CommandError).problem.status,
  )
}

describe('F: the disk', () => {
  test('F6 the request log has nowhere to go: serving goes on, health says so, what was lost is counted', async () => {
    const folder = aFolder()
    writeFileSync(join(folder, 'file'), '')
    const config = { metrics: { request_log: { enabled: true, dir: join(folder, 'file') } } }
    const { lexora } = await setUp(config)
    const reasons = async (): Promise<string[]> => (await healthOf(lexora)).reasons
    let asked = 0
    for (; asked < 500 && (await reasons()).length === 0; asked++) {
      expect((await ask(lexora.port, aChat(), { 'x-lexora-user': `u${asked}` })).status).toBe(200)
    }
    expect(await healthOf(lexora)).toMatchObject({
      http: 200,
      status: 'degraded',
      reasons: [expect.stringContaining('request log cannot be written')],
    })
    expect(lexora.log.filter((line) => line.includes('request log cannot be written'))).toHaveLength(1)
  })

  test('F9 the disk of users and keys is full: changes are refused with 507 and change nothing, serving goes on', async () => {
    const { lexora, commands, records } = await setUp()
    await commands.createUser({ name: 'ann' })
    const { secret } = await commands.createKey({ user: 'ann' })
    const limit = (pages: number): void => void records.store.database.exec(`PRAGMA max_page_count = ${pages}`)
    const { page_count: pages } = records.store.database.prepare('PRAGMA page_count').get() as { page_count: number }
    limit(pages)
    // The pages in use have some room; it ends.
    const notes = Array.from({ length: 60 }, (_, i) => commands.createUser({ name: `u${i}`, note: 'x'.repeat(1000) }))
    const statuses = await Promise.all(notes.map(statusOf))
    expect(statuses.at(-1)).toBe(507)
    const good = statuses.filter((status) => status === 200).length
    expect((await commands.listUsers()).users).toHaveLength(good + 1)
    expect(await healthOf(lexora)).toMatchObject({ http: 200, status: 'degraded' })
    const diskFull = async () => (await commands.snapshot()).server.diskFull
    expect(await diskFull()).toEqual(['users'])
    expect((await ask(lexora.port, aChat(), bearer(secret))).status).toBe(200)
    limit(100_000)
    expect(await statusOf(commands.createUser({ name: 'later' }))).toBe(200)
    expect(await healthOf(lexora)).toMatchObject({ status: 'healthy', reasons: [] })
    expect(await diskFull()).toBeUndefined()
  })

  test('F9 the keys cannot be read: who had one is refused, so is who has none, and an operator is told the way on', async () => {
    const { lexora, commands, records, folder } = await setUp()
    await commands.createUser({ name: 'ann' })
    const { secret } = await commands.createKey({ user: 'ann' })
    await commands.backup({ file: join(folder, 'backup.db') })
    await lexora.app.stop(0)
    await records.close()
    writeFileSync(join(folder, 'lexora.db'), 'no database '.repeat(500))
    const fake = await startFake()
    const again = await startApp([{ name: 'main', url: fake.url }], { records: someRecords(folder) })
    const statuses = async () => [
      (await ask(again.port, aChat(), bearer(secret))).status,
      (await ask(again.port, aChat())).status,
      (await ask(again.port, aChat(), bearer('EMPTY'))).status,
    ]
    expect(await statuses()).toEqual([401, 401, 401])
    const { health } = await again.app.commands.snapshot()
    expect(health.reasons.join()).toContain('lexora restore FILE')
    expect(await again.app.commands.restore({ file: join(folder, 'backup.db') })).toMatchObject({ keys: 1 })
    expect(await statuses()).toEqual([200, 200, 200])
  })

  test('F9 the keys are lost for good: an operator says so, and it is as if there had been none', async () => {
    const folder = aFolder()
    writeFileSync(join(folder, 'lexora.db'), 'no database '.repeat(500))
    const fake = await startFake()
    const lexora = await startApp([{ name: 'main', url: fake.url }], { records: someRecords(folder) })
    expect((await ask(lexora.port, aChat())).status).toBe(401)
    expect(await lexora.app.commands.forgetLostKeys()).toEqual({ forgotten: true })
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    expect((await ask(lexora.port, aChat(), bearer('lx-of-before'))).status).toBe(401)
    expect(await lexora.app.commands.forgetLostKeys()).toEqual({ forgotten: false })
  })
})

describe('F: clocks', () => {
  test('F10 the wall clock jumps: limits and time-outs go by elapsed time; keys and days go by the calendar', async () => {
    const config = { rate_limit: { default_rate: 0.001, default_burst: 3 } }
    const { lexora, commands } = await setUp(config)
    onTestFinished(() => void vi.useRealTimers())
    await commands.createUser({ name: 'ann', requests_per_minute: 1000, daily_tokens: 1 })
    const { secret } = await commands.createKey({ user: 'ann', expires: '2d' })
    const status = async (key: string | null): Promise<number> =>
      (await ask(lexora.port, aChat(), key === null ? { 'x-lexora-user': 'bob' } : bearer(key))).status
    const began = Date.now()
    vi.useFakeTimers({ toFake: ['Date'] })
    for (const jump of [3_600_000, -3_600_000, -10 * 365 * 86_400_000]) {
      vi.setSystemTime(began + jump)
      expect([jump, await status(null)]).toEqual([jump, 200])
    }
    // The burst of three is used up, whatever year it is.
    vi.setSystemTime(began + 10 * 365 * 86_400_000)
    expect(await status(null)).toBe(429)
    vi.setSystemTime(began)
    expect(await status(secret)).toBe(200)
    await lexora.outcomesReach(5)
    expect(await status(secret)).toBe(429)
    vi.setSystemTime(began + 86_400_000)
    expect(await status(secret)).toBe(200)
    vi.setSystemTime(began + 2 * 86_400_000)
    expect(await status(secret)).toBe(401)
  })
})

describe('F: figures', () => {
  test('F16 scrapes while names flood in: the page stays small and holds none of them', async () => {
    const { lexora } = await setUp()
    const scrape = async (): Promise<string> => await (await fetch(`${lexora.url}/metrics`)).text()
    await ask(lexora.port, aChat(), { 'x-lexora-user': 'first' })
    const lines = (text: string): number => text.split('\n').filter((line) => line.startsWith('lexora_')).length
    const before = lines(await scrape())
    for (let i = 0; i < 30; i++) {
      const junk = { 'x-lexora-user': `junk-${i}`, 'x-lexora-app': `app-${i}` }
      const [, ...pages] = await Promise.all([ask(lexora.port, aChat(), junk), ...Array.from({ length: 5 }, scrape)])
      for (const page of pages) expect([page.length < 1024 * 1024, page.includes('junk-')]).toEqual([true, false])
    }
    expect(lines(await scrape())).toBe(before)
  })
})
