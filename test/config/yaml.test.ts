import { describe, expect, test } from 'vitest'
import { issuesOf, load, loaded } from './given.ts'

describe('every fault of a file is named by line and column', () => {
  test.each<[why: string, text: string, issue: string]>([
    [
      'an unknown key',
      'routing:\n  backends:\n    main:\n      url: http://127.0.0.1:8000\n      modles: []',
      '5:7  routing.backends.main.modles: unknown key. Did you mean "models"?',
    ],
    [
      'an unknown key far from all others',
      'server:\n  zzzzzz: 1',
      '2:3  server.zzzzzz: unknown key. Known here: host, port, tls, max_body_mb, max_response_mb, allowed_hosts, cors_origins, shutdown_grace',
    ],
    [
      'a key that belongs into a section',
      'max_retries: 3',
      '1:1  max_retries: unknown key. Did you mean "retry.max_retries"?',
    ],
    ['a wrong type', 'server:\n  port: eighty', '2:3  server.port: must be a whole number, not text'],
    [
      'an item of a list',
      'auth:\n  api_keys:\n    - one\n    - 5',
      '4:7  auth.api_keys.1: must be text or a map, not a whole number',
    ],
    [
      'a missing key, at what lacks it',
      'routing:\n  tasks:\n    sum: {fallback: [a]}',
      '3:5  routing.tasks.sum.primary: is missing; it must be text',
    ],
    [
      'a key given twice',
      'server:\n  port: 1\n  port: 2',
      '3:3  this key is already given above; remove one of the two',
    ],
    ['a quote that never ends', 'server:\n  host: "a', 'a quote, bracket, comma or colon is missing here'],
    ['a tab', 'server:\n\tport: 1', '2:1  indent with spaces, not with tabs'],
    ['a wrong indentation', 'server:\n  port: 1\n host: a', '3:1  the indentation does not fit'],
    ['an anchor that is not there', 'server: *none', '1:9  server: this "*name" refers to no anchor above it'],
    ['a tag', 'server:\n  host: !secret key', '2:9  tags such as "!name" are not supported; remove it'],
    [
      'two documents',
      'server: {port: 1}\n---\nserver: {port: 2}',
      '2:1  the file must hold one document; remove this "---"',
    ],
    ['a list instead of sections', '- a', '1:1  must be a map of sections, as in "server:"'],
    ['a text instead of sections', 'hello', '1:1  must be a map of sections, as in "server:"'],
    ['__proto__', 'routing:\n  aliases:\n    __proto__: x', '3:5  routing.aliases.__proto__: this name cannot be used'],
    [
      'an endless number',
      'server:\n  max_body_mb: .inf',
      '2:3  server.max_body_mb: must be a number, not a number without end',
    ],
  ])('%s', (_, file, issue) => {
    const issues = issuesOf({ file })
    expect(issues[0]).toMatch(/^lexora_config\.yaml:\d+:\d+ {2}/)
    expect(issues.join('\n')).toContain(issue)
  })

  test('all of them at once, from top to bottom', () => {
    expect(issuesOf({ file: 'vllm:\n  url: no\nserver:\n  prot: 1\n  host: 5' })).toEqual([
      'lexora_config.yaml:2:3  vllm.url: must be a whole address, as in "http://127.0.0.1:8000"',
      'lexora_config.yaml:4:3  server.prot: unknown key. Did you mean "port"?',
      'lexora_config.yaml:5:3  server.host: must be text or a list, not a whole number',
    ])
  })

  test('an issue carries its place in parts, for an editor', () => {
    const result = load({ file: 'server:\n  prot: 1' })
    expect(result.ok ? [] : result.issues).toEqual([
      {
        path: 'server.prot',
        message: 'unknown key. Did you mean "port"?',
        source: 'file',
        place: 'lexora_config.yaml:2:3',
        file: 'lexora_config.yaml',
        line: 2,
        column: 3,
      },
    ])
  })
})

describe('what YAML offers is understood', () => {
  test.each<[why: string, text: string | Uint8Array]>([
    ['a byte order mark', '\ufeffserver: {port: 9}'],
    ['line ends of Windows', 'server:\r\n  port: 9\r\n'],
    ['anchors', 'server: {port: &p 9}\nmetrics: {request_log: {keep_days: *p}}'],
    ['merge keys, whose own keys win', 'server:\n  <<: {port: 1, host: localhost}\n  port: 9'],
    ['lists of merge keys, the first of which wins', 'server:\n  <<: [{port: 9}, {port: 1}]'],
    ['a document marker at the top', '---\nserver: {port: 9}\n'],
    ['JSON', '{"server": {"port": 9}}'],
    ['names that are numbers', 'server: {port: 9}\nrouting: {aliases: {4: gpt}}'],
  ])('%s', (_, file) => {
    expect(loaded({ file }).config.server.port).toBe(9)
  })

  test('a section or list whose lines are all commented out is empty', () => {
    const { config, explicit } = loaded({
      file: 'server:\n  # port: 1\n  allowed_hosts:\nrouting:\n  aliases:\nvllm:\n',
    })
    expect(config).toEqual(loaded().config)
    expect([...explicit]).toEqual([])
  })

  test('an empty backend is still an entry', () => {
    expect(issuesOf({ file: 'routing:\n  backends:\n    main:\n' })[0]).toContain(
      '3:5  routing.backends.main.url: is missing',
    )
  })
})

describe('a hostile file stays harmless', () => {
  const laughs = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefgh'.split('').map((name, index) => {
      const below = 'abcdefgh'[index]
      return `${name}: &${name} [${Array(9).fill(`*${below}`).join()}]`
    }),
  ].join('\n')

  test.each([
    ['a billion laughs', laughs],
    ['an anchor inside itself', 'server: &s\n  port: *s'],
    ['a merge of itself', 'server: &s\n  <<: *s'],
    ['deep nesting', `server: ${'['.repeat(50)}${']'.repeat(50)}`],
  ])('%s is refused', (_, file) => {
    expect(issuesOf({ file }).join('\n')).toContain('unfolds to too many values')
  })

  test('nothing in it reaches a prototype', () => {
    load({ file: '__proto__: {polluted: 1}\nserver: {constructor: {prototype: {polluted: 1}}}' })
    load({ env: { LEXORA_ROUTING__ALIASES: '{"__proto__": {"polluted": "1"}}' } })
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test.each([
    ['a syntax error beside it', 'auth:\n  admin_key: "sk-secret" "sk-secret"'],
    ['a wrong place', 'auth:\n  api_keys: {sk-secret: ann}'],
    ['the key as a name', 'auth:\n  api_keys:\n    - sk-secret: ann'],
    ['the key as a setting', 'auth:\n  sk-secret: ann'],
    ['a wrong form', 'auth:\n  admin_key: "sk-secret with a space"'],
    ['a password in an address', 'vllm:\n  url: http://me:sk-secret@'],
    ['a bare line', 'auth:\n  sk-secret'],
    ['an escape', 'auth:\n  admin_key: "sk-secret\\q"'],
  ])('a secret is not repeated: %s', (_, file) => {
    const issues = issuesOf({ file })
    expect(issues).not.toEqual([])
    expect(issues.join()).not.toContain('sk-secret')
  })
})
