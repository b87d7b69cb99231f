/** Both ends of a WebSocket over plain sockets, frame by frame. */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { until } from './app.ts'
import { type HttpAnswer, parseAnswer } from './raw-client.ts'

export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8

export type Frame = { opcode: number; payload: Buffer }

export function frame(opcode: number, payload: Buffer | string, masked = false): Buffer {
  const bytes = Buffer.from(payload)
  const mask = masked ? randomBytes(4) : Buffer.alloc(0)
  const length = Buffer.alloc(bytes.length < 126 ? 1 : bytes.length < 65_536 ? 3 : 9)
  if (length.length === 1) length[0] = bytes.length
  else if (length.length === 3) {
    length[0] = 126
    length.writeUInt16BE(bytes.length, 1)
  } else {
    length[0] = 127
    length.writeBigUInt64BE(BigInt(bytes.length), 1)
  }
  length[0]! |= masked ? 128 : 0
  const body = masked ? bytes.map((byte, i) => byte ^ mask[i % 4]!) : bytes
  return Buffer.concat([Buffer.from([128 | opcode]), length, mask, body])
}

/** One end: what it has received, frame by frame, and whether the other has ended. */
export class SocketEnd {
  readonly socket: Socket
  readonly frames: Frame[] = []
  private readonly masks: boolean
  private rest = Buffer.alloc(0)
  ended = false

  constructor(socket: Socket, masks: boolean, rest: Buffer = Buffer.alloc(0)) {
    this.socket = socket
    this.masks = masks
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.read(chunk))
    const end = (): void => {
      this.ended = true
    }
    socket.once('end', end).once('close', end)
    if (rest.length > 0) this.read(rest)
  }

  send(opcode: number, payload: Buffer | string): void {
    this.socket.write(frame(opcode, payload, this.masks))
  }

  async framesReach(count: number): Promise<Frame[]> {
    await until(
      () => this.frames.length >= count,
      () => `${this.frames.length} of ${count} frames`,
    )
    return this.frames
  }

  /** The code and the reason of the Close frame that came last; null: none came. */
  get closing(): { code: number; reason: string } | null {
    const last = this.frames.at(-1)
    if (last?.opcode !== CLOSE) return null
    const { payload } = last
    return payload.length < 2
      ? { code: 1005, reason: '' }
      : { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() }
  }

  async isOver(): Promise<void> {
    await until(
      () => this.ended,
      () => 'the other end did not end',
    )
  }

  private read(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk])
    for (;;) {
      const { rest } = this
      if (rest.length < 2) return
      const short = rest[1]! & 127
      const at = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0)
      if (rest.length < at) return
      const length = short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short
      const begin = at + (rest[1]! & 128 ? 4 : 0)
      if (rest.length < begin + length) return
      const mask = rest.subarray(at, begin)
      const body = rest.subarray(begin, begin + length)
      const payload = mask.length === 0 ? Buffer.from(body) : body.map((byte, i) => byte ^ mask[i % 4]!)
      this.frames.push({ opcode: rest[0]! & 15, payload: Buffer.from(payload) })
      this.rest = rest.subarray(begin + length)
    }
  }
}

export type SocketServer = {
  url: string
  /** Of each handshake. */
  asked: { target: string; headers: IncomingHttpHeaders }[]
  ends: SocketEnd[]
  /** The next connection, once it is there. */
  end(index?: number): Promise<SocketEnd>
}

/** A backend that lists `models` and speaks WebSocket; `refuse` answers the handshake as HTTP, `stay` not at all. */
export async function startSocketServer(
  options: { models?: string[]; refuse?: { status: number; body: string }; stay?: true; echo?: true } = {},
): Promise<SocketServer> {
  const asked: SocketServer['asked'] = []
  const ends: SocketEnd[] = []
  const sockets = new Set<Socket>()
  const server = createServer((req, res) => {
    const listed = /\/(health|models)$/.test(req.url ?? '')
    const data = (options.models ?? ['m']).map((id) => ({ id, object: 'model' }))
    res.writeHead(listed ? 200 : 404, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ object: 'list', data }))
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (req, socket: Socket, rest: Buffer) => {
    asked.push({ target: req.url ?? '', headers: req.headers })
    if (options.stay === true) return void socket.on('error', () => {})
    if (options.refuse !== undefined) {
      const { status, body } = options.refuse
      socket.end(
        `HTTP/1.1 ${status} No\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      )
      return
    }
    const accept = createHash('sha1')
      .update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\nx-secret: inside\r\n\r\n`,
    )
    const end = new SocketEnd(socket, false, rest)
    if (options.echo === true) {
      socket.on('data', () => {
        for (const { opcode, payload } of end.frames.splice(0)) {
          end.send(opcode, payload)
          if (opcode === CLOSE) socket.end()
        }
      })
    }
    ends.push(end)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    ends,
    end: async (index = 0) => {
      await until(
        () => ends.length > index,
        () => `${ends.length} connections came`,
      )
      return ends[index]!
    },
  }
}

/** A client's handshake on a connection of its own: the open end, or the answer that refuses it. */
export async function openSocket(
  port: number,
  target: string,
  headers: Record<string, string> = {},
): Promise<{ end: SocketEnd; head: string } | { answer: HttpAnswer }> {
  const socket = await askForSocket(port, target, headers)
  const parts: Buffer[] = []
  const collect = (chunk: Buffer): void => void parts.push(chunk)
  let ended = false
  socket.on('data', collect)
  socket.once('end', () => {
    ended = true
  })
  const text = (): string => Buffer.concat(parts).toString('latin1')
  await until(
    () => ended || (text().startsWith('HTTP/1.1 101') && text().includes('\r\n\r\n')),
    () => `the handshake got ${JSON.stringify(text())}`,
  )
  socket.off('data', collect)
  if (!text().startsWith('HTTP/1.1 101')) return { answer: parseAnswer(text()) }
  const at = text().indexOf('\r\n\r\n') + 4
  return { end: new SocketEnd(socket, true, Buffer.concat(parts).subarray(at)), head: text().slice(0, at) }
}

/** Sends a handshake and leaves the answer to the caller. */
export async function askForSocket(
  port: number,
  target: string,
  headers: Record<string, string> = {},
): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  const sent = {
    host: 'localhost',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    ...headers,
  }
  const lines = Object.entries(sent).map(([name, value]) => `${name}: ${value}`)
  socket.write(`GET ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  return socket
}
