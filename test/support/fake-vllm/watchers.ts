import { PATIENCE_MS } from '../patience.ts'

/** Lets a test wait for a state: every change wakes those who wait, and nobody polls. */
export function createWatchers(describe: () => string) {
  const waiting = new Set<() => void>()

  function changed(): void {
    for (const look of [...waiting]) look()
  }

  function waitFor(predicate: () => boolean, timeoutMs = PATIENCE_MS): Promise<void> {
    if (predicate()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(look)
        reject(new Error(`fake vLLM: waited ${timeoutMs} ms in vain for ${predicate}; ${describe()}`))
      }, timeoutMs)
      function look(): void {
        if (!predicate()) return
        clearTimeout(timer)
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
    })
  }

  return { changed, waitFor }
}

/** Resolves after `ms`, or at once when the signal fires: whoever waits looks at the signal next. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}

/** Resolves when the signal fires. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
