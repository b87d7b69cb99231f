import { isServing } from '../../src/protocol/engine.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'

export const STEPS = ['machine', 'engine', 'model', 'start', 'request', 'choices'] as const

export type Step = (typeof STEPS)[number]

/** Where the first run stands. `engine`: the one that it starts; null: none was chosen. */
export type FirstRun = { step: Step; is: 'open' | 'later' | 'done'; engine: string | null }

const FRESH: FirstRun = { step: 'machine', is: 'open', engine: null }

export type FirstRunEvent =
  | { do: 'next' | 'back' | 'later' | 'finish' | 'again' }
  | { do: 'chosen'; engine: string | null }

/** Every step can be left undone. Without an engine there is nothing to start, so that step is passed over. */
export function nextFirstRun(state: FirstRun, event: FirstRunEvent): FirstRun {
  const at = STEPS.indexOf(state.step)
  switch (event.do) {
    case 'next': {
      const next = STEPS[at + 1]
      if (next === undefined) return { ...state, is: 'done' }
      return { ...state, step: next === 'start' && state.engine === null ? 'request' : next }
    }
    case 'back': {
      const before = STEPS[Math.max(0, at - 1)]!
      return { ...state, step: before === 'start' && state.engine === null ? 'model' : before }
    }
    case 'chosen':
      return { ...state, engine: event.engine, step: event.engine === null ? 'request' : 'start' }
    case 'later':
      return { ...state, is: 'later' }
    case 'finish':
      return { ...state, is: 'done', step: 'machine' }
    case 'again':
      return { ...state, is: 'open', step: state.is === 'done' ? 'machine' : state.step }
  }
}

/** What was kept of an earlier window; anything odd begins anew. */
export function readFirstRun(text: string | null): FirstRun {
  try {
    const { step, is, engine } = JSON.parse(text ?? '') as Record<string, unknown>
    return {
      step: STEPS.find((name) => name === step) ?? 'machine',
      is: is === 'done' || is === 'later' ? is : 'open',
      engine: typeof engine === 'string' ? engine : null,
    }
  } catch {
    return FRESH
  }
}

/**
 * It shows itself where nobody has configured anything yet, and goes on where it was left in the middle. Never in a
 * window that watches a Lexora of another program: who runs that has had his first run.
 */
export function showsItself({ is, step }: FirstRun, { server, engines }: AppSnapshot, isAttached: boolean): boolean {
  if (is !== 'open' || isAttached) return false
  return step !== 'machine' || (server.configPath === null && engines.every(({ kind }) => kind === 'demo'))
}

/** How a step looks in the list: what was passed over, or is not reached, is not done. */
export function stepLook(step: Step, state: FirstRun, snapshot: AppSnapshot): 'done' | 'cur' | 'skipped' | '' {
  const at = STEPS.indexOf(state.step)
  const i = STEPS.indexOf(step)
  if (i >= at) return i === at ? 'cur' : ''
  if (step !== 'start' && step !== 'model') return 'done'
  if (state.engine === null) return 'skipped'
  return step === 'model' || isRunning(state, snapshot) ? 'done' : ''
}

/** The engine that the first run looks at has come to serve. */
export function isRunning({ engine }: FirstRun, { engines }: AppSnapshot): boolean {
  return engines.some(({ name, state }) => name === engine && isServing(state))
}
