import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { MIGRATIONS, type Migrations } from './migrations.ts'

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
  migrations?: Migrations
  /** Fills a file that is made now, in the transaction that makes it. Null: none that could not be read lies aside. */
  onCreated?: (database: DatabaseSync, unreadable: Unreadable | null) => void
}

/** The newest that was set aside; `justNow`: it is the one that this file replaces. */
export type Unreadable = { path: string; justNow: boolean }

/** A file of a newer Lexora: neither read nor touched. */
export class NewerStoreError extends Error {}

/**
 * What outlives a restart, in one SQLite file. Reads are for starts and for people; writes wait a moment and go
 * together, so that nothing on the way of a request touches the disk.
 */
export class Store {
  readonly database: DatabaseSync
  /** Why nothing can be written into it; null: it can. */
  readonly readOnly: string | null
  private readonly options: StoreOptions
  private waiting: ((database: DatabaseSync) => void)[] = []
  private timer: NodeJS.Timeout | null = null
  private failing: string | null = null

  constructor(options: StoreOptions) {
    this.options = options
    const { database, readOnly } = openOrReplace(options)
    this.database = database
    this.readOnly = readOnly
  }

  /** The file; null for one that lives in memory. */
  get path(): string | null {
    return this.options.path === ':memory:' ? null : this.options.path
  }

  /** Does this at once and together, and has it on the disk when it returns; throws where that fails, with nothing done. */
  now(write: (database: DatabaseSync) => void): void {
    if (this.readOnly !== null) throw new Error(this.readOnly)
    this.flush()
    try {
      transaction(this.database, () => write(this.database))
      this.tell(null)
    } catch (error) {
      this.tell((error as Error).message)
      throw error
    }
  }

  /** Does this soon, in one transaction with what else is waiting. A disk that is full costs the write, nothing else. */
  later(write: (database: DatabaseSync) => void): void {
    if (this.waiting.length >= MAX_WAITING || this.readOnly !== null) return
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

type Opened = { database: DatabaseSync; readOnly: string | null }

function openOrReplace(options: StoreOptions): Opened {
  try {
    return { database: open(options, null), readOnly: null }
  } catch (error) {
    if (error instanceof NewerStoreError) throw error
    if (!isCorrupt(error)) return openReadOnly(options, error as Error)
    const keptAs = setAside(options.path, options.now())
    options.onSetAside(keptAs, (error as Error).message)
    return { database: open(options, keptAs), readOnly: null }
  }
}

/** On a disk that takes no writes it can still be read, if nothing that was written last lies beside it. */
function openReadOnly(options: StoreOptions, why: Error): Opened {
  const { path, migrations = MIGRATIONS } = options
  const log = `${path}-wal`
  if (!existsSync(path) || (existsSync(log) && statSync(log).size > 0)) throw why
  const database = new DatabaseSync(`${pathToFileURL(path)}?immutable=1`, { readOnly: true })
  try {
    checkPages(database)
    if (versionOf(database) !== migrations.length) throw why
    return { database, readOnly: why.message }
  } catch (error) {
    database.close()
    throw error
  }
}

function open(options: StoreOptions, replaces: string | null): DatabaseSync {
  const { path } = options
  if (path !== ':memory:') {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // Its own default would let others read it until it is told otherwise.
    closeSync(openSync(path, 'a', 0o600))
    chmodSync(path, 0o600)
  }
  const database = new DatabaseSync(path)
  try {
    // FULL: what was committed is on the disk, also when the power goes (sqlite.org/pragma.html#pragma_synchronous).
    database.exec('PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    checkPages(database)
    migrate(database, options, replaces)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function checkPages(database: DatabaseSync): void {
  const found = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
  if (found.quick_check !== 'ok') throw new CorruptError(found.quick_check)
}

function versionOf(database: DatabaseSync): number {
  return (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version
}

function migrate(
  database: DatabaseSync,
  { path, migrations = MIGRATIONS, onCreated }: StoreOptions,
  replaces: string | null,
): void {
  const version = versionOf(database)
  if (version > migrations.length) {
    throw new NewerStoreError(`the data is of a newer Lexora (version ${version}; this one knows ${migrations.length})`)
  }
  if (version === migrations.length) return
  // In one, so that a file that is new is never seen without what it is filled with.
  transaction(database, () => {
    for (const sql of migrations.slice(version)) database.exec(sql)
    if (version === 0) {
      const earlier = replaces ?? (path === ':memory:' ? null : unreadableBeside(path))
      onCreated?.(database, earlier === null ? null : { path: earlier, justNow: replaces !== null })
    }
    database.exec(`PRAGMA user_version = ${migrations.length}`)
  })
}

const ASIDE = '.unreadable-'

/** The newest that was set aside earlier. */
function unreadableBeside(path: string): string | null {
  const [folder, begin] = [dirname(path), basename(path) + ASIDE]
  const names = readdirSync(folder).filter((name) => name.startsWith(begin) && !/-(wal|shm)$/.test(name))
  const newest = names.toSorted().at(-1)
  return newest === undefined ? null : join(folder, newest)
}

export function transaction(database: DatabaseSync, work: () => void): void {
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

export function isCorrupt(error: unknown): boolean {
  if (error instanceof CorruptError) return true
  const { errcode } = error as { errcode?: number }
  return errcode !== undefined && CORRUPT_CODES.has(errcode & 0xff)
}

/** With its journal, which belongs to it: whoever wants to save something needs both. */
function setAside(path: string, now: Date): string {
  const keptAs = `${path}${ASIDE}${now.toISOString().replace(/[:.]/g, '-')}`
  for (const tail of ['', '-wal', '-shm']) if (existsSync(path + tail)) renameSync(path + tail, keptAs + tail)
  return keptAs
}
