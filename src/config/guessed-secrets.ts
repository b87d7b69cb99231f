/** From `start` up to `end`. */
export type Span = { start: number; end: number }

const NAMES =
  '(?:[\\w-]*(?:api[-_]?keys?|admin[-_]?key|tokens?|secrets?|passwords?|passwd)|key|authorization|proxy|headers|env)'
const NAMED = new RegExp(`(?:^|[\\s{,["'-])(?:${NAMES})["']?\\s*[:=]\\s*`, 'i')
/** A value that looks like a key, whatever stands before it. */
const SHAPES = /\b(?:bearer|basic)\s+[\w.~+/=-]{6,}|\b(?:sk|lx|pk|hf|gsk|xai)[-_][\w-]{8,}|:\/\/[^\s/:@]+:[^\s/@]+@/gi
/** What was a setting, or one of a list, before it was commented out. */
const SETTING = /^\s*(?:-\s|["']?[\w.-]+["']?\s*:(?:\s|$))/

/** What a name of a secret hides: lines that are indented further than it, or within its brackets. */
type Below = { indent: number; open: number }

/**
 * Where secrets may stand in what nobody can read as YAML: the comments of a file or, where `comments` is null, all of
 * a file that is broken. A name of a secret hides the rest of its line and what is below it: rather too much than too little.
 */
export function guessedSecrets(text: string, comments: readonly Span[] | null): Span[] {
  const found: Span[] = []
  let below: Below | null = null
  let next = 0
  for (const { start, end } of linesOf(text)) {
    const line = text.slice(start, end)
    const comes = comments?.[next]
    const comment = comes !== undefined && comes.start <= end ? comes : undefined
    if (comment !== undefined) next += 1
    const before = comment === undefined ? line : line.slice(0, comment.start - start)
    const isOwnLine = comment !== undefined && before.trim() === ''
    const code = isOwnLine || comments === null ? withoutSign(line) : before
    if (isOwnLine && !SETTING.test(code)) {
      found.push(...moved(valuesIn(code), start))
      continue
    }
    const isBelow: boolean = below !== null && (below.open > 0 || isWithin(code, below.indent))
    if (comments === null || isOwnLine) found.push(...moved(isBelow ? wholeValue(code) : valuesIn(code), start))
    else if (comment !== undefined) found.push(...moved(valuesIn(line.slice(before.length)), comment.start))
    if (isBelow) below = { ...below!, open: below!.open + brackets(code) }
    else if (code.trim() !== '') below = openedBy(code)
  }
  return found
}

function linesOf(text: string): Span[] {
  let start = 0
  return text.split('\n').map((line) => {
    const span = { start, end: start + line.length }
    start = span.end + 1
    return span
  })
}

function moved(spans: Span[], by: number): Span[] {
  return spans.map(({ start, end }) => ({ start: start + by, end: end + by }))
}

/** A line of a comment as the line that it was: the signs are spaces, so that its indentation tells as much. */
function withoutSign(line: string): string {
  return line.replace(/^\s*#+/, (signs) => ' '.repeat(signs.length))
}

/** What looks like a key, and what follows a name of a secret. */
function valuesIn(code: string): Span[] {
  const named = NAMED.exec(code)
  const shapes = [...code.slice(0, named?.index).matchAll(SHAPES)]
  const spans = shapes.map(({ index, 0: { length } }) => ({ start: index, end: index + length }))
  return named === null ? spans : [...spans, ...upToEnd(code, named.index + named[0].length)]
}

/** `- name: value` without its name. */
function wholeValue(code: string): Span[] {
  return upToEnd(code, /^\s*(?:-\s+)*(?:["']?[\w.-]+["']?\s*:\s+)?/.exec(code)![0].length)
}

function upToEnd(code: string, start: number): Span[] {
  const end = code.trimEnd().length
  return start < end ? [{ start, end }] : []
}

function isWithin(code: string, indent: number): boolean {
  const at = code.search(/\S/)
  return at === -1 || at > indent || (at === indent && /^\s*-(\s|$)/.test(code))
}

/** Null: no name of a secret stands here. */
function openedBy(code: string): Below | null {
  const indent = /^\s*(?:-\s+)*/.exec(code)![0].length
  return NAMED.test(code) ? { indent, open: brackets(code) } : null
}

function brackets(code: string): number {
  return (code.match(/[[{]/g)?.length ?? 0) - (code.match(/[\]}]/g)?.length ?? 0)
}
