const STEPS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 }

/** Which row of `count` a key leads to, `at` -1 being none; null: it is no such key, or there is no row. */
export function rowAfter(key: string, at: number, count: number): number | null {
  const by = STEPS[key]
  if (count === 0) return null
  if (at === -1) return by !== undefined || key === 'Enter' ? 0 : null
  return by === undefined ? null : Math.min(count - 1, Math.max(0, at + by))
}

/** The marked rows in the order of the table, or else the chosen one: a line each, cells apart by tabs. */
export function copiedRows(ids: readonly string[], marks: ReadonlyMap<string, string>, chosen: string | null): string {
  const marked = ids.flatMap((id) => marks.get(id) ?? [])
  const rows = marked.length > 0 ? marked : chosen === null ? [] : [chosen]
  return rows.map(lineOf).join('\n')
}

function lineOf(row: string): string {
  const cells = row.split('\t').map((cell) => cell.trim().replace(/\s+/g, ' '))
  return cells.join('\t').trimEnd()
}
