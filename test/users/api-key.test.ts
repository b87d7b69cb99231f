import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KeyRing, sameSecret } from '../../src/users/api-key.ts'

describe('a ring of keys', () => {
  const ring = new KeyRing([
    { key: 'lx-ann', user: 'ann' },
    { key: 'sk-nobody', user: null },
  ])

  test('finds whose key it is', () => {
    expect([ring.find('lx-ann')?.user, ring.find('sk-nobody')?.user]).toEqual(['ann', null])
  })

  test.each(['', 'lx-an', 'lx-ann ', 'LX-ANN', 'ann', '__proto__'])('does not find %j', (key) => {
    expect(ring.find(key)).toBeNull()
  })

  test('tells keys apart by an id that holds nothing of them', () => {
    const ids = ['lx-ann', 'sk-nobody'].map((key) => ring.find(key)?.keyId)
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{12}$/)
  })

  test('gives a key the same id in another process', () => {
    expect(ring.find('lx-ann')?.keyId).toBe('3b41050a5d8f')
  })

  test('knows whether it is empty', () => {
    expect([ring.isEmpty, new KeyRing([]).isEmpty]).toEqual([false, true])
  })

  test('finds every key that the configuration admits, up to 4,096 characters', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\x21-\x7e]{1,20}$/), fc.nat(4000), (part, length) => {
        const key = part.padEnd(length, 'k')
        expect(new KeyRing([{ key, user: 'u' }]).find(key)?.user).toBe('u')
      }),
    )
    const longest = 'k'.repeat(4096)
    expect(new KeyRing([{ key: longest, user: 'u' }]).find(longest)?.user).toBe('u')
  })

  test('shows no key when it is printed', () => {
    expect(JSON.stringify(Object.values(ring).map((value) => [...value]))).not.toMatch(/lx-ann|sk-nobody/)
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
