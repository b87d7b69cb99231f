import { describe, expect, test } from 'vitest'
import { issuesOf, loaded, nested } from './given.ts'

const backend = (extra: object) => ({ main: { url: 'http://127.0.0.1:8000', ...extra } })

describe('a value outside its range is refused with its key', () => {
  test.each<[key: string, value: unknown, message: string]>([
    ['server.port', 65_536, 'must be at most 65535'],
    ['server.port', -1, 'must be at least 0'],
    ['server.port', 80.5, 'must be a whole number, not a fraction'],
    ['server.port', '8001', 'must be a whole number, not text; remove the quotes'],
    ['server.port', null, 'must be a whole number, not nothing'],
    ['server.host', [], 'must not be empty'],
    ['server.host', 5, 'must be text or a list, not a whole number'],
    [
      'server.host',
      'http://x',
      'must be a host name or an address without scheme and port, as in "127.0.0.1" or "gpu.lan"',
    ],
    ['server.allowed_hosts', ['*'], 'must be a host name'],
    ['server.cors_origins', ['*'], 'must be one exact origin without a path'],
    ['server.cors_origins', ['https://a.example/'], 'must be one exact origin without a path'],
    ['server.max_body_mb', 0, 'must be more than 0'],
    ['server.shutdown_grace', -1, 'must be at least 0'],
    ['server.tls', { cert: 'a' }, 'is missing; it must be text'],
    ['auth.mode', 'none', 'must be one of auto, required, off'],
    ['auth.header', 'x y', 'must be an HTTP header name'],
    ['vllm.url', 'localhost:8000', 'must begin with http:// or https://'],
    ['vllm.url', '127.0.0.1', 'must be a whole address'],
    ['vllm.url', 'http://me:pass@host', 'must not hold a user or password'],
    ['vllm.url', 'http://host/?a=1', 'must not hold a query or fragment'],
    ['vllm.url', 'http://host/#', 'must not hold a query or fragment'],
    ['vllm.url', 'http://0.0.0.0:8000', 'names no machine; use 127.0.0.1'],
    ['vllm.url', 'http://169.254.169.254', 'must not be a link-local, multicast or cloud metadata address'],
    ['vllm.url', 'http://2852039166', 'must not be a link-local'],
    ['vllm.url', 'http://[::ffff:169.254.169.254]', 'must not be a link-local'],
    ['vllm.url', 'http://[fe80::1]:8000', 'must not be a link-local'],
    ['vllm.url', 'http://239.1.1.1', 'must not be a link-local'],
    ['queue.priorities', { high: 5, normal: 5, low: 10 }, 'must rise from high to normal to low'],
    ['vllm.timeout', 0, 'must be more than 0'],
    ['vllm.api_key_env', 'sk-pasted', 'must be the name of an environment variable, not the key itself'],
    ['rate_limit.default_rate', 0, 'must be more than 0'],
    ['rate_limit.users', { ann: { max_priority: 'hihg' } }, 'Did you mean "high"?'],
    ['retry.max_retries', 11, 'must be at most 10'],
    ['retry.budget', 1.5, 'must be at most 1'],
    ['queue.guarantee', { normal: 0.8, low: 0.3 }, 'the shares must add up to at most 1'],
    ['timeouts.idle', 0, 'must be more than 0'],
    ['timeouts.total', 3_000_000, 'must be at most 2000000'],
    ['routing.backends', { 'a b': { url: 'http://h' } }, 'as a name, must be a short name of letters'],
    ['routing.backends', backend({ type: 'vlm' }), 'Did you mean "vllm"?'],
    ['routing.backends', backend({ weight: 0 }), 'must be more than 0'],
    ['routing.backends', backend({ max_in_flight: 0 }), 'must be at least 1'],
    ['routing.backends', backend({ max_in_flight: 'many' }), 'must be auto or a whole number, not text'],
    ['routing.backends', backend({ models: [{ path: '/m' }] }), 'routing.backends.main.models.0.name: is missing'],
    ['routing.backends', backend({ headers: { Host: 'x' } }), 'is set by the connection itself'],
    ['routing.backends', backend({ headers: { 'x-a': 'a\nb' } }), 'must be plain ASCII on one line'],
    ['routing.backends', { main: { type: 'vllm' } }, 'routing.backends.main.url: is missing'],
    ['routing.aliases', { a: [] }, 'must not be empty'],
    ['routing.aliases', { a: [{ model: 'b', wieght: 1 }] }, 'unknown key. Did you mean "weight"?'],
    ['engines', { a: { kind: 'vllm' } }, 'engines.a.model: is missing'],
    ['engines', { a: { kind: 'command' } }, 'engines.a.executable: is missing'],
    ['engines', { a: { model: 'm', args: { '--x': 1 } } }, 'must be an option name without leading dashes'],
    ['logging.level', 'info', 'must be one of DEBUG, INFO, WARNING, ERROR. Did you mean "INFO"?'],
    ['telemetry', 5, 'must be a map, not a whole number'],
  ])('%s: %j', (key, value, message) => {
    const issues = issuesOf({ file: nested(key, value) })
    expect(issues).toHaveLength(1)
    expect(issues[0]).toContain(key)
    expect(issues[0]).toContain(message)
  })
})

