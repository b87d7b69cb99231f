import { useEffect, useRef } from 'react'
import { type Line, runsOf, shareOf } from '../view-models/charts.ts'

type Drawing = {
  /** One column of values for each line; null where there is no reading. */
  columns: (number | null)[][]
  lines: readonly Line[]
  top: number
  bottom: number
  log: boolean
  limit: number | null
}

/** One lane of lines on a canvas. Axes, labels and crosshair are drawn around it, so that they can be read and styled. */
export function Plot({ look, ...drawing }: Drawing & { look: string }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const latest = useRef(drawing)
  latest.current = drawing
  const { columns, lines, top, bottom, log, limit } = drawing
  // biome-ignore lint/correctness/useExhaustiveDependencies: whatever is drawn, and the colours (look), are reasons to draw
  useEffect(() => paint(canvas.current!, latest.current), [columns, lines, top, bottom, log, limit, look])
  useEffect(() => {
    const observer = new ResizeObserver(() => paint(canvas.current!, latest.current))
    observer.observe(canvas.current!)
    return () => observer.disconnect()
  }, [])
  return (
    <div aria-hidden="true">
      <canvas ref={canvas} className="plot" />
    </div>
  )
}

function paint(canvas: HTMLCanvasElement, { columns, lines, top, bottom, log, limit }: Drawing): void {
  const context = canvas.getContext('2d')
  if (context === null) return
  const style = getComputedStyle(canvas)
  const colour = (name: string): string => style.getPropertyValue(name).trim()
  const [ratio, width, height] = [devicePixelRatio, canvas.clientWidth, canvas.clientHeight]
  canvas.width = Math.max(1, Math.round(width * ratio))
  canvas.height = Math.max(1, Math.round(height * ratio))
  context.scale(ratio, ratio)
  context.lineWidth = 1.5
  context.lineJoin = 'round'
  const y = (value: number): number => 1 + (height - 1) * (1 - shareOf(value, { top, bottom, log }))
  lines.forEach((line, i) => {
    const values = columns[i] ?? []
    const step = width / Math.max(1, values.length)
    context.strokeStyle = colour(`--series-${line.colour}`)
    context.fillStyle = colour(`--series-${line.colour}-fill`)
    context.setLineDash(line.dashed ? [4, 3] : [])
    for (const { from, to } of runsOf(values)) {
      const path = pathOf(values, from, to, step, y, line.steps === true)
      context.stroke(path)
      if (!line.fill) continue
      // What is stacked fills only its own part: the line below it is the next one.
      const base = line.on === undefined ? [] : (columns[i + 1] ?? [])
      for (let at = to - 1; at >= from; at--) {
        const foot = y(base[at] ?? bottom)
        if (line.steps || to - from === 1) {
          path.lineTo((at + 1) * step, foot)
          path.lineTo(at * step, foot)
        } else path.lineTo((at + 0.5) * step, foot)
      }
      context.fill(path)
    }
  })
  if (limit === null) return
  const at = Math.round(y(limit)) + 0.5
  context.strokeStyle = colour('--chart-limit')
  context.lineWidth = 1
  context.setLineDash([2, 2])
  context.beginPath()
  context.moveTo(0, at)
  context.lineTo(width, at)
  context.stroke()
}

/** A rate goes through the middle of each step; a count, and a reading that stands alone, lasts for all of it. */
function pathOf(
  values: readonly (number | null)[],
  from: number,
  to: number,
  step: number,
  y: (value: number) => number,
  steps: boolean,
): Path2D {
  const path = new Path2D()
  for (let i = from; i < to; i++) {
    const at = y(values[i]!)
    if (steps || to - from === 1) {
      path.lineTo(i * step, at)
      path.lineTo((i + 1) * step, at)
    } else path.lineTo((i + 0.5) * step, at)
  }
  return path
}
