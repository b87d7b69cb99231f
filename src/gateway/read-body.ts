import type { IncomingMessage } from 'node:http'
import { type Problem, problem } from '../protocol/errors.ts'
import { tooLarge } from './guards.ts'

export type BodyRead = { ok: true; body: Buffer } | { ok: false; problem: Problem }

/** A body must go on arriving within this time (DESIGN 3). */
const BODY_SILENCE_MS = 30_000
const WORTHWHILE_BYTES = 512

/**
 * Collects a request's body up to `maxBytes` and hands it on once: null when the client left first. Stops reading at
 * the limit; whoever answers must then close the connection.
 */
export function readBody(req: IncomingMessage, maxBytes: number, onRead: (read: BodyRead | null) => void): void {
  let first: Buffer | null = null
  let more: Buffer[] | null = null
  let bytes = 0
  let refreshedAt = 0
  let done = false
  const finish = (read: BodyRead | null): void => {
    if (done) return
    done = true
    clearTimeout(timer)
    onRead(read)
  }
  const timer = setTimeout(() => {
    finish({
      ok: false,
      problem: problem('request_timeout', `The body stopped arriving for ${BODY_SILENCE_MS / 1000} s.`),
    })
  }, BODY_SILENCE_MS)
  req.on('data', (chunk: Buffer) => {
    if (done) return
    bytes += chunk.length
    if (bytes > maxBytes) {
      req.pause()
      return finish({ ok: false, problem: tooLarge(maxBytes) })
    }
    if (first === null) first = chunk
    else if (more === null) more = [first, chunk]
    else more.push(chunk)
    // One byte at a time must not keep a request alive for ever, so only progress worth the name counts.
    if (bytes - refreshedAt < WORTHWHILE_BYTES) return
    refreshedAt = bytes
    if (more !== null) timer.refresh()
  })
  req.on('end', () => finish({ ok: true, body: more === null ? (first ?? EMPTY) : Buffer.concat(more, bytes) }))
  req.on('error', () => finish(null))
  req.on('close', () => finish(null))
}

const EMPTY = Buffer.alloc(0)
