import type { BackendRegistry } from '../backends/registry.ts'
import { BANDS, type Band } from '../policy/band-shares.ts'
import { type Problem, problem } from '../protocol/errors.ts'
import type { QueueView } from '../protocol/snapshot.ts'
import { BackendQueue, type QueueRules } from './backend-queue.ts'

/** The queue of every backend, made when it is first asked for. */
export class Queues {
  private readonly registry: BackendRegistry
  private readonly rules: QueueRules
  private readonly byName = new Map<string, BackendQueue>()

  constructor(registry: BackendRegistry, rules: QueueRules) {
    this.registry = registry
    this.rules = rules
  }

  /** `name` is one of the registry's. */
  of(name: string): BackendQueue {
    const backend = this.registry.get(name)!
    const known = this.byName.get(name)
    if (known !== undefined && known.backend === backend) return known
    const queue = new BackendQueue(backend, this.rules, performance.now())
    this.byName.set(name, queue)
    // Its backend was replaced: who waits there must ask again.
    known?.drain(problem('overloaded', `Backend '${name}' was replaced.`, { retryAfterMs: 1000 }))
    return queue
  }

  /** The engine behind a backend has changed its state. */
  engineChanged(name: string): void {
    this.byName.get(name)?.engineChanged()
  }

  all(): BackendQueue[] {
    return [...this.byName.values()]
  }

  get waiting(): number {
    let sum = 0
    for (const { fair } of this.byName.values()) sum += fair.size
    return sum
  }

  /** Permits that are out; 0 when nothing runs. */
  get inFlight(): number {
    let sum = 0
    for (const queue of this.byName.values()) sum += queue.inFlight
    return sum
  }

  /** Who waits anywhere, by band. */
  depth(): Record<Band, number> {
    const sum = { high: 0, normal: 0, low: 0 }
    for (const { fair } of this.byName.values()) for (const band of BANDS) sum[band] += fair.depth(band)
    return sum
  }

  /** For faces. */
  views(now: number): QueueView[] {
    return this.all().map((queue) => queue.view(now))
  }

  /** Lexora stops: whoever waits is told, what runs goes on. */
  drain(told: Problem): void {
    for (const queue of this.byName.values()) queue.drain(told)
  }

  close(): void {
    for (const queue of this.byName.values()) queue.close()
  }
}
