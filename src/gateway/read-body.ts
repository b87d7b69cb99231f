import type { IncomingMessage } from 'node:http'
import { type Problem, problem } from '../protocol/errors.ts'
import { tooLarge } from './guards.ts'

export type BodyRead = { ok: true; body: Buffer } | { ok: false; problem: Problem }

/** A body must go on arriving within this time (DESIGN 3). */
const BODY_SILENCE_MS = 30_000
const WORTHWHILE_BYTES = 512

/**
 * Collects a request's body up to `maxBytes`. Resolves to null when the client left first. Stops reading at the limit;
 * whoever answers must then close the connection.
 */
export function readBody(
  req: IncomingMessage,
  maxBytes: number,
  silenceMs = BODY_SILENCE_MS,
): Promise<BodyRead | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let refreshedAt = 0
    const timer = setTimeout(() => {
      finish({ ok: false, problem: problem('request_timeout', `The body stopped arriving for ${silenceMs / 1000} s.`) })
    }, silenceMs)
    const finish = (result: BodyRead | null): void => {
      clearTimeout(timer)
      req.removeAllListeners('data')
      req.pause()
      resolve(result)
    }
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBytes) return finish({ ok: false, problem: tooLarge(maxBytes) })
      chunks.push(chunk)
      // One byte at a time must not keep a request alive for ever, so only progress worth the name counts.
      if (bytes - refreshedAt < WORTHWHILE_BYTES) return
      refreshedAt = bytes
      timer.refresh()
    })
    req.once('end', () => finish({ ok: true, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes) }))
    req.once('error', () => finish(null))
    req.once('close', () => finish(null))
  })
}
