import type { AppCommands } from '../protocol/commands.ts'
import type {
  AuditRow,
  BackupReport,
  HistoryRow,
  KeyView,
  MintedKey,
  ReasonRow,
  UsageRow,
  UserLimits,
  UserView,
} from '../protocol/users.ts'
import type { USERS_COMMANDS } from '../protocol/users-commands.ts'
import { bytes, type Column, count, millis, moment, plain, table } from './format.ts'
import type { Look } from './status-view.ts'

type Name = keyof typeof USERS_COMMANDS
type ResultOf<Command extends Name> = Awaited<ReturnType<AppCommands[Command]>>

/** What the commands about users, keys and what happened print for people. */
export const USERS_PRINTERS: { [Command in Name]: (result: ResultOf<Command>, look: Look) => string[] } = {
  listUsers: ({ users }, look) => userTable(users, look),
  createUser: (user, look) => [...userTable([user], look), `A key for him: lexora keys add ${plain(user.name)}`],
  updateUser: (user, look) => userTable([user], look),
  deleteUser: ({ deleted, keys }) => [`Deleted ${plain(deleted)} and ${keys === 1 ? 'his key' : `his ${keys} keys`}.`],
  listKeys: ({ keys }, look) => keyTable(keys, look),
  createKey: mintedLines,
  rotateKey: (minted, look) => [...mintedLines(minted, look), 'The old key works until then: lexora keys'],
  revokeKey: (key, look) => keyTable([key], look),
  forgetLostKeys: ({ forgotten }) => [forgotten ? 'Forgotten: they are no keys any more.' : 'No keys were lost.'],
  usage: ({ rows }, look) => usageTable(rows, look),
  requestHistory: ({ rows, next }, look) => [...historyTable(rows, look), ...more(next)],
  requestReasons: ({ rows }, look) => reasonTable(rows, look),
  auditLog: ({ rows, next }, look) => [...auditTable(rows, look), ...more(next)],
  backup: (report) => [`Wrote ${inside(report)}. Keep it where only you can read it.`],
  restore: (report) => [
    `Restored ${inside(report)}, as of ${shortTime(report.madeAt)}.`,
    `What was there before is in ${plain(report.before)}`,
  ],
}

function userTable(users: readonly UserView[], look: Look): string[] {
  if (users.length === 0) return ['There are no users. Add one: lexora users add NAME']
  const columns: Column[] = [
    { title: 'USER' },
    { title: 'STATE' },
    { title: 'KEYS', align: 'right' },
    { title: 'NOW', align: 'right' },
    { title: 'TODAY', align: 'right' },
    { title: 'TOKENS', align: 'right' },
    { title: 'LAST SEEN' },
    { title: 'FROM' },
    { title: 'LIMITS' },
  ]
  const rows = users.map((user) => [
    plain(user.name),
    stateOf(user),
    String(user.keys),
    user.now.waiting > 0 ? `${user.now.running}+${user.now.waiting}` : String(user.now.running),
    count(user.today.requests),
    count(user.today.tokens),
    shortTime(user.lastSeen),
    user.lastFrom === null ? '-' : user.lastFrom.remote ? user.lastFrom.address : 'here',
    limitWords(user.limits),
  ])
  return withHead(table(columns, rows, look.width), look)
}

function stateOf({ disabled, expires, source }: UserView): string {
  if (disabled) return 'disabled'
  if (expires !== null) return `until ${shortTime(expires)}`
  return source === 'file' ? 'in the file' : 'active'
}

function limitWords(limits: UserLimits): string {
  const { rate, burst, requests_per_minute, tokens_per_minute, max_concurrent, weight, models, daily_tokens } = limits
  const said: [string, number | null][] = [
    ['req/s', rate],
    ['burst', burst],
    ['req/min', requests_per_minute],
    ['tok/min', tokens_per_minute],
    ['at once', max_concurrent],
    ['tok/day', daily_tokens],
    ['weight', weight],
  ]
  const words = said.flatMap(([name, value]) => (value === null ? [] : [`${count(value)} ${name}`]))
  if (limits.max_priority !== null && limits.max_priority !== 'high') words.push(`at most ${limits.max_priority}`)
  if (models !== null) words.push(plain(models.join(' ')))
  if (limits.allow_remote) words.push('remote')
  return words.length === 0 ? 'as everybody' : words.join(', ')
}

function keyTable(keys: readonly KeyView[], look: Look): string[] {
  if (keys.length === 0) return ['There are no keys. Mint one: lexora keys add USER']
  const columns: Column[] = [
    { title: 'ID' },
    { title: 'USER' },
    { title: 'KEY' },
    { title: 'LABEL' },
    { title: 'SCOPES' },
    { title: 'STATE' },
    { title: 'LAST USED' },
    { title: 'CREATED' },
  ]
  const rows = keys.map(({ id, user, hint, label, scopes, revoked, expires, source, lastUsed, created }) => [
    id,
    plain(user) || '-',
    plain(hint),
    plain(label ?? '-'),
    scopes.join(','),
    keyState(revoked, expires, source),
    shortTime(lastUsed),
    shortTime(created),
  ])
  return withHead(table(columns, rows, look.width), look)
}

