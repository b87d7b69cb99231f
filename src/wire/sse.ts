/**
 * Server-sent events as bytes. Lines end in LF, CRLF or CR; a blank line ends an event (WHATWG HTML, 9.2.6). Nothing
 * here changes a byte: it only says where events end.
 */
const LF = 0x0a
const CR = 0x0d

/** Cuts a stream into whole events: what is complete is handed on as it came, the unfinished rest is held. */
export class SseFramer {
  private held: Buffer[] = []
  private heldBytes = 0
  private lineEmpty = true
  private afterCr = false
  /** That CR ended an event. */
  private crEndedEvent = false
  /** Lines end in CRLF here: a CR has its LF still to come. */
  private usesCrlf = false

  /** Bytes of an event that is not complete yet. */
  get pending(): number {
    return this.heldBytes
  }

  /** Takes the next chunk; returns all events that are complete now, as one buffer, or null while none is. */
  push(chunk: Buffer): Buffer | null {
    const length = chunk.length
    if (this.heldBytes === 0 && length > 1 && chunk[length - 1] === LF && chunk[length - 2] === LF) {
      this.lineEmpty = true
      this.afterCr = false
      return chunk
    }
    const boundary = this.scan(chunk)
    if (boundary === 0) {
      this.hold(chunk)
      return null
    }
    const whole = boundary === length ? chunk : chunk.subarray(0, boundary)
    const events = this.heldBytes === 0 ? whole : Buffer.concat([...this.held, whole])
    this.held = []
    this.heldBytes = 0
    if (boundary < length) this.hold(chunk.subarray(boundary))
    return events
  }

  private hold(bytes: Buffer): void {
    this.held.push(bytes)
    this.heldBytes += bytes.length
  }

  /** Where the last event that ends in this chunk ends; 0 when none does. */
  private scan(chunk: Buffer): number {
    let boundary = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]
      if (byte === LF && this.afterCr) {
        this.afterCr = false
        this.usesCrlf = true
        // The second half of a CRLF belongs to the blank line that the CR already ended.
        if (this.crEndedEvent) boundary = i + 1
      } else if (byte === LF || byte === CR) {
        const halfOfCrlf = byte === CR && this.usesCrlf && i === chunk.length - 1
        if (this.lineEmpty && !halfOfCrlf) boundary = i + 1
        this.crEndedEvent = this.lineEmpty && byte === CR
        this.lineEmpty = true
        this.afterCr = byte === CR
      } else {
        this.lineEmpty = false
        this.afterCr = false
      }
    }
    return boundary
  }
}

export type SseEvent = {
  start: number
  end: number
  name: string | null /** Null for an event of comments only. */
  data: string | null
}

/** Reads whole events one by one. Decodes text, so it is for the few events that must be understood. */
export function* readEvents(bytes: Buffer): Generator<SseEvent> {
  let start = 0
  let name: string | null = null
  let data: string | null = null
  let line = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  for (let at = line; at < bytes.length; ) {
    if (bytes[at] !== LF && bytes[at] !== CR) {
      at++
      continue
    }
    const lineEnd = at
    at += bytes[at] === CR && bytes[at + 1] === LF ? 2 : 1
    if (lineEnd === line) {
      yield { start, end: at, name, data }
      start = at
      name = null
      data = null
    } else {
      const text = bytes.toString('utf8', line, lineEnd)
      const value = fieldValue(text)
      if (text.startsWith('data:')) data = data === null ? value : `${data}\n${value}`
      else if (text.startsWith('event:')) name = value
    }
    line = at
  }
}

function fieldValue(line: string): string {
  const at = line.indexOf(':') + 1
  return line[at] === ' ' ? line.slice(at + 1) : line.slice(at)
}

export const DONE_EVENT = Buffer.from('data: [DONE]\n\n')
