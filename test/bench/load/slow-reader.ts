import { connect, type Socket } from 'node:net'
import { ChunkDecoder, readHead } from '../wire.ts'

export type SlowReaders = { port: number; request: string; count: number }

/**
 * How far one client has come: its port tells it from the others; wire bytes (head and framing included) are those
 * it took from the kernel, payload bytes those among them that it has looked at: a paused socket still fills its buffer.
 */
export type ReadSoFar = { localPort: number; wireBytes: number; payloadBytes: number }

type Reader = { socket: Socket; head: Buffer | null; wireBytes: number; decoder: ChunkDecoder; stopAt: number }

/** Clients that ask for a long stream, take what comes first and then read no more until they are told how far. */
export class SlowReaderLoad {
  readonly #readers: Reader[]

  constructor({ port, request, count }: SlowReaders) {
    this.#readers = Array.from({ length: count }, () => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      const reader: Reader = { socket, head: Buffer.alloc(0), wireBytes: 0, decoder: new ChunkDecoder(), stopAt: 1 }
      socket.on('data', (bytes: Buffer) => take(reader, bytes))
      socket.on('error', () => socket.destroy())
      socket.write(Buffer.from(request, 'latin1'))
      return reader
    })
  }

  state(): ReadSoFar[] {
    return this.#readers.map(({ socket, decoder }) => ({
      localPort: socket.localPort ?? 0,
      wireBytes: socket.bytesRead,
      payloadBytes: decoder.payloadBytes,
    }))
  }

  /** Reads on to exactly that wire byte, so that the payload up to it can be counted. */
  readTo(ends: { localPort: number; wireBytes: number }[]): Promise<ReadSoFar[]> {
    const reading = ends.map(({ localPort, wireBytes }) => {
      const reader = this.#readers.find(({ socket }) => socket.localPort === localPort)
      if (!reader || reader.wireBytes >= wireBytes) return Promise.resolve()
      reader.stopAt = wireBytes
      const stopped = new Promise<void>((resolve) => {
        reader.socket.once('pause', resolve)
        reader.socket.once('close', resolve)
      })
      reader.socket.resume()
      return stopped
    })
    return Promise.all(reading).then(() => this.state())
  }

  stop(): void {
    for (const { socket } of this.#readers) socket.destroy()
  }
}

function take(reader: Reader, bytes: Buffer): void {
  const wanted = reader.stopAt === 1 ? bytes : bytes.subarray(0, reader.stopAt - reader.wireBytes)
  reader.wireBytes += wanted.length
  reader.decoder.push(afterHead(reader, wanted))
  if (reader.wireBytes >= reader.stopAt) reader.socket.pause()
}

function afterHead(reader: Reader, bytes: Buffer): Buffer {
  if (reader.head === null) return bytes
  reader.head = Buffer.concat([reader.head, bytes])
  const found = readHead(reader.head)
  if (!found) return Buffer.alloc(0)
  const body = reader.head.subarray(found.length)
  reader.head = null
  return body
}
