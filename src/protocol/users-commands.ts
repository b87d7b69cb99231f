import { z } from 'zod'
import { row } from './command-row.ts'
import { say } from './sentence.ts'
import {
  type AuditRow,
  type BackupReport,
  type HistoryRow,
  type KeyView,
  type MintedKey,
  type ReasonRow,
  type RestoreReport,
  SCOPES,
  type UsageRow,
  type UserView,
} from './users.ts'

/** As JSON has it, or as the terminal and a query write it. */
const numeral = z
  .string()
  .regex(/^\d{1,12}(\.\d{1,6})?$/, say('is not a number'))
  .transform(Number)
const whole = z.int(say('is not whole')).min(1, say('is less than 1')).max(1_000_000_000, say('is too large'))
const positive = z.number().gt(0, say('is not above 0')).max(1_000_000, say('is too large'))
const number = (kind: typeof whole | typeof positive) =>
  z.union([z.number(), numeral], say('is not a number')).pipe(kind)

/** Null, or `none` in a terminal, takes a setting away. */
const none = z.literal('none').transform(() => null)
const clearable = <Kind extends z.ZodType>(kind: Kind, says: string) => z.union([z.null(), none, kind], says).optional()

const count = clearable(number(whole), say('must be a whole number from 1, or none'))
const rate = clearable(number(positive), say('must be a number above 0, or none'))
const onOff = z.union([z.boolean(), z.stringbool()], say('is neither true nor false')).optional()

const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u
const words = (most: number) =>
  z.string().regex(PRINTABLE, say('must be printable, and not empty')).max(most, say`is longer than ${most} characters`)
const userName = words(128)
const keyId = z.string().regex(/^[\w-]{1,64}$/, say('is not the id of a key'))
const label = clearable(words(128), say('must be 1 to 128 printable characters, or none'))

/** A date, or how long ago or ahead: `24h`, `7d`. The owner of the clock makes a moment of it. */
const MOMENT = /^(\d{1,6}[smhdw]|\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?)$/
const moment = z
  .string()
  .regex(MOMENT, say('must be a date as in 2026-11-21T08:00Z, or a time span as in 24h or 7d'))
  .refine((text) => /^\d+[smhdw]$/.test(text) || !Number.isNaN(Date.parse(text)), say('is no date of the calendar'))

/** Of what is measured of a request: `>2s`, `<500ms`. */
const bound = z
  .string()
  .regex(/^[<>]\s*\d{1,6}(\.\d{1,3})?\s*(ms|s|m)?$/, say('must be a bound as in >2s or <500ms'))
  .optional()

const list = <Item extends string>(item: z.ZodType<Item, string>, most: number) =>
  z
    .union([z.array(z.string()), z.string().transform((text) => text.split(',').map((part) => part.trim()))])
    .pipe(z.array(item).min(1, say('is empty')).max(most, say('is too long')))
    .transform((items) => [...new Set(items)])

const limits = {
  rate,
  burst: count,
  requests_per_minute: count,
  tokens_per_minute: count,
  max_concurrent: count,
  weight: rate,
  max_priority: clearable(z.enum(['high', 'normal', 'low']), say('must be high, normal, low or none')),
  models: clearable(list(words(256), 1000), say('must be a list of models, or none')),
  daily_tokens: clearable(
    number(z.int(say('is not whole')).min(1).max(1e15)),
    say('must be a whole number from 1, or none'),
  ),
  allow_remote: onOff,
  expires: clearable(moment, say('must be a date, a time span ahead as in 30d, or none')),
  disabled: onOff,
  note: clearable(words(1000), say('must be 1 to 1000 printable characters, or none')),
}

const scopes = list(z.enum(SCOPES, say`must be of ${SCOPES.join(', ')}`), SCOPES.length).optional()

const pageSize = (most: number) =>
  z
    .union([z.number(), numeral], say('is not a number'))
    .pipe(z.int(say('is not whole')).min(1, say('is less than 1')).max(most, say`is more than ${most}`))
    .optional()
const cursor = z
  .string()
  .regex(/^\d{1,15}$/, say('is no place in this list'))
  .optional()
const file = words(4096)

const BY = ['hour', 'day', 'user', 'model', 'backend'] as const

