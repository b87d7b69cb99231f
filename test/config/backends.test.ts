import { describe, expect, test } from 'vitest'
import { resolveBackends } from '../../src/config/backends.ts'
import { loaded } from './given.ts'

const resolve = (document: object, env = {}) => resolveBackends(loaded({ file: JSON.stringify(document) }), env)
const routing = (backends: object, more = {}) => ({ routing: { enabled: true, backends, ...more } })

describe('what is configured decides who serves', () => {
  test.each<[why: string, document: object, result: object]>([
    ['nothing: the demo engine', {}, { backends: [], defaultBackend: null, configured: false }],
    ['nothing but a port', { server: { port: 9 } }, { backends: [], configured: false }],
    [
      'one vLLM',
      { vllm: { url: 'http://h' } },
      { backends: [{ name: 'vllm' }], defaultBackend: 'vllm', configured: true },
    ],
    [
      'its time-out alone',
      { vllm: { timeout: 5 } },
      { backends: [{ url: 'http://127.0.0.1:8000', timeoutMs: 5000 }], configured: true },
    ],
    ['an engine', { engines: { a: { model: 'm' } } }, { backends: [], defaultBackend: null, configured: true }],
    [
      'backends that are all disabled',
      routing({ a: { url: 'http://h', enabled: false } }),
      { backends: [], configured: true },
    ],
    [
      'routing beside a vLLM',
      { vllm: { url: 'http://h' }, ...routing({ a: { url: 'http://i' } }) },
      { backends: [{ name: 'a' }], defaultBackend: null, notes: ['vllm has no effect while routing.enabled is true'] },
    ],
    [
      'backends without routing',
      { routing: { backends: { a: { url: 'http://h' } } } },
      { backends: [], configured: false, notes: ['routing.backends has no effect while routing.enabled is false'] },
    ],
    ['a default backend', routing({ a: { url: 'http://h' } }, { default_backend: 'a' }), { defaultBackend: 'a' }],
    [
      'a default backend that is disabled',
      routing({ a: { url: 'http://h', enabled: false } }, { default_backend: 'a' }),
      { defaultBackend: null, notes: ['routing.default_backend a is disabled: unknown models are a 404'] },
    ],
  ])('%s', (_, document, result) => {
    expect(resolve(document)).toMatchObject({ issues: [], ...result })
  })
})

test('a backend has all its settings, in milliseconds', () => {
  const { backends } = resolve(
    routing({
      b: { url: 'http://h:1' },
      a: {
        type: 'azure_openai',
        url: 'https://x.openai.azure.com/openai/v1/',
        timeout: 1.5,
        connect_timeout: 0.5,
        api_key: 'k',
        models: ['m', { name: 'n' }],
        model_mapping: { m: 'o' },
        fallback_backends: ['b'],
        max_in_flight: 4,
        requests_per_minute: 5,
        weight: 2,
        headers: { 'x-a': 'b' },
        include_usage: 'off',
        api_version: '2024-10-21',
        remote: true,
        daily_tokens: 6,
        proxy: 'http://p',
        ca: 'ca.pem',
      },
    }),
  )
  expect(backends[1]).toEqual({
    name: 'a',
    type: 'azure_openai',
    url: 'https://x.openai.azure.com',
    apiKey: 'k',
    timeoutMs: 1500,
    connectTimeoutMs: 500,
    models: ['m', 'n'],
    modelMapping: { m: 'o' },
    soleModel: null,
    fallbackBackends: ['b'],
    maxInFlight: 4,
    requestsPerMinute: 5,
    weight: 2,
    headers: { 'x-a': 'b' },
    includeUsage: 'off',
    apiVersion: '2024-10-21',
    remote: true,
    dailyTokens: 6,
    proxy: 'http://p',
    ca: 'ca.pem',
  })
})

describe('an address is given with or without what Lexora appends', () => {
  test.each([
    ['http://h:8000', 'http://h:8000'],
    ['http://h:8000/', 'http://h:8000'],
    ['http://h:8000/v1', 'http://h:8000'],
    ['http://h:8000/v1/', 'http://h:8000'],
    ['https://openrouter.ai/api/v1', 'https://openrouter.ai/api'],
    ['http://h/v1beta', 'http://h/v1beta'],
  ])('%s', (url, base) => {
    expect(resolve({ vllm: { url } }).backends[0]?.url).toBe(base)
  })
})

