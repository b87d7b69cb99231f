import { newStart, readStart, type StartProgress } from '../policy/engine-log.ts'

const HEAD_LINES = 500
const TAIL_LINES = 3000

/** What one run has printed: how far its start is, and the lines that tell why it ended. */
export class RunLog {
  progress: StartProgress
  /** When it last printed anything; `performance.now()`. */
  spokeAt: number
  /** When it said that it is up. */
  saidReadyAt: number | null = null
  private readonly head: string[] = []
  private tail: string[] = []

  constructor(now: number) {
    this.progress = newStart(now)
    this.spokeAt = now
  }

  take(text: string, now: number): void {
    this.spokeAt = now
    this.progress = readStart(this.progress, text, now)
    if (this.progress.saysReady) this.saidReadyAt ??= now
    if (this.head.length < HEAD_LINES) this.head.push(text)
    else this.tail.push(text)
    if (this.tail.length >= 2 * TAIL_LINES) this.tail = this.tail.slice(-TAIL_LINES)
  }

  /** The first lines and the last ones. */
  get lines(): string[] {
    return [...this.head, ...this.tail.slice(-TAIL_LINES)]
  }
}
