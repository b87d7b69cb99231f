import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { configCommand } from '../../src/app/config-commands.ts'
import { aFolder, write } from './given.ts'

type Ran = { code: number; out: string; err: string }

/** Runs `lexora config …` in a folder whose lexora_config.yaml is `file`. */
function run(argv: string[], file?: string, env = {}): Ran {
  const cwd = aFolder()
  if (file !== undefined) write(join(cwd, 'lexora_config.yaml'), file)
  const out: string[] = []
  const err: string[] = []
  const code = configCommand(file === undefined ? argv : [...argv, '--config', 'lexora_config.yaml'], {
    env,
    cwd,
    home: '/home/ann',
    platform: 'linux',
    out: (text) => out.push(text),
    err: (text) => err.push(text),
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

const routed = `routing:
  enabled: true
  backends:
    main:
      url: http://127.0.0.1:8000
`

describe('lexora config validate', () => {
  test('says that a file is valid, and what to note', () => {
    expect(run(['validate'], 'cache: {enabled: true}')).toEqual({
      code: 0,
      out: 'note: cache has no effect yet: this release does not have that feature\nlexora_config.yaml is valid',
      err: '',
    })
  })

  test('names each error with place, key and fix', () => {
    expect(run(['validate'], `${routed}      modles: []\n`)).toEqual({
      code: 78,
      out: '',
      err: 'lexora_config.yaml:6:7  routing.backends.main.modles: unknown key. Did you mean "models"?\nlexora_config.yaml: 1 error; nothing would start',
    })
  })

  test('finds what only the backends show', () => {
    expect(run(['validate'], `${routed}      type: anthropic\n`)).toMatchObject({
      code: 78,
      err: expect.stringContaining('lexora_config.yaml:6:7  routing.backends.main.type: its adapter is not built yet'),
    })
  })

  test('answers in JSON', () => {
    const { code, out } = run(['validate', '--json'], 'server: {prot: 1}')
    expect(code).toBe(78)
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      path: expect.stringContaining('lexora_config.yaml'),
      notes: [],
      issues: [{ path: 'server.prot', line: 1, column: 10 }],
    })
  })

  test('is content without a file', () => {
    expect(run(['validate'])).toEqual({ code: 0, out: 'the configuration (no file: defaults) is valid', err: '' })
  })
})

describe('lexora config explain', () => {
  test('says who won and whom it overrides', () => {
    expect(run(['explain', 'server.port'], 'server:\n  port: 1', { LEXORA_SERVER__PORT: '2' })).toEqual({
      code: 0,
      out: [
        'server.port = 2',
        '  from environment LEXORA_SERVER__PORT',
        '  overrides 1 from file lexora_config.yaml:2:3',
        '  overrides 8001 from the default',
      ].join('\n'),
      err: '',
    })
  })

  test('answers in JSON', () => {
    expect(JSON.parse(run(['explain', 'server.port', '--json']).out)).toEqual({
      key: 'server.port',
      path: ['server', 'port'],
      value: 8001,
      from: 'default',
      detail: 'built in',
      overridden: [],
    })
  })

  test('knows the nearest key', () => {
    expect(run(['explain', 'servr.port'])).toEqual({
      code: 2,
      out: '',
      err: 'no such key: servr.port. Did you mean "server.port"?',
    })
  })

  test('says what is wrong with a broken file', () => {
    expect(run(['explain', 'server.port'], 'server: 5')).toMatchObject({
      code: 78,
      err: expect.stringContaining('server: must be a map'),
    })
  })
})

describe('lexora config get', () => {
  test.each([
    ['server.port', '8001'],
    ['default_model', 'null'],
    ['fallback', 'enabled: true\non_rate_limit: true\non_context_overflow: false'],
  ])('%s', (key, out) => {
    expect(run(['get', key])).toEqual({ code: 0, out, err: '' })
  })

  test('without a key prints everything', () => {
    expect(run(['get']).out).toContain('server:\n  host: 127.0.0.1')
    expect(JSON.parse(run(['get', '--json']).out)).toHaveProperty('retry.max_retries', 3)
  })
})

describe('lexora config path', () => {
  test('names the file in use, also a broken one', () => {
    expect(run(['path'], 'server: 5')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/lexora_config\.yaml$/),
      err: '',
    })
  })

  test('names where one would be looked for', () => {
    expect(run(['path'])).toEqual({
      code: 0,
      out: '/home/ann/.config/lexora/lexora_config.yaml',
      err: 'this file does not exist yet: defaults hold',
    })
    expect(JSON.parse(run(['path', '--json']).out)).toEqual({
      path: null,
      default: '/home/ann/.config/lexora/lexora_config.yaml',
    })
  })
})

describe('a wrong call exits with 2 and shows the usage', () => {
  test.each<[argv: string[], message: string]>([
    [[], 'a command is missing'],
    [['valdate'], 'unknown command "valdate". Did you mean "validate"?'],
    [['explain'], 'explain needs a KEY'],
    [['get', 'a', 'b'], 'too many words after "get"'],
    [['path', 'x'], 'too many words after "path"'],
    [['get', '--yaml'], "Unknown option '--yaml'"],
  ])('%j', (argv, message) => {
    const { code, err } = run(argv)
    expect(code).toBe(2)
    expect(err).toContain(message)
    expect(err).toContain('usage: lexora config')
  })
})

describe('secrets are masked in every output', () => {
  const file = `auth:
  api_keys: [sk-secret, {key: sk-secret-2, user: ann}]
  admin_key: sk-secret
routing:
  enabled: true
  backends:
    main: {url: "http://h", api_key: sk-secret, headers: {authorization: sk-secret}, proxy: "http://me:sk-secret@p"}
engines:
  e: {model: m, env: {HF_TOKEN: sk-secret}, args: {api-key: sk-secret, max-model-len: 8192}}
`
  test.each([
    [['get']],
    [['get', '--json']],
    [['get', 'auth']],
    [['get', 'auth.admin_key']],
    [['get', 'auth.api_keys.1.key']],
    [['get', 'routing.backends.main.headers.authorization']],
    [['get', 'engines.e.args.api-key']],
    [['explain', 'auth.admin_key']],
    [['explain', 'auth.api_keys', '--json']],
    [['explain', 'engines']],
    [['validate', '--json']],
  ])('%j', (argv) => {
    const { code, out, err } = run(argv, file, { LEXORA_AUTH__ADMIN_KEY: 'sk-secret-3' })
    expect(code).toBe(0)
    expect(out + err).not.toContain('sk-secret')
    if (argv[0] !== 'validate') expect(out).toContain('***')
  })

  test('and what is no secret is shown', () => {
    expect(run(['get', 'engines.e.args.max-model-len'], file).out).toBe('8192')
    expect(run(['get', 'auth.api_keys.1.user'], file).out).toBe('ann')
  })
})
