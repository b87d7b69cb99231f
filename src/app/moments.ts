const SPAN = /^(\d+)([smhdw])$/
const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
/** As far as a Date reaches (ECMA-262, 21.4.1.1). */
const LAST_MS = 8.64e15

/** A date, or a span from now (`24h`, `7d`) in the given direction → milliseconds since 1970. A date without a zone is UTC. */
export function momentMs(text: string, now: number, direction: 'ago' | 'ahead'): number {
  const span = SPAN.exec(text)
  if (span !== null) {
    const ms = Number(span[1]) * UNITS[span[2]!]!
    return Math.min(LAST_MS, Math.max(-LAST_MS, direction === 'ago' ? now - ms : now + ms))
  }
  return Date.parse(/T/.test(text) && !/(Z|[+-]\d{2}:\d{2})$/.test(text) ? `${text}Z` : text)
}

export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
