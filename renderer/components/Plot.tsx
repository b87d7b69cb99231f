import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import type { Line } from '../view-models/charts.ts'

/** One lane of lines on a canvas. Axes, labels and crosshair are drawn around it, so that they can be read and styled. */
export function Plot({
  columns,
  lines,
  top,
  bottom,
  log,
  limit,
  look,
}: {
  columns: (number | null)[][]
  lines: readonly Line[]
  top: number
  bottom: number
  log: boolean
  limit: number | null
  look: string
}) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const latest = useRef({ columns, top, bottom, limit })
  latest.current = { columns, top, bottom, limit }
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of theme (look) makes it anew, with the new colours
  useEffect(() => {
    const element = box.current!
    const style = getComputedStyle(element)
    const colour = (name: string): string => style.getPropertyValue(name).trim()
    const stepped = uPlot.paths.stepped!({ align: 1 })
    const options: uPlot.Options = {
      width: Math.max(1, element.clientWidth),
      height: Math.max(1, element.clientHeight),
      padding: [1, 0, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      scales: {
        x: { time: false },
        y: log
          ? { distr: 3, range: () => [latest.current.bottom, latest.current.top] }
          : { range: () => [latest.current.bottom, latest.current.top] },
      },
      axes: [{ show: false }, { show: false }],
      series: [
        {},
        ...lines.map(
          (line): uPlot.Series => ({
            stroke: colour(`--series-${line.colour}`),
            width: 1.5,
            ...(line.fill ? { fill: colour(`--series-${line.colour}-fill`) } : {}),
            ...(line.dashed ? { dash: [4, 3] } : {}),
            ...(line.steps ? { paths: stepped } : {}),
            points: { show: false },
            spanGaps: false,
          }),
        ),
      ],
      hooks: { draw: [(self) => drawLimit(self, latest.current.limit, colour('--chart-limit'))] },
    }
    const made = new uPlot(options, latest.current.columns as uPlot.AlignedData, element)
    plot.current = made
    const observer = new ResizeObserver(() => {
      made.setSize({ width: Math.max(1, element.clientWidth), height: Math.max(1, element.clientHeight) })
    })
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = null
    }
  }, [lines, log, look])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the scales read the newest of these by themselves
  useEffect(() => {
    plot.current?.setData(columns as uPlot.AlignedData)
  }, [columns, top, bottom, limit])
  return <div ref={box} className="plot" aria-hidden="true" />
}

function drawLimit(self: uPlot, limit: number | null, colour: string): void {
  if (limit === null) return
  const { ctx, bbox } = self
  const y = Math.round(self.valToPos(limit, 'y', true)) + 0.5
  ctx.save()
  ctx.strokeStyle = colour
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([2 * devicePixelRatio, 2 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(bbox.left, y)
  ctx.lineTo(bbox.left + bbox.width, y)
  ctx.stroke()
  ctx.restore()
}