function keyState(revoked: string | null, expires: string | null, source: string): string {
  if (revoked !== null) return `revoked ${shortTime(revoked)}`
  if (expires !== null) return `until ${shortTime(expires)}`
  return source === 'file' ? 'in the file' : 'active'
}

/** The one place where a secret is printed: it was asked for, and cannot be had again. */
function mintedLines({ key, secret }: MintedKey, look: Look): string[] {
  return [...keyTable([key], look), '', secret, '', 'This is shown once. Lexora keeps only what knows it again.']
}

function usageTable(rows: readonly UsageRow[], look: Look): string[] {
  if (rows.length === 0) return ['Nothing was asked in this time.']
  const by = (['hour', 'day', 'user', 'model', 'backend'] as const).filter((name) =>
    rows.some((row) => row[name] !== null),
  )
  const numbers = ['REQUESTS', 'ERRORS', 'PROMPT', 'ANSWER', 'CACHED']
  const columns: Column[] = [
    ...by.map((name) => ({ title: name.toUpperCase() })),
    ...numbers.map((title) => ({ title, align: 'right' as const })),
  ]
  const lines = rows.map((row) => [
    ...by.map((name) => plain(row[name] ?? (name === 'user' ? 'anonymous' : '-'))),
    ...[row.requests, row.errors, row.promptTokens, row.completionTokens, row.cachedTokens].map(count),
  ])
  return withHead(table(columns, lines, look.width), look)
}

function reasonTable(rows: readonly ReasonRow[], look: Look): string[] {
  if (rows.length === 0) return ['No request was refused or failed in this time.']
  const columns: Column[] = [{ title: 'REASON' }, { title: 'REQUESTS', align: 'right' }]
  const lines = rows.map(({ reason, requests }) => [plain(reason), count(requests)])
  return withHead(table(columns, lines, look.width), look)
}

function historyTable(rows: readonly HistoryRow[], look: Look): string[] {
  if (rows.length === 0) return ['No request has ended in this time.']
  const columns: Column[] = [
    { title: 'TIME' },
    { title: 'USER' },
    { title: 'MODEL' },
    { title: 'STATUS' },
    { title: 'QUEUE', align: 'right' },
    { title: 'FIRST', align: 'right' },
    { title: 'TOTAL', align: 'right' },
    { title: 'PROMPT', align: 'right' },
    { title: 'ANSWER', align: 'right' },
    { title: 'TRIES', align: 'right' },
    { title: 'BACKEND' },
    { title: 'ID' },
  ]
  const number = (value: number | null): string => (value === null ? '-' : count(value))
  const lines = rows.map((row) => [
    shortTime(row.at),
    plain(row.user ?? 'anonymous'),
    plain(row.model ?? '-'),
    row.error === null ? String(row.status) : `${row.status} ${plain(row.error)}`,
    millis(row.queueMs),
    millis(row.ttftMs),
    millis(row.totalMs),
    number(row.promptTokens),
    number(row.completionTokens),
    String(row.attempts),
    plain(row.backend ?? '-'),
    plain(row.id),
  ])
  return withHead(table(columns, lines, look.width), look)
}

function auditTable(rows: readonly AuditRow[], look: Look): string[] {
  if (rows.length === 0) return ['No operator has done anything yet.']
  const columns: Column[] = [
    { title: 'TIME' },
    { title: 'WHO' },
    { title: 'ACTION' },
    { title: 'TARGET' },
    { title: 'DONE' },
    { title: 'CHANGE' },
  ]
  const lines = rows.map(({ at, who, action, target, ok, change }) => [
    shortTime(at),
    plain(who),
    action,
    plain(target ?? '-'),
    ok ? 'yes' : 'no',
    plain(change ?? '-'),
  ])
  return withHead(table(columns, lines, look.width), look)
}

function inside({ file, bytes: size, users, keys, requests }: BackupReport): string {
  const much = size < 2 ** 20 ? `${Math.ceil(size / 1024)} KiB` : bytes(size)
  return `${plain(file)} (${much}): ${count(users)} users, ${count(keys)} keys, ${count(requests)} requests`
}

function more(next: string | null): string[] {
  return next === null ? [] : [`More: --before ${next}`]
}

/** To the second, in UTC, as days are counted. */
function shortTime(iso: string | null): string {
  return iso === null ? '-' : `${moment(iso)}Z`
}

function withHead([head = '', ...body]: string[], { paint }: Look): string[] {
  return [paint('dim', head), ...body]
}
