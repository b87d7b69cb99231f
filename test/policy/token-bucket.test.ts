import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  fullInMs,
  give,
  newBucket,
  perMinute,
  type Rate,
  refill,
  take,
  waitFor,
} from '../../src/policy/token-bucket.ts'

const TEN: Rate = { perSecond: 10, burst: 20 }

describe('a bucket', () => {
  test('gives its burst at once and then says exactly how long to wait', () => {
    const bucket = newBucket(TEN, 0)
    for (let i = 0; i < 20; i++) expect(take(bucket, TEN, 1, 0)).toBe(0)
    expect(take(bucket, TEN, 1, 0)).toBe(100)
    expect(take(bucket, TEN, 1, 99)).toBe(1)
    expect(take(bucket, TEN, 1, 100)).toBe(0)
    expect(take(bucket, TEN, 1, 100)).toBe(100)
  })

  test('by the minute holds a whole minute', () => {
    expect(perMinute(30)).toEqual({ perSecond: 0.5, burst: 30 })
  })

  test('never gives what is larger than its burst', () => {
    expect(take(newBucket(TEN, 0), TEN, 21, 0)).toBe(Infinity)
  })

  test('goes into debt of one burst and no further, and takes back no more than fits', () => {
    const bucket = newBucket(TEN, 0)
    give(bucket, TEN, -1000, 0)
    expect(refill(bucket, TEN, 0)).toBe(-20)
    expect(waitFor(bucket, TEN, 1, 0)).toBe(2100)
    give(bucket, TEN, 1000, 0)
    expect([refill(bucket, TEN, 0), fullInMs(bucket, TEN, 0)]).toEqual([20, 0])
  })

  test('a clock that jumps fills nothing beyond the burst, and a jump back stalls nobody', () => {
    const bucket = newBucket(TEN, 1_000_000)
    expect(refill(bucket, TEN, 1e15)).toBe(20)
    take(bucket, TEN, 20, 1e15)
    expect(refill(bucket, TEN, 0)).toBe(0)
    expect(take(bucket, TEN, 1, 100)).toBe(0)
  })
})

const rates = fc.record({
  perSecond: fc.double({ min: 0.1, max: 1000, noNaN: true }),
  burst: fc.integer({ min: 1, max: 500 }),
})
const steps = fc.array(fc.record({ by: fc.oneof(fc.nat(50), fc.nat(5000)), cost: fc.integer({ min: 1, max: 20 }) }), {
  maxLength: 60,
})

test('no window admits more than burst + rate × time', () => {
  fc.assert(
    fc.property(rates, steps, (rate, story) => {
      const bucket = newBucket(rate, 0)
      let now = 0
      const admitted: { at: number; cost: number }[] = []
      for (const { by, cost } of story) {
        now += by
        if (take(bucket, rate, cost, now) === 0) admitted.push({ at: now, cost })
      }
      for (let from = 0; from < admitted.length; from++) {
        let sum = 0
        for (let to = from; to < admitted.length; to++) {
          sum += admitted[to]!.cost
          const seconds = (admitted[to]!.at - admitted[from]!.at) / 1000
          if (sum > rate.burst + rate.perSecond * seconds + 1e-3) return false
        }
      }
      return true
    }),
    { numRuns: 10_000 },
  )
})

test('the wait is exact: one millisecond less is too early', () => {
  fc.assert(
    fc.property(rates, steps, (rate, story) => {
      const bucket = newBucket(rate, 0)
      let now = 0
      for (const { by, cost } of story) {
        now += by
        const waitMs = take(bucket, rate, cost, now)
        if (waitMs === 0 || waitMs === Infinity) continue
        expect(waitFor({ ...bucket }, rate, cost, now + waitMs - 1)).toBeGreaterThan(0)
        expect(waitFor({ ...bucket }, rate, cost, now + waitMs)).toBe(0)
      }
    }),
    { numRuns: 2000 },
  )
})

test('whatever the clock does, it never holds more than its burst', () => {
  const jumps = fc.array(fc.integer({ min: -1e9, max: 1e9 }), { maxLength: 50 })
  fc.assert(
    fc.property(rates, jumps, (rate, story) => {
      const bucket = newBucket(rate, 0)
      let [now, forward, taken] = [0, 0, 0]
      for (const by of story) {
        now += by
        forward += Math.max(0, by)
        while (take(bucket, rate, 1, now) === 0) taken++
        expect(refill(bucket, rate, now)).toBeLessThanOrEqual(rate.burst)
      }
      expect(taken).toBeLessThanOrEqual(rate.burst * (story.length + 1))
      expect(taken).toBeLessThanOrEqual(rate.burst + (rate.perSecond * forward) / 1000 + 1e-3)
    }),
    { numRuns: 2000 },
  )
})
