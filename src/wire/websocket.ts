/** Where frames begin and end in a WebSocket's bytes, which are not changed (RFC 6455, 5.2). */

const CLOSE = 8
const NOTHING = Buffer.alloc(0)

/** Follows one direction. Keeps at most the 14 bytes of a header that is not complete yet. */
export class FrameTracker {
  private header = NOTHING
  /** Of the current frame's payload, bytes that are still to come. */
  private left = 0
  /** A Close frame has begun: nothing may follow it. */
  closed = false

  /** Whether a frame of somebody else could come now. */
  get isBetweenFrames(): boolean {
    return this.left === 0 && this.header.length === 0
  }

  /** Counts these bytes. */
  feed(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) at = this.step(chunk, at)
  }

  /** How many of these bytes still belong to the frame that is open. They are counted, those after them are not. */
  finish(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length && !this.isBetweenFrames) at = this.step(chunk, at)
    return at
  }

  private step(chunk: Buffer, at: number): number {
    if (this.left > 0) {
      const taken = Math.min(this.left, chunk.length - at)
      this.left -= taken
      return at + taken
    }
    return this.readHeader(chunk, at)
  }

  private readHeader(chunk: Buffer, at: number): number {
    const before = this.header.length
    const header = Buffer.concat([this.header, chunk.subarray(at, at + 14 - before)])
    const size = headerBytes(header)
    if (header.length < size) {
      this.header = header
      return chunk.length
    }
    this.header = NOTHING
    this.left = payloadBytes(header)
    if ((header[0]! & 15) === CLOSE) this.closed = true
    return at + size - before
  }
}

/** Of a header that may not be whole: how long it is as far as its bytes tell. */
function headerBytes(header: Buffer): number {
  if (header.length < 2) return 2
  const length = header[1]! & 127
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (header[1]! & 128 ? 4 : 0)
}

function payloadBytes(header: Buffer): number {
  const length = header[1]! & 127
  if (length === 126) return header.readUInt16BE(2)
  return length === 127 ? Number(header.readBigUInt64BE(2)) : length
}

/**
 * A Close frame. What a client sends must be masked; a mask of zeros is one, since it guards caches between the two
 * ends against chosen bytes and these are ours. `reason`: at most 123 bytes.
 */
export function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  const text = Buffer.from(reason).subarray(0, 123)
  const payload = Buffer.alloc(2 + text.length)
  payload.writeUInt16BE(code)
  text.copy(payload, 2)
  const head = [0x80 | CLOSE, payload.length | (masked ? 0x80 : 0), ...(masked ? [0, 0, 0, 0] : [])]
  return Buffer.concat([Buffer.from(head), payload])
}
