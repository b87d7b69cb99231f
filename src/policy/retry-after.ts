/**
 * Reads a Retry-After header: whole seconds or an IMF-fixdate (RFC 9110, 10.2.3), nothing else. Milliseconds from
 * `now`, 0 for a date in the past, null for anything malformed, negative, absurdly long or given twice: a garbled wait
 * must never become "at once" (a Node timer of NaN or of more than 2^31-1 ms fires after 1 ms).
 */
export function parseRetryAfter(header: string | string[] | undefined | null, now: number): number | null {
  if (typeof header !== 'string') return null
  const text = header.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const at = Date.parse(text)
  // Date.parse takes far more than a date, and the 31st of February for one; toUTCString writes IMF-fixdates only.
  if (Number.isNaN(at) || new Date(at).toUTCString() !== text) return null
  return Math.max(0, at - now)
}
