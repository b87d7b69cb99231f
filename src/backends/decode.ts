import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

/**
 * We always ask for identity; a backend that compresses all the same is decoded here. Null means plain, 'unknown' that
 * the body cannot be read: an encoding we do not know, or several on top of each other (a known bomb, CVE-2026-22036).
 */
export function decoderFor(encoding: string | string[] | undefined): Transform | null | 'unknown' {
  if (encoding === undefined) return null
  if (typeof encoding !== 'string') return 'unknown'
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return null
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    default:
      return 'unknown'
  }
}
