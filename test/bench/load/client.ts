import { connect, type Socket } from 'node:net'
import { AnswerReader } from '../wire.ts'

type Events = {
  /** Bytes of an answer came; the reader has counted them. */
  onProgress?: (client: Client, bytes: Buffer) => void
  /** The answer is complete. */
  onAnswer?: (client: Client) => void
  /** The connection ended; `whole` says that no answer was under way. */
  onGone?: (client: Client, whole: boolean) => void
}

/** One connection that asks, reads and asks again. */
export class Client {
  readonly socket: Socket
  reader = new AnswerReader()
  sentAtMs = 0
  #waiting = false

  constructor(port: number, { onProgress, onAnswer, onGone }: Events) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.on('data', (bytes: Buffer) => {
      const complete = this.reader.push(bytes)
      onProgress?.(this, bytes)
      if (!complete) return
      this.#waiting = false
      onAnswer?.(this)
    })
    this.socket.on('error', () => this.socket.destroy())
    this.socket.on('close', () => onGone?.(this, !this.#waiting))
  }

  ask(request: Buffer): void {
    this.reader = new AnswerReader()
    this.#waiting = true
    this.sentAtMs = performance.now()
    this.socket.write(request)
  }

  leave(): void {
    this.socket.removeAllListeners('close')
    this.socket.destroy()
  }
}
