import { isBlocked } from '../protocol/blocked.ts'
import {
  type BackendConfig,
  type BackendType,
  type Config,
  plainBackend,
  type ResolvedBackend,
} from '../protocol/config.ts'
import { say } from '../protocol/sentence.ts'
import { isOtherComputer } from '../telemetry/outbound.ts'
import type { Environment } from './environment.ts'
import { type Finding, type Issue, located } from './issues.ts'
import type { LoadedConfig } from './load.ts'

export type ResolvedBackends = {
  backends: ResolvedBackend[]
  /** Where unknown models go; null: they are a 404. */
  defaultBackend: string | null
  notes: string[]
  issues: Issue[]
  /** Those that are left out by `privacy.blocked`. */
  blocked: string[]
  /** False where neither a backend nor an engine is configured: then the demo engine serves. */
  configured: boolean
}

type Settings = Pick<LoadedConfig, 'config' | 'explicit'> & Partial<Pick<LoadedConfig, 'explain'>>

/** The backends that a configuration means, with their keys read from the environment. */
export function resolveBackends(settings: Settings, env: Environment): ResolvedBackends {
  const { config, explicit } = settings
  const usesVllm = explicit.has('vllm') && !config.routing.enabled
  const notes = ignored(config, explicit)
  const issues: Issue[] = []
  const report = {
    note: (text: string) => notes.push(text),
    refuse: (finding: Finding) => issues.push(placed(finding, settings)),
  }
  const backends = config.routing.enabled
    ? routed(config, env, report)
    : usesVllm
      ? [singleVllm(config, env, report)]
      : []
  for (const name of Object.keys(config.engines)) {
    if (backends.some((backend) => backend.name === name))
      report.refuse({ path: ['engines', name], message: say('is the name of a backend too; choose another') })
  }
  const defaultBackend = usesVllm ? 'vllm' : routedDefault(config, report)
  return {
    ...allowed(backends, defaultBackend, config.privacy, report),
    notes,
    issues,
    configured: usesVllm || Object.keys(config.engines).length > 0 || config.routing.enabled,
  }
}

/** What `privacy` leaves of them. */
function allowed(
  all: readonly ResolvedBackend[],
  defaultBackend: string | null,
  { offline, blocked }: Config['privacy'],
  report: Report,
) {
  const isElsewhere = ({ type, url, remote }: ResolvedBackend): boolean =>
    remote || (type !== 'dummy' && isOtherComputer(new URL(url).hostname))
  const away = offline ? all.filter(isElsewhere).map(({ name }) => name) : []
  if (away.length > 0) report.note(say`privacy.offline is on: ${away.join(', ')} on other computers will not be asked`)
  const shut = all.filter(({ type, url }) => type !== 'dummy' && isBlocked(new URL(url).host, blocked))
  for (const { name, url } of shut)
    report.note(say`privacy.blocked names ${new URL(url).host}: the backend ${name} will not be asked`)
  const resting = [...away, ...shut.map(({ name }) => name)]
  const backends = all.flatMap((backend) => {
    if (resting.includes(backend.name)) return []
    return [{ ...backend, fallbackBackends: backend.fallbackBackends.filter((name) => !resting.includes(name)) }]
  })
  return {
    backends,
    defaultBackend: defaultBackend !== null && resting.includes(defaultBackend) ? null : defaultBackend,
    blocked: shut.map(({ name }) => name),
  }
}

type Report = { note(text: string): void; refuse(finding: Finding): void }

function ignored({ routing }: Config, explicit: ReadonlySet<string>): string[] {
  if (routing.enabled) return explicit.has('vllm') ? ['vllm has no effect while routing.enabled is true'] : []
  if (Object.keys(routing.backends).length === 0) return []
  return ['routing.backends has no effect while routing.enabled is false']
}

