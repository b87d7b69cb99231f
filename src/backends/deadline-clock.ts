import { LiveList } from './live-list.ts'

/** Something with deadlines of its own: asked every tick, at `now` on the monotonic clock (milliseconds). */
export type Ticking = { slot: number; onTick(now: number): void }

const TICK_MS = 100
/** A tick that is so late says that the process stood still: what arrived meanwhile is read before anybody is told. */
const STALL_MS = 1000
const CATCH_UP_MS = 1000

/**
 * One coarse timer for all deadlines of requests in flight: they are seconds long and almost always cancelled, so a
 * timer each costs more than it tells. Runs only while somebody is on it, and never keeps the process alive.
 */
export class DeadlineClock {
  private readonly items = new LiveList<Ticking>()
  private timer: NodeJS.Timeout | null = null
  private tickedAt = 0
  private resumesAt = 0

  add(item: Ticking): void {
    this.items.add(item)
    if (this.timer !== null) return
    this.tickedAt = performance.now()
    this.timer = setInterval(() => this.tick(), TICK_MS).unref()
  }

  /** Safe to call again for an item that is gone. */
  remove(item: Ticking): void {
    this.items.remove(item)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  private tick(): void {
    if (this.items.isEmpty) return this.stop()
    const now = performance.now()
    if (now - this.tickedAt > STALL_MS) this.resumesAt = now + CATCH_UP_MS
    this.tickedAt = now
    if (now < this.resumesAt) return
    for (const item of this.items.all()) item.onTick(now)
  }
}
