import type { Band } from './snapshot.ts'

/** What a user may; null: as `rate_limit` says for everybody, or not limited. Rates per second, tokens per day of UTC. */
export type UserLimits = {
  rate: number | null
  burst: number | null
  /** In place of rate and burst. */
  requests_per_minute: number | null
  tokens_per_minute: number | null
  max_concurrent: number | null
  weight: number | null
  max_priority: Band | null
  models: string[] | null
  daily_tokens: number | null
  allow_remote: boolean
}

export const NO_LIMITS: UserLimits = {
  rate: null,
  burst: null,
  requests_per_minute: null,
  tokens_per_minute: null,
  max_concurrent: null,
  weight: null,
  max_priority: null,
  models: null,
  daily_tokens: null,
  allow_remote: false,
}

/** Moments are ISO 8601. `file`: of the configuration, which alone may change it. */
export type UserView = {
  name: string
  source: 'file' | 'store'
  disabled: boolean
  expires: string | null
  note: string | null
  limits: UserLimits
  keys: number
  created: string | null
  now: { running: number; waiting: number }
  /** Since midnight UTC. */
  today: { requests: number; tokens: number; errors: number }
  lastSeen: string | null
  /** Where the last call came from; null: there was none since the start. Kept in memory only. */
  lastFrom: { address: string; remote: boolean } | null
}

export const SCOPES = ['inference', 'admin:read', 'admin:write'] as const

/** What a key opens. `admin:write` opens what `admin:read` does, too. */
export type Scope = (typeof SCOPES)[number]

export type KeyView = {
  id: string
  user: string
  label: string | null
  scopes: string[]
  source: 'file' | 'store'
  /** Its first characters, to tell it from others: `lx-ab12…`. */
  hint: string
  created: string | null
  expires: string | null
  /** To the minute. */
  lastUsed: string | null
  revoked: string | null
}

/** The secret is told here and never again. */
export type MintedKey = { key: KeyView; secret: string }

/** One ended request. Times in milliseconds. */
export type HistoryRow = {
  id: string
  at: string
  user: string | null
  keyId: string | null
  app: string | null
  model: string | null
  backend: string | null
  endpoint: string
  stream: boolean
  band: string | null
  status: number
  outcome: string
  error: string | null
  attempts: number
  /** Tries that failed and were repeated, here or elsewhere; `afterMs`: since the request came. */
  tries: { backend: string; reason: string; afterMs: number }[]
  /** The backend that answered was a fallback. */
  fellBack: boolean
  queueMs: number | null
  ttftMs: number | null
  totalMs: number
  promptTokens: number | null
  completionTokens: number | null
  cachedTokens: number | null
  /** Why the model stopped: `stop`, `length`, `tool_calls` and so on; null: nothing was said. */
  finish: string | null
  /** Of the body; null: it was not read, or it was before Lexora kept this. */
  requestBytes: number | null
  /** Of a backend's answer, as far as the client was handed it; null: nothing of it, or not kept. */
  answerBytes: number | null
}

/** What was asked to be told apart; the rest is null. */
export type UsageRow = {
  /** As `2026-11-21T14`. */
  hour: string | null
  day: string | null
  user: string | null
  model: string | null
  backend: string | null
  requests: number
  errors: number
  promptTokens: number
  completionTokens: number
  cachedTokens: number
}

/** How many requests, of those that are kept, ended with an error code. */
export type ReasonRow = { reason: string; requests: number }

/** One thing that an operator did. `who`: a key's id, `admin_key`, or the session's face. */
export type AuditRow = {
  at: string
  who: string
  face: string
  action: string
  target: string | null
  /** What was asked for, as JSON; never a secret. */
  change: string | null
  ok: boolean
}

/** Who gives a command. `here`: from this machine. */
export type Caller = { who: string; face: 'window' | 'cli' | 'http'; here: boolean }

/** The window of this process. */
export const WINDOW: Caller = { who: 'window', face: 'window', here: true }

/** What a backup holds, or what a restore has brought back. */
export type BackupReport = { file: string; bytes: number; users: number; keys: number; requests: number }

/** `before`: what was there until then, as a backup. `restart`: a Lexora that runs has it in force at once. */
export type RestoreReport = BackupReport & { before: string; madeAt: string }
