import { z } from 'zod'
import { blockedPlace } from './outbound.ts'
import { say } from './sentence.ts'

/**
 * The whole of lexora_config.yaml (DESIGN 3), with defaults and ranges: the one place that knows its keys. Keys keep the
 * names they have in the file, seconds stay seconds. `writeOnly` marks a secret, which no face may print.
 */

const printable = (most: number) =>
  z.string().regex(new RegExp(`^[^\\p{Cc}]{1,${most}}$`, 'u'), say`must be 1 to ${most} printable characters`)
const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, say('must be a short name of letters, digits, "-" and "_", as in "main"'))
const modelName = printable(256)
const userName = printable(128)
const secret = z
  .string()
  .regex(/^[\x21-\x7e]{1,4096}$/, say('must be 1 to 4096 characters without spaces'))
  .meta({ writeOnly: true })
const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, say('must be the name of an environment variable, not the key itself'))
const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, say('must be an HTTP header name, as in "x-api-key"'))
  .refine(
    (header) => !FRAMING_HEADERS.has(header.toLowerCase()),
    say('is set by the connection itself; choose another'),
  )
const hostName = z
  .string()
  .regex(
    /^(\[?[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]?|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)$/,
    say('must be a host name or an address without scheme and port, as in "127.0.0.1" or "gpu.lan"'),
  )
/** One page's origin, as a browser writes it. */
export const origin = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s/*?#@]+$/,
    say('must be one exact origin without a path, as in "https://app.example.com"; there is no wildcard'),
  )
const httpUrl = z.string().superRefine((text, check) => {
  const problem = urlProblem(text)
  if (problem) check.addIssue({ code: 'custom', message: problem })
})

/** Two million seconds are 23 days, below the 2^31 ms at which a timer fires at once. */
const seconds = z.number().min(0).max(2_000_000)
const timeLimit = z.number().gt(0).max(2_000_000)
const port = z.int().min(0).max(65_535)
const count = z.int().min(1).max(1_000_000_000)
const weight = z.number().gt(0).max(1_000_000)
const megabytes = z.number().gt(0).max(1_048_576)
const share = z.number().min(0).max(1)
const flag = (on: boolean) => z.boolean().default(on)
const band = z.enum(['high', 'normal', 'low'])

const server = z.strictObject({
  host: z
    .union([hostName, z.array(hostName).min(1)])
    .default('127.0.0.1')
    .describe('Address to listen on, or a list. Anything beyond 127.0.0.1 needs a key.'),
  port: port.default(8001).describe('Port of the gateway; 0 takes any free one.'),
  tls: z
    .strictObject({ cert: z.string().min(1), key: z.string().min(1) })
    .nullable()
    .default(null)
    .describe('PEM files.'),
  max_body_mb: megabytes.default(32).describe('Largest request body.'),
  max_response_mb: megabytes.default(64).describe('Largest answer that is not a stream.'),
  allowed_hosts: z.array(hostName).default([]).describe('Further names that a Host header may carry, without port.'),
  cors_origins: z.array(origin).default([]).describe('Web pages that may call, as exact origins.'),
  shutdown_grace: seconds.default(20).describe('Seconds that running requests get when Lexora stops.'),
})

const auth = z.strictObject({
  mode: z
    .enum(['auto', 'required', 'off'])
    .default('auto')
    .describe('auto: keys are required once one is listed, and beyond loopback. required: always. off: never.'),
  api_keys: z
    .array(z.union([secret, z.strictObject({ key: secret, user: userName })]))
    .default([])
    .describe('Keys of the callers: a string, or {key, user}.'),
  admin_key: secret.nullable().default(null).describe('Key of the admin API.'),
  header: headerName.nullable().default(null).describe('A further header to read keys from.'),
})

const vllm = z.strictObject({
  url: httpUrl.default('http://127.0.0.1:8000').describe('Base address before /v1.'),
  timeout: timeLimit.nullable().default(null).describe('Seconds; replaces timeouts.first_byte and non_stream.'),
  connect_timeout: timeLimit.default(5).describe('Seconds.'),
  api_key_env: variableName.nullable().default(null).describe('Environment variable that holds the key of this vLLM.'),
})

const limits = {
  tokens_per_minute: count.nullable().default(null).describe('Prompt and answer tokens together.'),
  max_concurrent: count.nullable().default(null).describe('Requests in flight at once.'),
}

const userLimits = z.strictObject({
  rate: z.number().gt(0).nullable().default(null).describe('Requests per second.'),
  burst: count.nullable().default(null).describe('Requests that may come at once.'),
  requests_per_minute: count.nullable().default(null).describe('In place of rate and burst.'),
  ...limits,
  weight: weight.default(1).describe('Share of this user within a band.'),
  max_priority: band.default('high').describe('Highest band this user may ask for.'),
  models: z.array(modelName).nullable().default(null).describe('Models this user may ask for; null: all.'),
  allow_remote: flag(false).describe('Whether backends marked remote may serve this user.'),
})

const rateLimit = z.strictObject({
  enabled: flag(true),
  default_rate: z.number().gt(0).max(1_000_000).default(10).describe('Requests per second of each user.'),
  default_burst: count.default(20).describe('Requests that may come at once.'),
  ...limits,
  users: z.record(userName, userLimits).default({}).describe('Limits by user name.'),
})

const retry = z.strictObject({
  max_retries: z.int().min(0).max(10).default(3).describe('Tries after the first.'),
  base_delay: seconds.default(1).describe('Seconds before the first retry.'),
  max_delay: seconds.default(30).describe('Most seconds between two tries.'),
  exponential_base: z.number().min(1).max(10).default(2),
  respect_retry_after: flag(true).describe('Obey a backend that says when to come back.'),
  max_retry_after: seconds.default(60).describe('Longest such wait that is obeyed, in seconds.'),
  default_retry_after: seconds.default(30).describe('Seconds to wait on a 429 that does not say.'),
  budget: share.default(0.2).describe('Share that retries may add to the requests of the last 10 s.'),
})

const fallback = z.strictObject({
  enabled: flag(true),
  on_rate_limit: flag(true).describe('Fall back when a backend answers 429.'),
  on_context_overflow: flag(false).describe('Fall back when the prompt is too long for a backend.'),
})

const queue = z.strictObject({
  max_size: count.default(100).describe('Waiting requests per backend and band.'),
  default_timeout: timeLimit.default(60).describe('Seconds that a request may wait.'),
  priorities: z
    .strictObject({
      high: z.int().default(1),
      normal: z.int().default(5),
      low: z.int().default(10),
    })
    .refine(
      ({ high, normal, low }) => high < normal && normal < low,
      say('must rise from high to normal to low: 1, 5, 10'),
    )
    .prefault({})
    .describe('What an engine that schedules by priority is told; the lowest number runs first.'),
  guarantee: z
    .strictObject({ normal: share.default(0.2), low: share.default(0.05) })
    .prefault({})
    .describe('Smallest share that a lower band gets under load.'),
})

const timeouts = z.strictObject({
  first_byte: timeLimit.default(120).describe('Seconds until a stream begins.'),
  idle: timeLimit.default(60).describe('Seconds between two pieces of a stream.'),
  total: timeLimit.default(3600).describe('Seconds of a whole request.'),
  non_stream: timeLimit.default(600).describe('Seconds until an answer that is not a stream.'),
  keepalive_comment_after: seconds
    .default(20)
    .describe('Seconds of silence after which a stream is opened with comments.'),
})

const BACKEND_TYPES = ['vllm', 'openai_compatible', 'azure_openai', 'anthropic', 'ollama', 'llamacpp', 'dummy'] as const

const backend = z.strictObject({
  type: z.enum(BACKEND_TYPES).default('vllm'),
  url: httpUrl.nullable().default(null).describe('Base address before /v1. Needed by every type but dummy.'),
  timeout: timeLimit.nullable().default(null).describe('Seconds; replaces timeouts.first_byte and non_stream.'),
  connect_timeout: timeLimit.default(5).describe('Seconds.'),
  api_key_env: variableName.nullable().default(null).describe('Environment variable that holds the key.'),
  api_key: secret.nullable().default(null).describe('The key itself; api_key_env is the safer place.'),
  models: z
    .array(z.union([modelName, z.looseObject({ name: modelName })]))
    .default([])
    .describe('Models served here; empty: whatever the backend lists.'),
  model_mapping: z.record(modelName, modelName).default({}).describe('Name asked for: name the backend knows.'),
  fallback_backends: z.array(name).default([]).describe('Backends to try, in order, when this one fails.'),
  max_in_flight: z
    .union([z.literal('auto'), count])
    .default('auto')
    .describe('Requests at this backend at once.'),
  requests_per_minute: count.nullable().default(null).describe('Limit of the backend itself.'),
  weight: weight.default(1).describe('Preference among backends with the same model.'),
  headers: z
    .record(
      headerName,
      z
        .string()
        .regex(/^[\t\x20-\x7e]*$/, say('must be plain ASCII on one line'))
        .meta({ writeOnly: true }),
    )
    .default({})
    .describe('Headers added to every request to this backend.'),
  include_usage: z.enum(['auto', 'on', 'off']).default('auto').describe('Ask for token counts in streams.'),
  api_version: printable(64).nullable().default(null).describe('Azure only: use deployment addresses of this version.'),
  enabled: flag(true),
  remote: flag(false).describe("Somebody else's computer: only for users with allow_remote."),
  daily_tokens: count.nullable().default(null).describe('Most tokens a day that may go there.'),
  proxy: printable(512)
    .meta({ writeOnly: true })
    .nullable()
    .default(null)
    .describe('HTTP proxy on the way to this backend.'),
  ca: printable(1024).nullable().default(null).describe('PEM file of a certificate authority to trust.'),
})

const routing = z.strictObject({
  enabled: flag(false).describe('Use the backends below instead of vllm.'),
  default_backend: name.nullable().default(null).describe('Where unknown models go; null: they are a 404.'),
  backends: z.record(name, backend).default({}).describe('Backends by name.'),
  aliases: z
    .record(
      modelName,
      z.union([modelName, z.array(z.strictObject({ model: modelName, weight: weight.default(1) })).min(1)]),
    )
    .default({})
    .describe('Name: model, or a weighted list for a sticky split.'),
  tasks: z
    .record(name, z.strictObject({ primary: modelName, fallback: z.array(modelName).default([]) }))
    .default({})
    .describe('Models by task, chosen by the header x-lexora-task.'),
  auto: z
    .strictObject({
      enabled: flag(false),
      routes: z
        .strictObject({
          code: modelName.nullable().default(null),
          japanese: modelName.nullable().default(null),
          reasoning: modelName.nullable().default(null),
          small: modelName.nullable().default(null),
          default: modelName.nullable().default(null),
        })
        .prefault({}),
    })
    .prefault({})
    .describe('The model name "auto": choose by the prompt.'),
})

const scalar = z.union([z.string(), z.number(), z.boolean()])

/** One engine of `engines`. */
export const engineSchema = z.strictObject({
  kind: z.enum(['vllm', 'llama-server', 'embedded', 'command', 'demo']).default('vllm'),
  model: printable(1024).nullable().default(null).describe('Hub repository, folder or GGUF file.'),
  served_name: modelName.nullable().default(null).describe('Name that callers use; null: the model.'),
  port: port.default(8000).describe('Loopback port of the engine; 0 takes any free one.'),
  autostart: flag(false).describe('Start together with Lexora.'),
  on_demand: flag(true).describe('Start when a request asks for its model.'),
  idle_unload_minutes: z.number().min(0).max(525_600).default(0).describe('Stop after so long without work; 0: never.'),
  restart: z.enum(['always', 'never']).default('always').describe('Whether it is started again after a crash.'),
  gpu_reserve_mb: z
    .number()
    .min(0)
    .max(1_048_576)
    .nullable()
    .default(null)
    .describe('vLLM: memory of each GPU that is left free for others; null: 0.7 GiB.'),
  launch: z.enum(['auto', 'path', 'venv', 'docker', 'wsl']).default('auto'),
  executable: printable(1024).nullable().default(null),
  venv: printable(1024).nullable().default(null).describe('Folder of a Python virtual environment.'),
  image: printable(512).nullable().default(null).describe('Container image.'),
  args: z
    .record(
      z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, say('must be an option name without leading dashes')),
      z.union([scalar, z.array(scalar), z.null()]),
    )
    .default({})
    .describe('Options of the engine, without dashes.'),
  env: z
    .record(variableName, scalar.meta({ writeOnly: true }))
    .default({})
    .describe('Environment of the engine.'),
  gpus: z
    .array(z.union([z.int().min(0), printable(64)]))
    .default([])
    .describe('GPU numbers or ids; empty: all.'),
  sleep: z
    .union([z.literal('off'), z.literal(1), z.literal(2)])
    .default('off')
    .describe("vLLM's sleep level instead of a full stop."),
})

