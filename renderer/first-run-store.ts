import { Store } from './store.ts'
import { type FirstRun, type FirstRunEvent, nextFirstRun, readFirstRun } from './view-models/first-run.ts'

const KEY = 'lexora.firstRun'

/** How far the first run is, kept in this browser so that it goes on where it stopped. */
export const firstRun = new Store<FirstRun>(readFirstRun(read()))

export function stepFirstRun(event: FirstRunEvent): void {
  firstRun.set(nextFirstRun(firstRun.get(), event))
  try {
    localStorage.setItem(KEY, JSON.stringify(firstRun.get()))
  } catch {
    // Without storage it holds until the window closes.
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}
