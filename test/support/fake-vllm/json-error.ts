/** Where and why Python's json module would refuse a text that is known to be no JSON. */
export function findJsonError(text: string): { message: string; at: number } {
  const reader = createReader(text)
  try {
    reader.value()
    reader.end()
  } catch (error) {
    if (error instanceof JsonError) return { message: error.message, at: error.at }
    throw error
  }
  return { message: 'Expecting value', at: 0 }
}

class JsonError extends Error {
  readonly at: number

  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

function createReader(text: string) {
  let at = 0

  function blank(): void {
    while (/[ \t\r\n]/.test(text[at] ?? '')) at += 1
  }

  function value(): void {
    blank()
    if (text[at] === '{') return list('}', pair)
    if (text[at] === '[') return list(']', value)
    if (text[at] === '"') return string()
    const literal = /^(true|false|null|NaN|-?Infinity|-?\d+(\.\d+)?([eE][+-]?\d+)?)/.exec(text.slice(at, at + 64))
    if (!literal) throw new JsonError('Expecting value', at)
    at += literal[0].length
  }

  function pair(): void {
    blank()
    if (text[at] !== '"') throw new JsonError('Expecting property name enclosed in double quotes', at)
    string()
    blank()
    if (text[at] !== ':') throw new JsonError("Expecting ':' delimiter", at)
    at += 1
    value()
  }

  function list(close: string, member: () => void): void {
    at += 1
    if (closes(close)) return
    for (;;) {
      member()
      if (closes(close)) return
      if (text[at] !== ',') throw new JsonError("Expecting ',' delimiter", at)
      at += 1
    }
  }

  function closes(close: string): boolean {
    blank()
    if (text[at] !== close) return false
    at += 1
    return true
  }

  function string(): void {
    const start = at
    for (at += 1; text[at] !== '"'; at += 1) {
      if (at >= text.length) throw new JsonError('Unterminated string starting at', start)
      if (text[at] === '\\') at += 1
      else if (text[at]! < ' ') throw new JsonError('Invalid control character at', at)
    }
    at += 1
  }

  function end(): void {
    blank()
    if (at < text.length) throw new JsonError('Extra data', at)
  }

  return { value, end }
}
