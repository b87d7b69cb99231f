import type { Socket } from 'node:net'
import type { Plan } from './faults.ts'
import { pause } from './watchers.ts'

export type Writer = ReturnType<typeof createWriter>

/** Puts bytes on a socket: at once, or in the small pieces that a fault asks for. Writing to a client that left does nothing. */
export function createWriter(socket: Socket, plan: Plan, signal: AbortSignal) {
  let bytesSent = 0
  const drip = plan('drip')
  const split = plan('split')

  async function write(bytes: string | Buffer, part: 'head' | 'body' = 'body'): Promise<void> {
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    if (drip) return pieces(buffer, 1, drip.ms)
    if (split && part === 'body') return pieces(buffer, split.bytes, 0)
    put(buffer)
  }

  async function pieces(buffer: Buffer, size: number, everyMs: number): Promise<void> {
    for (let at = 0; at < buffer.length && !gone(); at += size) {
      put(buffer.subarray(at, at + size))
      await (everyMs > 0 ? pause(everyMs, signal) : turn())
    }
  }

  function put(buffer: Buffer): void {
    if (!socket.writable) return
    bytesSent += buffer.length
    socket.write(buffer)
  }

  function drained(): Promise<void> {
    if (!socket.writableNeedDrain || gone()) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        socket.off('drain', done)
        socket.off('close', done)
        resolve()
      }
      socket.on('drain', done)
      socket.on('close', done)
    })
  }

  /** The bytes written so far have to be with the kernel before a reset, or it would swallow them. */
  async function reset(): Promise<void> {
    if (socket.writableLength > 0) await flushed()
    socket.resetAndDestroy()
  }

  function flushed(): Promise<void> {
    return new Promise((resolve) => {
      socket.once('close', resolve)
      socket.write('', () => resolve())
    })
  }

  const gone = () => signal.aborted

  return { write, drained, reset, end: () => void socket.end(), gone, bytesSent: () => bytesSent }
}

/** Lets the event loop turn once, so that what was written goes out by itself. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
