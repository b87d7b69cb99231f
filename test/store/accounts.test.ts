/** Users and keys on the disk: what was told is there, and what cannot be read never becomes "there is no key". */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { memoryRecords } from '../../src/app/records.ts'
import { NO_LIMITS } from '../../src/protocol/users.ts'
import type { StoredKey, StoredUser } from '../../src/store/accounts.ts'
import { Accounts } from '../../src/store/accounts.ts'
import { aFolder, someRecords } from '../support/records.ts'

const ANN: StoredUser = {
  name: 'ann',
  limits: { ...NO_LIMITS, tokens_per_minute: 100, models: ['tiny'] },
  disabled: false,
  expiresMs: 5000,
  note: 'on the third floor',
  createdMs: 1000,
}

function aKey(id: string, more: Partial<StoredKey> = {}): StoredKey {
  const rest = { user: 'ann', label: null, scopes: ['inference' as const], hint: 'lx-ab12…', createdMs: 1000 }
  return { id, digest: id.padEnd(64, '0'), ...rest, expiresMs: null, revokedMs: null, ...more }
}

/** A folder whose `lexora.db` holds Ann and two keys. */
async function aUsedFolder(more: (accounts: Accounts) => void = () => undefined): Promise<string> {
  const folder = aFolder()
  const records = someRecords(folder)
  records.accounts.putUser(ANN)
  records.accounts.putKeys(aKey('aaaa'), aKey('bbbb', { revokedMs: 2000, scopes: ['admin:read', 'inference'] }))
  more(records.accounts)
  await records.close()
  return folder
}

describe('users and keys', () => {
  test('come back after a restart as they were put', async () => {
    const { accounts } = someRecords(await aUsedFolder())
    expect(accounts.users()).toEqual([ANN])
    expect(accounts.keys()).toEqual([
      aKey('aaaa'),
      aKey('bbbb', { revokedMs: 2000, scopes: ['admin:read', 'inference'] }),
    ])
  })

  test('are replaced whole, and a user goes with his keys', () => {
    const { accounts } = memoryRecords()
    accounts.putUser(ANN)
    accounts.putUser({ ...ANN, disabled: true, note: null })
    accounts.putKeys(aKey('aaaa'), aKey('cccc', { user: 'bob' }))
    accounts.deleteUser('ann')
    expect([accounts.users(), accounts.keys().map(({ id }) => id)]).toEqual([[], ['cccc']])
  })

  test('that the disk does not take are not there afterwards', () => {
    const { store } = memoryRecords()
    const accounts = new Accounts(store)
    const { page_count: pages } = store.database.prepare('PRAGMA page_count').get() as { page_count: number }
    store.database.exec(`PRAGMA max_page_count = ${pages}`)
    expect(() => accounts.putUser({ ...ANN, note: 'x'.repeat(100_000) })).toThrow(/full/)
    expect(accounts.users()).toEqual([])
  })

  test('written by another process are told by a number', async () => {
    const folder = await aUsedFolder()
    const [one, other] = [someRecords(folder).accounts, someRecords(folder).accounts]
    const before = one.foreignVersion()
    one.putUser({ ...ANN, note: 'mine' })
    expect(one.foreignVersion()).toBe(before)
    other.putUser({ ...ANN, note: 'theirs' })
    expect(one.foreignVersion()).not.toBe(before)
    expect(one.users()).toEqual([{ ...ANN, note: 'theirs' }])
  })
})

describe('the audit log', () => {
  test('is read in pages, and keeps the newest 10,000', () => {
    const { accounts, store } = memoryRecords()
    const row = { at: '2026-11-21T12:00:00.000Z', who: 'cli', face: 'cli', target: null, change: null, ok: true }
    for (let i = 0; i < 9990; i++) accounts.audit({ ...row, action: `a${i}` })
    store.flush()
    for (let i = 9990; i < 10_050; i++) accounts.audit({ ...row, action: `a${i}` })
    const first = accounts.auditLog({ limit: 2, before: null })
    expect(first.rows).toEqual([
      { ...row, action: 'a10049' },
      { ...row, action: 'a10048' },
    ])
    expect(accounts.auditLog({ limit: 1, before: Number(first.next) }).rows[0]?.action).toBe('a10047')
    expect(accounts.auditLog({ limit: 20_000, before: null }).rows).toHaveLength(10_000)
  })
})

