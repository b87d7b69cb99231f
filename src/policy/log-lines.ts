/** What a program says, cut into lines as it says it. One for each stream: two mix in the middle of their lines. */
export class LogLines {
  #rest = ''
  #dropping = false

  /**
   * The lines that `text` completes. A carriage return ends a line as well: it is how a progress bar is drawn anew.
   * Empty ones are left out, and colours. A line that will not end is cut at `LONGEST`, the rest of it dropped.
   */
  push(text: string): string[] {
    const lines: string[] = []
    let from = 0
    for (let at = nextEnd(text, 0); at >= 0; at = nextEnd(text, from)) {
      this.#take(text.slice(from, at))
      from = at + 1
      add(lines, this.#rest)
      this.#rest = ''
      this.#dropping = false
    }
    this.#take(text.slice(from))
    return lines
  }

  /** The line that has not ended yet: a bar shows its state before the next one draws over it. */
  get pending(): string {
    return plain(this.#rest)
  }

  #take(text: string): void {
    if (this.#dropping) return
    this.#rest += text
    if (this.#rest.length <= LONGEST) return
    this.#rest = this.#rest.slice(0, LONGEST)
    this.#dropping = true
  }
}

/** Longer ones are of no use to anybody, and a program in trouble may print without an end of line for ever. */
export const LONGEST = 8192

function nextEnd(text: string, from: number): number {
  const feed = text.indexOf('\n', from)
  const back = text.indexOf('\r', from)
  return feed < 0 || back < 0 ? Math.max(feed, back) : Math.min(feed, back)
}

function add(lines: string[], line: string): void {
  const text = plain(line)
  if (text !== '') lines.push(text)
}

// Colours and the titles of terminals.
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-_])/g

function plain(line: string): string {
  return (line.includes('\u001b') ? line.replace(ESCAPES, '') : line).trimEnd()
}
