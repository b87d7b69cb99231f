import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Found, KeyRing, sameSecret } from '../../src/users/api-key.ts'

describe('a ring of keys', () => {
  const ring = new KeyRing([
    { key: 'lx-ann', user: 'ann' },
    { key: 'sk-nobody', user: null },
  ])

  const userOf = (found: Found) => (found.is === 'known' ? found.principal.user : found.is)
  const idOf = (found: Found) => (found.is === 'known' ? found.principal.keyId : found.is)

  test('finds whose key it is', () => {
    expect([userOf(ring.find('lx-ann', 0)), userOf(ring.find('sk-nobody', 0))]).toEqual(['ann', null])
  })

  test.each(['', 'lx-an', 'lx-ann ', 'LX-ANN', 'ann', '__proto__'])('does not find %j', (key) => {
    expect(ring.find(key, 0).is).toBe('unknown')
  })

  test('tells keys apart by an id that holds nothing of them', () => {
    const ids = ['lx-ann', 'sk-nobody'].map((key) => idOf(ring.find(key, 0)))
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{12}$/)
  })

  test('gives a key the same id in another process', () => {
    expect(idOf(ring.find('lx-ann', 0))).toBe('3b41050a5d8f')
  })

  test('knows whether it is empty', () => {
    expect([ring.isEmpty, new KeyRing([]).isEmpty]).toEqual([false, true])
  })

  test('finds every key that the configuration admits, up to 4,096 characters', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\x21-\x7e]{1,20}$/), fc.nat(4000), (part, length) => {
        const key = part.padEnd(length, 'k')
        expect(userOf(new KeyRing([{ key, user: 'u' }]).find(key, 0))).toBe('u')
      }),
    )
    const longest = 'k'.repeat(4096)
    expect(userOf(new KeyRing([{ key: longest, user: 'u' }]).find(longest, 0))).toBe('u')
  })

  test('shows no key when it is printed', () => {
    expect(inspect(ring, { depth: 9, showHidden: true })).not.toMatch(/lx-ann|sk-nobody/)
  })
})

test.each([
  ['a', 'a', true],
  ['', '', true],
  ['a', 'b', false],
  ['a', 'aa', false],
  ['a', '', false],
  ['é', 'e\u0301', false],
])('the secrets %j and %j are the same: %s', (a, b, same) => {
  expect(sameSecret(a, b)).toBe(same)
})