export const configSchema = z.strictObject({
  server: server.prefault({}).describe('Where Lexora listens.'),
  auth: auth.prefault({}).describe('Who may call.'),
  vllm: vllm.prefault({}).describe('The single-backend form; ignored while routing.enabled.'),
  default_model: modelName.nullable().default(null).describe('Model of requests that name none.'),
  rate_limit: rateLimit.prefault({}).describe('Limits per user.'),
  retry: retry.prefault({}).describe('Trying again before anything was answered.'),
  fallback: fallback.prefault({}).describe('Going to another backend.'),
  queue: queue.prefault({}).describe('Waiting for a place.'),
  timeouts: timeouts.prefault({}).describe('In seconds.'),
  routing: routing.prefault({}).describe('Several backends.'),
  engines: z.record(name, engineSchema).default({}).describe('Engines that Lexora itself starts, by name.'),
  cache: z
    .strictObject({
      enabled: flag(false),
      ttl: seconds.default(86_400).describe('Seconds that an answer is kept.'),
      memory_mb: megabytes.default(256),
      disk_mb: megabytes.default(2048),
      shared: flag(false).describe('One cache for all users.'),
    })
    .prefault({})
    .describe('Answers kept for repeated requests.'),
  logging: z
    .strictObject({
      level: z.enum(['DEBUG', 'INFO', 'WARNING', 'ERROR']).default('INFO'),
      format: z.enum(['console', 'json']).default('console'),
    })
    .prefault({})
    .describe("Lexora's own log."),
  metrics: z
    .strictObject({
      enabled: flag(true),
      port: port.nullable().default(null).describe('A port of its own; null: the gateway port.'),
      request_log: z
        .strictObject({
          enabled: flag(true),
          dir: printable(1024).nullable().default(null).describe('Folder; null: logs/ in LEXORA_HOME.'),
          keep_days: z.int().min(1).max(3650).default(14),
        })
        .prefault({})
        .describe('One JSON line per request, never prompts or answers.'),
    })
    .prefault({})
    .describe('Prometheus figures and the request log.'),
  ui: z
    .strictObject({ enabled: flag(true), remote: flag(false).describe('Serve /ui beyond this machine.') })
    .prefault({})
    .describe('The window in a browser.'),
  privacy: z
    .strictObject({
      offline: flag(false).describe('Speak to no other computer: no downloads, no updates, no backends elsewhere.'),
      blocked: z.array(blockedPlace).default([]).describe('Computers that are not spoken to: HOST, or HOST:PORT.'),
    })
    .prefault({})
    .describe('What leaves this computer.'),
  telemetry: z
    .strictObject({ otlp: httpUrl.nullable().default(null).describe('OTLP collector.') })
    .prefault({})
    .describe('Traces.'),
})

