import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { EngineLog } from '../protocol/commands.ts'

/** Most that is read for one answer, whatever is asked for. */
const MAX_BYTES = 512 * 1024
const MAX_LINES = 2000

type Place = { file: string; offset: number }

/**
 * The last lines of an engine's log, or those after a cursor: the file itself, so that they are there when the engine
 * is gone, too. When the file was turned in between, the rest of the old one comes first.
 */
export async function readEngineLog(
  logDir: string,
  engine: string,
  { lines, after }: { lines: number; after: string | null },
): Promise<EngineLog> {
  const path = join(logDir, `engine-${engine}.log`)
  const since = after === null ? null : parseCursor(after)
  const current = await readFrom(path, since)
  if (current === null) return { engine, lines: [], cursor: after, skipped: false }
  if (since === null) {
    return { engine, lines: current.lines.slice(-lines), cursor: cursorOf(current.end), skipped: false }
  }
  if (current.end.file === since.file) {
    return { engine, lines: current.lines, cursor: cursorOf(current.end), skipped: current.skipped }
  }
  const turned = await readFrom(`${path}.1`, since)
  const rest = turned?.end.file === since.file ? turned : null
  const all = [...(rest?.lines ?? []), ...current.lines]
  const skipped = rest === null || rest.skipped || current.skipped || all.length > MAX_LINES
  return { engine, lines: all.slice(-MAX_LINES), cursor: cursorOf(current.end), skipped }
}

type Piece = { lines: string[]; end: Place; skipped: boolean }

/** Whole lines, from `since` on where that is in this very file, else of its end. Null: there is no such file. */
async function readFrom(path: string, since: Place | null): Promise<Piece | null> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch {
    return null
  }
  try {
    const { ino, size } = await handle.stat()
    const file = String(ino)
    const wanted = since?.file === file && since.offset <= size ? since.offset : null
    const from = Math.max(wanted ?? 0, size - MAX_BYTES)
    const bytes = Buffer.alloc(size - from)
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, from)
    const text = bytes.subarray(0, bytesRead)
    // Not at a line's beginning where it was cut; and the last line may be on its way.
    const first = from > (wanted ?? 0) ? text.indexOf(10) + 1 : 0
    const last = text.lastIndexOf(10) + 1
    const lines = last > first ? text.toString('utf8', first, last - 1).split('\n') : []
    return {
      lines: lines.slice(-MAX_LINES),
      end: { file, offset: from + Math.max(first, last) },
      skipped: wanted !== null && (from > wanted || lines.length > MAX_LINES),
    }
  } finally {
    await handle.close()
  }
}

function parseCursor(cursor: string): Place {
  const [file = '', offset = ''] = cursor.split('-')
  return { file, offset: Number(offset) }
}

function cursorOf({ file, offset }: Place): string {
  return `${file}-${offset}`
}
