import { type SeriesReport, THROTTLES } from '../../src/protocol/series.ts'
import { clock, NONE } from '../format.ts'
import { useT } from '../i18n/index.ts'
import type { ChartSpec } from '../view-models/charts.ts'

/** The values of charts, the newest moment first. */
export function ValueTable({
  report,
  charts,
  label,
}: {
  report: SeriesReport
  charts: readonly ChartSpec[]
  label: string
}) {
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
