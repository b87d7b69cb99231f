import { describe, expect, test } from 'vitest'
import { RANGES, SERIES_NAMES, type SeriesName, type SeriesValues } from '../../src/protocol/series.ts'
import { SeriesRing } from '../../src/telemetry/series-ring.ts'

const values = (changes: Partial<SeriesValues> = {}): SeriesValues => ({
  ...(Object.fromEntries(SERIES_NAMES.map((name) => [name, null])) as SeriesValues),
  ...changes,
})

const T = 1_800_000_000

function aRing(seconds: number, make: (i: number) => Partial<SeriesValues>): SeriesRing {
  const ring = new SeriesRing()
  for (let i = 0; i < seconds; i++) ring.add(T + i, values(make(i)))
  return ring
}

const tail = (ring: SeriesRing, name: SeriesName, now: number) => ring.read('5m', now).values[name].slice(-4)

describe('the ring', () => {
  test('gives the seconds before now, with null where nothing was measured', () => {
    const ring = aRing(2, (i) => ({ running: i + 1 }))
    ring.add(T + 3, values({ running: 4 }))
    expect(tail(ring, 'running', T + 4)).toEqual([1, 2, null, 4])
    expect(ring.read('5m', T + 4)).toMatchObject({ stepS: 1, from: T + 4 - 300 })
  })

  test('combines the seconds of a step: rates by mean, counts by sum, places by the most', () => {
    const ring = aRing(5, (i) => ({ output: i, failed: 1, running: i }))
    const { values: read, from } = ring.read('15m', T + 5)
    expect([read.output.at(-1), read.failed.at(-1), read.running.at(-1)]).toEqual([2, 5, 4])
    expect([from % 5, read.output.length]).toEqual([0, RANGES['15m'].steps])
  })

  test('keeps a day of minutes when the seconds are long gone', () => {
    const ring = aRing(2 * 3600, () => ({ running: 3, finished: 1 }))
    const { values: read } = ring.read('24h', T + 2 * 3600)
    const told = read.finished.filter((value) => value !== null)
    expect(told.reduce((sum, value) => sum + value, 0)).toBe(2 * 3600)
    expect(ring.read('1h', T + 2 * 3600).values.running.every((value) => value === 3)).toBe(true)
  })

  test('tells what is new alone to whoever says what he has', () => {
    const ring = aRing(10, (i) => ({ running: i }))
    const news = ring.read('5m', T + 10, T + 7)
    expect([news.from, news.values.running]).toEqual([T + 8, [8, 9]])
    expect(ring.read('5m', T + 10, T + 99).values.running).toEqual([])
  })

  test('spreads what was counted at an end over the time that it took', () => {
    const ring = aRing(4, () => ({ output: 0 }))
    ring.spread('output', 40, T, T + 3)
    expect(tail(ring, 'output', T + 4)).toEqual([10, 10, 10, 10])
  })

  test('a clock that is set back throws away what lies in its future', () => {
    const ring = aRing(10, () => ({ running: 1 }))
    ring.add(T + 2, values({ running: 7 }))
    expect(ring.read('5m', T + 10).values.running.slice(-10)).toEqual([1, 1, 7, ...Array(7).fill(null)])
  })
})
