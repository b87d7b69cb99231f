import { describe, expect, test } from 'vitest'
import { type AuthOptions, authenticate, authenticateAdmin, isOwnMachine } from '../../src/gateway/authenticate.ts'
import { KeyRing } from '../../src/users/api-key.ts'
import { aBareHead } from './a-head.ts'

const KEYS = [
  { key: 'lx-ann', user: 'ann' },
  { key: 'sk-team', user: null },
]

function auth(changes: Partial<AuthOptions> = {}): AuthOptions {
  return { mode: 'required', keys: new KeyRing(KEYS), adminKey: null, ...changes }
}

/** Who is let in: a user, `nobody`, or the code of the refusal. */
function told(keys: readonly string[], options: AuthOptions): string {
  const result = authenticate(keys, options, 0)
  if (!result.ok) return result.problem.code
  const { user, keyId } = result.principal
  return user ?? (keyId === null ? 'nobody' : 'a key without a user')
}

describe('who is let in', () => {
  type Row = [keys: string[], required: string, loopback: string, off: string]
  const rows: Row[] = [
    [[], 'invalid_api_key', 'nobody', 'nobody'],
    [['lx-ann'], 'ann', 'ann', 'nobody'],
    [['sk-team'], 'a key without a user', 'a key without a user', 'nobody'],
    [['lx-gone'], 'invalid_api_key', 'invalid_api_key', 'nobody'],
    [['EMPTY'], 'invalid_api_key', 'nobody', 'nobody'],
    [['ollama'], 'invalid_api_key', 'nobody', 'nobody'],
    [['sk-proj-123'], 'invalid_api_key', 'nobody', 'nobody'],
    [['LX-ANN'], 'invalid_api_key', 'nobody', 'nobody'],
    [['lx-ann', 'sk-team'], 'invalid_api_key', 'invalid_api_key', 'nobody'],
    [['lx-ann', 'EMPTY'], 'invalid_api_key', 'invalid_api_key', 'nobody'],
  ]

  test.each(rows)('with %j: required %s, on loopback %s, off %s', (keys, ...expected) => {
    const modes = ['required', 'loopback', 'off'] as const
    expect(modes.map((mode) => told(keys, auth({ mode })))).toEqual(expected)
  })

  test('a refusal tells nothing of the key', () => {
    for (const keys of [['lx-secret-1'], ['lx-secret-1', 'lx-secret-2']]) {
      expect(JSON.stringify(authenticate(keys, auth(), 0))).not.toContain('secret')
    }
  })
})

describe('operators’ doors', () => {
  const admin = (keys: string[], adminKey: string | null, session: string | null = null): string => {
    const door = { session, scope: 'admin:write', here: true, face: 'cli' } as const
    const told = authenticateAdmin(keys, auth({ mode: 'off', adminKey }), door, 0)
    return told.ok ? 'open' : told.problem.code
  }

  test.each([
    ['with the admin key', ['admin-1'], 'admin-1', 'open'],
    ['with a caller’s key', ['lx-ann'], 'admin-1', 'permission_denied'],
    ['with the beginning of the admin key', ['admin-'], 'admin-1', 'permission_denied'],
    ['with no key', [], 'admin-1', 'invalid_api_key'],
    ['with two keys, one of them right', ['admin-1', 'lx-ann'], 'admin-1', 'invalid_api_key'],
    ['where there is no admin key', ['admin-1'], null, 'permission_denied'],
    ['where there is no admin key, with no key', [], null, 'permission_denied'],
  ])('%s', (_, keys, adminKey, verdict) => {
    expect(admin(keys, adminKey)).toBe(verdict)
  })

  test.each([
    ['with the session', ['session-1'], null, 'open'],
    ['with the session beside an admin key', ['session-1'], 'admin-1', 'open'],
    ['with the admin key beside a session', ['admin-1'], 'admin-1', 'open'],
    ['with another session', ['session-2'], null, 'permission_denied'],
    ['with two keys, one of them the session', ['session-1', 'lx-ann'], 'admin-1', 'invalid_api_key'],
    ['with no key, where there is only a session', [], null, 'permission_denied'],
  ])('%s', (_, keys, adminKey, verdict) => {
    expect(admin(keys, adminKey, 'session-1')).toBe(verdict)
  })
})

test.each([
  ['127.0.0.1', '127.0.0.1', true],
  ['127.0.0.2', '127.0.0.1', true],
  ['::1', '::1', true],
  ['::ffff:127.0.0.1', '::ffff:127.0.0.1', true],
  ['192.168.1.20', '192.168.1.20', true],
  ['192.168.1.21', '192.168.1.20', false],
  ['10.127.0.1', '10.127.0.2', false],
  ['::ffff:10.0.0.1', '::ffff:10.0.0.2', false],
  ['::11', '::1', false],
  [undefined, undefined, false],
])('a caller at %s of a listener at %s is on this machine: %s', (remoteAddress, localAddress, here) => {
  expect(isOwnMachine({ remoteAddress, localAddress })).toBe(here)
})

describe('keys are read', () => {
  const keys = (headers: [string, string][], keyHeader?: string) =>
    aBareHead({ headers, ...(keyHeader === undefined ? {} : { keyHeader }) }).keys

  test.each<[where: string, headers: [string, string][], found: string[]]>([
    ['from a bearer', [['Authorization', 'Bearer k']], ['k']],
    ['from a bearer in any case', [['AUTHORIZATION', 'bearer  k ']], ['k']],
    ['from x-api-key', [['X-Api-Key', 'k']], ['k']],
    [
      'once, where the same key comes twice',
      [
        ['Authorization', 'Bearer k'],
        ['x-api-key', 'k'],
      ],
      ['k'],
    ],
    [
      'both, where two come',
      [
        ['Authorization', 'Bearer k'],
        ['x-api-key', 'l'],
      ],
      ['k', 'l'],
    ],
    ['from no other scheme', [['Authorization', 'Basic azpr']], []],
    ['from no bearer without a key', [['Authorization', 'Bearer ']], []],
    ['from no header of another name', [['x-team-key', 'k']], []],
  ])('%s', (_, headers, found) => {
    expect(keys(headers)).toEqual(found)
  })

  test('from the header that the configuration adds', () => {
    expect(keys([['X-Team-Key', 'k']], 'x-team-key')).toEqual(['k'])
  })
})
