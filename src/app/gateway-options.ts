import { isIP } from 'node:net'
import type { BackendRegistry } from '../backends/registry.ts'
import type { LimitRules, UserRules } from '../gateway/admission-controller.ts'
import type { AuthOptions } from '../gateway/authenticate.ts'
import type { QueueRules } from '../gateway/backend-queue.ts'
import type { ExchangeLimits } from '../gateway/exchange.ts'
import type { GuardRules } from '../gateway/guards.ts'
import type { UserLimits } from '../policy/limits.ts'
import type { RetryPolicy } from '../policy/retry.ts'
import type { RouteTable } from '../policy/route.ts'
import { perMinute } from '../policy/token-bucket.ts'
import type { Config } from '../protocol/config.ts'
import { isLoopbackHost } from '../protocol/hosts.ts'
import type { UserLimits as GivenLimits } from '../protocol/users.ts'
import { KeyRing } from '../users/api-key.ts'

const MEBIBYTE = 1024 * 1024

/** How long a client may take to say what it wants (DESIGN 3); fixed, but for tests. */
export type ClientPatience = { headersMs: number; bodySilenceMs: number }

export const CLIENT_PATIENCE: ClientPatience = { headersMs: 10_000, bodySilenceMs: 30_000 }

/**
 * The addresses to listen on: loopback means both families, since `localhost` may be either (reliability.md 3.1). An
 * address that another one takes in is not opened for itself, which the system would refuse.
 */
export function listenHosts(config: Config): string[] {
  const hosts = [config.server.host].flat()
  const loopback = hosts.some((host) => host === '127.0.0.1' || host === 'localhost')
  const named = hosts
    .filter((host) => host !== 'localhost' && host !== '127.0.0.1')
    .map((host) => host.replace(/^\[|\]$/g, ''))
  const all = [...new Set([...(loopback ? ['127.0.0.1', '::1'] : []), ...named])]
  if (all.includes('::')) return all.filter((host) => host === '::' || isIP(host) === 0)
  if (!all.includes('0.0.0.0')) return all
  return ['0.0.0.0', '::1', ...all.filter((host) => isIP(host) !== 4 && host !== '::1')]
}

/** `hosts`: all that it listens at. */
export function authOptions({ auth, server }: Config, hosts: readonly string[] = [server.host].flat()): AuthOptions {
  const keys = auth.api_keys.map((entry) => (typeof entry === 'string' ? { key: entry, user: null } : entry))
  const beyond = hosts.some((host) => !isLoopbackHost(host))
  const required = auth.mode === 'required' || (auth.mode === 'auto' && (keys.length > 0 || beyond))
  return {
    mode: auth.mode === 'off' ? 'off' : required ? 'required' : 'loopback',
    keys: new KeyRing(keys),
    adminKey: auth.admin_key,
  }
}

export function guardRules({ server }: Config, hosts: readonly string[]): GuardRules {
  const names = ['127.0.0.1', 'localhost', '[::1]', ...hosts, ...server.allowed_hosts]
  const known = names.filter((name) => name !== '0.0.0.0' && name !== '::').map(bracketed)
  return { hosts: new Set(known), origins: new Set(server.cors_origins) }
}

/** A Host header writes IPv6 addresses in brackets. */
function bracketed(host: string): string {
  const name = host.toLowerCase()
  return name.includes(':') && !name.startsWith('[') ? `[${name}]` : name
}

export function exchangeLimits({ server, timeouts, queue }: Config, { bodySilenceMs }: ClientPatience): ExchangeLimits {
  return {
    maxBodyBytes: Math.floor(server.max_body_mb * MEBIBYTE),
    bodySilenceMs,
    maxAnswerBytes: Math.floor(server.max_response_mb * MEBIBYTE),
    firstByteMs: timeouts.first_byte * 1000,
    idleMs: timeouts.idle * 1000,
    totalMs: timeouts.total * 1000,
    nonStreamMs: timeouts.non_stream * 1000,
    keepAliveAfterMs: timeouts.keepalive_comment_after * 1000,
    queueMs: queue.default_timeout * 1000,
  }
}

export function queueRules({ queue }: Config): Omit<QueueRules, 'onAlarm'> {
  return { perBand: queue.max_size, guarantees: queue.guarantee }
}

export function retryOptions({ retry, fallback }: Config): RetryPolicy & { budget: number } {
  return {
    maxRetries: retry.max_retries,
    baseDelayMs: retry.base_delay * 1000,
    maxDelayMs: retry.max_delay * 1000,
    exponentialBase: retry.exponential_base,
    respectRetryAfter: retry.respect_retry_after,
    maxRetryAfterMs: retry.max_retry_after * 1000,
    defaultRetryAfterMs: retry.default_retry_after * 1000,
    budget: retry.budget,
    fallback: {
      enabled: fallback.enabled,
      onRateLimit: fallback.on_rate_limit,
      onContextOverflow: fallback.on_context_overflow,
    },
  }
}

/** `rate_limit` with its rates resolved; `requests_per_minute` goes before rate and burst. */
export function limitRules({ rate_limit }: Config): LimitRules {
  const { default_rate, default_burst, tokens_per_minute, max_concurrent } = rate_limit
  const byDefault: UserLimits = {
    requests: { perSecond: default_rate, burst: default_burst },
    tokensPerMinute: tokens_per_minute,
    maxConcurrent: max_concurrent,
  }
  const users = new Map<string, UserRules>()
  for (const [name, user] of Object.entries(rate_limit.users)) {
    users.set(name, userRules({ ...user, daily_tokens: null }, rate_limit))
  }
  const anybody = { limits: byDefault, models: null, weight: 1, maxBand: 'high', allowRemote: false } as const
  return { enabled: rate_limit.enabled, byDefault: anybody, users }
}

/** What one user may, with `rate_limit` where nothing is said of him. */
export function userRules(user: GivenLimits, byDefault: Config['rate_limit']): UserRules {
  const rate = { perSecond: user.rate ?? byDefault.default_rate, burst: user.burst ?? byDefault.default_burst }
  return {
    limits: {
      requests: user.requests_per_minute === null ? rate : perMinute(user.requests_per_minute),
      tokensPerMinute: user.tokens_per_minute ?? byDefault.tokens_per_minute,
      maxConcurrent: user.max_concurrent ?? byDefault.max_concurrent,
    },
    models: user.models === null ? null : new Set(user.models),
    weight: user.weight ?? 1,
    maxBand: user.max_priority ?? 'high',
    allowRemote: user.allow_remote,
    dailyTokens: user.daily_tokens,
  }
}

export function routeTable(
  { routing, default_model, privacy }: Config,
  defaultBackend: string | null,
  blocked: readonly string[] = [],
): RouteTable {
  return {
    aliases: new Map(Object.entries(routing.aliases)),
    tasks: new Map(Object.entries(routing.tasks)),
    defaultBackend,
    defaultModel: default_model,
    offline: privacy.offline,
    blocked,
  }
}

/** Names for the start's output, as `GET /v1/models` would list them. */
export function servedModels(registry: BackendRegistry, { aliases }: RouteTable): string[] {
  const models = new Set(registry.all().flatMap((backend) => [...backend.models]))
  for (const [alias, to] of aliases) {
    const targets = typeof to === 'string' ? [to] : to.map(({ model }) => model)
    if (targets.some((model) => models.has(model))) models.add(alias)
  }
  return [...models]
}
