/** Calls between the bench and its helper processes: one message each way over the child's IPC channel. */
import type { ChildProcess } from 'node:child_process'

// biome-ignore lint/suspicious/noExplicitAny: the shape of each handler is inferred where it is written
type Handlers = Record<string, (argument: any) => unknown>
type Question = { id: number; name: string; argument: unknown }
type Reply = { id: number; result?: unknown; error?: string }

/** In the helper: answers each call with what its handler returns or throws; ends with the bench that started it. */
export function answerCalls(handlers: Handlers): void {
  process.on('message', async ({ id, name, argument }: Question) => {
    try {
      const handler = handlers[name]
      if (!handler) throw new Error(`there is no call ${name}`)
      process.send?.({ id, result: await handler(argument) } satisfies Reply)
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.on('disconnect', () => process.exit(0))
}

/** In the bench: the other end. A helper that exits fails every call that waits for it. */
export class Caller<Api extends Handlers> {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  #next = 0

  constructor(child: ChildProcess, label: string) {
    this.#child = child
    child.on('message', ({ id, result, error }: Reply) => {
      const waiter = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiter?.resolve(result)
      else waiter?.reject(new Error(`${label}: ${error}`))
    })
    child.on('exit', (code, signal) => {
      for (const waiter of this.#waiting.values()) waiter.reject(new Error(`${label} ended (${signal ?? code})`))
      this.#waiting.clear()
    })
  }

  call<Name extends keyof Api & string>(
    name: Name,
    ...[argument]: Parameters<Api[Name]>
  ): Promise<Awaited<ReturnType<Api[Name]>>> {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject })
      this.#child.send({ id, name, argument } satisfies Question)
    })
  }
}
