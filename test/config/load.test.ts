import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { aFolder, issuesOf, load, loaded, write } from './given.ts'

const port = (number: number) => `server: {port: ${number}}\n`

describe('the file is searched for', () => {
  test('first where --config says, then LEXORA_CONFIG, then ./config, then LEXORA_HOME', () => {
    const cwd = aFolder()
    const home = join(cwd, 'home')
    const portFound = (given = {}) => loaded({ cwd, env: { LEXORA_HOME: home }, ...given }).config.server.port
    expect(portFound()).toBe(8001)
    write(join(home, 'lexora_config.yaml'), port(1))
    expect(portFound()).toBe(1)
    write(join(cwd, 'config', 'lexora_config.yaml'), port(2))
    expect(portFound()).toBe(2)
    write(join(cwd, 'three.yaml'), port(3))
    expect(portFound({ env: { LEXORA_HOME: home, LEXORA_CONFIG: 'three.yaml' } })).toBe(3)
    write(join(cwd, 'four.yaml'), port(4))
    expect(portFound({ env: { LEXORA_CONFIG: 'three.yaml' }, configPath: 'four.yaml' })).toBe(4)
  })

  test('in the folder of the platform where LEXORA_HOME is not set', () => {
    const home = aFolder()
    const path = write(join(home, '.config', 'lexora', 'lexora_config.yaml'), port(5))
    expect(loaded({ cwd: aFolder(), home })).toMatchObject({ path, config: { server: { port: 5 } } })
  })

  test('without one, defaults hold', () => {
    expect(loaded()).toMatchObject({ path: null, notes: [] })
  })
})

describe('a file that cannot be read is an issue', () => {
  test.each<[why: string, make: (path: string) => void, message: string]>([
    ['it is not there', () => {}, 'there is no such file'],
    ['it is a folder', (path) => mkdirSync(path), 'is a folder, not a file'],
    [
      'it is too large',
      (path) => write(path, '#'.repeat(1024 * 1024 + 1)),
      'is larger than 1 MiB; this is no configuration',
    ],
    [
      'it is UTF-16',
      (path) => write(path, Buffer.from('\ufeffserver: {}', 'utf16le')),
      'is not UTF-8; save it in that encoding',
    ],
  ])('%s', (_, make, message) => {
    const cwd = aFolder()
    make(join(cwd, 'my.yaml'))
    expect(issuesOf({ cwd, configPath: 'my.yaml' })).toEqual([`my.yaml  ${message}`])
    expect(load({ cwd, configPath: 'my.yaml' })).toMatchObject({ ok: false, path: join(cwd, 'my.yaml') })
  })
})

describe('an empty file', () => {
  test.each(['', '\n# nothing yet\n', '---\n', 'null\n'])('%j is all defaults at the start, with a note', (file) => {
    const { config, notes } = loaded({ file })
    expect(config).toEqual(loaded().config)
    expect(notes).toEqual(['lexora_config.yaml is empty: defaults hold'])
  })

  test('F3: is refused by a reload, since it may be one that is just being saved', () => {
    expect(issuesOf({ file: '', allowEmpty: false })).toEqual([
      'lexora_config.yaml  is empty; the settings in force are kept',
    ])
  })
})

