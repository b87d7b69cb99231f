import type { Happening } from '../../src/protocol/happenings.ts'
import { type SeriesName, type SeriesReport, THROTTLES } from '../../src/protocol/series.ts'
import type { GpuView } from '../../src/protocol/snapshot.ts'
import { duration, gib, kilo, number, percent, withUnit } from '../format.ts'
import type { MessageKey } from '../i18n/index.ts'

export type LineColour = 1 | 2 | 3 | 4 | 5 | 6

export type Line = {
  name: SeriesName
  title: MessageKey
  colour: LineColour
  show: (value: number | null) => string
  fill?: boolean
  dashed?: boolean
  /** Drawn on top of these, as waiting is on running. */
  on?: readonly SeriesName[]
  steps?: boolean
}

/** Lines that share one unit, and so one scale. */
export type Lane = {
  lines: readonly Line[]
  /** Least top of the scale. It grows at once, to a round number. */
  least: number
  /** Set by the hardware: the top stays where it is, unless a value is above it. */
  top?: (report: SeriesReport, gpus: readonly GpuView[]) => number | null
  bottom?: number
  log?: boolean
  unit: (top: number) => string
  weight: number
}

export function laneName({ lines }: Lane): string {
  return lines[0]!.name
}

export type ChartSpec = {
  id: string
  title: MessageKey
  unit: MessageKey | null
  lanes: readonly Lane[]
  limit?: SeriesName
}

const whole = (value: number | null): string => number(value)
const GIB = 1024 ** 3

export const CHARTS: readonly ChartSpec[] = [
  {
    id: 'throughput',
    title: 'chart.throughput',
    unit: 'col.speed',
    lanes: [
      {
        lines: [{ name: 'output', title: 'chart.output', colour: 1, show: whole, fill: true }],
        least: 50,
        unit: (top) => `0–${kilo(top)}`,
        weight: 1.5,
      },
      {
        lines: [{ name: 'prompt', title: 'chart.prompt', colour: 2, show: whole, fill: true }],
        least: 100,
        unit: (top) => `0–${kilo(top)}`,
        weight: 1,
      },
    ],
  },
  {
    id: 'latency',
    title: 'chart.latency',
    unit: 'chart.logScale',
    lanes: [
      {
        lines: [
          { name: 'totalP95', title: 'chart.total', colour: 6, show: duration, dashed: true },
          { name: 'ttftP95', title: 'chart.p95', colour: 2, show: duration },
          { name: 'ttftP50', title: 'chart.p50', colour: 1, show: duration },
        ],
        least: 10_000,
        bottom: 10,
        log: true,
        unit: () => '',
        weight: 1,
      },
    ],
  },
  {
    id: 'queue',
    title: 'chart.queue',
    unit: 'chart.requests',
    limit: 'limit',
    lanes: [
      {
        lines: [
          {
            name: 'rejected',
            title: 'chart.refused',
            colour: 6,
            show: whole,
            fill: true,
            on: ['running', 'waiting'],
            steps: true,
          },
          { name: 'waiting', title: 'chart.waiting', colour: 3, show: whole, fill: true, on: ['running'], steps: true },
          { name: 'running', title: 'chart.running', colour: 1, show: whole, fill: true, steps: true },
        ],
        least: 8,
        unit: () => '',
        weight: 1,
      },
    ],
  },
  {
    id: 'gpu',
    title: 'chart.gpu',
    unit: null,
    lanes: [
      {
        lines: [{ name: 'gpu', title: 'chart.busy', colour: 1, show: percent, fill: true }],
        least: 1,
        top: () => 1,
        unit: () => '0–100 %',
        weight: 1,
      },
      {
        lines: [
          {
            name: 'vramUsed',
            title: 'tile.vram',
            colour: 2,
            show: (value) => (value === null ? '–' : `${gib(value)} GiB`),
            fill: true,
          },
        ],
        least: GIB,
        top: (report) => last(report.values.vramTotal),
        unit: (top) => `0–${number(top / GIB)} GiB`,
        weight: 1,
      },
      {
        lines: [
          {
            name: 'temperatureC',
            title: 'fact.temperature',
            colour: 3,
            show: (value) => withUnit(value, '°C'),
            fill: true,
          },
        ],
        least: 90,
        top: () => 90,
        bottom: 30,
        unit: (top) => `30–${number(top)} °C`,
        weight: 1,
      },
      {
        lines: [{ name: 'power', title: 'fact.power', colour: 5, show: (value) => withUnit(value, 'W'), fill: true }],
        least: 100,
        top: (_, gpus) => powerLimit(gpus),
        unit: (top) => `0–${number(top)} W`,
        weight: 1,
      },
    ],
  },
]

