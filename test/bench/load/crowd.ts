import { type Summary, summary } from '../numbers.ts'
import { microseconds, readStamps } from '../vllm-bytes.ts'
import { Client } from './client.ts'

export type Crowd = { port: number; request: string; count: number }
export type CrowdState = { streaming: number; lost: number; events: number; oneWayMs: Summary }

/** Streams that wait for their first event at the same time: more would measure the accept queue. */
const OPENING_AT_ONCE = 200

/** Many streams that stay open: who has one, who lost it, and how long its events travel. */
export class CrowdLoad {
  readonly #clients = new Set<Client>()
  readonly #request: Buffer
  readonly #port: number
  #toOpen: number
  #opening = 0
  #streaming = 0
  #lost = 0
  #events = 0
  #oneWay: number[] = []

  constructor({ port, request, count }: Crowd) {
    this.#port = port
    this.#request = Buffer.from(request, 'latin1')
    this.#toOpen = count
    this.#openMore()
  }

  take(): CrowdState {
    const state = {
      streaming: this.#streaming,
      lost: this.#lost,
      events: this.#events,
      oneWayMs: summary(this.#oneWay),
    }
    this.#events = 0
    this.#oneWay = []
    return state
  }

  /** All leave in the same moment; returns it. */
  leave(): number {
    const at = microseconds()
    for (const client of this.#clients) client.leave()
    this.#clients.clear()
    return at
  }

  #openMore(): void {
    while (this.#toOpen > 0 && this.#opening < OPENING_AT_ONCE) {
      this.#toOpen--
      this.#opening++
      this.#open()
    }
  }

  #open(): void {
    let opening = true
    const opened = () => {
      if (!opening) return
      opening = false
      this.#opening--
      this.#openMore()
    }
    const client = new Client(this.#port, {
      onProgress: ({ reader }, bytes) => {
        if (opening && reader.status === 200 && reader.events > 0) {
          this.#streaming++
          opened()
        }
        const stamps = readStamps(bytes)
        if (stamps.length === 0) return
        const now = microseconds()
        this.#events += stamps.length
        for (const stamp of stamps) this.#oneWay.push((now - stamp) / 1000)
      },
      onAnswer: () => client.socket.destroy(),
      onGone: () => {
        if (!opening) this.#streaming--
        opened()
        this.#lost++
        this.#clients.delete(client)
      },
    })
    this.#clients.add(client)
    client.socket.once('connect', () => client.ask(this.#request))
  }
}