describe('flag goes over environment over file over default', () => {
  const settings = () =>
    loaded({
      file: 'server:\n  port: 1\n  host: localhost\nretry:\n  max_attempts: 2\n',
      env: { LEXORA_SERVER__PORT: '2', LEXORA_RETRY__BUDGET: '0.5' },
      flags: { 'server.port': 3, 'server.host': undefined },
    })

  test('and explain says which won', () => {
    const { explain } = settings()
    expect(explain('server.port')).toEqual({
      path: ['server', 'port'],
      value: 3,
      from: 'flag',
      detail: '--port',
      overridden: [
        { value: 2, from: 'environment', detail: 'LEXORA_SERVER__PORT' },
        { value: 1, from: 'file', detail: 'lexora_config.yaml:2:3' },
        { value: 8001, from: 'default', detail: 'built in' },
      ],
    })
    expect(explain('server.host')).toMatchObject({ value: 'localhost', from: 'file', detail: 'lexora_config.yaml:3:3' })
    expect(explain('retry.max_retries')).toMatchObject({ value: 1, from: 'file', detail: 'lexora_config.yaml:5:3' })
    expect(explain('retry.base_delay')).toMatchObject({ value: 1, from: 'default', overridden: [] })
    expect(explain('retry')).toMatchObject({
      value: { budget: 0.5, max_retries: 1 },
      from: 'environment',
      overridden: [],
    })
    expect(explain('server.prot')).toBeUndefined()
  })

  test('and explicit holds what anyone set, with the sections around it', () => {
    expect([...settings().explicit].sort()).toEqual([
      'retry',
      'retry.budget',
      'retry.max_retries',
      'server',
      'server.host',
      'server.port',
    ])
  })

  test('maps are joined, lists replaced', () => {
    const { config } = loaded({
      file: 'routing: {aliases: {a: x, b: y}}\nauth: {api_keys: [one, two]}',
      env: { LEXORA_ROUTING__ALIASES: '{"b": "z"}', LEXORA_AUTH__API_KEYS: 'three' },
    })
    expect(config.routing.aliases).toEqual({ a: 'x', b: 'z' })
    expect(config.auth.api_keys).toEqual(['three'])
  })

  test('names with dots are found', () => {
    const { explain } = loaded({ file: 'routing: {aliases: {qwen2.5: a, qwen2: b}}' })
    expect(explain('routing.aliases.qwen2.5')).toMatchObject({ value: 'a', path: ['routing', 'aliases', 'qwen2.5'] })
  })

  test('a fault is told of the source that made it', () => {
    expect(issuesOf({ file: port(1), flags: { 'server.port': 99_999 } })).toEqual([
      '--port  server.port: must be at most 65535',
    ])
    expect(issuesOf({ file: port(1), env: { LEXORA_SERVER__PORT: '99999' } })).toEqual([
      'LEXORA_SERVER__PORT  server.port: must be at most 65535',
    ])
  })

  test('the file and the environment are both checked to the end', () => {
    expect(issuesOf({ file: 'server: {port: a}', env: { LEXORA_SERVER__PROT: '1' } })).toHaveLength(2)
  })
})

describe('a valid configuration is warned about', () => {
  const open =
    'server.host is 0.0.0.0 and no key is set; start with --host 127.0.0.1 to serve this machine only, list a key in auth.api_keys, or set auth.mode: off to serve everybody'
  test.each<[file: string, notes: string[]]>([
    ['server: {host: 0.0.0.0}', [open]],
    ['server: {host: 0.0.0.0}\nauth: {mode: required}', [open]],
    ['server: {host: 0.0.0.0}\nauth: {api_keys: [k]}', []],
    ['server: {host: [127.0.0.1, "::1", localhost]}', []],
    [
      'server: {host: ["::"]}\nauth: {mode: off}',
      ['auth.mode is off and server.host is ::: everybody who reaches this machine can use it'],
    ],
    [
      'auth: {mode: required}',
      ['auth.mode is required and auth.api_keys is empty: only keys minted by Lexora are accepted'],
    ],
  ])('%s', (file, notes) => {
    expect(loaded({ file }).notes).toEqual(notes)
  })

  test.skipIf(process.platform === 'win32')('if it holds keys and others can read it', () => {
    const cwd = aFolder()
    const path = write(join(cwd, 'my.yaml'), 'auth: {api_keys: [one]}')
    expect(loaded({ cwd, configPath: path }).notes).toEqual([])
    chmodSync(path, 0o644)
    expect(loaded({ cwd, configPath: path }).notes).toEqual([`${path} holds keys and others can read it: chmod 600`])
    write(path, port(1))
    chmodSync(path, 0o644)
    expect(loaded({ cwd, configPath: path }).notes).toEqual([])
  })
})

test('a collector for traces is refused, since none would be sent; null, as the example has it, is not', () => {
  expect(issuesOf({ file: 'telemetry: {otlp: "http://127.0.0.1:4318"}' })).toEqual([
    expect.stringMatching(/telemetry\.otlp.* traces are not built in/),
  ])
  expect(loaded({ file: 'telemetry: {otlp: null}' }).config.telemetry).toEqual({ otlp: null })
})
