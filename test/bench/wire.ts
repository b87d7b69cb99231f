/** HTTP/1.1 made and read by hand: what keeps the mock and the load generator cheaper than any proxy between them. */

const END_OF_HEAD = Buffer.from('\r\n\r\n')
const END_OF_CHUNKS = Buffer.from('0\r\n\r\n')
const END_OF_EVENT = '\n\n'

/** One whole message. */
export function message(startLine: string, headers: Record<string, string>, body: string | Buffer = ''): Buffer {
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)) })
  return Buffer.concat([head(startLine, Object.fromEntries(lines)), Buffer.from(body)])
}

export function head(startLine: string, headers: Record<string, string>): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${startLine}\r\n${lines.join('')}\r\n`, 'latin1')
}

/** One chunk of a chunked body. */
export function chunk(payload: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(payload).toString(16)}\r\n${payload}\r\n`)
}

export const lastChunk = END_OF_CHUNKS

/** The head of a message that begins at the front of `bytes`, or null while it is incomplete. */
export function readHead(bytes: Buffer): { length: number; startLine: string; contentLength: number | null } | null {
  const end = bytes.indexOf(END_OF_HEAD)
  if (end < 0) return null
  const text = bytes.toString('latin1', 0, end)
  const contentLength = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1]
  return {
    length: end + END_OF_HEAD.length,
    startLine: text.slice(0, text.indexOf('\r\n')),
    contentLength: contentLength === undefined ? null : Number(contentLength),
  }
}

/**
 * Reads one answer after the other from one connection: status, events, and where it ends. It counts and does not
 * decode: an event ends with an empty line, a chunked body with the last chunk, and neither mark occurs elsewhere.
 */
export class AnswerReader {
  status = 0
  events = 0
  /** Bytes after the head so far, framing included. */
  bodyBytes = 0
  complete = false
  #head: Buffer | null = null
  #contentLength: number | null = null
  #tail: Buffer = Buffer.alloc(0)

  /** Takes what was read; true once the answer is complete. Bytes of a following answer are not expected. */
  push(bytes: Buffer): boolean {
    let body = bytes
    if (this.status === 0) {
      const all = this.#head ? Buffer.concat([this.#head, bytes]) : bytes
      const found = readHead(all)
      if (!found) {
        this.#head = all
        return false
      }
      this.status = Number(found.startLine.slice(9, 12))
      this.#contentLength = found.contentLength
      body = all.subarray(found.length)
    }
    this.bodyBytes += body.length
    if (this.#contentLength !== null) this.complete = this.bodyBytes >= this.#contentLength
    else if (body.length > 0) this.#readChunks(body)
    return this.complete
  }

  #readChunks(body: Buffer): void {
    if (this.#tail.at(-1) === 10 && body[0] === 10) this.events++
    for (let at = body.indexOf(END_OF_EVENT); at >= 0; at = body.indexOf(END_OF_EVENT, at + 2)) this.events++
    const end = body.length >= END_OF_CHUNKS.length ? body : Buffer.concat([this.#tail, body])
    this.#tail = end.subarray(-END_OF_CHUNKS.length)
    this.complete = this.#tail.equals(END_OF_CHUNKS)
  }
}

/** Counts the payload bytes of a chunked body, exactly, whatever the reads were cut into. */
export class ChunkDecoder {
  payloadBytes = 0
  #left = 0
  #sizeLine = ''
  #skip = 0

  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at)
        this.#left -= taken
        this.payloadBytes += taken
        at += taken
        if (this.#left === 0) this.#skip = 2
      } else if (this.#skip > 0) {
        this.#skip--
        at++
      } else {
        const character = String.fromCharCode(bytes[at++]!)
        if (character !== '\n') this.#sizeLine += character
        else {
          this.#left = Number.parseInt(this.#sizeLine, 16)
          this.#sizeLine = ''
        }
      }
    }
  }
}