describe('names that lead nowhere are refused with the nearest right one', () => {
  const two = { main: { url: 'http://127.0.0.1:8000' }, spare: { url: 'http://127.0.0.1:8010' } }
  test.each<[why: string, file: object, message: string]>([
    [
      'an unknown default backend',
      { routing: { backends: two, default_backend: 'mian' } },
      'routing.default_backend: no backend "mian"; known: main, spare. Did you mean "main"?',
    ],
    [
      'a default backend where there are none',
      { routing: { default_backend: 'main' } },
      'routing.default_backend: no backend "main"; routing.backends is empty',
    ],
    [
      'an unknown fallback',
      { routing: { backends: { ...two, b: { url: 'http://h', fallback_backends: ['main', 'spear'] } } } },
      'routing.backends.b.fallback_backends.1: no backend "spear"; known: main, spare, b. Did you mean "spare"?',
    ],
    [
      'a backend as its own fallback',
      { routing: { backends: { a: { url: 'http://h', fallback_backends: ['a'] } } } },
      'routing.backends.a.fallback_backends.0: a backend cannot be its own fallback',
    ],
    [
      'routing without backends',
      { routing: { enabled: true } },
      'routing.enabled: needs at least one entry in routing.backends',
    ],
    ['an alias of itself', { routing: { aliases: { a: 'a' } } }, 'routing.aliases.a: leads back to itself'],
    [
      'a loop of aliases through a split',
      { routing: { aliases: { a: 'b', b: [{ model: 'c' }, { model: 'a' }] } } },
      'routing.aliases.b: leads back to itself',
    ],
    [
      'an alias named auto beside routing.auto',
      { routing: { aliases: { auto: 'x' }, auto: { enabled: true } } },
      'routing.aliases.auto: this name is taken',
    ],
    [
      'two engines on one port',
      { engines: { a: { model: 'm' }, b: { model: 'm' } } },
      'engines.b.port: port 8000 is already that of engines.a.port; choose another',
    ],
    [
      'metrics on the port of the gateway',
      { metrics: { port: 8001 } },
      'metrics.port: port 8001 is already that of server.port',
    ],
    [
      'a key listed twice',
      { auth: { api_keys: ['same', { key: 'same', user: 'ann' }] } },
      'auth.api_keys.1: the same key is listed twice',
    ],
    [
      'a backend that is Lexora itself',
      { vllm: { url: 'http://localhost:8001/v1' } },
      'vllm.url: points at Lexora itself (server.port 8001)',
    ],
    [
      'a backend that is Lexora on its own address',
      { server: { host: '10.0.0.2' }, vllm: { url: 'http://10.0.0.2:8001' } },
      'vllm.url: points at Lexora itself',
    ],
  ])('%s', (_, file, message) => {
    expect(issuesOf({ file: JSON.stringify(file) }).join('\n')).toContain(message)
  })

  test.each<[why: string, file: object]>([
    ['aliases may name any model and lead on to other aliases', { routing: { aliases: { a: 'b', b: 'c', d: 'c' } } }],
    [
      'backends may be fallbacks of each other',
      {
        routing: {
          backends: {
            a: { url: 'http://h', fallback_backends: ['b'] },
            b: { url: 'http://i', fallback_backends: ['a'] },
          },
        },
      },
    ],
    ['any number of listeners may take a free port', { server: { port: 0 }, metrics: { port: 0 } }],
    ['another machine may use our port', { vllm: { url: 'http://gpu.lan:8001' } }],
    ['the vLLM that nobody uses may lie on our port', { server: { port: 8000 } }],
    ['a dummy backend needs no url', { routing: { enabled: true, backends: { d: { type: 'dummy' } } } }],
    [
      'a model object keeps its other keys',
      { routing: { backends: { a: { url: 'http://h', models: [{ name: 'm', path: '/m' }] } } } },
    ],
    [
      'hosts in every form',
      {
        server: { host: ['127.0.0.1', '::1', '[::1]', 'gpu-1.lan'], allowed_hosts: ['fd00::5'] },
        auth: { api_keys: ['k'] },
      },
    ],
    [
      'origins of apps that are no web pages',
      { server: { cors_origins: ['app://obsidian.md', 'http://localhost:3000'] } },
    ],
  ])('%s', (_, file) => {
    expect(issuesOf({ file: JSON.stringify(file) })).toEqual([])
  })
})

test('an empty document is the defaults of the contract', () => {
  const { config } = loaded()
  expect(config.server).toEqual({
    host: '127.0.0.1',
    port: 8001,
    tls: null,
    max_body_mb: 32,
    max_response_mb: 64,
    allowed_hosts: [],
    cors_origins: [],
    shutdown_grace: 20,
  })
  expect(config.retry).toEqual({
    max_retries: 3,
    base_delay: 1,
    max_delay: 30,
    exponential_base: 2,
    respect_retry_after: true,
    max_retry_after: 60,
    default_retry_after: 30,
    budget: 0.2,
  })
  expect(config.timeouts).toEqual({
    first_byte: 120,
    idle: 60,
    total: 3600,
    non_stream: 600,
    keepalive_comment_after: 20,
  })
})
