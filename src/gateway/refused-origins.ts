import type { RefusedOrigin } from '../protocol/network-commands.ts'

const MOST = 20
const MOST_LENGTH = 300
/** As browsers write one, and narrower than what server.cors_origins takes. `null` is nobody's. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/

type Seen = { firstMs: number; lastMs: number; times: number }

/**
 * Origins of pages that were turned away, until somebody decides about them. Whoever reaches the listener may write here,
 * so that it holds few, and the one that has been silent longest gives way. Times are of the wall clock.
 */
export class RefusedOrigins {
  private readonly seen = new Map<string, Seen>()

  note(origin: string, nowMs: number): void {
    const known = this.seen.get(origin)
    if (known === undefined && (origin.length > MOST_LENGTH || !ORIGIN.test(origin))) return
    // The map's order is that of the last times.
    this.seen.delete(origin)
    this.seen.set(origin, { firstMs: known?.firstMs ?? nowMs, lastMs: nowMs, times: (known?.times ?? 0) + 1 })
    if (this.seen.size > MOST) this.seen.delete(this.seen.keys().next().value!)
  }

  get count(): number {
    return this.seen.size
  }

  /** The latest first. */
  list(): RefusedOrigin[] {
    const told = [...this.seen].map(([origin, { firstMs, lastMs, times }]) => ({
      origin,
      firstAt: new Date(firstMs).toISOString(),
      lastAt: new Date(lastMs).toISOString(),
      times,
    }))
    return told.reverse()
  }

  /** False where it did not wait. */
  forget(origin: string): boolean {
    return this.seen.delete(origin)
  }
}