describe('a file that cannot be read', () => {
  const bytesOf = (folder: string): Buffer => readFileSync(join(folder, 'lexora.db'))
  const aside = (folder: string): string[] =>
    readdirSync(folder).filter((name) => /^lexora\.db\.unreadable-.*Z$/.test(name))

  /** The page on which a table begins. */
  function rootOf(folder: string, table: string): number {
    const database = new DatabaseSync(join(folder, 'lexora.db'))
    const row = database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)
    database.close()
    return Number(row?.['rootpage'])
  }

  test('is kept aside, and its keys count as lost until an operator says to go on without them', async () => {
    const folder = await aUsedFolder()
    writeFileSync(join(folder, 'lexora.db'), 'no database '.repeat(500))
    const log: string[] = []
    const records = someRecords(folder, log)
    const [name] = aside(folder)
    expect(records.accounts.lost()).toBe(join(folder, name!))
    expect(log.join('\n')).toContain('lexora keys forget-lost')
    expect(records.troubles()).toEqual([expect.stringContaining(name!)])
    await records.close()
    // A restart does not forget.
    const again = someRecords(folder)
    expect(again.accounts.lost()).toBe(join(folder, name!))
    again.accounts.forgetLost()
    await again.close()
    expect(someRecords(folder).accounts.lost()).toBeNull()
  })

  test('gives its users and keys back where their own pages are whole', async () => {
    const folder = await aUsedFolder()
    const bytes = bytesOf(folder)
    const at = (rootOf(folder, 'engine_starts') - 1) * 4096
    writeFileSync(join(folder, 'lexora.db'), bytes.fill(0xff, at, at + 4096))
    const { accounts } = someRecords(folder)
    expect(aside(folder)).toHaveLength(1)
    expect([accounts.lost(), accounts.users(), accounts.keys().length]).toEqual([null, [ANN], 2])
  })

  test.each(['users', 'keys'])('with a broken table of %s gives nothing back and counts as lost', async (table) => {
    const folder = await aUsedFolder()
    const bytes = bytesOf(folder)
    const at = (rootOf(folder, table) - 1) * 4096
    writeFileSync(join(folder, 'lexora.db'), bytes.fill(0xff, at, at + 4096))
    const { accounts } = someRecords(folder)
    expect([accounts.lost() === null, accounts.users(), accounts.keys()]).toEqual([false, [], []])
  })

  test('and was moved away by a Lexora that died then counts as lost as well', async () => {
    const folder = await aUsedFolder()
    writeFileSync(join(folder, 'lexora.db.unreadable-2026-11-21T12-00-00-000Z'), bytesOf(folder))
    writeFileSync(join(folder, 'lexora.db'), '')
    expect(someRecords(folder).accounts.lost()).toContain('unreadable-2026-11-21')
  })

  test('of a newer Lexora is left alone, and nothing can be changed meanwhile', async () => {
    const folder = await aUsedFolder()
    const database = new DatabaseSync(join(folder, 'lexora.db'))
    database.exec('PRAGMA user_version = 1000')
    database.close()
    const before = bytesOf(folder)
    const records = someRecords(folder)
    expect(records.unusable).toContain('newer Lexora')
    expect(records.accounts.lost()).not.toBeNull()
    await records.close()
    expect(bytesOf(folder).equals(before)).toBe(true)
  })

  test('that was never there is no loss', () => {
    const folder = aFolder()
    expect(someRecords(folder).accounts.lost()).toBeNull()
    expect(existsSync(join(folder, 'lexora.db'))).toBe(true)
  })
})

test('both files and what belongs to them are for their owner alone, whatever the umask', async () => {
  const before = process.umask(0)
  onTestFinished(() => void process.umask(before))
  const folder = join(aFolder(), 'state')
  const records = someRecords(folder)
  records.accounts.putUser(ANN)
  await records.history!.memory(0)
  const modes = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777])
  expect(modes.length).toBeGreaterThanOrEqual(4)
  expect(modes.filter(([, mode]) => mode !== 0o600)).toEqual([])
  expect(statSync(folder).mode & 0o777).toBe(0o700)
})