describe('the key of a backend', () => {
  const cloud = (extra: object) => routing({ cloud: { type: 'openai_compatible', url: 'http://h', ...extra } })
  test.each<[why: string, extra: object, env: object, apiKey: string | null, notes: string[]]>([
    ['comes from the variable', { api_key_env: 'KEY' }, { KEY: ' sk-1\n' }, 'sk-1', []],
    ['comes from the variable before the file', { api_key_env: 'KEY', api_key: 'sk-2' }, { KEY: 'sk-1' }, 'sk-1', []],
    ['comes from the file', { api_key: 'sk-2' }, {}, 'sk-2', []],
    [
      'is missed where its variable is not set',
      { api_key_env: 'KEY' },
      {},
      null,
      ['routing.backends.cloud.api_key_env: the environment variable KEY is not set; requests go there without a key'],
    ],
    [
      'comes from the file where its variable is empty',
      { api_key_env: 'KEY', api_key: 'sk-2' },
      { KEY: '' },
      'sk-2',
      ['routing.backends.cloud.api_key_env: the environment variable KEY is not set; api_key is used'],
    ],
    [
      'is not shown where it was pasted as the name',
      { api_key_env: 'abc123secret' },
      {},
      null,
      [
        'routing.backends.cloud.api_key_env: the environment variable named there is not set; requests go there without a key',
      ],
    ],
  ])('%s', (_, extra, env, apiKey, notes) => {
    expect(resolve(cloud(extra), env)).toMatchObject({ backends: [{ apiKey }], notes, issues: [] })
  })

  test('is refused, unseen, where no header could hold it', () => {
    const { backends, issues } = resolve(cloud({ api_key_env: 'KEY' }), { KEY: 'sk-secret\nx' })
    expect(backends).toMatchObject([{ apiKey: null }])
    expect(issues).toMatchObject([
      {
        path: 'routing.backends.cloud.api_key_env',
        message: 'the environment variable KEY holds characters that no key has',
        source: 'file',
      },
    ])
  })
})

test('a disabled backend is left out, also as a fallback', () => {
  const { backends, notes } = resolve(
    routing({
      a: { url: 'http://h', fallback_backends: ['b', 'c'] },
      b: { url: 'http://i', enabled: false },
      c: { url: 'http://j' },
    }),
  )
  expect(backends.map(({ name, fallbackBackends }) => [name, fallbackBackends])).toEqual([
    ['a', ['c']],
    ['c', []],
  ])
  expect(notes).toEqual(['routing.backends.a: its fallback b is disabled and will not be tried'])
})

test('working offline, what is on another computer is left out, also as a fallback and as the default', () => {
  const own = { url: 'http://127.0.0.1:8000', fallback_backends: ['lan', 'dummy', 'cloud'] }
  const others = {
    lan: { url: 'http://gpu.lan:8000' },
    cloud: { type: 'openai_compatible', url: 'https://api.example' },
    tunnel: { url: 'http://localhost:9000', remote: true },
    dummy: { type: 'dummy' },
  }
  const offline = (backends: object, default_backend: string) =>
    resolve({ ...routing(backends, { default_backend }), privacy: { offline: true } })
  const found = offline({ own, ...others }, 'cloud')
  expect(found.backends.map(({ name, fallbackBackends }) => [name, fallbackBackends])).toEqual([
    ['own', ['dummy']],
    ['dummy', []],
  ])
  expect([found.defaultBackend, found.configured]).toEqual([null, true])
  expect(found.notes).toEqual(['privacy.offline is on: lan, cloud, tunnel on other computers will not be asked'])
  expect(offline({ own: { url: own.url } }, 'own').defaultBackend).toBe('own')
  expect(resolve({ vllm: { url: 'http://gpu.lan:8000' }, privacy: { offline: true } })).toMatchObject({
    backends: [],
    defaultBackend: null,
    configured: true,
  })
})

test('what is at a blocked place is left out, by its host or by host and port, and said', () => {
  const backends = {
    own: { url: 'http://127.0.0.1:8000', fallback_backends: ['cloud', 'lan'] },
    cloud: { type: 'openai_compatible', url: 'https://API.example/v1' },
    lan: { url: 'http://gpu.lan:8000' },
    other: { url: 'http://gpu.lan:8001' },
    dummy: { type: 'dummy' },
  }
  const blocked = ['api.example', 'GPU.lan:8000']
  const found = resolve({ ...routing(backends, { default_backend: 'cloud' }), privacy: { blocked } })
  expect(found.backends.map(({ name, fallbackBackends }) => [name, fallbackBackends])).toEqual([
    ['own', []],
    ['other', []],
    ['dummy', []],
  ])
  expect([found.defaultBackend, found.blocked]).toEqual([null, ['cloud', 'lan']])
  expect(found.notes).toEqual([
    'privacy.blocked names api.example: the backend cloud will not be asked',
    'privacy.blocked names gpu.lan:8000: the backend lan will not be asked',
  ])
})

test('an engine of ours can be a fallback and the default', () => {
  const main = { kind: 'command' as const, executable: '/bin/serve' }
  const config = routing({ a: { url: 'http://h', fallback_backends: ['main'] } }, { default_backend: 'main' })
  const { backends, issues } = resolve({ ...config, engines: { main } })
  expect(issues).toEqual([])
  expect(backends[0]?.fallbackBackends).toEqual(['main'])
})

test('a backend of type anthropic is refused until its adapter is built', () => {
  const { backends, issues } = resolve(routing({ claude: { type: 'anthropic', url: 'https://api.anthropic.com' } }))
  expect(backends).toEqual([])
  expect(issues).toMatchObject([
    {
      path: 'routing.backends.claude.type',
      message: 'its adapter is not built yet; set enabled: false on this backend',
      place: expect.stringMatching(/^lexora_config\.yaml:1:\d+$/),
    },
  ])
})
