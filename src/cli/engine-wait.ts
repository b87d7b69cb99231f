import { type AdminTarget, watchSnapshots } from '../app/admin-client.ts'
import { EXIT, exitOfFailure } from '../app/exit-codes.ts'
import type { CommandName } from '../protocol/commands.ts'
import { type EngineState, type EngineView, isComing, isServing } from '../protocol/engine.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'
import { reporter } from './progress.ts'
import type { CliWorld } from './world.ts'

type Goal = 'start' | 'stop'

type Wanted = { goal: Goal; first: EngineView; timeoutMs: number | null }

/** The commands that have an end to wait for, and which. */
export const WAITED_FOR: { [Name in CommandName]?: Goal } = {
  startEngine: 'start',
  restartEngine: 'start',
  stopEngine: 'stop',
}

export type WaitEnd =
  /** `ran`: something had to be ended on the way. */
  | { is: 'done' | 'late'; view: EngineView; ran: boolean }
  /** The Lexora that was asked does not answer any more, or has no such engine now. */
  | { is: 'gone' }

/** `waitForEngine` with how it gets on told on the error output, unless `isQuiet`. */
export async function followEngine(
  target: AdminTarget,
  wanted: Wanted,
  { err, errColumns }: Pick<CliWorld, 'err' | 'errColumns'>,
  isQuiet: boolean,
): Promise<WaitEnd> {
  const report = isQuiet ? null : reporter(err, errColumns, () => performance.now())
  const end = await waitForEngine(target, wanted, (view) => report?.show(view))
  report?.end()
  return end
}

/** Shows every change of an engine until it is where it was asked to go, or will not get there. */
export async function waitForEngine(
  target: AdminTarget,
  { goal, first, timeoutMs }: Wanted,
  show: (view: EngineView) => void,
): Promise<WaitEnd> {
  let view = first
  let isKnown = true
  let ran = isEnding(first.state)
  const over = new AbortController()
  const look = (next: EngineView | undefined): void => {
    if (over.signal.aborted) return
    isKnown = next !== undefined
    if (next !== undefined) {
      view = next
      ran ||= isEnding(next.state)
    }
    if (!isKnown || isOver(goal, view.state)) over.abort()
    else show(view)
  }
  look(first)
  const signals = [over.signal, ...(timeoutMs === null ? [] : [AbortSignal.timeout(timeoutMs)])]
  const ended = AbortSignal.any(signals)
  const onSnapshot = ({ engines }: AppSnapshot): void => look(engines.find(({ name }) => name === first.name))
  try {
    if (!ended.aborted) await watchSnapshots(target, onSnapshot, ended)
  } catch (error) {
    // The end of the wait may come before the first answer; what is no end of ours is told.
    if (!ended.aborted) throw error
  }
  if (over.signal.aborted && isKnown) return { is: 'done', view, ran }
  return ended.aborted && isKnown ? { is: 'late', view, ran } : { is: 'gone' }
}

/** 10 only while it still goes on: what failed has failed, however long one would have waited. */
export function exitOfWait(goal: Goal, { is, view }: Exclude<WaitEnd, { is: 'gone' }>): number {
  const { state } = view
  if (is === 'late') return EXIT.timeout
  if (state.is === 'foreign') return EXIT.portInUse
  if (state.is === 'failed' || state.is === 'not-installed') return exitOfFailure(state.failure.class)
  return goal === 'stop' || isServing(state) ? EXIT.ok : EXIT.failure
}

/** A stop is over as soon as nothing is being ended any more, also where a waiting request starts it again at once. */
function isOver(goal: Goal, state: EngineState): boolean {
  return !isEnding(state) && (goal === 'stop' || !isComing(state)) && !isFallingAsleep(state)
}

function isEnding({ is }: EngineState): boolean {
  return is === 'draining' || is === 'stopping'
}

function isFallingAsleep(state: EngineState): boolean {
  return state.is === 'sleeping' && state.step === 'falling'
}
