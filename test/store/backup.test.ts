import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { NO_LIMITS } from '../../src/protocol/users.ts'
import { prepareRestore, restoreAccounts, writeBackup } from '../../src/store/backup.ts'
import { aFolder, someRecords } from '../support/records.ts'
import { anOutcome } from '../telemetry/given.ts'

const AT = Date.parse('2026-11-21T12:00:00Z')
const NOW = new Date(AT)
const QUERY = { sinceMs: null, untilMs: null, before: null, limit: 10 }

function aUser(name: string) {
  return { name, limits: NO_LIMITS, disabled: false, expiresMs: null, note: null, createdMs: AT }
}

/** A folder in use, and where its backup goes. */
async function inUse() {
  const folder = aFolder()
  const records = someRecords(folder)
  records.accounts.putUser(aUser('ann'))
  records.history!.record(anOutcome({ reqId: 'r1', user: 'ann' }), AT, true)
  await records.history!.memory(AT)
  const files = { accounts: join(folder, 'lexora.db'), history: join(folder, 'history.db') }
  return { folder, records, files, file: join(folder, 'backup.db') }
}

describe('a backup', () => {
  test('is one file for its owner alone, made while Lexora runs', async () => {
    const { files, file } = await inUse()
    expect(writeBackup(files, file, NOW)).toEqual({ file, bytes: statSync(file).size, users: 1, keys: 0, requests: 1 })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(existsSync(`${file}.partial`)).toBe(false)
  })

  test('never replaces a file, and leaves nothing behind where it fails', async () => {
    const { files, file, folder } = await inUse()
    writeFileSync(file, 'mine')
    expect(() => writeBackup(files, file, NOW)).toThrow('is there already')
    expect(() => writeBackup(files, 'relative.db', NOW)).toThrow('not an absolute path')
    expect(() => writeBackup(files, join(folder, 'nowhere', 'b.db'), NOW)).toThrow('cannot be written')
    expect(readFileSync(file, 'utf8')).toBe('mine')
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([])
  })

  test('brings back what was there then: users, keys and history, in force in one step', async () => {
    const { files, file, folder, records } = await inUse()
    writeBackup(files, file, NOW)
    records.accounts.deleteUser('ann')
    records.accounts.putUser(aUser('bob'))
    records.history!.record(anOutcome({ reqId: 'r2' }), AT, true)
    const prepared = await records.history!.prepareRestore(file, folder)
    expect(prepared.madeAt).toBe(NOW.toISOString())
    restoreAccounts(records.store, prepared)
    await records.history!.restore(prepared)
    expect(records.accounts.users().map(({ name }) => name)).toEqual(['ann'])
    expect((await records.history!.requests(QUERY)).rows.map(({ id }) => id)).toEqual(['r1'])
  })

  test('makes good for keys that were lost', async () => {
    const { files, file, folder, records } = await inUse()
    writeBackup(files, file, NOW)
    await records.close()
    writeFileSync(files.accounts, 'no database '.repeat(500))
    const again = someRecords(folder)
    expect(again.accounts.lost()).not.toBeNull()
    restoreAccounts(again.store, await again.history!.prepareRestore(file, folder))
    expect([again.accounts.lost(), again.accounts.users().length]).toEqual([null, 1])
  })
})

describe('what is no backup', () => {
  const change = (file: string, sql: string): void => {
    const database = new DatabaseSync(file)
    database.exec(sql)
    database.close()
  }

  test.each<[what: string, spoil: (file: string, accounts: string) => void, says: string]>([
    ['text', (file) => writeFileSync(file, 'hello '.repeat(1000)), 'cannot be read as a backup'],
    ['nothing at all', (file) => writeFileSync(file, ''), 'is not a backup that Lexora wrote'],
    ['the file in use itself', (file, accounts) => writeFileSync(file, readFileSync(accounts)), 'is not a backup'],
    ['of a newer Lexora', (file) => change(file, 'PRAGMA user_version = 1000'), 'was written by a newer Lexora'],
    [
      'damaged',
      (file) => {
        const bytes = readFileSync(file)
        writeFileSync(file, bytes.fill(0xff, 4096, 3 * 4096))
      },
      'backup.db',
    ],
    ['cut off', (file) => writeFileSync(file, readFileSync(file).subarray(0, 8192)), 'backup.db'],
  ])('%s is refused before anything is touched', async (_, spoil, says) => {
    const { files, file, folder, records } = await inUse()
    writeBackup(files, file, NOW)
    spoil(file, files.accounts)
    expect(() => prepareRestore(file, folder)).toThrow(says)
    expect(records.accounts.users().map(({ name }) => name)).toEqual(['ann'])
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([])
  })

  test('a file that is not there, or a folder, is refused', async () => {
    const { folder } = await inUse()
    expect(() => prepareRestore(join(folder, 'none.db'), folder)).toThrow('cannot be read')
    expect(() => prepareRestore(folder, folder)).toThrow('is not a file')
  })
})
