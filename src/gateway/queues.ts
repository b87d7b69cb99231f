import type { Backend } from '../backends/backend.ts'
import type { BackendRegistry } from '../backends/registry.ts'
import { BANDS, type Band } from '../policy/band-shares.ts'
import type { Problem } from '../protocol/errors.ts'
import type { QueueView } from '../protocol/snapshot.ts'
import { BackendQueue, type QueueRules } from './backend-queue.ts'

/** The queue of every backend, made when it is first asked for. Those of one Lexora share them, whatever it is configured to. */
export class Queues {
  private readonly registry: BackendRegistry
  private readonly rules: QueueRules
  private readonly byBackend: Map<Backend, BackendQueue>

  constructor(
    registry: BackendRegistry,
    rules: QueueRules,
    byBackend: Map<Backend, BackendQueue> = new Map<Backend, BackendQueue>(),
  ) {
    this.registry = registry
    this.rules = rules
    this.byBackend = byBackend
  }

  /** Those of another configuration: who waits and who runs keeps his place, and the new bounds hold from now on. */
  next(registry: BackendRegistry, rules: QueueRules): Queues {
    const kept = new Set(registry.all())
    const now = performance.now()
    for (const [backend, queue] of this.byBackend) if (kept.has(backend)) queue.reconfigure(rules, now)
    return new Queues(registry, rules, this.byBackend)
  }

  /** `name` is one of the registry's. */
  of(name: string): BackendQueue {
    return this.at(this.registry.get(name)!)
  }

  /** Of a backend that may no longer be configured. */
  at(backend: Backend): BackendQueue {
    const known = this.byBackend.get(backend)
    if (known !== undefined) return known
    const queue = new BackendQueue(backend, this.rules, performance.now())
    this.byBackend.set(backend, queue)
    return queue
  }

  /** Nobody will ask for this backend again. */
  forget(backend: Backend): void {
    this.byBackend.get(backend)?.close()
    this.byBackend.delete(backend)
  }

  /** The engine behind a backend has changed its state. */
  engineChanged(backend: Backend): void {
    this.byBackend.get(backend)?.engineChanged()
  }

  all(): BackendQueue[] {
    return [...this.byBackend.values()]
  }

  get waiting(): number {
    let sum = 0
    for (const { fair } of this.byBackend.values()) sum += fair.size
    return sum
  }

  /** Permits that are out; 0 when nothing runs. */
  get inFlight(): number {
    let sum = 0
    for (const queue of this.byBackend.values()) sum += queue.inFlight
    return sum
  }

  /** Who waits anywhere, by band. */
  depth(): Record<Band, number> {
    const sum = { high: 0, normal: 0, low: 0 }
    for (const { fair } of this.byBackend.values()) for (const band of BANDS) sum[band] += fair.depth(band)
    return sum
  }

  /** For faces. */
  views(now: number): QueueView[] {
    return this.all().map((queue) => queue.view(now))
  }

  /** Lexora stops: whoever waits is told, what runs goes on. */
  drain(told: Problem): void {
    for (const queue of this.byBackend.values()) queue.drain(told)
  }

  close(): void {
    for (const queue of this.byBackend.values()) queue.close()
  }
}
