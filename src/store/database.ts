import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MIGRATIONS } from './migrations.ts'

/** Long enough to join what comes in a burst, short enough that a crash costs little. */
const FLUSH_MS = 250
const MAX_WAITING = 10_000

export type StoreOptions = {
  /** `:memory:` keeps nothing. */
  path: string
  /** Told where a file that could not be read was put; Lexora goes on with an empty one. */
  onSetAside: (keptAs: string, reason: string) => void
  /** Told once when writing begins to fail, and with null when it works again. */
  onFailing: (reason: string | null) => void
  now: () => Date
}

/** A file of a newer Lexora: neither read nor touched. */
export class NewerStoreError extends Error {}

/**
 * What outlives a restart, in one SQLite file. Reads are for starts and for people; writes wait a moment and go
 * together, so that nothing on the way of a request touches the disk.
 */
export class Store {
  readonly database: DatabaseSync
  private readonly options: StoreOptions
  private waiting: ((database: DatabaseSync) => void)[] = []
  private timer: NodeJS.Timeout | null = null
  private failing: string | null = null

  constructor(options: StoreOptions) {
    this.options = options
    this.database = openOrReplace(options)
  }

  /** Does this soon, in one transaction with what else is waiting. A disk that is full costs the write, nothing else. */
  later(write: (database: DatabaseSync) => void): void {
    if (this.waiting.length >= MAX_WAITING) return
    this.waiting.push(write)
    this.timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref()
  }

  flush(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    const writes = this.waiting
    this.waiting = []
    if (writes.length === 0) return
    try {
      transaction(this.database, () => {
        for (const write of writes) write(this.database)
      })
      this.tell(null)
    } catch (error) {
      this.tell((error as Error).message)
    }
  }

  close(): void {
    this.flush()
    this.database.close()
  }

  private tell(reason: string | null): void {
    if (reason === this.failing) return
    this.failing = reason
    this.options.onFailing(reason)
  }
}

function openOrReplace(options: StoreOptions): DatabaseSync {
  try {
    return open(options.path)
  } catch (error) {
    if (error instanceof NewerStoreError || !isCorrupt(error)) throw error
    options.onSetAside(setAside(options.path, options.now()), (error as Error).message)
    return open(options.path)
  }
}

function open(path: string): DatabaseSync {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    const found = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
    if (found.quick_check !== 'ok') throw new CorruptError(found.quick_check)
    migrate(database)
    if (path !== ':memory:') chmodSync(path, 0o600)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function migrate(database: DatabaseSync): void {
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number }
  if (version > MIGRATIONS.length) {
    throw new NewerStoreError(`the data is of a newer Lexora (version ${version}; this one knows ${MIGRATIONS.length})`)
  }
  for (const [number, sql] of MIGRATIONS.entries()) {
    if (number < version) continue
    transaction(database, () => database.exec(`${sql}; PRAGMA user_version = ${number + 1}`))
  }
}

function transaction(database: DatabaseSync, work: () => void): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    work()
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

class CorruptError extends Error {}

/** SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html). */
const CORRUPT_CODES = new Set([11, 26])

function isCorrupt(error: unknown): boolean {
  if (error instanceof CorruptError) return true
  const { errcode } = error as { errcode?: number }
  return errcode !== undefined && CORRUPT_CODES.has(errcode & 0xff)
}

/** With its journal, which belongs to it: whoever wants to save something needs both. */
function setAside(path: string, now: Date): string {
  const keptAs = `${path}.unreadable-${now.toISOString().replace(/[:.]/g, '-')}`
  for (const tail of ['', '-wal', '-shm']) if (existsSync(path + tail)) renameSync(path + tail, keptAs + tail)
  return keptAs
}
