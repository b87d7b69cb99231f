export type Summary = { count: number; p50: number; p99: number }

export function summary(values: number[]): Summary {
  return { count: values.length, p50: median(values), p99: quantile(values, 0.99) }
}

export const median = (values: number[]): number => quantile(values, 0.5)

/** Where the true median lies 19 times of 20, whatever the values' distribution: by their ranks. */
export function medianInterval(values: number[]): [low: number, high: number] {
  const sorted = values.toSorted((one, other) => one - other)
  const rank = Math.max(0, Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2))
  return [sorted[rank] ?? Number.NaN, sorted[sorted.length - 1 - rank] ?? Number.NaN]
}

/** Between the two nearest values; NaN of none. */
export function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}