/** What all cards together may draw; null: not every one tells. */
function powerLimit(gpus: readonly GpuView[]): number | null {
  const told = gpus.map(({ powerLimitW }) => powerLimitW).filter((watts) => watts !== null)
  return told.length === 0 || told.length < gpus.length ? null : told.reduce((sum, watts) => sum + watts, 0)
}

/** The next of 1, 2, 4, 5, 8, 10 times a power of ten: a scale that seldom moves. */
export function roundUp(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 4, 5, 8, 10].find((factor) => value <= factor * power) ?? 10
  return step * power
}

export function topOf(
  report: SeriesReport,
  { lines, least, top, log }: Lane,
  limit: SeriesName | undefined,
  gpus: readonly GpuView[] = [],
): number {
  const fixed = top?.(report, gpus) ?? null
  let most = fixed ?? least
  for (const { name, on } of lines) {
    report.values[name].forEach((value, i) => {
      if (value !== null) most = Math.max(most, value + below(report, on, i))
    })
  }
  if (fixed !== null) return most === fixed ? fixed : roundUp(most)
  const bound = limit === undefined ? null : last(report.values[limit])
  if (bound !== null && bound <= 4 * most) most = Math.max(most, bound * 1.2)
  return log ? 10 ** Math.ceil(Math.log10(most)) : roundUp(most)
}

/** The values of each line, stacked where it stands on others. */
export function columnsOf(report: SeriesReport, lines: readonly Line[]): (number | null)[][] {
  return lines.map(({ name, on }) =>
    report.values[name].map((value, i) => (value === null ? null : value + below(report, on, i))),
  )
}

function below({ values }: SeriesReport, on: readonly SeriesName[] = [], i: number): number {
  return on.reduce((sum, name) => sum + (values[name][i] ?? 0), 0)
}

/** Where a value stands between the ends of its scale, from 0 to 1. */
export function shareOf(value: number, { top, bottom, log }: { top: number; bottom: number; log: boolean }): number {
  const share = log
    ? Math.log(Math.max(value, bottom) / bottom) / Math.log(top / bottom)
    : (value - bottom) / (top - bottom)
  return Math.min(1, Math.max(0, share))
}

/** The stretches in which every step has a reading; `to` is the first step after one. */
export function runsOf(values: readonly (number | null)[]): { from: number; to: number }[] {
  const runs: { from: number; to: number }[] = []
  values.forEach((value, i) => {
    if (value === null) return
    const open = runs.at(-1)
    if (open?.to === i) open.to = i + 1
    else runs.push({ from: i, to: i + 1 })
  })
  return runs
}

const BROKEN = ['failed', 'backoff', 'foreign', 'not-installed']
const MENDED = ['ready', 'busy', 'degraded', 'stopped', 'sleeping']

