import { say } from '../protocol/sentence.ts'

const LOOK_MS = 250
/** reliability.md, F12. */
const STALL_MS = 1950
/** How long a stall is told of. */
const TOLD_MS = 30_000

/** Sees when the event loop stood still: its own look comes late by as much. Never keeps the process alive. */
export class LoopWatch {
  private readonly now: () => number
  private lookedAt: number
  private stall: { at: number; ms: number } | null = null
  private timer: NodeJS.Timeout | null = null

  /** `now` is monotonic, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now
    this.lookedAt = now()
  }

  start(): void {
    this.lookedAt = this.now()
    this.timer ??= setInterval(() => this.look(), LOOK_MS).unref()
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  look(): void {
    const now = this.now()
    const late = now - this.lookedAt - LOOK_MS
    this.lookedAt = now
    if (late >= STALL_MS) this.stall = { at: now, ms: late }
  }

  /** For `/health`; null: nothing to tell. */
  trouble(): string | null {
    const now = this.now()
    if (this.timer !== null && now - this.lookedAt - LOOK_MS >= STALL_MS) this.look()
    if (this.stall === null || now - this.stall.at >= TOLD_MS) return null
    const seconds = (this.stall.ms / 1000).toFixed(1)
    return say`Lexora stood still for ${seconds} s, ${Math.round((now - this.stall.at) / 1000)} s ago: the machine is overloaded or was suspended`
  }
}
