import type { BackendView } from '../policy/route.ts'
import type { OutboundLedger } from '../telemetry/outbound.ts'
import { Backend, type BackendOptions } from './backend.ts'
import { DeadlineClock } from './deadline-clock.ts'

/** What another configuration makes of a set of backends. */
export type NextRegistry = { added: Backend[]; gone: Backend[]; commit(): BackendRegistry }

/** The live set of backends, by name, in the order of the configuration. */
export class BackendRegistry {
  /** The deadlines of everything in flight. */
  readonly clock: DeadlineClock
  private readonly byName = new Map<string, Backend>()

  private readonly outbound: OutboundLedger | null

  constructor(
    backends: readonly BackendOptions[],
    outbound: OutboundLedger | null = null,
    clock = new DeadlineClock(),
  ) {
    this.clock = clock
    this.outbound = outbound
    for (const options of backends) this.byName.set(options.name, this.made(options))
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

  /**
   * The set of another configuration. A backend that is still at its place goes on with its connections, its health and
   * its work; one that moved is another. This set stays as it is, for the requests that began with it. Nothing is
   * changed before `commit`: until then the new ones can be looked at.
   */
  next(servers: readonly BackendOptions[], engines: readonly BackendOptions[]): NextRegistry {
    const known = (options: BackendOptions, isEngine: boolean): Backend | null => {
      const backend = this.byName.get(options.name)
      if (backend === undefined || (backend.engine !== null) !== isEngine) return null
      return isEngine || backend.isAt(options) ? backend : null
    }
    const wanted = [
      ...servers.map((options) => ({ options, kept: known(options, false) })),
      ...engines.map((options) => ({ options, kept: known(options, true) })),
    ]
    const next = new BackendRegistry([], this.outbound, this.clock)
    for (const { options, kept } of wanted) next.byName.set(options.name, kept ?? this.made(options))
    const isNew = (backend: Backend): boolean => this.byName.get(backend.name) !== backend
    return {
      added: next.all().filter(isNew),
      gone: this.all().filter((backend) => next.get(backend.name) !== backend),
      commit: () => {
        for (const { options, kept } of wanted) kept?.reconfigure(options)
        return next
      },
    }
  }

  private made(options: BackendOptions): Backend {
    return new Backend(options, this.clock, this.outbound)
  }

  /** Destroys every connection. Call after the gateway has drained. */
  async close(): Promise<void> {
    this.clock.stop()
    await Promise.all(this.all().map((backend) => backend.close()))
  }
}
