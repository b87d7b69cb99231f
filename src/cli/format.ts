/** What a terminal shows for text from elsewhere: a name in a request must not steer it. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}|[\u2028\u2029]/gu, '\u{fffd}')
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** To the second, in UTC as it comes. */
export function moment(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ')
}

/** `0.4 s`, `12 s`, `2m 5s`, `2h 30m`, `3d 4h`; `-` for what is not known. */
export function duration(ms: number | null): string {
  if (ms === null) return '-'
  if (ms < 995) return `${(ms / 1000).toFixed(ms < 95 ? 2 : 1)} s`
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 59_500) return `${Math.round(ms / 1000)} s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m ${seconds % 60}s`
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`
}

export function millis(ms: number | null): string {
  return ms === null ? '-' : `${count(ms)} ms`
}

/** `12 KiB`, `512 MiB`, `15.9 GiB`; of 2^30 bytes, as drivers count. */
export function bytes(value: number | null): string {
  if (value === null) return '-'
  if (value > 0 && value < 2 ** 20) return `${count(Math.ceil(value / 2 ** 10))} KiB`
  return value < 2 ** 30 ? `${count(value / 2 ** 20)} MiB` : `${(value / 2 ** 30).toFixed(1)} GiB`
}

export type Column = { title: string; align?: 'right' }

/** Rows below their titles, two spaces between columns, cut at `width` cells. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const all = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, i) => Math.max(...all.map((row) => cells(row[i] ?? ''))))
  return all.map((row) => {
    const parts = columns.map(({ align }, i) => {
      const text = row[i] ?? ''
      const gap = ' '.repeat(widths[i]! - cells(text))
      return align === 'right' ? gap + text : text + gap
    })
    return cut(parts.join('  ').trimEnd(), width)
  })
}

export function cut(text: string, width: number): string {
  if (cells(text) <= width) return text
  let kept = ''
  let used = 0
  for (const char of text) {
    used += cells(char)
    if (used > width - 1) break
    kept += char
  }
  return `${kept}…`
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u
const MARK = /\p{Mn}/u

/** How many columns of a terminal it takes: East Asian letters take two, combining marks none. */
export function cells(text: string): number {
  let sum = 0
  for (const char of text) sum += MARK.test(char) ? 0 : WIDE.test(char) ? 2 : 1
  return sum
}
