import {
  RANGES,
  SERIES,
  SERIES_NAMES,
  type SeriesName,
  type SeriesRange,
  type SeriesReport,
  type SeriesValues,
} from '../protocol/series.ts'

const SECONDS = 3600
const MINUTES = 1440

/**
 * An hour of seconds and a day of minutes, in arrays that never grow: about 360 kB. Times are whole seconds since 1970
 * as the caller has them. A clock that is set back throws away what lies in its future.
 */
export class SeriesRing {
  private readonly seconds = new Ring(SECONDS, 1)
  private readonly minutes = new Ring(MINUTES, 60)

  /** What was measured in this second. A second that comes twice keeps the later. */
  add(second: number, values: SeriesValues): void {
    this.seconds.clearFrom(second)
    this.minutes.clearFrom(second + 60)
    for (const name of SERIES_NAMES) this.seconds.set(name, second, values[name])
    const minute = Math.floor(second / 60) * 60
    this.minutes.open(minute)
    for (const name of SERIES_NAMES) this.minutes.set(name, minute, this.seconds.combine(name, minute, 60))
  }

  /** Adds to what was counted between two times: tokens of an answer belong to the seconds in which they came. */
  spread(name: SeriesName, amount: number, from: number, to: number): void {
    const first = Math.floor(Math.min(from, to))
    const last = Math.min(Math.floor(to), first + SECONDS / 4)
    for (let second = first; second <= last; second++) {
      this.seconds.addTo(name, second, amount / (last - first + 1))
    }
  }

  /** The values of a range that ends with the step before `now`; only those after `after`, where that is given. */
  read(range: SeriesRange, now: number, after: number | null = null): SeriesReport {
    const { stepS, steps } = RANGES[range]
    const end = Math.floor(now / stepS) * stepS
    const begin = end - stepS * steps
    const from = after === null ? begin : Math.max(begin, Math.floor(after / stepS) * stepS + stepS)
    const ring = range === '24h' ? this.minutes : this.seconds
    const count = Math.max(0, (end - from) / stepS)
    const values = Object.fromEntries(
      SERIES_NAMES.map((name) => [
        name,
        Array.from({ length: count }, (_, i) => rounded(ring.combine(name, from + i * stepS, stepS))),
      ]),
    ) as Record<SeriesName, (number | null)[]>
    return { range, stepS, from, values }
  }
}

/** Values by time, one for each `stepS`; NaN where there is none. */
class Ring {
  private readonly size: number
  private readonly stepS: number
  private readonly at: Float64Array
  private readonly columns: Record<SeriesName, Float32Array>
  private newest = Number.NEGATIVE_INFINITY

  constructor(size: number, stepS: number) {
    this.size = size
    this.stepS = stepS
    this.at = new Float64Array(size).fill(-1)
    this.columns = Object.fromEntries(
      SERIES_NAMES.map((name) => [name, new Float32Array(size).fill(Number.NaN)]),
    ) as Record<SeriesName, Float32Array>
  }

  open(time: number): void {
    const slot = this.slotOf(time)
    if (this.at[slot] === time) return
    this.at[slot] = time
    this.newest = Math.max(this.newest, time)
    for (const name of SERIES_NAMES) this.columns[name][slot] = Number.NaN
  }

  set(name: SeriesName, time: number, value: number | null): void {
    this.open(time)
    if (value !== null) this.columns[name][this.slotOf(time)] = value
  }

  addTo(name: SeriesName, time: number, amount: number): void {
    const slot = this.slotOf(time)
    if (this.at[slot] !== time) return
    const before = this.columns[name][slot]!
    this.columns[name][slot] = Number.isNaN(before) ? amount : before + amount
  }

  combine(name: SeriesName, from: number, lengthS: number): number | null {
    const { combine } = SERIES[name]
    let [count, sum, most] = [0, 0, Number.NEGATIVE_INFINITY]
    for (let time = from; time < from + lengthS; time += this.stepS) {
      const slot = this.slotOf(time)
      const value = this.at[slot] === time ? this.columns[name][slot]! : Number.NaN
      if (Number.isNaN(value)) continue
      count++
      sum += value
      most = Math.max(most, value)
    }
    if (count === 0) return null
    return combine === 'sum' ? sum : combine === 'max' ? most : sum / count
  }

  clearFrom(time: number): void {
    if (this.newest < time) return
    for (let slot = 0; slot < this.size; slot++) if (this.at[slot]! >= time) this.at[slot] = -1
    this.newest = Math.max(...this.at)
  }

  private slotOf(time: number): number {
    return Math.floor(time / this.stepS) % this.size
  }
}

/** Four digits are more than a chart shows, and half as long in JSON. */
function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(value >= 1e6 ? 7 : 4))
}
