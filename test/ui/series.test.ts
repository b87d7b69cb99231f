import { describe, expect, test } from 'vitest'
import { append, lastOf } from '../../renderer/series-store.ts'
import { CHARTS, columnsOf, gapsOf, laneGaps, roundUp, topOf } from '../../renderer/view-models/charts.ts'
import { RANGES, SERIES_NAMES, type SeriesName, type SeriesReport } from '../../src/protocol/series.ts'

function aReport(from: number, output: (number | null)[], range: SeriesReport['range'] = '5m'): SeriesReport {
  const values = Object.fromEntries(
    SERIES_NAMES.map((name) => [name, output.map(() => null)]),
  ) as SeriesReport['values']
  return { range, stepS: RANGES[range].stepS, from, values: { ...values, output } }
}

describe('news of a series', () => {
  test('take the place of what they overlap', () => {
    expect(append(aReport(100, [1, 2, 3]), aReport(101, [20, 30, 40]))).toEqual(aReport(100, [1, 20, 30, 40]))
  })

  test('push out the oldest', () => {
    const full = aReport(
      0,
      Array.from({ length: 300 }, (_, i) => i),
    )
    const next = append(full, aReport(300, [300]))
    expect([next.from, next.values.output.length, next.values.output.at(-1)]).toEqual([1, 300, 300])
  })

  test('after a hole stand alone', () => {
    expect(append(aReport(0, [1]), aReport(50, [2]))).toEqual(aReport(50, [2]))
  })

  test('that are none change nothing', () => {
    const before = aReport(0, [1])
    expect(append(before, aReport(1, []))).toBe(before)
  })
})

test('a value older than three steps is not the last one', () => {
  expect([lastOf(aReport(0, [5, null, null]), 'output'), lastOf(aReport(0, [5, null, null, null]), 'output')]).toEqual([
    5,
    null,
  ])
})

test('a gap is where readings stopped, not where they had not begun', () => {
  expect(gapsOf([null, null, 1, null, null, 2])).toEqual([{ from: 0.5, to: 5 / 6 }])
})

test('a gap in the latencies says whether there was nothing to measure, or nobody who measured', () => {
  const { lanes } = CHARTS.find(({ id }) => id === 'latency')!
  const output = [0, 0, 0, 0, 0, null, null, 0, 0, 0]
  const ttftP95 = [9, null, null, null, 9, null, null, 9, 9, 9]
  const values = { ...aReport(0, output).values, output, ttftP50: ttftP95, ttftP95, totalP95: ttftP95 }
  expect(laneGaps({ values }, lanes[0]!)).toEqual([
    { from: 0.1, to: 0.4, why: 'why.noTraffic' },
    { from: 0.5, to: 0.7, why: 'chart.noReading' },
  ])
})

test('what is read in any case has gaps only where nobody read', () => {
  const { lanes } = CHARTS.find(({ id }) => id === 'queue')!
  const running = [0, null, null, 0]
  const values = { ...aReport(0, running).values, running, waiting: running, rejected: running }
  expect(laneGaps({ values }, lanes[0]!)).toEqual([{ from: 0.25, to: 0.75, why: 'chart.noReading' }])
})

test.each([
  [0, 1],
  [7, 8],
  [41, 50],
  [100, 100],
  [279, 400],
])('a scale for %d ends at %d', (value, top) => {
  expect(roundUp(value)).toBe(top)
})

test('waiting stands on running, and the scale holds both', () => {
  const queue = CHARTS.find(({ id }) => id === 'queue')!
  const report = aReport(0, [null])
  const set = (name: SeriesName, value: number) => (report.values[name] = [value])
  set('running', 8)
  set('waiting', 3)
  expect(columnsOf(report, queue.lanes[0]!.lines)).toEqual([[null], [11], [8]])
  expect(topOf(report, queue.lanes[0]!, undefined)).toBe(20)
})
