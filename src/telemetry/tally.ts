import type { MetricObjectWithValues, MetricValueWithName, Registry } from 'prom-client'

type Labels = Record<string, string>

/**
 * Counters and histograms that add plain numbers and are put into prom-client's form only when somebody scrapes: its
 * own children hash their labels at every call (performance.md 2).
 */
export class CounterTally {
  private readonly cells = new Map<string, { labels: Labels; value: number }>()

  constructor(registry: Registry, name: string, help: string) {
    register(registry, name, help, 'counter', () =>
      [...this.cells.values()].map(({ labels, value }) => ({ labels, value, metricName: name })),
    )
  }

  /** The cell of one label set; keep it where it is used often. */
  cell(labels: Labels): { value: number } {
    return cellOf(this.cells, labels, () => ({ labels, value: 0 }))
  }
}

export class HistogramTally {
  private readonly cells = new Map<string, HistogramCell>()
  private readonly bounds: readonly number[]

  /** `bounds`: upper bounds of the buckets, ascending, without infinity. */
  constructor(registry: Registry, name: string, help: string, bounds: readonly number[]) {
    this.bounds = bounds
    register(registry, name, help, 'histogram', () => [...this.cells.values()].flatMap((cell) => cell.values(name)))
  }

  cell(labels: Labels): HistogramCell {
    return cellOf(this.cells, labels, () => new HistogramCell(this.bounds, labels))
  }
}

export class HistogramCell {
  private readonly bounds: readonly number[]
  private readonly labels: Labels
  private readonly counts: Float64Array
  private sum = 0

  constructor(bounds: readonly number[], labels: Labels) {
    this.bounds = bounds
    this.labels = labels
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket++
    this.counts[bucket]!++
    this.sum += value
  }

  values(name: string): MetricValueWithName<string>[] {
    let total = 0
    const buckets = [...this.counts].map((count, i) => {
      total += count
      const le = i < this.bounds.length ? String(this.bounds[i]) : '+Inf'
      return { labels: { ...this.labels, le }, value: total, metricName: `${name}_bucket` }
    })
    return [
      ...buckets,
      { labels: this.labels, value: this.sum, metricName: `${name}_sum` },
      { labels: this.labels, value: total, metricName: `${name}_count` },
    ]
  }
}

function cellOf<Cell>(cells: Map<string, Cell>, labels: Labels, make: () => Cell): Cell {
  const key = Object.values(labels).join('\n')
  let cell = cells.get(key)
  if (cell === undefined) {
    cell = make()
    cells.set(key, cell)
  }
  return cell
}

function register(
  registry: Registry,
  name: string,
  help: string,
  type: 'counter' | 'histogram',
  read: () => MetricValueWithName<string>[],
): void {
  const get = async (): Promise<MetricObjectWithValues<MetricValueWithName<string>>> =>
    ({ name, help, type, aggregator: 'sum', values: read() }) as unknown as MetricObjectWithValues<
      MetricValueWithName<string>
    >
  // A registry asks its metrics for nothing but their name and `get`.
  registry.registerMetric({ name, get } as unknown as Parameters<Registry['registerMetric']>[0])
}
