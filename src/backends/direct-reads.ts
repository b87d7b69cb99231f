import type { OnReadOpts, Socket } from 'node:net'

/** What one read of the kernel may bring. */
const BUFFER_BYTES = 32 * 1024
/** A reader that stops in the middle leaves the rest unread, and the next read of the kernel waits: so it gets little at a time. */
export const PIECE_BYTES = 4 * 1024

/** Sockets read into it one after the other, each within its turn. */
const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)

/** What a socket has read and nobody has taken yet; null: nothing. */
type Held = { bytes: Buffer | null }
const heldBy = new WeakMap<Socket, Held>()

/**
 * For `net.connect`, together with `readDirectly`: what a socket reads goes at once to who listens for `readable`. The
 * stream of a socket takes a slab of 64 KiB for every read, queues it, and tells of it a turn later.
 */
export const DIRECT_READS: OnReadOpts = { buffer, callback: onRead }

function onRead(this: Socket, length: number): boolean {
  const held = heldBy.get(this)
  if (held === undefined) return false
  const bytes = Buffer.allocUnsafe(length)
  buffer.copy(bytes, 0, 0, length)
  held.bytes = held.bytes === null ? bytes : join(held.bytes, bytes)
  this.emit('readable')
  return held.bytes === null
}

/** Makes a socket that was opened with `DIRECT_READS` hand out what it read. It reads on when all of that was taken. */
export function readDirectly(socket: Socket): void {
  const held: Held = { bytes: null }
  heldBy.set(socket, held)
  const read = socket.read.bind(socket)
  socket.read = (size?: number) => {
    const { bytes } = held
    if (bytes === null || size === 0) return read(size)
    held.bytes = bytes.length > PIECE_BYTES ? bytes.subarray(PIECE_BYTES) : null
    return bytes.length > PIECE_BYTES ? bytes.subarray(0, PIECE_BYTES) : bytes
  }
  socket.unshift = (rest: Buffer) => {
    if (rest.length > 0) held.bytes = held.bytes === null ? rest : join(rest, held.bytes)
  }
}

/** The rest of a piece lies where its piece did: most of the time nothing is copied. */
function join(first: Buffer, second: Buffer): Buffer {
  const areNeighbours = first.buffer === second.buffer && first.byteOffset + first.byteLength === second.byteOffset
  if (!areNeighbours) return Buffer.concat([first, second])
  return Buffer.from(first.buffer, first.byteOffset, first.byteLength + second.byteLength)
}