export type Config = z.output<typeof configSchema>
export type BackendConfig = Config['routing']['backends'][string]
export type BackendType = (typeof BACKEND_TYPES)[number]

/** A backend as the gateway uses it: names and units of the file resolved, its key read. Never shown to a face. */
export type ResolvedBackend = {
  name: string
  type: BackendType
  /** Base before /v1, without a trailing slash; empty for the type dummy. */
  url: string
  apiKey: string | null
  timeoutMs: number | null
  connectTimeoutMs: number
  /** Empty: whatever the backend lists. */
  models: string[]
  /** Look names up with Object.hasOwn: they come from requests. */
  modelMapping: Record<string, string>
  /** As a fallback it answers with this model, whatever was asked for: an engine of ours serves no other. */
  soleModel: string | null
  fallbackBackends: string[]
  maxInFlight: 'auto' | number
  requestsPerMinute: number | null
  weight: number
  headers: Record<string, string>
  includeUsage: 'auto' | 'on' | 'off'
  apiVersion: string | null
  remote: boolean
  dailyTokens: number | null
  proxy: string | null
  ca: string | null
}

/** A vLLM of which only name and address are known: everything else as the configuration's defaults have it. */
export function plainBackend(name: string, url: string): ResolvedBackend {
  return {
    name,
    type: 'vllm',
    url,
    apiKey: null,
    timeoutMs: null,
    connectTimeoutMs: 5000,
    models: [],
    modelMapping: {},
    soleModel: null,
    fallbackBackends: [],
    maxInFlight: 'auto',
    requestsPerMinute: null,
    weight: 1,
    headers: {},
    includeUsage: 'auto',
    apiVersion: null,
    remote: false,
    dailyTokens: null,
    proxy: null,
    ca: null,
  }
}

