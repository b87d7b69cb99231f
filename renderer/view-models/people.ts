import type { ConfigView } from '../../src/protocol/config-view.ts'
import type { UserView as LiveUser } from '../../src/protocol/snapshot.ts'
import { type KeyView, NO_LIMITS, type UsageRow, type UserLimits, type UserView } from '../../src/protocol/users.ts'
import { moment } from '../format.ts'
import type { Translate } from '../i18n/index.ts'

/** What a row of the table shows beside the name. A limit that is null is that of rate_limit. */
export type PersonRow = {
  user: UserView
  /** The first key that opens; null: none. */
  keyHint: string | null
  moreKeys: number
  perMinute: number | null
  tokensPerMinute: number | null
  atOnce: number | null
  tokensNow: number
  requestsNow: number
  waitedMs: number | null
  /** Of the tokens of a minute, 0 to 1; null: not limited. */
  share: number | null
}

export function isLiveKey({ revoked, expires }: KeyView, now: number): boolean {
  return revoked === null && (expires === null || Date.parse(expires) > now)
}

/** By their names, those for whom a key works. */
export function callers(users: readonly UserView[], now: number): string[] {
  return users
    .filter(({ disabled, expires }) => !disabled && (expires === null || Date.parse(expires) > now))
    .map(({ name }) => name)
}

/** Users with their keys and what the gateway knows of the last minute. `search`: a part of the name or the note. */
export function personRows(
  users: readonly UserView[],
  keys: readonly KeyView[],
  live: readonly LiveUser[],
  config: ConfigView | null,
  search: string,
  now: number,
): PersonRow[] {
  const wanted = search.trim().toLowerCase()
  const common = commonLimits(config)
  return users
    .filter(({ name, note }) => `${name} ${note ?? ''}`.toLowerCase().includes(wanted))
    .map((user) => {
      const own = keys.filter((key) => key.user === user.name && isLiveKey(key, now))
      const seen = live.find(({ name }) => name === user.name)
      const tokensPerMinute = user.limits.tokens_per_minute ?? common.tokensPerMinute
      return {
        user,
        keyHint: own[0]?.hint ?? null,
        moreKeys: Math.max(0, own.length - 1),
        perMinute: requestsPerMinute(user.limits) ?? common.perMinute,
        tokensPerMinute,
        atOnce: user.limits.max_concurrent ?? common.atOnce,
        tokensNow: seen?.tokensThisMinute ?? 0,
        requestsNow: seen?.requestsThisMinute ?? 0,
        waitedMs: seen?.waitedMs?.max ?? null,
        share: tokensPerMinute === null ? null : (seen?.tokensThisMinute ?? 0) / tokensPerMinute,
      }
    })
}

function requestsPerMinute({ requests_per_minute: perMinute, rate }: UserLimits): number | null {
  return perMinute ?? (rate === null ? null : rate * 60)
}

type CommonLimits = { perMinute: number | null; tokensPerMinute: number | null; atOnce: number | null }

/** What holds for everybody who has no limits of his own. */
function commonLimits(config: ConfigView | null): CommonLimits {
  const say = (path: string): unknown => config?.entries.find((entry) => entry.path === path)?.value
  if (config === null || say('rate_limit.enabled') === false)
    return { perMinute: null, tokensPerMinute: null, atOnce: null }
  const numeral = (path: string): number | null => (typeof say(path) === 'number' ? (say(path) as number) : null)
  const rate = numeral('rate_limit.default_rate')
  return {
    perMinute: rate === null ? null : rate * 60,
    tokensPerMinute: numeral('rate_limit.tokens_per_minute'),
    atOnce: numeral('rate_limit.max_concurrent'),
  }
}

export type Access =
  | { may: 'all' }
  /** Refused with 401. */
  | { may: 'none' }
  /** Nobody else can even connect. */
  | { may: 'unreachable' }

export type Doors = {
  mode: 'auto' | 'required' | 'off'
  /** Programs on this machine that send no key. */
  localhost: Access
  /** Other machines that send no key. */
  others: Access
  /** Addresses beyond this machine. */
  beyond: string[]
  /** The way to open or close the first door; null: the switch would change nothing, or is not ours. */
  toggle: { value: 'auto' | 'required' } | null
  lockedBy: string | null
}

/** Who can call without a key, as DESIGN 3 has it. */
export function doors(config: ConfigView): Doors {
  const entry = (path: string) => config.entries.find((one) => one.path === path)
  const auth = entry('auth.mode')
  const mode = (auth?.value ?? 'auto') as Doors['mode']
  const keys = entry('auth.api_keys')?.value
  const listsKeys = Array.isArray(keys) && keys.length > 0
  const hosts = [entry('server.host')?.value ?? []].flat().map(String)
  const beyond = hosts.filter((host) => !isLoopback(host))
  const required = mode === 'required' || (mode === 'auto' && (listsKeys || beyond.length > 0))
  const without: Access = mode === 'off' || !required ? { may: 'all' } : { may: 'none' }
  const canToggle = mode !== 'off' && !auth?.locked && !(mode === 'auto' && required)
  return {
    mode,
    localhost: without,
    others: beyond.length === 0 ? { may: 'unreachable' } : mode === 'off' ? { may: 'all' } : { may: 'none' },
    beyond,
    toggle: canToggle ? { value: required ? 'auto' : 'required' } : null,
    lockedBy: auth?.locked ? auth.detail : null,
  }
}

