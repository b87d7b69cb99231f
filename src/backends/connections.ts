import type { Socket } from 'node:net'
import { Client } from 'undici'
import { createConnector } from './connector.ts'

/** uvicorn closes an idle connection after 5 s: ours must be gone before. */
const KEEP_ALIVE_MS = 4000
const MAX_IDLE = 256

/**
 * The connections to one backend, one request each at a time, the one used last first: it is warm, and the others grow
 * idle and close. undici's Pool looks through all of them for a free one, which at 64 in flight cost 4 % of a request.
 */
export class Connections {
  private readonly origin: string
  private readonly connect: ReturnType<typeof createConnector>
  private readonly idle: Client[] = []
  private readonly all = new Set<Client>()

  /** `onSocket`: told of every connection that was made. */
  constructor(
    origin: string,
    options: { connectTimeoutMs: number; ca: string | null },
    onSocket: (socket: Socket) => void = () => {},
  ) {
    this.origin = origin
    const connect = createConnector(options.connectTimeoutMs, options.ca)
    this.connect = (where, callback) =>
      connect(where, (...made) => {
        if (made[1] !== null) onSocket(made[1])
        callback(...made)
      })
  }

  /** One that is free. It goes to `giveBack` when its answer has come whole, else to `discard`. */
  take(): Client {
    return this.idle.pop() ?? this.open()
  }

  /** One that was opened to an earlier place is not kept. */
  giveBack(client: Client): void {
    if (this.all.has(client) && this.idle.length < MAX_IDLE) this.idle.push(client)
    else this.discard(client)
  }

  /** It may still be connecting, or in the middle of an answer that nobody wants. */
  discard(client: Client): void {
    this.all.delete(client)
    void client.destroy()
  }

  /** One that lay idle was found closed: the others may be as dead, and two in a row would look like two lost engines. */
  dropIdle(): void {
    for (const client of this.idle.splice(0)) this.discard(client)
  }

  /** Ends them all, busy or not. */
  async close(): Promise<void> {
    await Promise.all([...this.all].map((client) => client.destroy()))
  }

  private open(): Client {
    const client = new Client(this.origin, {
      connect: this.connect,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
    })
    this.all.add(client)
    return client
  }
}