const FRAMING_HEADERS = new Set(['connection', 'content-length', 'host', 'keep-alive', 'transfer-encoding', 'upgrade'])

/** Why an address cannot be a backend's, or null. Never repeats the address, which may hold a password. */
function urlProblem(text: string): string | null {
  if (!URL.canParse(text)) return say('must be a whole address, as in "http://127.0.0.1:8000"')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return say('must begin with http:// or https://')
  if (url.username || url.password) return say('must not hold a user or password; use api_key_env')
  if (text.includes('?') || text.includes('#')) return say('must not hold a query or fragment')
  if (isUnspecified(url.hostname)) return say('names no machine; use 127.0.0.1 for this one')
  if (isForbidden(url.hostname)) return say('must not be a link-local, multicast or cloud metadata address')
  return null
}

/** URL has brought every spelling of an address into its one form, so its text can be compared. */
function isUnspecified(hostname: string): boolean {
  return hostname === '0.0.0.0' || hostname === '[::]' || hostname === '[::ffff:0:0]'
}

function isForbidden(hostname: string): boolean {
  return (
    /^169\.254\.\d+\.\d+$/.test(hostname) ||
    /^(22[4-9]|23\d)\.\d+\.\d+\.\d+$/.test(hostname) ||
    /^\[(fe[89ab]|ff[0-9a-f])[0-9a-f]:/.test(hostname) ||
    /^\[::ffff:(a9fe|e[0-9a-f]{3}):/.test(hostname) ||
    /^\[fd00:ec2::254\]$/.test(hostname) ||
    /^metadata(\.google\.internal)?\.?$/.test(hostname)
  )
}
