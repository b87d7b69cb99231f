import type { BackendView } from '../policy/route.ts'
import { Backend, type BackendOptions } from './backend.ts'
import { DeadlineClock } from './deadline-clock.ts'

/** The live set of backends, by name, in the order of the configuration. */
export class BackendRegistry {
  /** The deadlines of everything in flight. */
  readonly clock = new DeadlineClock()
  private readonly byName = new Map<string, Backend>()

  constructor(backends: readonly BackendOptions[]) {
    for (const options of backends) this.byName.set(options.name, new Backend(options, this.clock))
  }

  get(name: string): Backend | undefined {
    return this.byName.get(name)
  }

  all(): Backend[] {
    return [...this.byName.values()]
  }

  /** Whether any backend is known to serve a model of this name. */
  serves(model: string): boolean {
    for (const backend of this.byName.values()) if (backend.models.has(model)) return true
    return false
  }

  /** What routing decides on, as it is at this moment. */
  views(now: number): BackendView[] {
    const views: BackendView[] = []
    for (const backend of this.byName.values()) views.push(backend.viewAt(now))
    return views
  }

  /** Adds one, or puts it in the place of the one of this name, whose connections are destroyed. */
  add(options: BackendOptions): Backend {
    void this.byName.get(options.name)?.close()
    const backend = new Backend(options, this.clock)
    this.byName.set(options.name, backend)
    return backend
  }

  /** Destroys every connection. Call after the gateway has drained. */
  async close(): Promise<void> {
    this.clock.stop()
    await Promise.all(this.all().map((backend) => backend.close()))
  }
}
