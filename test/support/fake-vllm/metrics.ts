import type { Context } from './answer.ts'
import type { Histogram } from './counters.ts'
import { type Family, familiesOf, type Labels, type Sample } from './metric-families.ts'

/** The Prometheus text of GET /metrics: gauges show the real state of this moment. */
export function metricsText(context: Context): string {
  const created = context.state.startedAt / 1000
  return `${familiesOf(context)
    .flatMap((family) => linesOf(family, created))
    .join('\n')}\n`
}

function linesOf(family: Family, created: number): string[] {
  const lines = [...headOf(family.name, family), ...family.samples.flatMap((sample) => sampleLines(family, sample))]
  if (family.type === 'gauge' || family.name.startsWith('python_') || family.name.startsWith('process_')) return lines
  const name = `${family.type === 'counter' ? family.name.replace(/_total$/, '') : family.name}_created`
  const stamps = family.samples.map(([labels]) => `${name}${labelText(labels)} ${numberText(created)}`)
  return [...lines, ...headOf(name, { ...family, type: 'gauge' }), ...stamps]
}

function headOf(name: string, { type, help }: Family): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
}

function sampleLines({ name, type }: Family, [labels, value]: Sample): string[] {
  if (typeof value === 'number') return [`${name}${labelText(labels)} ${numberText(value)}`]
  return [...(type === 'histogram' ? bucketLines(name, labels, value) : []), ...sumLines(name, labels, value)]
}

function bucketLines(name: string, labels: Labels, { buckets, count }: Histogram): string[] {
  const line = (le: string, value: number) => `${name}_bucket${labelText({ ...labels, le })} ${numberText(value)}`
  return [...buckets.map(([bound, value]) => line(numberText(bound), value)), line('+Inf', count)]
}

function sumLines(name: string, labels: Labels, { count, sum }: Histogram): string[] {
  return [
    `${name}_count${labelText(labels)} ${numberText(count)}`,
    `${name}_sum${labelText(labels)} ${numberText(sum)}`,
  ]
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** As Python prints a float. */
function numberText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}