/** Who can call while there is no user. */
export function nobodyText({ localhost, others }: Doors): 'users.none' | 'users.noneOpen' | 'users.noneKeys' {
  if (others.may === 'all') return 'users.noneOpen'
  return localhost.may === 'all' && others.may === 'unreachable' ? 'users.none' : 'users.noneKeys'
}

function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  return bare === 'localhost' || bare === '::1' || /^127\./.test(bare) || bare === '::ffff:127.0.0.1'
}

/** When somebody last called: now, within the last minute. */
function seenText(at: string | null, now: Date, t: Translate): string {
  if (at === null) return t('users.never')
  return now.getTime() - Date.parse(at) < 60_000 ? t('users.now') : moment(at, now, t.language)
}

/** When and, where it is known, from which machine. */
export function seenFrom({ lastSeen, lastFrom }: UserView, now: Date, t: Translate): string {
  const at = seenText(lastSeen, now, t)
  if (lastFrom === null) return at
  return `${at} · ${lastFrom.remote ? lastFrom.address : t('users.here')}`
}

/** Tokens of each of the last seven days of UTC, oldest first. */
export function sevenDays(
  rows: readonly UsageRow[],
  user: string,
  now: Date,
): { day: string; tokens: number; errors: number; requests: number }[] {
  return Array.from({ length: 7 }, (_, i) => {
    const at = new Date(now)
    at.setUTCDate(at.getUTCDate() - (6 - i))
    const day = at.toISOString().slice(0, 10)
    const own = rows.filter((row) => row.day === day && row.user === user)
    return {
      day,
      tokens: own.reduce((sum, row) => sum + row.promptTokens + row.completionTokens, 0),
      errors: own.reduce((sum, row) => sum + row.errors, 0),
      requests: own.reduce((sum, row) => sum + row.requests, 0),
    }
  })
}

/** A form's limits as they are typed: empty is none. */
export type LimitsForm = {
  requests_per_minute: string
  tokens_per_minute: string
  max_concurrent: string
  daily_tokens: string
  weight: string
  max_priority: '' | 'high' | 'normal' | 'low'
  models: string
  allow_remote: boolean
}

export const PRESETS = {
  personal: { requests_per_minute: '120', tokens_per_minute: '', max_concurrent: '4', max_priority: 'high' },
  team: { requests_per_minute: '60', tokens_per_minute: '400000', max_concurrent: '4', max_priority: 'normal' },
  batch: { requests_per_minute: '600', tokens_per_minute: '', max_concurrent: '16', max_priority: 'low' },
} as const

export type PresetName = keyof typeof PRESETS

export function formOf(limits: UserLimits): LimitsForm {
  const text = (value: number | null): string => (value === null ? '' : String(value))
  return {
    requests_per_minute: text(requestsPerMinute(limits)),
    tokens_per_minute: text(limits.tokens_per_minute),
    max_concurrent: text(limits.max_concurrent),
    daily_tokens: text(limits.daily_tokens),
    weight: text(limits.weight),
    max_priority: limits.max_priority ?? '',
    models: limits.models?.join(', ') ?? '',
    allow_remote: limits.allow_remote,
  }
}

export function presetForm(name: PresetName): LimitsForm {
  return { ...formOf(NO_LIMITS), ...PRESETS[name] }
}

const NUMBERS = ['requests_per_minute', 'tokens_per_minute', 'max_concurrent', 'daily_tokens', 'weight'] as const

export type NumberField = (typeof NUMBERS)[number]

/** Which fields hold no number above zero. */
export function badFields(form: LimitsForm): NumberField[] {
  return NUMBERS.filter((name) => {
    const text = plainNumber(form[name])
    if (text === '') return false
    const pattern = name === 'weight' ? /^\d+(\.\d+)?$/ : /^\d+$/
    return !pattern.test(text) || Number(text) <= 0
  })
}

/** People part thousands by spaces or commas. */
function plainNumber(text: string): string {
  return text.replace(/[\s_]|,(?=\d{3}\b)/g, '')
}

/** What createUser and updateUser are told of a form that has no bad fields. */
export function limitsOf(form: LimitsForm) {
  const numeral = (name: NumberField): number | null => {
    const text = plainNumber(form[name])
    return text === '' ? null : Number(text)
  }
  const models = form.models
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  return {
    requests_per_minute: numeral('requests_per_minute'),
    tokens_per_minute: numeral('tokens_per_minute'),
    max_concurrent: numeral('max_concurrent'),
    daily_tokens: numeral('daily_tokens'),
    weight: numeral('weight'),
    max_priority: form.max_priority === '' ? null : form.max_priority,
    models: models.length === 0 ? null : models,
    allow_remote: form.allow_remote,
  }
}

/** What an edited form changes. Rate and burst give way to the requests of a minute where those are typed. */
export function limitChanges(before: LimitsForm, after: LimitsForm): Partial<UserLimits> {
  const [old, next] = [limitsOf(before), limitsOf(after)]
  const names = Object.keys(next) as (keyof typeof next)[]
  const changed = names.filter((name) => JSON.stringify(old[name]) !== JSON.stringify(next[name]))
  const changes: Partial<UserLimits> = Object.fromEntries(changed.map((name) => [name, next[name]]))
  return changed.includes('requests_per_minute') ? { rate: null, burst: null, ...changes } : changes
}

/** For a program's environment. */
export function keyAsEnv(address: string, secret: string): string {
  return `export OPENAI_BASE_URL=${address}\nexport OPENAI_API_KEY=${secret}`
}
