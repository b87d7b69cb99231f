import type { AppSnapshot } from '../protocol/snapshot.ts'
import { cut } from './format.ts'
import { statusLine, statusLines, type Tone } from './status-view.ts'
import type { Screen } from './watch.ts'

export type Terminal = { columns: number; rows: number }

const CODES: Record<Tone, string> = { good: '32', warn: '33', bad: '31', dim: '2', bold: '1' }

/** A line a second is plenty for a log. */
const LINE_MS = 1000

export function painter(colour: boolean): (tone: Tone, text: string) => string {
  return colour ? (tone, text) => `\x1b[${CODES[tone]}m${text}\x1b[0m` : (_, text) => text
}

/** Redraws in place, so that the last view stays on the screen when the watch ends. `terminal` is asked anew each time. */
export function redrawn(out: (text: string) => void, terminal: () => Terminal, colour: boolean): Screen {
  const paint = painter(colour)
  let drawn = 0
  let lines: string[] = []
  let note: string | null = null
  const draw = (): void => {
    const { columns, rows } = terminal()
    const shown = [...(note === null ? [] : [paint('warn', cut(note, columns))]), ...lines].slice(
      0,
      Math.max(1, rows - 1),
    )
    const up = drawn > 0 ? `\x1b[${drawn}A` : '\x1b[?25l'
    out(`${up}\r${shown.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`)
    drawn = shown.length
  }
  return {
    show(snapshot) {
      lines = statusLines(snapshot, { width: terminal().columns, paint })
      draw()
      // It has been seen; the next view is without it.
      note = null
    },
    note(text) {
      note = text
      draw()
    },
    end: () => out('\x1b[?25h'),
  }
}

/** One line per change, for pipes; `now` in milliseconds. */
export function printed(out: (text: string) => void, err: (text: string) => void, now: () => number): Screen {
  let last = Number.NEGATIVE_INFINITY
  return {
    show(snapshot) {
      if (now() - last < LINE_MS) return
      last = now()
      out(`${statusLine(snapshot)}\n`)
    },
    note: (text) => err(`${text}\n`),
    end: () => undefined,
  }
}

/** One JSON object per line. */
export function asJson(out: (text: string) => void, err: (text: string) => void): Screen {
  return {
    show: (snapshot: AppSnapshot) => out(`${JSON.stringify(snapshot)}\n`),
    note: (text) => err(`${text}\n`),
    end: () => undefined,
  }
}
