import { canStop, type EngineView } from './engine.ts'

/** What a quit would do now, as the tray and the window both say it. `quitNow`: it is under way, and waits for what runs. */
export type QuitVerb = 'quit' | 'stopAndQuit' | 'leave' | 'quitNow'

export function quitVerb({
  attached,
  quitting,
  engines,
}: {
  attached: boolean
  quitting: boolean
  engines: readonly EngineView[]
}): QuitVerb {
  if (quitting) return 'quitNow'
  if (attached) return 'leave'
  return engines.some(({ state }) => canStop(state)) ? 'stopAndQuit' : 'quit'
}
