import type { ServerResponse } from 'node:http'
import type { DeadlineClock, Ticking } from '../backends/deadline-clock.ts'

const KEEPALIVE_EVERY_MS = 15_000
/** Up to here one string is written instead of a vector of buffers; Latin-1 keeps every byte. */
const ONE_WRITE_BYTES = 16 * 1024
/**
 * What may wait for a slow client before its backend is paused. Not the server's highWaterMark: that would also stop the
 * reading of every body of more than so many bytes.
 */
const HELD_BYTES = 4 * 1024
const CRLF = Buffer.from('\r\n')
const LAST_CHUNK = '0\r\n\r\n'

/**
 * The client's end of one answer: writes with backpressure, comments into long silences, and cuts a client that has
 * stopped reading. It never decides what is written.
 */
export class ClientStream implements Ticking {
  private readonly res: ServerResponse
  private readonly stallMs: number
  private readonly clock: DeadlineClock
  private readonly onDrain: () => void
  /** Frames chunks itself: Node writes each as four pieces, which costs more than all else that we do per event. */
  private chunked = false
  private keepAliveAt = Number.POSITIVE_INFINITY
  private openForKeepAlive: (() => void) | null = null
  private describe: () => string = () => 'waiting'
  private stalled: { since: number; written: number } | null = null
  /** Its place on the clock. */
  slot = -1

  /** `onDrain`: the client reads again. `stallMs`: how long it may read nothing while bytes wait for it. */
  constructor(res: ServerResponse, stallMs: number, clock: DeadlineClock, onDrain: () => void) {
    this.res = res
    this.stallMs = stallMs
    this.clock = clock
    this.onDrain = onDrain
  }

  get isOpen(): boolean {
    return this.res.headersSent
  }

  /**
   * After `afterMs` of silence opens the stream with `open` and keeps it alive by comments until
   * `stopKeepAlive`. `describe`: what they say, on one line.
   */
  startKeepAlive(afterMs: number, open: () => void, describe: () => string): void {
    this.openForKeepAlive = open
    this.describe = describe
    this.keepAliveAt = performance.now() + afterMs
    this.clock.add(this)
  }

  stopKeepAlive(): void {
    this.keepAliveAt = Number.POSITIVE_INFINITY
    if (this.stalled === null) this.clock.remove(this)
  }

  /** Sends status 200 and the headers of an event stream, of which the length is not known. */
  openEvents(headers: string[]): void {
    const { res } = this
    // An HTTP/1.0 client knows no chunks: there the end of the connection ends the answer.
    this.chunked = res.req.httpVersionMinor > 0
    if (this.chunked) headers.push('transfer-encoding', 'chunked')
    res.writeHead(200, headers)
    if (this.chunked) res.chunkedEncoding = false
  }

  /** Returns false when the client does not keep up; `onDrain` follows once it does. */
  write(bytes: Buffer): boolean {
    if (this.res.writableLength <= HELD_BYTES) {
      this.send(bytes)
      return true
    }
    this.send(bytes, () => {
      this.stopStall()
      this.onDrain()
    })
    if (this.stalled === null) this.watchStall()
    return false
  }

  /** Ends the answer, `last` being its last bytes; what is still in our buffers is bounded by the same stall rule. */
  end(last?: Buffer): void {
    if (this.chunked) this.res.end(last === undefined ? LAST_CHUNK : frame(last) + LAST_CHUNK, 'latin1')
    else if (last === undefined) this.res.end()
    else if (last.length <= ONE_WRITE_BYTES) this.res.end(last.toString('latin1'), 'latin1')
    else this.res.end(last)
    if (this.res.writableLength > 0 && this.stalled === null) this.watchStall()
    this.stopKeepAlive()
  }

  /** Leaves the clock. */
  close(): void {
    this.clock.remove(this)
  }

  onTick(now: number): void {
    if (now >= this.keepAliveAt) {
      if (!this.isOpen) this.openForKeepAlive?.()
      this.keepAliveAt = now + KEEPALIVE_EVERY_MS
      this.write(Buffer.from(`: ${this.describe()}\n\n`))
    }
    if (this.stalled !== null) this.checkStall(this.stalled, now)
  }

  /** `onFlushed`: all of it, and what was written before, has been handed to the system. */
  private send(bytes: Buffer, onFlushed?: () => void): void {
    if (!this.chunked) {
      this.res.write(bytes, onFlushed)
    } else if (bytes.length <= ONE_WRITE_BYTES) {
      this.res.write(frame(bytes), 'latin1', onFlushed)
    } else {
      this.res.cork()
      this.res.write(`${bytes.length.toString(16)}\r\n`, 'latin1')
      this.res.write(bytes)
      this.res.write(CRLF, onFlushed)
      this.res.uncork()
    }
  }

  private watchStall(): void {
    this.stalled = { since: performance.now(), written: this.res.socket?.bytesWritten ?? 0 }
    this.clock.add(this)
  }

  private checkStall(stalled: { since: number; written: number }, now: number): void {
    if (this.res.writableFinished) return this.close()
    const written = this.res.socket?.bytesWritten ?? 0
    if (written !== stalled.written) this.stalled = { since: now, written }
    else if (now - stalled.since >= this.stallMs) this.res.destroy()
  }

  private stopStall(): void {
    this.stalled = null
    if (this.keepAliveAt === Number.POSITIVE_INFINITY) this.clock.remove(this)
  }
}

/** One chunk of a chunked body (RFC 9112, 7.1), as a Latin-1 string. */
function frame(bytes: Buffer): string {
  return bytes.length === 0 ? '' : `${bytes.length.toString(16)}\r\n${bytes.toString('latin1')}\r\n`
}