/** Users, their keys, what they used, and what operators did. */
export const USERS_COMMANDS = {
  listUsers: row<{ users: UserView[] }>()({
    method: 'GET',
    path: '/admin/users',
    cli: ['users'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'who may call, with which limits, and what they used today',
  }),
  createUser: row<UserView>()({
    method: 'POST',
    path: '/admin/users/create',
    cli: ['users', 'add'],
    places: ['name'],
    scope: 'admin:write',
    args: z.strictObject({ name: userName, ...limits }),
    about: 'add a user; a limit that is not given is that of rate_limit',
  }),
  updateUser: row<UserView>()({
    method: 'POST',
    path: '/admin/users/{name}/update',
    cli: ['users', 'set'],
    scope: 'admin:write',
    args: z.strictObject({ name: userName, ...limits }),
    about: 'change limits from the next request on; none takes one away, --disabled true shuts a user out',
  }),
  deleteUser: row<{ deleted: string; keys: number }>()({
    method: 'POST',
    path: '/admin/users/{name}/delete',
    cli: ['users', 'rm'],
    scope: 'admin:write',
    args: z.strictObject({ name: userName }),
    about: 'remove a user and all his keys',
  }),
  listKeys: row<{ keys: KeyView[] }>()({
    method: 'GET',
    path: '/admin/keys',
    cli: ['keys'],
    scope: 'admin:read',
    args: z.strictObject({ user: userName.optional() }),
    about: 'all keys, never their secrets',
  }),
  createKey: row<MintedKey>()({
    method: 'POST',
    path: '/admin/keys/create',
    cli: ['keys', 'add'],
    places: ['user'],
    scope: 'admin:write',
    args: z.strictObject({ user: userName, label, scopes, expires: limits.expires }),
    about: 'mint a key; its secret is shown once; scopes are inference, admin:read, admin:write',
  }),
  rotateKey: row<MintedKey>()({
    method: 'POST',
    path: '/admin/keys/{id}/rotate',
    cli: ['keys', 'rotate'],
    scope: 'admin:write',
    args: z.strictObject({
      id: keyId,
      overlap_minutes: z
        .union([z.number(), numeral], say('is not a number'))
        .pipe(z.number().min(0, say('is less than 0')).max(43_200, say('is more than 30 days')))
        .optional(),
    }),
    about: 'mint its successor; the old one works for ten more minutes, or --overlap-minutes',
  }),
  revokeKey: row<KeyView>()({
    method: 'POST',
    path: '/admin/keys/{id}/revoke',
    cli: ['keys', 'revoke'],
    scope: 'admin:write',
    args: z.strictObject({ id: keyId }),
    about: 'shut a key out at once; what runs with it is cut',
  }),
  forgetLostKeys: row<{ forgotten: boolean }>()({
    method: 'POST',
    path: '/admin/keys/forget-lost',
    cli: ['keys', 'forget-lost'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'go on without keys whose file could not be read',
  }),
  usage: row<{ rows: UsageRow[] }>()({
    method: 'GET',
    path: '/admin/usage',
    cli: ['usage'],
    scope: 'admin:read',
    args: z.strictObject({
      since: moment.optional(),
      until: moment.optional(),
      by: list(z.enum(BY, say`must be of ${BY.join(', ')}`), BY.length).optional(),
    }),
    about: 'requests and tokens --since 7d, --by hour, day, user, model or backend, or several of them',
  }),
  requestHistory: row<{ rows: HistoryRow[]; next: string | null }>()({
    method: 'GET',
    path: '/admin/requests/history',
    cli: ['requests', 'history'],
    scope: 'admin:read',
    args: z.strictObject({
      user: userName.optional(),
      model: words(256).optional(),
      outcome: z
        .enum(['ok', 'error', 'client_error', 'backend_error', 'stream_error', 'client_closed'], say('is no outcome'))
        .optional(),
      status: z
        .string()
        .regex(/^[1-5](\d\d|xx)$/i, say('must be a status or a class of them, as in 429 or 5xx'))
        .optional(),
      queue: bound,
      ttft: bound,
      total: bound,
      since: moment.optional(),
      until: moment.optional(),
      search: words(256).optional(),
      before: cursor,
      limit: pageSize(1000),
    }),
    about: "requests that have ended, the newest first; --status 5xx, --ttft '>2s', --queue, --total",
  }),
  requestReasons: row<{ rows: ReasonRow[] }>()({
    method: 'GET',
    path: '/admin/requests/reasons',
    cli: ['requests', 'reasons'],
    scope: 'admin:read',
    args: z.strictObject({ user: userName.optional(), since: moment.optional(), until: moment.optional() }),
    about: 'why requests were refused or failed, and how often: --user NAME, --since 7d',
  }),
  auditLog: row<{ rows: AuditRow[]; next: string | null }>()({
    method: 'GET',
    path: '/admin/audit',
    cli: ['audit'],
    scope: 'admin:read',
    args: z.strictObject({ limit: pageSize(1000), before: cursor }),
    about: 'what operators did, the newest first',
  }),
  backup: row<BackupReport>()({
    method: 'POST',
    path: '/admin/backup',
    cli: ['backup'],
    places: ['file'],
    scope: 'admin:write',
    args: z.strictObject({ file }),
    onlyHere: true,
    about: 'write users, keys, usage and history into one new file; works without a running Lexora, too',
    answersWithinMs: 300_000,
  }),
  restore: row<RestoreReport>()({
    method: 'POST',
    path: '/admin/restore',
    cli: ['restore'],
    places: ['file'],
    scope: 'admin:write',
    args: z.strictObject({ file }),
    onlyHere: true,
    about: 'put back what a backup holds; works without a running Lexora, too',
    answersWithinMs: 300_000,
  }),
} as const
