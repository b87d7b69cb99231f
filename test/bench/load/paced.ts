import { type Summary, summary } from '../numbers.ts'
import { Client } from './client.ts'

export type Paced = { port: number; request: string; perSecond: number; connections: number }
export type PacedCount = { answers: number; failed: number; latencyMs: Summary }

/** So many requests per second, whatever the answers do. A request that finds every connection busy counts as failed. */
export class PacedLoad {
  readonly #request: Buffer
  readonly #clients = new Set<Client>()
  readonly #idle: Client[] = []
  readonly #timer: NodeJS.Timeout
  readonly #port: number
  #latencies: number[] = []
  #failed = 0

  constructor({ port, request, perSecond, connections }: Paced) {
    this.#port = port
    this.#request = Buffer.from(request, 'latin1')
    for (let opened = 0; opened < connections; opened++) this.#open()
    this.#timer = setInterval(() => this.#askNext(), 1000 / perSecond)
  }

  take(): PacedCount {
    const counted = { answers: this.#latencies.length, failed: this.#failed, latencyMs: summary(this.#latencies) }
    this.#latencies = []
    this.#failed = 0
    return counted
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const client of this.#clients) client.leave()
  }

  #askNext(): void {
    const client = this.#idle.shift()
    if (client) client.ask(this.#request)
    else this.#failed++
  }

  #open(): void {
    const client = new Client(this.#port, {
      onAnswer: ({ reader, sentAtMs }) => {
        if (reader.status === 200) this.#latencies.push(performance.now() - sentAtMs)
        else this.#failed++
        this.#idle.push(client)
      },
      onGone: (_, whole) => {
        if (!whole) this.#failed++
        this.#clients.delete(client)
        const at = this.#idle.indexOf(client)
        if (at >= 0) this.#idle.splice(at, 1)
        this.#open()
      },
    })
    this.#clients.add(client)
    client.socket.once('connect', () => this.#idle.push(client))
  }
}
