import { type KeyboardEvent, type PointerEvent, useRef, useState } from 'react'
import type { Happening } from '../../src/protocol/happenings.ts'
import { RANGES, type SeriesName, type SeriesRange, type SeriesReport } from '../../src/protocol/series.ts'
import { Spinner } from '../components/Icon.tsx'
import { Button, IconButton, Menu, Segmented } from '../components/kit.tsx'
import { clock, duration } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { keepList, readList } from '../preferences.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import {
  CHARTS,
  type ChartSpec,
  type Lane,
  type Line,
  laneName,
  last,
  type Slowed,
  slowedBy,
  slowedOf,
  ticksOf,
  troubleOf,
} from '../view-models/charts.ts'
import { LaneView, type Pointed, type Span } from './ChartLane.tsx'
import { ValueTable } from './ChartTable.tsx'

const RANGE_NAMES = Object.keys(RANGES) as SeriesRange[]
const RANGE_WORDS: Record<SeriesRange, string> = { '5m': '5 m', '15m': '15 m', '1h': '1 h', '24h': '24 h' }

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

function lastFresh({ values }: SeriesReport, name: SeriesName): number | null {
  return last(values[name].slice(-3))
}
