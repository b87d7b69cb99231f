import { describe, expect, test } from 'vitest'
import { applyEnvironment } from '../../src/config/environment.ts'
import { issuesOf, loaded } from './given.ts'

/** The tree that some variables make, as plain data. */
const treeOf = (env: Record<string, string>, file = {}) =>
  JSON.parse(JSON.stringify(applyEnvironment(env, file).layer.tree))

describe('a variable has the type of its key', () => {
  test.each<[variable: string, text: string, tree: object]>([
    ['LEXORA_SERVER__PORT', '8002', { server: { port: 8002 } }],
    ['LEXORA_RETRY__BASE_DELAY', '.5', { retry: { base_delay: 0.5 } }],
    ['LEXORA_RETRY__RESPECT_RETRY_AFTER', 'no', { retry: { respect_retry_after: false } }],
    ['LEXORA_CACHE__ENABLED', '1', { cache: { enabled: true } }],
    ['LEXORA_AUTH__MODE', 'off', { auth: { mode: 'off' } }],
    ['LEXORA_DEFAULT_MODEL', '123', { default_model: '123' }],
    ['LEXORA_DEFAULT_MODEL', 'null', { default_model: null }],
    ['LEXORA_SERVER__HOST', '0.0.0.0', { server: { host: '0.0.0.0' } }],
    ['LEXORA_SERVER__HOST', '127.0.0.1, ::1', { server: { host: ['127.0.0.1', '::1'] } }],
    ['LEXORA_AUTH__API_KEYS', 'a,b,', { auth: { api_keys: ['a', 'b'] } }],
    ['LEXORA_AUTH__API_KEYS', '[{"key": "a", "user": "ann"}]', { auth: { api_keys: [{ key: 'a', user: 'ann' }] } }],
    ['LEXORA_AUTH__API_KEYS', '[]', { auth: { api_keys: [] } }],
    ['LEXORA_ROUTING__ALIASES', '{"a": "b"}', { routing: { aliases: { a: 'b' } } }],
    ['LEXORA_ROUTING__BACKENDS__MAIN__URL', 'http://h', { routing: { backends: { main: { url: 'http://h' } } } }],
    ['LEXORA_ROUTING__BACKENDS__MAIN__MAX_IN_FLIGHT', '4', { routing: { backends: { main: { max_in_flight: 4 } } } }],
    [
      'LEXORA_ROUTING__BACKENDS__MAIN__MAX_IN_FLIGHT',
      'auto',
      { routing: { backends: { main: { max_in_flight: 'auto' } } } },
    ],
    ['LEXORA_ENGINES__QWEN__GPUS', '0,1', { engines: { qwen: { gpus: [0, 1] } } }],
    ['LEXORA_ENGINES__QWEN__ENV__HF_HOME', '/m', { engines: { qwen: { env: { HF_HOME: '/m' } } } }],
    ['LEXORA_SERVER__PORT', '', {}],
    ['LEXORA_BACKENDS__MAIN__URL', 'http://h', { backends: { main: { url: 'http://h' } } }],
  ])('%s=%s', (variable, text, tree) => {
    expect(treeOf({ [variable]: text })).toEqual(tree)
  })

  test('a whole section as JSON does not undo a key of it', () => {
    expect(treeOf({ LEXORA_RETRY__BUDGET: '0.5', LEXORA_RETRY: '{"budget": 0.1, "max_retries": 1}' })).toEqual({
      retry: { budget: 0.5, max_retries: 1 },
    })
  })

  test('an older spelling works inside the JSON of a section', () => {
    expect(loaded({ env: { LEXORA_RETRY: '{"max_attempts": 3}' } }).config.retry.max_retries).toBe(2)
  })

  test('the name of a backend is met in the spelling of the file', () => {
    const file = { routing: { backends: { 'OpenAI-backup': {} } } }
    expect(treeOf({ LEXORA_ROUTING__BACKENDS__OPENAI_BACKUP__URL: 'http://h' }, file)).toEqual({
      routing: { backends: { 'OpenAI-backup': { url: 'http://h' } } },
    })
  })
})

describe('a variable that sets nothing is an error', () => {
  test.each<[variable: string, text: string, message: string]>([
    ['LEXORA_SERVER_PORT', '1', 'LEXORA_SERVER_PORT  unknown setting. Did you mean LEXORA_SERVER__PORT?'],
    ['LEXORA_SERVR__PORT', '1', 'LEXORA_SERVR__PORT  unknown setting. Did you mean LEXORA_SERVER__PORT?'],
    ['LEXORA_SERVER__PROT', '1', 'LEXORA_SERVER__PROT  unknown setting. Did you mean LEXORA_SERVER__PORT?'],
    [
      'LEXORA_ROUTING__BACKENDS__A__MODLES',
      'x',
      'LEXORA_ROUTING__BACKENDS__A__MODLES  unknown setting. Did you mean LEXORA_ROUTING__BACKENDS__A__MODELS?',
    ],
    ['LEXORA_ZZZZZZZZ', '1', 'LEXORA_ZZZZZZZZ  unknown setting; "lexora config get" shows all there are'],
    ['LEXORA_SERVER', 'x', 'LEXORA_SERVER  server: is a map: write it as JSON'],
    ['LEXORA_AUTH__API_KEYS', '[sk-secret', 'LEXORA_AUTH__API_KEYS  auth.api_keys: is not valid JSON'],
    ['LEXORA_SERVER__PORT', 'sk-secret', 'LEXORA_SERVER__PORT  server.port: must be a whole number, not text'],
    ['LEXORA_PORT', 'x', 'LEXORA_PORT  server.port: must be a whole number, not text'],
    ['LEXORA_RETRY__MAX_ATTEMPTS', '20', 'LEXORA_RETRY__MAX_ATTEMPTS  retry.max_attempts: must be at most 10'],
  ])('%s=%s', (variable, text, message) => {
    expect(issuesOf({ env: { [variable]: text } })).toEqual([message])
  })
})

describe('other variables are left alone', () => {
  test.each([
    ['LEXORA_CONFIG', ''],
    ['LEXORA_TEST_CACHE', '/tmp'],
    ['PATH', '/bin'],
    ['LEXORA_PORT', 'tcp://10.0.0.7:8001'],
    ['LEXORA_SERVICE_HOST', '10.0.0.7'],
    ['LEXORA_PORT_8001_TCP_ADDR', '10.0.0.7'],
    ['lexora_server__port', '9'],
  ])('%s=%s', (variable, text) => {
    const { config, explicit } = loaded({ env: { [variable]: text } })
    expect(config.server.port).toBe(8001)
    expect([...explicit]).toEqual([])
  })
})

test("today's name goes before an older one, which is noted", () => {
  const { config, notes } = loaded({ env: { LEXORA_PORT: '1', LEXORA_SERVER__PORT: '2', LEXORA_VLLM_URL: 'http://h' } })
  expect(config).toMatchObject({ server: { port: 2 }, vllm: { url: 'http://h' } })
  expect(notes).toEqual([
    'LEXORA_VLLM_URL is an older name of LEXORA_VLLM__URL',
    'LEXORA_PORT has no effect: LEXORA_SERVER__PORT is set',
  ])
})
