import { microseconds } from '../vllm-bytes.ts'
import { Client } from './client.ts'

export type Knocker = { port: number; request: string; everyMs: number }

/** When good answers came and what else came meanwhile. */
export type Knocks = { servedAt: number[]; refused: Record<string, number> }

/** Asks at a steady beat, each time on a connection of its own, whether anybody serves. */
export class KnockerLoad {
  readonly #timer: NodeJS.Timeout
  readonly #clients = new Set<Client>()
  #servedAt: number[] = []
  #refused: Record<string, number> = {}

  constructor({ port, request, everyMs }: Knocker) {
    const bytes = Buffer.from(request, 'latin1')
    this.#timer = setInterval(() => {
      const client = new Client(port, {
        onAnswer: ({ reader }) => {
          if (reader.status === 200) this.#servedAt.push(microseconds())
          else this.#refuse(String(reader.status))
          client.leave()
          this.#clients.delete(client)
        },
        onGone: () => {
          this.#refuse('cut')
          this.#clients.delete(client)
        },
      })
      this.#clients.add(client)
      client.ask(bytes)
    }, everyMs)
  }

  take(): Knocks {
    const knocks = { servedAt: this.#servedAt, refused: this.#refused }
    this.#servedAt = []
    this.#refused = {}
    return knocks
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const client of this.#clients) client.leave()
  }

  #refuse(how: string): void {
    this.#refused[how] = (this.#refused[how] ?? 0) + 1
  }
}
