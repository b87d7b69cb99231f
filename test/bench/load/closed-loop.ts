import { type Summary, summary } from '../numbers.ts'
import { Client } from './client.ts'

export type ClosedLoop = {
  port: number
  request: string
  connections: number
  /** What a good answer holds: 0 events of a whole answer, else those of the stream with its `[DONE]`. */
  events: number
}

export type Counted = { answers: number; events: number; failed: number; latencyMs: Summary }

/** So many connections, each asking again as soon as it has its answer. Latency is to the first event of a stream. */
export class ClosedLoopLoad {
  readonly #spec: ClosedLoop
  readonly #request: Buffer
  readonly #clients = new Set<Client>()
  #counted = { answers: 0, events: 0, failed: 0 }
  #latencies: number[] = []

  constructor(spec: ClosedLoop) {
    this.#spec = spec
    this.#request = Buffer.from(spec.request, 'latin1')
    for (let opened = 0; opened < spec.connections; opened++) this.#open()
  }

  /** What happened since the last call. */
  take(): Counted {
    const counted = { ...this.#counted, latencyMs: summary(this.#latencies) }
    this.#counted = { answers: 0, events: 0, failed: 0 }
    this.#latencies = []
    return counted
  }

  stop(): void {
    for (const client of this.#clients) client.leave()
    this.#clients.clear()
  }

  #open(): void {
    let events = 0
    const client = new Client(this.#spec.port, {
      onProgress: ({ reader, sentAtMs }) => {
        if (events === 0 && reader.events > 0) this.#latencies.push(performance.now() - sentAtMs)
        this.#counted.events += reader.events - events
        events = reader.events
      },
      onAnswer: ({ reader, sentAtMs }) => {
        if (this.#spec.events === 0) this.#latencies.push(performance.now() - sentAtMs)
        if (reader.status === 200 && reader.events === this.#spec.events) this.#counted.answers++
        else this.#counted.failed++
        events = 0
        client.ask(this.#request)
      },
      onGone: () => {
        this.#counted.failed++
        this.#clients.delete(client)
        this.#open()
      },
    })
    this.#clients.add(client)
    client.ask(this.#request)
  }
}
