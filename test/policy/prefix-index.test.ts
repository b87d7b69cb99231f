import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BLOCK_BYTES, blockHashes, PrefixIndex, textHash } from '../../src/policy/prefix-index.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const hashes = (text: string, seed = 'm'): Uint32Array => blockHashes(bytes(text), 0, bytes(text).length, seed)
const blocks = (count: number, letter: string): string => letter.repeat(count * BLOCK_BYTES)

describe('the blocks of a text', () => {
  test('are equal as far as two texts are, and different from there on', () => {
    const a = hashes(blocks(3, 'a') + blocks(2, 'b'))
    const b = hashes(blocks(3, 'a') + blocks(2, 'c'))
    expect([...a].map((hash, i) => hash === b[i])).toEqual([true, true, true, false, false])
  })

  test('are another model’s others', () => {
    expect(hashes(blocks(1, 'a'), 'm')).not.toEqual(hashes(blocks(1, 'a'), 'n'))
  })

  test('do not count what does not fill one', () => {
    expect(hashes('a'.repeat(BLOCK_BYTES - 1))).toHaveLength(0)
    expect(hashes(`${blocks(2, 'a')}a`)).toHaveLength(2)
  })
})

describe('an index', () => {
  test('knows what was recorded, from the beginning and without a gap', () => {
    const index = new PrefixIndex(100)
    index.record(hashes(blocks(3, 'a')))
    expect(index.known(hashes(blocks(3, 'a') + blocks(4, 'b')))).toBe(3)
    expect(index.known(hashes(blocks(1, 'b') + blocks(3, 'a')))).toBe(0)
  })

  test('forgets what has not been used while twice its cache went by, and keeps what has', () => {
    const index = new PrefixIndex(10)
    const [used, left] = [hashes(blocks(2, 'u')), hashes(blocks(2, 'l'))]
    index.record(used)
    index.record(left)
    for (let i = 0; i < 30; i++) {
      index.record(Uint32Array.of(textHash(`other ${i}`)))
      index.record(used)
    }
    expect([index.known(used), index.known(left)]).toEqual([2, 0])
  })

  test('never claims what was not recorded, however much went by', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.array(fc.integer({ min: 1, max: 500 })), (size, texts) => {
        const index = new PrefixIndex(size)
        for (const text of texts) index.record(Uint32Array.of(textHash(`text ${text}`)))
        for (let i = 501; i < 600; i++) expect(index.known(Uint32Array.of(textHash(`text ${i}`)))).toBe(0)
      }),
    )
  })
})
