const BOUNDS = [0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 20, 50, 100, 500, 1000, 5000, 10_000]

export type Histogram = { count: number; sum: number; buckets: [bound: number, count: number][] }

/** What /metrics adds up. A counter or histogram is there from its first use on; before it reads 0. */
export function createCounters() {
  const totals = new Map<string, number>()
  const histograms = new Map<string, Histogram>()

  const empty = (): Histogram => ({ count: 0, sum: 0, buckets: BOUNDS.map((bound) => [bound, 0]) })

  function add(name: string, by = 1): void {
    totals.set(name, (totals.get(name) ?? 0) + by)
  }

  function observe(name: string, value: number): void {
    const histogram = histograms.get(name) ?? empty()
    histograms.set(name, histogram)
    histogram.count += 1
    histogram.sum += value
    for (const bucket of histogram.buckets) if (value <= bucket[0]) bucket[1] += 1
  }

  return {
    add,
    observe,
    total: (name: string) => totals.get(name) ?? 0,
    histogram: (name: string) => histograms.get(name) ?? empty(),
    /** The counters whose name starts so, with the rest of their name. */
    startingWith: (prefix: string) =>
      [...totals]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, value]) => [name.slice(prefix.length), value] as const),
  }
}
