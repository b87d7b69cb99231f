/** Numbers as `examples/ui` has them: a unit after a no-break space, thousands parted, a point in every language. */

const NBSP = '\u00a0'
const THIN = '\u202f'
export const NONE = '–'

export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE
  const [whole = '', rest] = Math.abs(value).toFixed(digits).split('.')
  const parted = whole.replace(/\B(?=(\d{3})+$)/g, THIN)
  const sign = value < 0 && Number(value.toFixed(digits)) !== 0 ? '−' : ''
  return `${sign}${parted}${rest === undefined ? '' : `.${rest}`}`
}

/** A number with its unit; the dash stands alone. */
export function withUnit(value: number | null | undefined, unit: string, digits = 0): string {
  const shown = number(value, digits)
  return shown === NONE ? NONE : `${shown}${NBSP}${unit}`
}

/** 0.997 → `99.7 %`: whole, but one decimal from 99 up, and never 100 while one failed. */
export function percent(share: number | null | undefined): string {
  return withUnit(percentNumber(share), '%', percentDigits(share))
}

export function percentNumber(share: number | null | undefined): number | null {
  if (share === null || share === undefined) return null
  return share < 1 && share > 0.999 ? 99.9 : share * 100
}

export function percentDigits(share: number | null | undefined): number {
  return share !== null && share !== undefined && share >= 0.99 && share < 1 ? 1 : 0
}

/** Milliseconds: `180 ms`, `1.4 s`, `1 min 47 s`, `3 h 12 min`, `2 d 4 h`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE
  if (ms < 999.5) return withUnit(Math.max(0, ms), 'ms')
  if (ms < 59_950) return withUnit(ms / 1000, 's', 1)
  const seconds = Math.round(ms / 1000)
  const pairs: [number, string, number, string][] = [
    [60, 'min', 1, 's'],
    [3600, 'h', 60, 'min'],
    [86_400, 'd', 3600, 'h'],
  ]
  const [big, bigUnit, small, smallUnit] = pairs[seconds < 3600 ? 0 : seconds < 86_400 ? 1 : 2]!
  const rest = Math.floor((seconds % big) / small)
  const first = withUnit(Math.floor(seconds / big), bigUnit)
  return rest === 0 ? first : `${first} ${withUnit(rest, smallUnit)}`
}

/** Seconds with one decimal, for columns in which all rows must compare. */
export function seconds(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? NONE : withUnit(ms / 1000, 's', 1)
}

const GIB = 1024 ** 3

export function gib(bytes: number | null | undefined): string {
  return bytes === null || bytes === undefined ? NONE : number(bytes / GIB, 1)
}

/** 14:32:04, in the time zone of whoever looks. */
export function clock(at: Date | number | string, withSeconds = true): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return NONE
  const two = (value: number): string => String(value).padStart(2, '0')
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`
  return withSeconds ? `${minutes}:${two(date.getSeconds())}` : minutes
}

/** The time alone today, else with its day. */
export function moment(at: string, now: Date, language: string): string {
  const date = new Date(at)
  if (date.toDateString() === now.toDateString()) return clock(date)
  const day = new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric' }).format(date)
  return `${day} ${clock(date)}`
}

/** How long ago, in the words of a language: `5 minutes ago`; `now` within the last minute. */
export function ago(at: string, now: Date, language: string): string {
  const words = new Intl.RelativeTimeFormat(language, { numeric: 'auto' })
  const minutes = Math.floor(Math.max(0, now.getTime() - Date.parse(at)) / 60_000)
  if (minutes < 1) return words.format(0, 'second')
  if (minutes < 60) return words.format(-minutes, 'minute')
  return minutes < 1440
    ? words.format(-Math.floor(minutes / 60), 'hour')
    : words.format(-Math.floor(minutes / 1440), 'day')
}

/** Context lengths: 32768 → `32k`. */
export function kilo(value: number): string {
  return value >= 1000 ? `${number(value >= 1024 && value % 1024 === 0 ? value / 1024 : value / 1000)}k` : number(value)
}

/** Change against an earlier mean: null below one percent, and where there is nothing to compare. */
export function change(now: number | null, before: number | null): number | null {
  if (now === null || before === null || before === 0) return null
  const share = (now - before) / before
  return Math.abs(share) < 0.01 ? null : share
}

export function signedPercent(share: number | null): string {
  if (share === null) return ''
  const shown = number(Math.abs(share) * 100)
  return `${share < 0 ? '−' : '+'}${shown}${NBSP}%`
}

/** Files and disks, as shops and hubs count them: `15.4 GB`, `310 MB`. */
export function gigabytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return NONE
  if (bytes < 1e3) return withUnit(bytes, 'B')
  if (bytes < 1e6) return withUnit(bytes / 1e3, 'kB', bytes < 1e4 ? 1 : 0)
  return bytes < 1e9 ? withUnit(bytes / 1e6, 'MB', bytes < 1e7 ? 1 : 0) : withUnit(bytes / 1e9, 'GB', 1)
}
