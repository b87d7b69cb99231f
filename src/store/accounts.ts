import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { type AuditRow, NO_LIMITS, type Scope, type UserLimits } from '../protocol/users.ts'
import type { Store, Unreadable } from './database.ts'

/** A user that Lexora keeps. Moments are milliseconds since 1970. */
export type StoredUser = {
  name: string
  limits: UserLimits
  disabled: boolean
  expiresMs: number | null
  note: string | null
  createdMs: number
}

/** A key that Lexora minted: what it opens, and the digest that knows it again. Nobody can make the secret of it. */
export type StoredKey = {
  id: string
  digest: string
  user: string
  label: string | null
  scopes: Scope[]
  hint: string
  createdMs: number
  expiresMs: number | null
  revokedMs: number | null
}

type Row = Record<string, unknown>

const AUDIT_KEPT = 10_000
const LOST = 'keys_lost'

/** Users, keys and the audit log in `lexora.db`. What changes a user or a key is on the disk when the call returns. */
export class Accounts {
  private readonly store: Store

  constructor(store: Store) {
    this.store = store
  }

  /** Why nothing can be changed; null: it can. */
  get readOnly(): string | null {
    return this.store.readOnly
  }

  users(): StoredUser[] {
    return this.store.database.prepare('SELECT * FROM users ORDER BY name').all().map(userOf)
  }

  keys(): StoredKey[] {
    return this.store.database.prepare('SELECT * FROM keys ORDER BY created_ms, id').all().map(keyOf)
  }

  /** The file whose keys could not be read, until somebody says to go on without them. */
  lost(): string | null {
    const row = this.store.database.prepare('SELECT value FROM facts WHERE name = ?').get(LOST)
    return row === undefined ? null : String(row['value'])
  }

  forgetLost(): void {
    this.store.now((database) => database.prepare('DELETE FROM facts WHERE name = ?').run(LOST))
  }

  /** Changes when another process has written into the file (sqlite.org/pragma.html#pragma_data_version). */
  foreignVersion(): number {
    return (this.store.database.prepare('PRAGMA data_version').get() as { data_version: number }).data_version
  }

  putUser(user: StoredUser): void {
    this.store.now((database) => insertUser(database, user))
  }

  /** With the keys. */
  deleteUser(name: string): void {
    this.store.now((database) => {
      database.prepare('DELETE FROM keys WHERE user = ?').run(name)
      database.prepare('DELETE FROM users WHERE name = ?').run(name)
    })
  }

  putKeys(...keys: StoredKey[]): void {
    this.store.now((database) => {
      for (const key of keys) insertKey(database, key)
    })
  }

  /** Soon: what an operator does is not held up by its record. */
  audit({ at, who, face, action, target, change, ok }: AuditRow): void {
    this.store.later((database) => {
      database
        .prepare('INSERT INTO audit (at_ms, who, face, action, target, change, ok) VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(Date.parse(at), who, face, action, target, change, ok ? 1 : 0)
      database.prepare('DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?').run(AUDIT_KEPT)
    })
  }

  /** The newest first. `before`: the `next` of the page before. */
  auditLog({ limit, before }: { limit: number; before: number | null }): { rows: AuditRow[]; next: string | null } {
    this.store.flush()
    const rows = this.store.database
      .prepare('SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?')
      .all(before ?? Number.MAX_SAFE_INTEGER, limit)
    const last = rows.at(-1)
    return { rows: rows.map(auditOf), next: rows.length < limit || last === undefined ? null : String(last['id']) }
  }
}

/**
 * For a file that is made in place of one that could not be read: its users and keys, where their own pages are whole,
 * else the fact that they are lost. Nobody may be served as if there had never been a key.
 */
export function salvageAccounts(database: DatabaseSync, unreadable: Unreadable | null): void {
  if (unreadable === null) return
  const found = unreadable.justNow ? readUnreadable(unreadable.path) : null
  if (found === null) database.prepare('INSERT INTO facts (name, value) VALUES (?, ?)').run(LOST, unreadable.path)
  for (const user of found?.users ?? []) insertUser(database, user)
  for (const key of found?.keys ?? []) insertKey(database, key)
}

/** Marks a file that is made anew because the old one cannot be opened at all. */
export function markLost(database: DatabaseSync, reason: string): void {
  database.prepare('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(LOST, reason)
}

/** Looks into a copy, since reading it could change it. Null: not to be trusted. */
function readUnreadable(path: string): { users: StoredUser[]; keys: StoredKey[] } | null {
  const copy = `${path}-copy`
  let database: DatabaseSync | null = null
  try {
    for (const tail of ['', '-wal']) if (existsSync(path + tail)) copyFileSync(path + tail, copy + tail)
    database = new DatabaseSync(copy)
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number }
    // The first version had no keys that could be lost.
    if (version === 1) return { users: [], keys: [] }
    for (const table of ['users', 'keys']) {
      const found = database.prepare(`PRAGMA integrity_check(${table})`).get() as { integrity_check: string }
      if (found.integrity_check !== 'ok') return null
    }
    return {
      users: database.prepare('SELECT * FROM users').all().map(userOf),
      keys: database.prepare('SELECT * FROM keys').all().map(keyOf),
    }
  } catch {
    // Too broken to be read: that is what is told.
    return null
  } finally {
    database?.close()
    for (const tail of ['', '-wal', '-shm']) rmSync(copy + tail, { force: true })
  }
}

function insertUser(database: DatabaseSync, user: StoredUser): void {
  database
    .prepare(
      'INSERT OR REPLACE INTO users (name, limits, disabled, expires_ms, note, created_ms) VALUES (?, ?, ?, ?, ?, ?)',
    )
    .run(user.name, JSON.stringify(user.limits), user.disabled ? 1 : 0, user.expiresMs, user.note, user.createdMs)
}

function insertKey(database: DatabaseSync, key: StoredKey): void {
  database
    .prepare(
      `INSERT OR REPLACE INTO keys (id, digest, user, label, scopes, hint, created_ms, expires_ms, revoked_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      key.id,
      key.digest,
      key.user,
      key.label,
      key.scopes.join(','),
      key.hint,
      key.createdMs,
      key.expiresMs,
      key.revokedMs,
    )
}

function userOf(row: Row): StoredUser {
  return {
    name: String(row['name']),
    limits: { ...NO_LIMITS, ...(JSON.parse(String(row['limits'])) as Partial<UserLimits>) },
    disabled: row['disabled'] === 1,
    expiresMs: numberOf(row['expires_ms']),
    note: textOf(row['note']),
    createdMs: Number(row['created_ms']),
  }
}

function keyOf(row: Row): StoredKey {
  return {
    id: String(row['id']),
    digest: String(row['digest']),
    user: String(row['user']),
    label: textOf(row['label']),
    scopes: String(row['scopes']).split(',') as Scope[],
    hint: String(row['hint']),
    createdMs: Number(row['created_ms']),
    expiresMs: numberOf(row['expires_ms']),
    revokedMs: numberOf(row['revoked_ms']),
  }
}

function auditOf(row: Row): AuditRow {
  return {
    at: new Date(Number(row['at_ms'])).toISOString(),
    who: String(row['who']),
    face: String(row['face']),
    action: String(row['action']),
    target: textOf(row['target']),
    change: textOf(row['change']),
    ok: row['ok'] === 1,
  }
}

function numberOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value)
}
