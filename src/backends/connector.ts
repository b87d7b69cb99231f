import type { Socket } from 'node:net'
import { buildConnector } from 'undici'

/** undici takes from a socket all that is there; in smaller pieces a paused stream leaves the rest unread, and the next read of the kernel waits. */
const PIECE_BYTES = 4 * 1024

/** Passed on to `net.connect`, which undici's types do not say. */
const HOLD_LITTLE = { highWaterMark: 2 * PIECE_BYTES } as object

/** Bytes a connection had answered before it failed, by the error that ended it: tells a stale connection from a fresh one. */
const bytesReadBefore = new WeakMap<Error, number>()

/**
 * Opens connections to one backend: both address families tried, Nagle's algorithm off (sglang-router loses 43 ms per
 * first event to it), HTTP/1.1 only. `timeoutMs` bounds the connect itself.
 */
export function createConnector(timeoutMs: number, ca: string | null): buildConnector.connector {
  const connect = buildConnector({
    timeout: timeoutMs,
    allowH2: false,
    autoSelectFamily: true,
    ...(ca === null ? {} : { ca }),
    ...HOLD_LITTLE,
  })
  return (options, callback) => {
    connect(options, (error, socket) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      watch(socket)
      callback(null, socket)
    })
  }
}

/** Whether the connection that failed with `error` had answered earlier requests. */
export function wasReused(error: Error): boolean {
  const fromUndici = (error as { socket?: { bytesRead?: number } }).socket?.bytesRead
  return (bytesReadBefore.get(error) ?? fromUndici ?? 0) > 0
}

function watch(socket: Socket): void {
  socket.setNoDelay(true)
  const read = socket.read.bind(socket)
  socket.read = (size?: number) => read(size ?? (socket.readableLength > PIECE_BYTES ? PIECE_BYTES : undefined))
  socket.on('error', (error) => bytesReadBefore.set(error, socket.bytesRead))
}
