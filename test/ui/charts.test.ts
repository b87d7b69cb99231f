import { describe, expect, test } from 'vitest'
import {
  CHARTS,
  columnsOf,
  runsOf,
  shareOf,
  slowedBy,
  slowedOf,
  topOf,
  troubleOf,
} from '../../renderer/view-models/charts.ts'
import type { Happening } from '../../src/protocol/happenings.ts'
import { SERIES_NAMES, type SeriesReport } from '../../src/protocol/series.ts'
import type { GpuView } from '../../src/protocol/snapshot.ts'

const FROM = Date.parse('2026-11-21T12:00:00Z') / 1000

/** A hundred steps of a second from 12:00:00 on; what is not said was not read. */
function aReport(values: Partial<SeriesReport['values']> = {}): SeriesReport {
  const silent = Object.fromEntries(SERIES_NAMES.map((name) => [name, Array.from({ length: 100 }, () => null)]))
  return { range: '5m', stepS: 1, from: FROM, values: { ...(silent as SeriesReport['values']), ...values } }
}

const at = (second: number): string => new Date((FROM + second) * 1000).toISOString()
let seq = 0
const engine = (second: number, state: string, name = 'main'): Happening =>
  ({ seq: ++seq, at: at(second), what: 'engine', engine: name, state, cause: null }) as Happening
const backend = (second: number, up: boolean): Happening => ({
  seq: ++seq,
  at: at(second),
  what: 'backend',
  backend: 'main',
  up,
  reason: null,
})

describe('the top of a scale', () => {
  const lane = (name: string) => CHARTS.at(-1)!.lanes.find(({ lines }) => lines[0]!.name === name)!
  const card = (powerLimitW: number | null) => ({ powerLimitW }) as GpuView

  test('is what the cards may draw, unless they draw more or do not tell', () => {
    const report = aReport({ power: [300] })
    expect(topOf(report, lane('power'), undefined, [card(450), card(450)])).toBe(900)
    expect(topOf(report, lane('power'), undefined, [card(450), card(null)])).toBe(400)
    expect(topOf(aReport({ power: [460] }), lane('power'), undefined, [card(450)])).toBe(500)
  })

  test('of the temperature cuts nothing off', () => {
    expect(topOf(aReport({ temperatureC: [72] }), lane('temperatureC'), undefined)).toBe(90)
    const hot = topOf(aReport({ temperatureC: [97] }), lane('temperatureC'), undefined)
    expect([hot, lane('temperatureC').unit(hot)]).toEqual([100, '30–100 °C'])
  })
})

describe('a GPU that is slowed down', () => {
  test('is shaded from its beginning to its end, by the worst of its reasons', () => {
    const values = [0, 0, 1, 1, 3, 0, null, 2, 2, 0]
    expect(slowedOf(values)).toEqual([
      { from: 0.2, to: 0.5, by: 'heat' },
      { from: 0.7, to: 0.9, by: 'hardware' },
    ])
    expect(slowedOf([null, 0, null])).toEqual([])
  })

  test.each([
    [null, null],
    [undefined, null],
    [0, null],
    [1, 'power'],
    [3, 'heat'],
  ])('at one moment: %s is %s', (value, by) => {
    expect(slowedBy(value)).toBe(by)
  })
})

describe('trouble', () => {
  test.each<[what: string, events: Happening[], spans: [from: number, to: number][]]>([
    ['nothing happened', [], []],
    [
      'an engine failed and came back',
      [engine(20, 'failed'), engine(30, 'starting'), engine(50, 'ready')],
      [[0.2, 0.5]],
    ],
    [
      'it crashed again and again before it came',
      [engine(20, 'backoff'), engine(25, 'starting'), engine(28, 'backoff'), engine(60, 'ready')],
      [[0.2, 0.6]],
    ],
    ['a backend is still down', [backend(80, false)], [[0.8, 1]]],
    ['it was down before the chart begins', [backend(-50, false), backend(10, true)], [[0, 0.1]]],
    ['it was over before that', [backend(-50, false), backend(-10, true)], []],
    [
      'two at once are one stretch',
      [engine(10, 'failed'), engine(20, 'failed', 'b'), engine(30, 'ready'), engine(40, 'stopped', 'b')],
      [[0.1, 0.4]],
    ],
    ['only a start', [engine(10, 'starting'), engine(20, 'ready')], []],
  ])('%s', (_, events, spans) => {
    const found = troubleOf(events, aReport({ output: Array.from({ length: 100 }, () => 0) }))
    expect(found.map(({ from, to }) => [from, to].map((share) => Math.round(share * 1000) / 1000))).toEqual(spans)
  })
})

test('a line is drawn only where there are readings', () => {
  expect(runsOf([null, 1, 2, null, null, 3, null])).toEqual([
    { from: 1, to: 3 },
    { from: 5, to: 6 },
  ])
})

test('what was refused stands on what waits, and that on what runs', () => {
  const [lane] = CHARTS.find(({ id }) => id === 'queue')!.lanes
  const report = aReport({ running: [8, null], waiting: [5, 2], rejected: [3, null] })
  const named = lane!.lines.map(({ name }, i) => [name, columnsOf(report, lane!.lines)[i]])
  expect(Object.fromEntries(named)).toEqual({ running: [8, null], waiting: [13, 2], rejected: [16, null] })
})

test.each([
  [5, { top: 10, bottom: 0, log: false }, 0.5],
  [50, { top: 10, bottom: 0, log: false }, 1],
  [100, { top: 10_000, bottom: 1, log: true }, 0.5],
  [0, { top: 10_000, bottom: 1, log: true }, 0],
])('%d stands between its ends', (value, scale, share) => {
  expect(shareOf(value, scale)).toBeCloseTo(share)
})
