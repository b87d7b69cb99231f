import { canStart, type EngineView, isComing, isServing } from './engine.ts'
import type { AppSnapshot } from './snapshot.ts'

/** The one button that tray, header and terminal offer first. `engine` null: it concerns the gateway alone. */
export type PrimaryVerb =
  | { do: 'start' | 'stop' | 'restart' | 'retry' | 'force-stop' | 'fix' | 'install'; engine: string }
  | { do: 'cancel-start'; engine: string; leftMs: number | null }
  | { do: 'resume'; engine: null }
  /** Nothing to press: it is being stopped, or there is no engine. */
  | { do: 'none'; engine: string | null }

/** DESIGN 7's table of states, as one function of the snapshot. With several engines the one most in need comes first. */
export function primaryVerb({ server, engines }: Pick<AppSnapshot, 'server' | 'engines'>): PrimaryVerb {
  if (server.state === 'paused') return { do: 'resume', engine: null }
  const engine = foremostEngine(engines)
  return engine === null ? { do: 'none', engine: null } : verbOf(engine)
}

/** The engine that a header with room for one shows: trouble before progress before service before rest. */
export function foremostEngine(engines: readonly EngineView[]): EngineView | null {
  const rank = ({ state }: EngineView): number => {
    if (['failed', 'backoff', 'foreign'].includes(state.is)) return 0
    if (isComing(state) || state.is === 'draining' || state.is === 'stopping') return 1
    if (state.is === 'degraded') return 2
    if (isServing(state)) return 3
    return state.is === 'not-installed' ? 5 : 4
  }
  return [...engines].sort((a, b) => rank(a) - rank(b))[0] ?? null
}

function verbOf({ name, state }: EngineView): PrimaryVerb {
  switch (state.is) {
    case 'not-installed':
      return { do: 'install', engine: name }
    case 'stopped':
      return { do: 'start', engine: name }
    case 'preflight':
      return { do: 'cancel-start', engine: name, leftMs: null }
    case 'starting':
      return { do: 'cancel-start', engine: name, leftMs: state.leftMs }
    case 'ready':
    case 'busy':
      return { do: 'stop', engine: name }
    case 'degraded':
      return { do: 'restart', engine: name }
    case 'draining':
      return { do: 'force-stop', engine: name }
    case 'stopping':
      return { do: 'none', engine: name }
    case 'sleeping':
      return canStart(state) && state.step === 'asleep' ? { do: 'start', engine: name } : { do: 'none', engine: name }
    case 'backoff':
      return { do: 'retry', engine: name }
    case 'failed':
    case 'foreign':
      return { do: 'fix', engine: name }
  }
}
