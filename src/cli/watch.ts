import { type AdminTarget, UnreachableError, watchSnapshots } from '../app/admin-client.ts'
import { CommandError } from '../protocol/commands.ts'
import type { AppSnapshot } from '../protocol/snapshot.ts'

/** What a watch shows it on: a redrawn screen, lines, or JSON. */
export type Screen = { show(snapshot: AppSnapshot): void; note(text: string): void; end(): void }

/** After a lost connection: soon, then calmer. */
const RETRY_MS = [250, 500, 1000, 2000]

/**
 * Shows every snapshot until `signal`. A server that goes away is said and awaited, one that comes back as another
 * process is said too; `locate` is asked each time, since it may come back elsewhere. Rejects only when refused.
 */
export async function watch(
  first: AdminTarget,
  locate: () => Promise<AdminTarget | null>,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  let target: AdminTarget | null = first
  let startedAt: string | null = null
  let failures = 0
  const onSnapshot = (snapshot: AppSnapshot): void => {
    failures = 0
    const { server } = snapshot
    if (startedAt !== null && startedAt !== server.startedAt) screen.note(`Lexora was restarted (pid ${server.pid}).`)
    startedAt = server.startedAt
    screen.show(snapshot)
  }
  while (!signal.aborted) {
    if (target !== null) {
      await watchSnapshots(target, onSnapshot, signal).catch((error: unknown) => {
        if (error instanceof UnreachableError || isPassing(error)) return
        throw error
      })
    }
    if (signal.aborted) break
    if (failures === 0) screen.note('The connection to Lexora was lost; waiting for it to come back.')
    await pause(RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]!, signal)
    target = await locate()
  }
  screen.end()
}

/** A server that stops or is full will not stay so; credentials that it does not take will. */
function isPassing(error: unknown): boolean {
  return error instanceof CommandError && ['shutting_down', 'overloaded'].includes(error.problem.code)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
