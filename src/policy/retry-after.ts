const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const IMF_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/

/**
 * Reads a Retry-After header: whole seconds or an IMF-fixdate (RFC 9110, 10.2.3), nothing else. Milliseconds from
 * `now`, 0 for a date in the past, null for anything malformed, negative, absurdly long or given twice: a garbled wait
 * must never become "at once" (a Node timer of NaN or of more than 2^31-1 ms fires after 1 ms).
 */
export function parseRetryAfter(header: string | string[] | undefined | null, now: number): number | null {
  if (typeof header !== 'string') return null
  const text = header.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const date = IMF_DATE.exec(text)
  if (date === null) return null
  const [, day, month, year, hour, minute, second] = date
  const at = Date.UTC(Number(year), MONTHS.indexOf(month!), Number(day), Number(hour), Number(minute), Number(second))
  return Math.max(0, at - now)
}
