import { type KeyboardEvent, type PointerEvent, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import type { Happening } from '../../src/protocol/happenings.ts'
import { RANGES, type SeriesName, type SeriesRange, type SeriesReport, THROTTLES } from '../../src/protocol/series.ts'
import { Spinner } from '../components/Icon.tsx'
import { Button, IconButton, Menu, Segmented } from '../components/kit.tsx'
import { Plot } from '../components/Plot.tsx'
import { clock, duration, NONE, number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { keepList, preferences, readList } from '../preferences.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import {
  CHARTS,
  type ChartSpec,
  columnsOf,
  type Lane,
  type Line,
  laneGaps,
  laneName,
  last,
  type Slowed,
  shareOf,
  slowedBy,
  slowedOf,
  ticksOf,
  topOf,
  troubleOf,
} from '../view-models/charts.ts'

const RANGE_NAMES = Object.keys(RANGES) as SeriesRange[]
const RANGE_WORDS: Record<SeriesRange, string> = { '5m': '5 m', '15m': '15 m', '1h': '1 h', '24h': '24 h' }

/** Where the crosshair of all charts stands, and the values that stand still under it. */
type Pointed = { index: number; frozen: SeriesReport } | null

const KEY = 'lexora.charts.hidden'
const CHOSEN = CHARTS.filter(({ lanes }) => lanes.length > 1)

/** Two by two, on one time axis. `events`: what shades the times in which something could not serve. */
export function Charts({ events }: { events: readonly Happening[] }) {
  const t = useT()
  const [hidden, setHidden] = useState<readonly string[]>(() => readList(KEY))
  const { series } = useWorld()
  const shown = useStore(series.shown)
  const failed = useStore(series.failed)
  const [range, setRange] = useState<SeriesRange>(series.range)
  const [pointed, setPointed] = useState<Pointed>(null)
  const [asTable, setAsTable] = useState(false)
  const [tables, setTables] = useState<readonly string[]>([])
  const report = pointed?.frozen ?? shown
  const choose = (next: SeriesRange): void => {
    setRange(next)
    setPointed(null)
    series.choose(next)
  }
  const toggle = (lane: string): void => {
    const next = hidden.includes(lane) ? hidden.filter((other) => other !== lane) : [...hidden, lane]
    setHidden(next)
    keepList(KEY, next)
  }
  const onKey = (event: KeyboardEvent): void => {
    if (report === null || (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight')) return
    event.preventDefault()
    const count = report.values.output.length
    const step = (event.shiftKey ? 10 : 1) * (event.key === 'ArrowLeft' ? -1 : 1)
    const index = Math.min(count - 1, Math.max(0, (pointed?.index ?? count - 1) + step))
    setPointed({ index, frozen: report })
  }
  const turn = (id: string): void =>
    setTables(tables.includes(id) ? tables.filter((other) => other !== id) : [...tables, id])
  const trouble = report === null ? [] : troubleOf(events, report)
  const slowed = report === null ? [] : slowedOf(report.values.throttle)
  const span =
    report === null
      ? null
      : { from: report.from * 1000, to: (report.from + report.values.output.length * report.stepS) * 1000 }
  return (
    <>
      <div className="bar line-b bar-low">
        <Segmented
          label={t('chart.range')}
          value={range}
          onChange={choose}
          options={RANGE_NAMES.map((value) => ({ value, label: RANGE_WORDS[value] }))}
        />
        {span !== null && (
          <span className="micro dim nowrap">
            {t('chart.point', {
              from: clock(span.from, false),
              to: clock(span.to, false),
              step: duration(report!.stepS * 1000).replace('.0', ''),
            })}
          </span>
        )}
        <span className="grow" />
        {!asTable && (
          <Menu
            label={t('chart.lanes')}
            trigger={t('chart.lanes')}
            className="btn btn-quiet btn-small"
            entries={CHOSEN.flatMap(({ title, lanes }) =>
              lanes.map((lane) => {
                const isShown = !hidden.includes(laneName(lane))
                const isLast = isShown && lanes.every((one) => one === lane || hidden.includes(laneName(one)))
                return {
                  label: t('chart.lane', { chart: t(title), lane: t(lane.lines[0]!.title) }),
                  checked: isShown,
                  disabled: isLast,
                  onClick: () => toggle(laneName(lane)),
                }
              }),
            )}
          />
        )}
        <Button small look="quiet" onClick={() => setAsTable(!asTable)}>
          {t(asTable ? 'chart.asCharts' : 'chart.asTable')}
        </Button>
      </div>
      {failed !== null && report === null && (
        <p className="sect small bad" role="alert">
          {t('chart.failed', { reason: failed })}
        </p>
      )}
      {asTable && report !== null ? (
        <ValueTable report={report} charts={CHARTS} label={t('chart.asTable')} />
      ) : (
        <section className="charts">
          {CHARTS.map((spec) => (
            <Chart
              key={spec.id}
              spec={spec}
              lanes={spec.lanes.filter((lane) => !hidden.includes(laneName(lane)))}
              trouble={trouble}
              slowed={spec.id === 'gpu' ? slowed : []}
              report={report}
              range={range}
              pointed={pointed}
              asTable={tables.includes(spec.id)}
              onTable={() => turn(spec.id)}
              onPoint={setPointed}
              onKey={onKey}
            />
          ))}
        </section>
      )}
    </>
  )
}

type Span = { from: number; to: number }

type ChartProps = {
  spec: ChartSpec
  lanes: readonly Lane[]
  trouble: readonly Span[]
  slowed: readonly Slowed[]
  report: SeriesReport | null
  range: SeriesRange
  pointed: Pointed
  asTable: boolean
  onTable: () => void
  onPoint: (pointed: Pointed) => void
  onKey: (event: KeyboardEvent) => void
}

function Chart({ spec, lanes, trouble, slowed, report, range, pointed, asTable, onTable, onPoint, onKey }: ChartProps) {
  const t = useT()
  const { gpu } = useSnapshot()
  const figure = useRef<HTMLElement>(null)
  const lines = lanes.flatMap((lane) => lane.lines)
  const isGpu = spec.id === 'gpu'
  const title = t(spec.title)
  const slowNow =
    report === null
      ? null
      : slowedBy(pointed === null ? lastFresh(report, 'throttle') : report.values.throttle[pointed.index])
  const point = (event: PointerEvent): void => {
    const plot = figure.current?.querySelector('.chart-plot')?.getBoundingClientRect()
    if (plot === undefined || report === null || event.pointerType === 'touch') return
    const share = (event.clientX - plot.left) / plot.width
    const count = report.values.output.length
    if (share < 0 || share > 1 || count === 0) return
    onPoint({ index: Math.min(count - 1, Math.floor(share * count)), frozen: pointed?.frozen ?? report })
  }
  const shownOf = (line: Line): string => {
    if (report === null) return '–'
    return line.show(
      pointed === null ? lastFresh(report, line.name) : (report.values[line.name][pointed.index] ?? null),
    )
  }
  const spoken = [
    ...lines.map((line) => `${t(line.title)} ${shownOf(line)}`),
    ...(isGpu && slowNow !== null ? [t('chart.slowedBy', { why: t(`throttle.${slowNow}`) })] : []),
  ].join(', ')
  return (
    <figure
      ref={figure}
      className="chart"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move its crosshair
      tabIndex={0}
      aria-label={t('chart.label', { title, values: spoken })}
      onPointerMove={point}
      onPointerLeave={() => onPoint(null)}
      onBlur={() => onPoint(null)}
      onKeyDown={(event) => {
        if (event.key === 't' && !event.ctrlKey && !event.metaKey) onTable()
        else if (!asTable) onKey(event)
      }}
    >
      <figcaption className="chart-head">
        <h3>{title}</h3>
        <span className="micro dim">
          {isGpu && gpu.is === 'read' ? (gpu.gpus[0]?.name ?? '') : spec.unit === null ? '' : t(spec.unit)}
        </span>
        {pointed !== null && report !== null && (
          <span className="chart-read">
            <span className="dim opt">{t('chart.paused')}</span>
            <time>{clock((report.from + pointed.index * report.stepS) * 1000)}</time>
            {lines.slice(0, 3).map((line) => (
              <span key={line.name}>
                <span className="opt">{t(line.title)} </span>
                <b>{shownOf(line)}</b>
              </span>
            ))}
          </span>
        )}
        <span className="chart-turn">
          <IconButton
            icon={asTable ? 'dashboard' : 'requests'}
            label={t('chart.label', { title, values: t(asTable ? 'chart.asCharts' : 'chart.asTable') })}
            onClick={onTable}
          />
        </span>
      </figcaption>
      {asTable && report !== null ? (
        <ValueTable report={report} charts={[spec]} label={title} />
      ) : (
        <div
          className="lanes"
          style={{ gridTemplateRows: `${lanes.map(({ weight }) => `minmax(0, ${weight}fr)`).join(' ')} 16px` }}
        >
          {lanes.map((lane, row) => (
            <LaneView
              key={laneName(lane)}
              lane={lane}
              trouble={trouble}
              slowed={slowed}
              row={row + 1}
              isLast={row === lanes.length - 1}
              report={report}
              limit={spec.limit}
              pointed={pointed}
              shownOf={shownOf}
            />
          ))}
          <div className="chart-x" style={{ gridRow: lanes.length + 1 }}>
            {report !== null &&
              ticksOf(report).map(({ at, share }) => (
                <span key={at} style={{ left: `${share * 100}%` }}>
                  {clock(at * 1000, false)}
                </span>
              ))}
            <span className="end" style={{ left: '100%' }}>
              {t('chart.now')}
            </span>
            {pointed !== null && report !== null && (
              <time style={{ left: `${((pointed.index + 0.5) / report.values.output.length) * 100}%` }}>
                {clock((report.from + pointed.index * report.stepS) * 1000)}
              </time>
            )}
          </div>
          <Middle spec={spec} report={report} range={range} />
        </div>
      )}
    </figure>
  )
}

/** What stands in the middle of a chart that has nothing to draw. */
function Middle({ spec, report, range }: { spec: ChartSpec; report: SeriesReport | null; range: SeriesRange }) {
  const t = useT()
  const { gpu } = useSnapshot()
  if (report === null) {
    return (
      <div className="chart-mid">
        <span className="row">
          <Spinner /> {t('chart.loading', { range: RANGE_WORDS[range] })}
        </span>
      </div>
    )
  }
  const names = spec.lanes.flatMap((lane) => lane.lines.map(({ name }) => name))
  const isEmpty = names.every((name) => report.values[name].every((value) => value === null || value === 0))
  if (!isEmpty) return null
  if (spec.id !== 'gpu') {
    return (
      <div className="chart-mid">
        <span>{t('chart.noRequests')}</span>
      </div>
    )
  }
  return (
    <div className="chart-mid">
      <span>
        {t('chart.noGpu')}
        {'reason' in gpu && (
          <>
            <br />
            <span className="dim">{t.said(gpu.reason)}</span>
          </>
        )}
      </span>
    </div>
  )
}

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

function LaneView({ lane, trouble, slowed, row, isLast, report, limit, pointed, shownOf }: LaneProps) {
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

function lastFresh({ values }: SeriesReport, name: SeriesName): number | null {
  return last(values[name].slice(-3))
}

function ValueTable({ report, charts, label }: { report: SeriesReport; charts: readonly ChartSpec[]; label: string }) {
  const t = useT()
  const lines = charts.flatMap(({ lanes }) => lanes.flatMap((lane) => lane.lines))
  const count = report.values.output.length
  const hasThrottle = charts.some(({ id }) => id === 'gpu')
  const throttleWord = (value: number | null | undefined): string =>
    value == null ? NONE : t(`throttle.${THROTTLES[value]!}`)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by keys
    <section className="table-wrap values-table" tabIndex={0} aria-label={label}>
      <table className="table">
        <thead>
          <tr>
            <th>{t('chart.time')}</th>
            {lines.map(({ name, title }) => (
              <th key={name} className="num">
                {t(title)}
              </th>
            ))}
            {hasThrottle && <th>{t('fact.throttle')}</th>}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: count }, (_, i) => count - 1 - i).map((i) => (
            <tr key={report.from + i * report.stepS}>
              <td>{clock((report.from + i * report.stepS) * 1000)}</td>
              {lines.map(({ name, show }) => (
                <td key={name} className="num">
                  {show(report.values[name][i] ?? null)}
                </td>
              ))}
              {hasThrottle && <td>{throttleWord(report.values.throttle[i])}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
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
