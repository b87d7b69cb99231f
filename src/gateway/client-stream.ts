import type { ServerResponse } from 'node:http'

const KEEPALIVE_EVERY_MS = 15_000
const ONE_WRITE_BYTES = 16 * 1024
const KEEPALIVE = Buffer.from(': waiting\n\n')

/**
 * The client's end of one answer: writes with backpressure, comments into long silences, and cuts a client that has
 * stopped reading. It never decides what is written.
 */
export class ClientStream {
  private readonly res: ServerResponse
  private readonly stallMs: number
  private readonly onDrain: () => void
  private keepAlive: NodeJS.Timeout | null = null
  private stall: NodeJS.Timeout | null = null

  /** `onDrain`: the client reads again. `stallMs`: how long it may read nothing while bytes wait for it. */
  constructor(res: ServerResponse, stallMs: number, onDrain: () => void) {
    this.res = res
    this.stallMs = stallMs
    this.onDrain = onDrain
  }

  get isOpen(): boolean {
    return this.res.headersSent
  }

  /** After `afterMs` of silence opens the stream with `open` and keeps it alive by comments until `stopKeepAlive`. */
  startKeepAlive(afterMs: number, open: () => void): void {
    const beat = (): void => {
      if (!this.isOpen) open()
      this.write(KEEPALIVE)
      this.keepAlive = setTimeout(beat, KEEPALIVE_EVERY_MS)
    }
    this.keepAlive = setTimeout(beat, afterMs)
  }

  stopKeepAlive(): void {
    if (this.keepAlive !== null) clearTimeout(this.keepAlive)
    this.keepAlive = null
  }

  /** Returns false when the client does not keep up; `onDrain` follows once it does. */
  write(bytes: Buffer): boolean {
    if (this.res.write(bytes)) return true
    if (this.stall === null) {
      this.watchStall()
      this.res.once('drain', () => {
        this.stopStall()
        this.onDrain()
      })
    }
    return false
  }

  /** Ends the answer, `last` being its last bytes; what is still in our buffers is bounded by the same stall rule. */
  end(last?: Buffer): void {
    this.stopKeepAlive()
    if (last === undefined) this.res.end()
    // Node sends head and a string as one write, head and a buffer as a vector of two. Latin-1 keeps every byte.
    else if (last.length <= ONE_WRITE_BYTES) this.res.end(last.toString('latin1'), 'latin1')
    else this.res.end(last)
    if (!this.res.writableFinished && this.res.writableLength > 0) {
      if (this.stall === null) this.watchStall()
      this.res.once('finish', () => this.stopStall())
    }
  }

  /** Frees both timers. */
  close(): void {
    this.stopKeepAlive()
    this.stopStall()
  }

  private watchStall(): void {
    const { socket } = this.res
    let written = socket?.bytesWritten ?? 0
    const check = (): void => {
      const now = socket?.bytesWritten ?? 0
      if (now === written) {
        this.res.destroy()
        return
      }
      written = now
      this.stall = setTimeout(check, this.stallMs)
    }
    this.stall = setTimeout(check, this.stallMs)
  }

  private stopStall(): void {
    if (this.stall !== null) clearTimeout(this.stall)
    this.stall = null
  }
}
