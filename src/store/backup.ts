import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { say } from '../protocol/sentence.ts'
import type { BackupReport } from '../protocol/users.ts'
import { type Store, transaction } from './database.ts'
import { HISTORY_MIGRATIONS, MIGRATIONS } from './migrations.ts'

/** The two files of a Lexora; `history` null: it keeps none. */
export type StoreFiles = { accounts: string; history: string | null }

/** Why a file cannot be written or read as a backup, in words for who named it. */
class BackupError extends Error {}

/** A backup that was looked through and brought to today's form, in a copy. */
export type Prepared = { copy: string; madeAt: string; report: BackupReport }

/** `Lxb1`: whose file it is (sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x4c786231

const ACCOUNT_TABLES = ['users', 'keys', 'audit', 'engine_starts'] as const
const HISTORY_TABLES = ['requests', 'usage', 'seen'] as const

/** Writes everything into one new file; what is there already is never replaced. May take seconds: not for the token path. */
export function writeBackup({ accounts, history }: StoreFiles, file: string, now: Date): BackupReport {
  if (!isAbsolute(file)) throw new BackupError(say`${file} is not an absolute path`)
  if (existsSync(file)) throw new BackupError(say`${file} is there already; name a new file`)
  const draft = `${file}.partial`
  try {
    // SQLite would make it readable for others; into an empty file it writes too.
    closeSync(openSync(draft, 'w', 0o600))
    const source = new DatabaseSync(accounts)
    try {
      source.prepare('VACUUM INTO ?').run(draft)
    } finally {
      source.close()
    }
    const database = new DatabaseSync(draft)
    try {
      addHistory(database, history)
      database.exec(`CREATE TABLE backup (made_at TEXT NOT NULL, history_version INTEGER NOT NULL) STRICT;
        PRAGMA application_id = ${APPLICATION_ID}`)
      database.prepare('INSERT INTO backup VALUES (?, ?)').run(now.toISOString(), HISTORY_MIGRATIONS.length)
    } finally {
      database.close()
    }
    chmodSync(draft, 0o600)
    sync(draft)
    renameSync(draft, file)
    sync(dirname(file))
    return reportOn(file, file)
  } catch (error) {
    rmSync(draft, { force: true })
    if (error instanceof BackupError) throw error
    throw new BackupError(say`${file} cannot be written: ${(error as Error).message}`)
  }
}

/** Reads a backup through before anything is touched. `folder`: where its copy may lie. */
export function prepareRestore(file: string, folder: string): Prepared {
  if (!isAbsolute(file)) throw new BackupError(`${file} is not an absolute path`)
  const copy = join(folder, `restore-${process.pid}.partial`)
  try {
    if (!statSync(file).isFile()) throw new BackupError(`${file} is not a file`)
    closeSync(openSync(copy, 'w', 0o600))
    copyFileSync(file, copy)
    chmodSync(copy, 0o600)
    return { copy, madeAt: bringUpToDate(copy, file), report: reportOn(copy, file) }
  } catch (error) {
    rmSync(copy, { force: true })
    if (error instanceof BackupError) throw error
    throw new BackupError(`${file} cannot be read as a backup: ${(error as Error).message}`)
  }
}

/** All users, keys and the audit log in one transaction; the keys of before are no keys any more. */
export function restoreAccounts(store: Store, { copy }: Prepared): void {
  attached(store, copy, () =>
    store.now((database) => {
      refill(database, ACCOUNT_TABLES)
      database.exec('DELETE FROM facts')
    }),
  )
}

export function restoreHistory(store: Store, { copy }: Prepared): void {
  attached(store, copy, () => store.now((database) => refill(database, HISTORY_TABLES)))
}

function attached(store: Store, copy: string, work: () => void): void {
  store.flush()
  store.database.prepare('ATTACH ? AS given').run(copy)
  try {
    work()
  } finally {
    store.database.exec('DETACH given')
  }
}

function refill(database: DatabaseSync, tables: readonly string[]): void {
  for (const table of tables) {
    database.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} SELECT * FROM given.${table}`)
  }
}

function addHistory(database: DatabaseSync, history: string | null): void {
  database.exec('PRAGMA journal_mode = DELETE')
  if (history !== null) database.prepare('ATTACH ? AS history').run(history)
  transaction(database, () => {
    for (const sql of HISTORY_MIGRATIONS) database.exec(sql)
    if (history === null) return
    for (const table of HISTORY_TABLES) database.exec(`INSERT INTO main.${table} SELECT * FROM history.${table}`)
  })
  if (history !== null) database.exec('DETACH history')
}

/** Answers when it was made. */
function bringUpToDate(copy: string, file: string): string {
  const database = new DatabaseSync(copy)
  try {
    const { application_id: id } = database.prepare('PRAGMA application_id').get() as { application_id: number }
    if (id !== APPLICATION_ID) throw new BackupError(`${file} is not a backup that Lexora wrote`)
    const { integrity_check: pages } = database.prepare('PRAGMA integrity_check(1)').get() as {
      integrity_check: string
    }
    if (pages !== 'ok') throw new BackupError(`${file} is damaged: ${pages}`)
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number }
    const { made_at, history_version } = database.prepare('SELECT * FROM backup').get() as {
      made_at: string
      history_version: number
    }
    if (version > MIGRATIONS.length || history_version > HISTORY_MIGRATIONS.length)
      throw new BackupError(`${file} was written by a newer Lexora`)
    const missing = [...MIGRATIONS.slice(version), ...HISTORY_MIGRATIONS.slice(history_version)]
    transaction(database, () => {
      for (const sql of missing) database.exec(sql)
    })
    return made_at
  } finally {
    database.close()
  }
}

function reportOn(path: string, file: string): BackupReport {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const countOf = (table: string): number =>
      Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count'])
    return {
      file,
      bytes: statSync(path).size,
      users: countOf('users'),
      keys: countOf('keys'),
      requests: countOf('requests'),
    }
  } finally {
    database.close()
  }
}

function sync(path: string): void {
  // A folder can be opened for this everywhere but on Windows, which does it by itself.
  if (process.platform === 'win32' && !statSync(path).isFile()) return
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } catch (error) {
    if (process.platform !== 'win32') throw error
  } finally {
    closeSync(handle)
  }
}