/** The single-backend form: whatever the caller asks for goes there. */
function singleVllm({ vllm }: Config, env: Environment, report: Report): ResolvedBackend {
  return {
    ...plainBackend('vllm', baseUrl(vllm.url, 'vllm')),
    apiKey: keyOf({ ...vllm, api_key: null }, ['vllm'], env, report),
    timeoutMs: milliseconds(vllm.timeout),
    connectTimeoutMs: vllm.connect_timeout * 1000,
  }
}

function routed({ routing }: Config, env: Environment, report: Report): ResolvedBackend[] {
  return Object.entries(routing.backends).flatMap(([name, backend]) => {
    const path = ['routing', 'backends', name]
    if (!backend.enabled) return []
    if (backend.type === 'anthropic') {
      report.refuse({
        path: [...path, 'type'],
        message: say('its adapter is not built yet; set enabled: false on this backend'),
      })
      return []
    }
    const off = backend.fallback_backends.filter((other) => routing.backends[other]?.enabled === false)
    for (const other of off)
      report.note(say`${path.join('.')}: its fallback ${other} is disabled and will not be tried`)
    const fallbackBackends = backend.fallback_backends.filter((other) => !off.includes(other))
    return [resolved(name, backend, fallbackBackends, keyOf(backend, path, env, report))]
  })
}

function resolved(
  name: string,
  backend: BackendConfig,
  fallbackBackends: string[],
  apiKey: string | null,
): ResolvedBackend {
  return {
    name,
    type: backend.type,
    url: baseUrl(backend.url ?? '', backend.type),
    apiKey,
    timeoutMs: milliseconds(backend.timeout),
    connectTimeoutMs: backend.connect_timeout * 1000,
    models: backend.models.map((model) => (typeof model === 'string' ? model : model.name)),
    modelMapping: backend.model_mapping,
    soleModel: null,
    fallbackBackends,
    maxInFlight: backend.max_in_flight,
    requestsPerMinute: backend.requests_per_minute,
    weight: backend.weight,
    headers: backend.headers,
    includeUsage: backend.include_usage,
    apiVersion: backend.api_version,
    remote: backend.remote,
    dailyTokens: backend.daily_tokens,
    proxy: backend.proxy,
    ca: backend.ca,
  }
}

function routedDefault({ routing }: Config, report: Report): string | null {
  const name = routing.enabled ? routing.default_backend : null
  if (name === null || routing.backends[name]?.enabled) return name
  report.note(say`routing.default_backend ${name} is disabled: unknown models are a 404`)
  return null
}

type KeySettings = { api_key_env: string | null; api_key: string | null }

/** The variable goes before the key in the file. What cannot stand in a header is refused without repeating it. */
function keyOf({ api_key_env, api_key }: KeySettings, path: string[], env: Environment, report: Report): string | null {
  if (api_key_env === null) return api_key
  const variable = `the environment variable ${nameOrKey(api_key_env)}`
  const key = env[api_key_env]?.trim()
  if (!key) {
    const instead = api_key === null ? say('requests go there without a key') : say('api_key is used')
    report.note(say`${path.join('.')}.api_key_env: ${variable} is not set; ${instead}`)
    return api_key
  }
  if (/^[\x21-\x7e]+$/.test(key)) return key
  report.refuse({ path: [...path, 'api_key_env'], message: say`${variable} holds characters that no key has` })
  return null
}

/** Some keys would pass as the name of a variable, and people do paste them here: only what is surely a name is shown. */
function nameOrKey(variable: string): string {
  return /^[A-Z_][A-Z0-9_]*$/.test(variable) ? variable : 'named there'
}

/** People give the address with or without what Lexora appends itself. */
function baseUrl(url: string, type: BackendType): string {
  const bare = url.replace(/\/+$/, '').replace(/\/v1$/, '')
  return (type === 'azure_openai' ? bare.replace(/\/openai$/, '') : bare).replace(/\/+$/, '')
}

function milliseconds(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000
}

function placed(finding: Finding, { explain }: Settings): Issue {
  const said = explain?.(finding.path.join('.'))
  const issue = located(finding, undefined)
  return said ? { ...issue, source: said.from, place: said.from === 'default' ? '' : said.detail } : issue
}
