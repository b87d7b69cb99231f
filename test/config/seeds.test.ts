import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { resolveBackends } from '../../src/config/backends.ts'
import { issuesOf, loaded } from './given.ts'

const fixture = (name: string) => readFileSync(new URL(`../fixtures/config/${name}`, import.meta.url), 'utf8')

describe('the files printed in the seeds load unchanged', () => {
  test('seed 001, one vLLM', () => {
    const settings = loaded({ file: fixture('seed-001-single.yaml') })
    expect(settings.config).toMatchObject({
      server: { host: '0.0.0.0', port: 8001 },
      rate_limit: { enabled: true, default_rate: 10, default_burst: 20 },
      retry: { max_retries: 3, base_delay: 1, max_delay: 30, exponential_base: 2, max_retry_after: 60 },
      logging: { level: 'INFO', format: 'console' },
    })
    const { backends, defaultBackend, configured, notes, issues } = resolveBackends(settings, {})
    expect({ defaultBackend, configured, notes, issues }).toEqual({
      defaultBackend: 'vllm',
      configured: true,
      notes: [],
      issues: [],
    })
    expect(backends).toEqual([
      {
        name: 'vllm',
        type: 'vllm',
        url: 'http://localhost:8000',
        apiKey: null,
        timeoutMs: 120_000,
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
      },
    ])
  })

  test('seed 001, routing over three backends', () => {
    const settings = loaded({ file: fixture('seed-001-routing.yaml') })
    const { backends, defaultBackend, notes } = resolveBackends(settings, { OPENAI_API_KEY: 'sk-seed' })
    expect({ defaultBackend, notes }).toEqual({ defaultBackend: 'main', notes: [] })
    expect(
      backends.map(({ name, type, url, apiKey, timeoutMs, models, fallbackBackends }) => [
        [name, type, url, apiKey, timeoutMs],
        models,
        fallbackBackends,
      ]),
    ).toEqual([
      [['main', 'vllm', 'http://localhost:8000', null, 120_000], ['qwen3-32b', 'llama3-70b'], ['openai_backup']],
      [
        ['secondary', 'vllm', 'http://localhost:8010', null, 120_000],
        ['mistral-7b', 'embedding-model'],
        ['openai_backup'],
      ],
      [
        ['openai_backup', 'openai_compatible', 'https://api.openai.com', 'sk-seed', 60_000],
        ['gpt-4', 'gpt-4-turbo'],
        [],
      ],
    ])
    expect(backends[2]?.modelMapping).toEqual({ 'gpt-4': 'gpt-4-0125-preview', 'gpt-4-turbo': 'gpt-4-turbo-preview' })
  })

  test('seed 002, with its own spellings', () => {
    const settings = loaded({ file: fixture('seed-002.yaml') })
    expect(settings.config).toMatchObject({
      server: { host: '0.0.0.0', port: 8001 },
      default_model: 'qwen3-32b',
      queue: { max_size: 100, default_timeout: 60, priorities: { high: 1, normal: 5, low: 10 } },
      rate_limit: {
        default_rate: 0.5,
        default_burst: 30,
        tokens_per_minute: 50_000,
        users: { takahito: { requests_per_minute: 60, tokens_per_minute: 100_000 } },
      },
      retry: { max_retries: 2, base_delay: 1, exponential_base: 2 },
      metrics: { enabled: true, port: 9090 },
      routing: { enabled: true, backends: { vllm: { type: 'vllm' }, ollama: { type: 'ollama', enabled: false } } },
    })
    const { backends, defaultBackend, configured, notes } = resolveBackends(settings, {})
    expect(backends.map(({ name, type, url, models }) => ({ name, type, url, models }))).toEqual([
      { name: 'vllm', type: 'vllm', url: 'http://localhost:8000', models: ['qwen3-32b'] },
    ])
    expect({ defaultBackend, configured, notes }).toEqual({
      defaultBackend: null,
      configured: true,
      notes: ['vllm has no effect while routing.enabled is true'],
    })
  })

  test('each older spelling is noted with its place', () => {
    const { notes } = loaded({ file: fixture('seed-002.yaml') })
    expect(notes.filter((note) => note.includes('older spelling'))).toEqual([
      'lexora_config.yaml:45:3: retry.max_attempts is an older spelling of retry.max_retries',
      'lexora_config.yaml:46:3: retry.delay_seconds is an older spelling of retry.base_delay',
      'lexora_config.yaml:47:3: retry.backoff_multiplier is an older spelling of retry.exponential_base',
      'lexora_config.yaml:37:5: rate_limits.default.requests_per_minute is an older spelling of rate_limit.default_burst and rate_limit.default_rate',
      'lexora_config.yaml:38:5: rate_limits.default.tokens_per_minute is an older spelling of rate_limit.tokens_per_minute',
      'lexora_config.yaml:39:3: rate_limits.users is an older spelling of rate_limit.users',
      'lexora_config.yaml:14:1: backends is an older spelling of routing.backends',
    ])
  })

  test('the values of seed 003 and seed 004 come from their environment variables', () => {
    const settings = loaded({
      env: {
        ORCH_INBOUND_API_KEYS: 'key-one, key-two',
        ORCH_API_KEY_HEADER: 'x-team-key',
        ORCH_CORS_ALLOW_ORIGINS: 'http://localhost:3000,https://ide.example.com',
        ORCH_RETRY_AFTER_SECONDS: '12',
        VLLM_BASE_URL: 'http://10.0.0.5:8001/v1',
        VLLM_API_KEY: 'dummy-key',
      },
    })
    expect(settings.config).toMatchObject({
      auth: { api_keys: ['key-one', 'key-two'], header: 'x-team-key' },
      server: { cors_origins: ['http://localhost:3000', 'https://ide.example.com'] },
      retry: { default_retry_after: 12 },
    })
    const { backends } = resolveBackends(settings, { VLLM_API_KEY: 'dummy-key' })
    expect(backends).toMatchObject([{ name: 'vllm', url: 'http://10.0.0.5:8001', apiKey: 'dummy-key' }])
    expect(settings.notes).toContain('VLLM_API_KEY is an older name of LEXORA_VLLM__API_KEY_ENV=VLLM_API_KEY')
    expect(settings.notes.join()).not.toContain('key-one')
  })
})

describe('older spellings', () => {
  test.each([
    [
      'retry: {max_attempts: 3, max_retries: 2}',
      'lexora_config.yaml:1:9  retry.max_attempts: is an older spelling of retry.max_retries, which is also set; remove one',
    ],
    ['retry: {max_attempts: 0}', 'lexora_config.yaml:1:9  retry.max_attempts: must be at least 1'],
    ['retry: {max_attempts: many}', 'lexora_config.yaml:1:9  retry.max_attempts: must be a whole number, not text'],
    [
      'rate_limits: {users: {ann: {burts: 1}}}',
      'lexora_config.yaml:1:29  rate_limits.users.ann.burts: unknown key. Did you mean "burst"?',
    ],
    [
      'backends: {main: {}}',
      'lexora_config.yaml:1:12  backends.main.url: is missing: the base address before /v1, as in "http://127.0.0.1:8000"',
    ],
  ])('%s is refused in the words it was written in', (file, message) => {
    expect(issuesOf({ file })).toEqual([message])
  })

  test('top-level backends leave routing off where the file says so', () => {
    const { config } = loaded({ file: 'routing: {enabled: false}\nbackends: {a: {url: "http://127.0.0.1:9"}}' })
    expect(config.routing).toMatchObject({ enabled: false, backends: { a: { url: 'http://127.0.0.1:9' } } })
  })
})
