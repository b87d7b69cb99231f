/** The names closest to a mistyped one, best first; none when nothing is near. Used wherever an error names the fix. */
export function nearestNames(wrong: string, names: Iterable<string>, most = 3): string[] {
  const asked = wrong.slice(0, 80).toLowerCase()
  const limit = Math.max(2, Math.floor(asked.length / 3))
  const scored: { name: string; distance: number }[] = []
  for (const name of names) {
    const lower = name.toLowerCase()
    const distance = lower.startsWith(asked) || asked.startsWith(lower) ? 1 : editDistance(asked, lower.slice(0, 80))
    if (distance <= limit) scored.push({ name, distance })
  }
  scored.sort((a, b) => a.distance - b.distance)
  return scored.slice(0, most).map(({ name }) => name)
}

/** Levenshtein distance over UTF-16 units, in one row of memory. */
function editDistance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]!
    row[0] = i
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!
      row[j] = a[i - 1] === b[j - 1] ? diagonal : 1 + Math.min(diagonal, above, row[j - 1]!)
      diagonal = above
    }
  }
  return row[b.length]!
}
