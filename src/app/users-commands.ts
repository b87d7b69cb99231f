import { dirname, join } from 'node:path'
import type { z } from 'zod'
import { type AppCommands, type COMMANDS, CommandError } from '../protocol/commands.ts'
import { problem } from '../protocol/errors.ts'
import { say } from '../protocol/sentence.ts'
import type { USERS_COMMANDS } from '../protocol/users-commands.ts'
import type { Accounts } from '../store/accounts.ts'
import { restoreAccounts } from '../store/backup.ts'
import type { Store } from '../store/database.ts'
import type { History } from '../store/history.ts'
import type { HistoryBound } from '../store/history-tables.ts'
import { momentMs } from './moments.ts'
import type { People, UserChange } from './people.ts'

export type RecordParts = {
  people: () => People
  store: Store
  accounts: Accounts
  /** Null: none is kept. */
  history: History | null
  now: () => number
}

type Name = keyof typeof USERS_COMMANDS
type Given<Command extends Name> = z.output<(typeof COMMANDS)[Command]['args']>

const PAGE = 100
const DAY_MS = 86_400_000
const USAGE_MS = 30 * DAY_MS
const REASONS_MS = 7 * DAY_MS
const OVERLAP_MINUTES = 10

/** Users, keys, what they used, what operators did. The arguments are those that the schemas have passed. */
export function userCommands({ people, store, accounts, history, now }: RecordParts): Pick<AppCommands, Name> {
  const ahead = (text: string): number => momentMs(text, now(), 'ahead')
  const ago = (text: string | undefined): number | null => (text === undefined ? null : momentMs(text, now(), 'ago'))
  const changeOf = ({ expires, ...rest }: Omit<Given<'createUser'>, 'name'>): UserChange => {
    const change = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as UserChange
    return expires === undefined ? change : { ...change, expiresMs: expires === null ? null : ahead(expires) }
  }
  const commands: { [Command in Name]: (given: Given<Command>) => ReturnType<AppCommands[Command]> } = {
    listUsers: async () => ({ users: people().list() }),
    createUser: async ({ name, ...rest }) => people().create(name, changeOf(rest)),
    updateUser: async ({ name, ...rest }) => people().update(name, changeOf(rest)),
    deleteUser: async ({ name }) => ({ deleted: name, keys: people().delete(name) }),
    listKeys: async ({ user }) => ({ keys: people().listKeys(user) }),
    createKey: async ({ user, label = null, scopes = ['inference'], expires = null }) =>
      people().createKey({ user, label, scopes, expiresMs: expires === null ? null : ahead(expires) }),
    rotateKey: async ({ id, overlap_minutes = OVERLAP_MINUTES }) => people().rotateKey(id, overlap_minutes),
    revokeKey: async ({ id }) => people().revokeKey(id),
    forgetLostKeys: async () => ({ forgotten: people().forgetLost() }),
    usage: async ({ since, until, by = ['day'] }) => {
      const [sinceMs, untilMs] = [ago(since) ?? now() - USAGE_MS, ago(until) ?? now()]
      return { rows: (await history?.usage({ sinceMs, untilMs, by })) ?? [] }
    },
    requestHistory: async ({
      user,
      model,
      outcome,
      status,
      queue,
      ttft,
      total,
      since,
      until,
      search,
      before,
      limit,
    }) => {
      const page = { before: before === undefined ? null : Number(before), limit: limit ?? PAGE }
      const bounds = { queue: boundOf(queue), ttft: boundOf(ttft), total: boundOf(total) }
      const span = { sinceMs: ago(since), untilMs: ago(until) }
      const query = { user, model, outcome, status: status?.toLowerCase(), bounds, search, ...span, ...page }
      return (await history?.requests(query)) ?? { rows: [], next: null }
    },
    requestReasons: async ({ user, since, until }) => {
      const [sinceMs, untilMs] = [ago(since) ?? now() - REASONS_MS, ago(until) ?? now()]
      return { rows: (await history?.reasons({ user, sinceMs, untilMs })) ?? [] }
    },
    auditLog: async ({ limit, before }) =>
      accounts.auditLog({ limit: limit ?? PAGE, before: before === undefined ? null : Number(before) }),
    backup: async ({ file }) => {
      const { history: kept, files } = onDisk()
      return await kept.backup(files, file).catch(refuse)
    },
    restore: async ({ file }) => {
      const { history: kept, files } = onDisk()
      const folder = dirname(files.accounts)
      const prepared = await kept.prepareRestore(file, folder).catch(refuse)
      try {
        const before = join(folder, beforeRestore(now()))
        await kept.backup(files, before).catch(refuse)
        restoreAccounts(store, prepared)
        people().apply()
        await kept.restore(prepared).catch(refuse)
        return { ...prepared.report, before, madeAt: prepared.madeAt }
      } finally {
        await kept.discard(prepared)
      }
    },
  }
  // Their callers may leave out what a schema fills in; what arrives here has passed it.
  return commands as unknown as Pick<AppCommands, Name>

  function onDisk() {
    store.flush()
    if (history === null || store.path === null)
      throw new CommandError(problem('invalid_request', say('This Lexora keeps nothing on the disk.')))
    return { history, files: { accounts: store.path, history: history.path } }
  }
}

/** The name under which what was there is kept. */
export function beforeRestore(nowMs: number): string {
  return `before-restore-${new Date(nowMs).toISOString().replace(/[:.]/g, '-')}.db`
}

function refuse(error: Error): never {
  throw new CommandError(problem('invalid_request', `${error.message}.`, { param: 'file' }))
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000 }

/** `>2s` → above 2000 ms; seconds where no unit is named. */
function boundOf(text: string | undefined): HistoryBound | null {
  const [, sign, number, unit = 's'] = /^([<>])\s*([\d.]+)\s*(\w+)?$/.exec(text ?? '') ?? []
  return sign === undefined ? null : { above: sign === '>', ms: Number(number) * UNITS[unit]! }
}