/** When an engine or a backend could not serve, as shares of the width of a chart; one that still cannot lasts to its end. */
export function troubleOf(
  events: readonly Happening[],
  { from, stepS, values }: Pick<SeriesReport, 'from' | 'stepS' | 'values'>,
): { from: number; to: number }[] {
  const span = values.output.length * stepS
  if (span === 0) return []
  const broken = new Set<string>()
  const spans: { from: number; to: number }[] = []
  for (const event of events) {
    if (event.what !== 'engine' && event.what !== 'backend') continue
    const isBroken = event.what === 'backend' ? !event.up : BROKEN.includes(event.state)
    const isMended = event.what === 'backend' ? event.up : MENDED.includes(event.state)
    const name = event.what === 'backend' ? `backend ${event.backend}` : `engine ${event.engine}`
    const at = (Date.parse(event.at) / 1000 - from) / span
    if (isBroken) {
      if (broken.size === 0) spans.push({ from: at, to: 1 })
      broken.add(name)
    } else if (isMended && broken.delete(name) && broken.size === 0) spans.at(-1)!.to = at
  }
  return spans
    .map((part) => ({ from: Math.max(0, part.from), to: Math.min(1, part.to) }))
    .filter((part) => part.to > part.from)
}

export type Slowed = { from: number; to: number; by: Exclude<(typeof THROTTLES)[number], 'none'> }

/** When a GPU ran slower than it could, as shares of the width of a chart, and why at its worst. */
export function slowedOf(values: readonly (number | null)[]): Slowed[] {
  return runsOf(values.map((value) => (value === null || value === 0 ? null : value))).map(({ from, to }) => {
    const worst = Math.max(...values.slice(from, to).map((value) => value ?? 0))
    return { from: from / values.length, to: to / values.length, by: THROTTLES[worst] as Slowed['by'] }
  })
}

/** Why a GPU was slowed down at one moment; null: it was not, or nobody knows. */
export function slowedBy(value: number | null | undefined): Slowed['by'] | null {
  return value ? (THROTTLES[value] as Slowed['by']) : null
}

/** Four clock times from left to right, each on a round minute where the range allows. */
export function ticksOf({ from, stepS, values }: SeriesReport): { at: number; share: number }[] {
  const span = values.output.length * stepS
  if (span === 0) return []
  const every = span <= 300 ? 60 : span <= 900 ? 180 : span <= 3600 ? 900 : 21_600
  const offset = every >= 21_600 ? new Date().getTimezoneOffset() * 60 : 0
  const first = Math.ceil((from - offset) / every) * every + offset
  const ticks: { at: number; share: number }[] = []
  for (let at = first; at < from + span; at += every) ticks.push({ at, share: (at - from) / span })
  return ticks.filter(({ share }) => share > 0.05 && share < 0.85)
}

export function last(values: readonly (number | null)[]): number | null {
  return values.filter((value) => value !== null).at(-1) ?? null
}

export type Gap = { from: number; to: number; why: 'why.noTraffic' | 'chart.noReading' }

/** Of a lane's lines so wide that it is said what there was: less would be in the way of sparse traffic. */
const WIDE_GAP = 0.1

/** Where none of a lane's lines has a reading, and why: of times only requests tell, all else is read in any case. */
export function laneGaps({ values }: Pick<SeriesReport, 'values'>, { lines, log }: Pick<Lane, 'lines' | 'log'>): Gap[] {
  const first = values[lines[0]!.name]
  const known = first.map((_, i) => lines.map(({ name }) => values[name][i] ?? null).find((value) => value !== null))
  return gapsOf(known.map((value) => value ?? null))
    .filter(({ from, to }) => lines.length === 1 || to - from >= WIDE_GAP)
    .map((gap) => {
      const middle = Math.floor(((gap.from + gap.to) / 2) * known.length)
      const isQuiet = log === true && values.output[middle] !== null
      return { ...gap, why: isQuiet ? 'why.noTraffic' : 'chart.noReading' }
    })
}

/** Parts of a line where there is no reading, as shares of the width; those at the left end are before the start. */
export function gapsOf(values: readonly (number | null)[]): { from: number; to: number }[] {
  const gaps: { from: number; to: number }[] = []
  const first = values.findIndex((value) => value !== null)
  if (first === -1) return []
  let begin: number | null = null
  for (let i = first; i < values.length; i++) {
    if (values[i] === null) begin ??= i
    else if (begin !== null) {
      gaps.push({ from: begin / values.length, to: i / values.length })
      begin = null
    }
  }
  return gaps.filter(({ from, to }) => to - from >= 0.02)
}
