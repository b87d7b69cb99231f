import { connect, type Socket } from 'node:net'

/** Every byte that a server sends on one connection, and how it ended. */
export type RawClient = {
  socket: Socket
  send(text: string): void
  /** What has come so far. */
  received(): string
  bytes(): Buffer
  /** Resolves when the predicate holds for what has come. */
  until(predicate: (received: string) => boolean): Promise<string>
  /** How the connection ended. */
  ended: Promise<'fin' | 'rst'>
}

export async function rawClient(port: number): Promise<RawClient> {
  const chunks: Buffer[] = []
  let look: () => void = () => {}
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  const ended = new Promise<'fin' | 'rst'>((resolve) => {
    socket.on('end', () => resolve('fin'))
    socket.on('error', () => resolve('rst'))
    socket.on('close', () => resolve('rst'))
  })
  socket.on('data', (chunk) => {
    chunks.push(chunk)
    look()
  })
  // A reset at accept may come before the connect is told; only a refusal means that nobody listens.
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNREFUSED' ? reject(error) : resolve()))
  })
  const received = () => Buffer.concat(chunks).toString('utf8')
  return {
    socket,
    send: (text) => void socket.write(text),
    received,
    bytes: () => Buffer.concat(chunks),
    ended,
    until: (predicate) =>
      new Promise((resolve, reject) => {
        look = () => predicate(received()) && resolve(received())
        void ended.then(() => reject(new Error(`the connection ended after ${received().slice(-500)}`)))
        look()
      }),
  }
}

export type Asked = { method?: string; path?: string; headers?: Record<string, string>; body?: unknown }

/** The text of a request. A body that is no string is sent as JSON. */
export function requestText({
  method = 'POST',
  path = '/v1/chat/completions',
  headers = {},
  body,
}: Asked = {}): string {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const all = { host: '127.0.0.1', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
}

export const hello = { model: 'tiny', messages: [{ role: 'user', content: 'Say hello' }], max_tokens: 4 }
export const helloStream = { ...hello, stream: true }

/** True once a whole answer is there, by its own framing. */
export function isWhole(received: string): boolean {
  const split = received.indexOf('\r\n\r\n')
  if (split < 0) return false
  const head = received.slice(0, split).toLowerCase()
  const body = received.slice(split + 4)
  if (head.includes('transfer-encoding: chunked')) return /(^|\n)0\r\n([\w-]+: .*\r\n)*\r\n$/.test(body.slice(-500))
  return Buffer.byteLength(body) >= Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0)
}

/** Sends one request on its own connection and gives all that came back for it. */
export async function exchange(port: number, asked: Asked): Promise<string> {
  const client = await rawClient(port)
  client.send(requestText(asked))
  const received = await client.until(isWhole)
  client.socket.destroy()
  return received
}

/** The body of an answer, its chunks joined. */
export function bodyOf(received: string): string {
  const split = received.indexOf('\r\n\r\n') + 4
  const body = received.slice(split)
  if (!/\r\ntransfer-encoding: chunked/i.test(received.slice(0, split))) return body
  return unchunk(Buffer.from(body))
}

function unchunk(body: Buffer): string {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const line = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, line), 16)
    if (!size) break
    parts.push(body.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
  return Buffer.concat(parts).toString('utf8')
}
