import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { armOf, type BackendLoad, chooseBackend, firstTokenMs, unitHash } from '../../src/policy/choose-backend.ts'

function aLoad(backend: string, changes: Partial<BackendLoad> = {}): BackendLoad {
  return {
    backend,
    prefillBacklog: 0,
    prefillRate: 10,
    cachedTokens: 0,
    queueWaitMs: 0,
    inFlight: 0,
    weight: 1,
    swapMs: 0,
    kvUse: 0,
    ...changes,
  }
}

describe('the estimated time to first token', () => {
  test.each<[what: string, load: Partial<BackendLoad>, ms: number]>([
    ['prefills the prompt', {}, 100],
    ['prefills what came before it', { prefillBacklog: 5000 }, 600],
    ['saves what is cached', { cachedTokens: 900 }, 10],
    ['never goes below nothing', { cachedTokens: 9000 }, 0],
    ['waits in the queue', { queueWaitMs: 700 }, 800],
    ['slows down with each in flight', { inFlight: 10 }, 130],
    ['less so at a heavier backend', { inFlight: 10, weight: 3 }, 110],
    ['waits for a swap', { swapMs: 4000 }, 4100],
    ['is not longer for a full cache', { kvUse: 0.99 }, 100],
    ['is endless where a figure is none', { queueWaitMs: Number.NaN }, Infinity],
  ])('%s', (_, load, ms) => {
    expect(firstTokenMs(aLoad('a', load), 1000)).toBe(ms)
  })
})

describe('the backend', () => {
  test('is the fastest where no prefix is known', () => {
    const loads = [aLoad('a', { inFlight: 2 }), aLoad('b', { inFlight: 1 }), aLoad('c', { inFlight: 1 })]
    expect(chooseBackend(loads, 1000)).toEqual({ backend: 'b', firstTokenMs: 103, home: null, left: false })
  })

  test.each<[what: string, homeWaitMs: number, cachedTokens: number, backend: string]>([
    ['home, where the prefix is', 0, 2000, 'home'],
    ['home, while that costs two seconds or less', 2200, 2000, 'home'],
    ['another, when home costs more', 2201, 2000, 'other'],
    ['the fastest, where the prefix is short', 1, 256, 'home'],
    ['the fastest, where the prefix is short and home is slow', 26, 256, 'other'],
  ])('is %s', (_, queueWaitMs, cachedTokens, backend) => {
    const loads = [aLoad('other'), aLoad('home', { queueWaitMs, cachedTokens })]
    expect(chooseBackend(loads, 2000)!.backend).toBe(backend)
  })

  test('of none is none', () => {
    expect(chooseBackend([], 10)).toBe(null)
  })

  test('never costs over two seconds more than the best', () => {
    const loads = fc.array(
      fc.record({
        prefillBacklog: fc.nat(50_000),
        cachedTokens: fc.nat(5000),
        queueWaitMs: fc.nat(10_000),
        inFlight: fc.nat(100),
        kvUse: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      { minLength: 1, maxLength: 6 },
    )
    fc.assert(
      fc.property(loads, fc.nat(8000), (given, prompt) => {
        const all = given.map((load, i) => aLoad(`${i}`, load))
        const best = Math.min(...all.map((load) => firstTokenMs(load, prompt)))
        const choice = chooseBackend(all, prompt)!
        expect(choice.firstTokenMs - best).toBeLessThanOrEqual(2000)
        expect(choice.firstTokenMs).toBe(firstTokenMs(all[Number(choice.backend)]!, prompt))
      }),
    )
  })
})

describe('an A/B split', () => {
  const UNITS = Array.from({ length: 100_000 }, (_, i) => unitHash('chat', `user ${i}`))
  const split = (b: number) => [
    { model: 'a', weight: 100 - b },
    { model: 'b', weight: b },
  ]

  test('keeps to its weights within a point, and moves just what the change of weights says (P3.2)', () => {
    const before = UNITS.map((hash) => armOf(split(10), hash))
    const after = UNITS.map((hash) => armOf(split(20), hash))
    const shareOfB = (arms: (string | null)[]) => arms.filter((arm) => arm === 'b').length / arms.length
    expect(Math.abs(shareOfB(before) - 0.1)).toBeLessThan(0.01)
    expect(Math.abs(shareOfB(after) - 0.2)).toBeLessThan(0.01)
    const moved = before.filter((arm, i) => arm !== after[i]).length / UNITS.length
    expect(Math.abs(moved - 0.1)).toBeLessThan(0.005)
  })

  test('is another one for another alias', () => {
    const same = UNITS.filter((hash, i) => armOf(split(50), hash) === armOf(split(50), unitHash('code', `user ${i}`)))
    expect(Math.abs(same.length / UNITS.length - 0.5)).toBeLessThan(0.01)
  })

  test('gives every unit an arm that has weight', () => {
    const arms = fc.array(fc.record({ model: fc.constantFrom('a', 'b', 'c'), weight: fc.nat(20) }), { maxLength: 5 })
    fc.assert(
      fc.property(arms, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (given, hash) => {
        const weighty: string[] = given.filter(({ weight }) => weight > 0).map(({ model }) => model)
        const arm = armOf(given, hash)
        expect(weighty.length === 0 ? arm === null : weighty.includes(arm!)).toBe(true)
      }),
    )
  })
})
