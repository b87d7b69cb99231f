import { useMemo, useSyncExternalStore } from 'react'
import type { SeriesName, SeriesReport } from '../../src/protocol/series.ts'
import { Plot } from '../components/Plot.tsx'
import { duration, number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { preferences } from '../preferences.ts'
import { useStore } from '../store.ts'
import { useSnapshot } from '../stores.ts'
import { columnsOf, type Lane, type Line, laneGaps, last, type Slowed, shareOf, topOf } from '../view-models/charts.ts'

/** Where the crosshair of all charts stands, and the values that stand still under it. */
export type Pointed = { index: number; frozen: SeriesReport } | null

export type Span = { from: number; to: number }

/** Their unit says what they are. */
const TOLD_BY_UNIT: readonly SeriesName[] = ['vramUsed', 'temperatureC', 'power']

type LaneProps = {
  lane: Lane
  trouble: readonly Span[]
  slowed: readonly Slowed[]
  row: number
  isLast: boolean
  report: SeriesReport | null
  limit: SeriesName | undefined
  pointed: Pointed
  shownOf: (line: Line) => string
}

/** One unit's lines on their own scale, with its marks at the left and its values at the right. */
export function LaneView({ lane, trouble, slowed, row, isLast, report, limit, pointed, shownOf }: LaneProps) {
  const t = useT()
  const look = useLook()
  const { gpu } = useSnapshot()
  const gpus = gpu.is === 'read' ? gpu.gpus : []
  const columns = useMemo(
    () => (report === null ? lane.lines.map(() => []) : columnsOf(report, lane.lines)),
    [report, lane],
  )
  const top = report === null ? lane.least : topOf(report, lane, limit, gpus)
  const bottom = lane.bottom ?? 0
  const bound = report === null || limit === undefined ? null : last(report.values[limit])
  const shownBound = bound !== null && bound <= top ? bound : null
  const share = (value: number): number => shareOf(value, { top, bottom, log: lane.log === true })
  const isAlone = lane.unit(top) === ''
  const marks = isAlone ? marksOf(lane, bottom, top) : []
  const ends = isAlone ? spreadEnds(report, lane, share) : []
  const gaps = report === null ? [] : laneGaps(report, lane)
  return (
    <>
      {isAlone ? (
        <div className="chart-y" style={{ gridRow: row, gridColumn: 1 }}>
          {marks
            .filter((value) => shownBound === null || Math.abs(share(value) - share(shownBound)) > 0.15)
            .map((value) => (
              <span key={value} style={{ bottom: `${share(value) * 100}%` }}>
                {lane.log ? duration(value) : number(value)}
              </span>
            ))}
          {shownBound !== null && (
            <span className="at-limit" style={{ bottom: `${share(shownBound) * 100}%` }}>
              {t('chart.limit', { value: number(shownBound) })}
            </span>
          )}
        </div>
      ) : (
        <span className="lane-y" style={{ gridRow: row, gridColumn: 1 }}>
          {lane.unit(top)}
        </span>
      )}
      <div className={`chart-plot${isLast ? ' last' : ''}`} style={{ gridRow: row, gridColumn: 2 }}>
        <div className="grid-lines">
          {marks.map((value) => (
            <i key={value} style={{ bottom: `${share(value) * 100}%` }} />
          ))}
        </div>
        {trouble.map(({ from, to }) => (
          <i key={from} className="shade-part" style={{ left: `${from * 100}%`, width: `${(to - from) * 100}%` }} />
        ))}
        {slowed.map(({ from, to }) => (
          <i key={from} className="shade-slow" style={{ left: `${from * 100}%`, width: `${(to - from) * 100}%` }} />
        ))}
        <Plot
          columns={columns}
          lines={lane.lines}
          top={top}
          bottom={bottom}
          log={lane.log === true}
          limit={shownBound}
          look={look}
        />
        {row === 1 &&
          trouble
            .filter(({ from, to }) => to - from > 0.1)
            .map(({ from, to }) => (
              <span key={from} className="note bad" style={{ left: `${((from + to) / 2) * 100}%` }}>
                {t('chart.trouble')}
              </span>
            ))}
        {row === 1 &&
          slowed
            .filter(({ from, to }) => to - from > 0.1)
            .map(({ from, to, by }) => (
              <span key={from} className="note warn" style={{ left: `${((from + to) / 2) * 100}%` }}>
                {t('chart.slowedBy', { why: t(`throttle.${by}`) })}
              </span>
            ))}
        {row === 1 &&
          gaps.map((gap) => (
            <span key={gap.from} className="note" style={{ left: `${((gap.from + gap.to) / 2) * 100}%` }}>
              {t(gap.why)}
            </span>
          ))}
        {pointed !== null && report !== null && (
          <div className="cross" style={{ left: `${((pointed.index + 0.5) / report.values.output.length) * 100}%` }} />
        )}
      </div>
      {isAlone ? (
        <div className="chart-ends" style={{ gridRow: row, gridColumn: 3 }}>
          {ends.map(({ line, at }) => (
            <span key={line.name} className={`s${line.colour}`} style={{ bottom: `${at * 100}%` }}>
              <b>{shownOf(line)}</b> {t(line.title)}
            </span>
          ))}
        </div>
      ) : (
        <span className={`lane-v s${lane.lines[0]!.colour}`} style={{ gridRow: row, gridColumn: 3 }}>
          <b>{shownOf(lane.lines[0]!)}</b>
          {!TOLD_BY_UNIT.includes(lane.lines[0]!.name) && ` ${t(lane.lines[0]!.title)}`}
        </span>
      )}
    </>
  )
}

/** A line of text in the lowest plot, as a share of its height. */
const LABEL_GAP = 0.2

/** Labels at the ends of lines, at least a line's height apart. */
function spreadEnds(
  report: SeriesReport | null,
  { lines }: Lane,
  share: (value: number) => number,
): { line: Line; at: number }[] {
  if (report === null) return []
  const ends = lines.map((line) => {
    const value = last(report.values[line.name]) ?? 0
    const below = (line.on ?? []).reduce((sum, name) => sum + (last(report.values[name]) ?? 0), 0)
    return { line, at: Math.min(0.94, Math.max(0.04, share(value + below))) }
  })
  ends.sort((a, b) => a.at - b.at)
  for (let i = 1; i < ends.length; i++) ends[i]!.at = Math.max(ends[i]!.at, ends[i - 1]!.at + LABEL_GAP)
  const over = Math.max(0, (ends.at(-1)?.at ?? 0) - 0.94)
  return ends.map(({ line, at }) => ({ line, at: at - over }))
}

function marksOf({ log }: Lane, bottom: number, top: number): number[] {
  if (!log)
    return [0, 0.25, 0.5, 0.75, 1]
      .map((part) => bottom + part * (top - bottom))
      .filter((value) => Number.isInteger(value))
  const marks: number[] = []
  for (let value = bottom * 10; value < top; value *= 10) marks.push(value)
  return marks
}

const DARK = matchMedia('(prefers-color-scheme: dark)')

/** Changes with the colours, so that what is drawn on a canvas is drawn anew. */
function useLook(): string {
  const { theme, density } = useStore(preferences)
  const isDark = useSyncExternalStore(
    (changed) => {
      DARK.addEventListener('change', changed)
      return () => DARK.removeEventListener('change', changed)
    },
    () => DARK.matches,
  )
  return `${theme} ${isDark} ${density}`
}
