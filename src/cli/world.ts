import type { Machine } from '../config/paths.ts'
import type { Terminal } from './screen.ts'

/** What a command needs of the world outside. `terminal` answers null where the output is not one. */
export type CliWorld = Machine & {
  out: (text: string) => void
  err: (text: string) => void
  terminal: () => Terminal | null
  colour: boolean
  /** Columns of the terminal that `err` goes to; null: it is none. */
  errColumns: () => number | null
  /** Asks the person at the terminal; not there where nobody can answer. */
  ask?: (question: string) => Promise<boolean>
  /** The same for more than yes and no. */
  prompt?: (question: string) => Promise<string>
  /** Aborts on Ctrl-C, from this call on: what does not watch ends by it as every program does. */
  untilStopped: () => AbortSignal
}
