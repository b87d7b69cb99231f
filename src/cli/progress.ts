import type { EngineView } from '../protocol/engine.ts'
import { engineWords } from './engine-words.ts'
import { cut, plain } from './format.ts'

/** Into a pipe the same phase is said again after so long, to show that it goes on. */
const AGAIN_MS = 10_000

/**
 * How an engine gets on: one line that changes on a terminal, else a line for each phase. `columns` null: no terminal;
 * `now` in milliseconds.
 */
export function reporter(
  err: (text: string) => void,
  columns: () => number | null,
  now: () => number,
): { show(view: EngineView): void; end(): void } {
  let told = ''
  let toldAt = 0
  let isDrawn = false
  return {
    show({ name, state }) {
      const text = `${plain(name)}: ${engineWords(state)}`
      const width = columns()
      if (width !== null) {
        err(`\r${cut(text, width - 1)}\x1b[K`)
        isDrawn = true
        return
      }
      const phase = state.is === 'starting' ? `${state.is} ${state.phase}` : state.is
      if (phase === told && now() - toldAt < AGAIN_MS) return
      told = phase
      toldAt = now()
      err(`${text}\n`)
    },
    end: () => {
      if (isDrawn) err('\r\x1b[K')
    },
  }
}
