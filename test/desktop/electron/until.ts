import { setTimeout as pause } from 'node:timers/promises'

/** A slow machine that is busy with something else is no failure. */
const SOON_MS = 60_000

/** Looks again until it is so; what it saw last is in the error. */
export async function until<Seen>(look: () => Promise<Seen> | Seen, is: (seen: Seen) => boolean): Promise<Seen> {
  const deadline = performance.now() + SOON_MS
  for (;;) {
    let seen: Seen | Error
    try {
      seen = await look()
      if (is(seen)) return seen
    } catch (error) {
      seen = error as Error
    }
    if (performance.now() > deadline)
      throw new Error(`it never was so; last: ${seen instanceof Error ? seen.message : JSON.stringify(seen)}`)
    await pause(50)
  }
}
