import { LiveList } from './live-list.ts'

/** Something with deadlines of its own: asked every tick, at `now` on the monotonic clock (milliseconds). */
export type Ticking = { slot: number; onTick(now: number): void }

const TICK_MS = 100

/**
 * One coarse timer for all deadlines of requests in flight: they are seconds long and almost always cancelled, so a
 * timer each costs more than it tells. Runs only while somebody is on it, and never keeps the process alive.
 */
export class DeadlineClock {
  private readonly items = new LiveList<Ticking>()
  private timer: NodeJS.Timeout | null = null

  add(item: Ticking): void {
    this.items.add(item)
    this.timer ??= setInterval(() => this.tick(), TICK_MS).unref()
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
    for (const item of this.items.all()) item.onTick(now)
  }
}
