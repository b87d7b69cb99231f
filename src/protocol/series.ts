/** What the dashboard draws over time. `combine`: how several samples become one where a range is long. */
export const SERIES = {
  /** Tokens a second, as counted at this gateway. */
  output: { combine: 'mean' },
  prompt: { combine: 'mean' },
  /** Milliseconds, over what ended in the minute before. */
  ttftP50: { combine: 'mean' },
  ttftP95: { combine: 'max' },
  totalP95: { combine: 'max' },
  running: { combine: 'max' },
  waiting: { combine: 'max' },
  /** All permits together. */
  limit: { combine: 'max' },
  /** Requests that ended in this time: all, those that failed (5xx), those a limit or a full queue refused. */
  finished: { combine: 'sum' },
  failed: { combine: 'sum' },
  rejected: { combine: 'sum' },
  /** Shares, 0 to 1. */
  kv: { combine: 'mean' },
  gpu: { combine: 'mean' },
  /** Bytes, over all GPUs. */
  vramOurs: { combine: 'mean' },
  vramUsed: { combine: 'mean' },
  vramTotal: { combine: 'max' },
  /** Of the hottest. */
  temperatureC: { combine: 'max' },
  /** Watts, over all GPUs. */
  power: { combine: 'mean' },
  /** Why a GPU runs slower than it could, the worst of them: 0 it does not, 1 power, 2 hardware, 3 heat. */
  throttle: { combine: 'max' },
} as const satisfies Record<string, { combine: 'mean' | 'max' | 'sum' }>

/** What the numbers of `throttle` mean, the worst last. */
export const THROTTLES = ['none', 'power', 'hardware', 'heat'] as const

export type SeriesName = keyof typeof SERIES

export const SERIES_NAMES = Object.keys(SERIES) as SeriesName[]

/** Steps in seconds, and how many of them. The longest range is drawn from minutes, the others from seconds. */
export const RANGES = {
  '5m': { stepS: 1, steps: 300 },
  '15m': { stepS: 5, steps: 180 },
  '1h': { stepS: 20, steps: 180 },
  '24h': { stepS: 300, steps: 288 },
} as const

export type SeriesRange = keyof typeof RANGES

/** One value of each series; null: there is no reading. */
export type SeriesValues = Record<SeriesName, number | null>

export type SeriesReport = {
  range: SeriesRange
  stepS: number
  /** Seconds since 1970: where the first value's step begins. The others follow without a gap. */
  from: number
  /** Null where nothing was read. */
  values: Record<SeriesName, (number | null)[]>
}
