import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nearestNames } from '../../src/protocol/nearest-name.ts'

const NAMES = ['qwen3-8b', 'qwen3-14b', 'llama-3.1-8b', 'bge-m3']

test.each([
  ['a letter is missing', 'qwen-8b', ['qwen3-8b']],
  ['two letters are swapped', 'qwne3-8b', ['qwen3-8b']],
  ['the case differs', 'BGE-M3', ['bge-m3']],
  ['only its beginning was typed', 'llama', ['llama-3.1-8b']],
  ['something was added', 'bge-m3:latest', ['bge-m3']],
  ['nothing is near', 'mistral', []],
])('when %s, %j is near %j', (_, wrong, names) => {
  expect(nearestNames(wrong, NAMES)).toEqual(names)
})

test('the nearest come first, no more than asked for', () => {
  expect(nearestNames('abcd', ['axxd', 'abcx', 'xbcd'], 2)).toEqual(['abcx', 'xbcd'])
})

test('names are never made up or repeated', () => {
  fc.assert(
    fc.property(fc.string(), fc.uniqueArray(fc.string({ minLength: 1 })), (wrong, names) => {
      const near = nearestNames(wrong, names)
      expect(new Set(near).size).toBe(near.length)
      expect(names).toEqual(expect.arrayContaining(near))
      expect(near.length).toBeLessThanOrEqual(3)
    }),
  )
})

test('a name of megabytes is compared by its beginning only', () => {
  expect(nearestNames(`qwen3-8b${'x'.repeat(5_000_000)}`, NAMES)).toEqual(['qwen3-8b'])
})
