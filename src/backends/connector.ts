import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import { DIRECT_READS, PIECE_BYTES, readDirectly } from './direct-reads.ts'

/** Bytes a connection had answered before it failed, by the error that ended it: tells a stale connection from a fresh one. */
const bytesReadBefore = new WeakMap<Error, number>()

/**
 * Opens connections to one backend: both address families tried, Nagle's algorithm off (sglang-router loses 43 ms per
 * first event to it), HTTP/1.1 only. `timeoutMs` bounds the connect itself.
 */
export function createConnector(timeoutMs: number, ca: string | null): buildConnector.connector {
  const common = { timeout: timeoutMs, allowH2: false, autoSelectFamily: true }
  // What undici's types do not say is passed on to `net.connect` and `tls.connect`.
  const plain = buildConnector({ ...common, onread: DIRECT_READS } as buildConnector.BuildOptions)
  const secure = buildConnector({
    ...common,
    ...(ca === null ? {} : { ca }),
    highWaterMark: 2 * PIECE_BYTES,
  } as buildConnector.BuildOptions)
  return (options, callback) => {
    const isSecure = options.protocol === 'https:'
    const connect = isSecure ? secure : plain
    connect(options, (error, socket) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      if (isSecure) readInPieces(socket)
      else readDirectly(socket)
      socket.setNoDelay(true)
      socket.on('error', (broken) => bytesReadBefore.set(broken, socket.bytesRead))
      callback(null, socket)
    })
  }
}

/** Whether the connection that failed with `error` had answered earlier requests. */
export function wasReused(error: Error): boolean {
  const fromUndici = (error as { socket?: { bytesRead?: number } }).socket?.bytesRead
  return (bytesReadBefore.get(error) ?? fromUndici ?? 0) > 0
}

/** undici takes from a socket all that is there, as if nobody could ask it to stop. */
function readInPieces(socket: Socket): void {
  const read = socket.read.bind(socket)
  socket.read = (size?: number) => read(size ?? (socket.readableLength > PIECE_BYTES ? PIECE_BYTES : undefined))
}
