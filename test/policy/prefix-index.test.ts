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

  test('forgets what has not been used while more than its cache went by, and keeps what has', () => {
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

  test('loses no block of many conversations before as much as the cache holds went by', () => {
    const size = 1000
    const index = new PrefixIndex(size)
    const chain = (name: string, length: number): Uint32Array =>
      Uint32Array.from({ length }, (_, i) => textHash(`${name} ${i}`))
    const all = Array.from({ length: 200 }, (_, i) => chain(`conversation ${i}`, 50))
    for (const [i, conversation] of all.entries()) {
      index.record(conversation)
      for (const recent of all.slice(Math.max(0, i + 1 - size / 50), i + 1)) expect(index.known(recent)).toBe(50)
    }
  })

  test('keeps what is in flight however much goes by, and is rid of it some time after', () => {
    const index = new PrefixIndex(10)
    const running = hashes(blocks(3, 'r'))
    const others = (count: number): void => {
      for (let i = 0; i < count; i++) index.record(Uint32Array.of(textHash(`other ${i}`)))
    }
    index.hold(running)
    index.hold(running)
    others(50)
    index.free(running)
    others(50)
    expect(index.known(running)).toBe(3)
    index.free(running)
    others(9)
    expect(index.known(running)).toBe(1)
    others(10)
    expect(index.known(running)).toBe(0)
  })

  test('knows nothing of what ends that never began', () => {
    const index = new PrefixIndex(10)
    index.free(hashes(blocks(3, 'r')))
    expect(index.size).toBe(0)
  })

  test('has less room the more often its claims are wrong, and gains it back', () => {
    const index = new PrefixIndex(100)
    for (let i = 0; i < 20; i++) index.learn(10, 0)
    const small = index.room
    expect(small).toBeLessThan(40)
    index.learn(3, 0)
    index.learn(0, 0)
    expect(index.room).toBe(small)
    for (let i = 0; i < 1000; i++) index.learn(10, 10)
    expect(index.room).toBe(100)
    for (let i = 0; i < 1000; i++) index.learn(10, 4)
    expect(index.room).toBe(100 / 16)
  })

  test('never remembers more than its room and what is in flight', () => {
    const text = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 })
    const step = fc.record({ text, ends: fc.boolean(), found: fc.nat(8) })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 60 }), (size, steps) => {
        const index = new PrefixIndex(size)
        const running: Uint32Array[] = []
        for (const { text: words, ends, found } of steps) {
          const chain = Uint32Array.from(new Set(words), (word) => textHash(`word ${word}`))
          index.learn(index.known(chain), found)
          index.hold(chain)
          running.push(chain)
          expect(index.known(chain)).toBe(chain.length)
          if (ends) index.free(running.shift()!)
          const held = new Set(running.flatMap((one) => [...one])).size
          expect(index.size).toBeLessThanOrEqual(Math.max(index.room, 0) + held)
        }
        for (const chain of running) index.free(chain)
        expect(index.size).toBeLessThanOrEqual(index.room)
      }),
    )
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
