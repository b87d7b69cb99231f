import type { Socket } from 'node:net'

export type RawRequest = {
  method: string
  target: string
  version: string
  /** Lower-cased names; repeated headers are joined with a comma. */
  headers: Record<string, string>
  rawHeaders: string[]
  body: Buffer
}

/** What uvicorn answers to bytes that are no HTTP request. */
export class NotHttp extends Error {}

const MAX_HEAD_BYTES = 64 * 1024
const MAX_BODY_BYTES = 64 * 1024 * 1024

/** The bytes of one socket, asked for by length or up to a mark. It always reads on, so that it sees a client leave. */
export class ByteReader {
  #chunks: Buffer[] = []
  #size = 0
  #ended = false
  #wake: () => void = () => {}

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#size += chunk.length
      this.#wake()
    })
    const end = () => {
      this.#ended = true
      this.#wake()
    }
    socket.on('end', end)
    socket.on('close', end)
  }

  /** True when there is a byte to read, false at the end of the input. */
  async readable(): Promise<boolean> {
    while (this.#size === 0 && !this.#ended) await this.#more()
    return this.#size > 0
  }

  /** Everything up to and with the mark; null if the input ends before. */
  async until(mark: string): Promise<Buffer | null> {
    for (;;) {
      if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
      const all = this.#chunks[0] ?? Buffer.alloc(0)
      const at = all.indexOf(mark)
      if (at >= 0) return this.#take(at + mark.length)
      if (all.length > MAX_HEAD_BYTES) throw new NotHttp('no end of head')
      if (this.#ended) return null
      await this.#more()
    }
  }

  async exactly(length: number): Promise<Buffer | null> {
    while (this.#size < length) {
      if (this.#ended) return null
      await this.#more()
    }
    return this.#take(length)
  }

  #take(length: number): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = [all.subarray(length)]
    this.#size = all.length - length
    return all.subarray(0, length)
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/** One whole request, or null when the client has no more. `onContinue` is asked to answer `Expect: 100-continue`. */
export async function readRequest(reader: ByteReader, onContinue: () => void): Promise<RawRequest | null> {
  const bytes = await reader.until('\r\n\r\n')
  if (!bytes) return null
  const head = parseHead(bytes.toString('latin1'))
  if (head.headers.expect?.toLowerCase() === '100-continue') onContinue()
  const body = await readBody(reader, head.headers)
  return body && { ...head, body }
}

function parseHead(text: string): Omit<RawRequest, 'body'> {
  const [start = '', ...lines] = text.trimEnd().split('\r\n')
  const [, method, target, version] = /^([A-Z]+) (\S+) (HTTP\/1\.[01])$/.exec(start) ?? []
  if (!method || !target || !version) throw new NotHttp(`bad request line ${start}`)
  const headers: Record<string, string> = {}
  const rawHeaders: string[] = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1) throw new NotHttp(`bad header ${line}`)
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).trim()
    rawHeaders.push(name, value)
    const key = name.toLowerCase()
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value
  }
  return { method, target, version, headers, rawHeaders }
}

async function readBody(reader: ByteReader, headers: Record<string, string>): Promise<Buffer | null> {
  if (headers['transfer-encoding']?.toLowerCase() === 'chunked') return readChunkedBody(reader)
  const length = Number(headers['content-length'] ?? 0)
  if (!(length >= 0 && length <= MAX_BODY_BYTES)) throw new NotHttp(`bad content-length ${length}`)
  return reader.exactly(length)
}

async function readChunkedBody(reader: ByteReader): Promise<Buffer | null> {
  const parts: Buffer[] = []
  let total = 0
  for (;;) {
    const line = await reader.until('\r\n')
    if (!line) return null
    const size = Number.parseInt(line.toString('latin1'), 16)
    total += size
    if (!(total <= MAX_BODY_BYTES)) throw new NotHttp(`bad chunk ${line}`)
    if (size === 0) return (await skipTrailers(reader)) ? Buffer.concat(parts) : null
    const data = await reader.exactly(size + 2)
    if (!data) return null
    parts.push(data.subarray(0, size))
  }
}

async function skipTrailers(reader: ByteReader): Promise<boolean> {
  for (;;) {
    const line = await reader.until('\r\n')
    if (!line) return false
    if (line.length === 2) return true
  }
}
