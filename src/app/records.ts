import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { say } from '../protocol/sentence.ts'
import type { FullRecord } from '../protocol/snapshot.ts'
import { Accounts, markLost, salvageAccounts } from '../store/accounts.ts'
import { NewerStoreError, Store } from '../store/database.ts'
import { History } from '../store/history.ts'
import type { Logger } from '../telemetry/logger.ts'

/** What outlives a restart. */
export type Records = {
  store: Store
  accounts: Accounts
  /** Null: none is kept. */
  history: History | null
  /** Why the users and keys of this Lexora cannot be read; null: they can. */
  unusable: string | null
  /** What is wrong with the files now, for `/health`. */
  troubles: () => string[]
  /** Those that a full disk does not take. */
  full: () => FullRecord[]
}

/** Nothing that outlives anything. */
export function memoryRecords(): Records {
  const store = new Store({
    path: ':memory:',
    onSetAside: () => undefined,
    onFailing: () => undefined,
    now: () => new Date(),
  })
  return { store, accounts: new Accounts(store), history: null, unusable: null, troubles: () => [], full: () => [] }
}

export const ACCOUNTS_FILE = 'lexora.db'
export const HISTORY_FILE = 'history.db'
const MAX_REQUESTS = 200_000

/** Opens both files. One that cannot be used costs what is in it, not the start; nobody gets in by that. */
export function openRecords(
  stateDir: string,
  {
    log,
    historyEntry,
    keepDays,
    keepRequests,
  }: { log: Logger; historyEntry: string; keepDays: number; keepRequests: boolean },
): Records {
  const aside: string[] = []
  let failing: string | null = null
  const setAside = (what: string) => (keptAs: string, reason: string) => {
    aside.push(say`${what} was unreadable and is kept as ${keptAs}`)
    log.error(`${what} was unreadable; it was kept aside, and a new one is begun`, { kept_as: keptAs, reason })
  }
  const shared = {
    onSetAside: setAside(say('the file of users and keys')),
    onFailing: (reason: string | null) => {
      failing = reason
      if (reason === null) log.info('the file of users and keys is written again')
      else log.error('the file of users and keys cannot be written; serving goes on', { reason })
    },
    now: () => new Date(),
    onCreated: salvageAccounts,
  }
  const { store, unusable } = openAccounts(join(stateDir, ACCOUNTS_FILE), shared)
  const accounts = new Accounts(store)
  if (unusable !== null)
    log.error('users and keys cannot be read; who needs a key of theirs is refused', { reason: unusable })
  const lost = unusable === null ? accounts.lost() : null
  if (lost !== null) {
    const ways = 'lexora restore FILE, or lexora keys forget-lost'
    log.error('minted keys were lost; until you say how to go on every request needs a key', { from: lost, ways })
  }
  const history = new History({
    entry: historyEntry,
    path: join(stateDir, HISTORY_FILE),
    bounds: { maxRows: keepRequests ? MAX_REQUESTS : 0, keepDays },
    onState: ({ failing: reason, dropped }) => {
      if (reason === null) log.info('the history is written again', { requests_lost: dropped })
      else log.error('the history cannot be written; requests go on without it', { reason })
    },
    onSetAside: setAside(say('the history')),
  })
  const troubles = (): string[] => [
    ...aside,
    ...(failing === null ? [] : [say`users and keys cannot be written (${failing})`]),
    ...(history.state.failing === null ? [] : [say`the history cannot be written (${history.state.failing})`]),
  ]
  const full = (): FullRecord[] => [
    ...(isFullDisk(failing) ? (['users'] as const) : []),
    ...(isFullDisk(history.state.failing) ? (['history'] as const) : []),
  ]
  return { store, accounts, history, unusable, troubles, full }
}

/** Why something could not be written, in the word of the system or of SQLite: whether it was for want of room. */
export function isFullDisk(reason: string | null): boolean {
  return reason !== null && /^(ENOSPC|EDQUOT)\b|disk is full/.test(reason)
}

/** Looks from outside, where no Lexora runs; a file that is not there or cannot be read holds none. */
export function holdsMintedKeys(stateDir: string): boolean {
  const path = join(stateDir, ACCOUNTS_FILE)
  if (!existsSync(path)) return false
  try {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      return database.prepare('SELECT 1 FROM keys WHERE revoked_ms IS NULL LIMIT 1').get() !== undefined
    } finally {
      database.close()
    }
  } catch {
    return false
  }
}

/** Looks from outside, where no Lexora runs: when each model was last asked, by the names that engines have for them. */
export function readModelsLastUsed(stateDir: string): ReadonlyMap<string, number> {
  const path = join(stateDir, HISTORY_FILE)
  if (!existsSync(path)) return new Map()
  try {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      const rows = database.prepare("SELECT name, at_ms FROM seen WHERE kind = 'model'").all()
      return new Map(rows.map(({ name, at_ms }) => [String(name), Number(at_ms)]))
    } finally {
      database.close()
    }
  } catch {
    return new Map()
  }
}

function openAccounts(path: string, shared: Omit<ConstructorParameters<typeof Store>[0], 'path'>) {
  try {
    return { store: new Store({ path, ...shared }), unusable: null }
  } catch (error) {
    const reason = error instanceof NewerStoreError ? error.message : `${path}: ${(error as Error).message}`
    const onCreated: typeof shared.onCreated = (database) => markLost(database, reason)
    return { store: new Store({ ...shared, path: ':memory:', onCreated }), unusable: reason }
  }
}
