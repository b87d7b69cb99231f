import { connect, type Socket } from 'node:net'
import { PATIENCE_MS } from './patience.ts'

/** A client that speaks bytes: it can do everything that a well-behaved library would not. */
/** A busy machine may take long; what hangs is told before the test itself runs out of time. */
const ANSWER_MS = 2 * PATIENCE_MS

export class RawClient {
  readonly socket: Socket
  private received: Buffer[] = []
  private receivedBytes = 0
  private readonly changed = new Set<() => void>()
  isClosed = false
  /** Set when the connection ended by a reset. */
  wasReset = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.received.push(chunk)
      this.receivedBytes += chunk.length
      this.notify()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.wasReset = error.code === 'ECONNRESET'
    })
    socket.on('close', () => {
      this.isClosed = true
      this.notify()
    })
    socket.on('end', () => this.notify())
  }

  static async open(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, ...options })
    const client = new RawClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return client
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes)
    return this
  }

  /** Sends a POST with a JSON body. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): this {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const lines = Object.entries({
      host: 'localhost',
      'content-type': 'application/json',
      'content-length': String(bytes.length),
      ...headers,
    })
    return this.send(
      Buffer.concat([
        Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`),
        bytes,
      ]),
    )
  }

  get text(): string {
    return Buffer.concat(this.received).toString('utf8')
  }

  get bytesReceived(): number {
    return this.receivedBytes
  }

  /** Resolves when the bytes so far fulfil `holds`; rejects when the connection ends, or ten seconds pass, before. */
  async until(holds: (text: string) => boolean): Promise<string> {
    await this.wait(() => holds(this.text), 'the expected bytes')
    return this.text
  }

  /** Resolves when the peer has closed. */
  async closed(): Promise<string> {
    await this.wait(() => this.isClosed, 'the end of the connection')
    return this.text
  }

  destroy(): void {
    this.socket.destroy()
  }

  private async wait(holds: () => boolean, what: string): Promise<void> {
    if (holds()) return
    await new Promise<void>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer)
        this.changed.delete(check)
        settle()
      }
      const check = (): void => {
        if (holds()) finish(resolve)
        else if (this.isClosed) finish(() => reject(new Error(`closed before ${what} came; received:\n${this.text}`)))
      }
      const timer = setTimeout(
        () => finish(() => reject(new Error(`no ${what} in ${ANSWER_MS / 1000} s; received:\n${this.text}`))),
        ANSWER_MS,
      )
      this.changed.add(check)
    })
  }

  private notify(): void {
    for (const check of [...this.changed]) check()
  }
}

export type HttpAnswer = { status: number; headers: Map<string, string>; body: string }

/** Splits a whole response, chunked or not. */
export function parseAnswer(text: string): HttpAnswer {
  const split = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, split).split('\r\n')
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const rest = text.slice(split + 4)
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    body: headers.get('transfer-encoding') === 'chunked' ? dechunk(rest) : rest,
  }
}

function dechunk(text: string): string {
  const bytes = Buffer.from(text, 'utf8')
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    if (!(size > 0)) break
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
  return Buffer.concat(parts).toString('utf8')
}
