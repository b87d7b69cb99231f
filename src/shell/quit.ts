/** How the app ends: everything that runs is finished or told, engines are stopped and looked for, then it exits. */
export type QuitState =
  | { is: 'running' }
  /** `hurried`: it does not wait for what runs any more. */
  | { is: 'stopping'; hurried: boolean }
  | { is: 'done' }

export type QuitEvent =
  /** By the tray, the window, a signal or the system's own menu. A second one skips the drain. */
  | { type: 'asked' }
  /** The system goes down: it gives little time and takes no excuse. */
  | { type: 'system-ends' }
  /** The core has stopped, or there was none. */
  | { type: 'stopped' }
  | { type: 'time-is-up' }

export type QuitEffect = { do: 'stop' } | { do: 'hurry' } | { do: 'alarm'; inMs: number } | { do: 'exit' }

/** What the system leaves to programs that hold it up. */
export const SYSTEM_BUDGET_MS = 5000
/** After a hurry nothing is waited for but files; the guards end what is left of the engines. */
export const HURRY_BUDGET_MS = 3000

/** `graceMs`: how long everything may take, from the first ask. Owners prevent the exit unless the state is `done`. */
export function nextQuit(state: QuitState, event: QuitEvent, graceMs: number): [QuitState, QuitEffect[]] {
  if (state.is === 'done') return [state, []]
  switch (event.type) {
    case 'asked':
      if (state.is === 'running') return [{ is: 'stopping', hurried: false }, [{ do: 'stop' }, alarm(graceMs)]]
      if (state.hurried) return [{ is: 'done' }, [{ do: 'exit' }]]
      return [{ is: 'stopping', hurried: true }, [{ do: 'hurry' }, alarm(HURRY_BUDGET_MS)]]
    case 'system-ends':
      if (state.is === 'running')
        return [{ is: 'stopping', hurried: false }, [{ do: 'stop' }, alarm(SYSTEM_BUDGET_MS - HURRY_BUDGET_MS)]]
      return state.hurried ? [state, []] : [state, [alarm(SYSTEM_BUDGET_MS - HURRY_BUDGET_MS)]]
    case 'stopped':
      return state.is === 'running' ? [state, []] : [{ is: 'done' }, [{ do: 'exit' }]]
    case 'time-is-up':
      if (state.is === 'running') return [state, []]
      if (state.hurried) return [{ is: 'done' }, [{ do: 'exit' }]]
      return [{ is: 'stopping', hurried: true }, [{ do: 'hurry' }, alarm(HURRY_BUDGET_MS)]]
  }
}

/** One alarm at a time: a later one takes the place of the one before. */
function alarm(inMs: number): QuitEffect {
  return { do: 'alarm', inMs }
}
