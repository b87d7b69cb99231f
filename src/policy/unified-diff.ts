const CONTEXT = 3
/** Above this many comparisons what differs is taken as one piece: still a true diff, only not the shortest. */
const MOST_CELLS = 4_000_000

type Edit = { sign: ' ' | '-' | '+'; text: string }

/** The unified diff that makes `after` of `before`; empty where they are equal. `name`: of the file, for its head. */
export function unifiedDiff(before: string, after: string, name: string): string {
  if (before === after) return ''
  const edits = compare(linesOf(before), linesOf(after))
  return `--- a/${name}\n+++ b/${name}\n${hunks(edits).join('')}`
}

/** Lines with their ends: a last one without says so in the diff. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

function compare(a: readonly string[], b: readonly string[]): Edit[] {
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const same = (text: string): Edit => ({ sign: ' ', text })
  const middle = between(a.slice(head, a.length - tail), b.slice(head, b.length - tail))
  return [...a.slice(0, head).map(same), ...middle, ...a.slice(a.length - tail).map(same)]
}

/** By the longest common subsequence. */
function between(a: readonly string[], b: readonly string[]): Edit[] {
  const width = b.length + 1
  const replaced = [...a.map((text): Edit => ({ sign: '-', text })), ...b.map((text): Edit => ({ sign: '+', text }))]
  if (a.length * width > MOST_CELLS) return replaced
  const longest = new Uint32Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j
      longest[at] = a[i] === b[j] ? longest[at + width + 1]! + 1 : Math.max(longest[at + width]!, longest[at + 1]!)
    }
  }
  const edits: Edit[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      edits.push({ sign: ' ', text: a[i++]! })
      j++
    } else if (j >= b.length || (i < a.length && longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!)) {
      edits.push({ sign: '-', text: a[i++]! })
    } else edits.push({ sign: '+', text: b[j++]! })
  }
  return edits
}

function hunks(edits: readonly Edit[]): string[] {
  const shown = edits.map((_, i) => {
    const near = edits.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1)
    return near.some(({ sign }) => sign !== ' ')
  })
  const found: string[] = []
  let [oldLine, newLine] = [1, 1]
  for (let i = 0; i < edits.length; ) {
    if (!shown[i]) {
      oldLine++
      newLine++
      i++
      continue
    }
    const end = shown.indexOf(false, i) === -1 ? edits.length : shown.indexOf(false, i)
    const own = edits.slice(i, end)
    const olds = own.filter(({ sign }) => sign !== '+').length
    const news = own.filter(({ sign }) => sign !== '-').length
    // An empty side is counted from the line before it.
    const range = (line: number, count: number): string => `${count === 0 ? line - 1 : line},${count}`
    found.push(`@@ -${range(oldLine, olds)} +${range(newLine, news)} @@\n${own.map(lineOf).join('')}`)
    oldLine += olds
    newLine += news
    i = end
  }
  return found
}

function lineOf({ sign, text }: Edit): string {
  return text.endsWith('\n') ? sign + text : `${sign}${text}\n\\ No newline at end of file\n`
}
