import type { EngineState } from '../../src/protocol/engine.ts'
import type { EngineStartView } from '../../src/protocol/ui-commands.ts'

export type StartRow = { name: string; from: number; share: number; ms: number; current: boolean }

/** The phases of a start one below the other, as shares of the whole; `current`: where a new start is now. */
export function startRows({ phases, totalMs }: EngineStartView, state: EngineState): StartRow[] {
  const whole = Math.max(
    totalMs,
    phases.reduce((sum, { ms }) => sum + ms, 0),
    1,
  )
  let at = 0
  return phases.map(({ name, ms }) => {
    const from = at / whole
    at += ms
    return { name, from, share: ms / whole, ms, current: state.is === 'starting' && state.phase === name }
  })
}
