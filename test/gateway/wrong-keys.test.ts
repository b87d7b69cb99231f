import { describe, expect, test } from 'vitest'
import { WrongKeys } from '../../src/gateway/wrong-keys.ts'

describe('wrong keys', () => {
  test('close an address to new keys after ten in a minute, until the first of them is a minute old', () => {
    const keys = new WrongKeys()
    for (let i = 0; i < 10; i++) {
      expect([i, keys.waitMs('10.0.0.9', `wrong-${i}`, i * 1000)]).toEqual([i, 0])
      keys.countWrong('10.0.0.9', i * 1000)
    }
    expect(keys.waitMs('10.0.0.9', 'another', 20_000)).toBe(40_000)
    expect(keys.waitMs('10.0.0.9', 'another', 60_000)).toBe(0)
  })

  test('do not close it to a key that it has shown rightly, nor any other address', () => {
    const keys = new WrongKeys()
    keys.countRight('10.0.0.9', 'right')
    for (let i = 0; i < 10; i++) keys.countWrong('10.0.0.9', 0)
    expect([keys.waitMs('10.0.0.9', 'right', 0), keys.waitMs('10.0.0.8', 'right', 0)]).toEqual([0, 0])
    expect(keys.waitMs('10.0.0.9', 'right of another', 0)).toBe(60_000)
  })

  test('of addresses without end take no memory without end: the oldest is forgotten', () => {
    const keys = new WrongKeys()
    for (let i = 0; i < 10; i++) keys.countWrong('first', 0)
    for (let i = 0; i < 10_000; i++) keys.countWrong(`address-${i}`, 0)
    expect(keys.waitMs('first', 'any', 0)).toBe(0)
  })
})
